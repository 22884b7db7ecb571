"""`stepscope trace`: one execution's timeline, out of log events, a history or the embedded database."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitoring.cli.output import echo_document
from monitoring.terminal import Part, echo, table

if TYPE_CHECKING:
    from monitoring.trace import Execution

_COLORS = {"SUCCEEDED": "green", "RUNNING": "cyan"}


@click.command("trace")
@click.argument("execution", required=False)
@click.option(
    "--data",
    default=".",
    metavar="PATH",
    help="Log events as JSON lines, pages of GetExecutionHistory, datadog.duckdb, or a replay's folder or"
    " s3:// prefix.",
)
@click.option("--json", "as_json", is_flag=True, help="The execution, or the list, as one JSON document.")
def command(execution: str | None, data: str, as_json: bool) -> int:
    """Show the states, attempts, iterations and durations of EXECUTION: a name, its beginning, or an ARN.

    Without EXECUTION, list the executions that are there. A database has functions and their calls, too, and
    the errors that a function has logged are shown below it.

    \b
    stepscope demo --keep run
    stepscope trace --data run
    stepscope trace unsure --data run
    """
    from monitoring.trace import as_data, as_lines, choose, read_executions, read_inside, replayed_spans

    with ExitStack() as stack:
        spans = replayed_spans(data)
        if spans is not None:
            stack.enter_context(closing(spans))
        executions = read_executions(spans or Path(data))
        if execution is None:
            return _list(executions, as_json=as_json)
        chosen = choose(executions, execution)
        inside = read_inside(spans or Path(data), chosen)
    if as_json:
        echo_document(as_data(chosen, inside))
        return 0
    for line in as_lines(chosen, inside):
        echo(*line)
    return 0


def _list(executions: "list[Execution]", *, as_json: bool) -> int:
    from monitoring.trace import incomplete, summary

    rows = [summary(execution) | {"incomplete": incomplete(execution)} for execution in executions]
    if as_json:
        echo_document({"executions": rows})
        return 0
    cells: list[list[Part]] = []
    for row in rows:
        seconds = "?" if row["duration_ms"] is None else f"{row['duration_ms'] / 1000:.3f}"
        redriven = f" ({row['redrives']} redrive{'s' * (row['redrives'] > 1)})" if row["redrives"] else ""
        status = (row["status"] + redriven, _COLORS.get(row["status"], "red"))
        path = " → ".join(row["states"])
        cells.append([row["name"], status, f"{seconds} s", "  ".join([path, *row["incomplete"]])])
    for line in table(cells, right={2}):
        echo(*line)
    return 0
