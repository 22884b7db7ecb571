"""Status corrections as spans of time: one-time ones, and those that recur by an RRULE of RFC 5545.

Of RRULE the parts FREQ, INTERVAL, COUNT, UNTIL and BYDAY are known, as in Datadog's corrections. They recur
in UTC: a correction's time zone is for display only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from monitoring.errors import InputError
from monitoring.slo.spans import Span, Spans, within

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}
MOST = 100_000
"""Recurrences that are looked at before a rule is taken for endless."""


def correction_intervals(corrections: Iterable[Mapping[str, Any]], start: int, end: int) -> Spans:
    """The time between `start` and `end` (seconds) that corrections cover.

    Args:
        corrections: attributes as the API has them: `start`, and `end`; or `start`, `duration` and `rrule`,
            and `end` where the recurrence stops.
        start: the start of the time that is looked at.
        end: its end.

    Raises:
        InputError: a recurrence cannot be read.
    """
    return within((span for one in corrections for span in _spans(one, end)), start, end)


def _spans(correction: Mapping[str, Any], end: int) -> Iterator[Span]:
    first, last = int(correction["start"]), correction.get("end")
    if not correction.get("rrule"):
        yield first, end if last is None else int(last)
        return
    seconds = int(correction.get("duration") or 0)
    until = end if last is None else min(end, int(last))
    for moment in occurrences(str(correction["rrule"]), first):
        if moment >= until:
            return
        yield moment, moment + seconds


def occurrences(rule: str, start: int) -> Iterator[int]:
    """The times of a recurrence from `start` on, in seconds; endless where the rule has no end.

    Raises:
        InputError: the rule cannot be read.
    """
    parts = _parts(rule)
    first = datetime.fromtimestamp(start, UTC)
    step, most = int(parts.get("INTERVAL", "1")), int(parts.get("COUNT", MOST))
    until = _until(parts["UNTIL"]) if "UNTIL" in parts else None
    found = 0
    for moment in _FREQUENCIES[parts["FREQ"]](first, max(step, 1), _weekdays(parts)):
        if found >= most or (until is not None and moment > until):
            return
        if moment >= first:
            found += 1
            yield int(moment.timestamp())


def _parts(rule: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in rule.removeprefix("RRULE:").upper().split(";") if part]
    parts = {name.strip(): value.strip() for name, _, value in pairs}
    unknown = set(parts) - _PARTS
    numbers = [parts[name] for name in ("INTERVAL", "COUNT") if name in parts]
    if unknown or parts.get("FREQ") not in _FREQUENCIES or not all(one.isdigit() for one in numbers):
        hint = "FREQ (DAILY, WEEKLY, MONTHLY, YEARLY), INTERVAL, COUNT, UNTIL and BYDAY can be used"
        raise InputError(f"the recurrence {rule!r} cannot be read", where="rrule", hint=hint)
    return parts


def _until(text: str) -> datetime:
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise InputError(f"UNTIL={text} is no time", where="rrule", hint="write UNTIL=20260331T000000Z")


def _weekdays(parts: Mapping[str, str]) -> frozenset[int]:
    names = [one for one in parts.get("BYDAY", "").split(",") if one]
    if not set(names) <= set(_DAYS):
        raise InputError(
            f"BYDAY={parts['BYDAY']} is not understood", where="rrule", hint=f"some of {','.join(_DAYS)}"
        )
    return frozenset(_DAYS.index(one) for one in names)


def _daily(first: datetime, step: int, days: frozenset[int]) -> Iterator[datetime]:
    found = (first + timedelta(days=step * at) for at in range(MOST))
    return (one for one in found if not days or one.weekday() in days)


def _weekly(first: datetime, step: int, days: frozenset[int]) -> Iterator[datetime]:
    monday = first - timedelta(days=first.weekday())
    wanted = sorted(days) or [first.weekday()]
    return (monday + timedelta(weeks=step * at, days=day) for at in range(MOST // 7) for day in wanted)


def _monthly(first: datetime, step: int, days: frozenset[int]) -> Iterator[datetime]:
    """The same day of the month; a month that lacks it is skipped, as RFC 5545 says."""
    for at in count(0, step):
        year, month = divmod(first.year * 12 + first.month - 1 + at, 12)
        if year > 9999:
            return
        try:
            yield first.replace(year=year, month=month + 1)
        except ValueError:
            continue


def _yearly(first: datetime, step: int, days: frozenset[int]) -> Iterator[datetime]:
    return _monthly(first, step * 12, days)


_FREQUENCIES: dict[str, Callable[[datetime, int, frozenset[int]], Iterator[datetime]]] = {
    "DAILY": _daily,
    "WEEKLY": _weekly,
    "MONTHLY": _monthly,
    "YEARLY": _yearly,
}
