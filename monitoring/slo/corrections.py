"""Status corrections as spans of time: one-time ones, and those that recur by an RRULE.

Of RRULE the parts FREQ, INTERVAL, COUNT, UNTIL and BYDAY are known, as in Datadog's corrections. They recur
in UTC: a correction's time zone is for display only.
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
        corrections: attributes as the API has them: `start`, and `end`; or `start`, `duration` and `rrule`,
            and `end` where the recurrence stops.
        start: the start of the time that is looked at.
        end: its end.

    Raises:
        InputError: a recurrence cannot be read.
    """
    return within((span for correction in corrections for span in _spans(correction, start, end)), start, end)


def _spans(correction: Mapping[str, Any], start: int, end: int) -> list[Interval]:
    first, last = int(correction["start"]), correction.get("end")
    if not correction.get("rrule"):
        return [(first, end if last is None else int(last))]
    until = end if last is None else min(end, int(last))
    begin = datetime.fromtimestamp(first, UTC).replace(tzinfo=None)
    seconds = int(correction.get("duration") or 0)
    return Recurrence(_known(str(correction["rrule"])), begin, seconds).windows(start, until)


def _known(rule: str) -> str:
    """Return the recurrence rule, or refuse one with parts that corrections do not support."""
    fields = {name: value for name, _, value in parts(rule.upper().removeprefix("RRULE:"))}
    if set(fields) - _PARTS - {""} or fields.get("FREQ") not in _FREQUENCIES:
        hint = f"FREQ ({', '.join(_FREQUENCIES)}), INTERVAL, COUNT, UNTIL and BYDAY can be used"
        raise InputError(f"the recurrence {rule!r} cannot be read", where="rrule", hint=hint)
    return rule
