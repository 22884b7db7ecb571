"""Compute recurring windows of time: an RRULE (RFC 5545) in local time, a duration, and a time zone.

Downtimes, custom schedules of monitors and status corrections of SLOs use it; each of them checks which
parts of a rule it allows.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from monitoring.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from dateutil.rrule import rrule

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NOT_IN_A_RULE = ("DTSTART", "DTEND", "DURATION")
_TOO_OFTEN = ("SECONDLY", "MINUTELY")
_UNTIL = re.compile(r"UNTIL=(\d{8}T\d{6})Z")
_STEP = re.compile(r"0*[1-9]\d*")
_DAY = timedelta(days=1)


class Recurrence(NamedTuple):
    """Windows of `seconds` at each occurrence of `rule`, in local times of `timezone` from `start` on."""

    rule: str
    start: datetime
    seconds: int
    timezone: str = "UTC"

    def check(self) -> None:
        """Parse the rule.

        Raises:
            InputError: the rule is not valid, occurs too often, or never.
        """
        if next(iter(self._rule), None) is None:
            raise InputError(f"the RRULE {self.rule!r} has no occurrence")

    def windows(self, since: int, until: int) -> list[tuple[int, int]]:
        """Return the windows (end excluded; epoch seconds) that overlap [since, until)."""
        reach = timedelta(seconds=self.seconds) + _DAY  # a day is more than any change of the clock
        starts = self._rule.between(self._local(since) - reach, self._local(until) + _DAY, inc=True)
        touching = (self._window(local) for local in starts)
        return [(start, end) for start, end in touching if start < until and end > since]

    def next(self, at: int) -> tuple[int, int] | None:
        """Return the first window that starts after `at`."""
        return self._found(self._rule.after, at)

    def last(self, at: int) -> tuple[int, int] | None:
        """Return the last window that started before `at`."""
        return self._found(self._rule.before, at)

    @property
    def _rule(self) -> "rrule":
        return _rule(self.rule, self.start, self.timezone)

    def _found(self, ask: Callable[[datetime], datetime | None], at: int) -> tuple[int, int] | None:
        local = ask(self._local(at))
        return None if local is None else self._window(local)

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, zone(self.timezone)).replace(tzinfo=None)

    def _window(self, local: datetime) -> tuple[int, int]:
        start = int(local.replace(tzinfo=zone(self.timezone)).timestamp())
        return start, start + self.seconds


def parts(rule: str) -> list[tuple[str, str, str]]:
    """Split `FREQ=DAILY;COUNT=3` into (name, "=", value), in upper case; without `=` the last two are ""."""
    pairs = (part.partition("=") for part in rule.strip().upper().split(";"))
    return [(name.strip(), equals, value.strip()) for name, equals, value in pairs]


@lru_cache(maxsize=256)
def _rule(text: str, start: datetime, timezone: str) -> "rrule":
    from dateutil.rrule import rrulestr

    plain = text.strip(" \t;").upper().removeprefix("RRULE:")
    _refuse(plain)
    local = _UNTIL.sub(lambda until: f"UNTIL={_in_zone(until[1], timezone)}", plain)
    try:
        rule = rrulestr(local, dtstart=start, cache=True)
        next(iter(rule), None)  # some errors are only raised by iterating
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
        raise InputError(f"the RRULE {text!r} cannot be read ({error})") from error
    return rule


def _refuse(plain: str) -> None:
    stranger = next((name for name in _NOT_IN_A_RULE if name in plain), None)
    if stranger or "\n" in plain:
        hint = "Say the start and the length beside the rule."
        raise InputError(f"an RRULE has no {stranger or 'second line'}", hint=hint)
    fields = {name: value for name, _, value in parts(plain)}
    if fields.get("FREQ") in _TOO_OFTEN:
        raise InputError("windows recur every hour at most", hint="Write FREQ=HOURLY, DAILY, WEEKLY, …")
    if not _STEP.fullmatch(fields.get("INTERVAL", "1")):  # with an interval of 0, a day would occur for ever
        text = f"the RRULE {plain!r} cannot be read: INTERVAL is a number from 1"
        raise InputError(text, hint="Write INTERVAL=1, or leave it out.")


def _in_zone(utc: str, timezone: str) -> str:
    """Return a UTC time of a rule as the local time of its zone."""
    moment = datetime.strptime(utc, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return f"{moment.astimezone(zone(timezone)):%Y%m%dT%H%M%S}"


def duration(text: str) -> int:
    """Parse `90m`, `1h`, `2d` or `1w` to seconds.

    Raises:
        InputError: the text has another form.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})([mhdw])", str(text))
    if match is None:
        raise InputError(f"{text!r} is not a duration", hint="Write a number and one of m, h, d, w.")
    return int(match[1]) * _UNITS[match[2]]


@lru_cache(maxsize=256)
def zone(name: str) -> "ZoneInfo":
    """Return the time zone of that name.

    Raises:
        InputError: there is none.
    """
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"there is no time zone {name!r}", hint="Write one like Europe/Paris.") from error


def local_time(text: str) -> datetime:
    """Parse an ISO 8601 time without an offset.

    Raises:
        InputError: it cannot be read, or has an offset.
    """
    try:
        time = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise InputError(f"{text!r} is not an ISO-8601 time") from error
    if time.tzinfo is not None:
        raise InputError(f"the start {text!r} has an offset", hint="Leave it out: the time zone counts.")
    return time
