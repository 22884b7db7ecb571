"""One execution step by step, as data."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from monitoring.log_events.timeline import Run
from monitoring.trace.inside import Inside, call_data
from monitoring.trace.read import Execution


def summary(execution: Execution) -> dict[str, Any]:
    """Return the summary of an execution; times in milliseconds."""
    root = execution.root
    return {
        "execution": execution.arn,
        "name": execution.name,
        "state_machine": execution.state_machine,
        "status": root.latest.status.upper(),
        "start": root.start,
        "duration_ms": whole(root).duration,
        "redrives": root.latest.redrive,
        "states": [run.name for run, _ in walk(root) if run.kind == "state"],
    }


def as_data(execution: Execution, inside: Inside | None = None) -> dict[str, Any]:
    """Return the execution with its steps in start order; `depth` is the nesting level.

    With `inside`, each step has its `calls`; the `calls` of the execution are those that belong to no step.
    """
    root = execution.root
    calls = inside or Inside()
    return {
        **summary(execution),
        "error": root.latest.error,
        "cause": root.latest.cause,
        "events": execution.events,
        "missing_events": execution.gaps,
        "pages": execution.pages,
        "more_pages": execution.more_pages,
        "truncated_payloads": execution.truncated,
        "calls": [call_data(call, root.start) for call in calls.of(root)],
        "steps": [
            _step(run, depth, root.start)
            | {"calls": [call_data(call, root.start) for call in calls.of(run, *hidden_attempts(run))]}
            for run, depth in walk(root)
        ],
    }


def incomplete(execution: Execution) -> list[str]:
    """Return the missing parts of a history as text: later pages, and the ids of events."""
    number = "page 1" if execution.pages == 1 else f"pages 1 to {execution.pages}"
    pages = [f"{number} of more (nextToken is set)"] if execution.more_pages else []
    return pages + ([f"{event_ranges(execution.gaps)} missing"] if execution.gaps else [])


def event_ranges(ids: Sequence[int]) -> str:
    """Return event ids as ranges, with a verb: `events 3, 41 to 57 are`."""
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


def walk(run: Run, depth: int = 0) -> Iterator[tuple[Run, int]]:
    """Yield (run, depth) for all runs inside a run, without hidden attempts."""
    hidden = hidden_attempts(run)
    for child in sorted(run.children, key=_order):
        if child not in hidden:
            yield child, depth
            yield from walk(child, depth + 1)


def hidden_attempts(run: Run) -> list[Run]:
    """Return the attempt of a task that succeeded at once: it has no more information than the state."""
    attempts = [child for child in run.children if child.kind == "attempt"]
    return attempts if len(attempts) == 1 and attempts[0].status == "succeeded" else []


def _order(run: Run) -> tuple[int, int, int]:
    """Return a sort key: start, then event id, then end, all in milliseconds but the id."""
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
