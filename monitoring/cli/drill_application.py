"""`stepscope drill --from`: reading its options, and showing what it found."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.cli.application import answers_of, pairs, read_json_file
from monitoring.cli.ending import ended_by_signals
from monitoring.cli.output import echo_document, live
from monitoring.terminal import Part, echo, fitted, room, table_row

if TYPE_CHECKING:
    from monitoring.drill.application_result import ApplicationResult, Noticed
    from monitoring.drill.application_run import ApplicationOptions

DEFAULT_MONITORS = Path("monitors")
_WIDTHS = (1, 38, 34, 8)


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """The options of the command, as the command line gives them."""

    source: Path
    monitors: Path
    env: str
    tags: tuple[str, ...]
    delay: int
    inputs: tuple[str, ...]
    machines: tuple[str, ...]
    parameters: tuple[str, ...]
    stack: str
    answers: tuple[str, ...]


def drill_own(request: DrillRequest, faults: tuple[str, ...], *, as_json: bool) -> int:
    """Drill the user's own application; return the exit status.

    Raises:
        InputError: something that was given cannot be used.
    """
    from monitoring.drill.application_run import drill_application

    options = _options(request, faults)
    progress = _progress(as_json=as_json)
    with ended_by_signals():
        result = drill_application(options, progress)
    if as_json:
        echo_document(result.as_data())
    else:
        _tell(result)
    return 0 if result.fine else 1


def list_own(request: DrillRequest, faults: tuple[str, ...], *, as_json: bool) -> int:
    """Print what would be broken in the user's own application, and break nothing.

    Raises:
        InputError: the template cannot be read, or a name is the one of no fault.
    """
    from monitoring.drill.application_list import listed
    from monitoring.drill.application_run import refuse_unknown

    rows = listed(_options(request, faults).pipeline)
    refuse_unknown(faults, [row.name for row in rows])
    rows = [row for row in rows if not faults or row.name in faults]
    if as_json:
        echo_document({"faults": [{"name": row.name, "target": row.target, "how": row.how} for row in rows]})
    else:
        for row in rows:
            echo(f"{row.name:<38}{row.how}")
    return 0


def _options(request: DrillRequest, faults: tuple[str, ...]) -> "ApplicationOptions":
    from monitoring.drill.application_run import ApplicationOptions, pipeline_options
    from monitoring.testing.project import Folder

    beside = (request.source if request.source.is_dir() else request.source.parent) / "monitors"
    folder = beside if request.monitors == DEFAULT_MONITORS and beside.is_dir() else request.monitors
    return ApplicationOptions(
        pipeline_options(
            request.source,
            request.env,
            parameters=pairs(request.parameters, "--parameter"),
            stack=request.stack,
            answers=answers_of(request.answers),
        ),
        dict(map(_input, request.inputs)),
        Folder(folder, request.env),
        request.machines,
        request.delay,
        request.tags,
        faults,
    )


def _input(text: str) -> tuple[str, Any]:
    machine, equals, file = text.partition("=")
    if not equals or Path(text).is_file() or text == "-":
        machine, file = "", text
    return machine, read_json_file(Path(file))


def _progress(*, as_json: bool) -> Any:
    from monitoring.drill.application_run import Progress
    from monitoring.drill.breakages import Breakage

    class DrillProgress(Progress):
        def say(self, text: str) -> None:
            if live(sys.stderr):
                echo((f"· {text}", "dim"), err=True)

        def breaking(self, breakage: Breakage, number: int, count: int) -> None:
            if live(sys.stderr):
                echo((f"· {number}/{count} {breakage.name}", "dim"), err=True)

        def judged(self, row: "Noticed") -> None:
            if not as_json:
                for line in _lines(row):
                    echo(*line)

    if not as_json:
        for line in table_row([("", ""), *((text, "bold") for text in _HEAD)], _widths()):
            echo(*line)
    return DrillProgress()


_HEAD = ("fault", "noticed by", "after")


def _widths() -> list[int]:
    return fitted([["-" * width for width in _WIDTHS]], room())


def _lines(row: "Noticed") -> Iterator[list[Part]]:
    mark = ("✓", "green") if row.noticed else ("✗", "red")
    first = row.noticed[0] if row.noticed else None
    by = first.key if first else "nobody"
    more = f" +{len(row.noticed) - 1}" if len(row.noticed) > 1 else ""
    after = f"{first.alert:.0f} min" if first and first.alert is not None else ""
    return table_row([mark, row.breakage.name, by + more, after], _widths())


def _tell(result: "ApplicationResult") -> None:
    """Print what is wrong, and what would help."""
    echo()
    for note in result.notes:
        echo(f"note: {note}", err=True)
    if result.not_reached:
        names = ", ".join(result.not_reached)
        echo(f"not broken, since no execution calls them with this input: {names}")
    for key in result.false_alarms:
        echo((f"{key} alerts on an ordinary day", "red"))
    for key, reason in result.left_out.items():
        echo(f"{key} was not drilled: {reason}")
    for row in result.faults:
        if not row.noticed:
            echo((f"{row.breakage.name}: nobody notices that {row.breakage.how}", "red"))
            for remark in row.remarks:
                echo(f"  {remark}")
            if row.would:
                echo(f"  of the shipped monitors, {', '.join(row.would[:4])} would (stepscope init)")
    noticed = len(result.faults) - len(result.unnoticed)
    echo(f"{noticed} of {len(result.faults)} faults are noticed. {result.seconds:.0f} s")
