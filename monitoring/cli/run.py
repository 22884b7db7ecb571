"""`stepscope run`: one execution of a state machine of the user's own template, on this machine."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.application import answers_of, deployment_options, pairs, read_json_file
from monitoring.cli.ending import ended_by_signals
from monitoring.cli.output import echo_document, live
from monitoring.errors import InputError
from monitoring.terminal import echo

if TYPE_CHECKING:
    from monitoring.local_pipeline import Pipeline


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
@click.option("--url", default="", metavar="ADDRESS", help="Where `stepscope up` runs, instead of --from.")
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
@click.option("--json", "as_json", is_flag=True, help="The result, as one JSON document.")
def command(
    machine: str,
    source: Path,
    url: str,
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
    value = read_json_file(input_file) if input_file else {}
    say = _said if live(sys.stderr) else lambda _: None
    if url:
        result = _remote(url, machine, value, name, timeout)
    else:
        from monitoring.local_pipeline import PipelineOptions, run_execution, start_pipeline

        options = PipelineOptions(
            source, pairs(parameters, "--parameter"), stack, answers_of(answers), speed=speed
        )
        with ended_by_signals(), start_pipeline(options, say) as pipeline:
            tell_stand_ins(pipeline, lambda text: echo(text, err=True))
            told = run_execution(
                pipeline,
                machine,
                value,
                name=name,
                timeout=timeout,
                entered=lambda state: say(f"state {state}"),
            )
        result = told.as_data()
    if as_json:
        echo_document(result)
    else:
        _print(result)
    return 0 if result["status"] == "SUCCEEDED" else 1


def _said(text: str) -> None:
    echo((f"· {text}", "dim"), err=True)


def tell_stand_ins(pipeline: "Pipeline", say: Callable[[str], None]) -> None:
    """Print assumptions, and the stand-ins for what does not run locally."""
    for note in pipeline.notes:
        say(f"note: {note}")
    for stand_in in pipeline.deployment.stand_ins:
        if not stand_in.quiet:
            say(f"not run here: {stand_in.logical_id} ({stand_in.type}); in its place: {stand_in.what}")
    quiet = [stand_in for stand_in in pipeline.deployment.stand_ins if stand_in.quiet]
    if quiet:
        kinds = ", ".join(sorted({stand_in.type.removeprefix("AWS::") for stand_in in quiet}))
        say(f"without effect here: {len(quiet)} resources ({kinds})")


def _remote(url: str, machine: str, value: Any, name: str | None, timeout: float) -> dict[str, Any]:
    """Run the execution where `stepscope up` runs, and return its result as data.

    Raises:
        InputError: nothing answers there, or it refuses the execution.
    """
    from urllib.parse import quote

    base = url.rstrip("/")
    order = {"machine": machine, "input": value, "name": name}
    arn = str(_asked(f"{base}/run/executions", order)["execution"])
    deadline = time.monotonic() + timeout
    while True:
        result = _asked(f"{base}/run/executions?execution={quote(arn)}")
        if result["status"] != "RUNNING" or time.monotonic() > deadline:
            return result
        time.sleep(0.2)


def _asked(address: str, body: Any = None) -> dict[str, Any]:
    import urllib.error
    import urllib.request

    data = None if body is None else json.dumps(body).encode()
    where = address.partition("/run")[0]
    try:
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as refused:
        raise InputError(_refusal(refused.code, refused.read()), where=where) from None
    except (OSError, ValueError) as error:
        hint = "Is `stepscope up` running there?"
        raise InputError(f"nothing answers: {error}", where=where, hint=hint) from None


def _refusal(code: int, body: bytes) -> str:
    try:
        return "; ".join(json.loads(body)["errors"])
    except (ValueError, KeyError, TypeError):
        return f"answers {code}"


def _print(result: Mapping[str, Any]) -> None:
    color = "green" if result["status"] == "SUCCEEDED" else "red"
    path = " → ".join(result["path"])
    echo((result["status"], color), f" after {result['duration_ms'] / 1000:.1f} s: {path}")
    if result["error"] is not None:
        echo(f"error   {result['error']}: {result['cause'] or ''}")
    if result["output"] is not None:
        echo(f"output  {json.dumps(result['output'])[:2000]}")
    counts = [len(result[key]) for key in ("metrics", "spans", "logs")]
    echo(f"{counts[0]} series, {counts[1]} spans, {counts[2]} log entries; --json shows them")
