"""`stepscope trace`: one execution's timeline, out of log events, a history or the embedded database."""

from pathlib import Path

import click

from monitoring.cli.output import echo_document


@click.command("trace")
@click.argument("execution", required=False)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="PATH",
    help="Log events as JSON lines, pages of GetExecutionHistory, datadog.duckdb, or a folder with one.",
)
@click.option("--json", "as_json", is_flag=True, help="The execution, or the list, as one JSON document.")
def command(execution: str | None, data: Path, as_json: bool) -> int:
    """Show the states, attempts, iterations and durations of EXECUTION: a name, its beginning, or an ARN.

    Without EXECUTION, list the executions that are there.

    \b
    stepscope demo --keep run
    stepscope trace --data run
    stepscope trace unsure --data run
    """
    from monitoring.log_events.printable import printable
    from monitoring.trace import as_data, as_text, choose, incomplete, read_executions, summary

    executions = read_executions(data)
    if execution is None:
        rows = [summary(execution) | {"incomplete": incomplete(execution)} for execution in executions]
        if as_json:
            echo_document({"executions": rows})
        for row in () if as_json else rows:
            seconds = "?" if row["duration_ms"] is None else f"{row['duration_ms'] / 1000:.3f}"
            redriven = f" ({row['redrives']} redrive{'s' * (row['redrives'] > 1)})" if row["redrives"] else ""
            path = " → ".join(row["states"])
            columns = (row["name"], row["status"] + redriven, f"{seconds} s", path, *row["incomplete"])
            click.echo(printable("  ".join(filter(None, columns))))
        return 0
    chosen = choose(executions, execution)
    if as_json:
        echo_document(as_data(chosen))
    else:
        click.echo(as_text(chosen))
    return 0
