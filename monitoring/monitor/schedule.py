"""Compute the times of evaluations of a custom schedule (`options.scheduling_options.custom_schedule`).

Source: the guide on custom schedules, and RFC 5545 for its rules. One recurrence, a day or more apart, by the
wall clock of its time zone. A local time that a change of the clock skips is taken with the offset before the
change, one that comes twice is the first of the two (RFC 5545, 3.3.5). What the guide excludes is refused by
name, here and not by the library that lists the times, so that the error says what to write.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.monitor.recurrence import Recurrence, local_time, parts, zone

_KEYS = ("rrule", "start", "timezone")
_ANY_START = datetime(2020, 1, 1)
"""The start of a rule without a start of its own, which does not affect it."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The occurrences of a recurrence."""

    recurrence: Recurrence

    def times(self, start: int, end: int) -> NDArray[np.int64]:
        """Return the evaluations from `start` to `end`, both included, in epoch seconds."""
        windows = self.recurrence.windows(start, end + 1)
        return np.array([moment for moment, _ in windows if start <= moment <= end], dtype=np.int64)

    def after(self, moment: int) -> int | None:
        """Return the first evaluation after a time; None if the schedule has ended."""
        window = self.recurrence.next(moment)
        return None if window is None else window[0]


def schedule_of(scheduling: Mapping[str, Any]) -> Schedule:
    """Return the schedule in `options.scheduling_options`.

    Raises:
        InputError: more than one recurrence, or one that cannot be read, or is not supported.
    """
    schedule = scheduling.get("custom_schedule")
    recurrences = schedule.get("recurrences") if isinstance(schedule, Mapping) else None
    if not isinstance(recurrences, list) or len(recurrences) != 1 or not isinstance(recurrences[0], Mapping):
        hint = 'write "recurrences": [{"rrule": "FREQ=DAILY;BYHOUR=20;BYMINUTE=0", "timezone": "UTC"}]'
        raise InputError("a custom schedule has exactly one recurrence", hint=hint)
    return _schedule(recurrences[0])


def _schedule(schedule: Mapping[str, Any]) -> Schedule:
    for name in _KEYS:
        if not isinstance(schedule.get(name), str | None):
            hint = f'write "{name}" as a text, or leave it out'
            raise InputError(f"{name} of the custom schedule is {schedule[name]!r}, not text", hint=hint)
    rrule, start = schedule.get("rrule") or "", schedule.get("start")
    try:
        unsettled = check_rule(rrule)
        if unsettled and not start:
            hint = 'add "start": "2026-03-01T20:00:00"; without it, Datadog takes the moment of creation'
            raise InputError(f"{unsettled} depends on the schedule's start, and there is none", hint=hint)
        begins = local_time(start).replace(microsecond=0) if start else _ANY_START
        timezone = schedule.get("timezone") or "UTC"
        zone(timezone)
        recurrence = Recurrence(rrule, begins, 1, timezone)
        recurrence.check()
    except InputError as error:
        raise InputError(
            f"custom_schedule with the rrule {rrule!r}: {error.message}", hint=error.hint
        ) from error
    return Schedule(recurrence)


# --- what a rule may say

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TOO_OFTEN = ("HOURLY", "MINUTELY", "SECONDLY")
_NO_PARTS = ("DTSTART", "DTEND", "DURATION")
_DAY = r"(?:MO|TU|WE|TH|FR|SA|SU)"
_ALL_DAYS = "MO, TU, WE, TH, FR, SA, SU"
_PARTS: dict[str, tuple[str, str]] = {
    "FREQ": ("|".join((*_FREQUENCIES, *_TOO_OFTEN)), ", ".join(_FREQUENCIES)),
    "INTERVAL": (r"0*[1-9]\d{0,5}", "a number from 1"),
    "COUNT": (r"0*[1-9]\d{0,5}", "a number from 1"),
    "UNTIL": (r"\d{8}T\d{6}Z?", "a time, 20261231T235959Z"),
    "WKST": (_DAY, _ALL_DAYS),
    "BYDAY": (rf"(?:[+-]?[1-9]\d?)?{_DAY}", f"{_ALL_DAYS}, or 1SU, -1FR in a month"),
    "BYMONTH": (r"0?[1-9]|1[012]", "1 to 12"),
    "BYMONTHDAY": (r"[+-]?(?:0?[1-9]|[12]\d|3[01])", "1 to 31, or -1 to -31 from the end"),
    "BYYEARDAY": (r"[+-]?[1-9]\d{0,2}", "1 to 366, or -1 to -366 from the end"),
    "BYSETPOS": (r"[+-]?[1-9]\d{0,2}", "1 to 366, or -1 to -366 from the end"),
    "BYHOUR": (r"[01]?\d|2[0-3]", "0 to 23"),
    "BYMINUTE": (r"[0-5]?\d", "0 to 59"),
    "BYSECOND": (r"[0-5]?\d", "0 to 59"),
}
"""Part -> the pattern of its values, and its description for messages."""
_ONE = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST")
_TIMES = ("BYHOUR", "BYMINUTE", "BYSECOND")
_CHOOSE = ("BYDAY", "BYMONTHDAY", "BYYEARDAY")
_ONLY_WITH = {"BYMONTHDAY": ("DAILY", "MONTHLY", "YEARLY"), "BYYEARDAY": ("YEARLY",)}


def check_rule(text: str) -> str:
    """Read `FREQ=WEEKLY;BYDAY=TU,SA;BYHOUR=6;BYMINUTE=0`; what of it only the start can settle, else "".

    Raises:
        InputError: what of it cannot be read, or is not supported, and what to write.
    """
    fields = _split(text)
    if "FREQ" not in fields:
        raise InputError("FREQ is missing", hint=f"write FREQ={', '.join(_FREQUENCIES)}")
    for name, value in fields.items():
        _check_value(name, value)
    _check_together(fields)
    return _left_open(fields)


def _split(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, equals, value in parts(text):
        head = name.partition(":")[0]
        if head == "RRULE":
            raise InputError("the name RRULE: is not part of the rule", hint="write FREQ=… without it")
        if head in _NO_PARTS:
            hint = "remove it; the schedule's start stands in start, and its zone in timezone"
            raise InputError(f"{head} is not supported in a rule", hint=hint)
        if name not in _PARTS:
            what = f"{name} is not supported" if equals else f"{name!r} is not of the form NAME=VALUE"
            raise InputError(what, hint=f"a rule has {', '.join(_PARTS)}, with ; between")
        if name in fields:
            raise InputError(f"{name} is given twice", hint="list its values with commas")
        fields[name] = value
    return fields


def _check_value(name: str, value: str) -> None:
    pattern, said = _PARTS[name]
    if value in _TOO_OFTEN:
        hint = "write FREQ=DAILY or rarer; without a custom schedule a monitor is evaluated every minute"
        raise InputError(f"FREQ={value} is more often than daily, which is not supported", hint=hint)
    if name in _TIMES and "," in value:
        hint = "evaluations are a day or more apart: keep one, or make a second monitor"
        raise InputError(f"{name}={value} is more often than daily, which is not supported", hint=hint)
    for part in [value] if name in _ONE else value.split(","):
        number = abs(int(part)) if re.fullmatch(r"[+-]?\d{1,6}", part) else 0
        if not re.fullmatch(pattern, part) or (name in {"BYYEARDAY", "BYSETPOS"} and number > 366):
            raise InputError(f"{name}={part} cannot be", hint=f"{name} is {said}")


def _check_together(fields: Mapping[str, str]) -> None:
    """Raise InputError for combinations that RFC 5545 forbids, or that the library reads differently."""
    frequency = fields["FREQ"]
    for name, allowed in _ONLY_WITH.items():
        if name in fields and frequency not in allowed:
            raise InputError(
                f"{name} does not go with FREQ={frequency}", hint=f"it goes with FREQ={' or '.join(allowed)}"
            )
    days = fields.get("BYDAY", "").split(",")
    counted = [day for day in days if len(day) > 2]
    if counted and frequency not in {"MONTHLY", "YEARLY"}:
        hint = f"write BYDAY={counted[0][-2:]}, or FREQ=MONTHLY"
        raise InputError(f"BYDAY={counted[0]} counts days of a month, but FREQ is {frequency}", hint=hint)
    if counted and len(counted) < len(days):
        hint = f"write every {days[0][-2:]} by its numbers, or make a second monitor"
        raise InputError(f"BYDAY={','.join(days)} mixes days with and without a number", hint=hint)
    if "BYSETPOS" in fields and frequency == "DAILY":
        raise InputError("BYSETPOS has nothing to choose from in a day", hint="write FREQ=WEEKLY or rarer")
    if "BYSETPOS" in fields and not any(name in fields for name in (*_CHOOSE, "BYMONTH")):
        raise InputError("BYSETPOS chooses among days, but no BY… part lists any", hint="add BYDAY=MO,TU")
    if "UNTIL" in fields and "COUNT" in fields:
        raise InputError("UNTIL and COUNT exclude each other", hint="keep one of them")


def _left_open(fields: Mapping[str, str]) -> str:
    if int(fields.get("INTERVAL", "1")) > 1 or "COUNT" in fields:
        return "COUNT" if "COUNT" in fields else "INTERVAL"
    if "BYHOUR" not in fields or "BYMINUTE" not in fields:
        return "the time of the day"
    chosen = fields["FREQ"] == "DAILY" or any(name in fields for name in _CHOOSE)
    return "" if chosen else "the day"
