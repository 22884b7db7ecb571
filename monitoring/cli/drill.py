"""`stepscope drill`: breaks the pipeline in every way, and shows which monitor notices, and when."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitoring.cli.ending import ended_by_signals
from monitoring.cli.output import echo_document, live
from monitoring.cli.project_option import project_option
from monitoring.errors import InputError
from monitoring.terminal import echo

if TYPE_CHECKING:
    from monitoring.drill.judge import DrillResult
    from monitoring.drill.run import DrillOptions


@click.command("drill")
@click.argument("faults", nargs=-1, metavar="[FAULT]...")
@click.option(
    "--list", "as_list", is_flag=True, help="Name the faults and what has to notice them; break nothing."
)
@project_option("The folder whose monitors/ are drilled.  [default: this one]")
@click.option("--monitors", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", hidden=True)
@click.option("--any", "any_monitor", is_flag=True, help="A fault is noticed if any monitor alerts in time.")
@click.option(
    "--env",
    default="",
    metavar="NAME",
    help="The environment of stepscope.toml, and the tag env.  [default: prod]",
)
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY:VALUE", help="A further tag of every metric; repeat it."
)
@click.option(
    "--cloudwatch-delay",
    "delay",
    type=click.IntRange(0, 60),
    default=12,
    show_default=True,
    help="Minutes until a point of CloudWatch is in Datadog; 3 with a metric stream.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the matrix of faults and monitors: .svg, .png, .html, or .md for a pull request.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the embedded Datadog's database (datadog.duckdb) in this folder.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="TEMPLATE",
    help="Drill your own application instead: its template, or the folder that holds it.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[MACHINE=]FILE",
    help="With --from: the input of the executions, as JSON; by state machine where they differ.",
)
@click.option(
    "--machine", "machines", multiple=True, metavar="NAME", help="With --from: drill this state machine only."
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --from: the value of one of the template's parameters.",
)
@click.option("--stack", default="", metavar="NAME", help="With --from: the stack's name.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="NAME=JSON|@FILE",
    help="With --from: what a function or a task answers instead of running here.",
)
@click.option("--json", "as_json", is_flag=True, help="The result, as one JSON document.")
def command(
    faults: tuple[str, ...],
    as_list: bool,
    root: Path,
    monitors: Path | None,
    any_monitor: bool,
    env: str,
    tags: tuple[str, ...],
    delay: int,
    out: Path | None,
    keep: Path | None,
    source: Path | None,
    inputs: tuple[str, ...],
    machines: tuple[str, ...],
    parameters: tuple[str, ...],
    stack: str,
    answers: tuple[str, ...],
    as_json: bool,
) -> int:
    """Break a pipeline on this machine, and see which monitors notice, and when.

    Each fault is run for real on the embedded AWS, and laid out on a simulated clock: hours of healthy
    traffic, the fault, health again. The monitors are evaluated over it minute by minute. On ordinary days,
    which are drilled too, no monitor may alert.

    FAULT names single ones; without any, all are drilled. Ends with status 1 if a fault is not noticed as it
    should be, a monitor alerts in vain, or no fault sets a monitor off.

    With --from, the pipeline is your own: every function that its executions call and every state machine is
    broken in turn, and any of your monitors may notice. A FAULT is then named as in the report: Pay/raises.
    """
    monitors = monitors or root / "monitors"
    if source is not None:
        from monitoring.cli.drill_application import DrillRequest, drill_own, list_own

        drill_options = DrillRequest(
            source, monitors, env, tags, delay * 60, inputs, machines, parameters, stack, answers
        )
        if as_list:
            return list_own(drill_options, faults, as_json=as_json)
        return drill_own(drill_options, faults, as_json=as_json)
    from monitoring.drill.faults import chosen

    if as_list:
        return _list(faults, as_json=as_json)
    from monitoring.drill.matrix import check
    from monitoring.drill.run import DrillOptions
    from monitoring.testing.project import Folder

    if out:
        check(out)
    for tag in tags:
        if not all(tag.partition(":")):
            raise InputError(f"{tag!r} is not of the form KEY:VALUE", where="--tag")
    options = DrillOptions(
        chosen(faults), Folder(monitors, env), any_monitor, delay * 60, tags, _folder(keep), not faults
    )
    with ended_by_signals():
        result = _run(options, as_json)
    if out:
        from monitoring.drill.matrix import write

        write(result, out)
    return 0 if result.fine else 1


def _list(names: tuple[str, ...], *, as_json: bool) -> int:
    """Print the faults and what has to notice them."""
    from monitoring.drill.faults import chosen
    from monitoring.drill.show import overview

    faults = chosen(names)
    if as_json:
        echo_document({"faults": [fault.as_data() for fault in faults]})
        return 0
    for line in overview(faults):
        echo(*line)
    return 0


def _folder(keep: Path | None) -> Path | None:
    if keep is None:
        return None
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"nothing can be kept here ({error.strerror})", where=str(keep)) from error
    return keep / "datadog.duckdb"


def _run(options: "DrillOptions", as_json: bool) -> "DrillResult":
    from monitoring.drill.run import run_drill

    if as_json:
        result = run_drill(options)
        echo_document(result.as_data())
        return result
    from rich.console import Console

    from monitoring.drill.show import Printer, summary

    console = Console(stderr=True) if live(sys.stderr) else None
    with Printer(console) as printer:
        result = run_drill(options, printer)
    for part in ("", *summary(result)):
        echo(part)
    return result
