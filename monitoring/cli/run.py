"""`stepscope run`: one execution of a state machine of the user's own template, on this machine."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitoring.cli.application import answers_of, deployment_options, pairs, read_json_file
from monitoring.cli.ending import ended_by_signals

if TYPE_CHECKING:
    from monitoring.local_pipeline import ExecutionResult, Pipeline


@click.command("run")
@click.argument("machine")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="TEMPLATE",
    help="The template, or the folder that holds it.  [default: this folder]",
)
@click.option(
    "--input",
    "input_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The execution's input, as JSON; - reads standard input.  [default: {}]",
)
@click.option("--name", help="The execution's name.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Seconds after which an execution that still runs is stopped.",
)
@deployment_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    machine: str,
    source: Path,
    input_file: Path | None,
    name: str | None,
    timeout: float,
    parameters: tuple[str, ...],
    stack: str,
    answers: tuple[str, ...],
    speed: float,
    as_json: bool,
) -> int:
    """Run one execution of a state machine of your own template, on the embedded AWS and Datadog.

    MACHINE is its logical id or its name. The template is deployed here with its real handlers, the execution
    runs to its end, and its states, metrics, spans and logs are shown. Ends with status 1 where the execution
    does not succeed.
    """
    from monitoring.local_pipeline import PipelineOptions, run_execution, start_pipeline

    value = read_json_file(input_file) if input_file else {}
    options = PipelineOptions(
        source, pairs(parameters, "--parameter"), stack, answers_of(answers), speed=speed
    )
    say = _said if sys.stderr.isatty() else lambda _: None
    with ended_by_signals(), start_pipeline(options, say) as pipeline:
        tell_stand_ins(pipeline, lambda text: click.echo(text, err=True))
        result = run_execution(
            pipeline,
            machine,
            value,
            name=name,
            timeout=timeout,
            entered=lambda state: say(f"state {state}"),
        )
    if as_json:
        import json

        click.echo(json.dumps(result.as_data(), indent=1, default=str))
    else:
        _print(result)
    return 0 if result.status == "SUCCEEDED" else 1


def _said(text: str) -> None:
    click.echo(click.style(f"· {text}", dim=True), err=True)


def tell_stand_ins(pipeline: "Pipeline", say: Callable[[str], None]) -> None:
    """Say what was assumed, and what stands in for what does not run here."""
    for note in pipeline.notes:
        say(f"note: {note}")
    for stand_in in pipeline.deployment.stand_ins:
        if not stand_in.quiet:
            say(f"not run here: {stand_in.logical_id} ({stand_in.type}); in its place: {stand_in.what}")
    quiet = [stand_in for stand_in in pipeline.deployment.stand_ins if stand_in.quiet]
    if quiet:
        kinds = ", ".join(sorted({stand_in.type.removeprefix("AWS::") for stand_in in quiet}))
        say(f"without effect here: {len(quiet)} resources ({kinds})")


def _print(result: "ExecutionResult") -> None:
    from rich.console import Console

    console = Console(soft_wrap=False, highlight=False, width=None if sys.stdout.isatty() else 120)
    color = "green" if result.status == "SUCCEEDED" else "red"
    console.print(
        f"[{color}]{result.status}[/] after {result.duration_ms / 1000:.1f} s: {' → '.join(result.path)}"
    )
    if result.error is not None:
        console.print(f"error   {result.error}: {result.cause or ''}", markup=False)
    if result.output is not None:
        import json

        console.print(f"output  {json.dumps(result.output)[:2000]}", markup=False)
    console.print(
        f"{len(result.metrics)} series, {len(result.spans)} spans, {len(result.logs)} log entries; "
        "--json shows them"
    )
