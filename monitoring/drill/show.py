"""Print the drill on a terminal and as Markdown: a row for each fault as it ends, with deviations."""

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from monitoring.drill.fault import Fault
from monitoring.drill.faults import ALL
from monitoring.drill.judge import DrillResult, FaultResult
from monitoring.drill.run import DrillWatcher
from monitoring.drill.watching import Seen
from monitoring.terminal import Part, echo, fitted, room, styled, table, table_row, wrapped

_WIDTHS = (23, 9, 30, 7, 3, 8)
"""The widths of the columns in characters; smaller on a narrow terminal."""
HEAD = ("fault", "how", "noticed by", "after", "by", "well")
Line = Sequence[Part]


class Printer(DrillWatcher):
    """Print a row as soon as a fault is judged; on a terminal also the current action."""

    def __init__(self, console: Console | None) -> None:
        self._running: dict[str, None] = {}
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")
        self._text = "starting AWS and Datadog on this machine"
        self._live = (
            Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)
            if console
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        for line in _row_lines(HEAD, "bold"):
            self._echo(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Report the current action."""
        self._text = text

    def started(self, fault: Fault) -> None:
        """Report that a fault is being injected."""
        with self._lock:
            self._running[fault.name] = None

    def ended(self, outcome: FaultResult) -> None:
        """Report that a fault has been judged."""
        with self._lock:
            self._running.pop(outcome.fault.name, None)
        for line in lines(outcome):
            self._echo(line)

    def _echo(self, line: Line) -> None:
        if self._live and sys.stdout.isatty():  # print above the line with the current action
            self._live.console.print(Text.from_ansi(styled(*line)), soft_wrap=True)
        else:
            echo(*line)

    def _render(self) -> Spinner:
        with self._lock:
            names = ", ".join(self._running)
        self._spinner.update(text=f"breaking {names}" if names else self._text)
        return self._spinner


def lines(outcome: FaultResult) -> Iterator[Line]:
    """Yield the lines of a fault: a row for each required monitor, other alerts, deviations."""
    fault, noticed = outcome.fault, {seen.key: seen for seen in outcome.noticed}
    rows = [_row(fault, key, noticed.get(key)) for key in fault.must]
    if not rows:
        rows = [("", "", "nobody" if not noticed else "", "", "", "")]
    name, how = (fault.name, "control" if fault.control else fault.how)
    for at, row in enumerate(rows):
        yield from _row_lines((name, how, *row[2:]) if not at else row, "" if outcome.fine else "yellow")
    if also := [_brief(seen) for seen in outcome.noticed if seen.key not in fault.must]:
        yield from _below(f"also {', '.join(also)}", "dim")
    for sentence in outcome.wrong:
        yield from _below(f"! {sentence}", "red")


def _row_lines(cells: Sequence[str], style: str) -> Iterator[Line]:
    widths = fitted([["-" * width for width in _WIDTHS]], room())
    return table_row([(cell, style) for cell in cells], widths)


def _below(text: str, style: str) -> Iterator[Line]:
    indent = " " * min(_WIDTHS[0] + 1, room() // 4)
    for line in wrapped(text, room() - len(indent)):
        yield indent, (line, style)


def _row(fault: Fault, key: str, seen: Seen | None) -> tuple[str, ...]:
    if seen is None or seen.alert is None:
        return ("", "", key, "-", f"{fault.must[key]}", "-")
    return ("", "", key, f"{seen.alert:.0f} min", f"{fault.must[key]}", after_end(fault, seen))


def after_end(fault: Fault, seen: Seen) -> str:
    """Return the time of the recovery, counted from the fault's end."""
    if seen.recovered is None:
        return "never"
    minutes = seen.recovered - fault.minutes
    return f"+{minutes:.0f} min" if minutes >= 0 else "before its end"


def _brief(seen: Seen) -> str:
    return f"{seen.key} {seen.alert or 0:.0f}"


def summary(result: DrillResult) -> Iterator[Part]:
    """Yield the summary of all faults, line by line."""
    if result.complete and result.idle:
        yield f"no fault sets off: {', '.join(result.idle)}"
    for key, why in result.left_out.items():
        yield f"not drilled: {key}: {why}"
    for tag, keys in result.absent.items():
        yield f"nothing in the drill has {tag}, which {', '.join(keys)} asks for: --tag {tag} adds it"
    broken = [outcome for outcome in result.outcomes if not outcome.fault.control]
    noticed = sum(outcome.fine for outcome in broken)
    controls = [outcome for outcome in result.outcomes if outcome.fault.control]
    quiet = sum(outcome.fine for outcome in controls)
    text = f"{noticed} of {len(broken)} faults noticed as they should be"
    if controls:
        text += f", {quiet} of {len(controls)} ordinary days without an alarm"
    yield f"{text}; {result.seconds:.0f} s", "green" if result.fine else "red"


def overview(chosen: Sequence[Fault] = ALL) -> Iterator[Line]:
    """Yield the table of faults for --list, line by line."""
    for title, control in (("Faults", False), ("Ordinary days, on which nothing may alert", True)):
        faults = [fault for fault in chosen if fault.control == control]
        if not faults:
            continue
        yield [(title, "bold")]
        rows: list[list[Part]] = []
        for fault in faults:
            rows.append([fault.name, "" if fault.control else fault.how, fault.what])
            if fault.must:
                by = ", ".join(f"{key} ({minutes} min)" for key, minutes in fault.must.items())
                rows.append(["", "", (by, "dim")])
        yield from table(rows, indent=2)


def markdown(result: DrillResult) -> str:
    """Return the result as a table for a pull request."""
    rows = [
        "| fault | how | noticed by, after minutes | well again | as it should be |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [_markdown_row(outcome) for outcome in result.outcomes]
    if result.wrong:
        rows += ["", *(f"- {sentence}" for sentence in result.wrong)]
    return "\n".join(rows) + "\n"


def _markdown_row(outcome: FaultResult) -> str:
    fault = outcome.fault
    by_key = {seen.key: seen for seen in outcome.noticed}
    must = [f"**{key}** {by_key[key].alert:.0f}" for key in fault.must if key in by_key]
    also = [_brief(seen) for seen in outcome.noticed if seen.key not in fault.must]
    well = sorted({after_end(fault, by_key[key]) for key in fault.must if key in by_key}, key=_number)
    fine = "yes" if outcome.fine else "; ".join(outcome.wrong)
    how = "control" if fault.control else fault.how
    shown = (must, also) if must or also else (["nobody"],)
    noticed = "; ".join(", ".join(part) for part in shown if part)
    return f"| {fault.name} | {how} | {noticed} | {_range(well)} | {fine} |"


def _number(text: str) -> float:
    digits = text.removeprefix("+").removesuffix(" min")
    return float(digits) if digits.isdigit() else -1.0


def _range(texts: Iterable[str]) -> str:
    values = list(texts)
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}" if values else ""
