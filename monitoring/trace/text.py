"""An execution as text for a terminal: a line with a bar for each step and call, errors in colour."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitoring.log_events.timeline import Run
from monitoring.terminal import GAP, Part, plain, room, table_row, width_of, wrapped
from monitoring.trace.inside import Call, Inside, LogLine
from monitoring.trace.read import Execution
from monitoring.trace.view import hidden_attempts, incomplete, walk, whole

Line = list[Part]
COLORS = {"succeeded": "green", "failed": "red", "timed_out": "red", "aborted": "red", "running": "cyan"}
"""The colours of the statuses; a caught error is yellow."""
_BAR, _SHORTEST_BAR = 24, 6
_FIXED = 2 + 9 + 8 + 9 + 5 * GAP
"""Total width of indentation, offset, type, duration and gaps: all columns but label, bar and status."""
_BELOW = " " * 15
_CAUSE = 100  # characters of a cause; the data has all of it
_MESSAGE = 400  # characters of a log line


def as_lines(execution: Execution, inside: Inside | None = None) -> Iterator[Line]:
    """Yield a heading, a line for each step and call, the log lines of errors, and what is missing.

    Lines are at most `room()` characters wide: labels are wrapped, and an error that does not fit is printed
    on the lines below.
    """
    inside = inside or Inside()
    root = whole(execution.root)
    head = f"{execution.state_machine}  {execution.name}".strip()
    yield [
        (head, "bold"),
        "  ",
        (root.status.upper(), COLORS.get(root.status, "")),
        f"  {_seconds(root.duration)}  {_moment(root.start)}".rstrip(),
    ]
    if root.error:
        for text in wrapped(f"{root.error}: {_short(root.cause)}", room() - 2):
            yield ["  ", (text, "red")]
    yield from _Steps(execution, root, inside).lines()
    for gap in incomplete(execution):
        yield [f"{gap}: steps and times may be missing"]
    if execution.truncated:
        yield [f"{execution.truncated} inputs or outputs were cut by CloudWatch Logs (248 KB)"]


def as_text(execution: Execution, inside: Inside | None = None) -> str:
    """Return the lines as one text without colours."""
    return "\n".join(plain(*line) for line in as_lines(execution, inside))


class _Steps:
    """The lines of the steps of one execution, on one time axis."""

    def __init__(self, execution: Execution, root: Run, inside: Inside) -> None:
        self._root = root
        self._rows: list[_Row] = []
        for run, depth in walk(execution.root):
            self._rows.append(_run_row(run, depth))
            self._rows += [_call_row(call, depth + 1) for call in inside.of(run, *hidden_attempts(run))]
        self._rows += [_call_row(call, 0) for call in inside.of(execution.root)]
        label = max((width_of(row.label) for row in self._rows), default=0)
        status = max((len(row.status) for row in self._rows), default=0)
        free = room() - _FIXED - status
        self._bar = max(_SHORTEST_BAR, min(_BAR, free - label))
        self._widths = [9, min(label, max(6, free - self._bar)), 8, 9, self._bar, status]

    def lines(self) -> Iterator[Line]:
        """Yield the rows; an error is printed below its row if it does not fit beside it."""
        for row in self._rows:
            style = row.color
            cells: list[Part] = [self._offset(row), row.label, row.kind, _seconds(row.duration)]
            cells += [(self._shape(row), style), (row.status, style)]
            width = room() - 4 - sum(self._widths) - GAP * (len(self._widths) - 1)
            fits = bool(row.error) and width_of(row.error) <= width
            if fits:
                cells.append((row.error, style))
            for line in table_row(cells, [*self._widths, width], right={0, 3}):
                yield ["  ", *line]
            for text in wrapped(row.error, room() - len(_BELOW)) if row.error and not fits else ():
                yield [_BELOW, (text, style)]
            for log in row.logs:
                yield from _log_lines(log)
            if row.more:
                yield [_BELOW, (f"and {row.more} more log lines", "dim")]

    def _offset(self, row: "_Row") -> str:
        if row.start is None or self._root.start is None:
            return "?"
        return f"+{(row.start - self._root.start) / 1000:8.3f}"

    def _shape(self, row: "_Row") -> str:
        root = self._root
        if row.start is None or row.duration is None or root.start is None or not root.duration:
            return ""
        begin = max(0, min(self._bar - 1, (row.start - root.start) * self._bar // root.duration))
        length = max(1, round(row.duration * self._bar / root.duration))
        return " " * begin + "█" * min(length, self._bar - begin)


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of the line of a step or a call; `start` and `duration` in milliseconds."""

    label: str
    kind: str
    start: int | None
    duration: int | None
    status: str
    color: str
    error: str
    logs: Sequence[LogLine] = ()
    more: int = 0


def _run_row(run: Run, depth: int) -> _Row:
    return _Row(
        "  " * depth + _label(run),
        run.type if run.kind == "state" else "",
        run.start,
        run.duration,
        run.status + (" (caught)" if run.caught else ""),
        "yellow" if run.caught else COLORS.get(run.status, ""),
        f"{run.error}: {_short(run.cause)}" if run.error else "",
    )


def _call_row(call: Call, depth: int) -> _Row:
    return _Row(
        "  " * (depth + call.depth) + " ".join(f"{call.name} {call.resource}".split()),
        "",
        call.start,
        call.duration,
        "failed" if call.failed else "",
        "red" if call.failed else "dim",
        ": ".join(filter(None, (call.error, _short(call.message)))) if call.failed else "",
        call.logs,
        call.more,
    )


def _log_lines(log: LogLine) -> Iterator[Line]:
    moment = datetime.fromtimestamp(log.time / 1000, UTC)
    head = f"{moment:%H:%M:%S}.{log.time % 1000:03d} {log.status.upper()} "
    text = log.message.strip()
    shown = text if len(text) <= _MESSAGE else text[: _MESSAGE - 1] + "…"
    for at, line in enumerate(wrapped(shown, room() - len(_BELOW) - len(head))):
        yield [_BELOW, (head if not at else " " * len(head), "dim"), line]


def _label(run: Run) -> str:
    if run.kind == "iteration":
        return f"[{run.index}]" if run.index is not None else "iteration"
    if run.kind == "attempt":
        return f"attempt {run.retry + 1}"
    return " ".join(run.name.split())


def _seconds(milliseconds: int | None) -> str:
    return "?" if milliseconds is None else f"{milliseconds / 1000:.3f} s"


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03d} UTC"


def _short(text: str) -> str:
    """Return a cause in one line; for a function's error (JSON) only its message."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("errorMessage"), str):
        text = answer["errorMessage"]
    line = " ".join(text.split())
    return line if len(line) <= _CAUSE else line[: _CAUSE - 1] + "…"
