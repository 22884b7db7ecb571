"""`stepscope demo`: the example pipeline on this machine, end to end."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitoring.cli.ending import ended_by_signals
from monitoring.cli.output import console, echo_document, live

if TYPE_CHECKING:
    from monitoring.demo.result import DemoResult
    from monitoring.demo.run import DemoOptions


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="The result, as one JSON document.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the database (datadog.duckdb) and every log event (log_events.jsonl) in this folder.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.1, max=10_000),
    default=15.0,
    show_default=True,
    help="How many times faster the state machine's waits pass.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the embedded Datadog listens while the demo runs.  [default: any free port]",
)
@click.option(
    "--template",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Deploy this template, a changed copy of the example's deploy/template.yaml.",
)
def command(as_json: bool, keep: Path | None, speed: float, port: int, template: Path | None) -> int:
    """Run the example pipeline on this machine, on the embedded AWS and Datadog.

    The template that an account gets (deploy/template.yaml) is deployed, and ten photos go through it: a new
    slide, the same again, a build that fails, a step that times out and more; the last one while Datadog is
    away. At the end every log line that was printed has to be found in Datadog, as a point, a span or a log
    entry; the command ends with status 1 where it is not, where an execution does not end as it should, or
    where a role was refused a call.
    """
    from monitoring.demo.run import DemoOptions

    with ended_by_signals():
        result = _run(DemoOptions(keep, speed, port, template))
    if as_json:
        echo_document(result.as_data())
    else:
        _print(result, keep)
    return 0 if result.fine else 1


def _run(options: "DemoOptions") -> "DemoResult":
    from monitoring.demo.run import run_demo

    if not live(sys.stderr):
        return run_demo(options)
    from rich.console import Console

    from monitoring.demo.show import Progress

    with Progress(Console(stderr=True)) as progress:
        return run_demo(options, progress)


def _print(result: "DemoResult", keep: Path | None) -> None:
    from monitoring.demo.show import print_result

    screen = console()
    print_result(screen, result)
    if keep:
        screen.print(f"Kept: {keep}/datadog.duckdb and {keep}/log_events.jsonl")
