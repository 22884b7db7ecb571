"""Parse Step Functions' log events and history events, and count the points of single events.

A vended log line is an event of GetExecutionHistory with `details` in place of `*EventDetails`, and with ids
and the timestamp (milliseconds) as strings.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from monitoring.lines import Point
from monitoring.log_events.arn import state_machine_of, state_machine_tags

_PREFIX = "aws.states.enhanced."
EXECUTION_ENDED = {
    "ExecutionSucceeded": "succeeded",
    "ExecutionFailed": "failed",
    "ExecutionTimedOut": "timed_out",
    "ExecutionAborted": "aborted",
}
_EXECUTION = EXECUTION_ENDED | {"ExecutionStarted": "started", "ExecutionRedriven": "redriven"}


class StepEvent(NamedTuple):
    """An event of an execution; `time` is in milliseconds since the epoch, `previous` is 0 for none."""

    execution: str
    id: int
    type: str
    time: int
    previous: int = 0
    details: dict[str, Any] = {}  # noqa: RUF012 - never written to
    redrive: int = 0

    def text(self, key: str) -> str:
        """Return a detail as text, "" if it is missing."""
        value = self.details.get(key)
        return value if isinstance(value, str) else ""


def is_step_event(record: dict[str, Any]) -> bool:
    """Return whether a JSON object is a vended log line of Step Functions."""
    return "execution_arn" in record and "event_timestamp" in record and "type" in record


def read_step_event(record: dict[str, Any]) -> StepEvent | str:
    """Return the event of a vended log line, or the reason why it is invalid."""
    arn, kind, details = record.get("execution_arn"), record.get("type"), record.get("details")
    if not isinstance(arn, str) or not isinstance(kind, str):
        return "execution_arn or type is not a string"
    try:
        number, stamp = int(record["id"]), int(record["event_timestamp"])
        previous, redrive = int(record.get("previous_event_id") or 0), int(record.get("redrive_count") or 0)
    except (KeyError, TypeError, ValueError, OverflowError):
        return "id, event_timestamp, previous_event_id or redrive_count is not a whole number"
    if not 0 <= stamp < 10**15 or not 0 <= number < 10**9:
        return "id or event_timestamp is out of range"
    details = details if isinstance(details, dict) else {}
    return StepEvent(arn, number, kind, stamp, previous, details, _redrive(kind, details, redrive))


def _redrive(kind: str, details: dict[str, Any], known: int) -> int:
    """Return the number of the redrive that an event belongs to; ExecutionRedriven begins the next one."""
    if kind != "ExecutionRedriven":
        return known
    redrive_count = str(details.get("redriveCount", ""))
    return max(known, int(redrive_count) if redrive_count.isdecimal() and len(redrive_count) < 10 else 1)


def history_events(execution_arn: str, events: Iterable[dict[str, Any]]) -> Iterator[StepEvent]:
    """Yield the events of GetExecutionHistory by id; `timestamp` is a datetime or a number of seconds."""
    redrive = 0
    for event in sorted(events, key=lambda event: int(event["id"])):
        details = next(
            (v for k, v in event.items() if k.endswith("EventDetails") and isinstance(v, dict)), {}
        )
        stamp = event["timestamp"]
        seconds = stamp.timestamp() if isinstance(stamp, datetime) else float(stamp)
        previous = int(event.get("previousEventId") or 0)
        kind = event["type"]
        redrive = _redrive(kind, details, redrive + (kind == "ExecutionRedriven"))
        yield StepEvent(
            execution_arn, int(event["id"]), kind, round(seconds * 1000), previous, details, redrive
        )


def tags_of(execution_arn: str) -> tuple[str, ...]:
    """Return the tags of the state machine that an execution belongs to."""
    return state_machine_tags(state_machine_of(execution_arn) or execution_arn)


def count_points(event: StepEvent, tags: tuple[str, ...]) -> list[Point]:
    """Count executions and states from the event alone."""
    seconds = event.time / 1000
    if event.type in _EXECUTION:
        error = event.text("error")
        tagged = (*tags, f"error:{error.lower()}") if error else tags
        return [Point(f"{_PREFIX}execution.{_EXECUTION[event.type]}", 1.0, seconds, "count", tagged)]
    for ending, name in (("StateEntered", "state.entered"), ("StateExited", "state.exited")):
        if event.type.endswith(ending):
            kind = event.type.removesuffix(ending).lower()
            tagged = (*tags, f"statename:{event.text('name').lower()}", f"statetype:{kind}")
            return [Point(_PREFIX + name, 1.0, seconds, "count", tagged)]
    return []
