"""Compute the time intervals of status corrections, of single ones and of those that recur by an RRULE.

An RRULE may have the parts FREQ, INTERVAL, COUNT, UNTIL and BYDAY, as in Datadog's corrections. It recurs in
UTC: a correction's time zone is for display only.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from monitoring.errors import InputError
from monitoring.monitor.recurrence import Recurrence, parts
from monitoring.slo.intervals import Interval, Spans, within

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}


def correction_intervals(corrections: Iterable[Mapping[str, Any]], start: int, end: int) -> Spans:
    """Return the time between `start` and `end` (epoch seconds) that corrections cover.

    Args:
        corrections: their API attributes: `start` and `end`, or `start`, `duration` and `rrule`, with `end`
            if the recurrence stops.
        start: the start of the result.
        end: the end of the result.

    Raises:
        InputError: a recurrence rule is not valid.
    """
    return within((span for correction in corrections for span in _spans(correction, start, end)), start, end)


def _spans(correction: Mapping[str, Any], start: int, end: int) -> list[Interval]:
    first, last = int(correction["start"]), correction.get("end")
    if not correction.get("rrule"):
        return [(first, end if last is None else int(last))]
    until = end if last is None else min(end, int(last))
    begin = datetime.fromtimestamp(first, UTC).replace(tzinfo=None)
    seconds = int(correction.get("duration") or 0)
    return Recurrence(_supported(str(correction["rrule"])), begin, seconds).windows(start, until)


def _supported(rule: str) -> str:
    """Return the recurrence rule; raise InputError if it has parts that corrections do not support."""
    fields = {name: value for name, _, value in parts(rule.upper().removeprefix("RRULE:"))}
    if set(fields) - _PARTS - {""} or fields.get("FREQ") not in _FREQUENCIES:
        hint = f"write FREQ ({', '.join(_FREQUENCIES)}), and INTERVAL, COUNT, UNTIL and BYDAY as needed"
        raise InputError(f"the recurrence {rule!r} is not supported", where="rrule", hint=hint)
    return rule
