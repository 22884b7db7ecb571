"""downtime-schedule: times of a downtime that cannot be read, or that never let go."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from monitoring.errors import InputError
from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.muting import recurrences_of, schedule_of
from monitoring.monitor.recurrence import Recurrence, duration, local_time, zone
from monitoring.resources.document import Pointer

RULE = Rule(
    "downtime-schedule", "warning", "Times of a downtime that cannot be read, or never end.", ("downtime",)
)

_ANY_START = datetime(2026, 1, 5)
"""Fields for which Datadog uses the time at which the downtime is created."""


def check(subject: Subject) -> Iterator[Problem]:
    """Zones, the two times of a downtime that is on once, and each recurrence."""
    schedule = schedule_of(subject)
    yield from _zones(subject, schedule)
    yield from _once(schedule)
    kept = schedule.get("timezone")
    timezone = kept if isinstance(kept, str) and kept else "UTC"
    for index, recurrence in recurrences_of(subject):
        yield from _recurrence(recurrence, ("schedule", "recurrences", index), timezone)


def _read(value: Any, read: Callable[[str], object], at: Pointer) -> tuple[Any, list[Problem]]:
    """Parse a text or return why it is not valid; a text with a variable is not checked."""
    if not isinstance(value, str) or "${" in value:
        return None, []
    try:
        return read(value), []
    except InputError as error:
        text = ". ".join(part for part in (error.message, error.hint) if part)
        return None, [Problem(at, text.removesuffix("."))]


def _zones(subject: Subject, schedule: Mapping[str, Any]) -> Iterator[Problem]:
    shown, kept = subject.body.get("display_timezone"), schedule.get("timezone")
    problems = [
        problem
        for value, at in ((shown, ("display_timezone",)), (kept, ("schedule", "timezone")))
        for problem in _read(value, zone, at)[1]
    ]
    yield from problems
    differ = shown and "recurrences" in schedule and (kept or "UTC") != shown
    if differ and not problems and "${" not in f"{shown}{kept}":
        text = (
            f"it recurs by the clock of {kept or 'UTC'} and is shown by that of {shown}. Make them the same"
        )
        yield Problem(("display_timezone",), text)


def _once(schedule: Mapping[str, Any]) -> Iterator[Problem]:
    start, problems = _read(schedule.get("start"), _utc, ("schedule", "start"))
    end, more = _read(schedule.get("end"), _utc, ("schedule", "end"))
    yield from (*problems, *more)
    if start and end and end <= start:
        yield Problem(("schedule", "end"), "it ends before it starts. Swap the two")


def _utc(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not an ISO-8601 time", hint="Write 2026-12-24T18:00:00Z") from None
    if time.utcoffset() is None or time.utcoffset() != UTC.utcoffset(None):
        raise InputError(f"{text} is not in UTC", hint="Datadog takes only that: end it with Z")
    return time


def _recurrence(recurrence: Mapping[str, Any], at: Pointer, timezone: str) -> Iterator[Problem]:
    seconds, problems = _read(recurrence.get("duration"), duration, (*at, "duration"))
    start, more = _read(recurrence.get("start"), local_time, (*at, "start"))
    yield from (*problems, *more)
    text = recurrence.get("rrule")
    if not isinstance(text, str) or "${" in text or _read(timezone, zone, ())[1] or "${" in timezone:
        return
    rule = Recurrence(text, start or _ANY_START, seconds or 1, timezone)
    _, problems = _read(text, lambda _: rule.check(), (*at, "rrule"))
    yield from problems
    if seconds and not problems and _runs_on(rule):
        message = "a window opens before the one before it has closed, so this never ends. Shorten it"
        yield Problem((*at, "duration"), message)


def _runs_on(rule: Recurrence) -> bool:
    """Return whether the first windows of the rule leave no time between them."""
    first = rule.next(int(rule.start.timestamp()) - 2 * 86_400)
    second = rule.next(first[0]) if first else None
    return bool(first and second and second[0] <= first[1])
