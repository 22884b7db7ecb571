"""One execution step by step: as data, and as a text with a bar for each step."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from monitoring.log_events.printable import printable
from monitoring.log_events.timeline import Run
from monitoring.trace.read import Execution

_BAR = 24
_CAUSE = 100  # characters of a cause in the text; the data has all of it


def summary(execution: Execution) -> dict[str, Any]:
    """Return the summary of each execution; times in milliseconds."""
    root = execution.root
    return {
        "execution": execution.arn,
        "name": execution.name,
        "state_machine": execution.state_machine,
        "status": root.latest.status.upper(),
        "start": root.start,
        "duration_ms": whole(root).duration,
        "redrives": root.latest.redrive,
        "states": [run.name for run, _ in _walk(root) if run.kind == "state"],
    }


def as_data(execution: Execution) -> dict[str, Any]:
    """Return the execution with its steps in start order; `depth` is the nesting level."""
    root = execution.root
    return {
        **summary(execution),
        "error": root.latest.error,
        "cause": root.latest.cause,
        "events": execution.events,
        "missing_events": execution.gaps,
        "pages": execution.pages,
        "more_pages": execution.more_pages,
        "truncated_payloads": execution.truncated,
        "steps": [_step(run, depth, root.start) for run, depth in _walk(root)],
    }


def as_text(execution: Execution) -> str:
    """Return a heading, a line for each step, and what is missing."""
    root = whole(execution.root)
    head = f"{execution.state_machine}  {execution.name}".strip()
    lines = [f"{head}  {root.status.upper()}  {_seconds(root.duration)}  {_moment(root.start)}".rstrip()]
    if root.error:
        lines.append(f"  {root.error}: {_short(root.cause)}")
    steps = list(_walk(root))
    width = max((2 * depth + len(_label(run)) for run, depth in steps), default=0)
    lines += [_line(run, depth, width, root) for run, depth in steps]
    lines += [f"{what}: steps and times may be missing" for what in incomplete(execution)]
    if execution.truncated:
        lines.append(f"{execution.truncated} inputs or outputs were cut by CloudWatch Logs (248 KB)")
    return printable("\n".join(lines))


def incomplete(execution: Execution) -> list[str]:
    """Return what of a history is not there: later pages, and events by their ids."""
    number = "page 1" if execution.pages == 1 else f"pages 1 to {execution.pages}"
    pages = [f"{number} of more (nextToken is set)"] if execution.more_pages else []
    return pages + ([f"{event_ranges(execution.gaps)} missing"] if execution.gaps else [])


def event_ranges(ids: Sequence[int]) -> str:
    """Return ids of events as ranges, with a verb: `events 3, 41 to 57 are`."""
    ranges: list[list[int]] = []
    for number in ids:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    listed = ", ".join(" to ".join(map(str, ends)) for ends in ranges[:10])
    return (
        f"event{'s' * (len(ids) > 1)} {listed}{', …' * (len(ranges) > 10)} {'are' if len(ids) > 1 else 'is'}"
    )


def whole(root: Run) -> Run:
    """Return the execution from its start to the end of its last redrive."""
    latest = root.latest
    return replace(root, end=latest.end, status=latest.status, error=latest.error, cause=latest.cause)


def _walk(run: Run, depth: int = 0) -> Iterator[tuple[Run, int]]:
    """Yield the runs inside a run; the only attempt of a task that succeeded is left out."""
    attempts = [child for child in run.children if child.kind == "attempt"]
    plain = len(attempts) == 1 and attempts[0].status == "succeeded"
    for child in sorted(run.children, key=_order):
        if not (plain and child is attempts[0]):
            yield child, depth
            yield from _walk(child, depth + 1)


def _order(run: Run) -> tuple[int, int, int]:
    """By the beginning; of two in one millisecond the one whose event came, or which ended, first."""
    return run.start or run.end or 0, run.event, run.end or 0


def _step(run: Run, depth: int, origin: int | None) -> dict[str, Any]:
    return {
        "depth": depth,
        "kind": "redrive" if run.kind == "execution" else run.kind,
        "name": run.name,
        "type": run.type,
        "status": run.status,
        "start": run.start,
        "offset_ms": None if run.start is None or origin is None else run.start - origin,
        "duration_ms": run.duration,
        "error": run.error,
        "cause": run.cause,
        "caught": run.caught,
        "retry": run.retry,
        "redrive": run.redrive,
        "index": run.index,
        "resource": run.resource,
    }


def _label(run: Run) -> str:
    if run.kind == "iteration":
        return f"[{run.index}]" if run.index is not None else "iteration"
    if run.kind == "attempt":
        return f"attempt {run.retry + 1}"
    return " ".join(run.name.split())


def _line(run: Run, depth: int, width: int, root: Run) -> str:
    known = run.start is not None and root.start is not None
    offset = f"+{((run.start or 0) - (root.start or 0)) / 1000:8.3f}" if known else "?"
    kind = run.type if run.kind == "state" else ""
    columns = [
        f"{offset:>9s}",
        f"{'  ' * depth + _label(run):{width}s}",
        f"{kind:8s}",
        f"{_seconds(run.duration):>9s}",
        f"{_bar(run, root):{_BAR}s}",
        run.status + (" (caught)" if run.caught else ""),
        f"{run.error}: {_short(run.cause)}" if run.error else "",
    ]
    return ("  " + "  ".join(columns)).rstrip()


def _bar(run: Run, root: Run) -> str:
    if run.start is None or run.end is None or root.start is None or not root.duration:
        return ""
    begin = min(_BAR - 1, (run.start - root.start) * _BAR // root.duration)
    length = max(1, round((run.end - run.start) * _BAR / root.duration))
    return " " * begin + "█" * min(length, _BAR - begin)


def _seconds(milliseconds: int | None) -> str:
    return "?" if milliseconds is None else f"{milliseconds / 1000:.3f} s"


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03d} UTC"


def _short(text: str) -> str:
    """Return a cause in one line; of a function's error only its message."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("errorMessage"), str):
        text = answer["errorMessage"]
    line = " ".join(text.split())
    return line if len(line) <= _CAUSE else line[: _CAUSE - 1] + "…"
