"""Schedules of EventBridge: `rate(…)`, `cron(…)` and `at(…)`, in state machine time.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import calendar
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)(?::\d\d)?\)")
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}


def is_due(expression: str, minute: datetime, since: datetime) -> bool:
    """Return whether a schedule fires in this minute (UTC).

    Args:
        expression: the schedule; one that cannot be read never fires.
        minute: seconds and less are zero.
        since: when the schedule was created; a rate counts from there.
    """
    if match := _RATE.fullmatch(expression):
        passed = round((minute - since.replace(second=0, microsecond=0)).total_seconds() / 60)
        every = int(match[1]) * _MINUTES[match[2]]
        return passed > 0 and passed % every == 0
    if match := _AT.fullmatch(expression):
        return minute == datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    if match := _CRON.fullmatch(expression):
        return _cron_matches(match.groups(), minute)
    return False


def _cron_matches(fields: tuple[str, ...], moment: datetime) -> bool:
    minute, hour, *days = fields
    return (
        _matches(minute, moment.minute, 0, 59)
        and _matches(hour, moment.hour, 0, 23)
        and _date_matches(days, moment)
    )


def _date_matches(fields: Sequence[str], moment: datetime) -> bool:
    day, month, weekday, year = fields
    return (
        _matches(month, moment.month, 1, 12, _MONTHS)
        and _matches(year, moment.year, 1970, 2199)
        and _day_matches(day, moment)
        and _weekday_matches(weekday, moment)
    )


def _matches(field: str, value: int, low: int, high: int, names: dict[str, int] | None = None) -> bool:
    return any(value in _values(part, low, high, names or {}) for part in field.split(","))


def _values(part: str, low: int, high: int, names: dict[str, int]) -> range:
    text, _, step = part.partition("/")
    if text in {"*", "?"}:
        first, last = low, high
    else:
        start, _, end = text.partition("-")
        first = _number(start, names)
        last = _number(end, names) if end else (high if step else first)
    return range(first, last + 1, int(step) if step.isdecimal() and int(step) else 1)


def _number(text: str, names: dict[str, int]) -> int:
    return names.get(text.upper(), int(text) if text.isdecimal() else -1)


def _day_matches(field: str, moment: datetime) -> bool:
    last = calendar.monthrange(moment.year, moment.month)[1]
    if field == "L":
        return moment.day == last
    if field.endswith("W"):
        target = last if field == "LW" else int(field[:-1])
        return moment.day == _nearest_weekday(moment, min(target, last), last)
    return _matches(field, moment.day, 1, 31)


def _nearest_weekday(moment: datetime, day: int, last: int) -> int:
    weekday = moment.replace(day=day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < last else day - 2
    return day


def _weekday_matches(field: str, moment: datetime) -> bool:
    weekday = moment.isoweekday() % 7 + 1
    if "#" in field:
        day, _, number = field.partition("#")
        return weekday == _number(day, _DAYS) and (moment.day - 1) // 7 + 1 == int(number)
    if field.endswith("L"):
        last = calendar.monthrange(moment.year, moment.month)[1]
        return weekday == (_number(field[:-1], _DAYS) if field != "L" else 7) and moment.day > last - 7
    return _matches(field, weekday, 1, 7, _DAYS)


_HORIZON = 366 * 24 * 60
"""Minutes in which the next time of a schedule is looked for."""


def next_time(expression: str, now: datetime, since: datetime) -> datetime | None:
    """Return when a schedule fires next after a moment, to the minute; None: not within a year."""
    begin = now.replace(second=0, microsecond=0)
    if match := _RATE.fullmatch(expression):
        every = timedelta(minutes=max(1, int(match[1]) * _MINUTES[match[2]]))
        first = since.replace(second=0, microsecond=0)
        return first + every * ((begin - first) // every + 1)
    if match := _AT.fullmatch(expression):
        moment = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
        return moment if moment > begin else None
    match = _CRON.fullmatch(expression)
    if match is None:
        return None
    minute = begin + timedelta(minutes=1)
    end = begin + timedelta(minutes=_HORIZON)
    minutes, hours, *days = match.groups()
    while minute < end:
        if not _date_matches(days, minute):
            minute = minute.replace(hour=0, minute=0) + timedelta(days=1)
        elif not _matches(hours, minute.hour, 0, 23):
            minute = minute.replace(minute=0) + timedelta(hours=1)
        elif not _matches(minutes, minute.minute, 0, 59):
            minute += timedelta(minutes=1)
        else:
            return minute
    return None


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """A schedule that is deployed: the rule's name, its expression, and when it fires next (UTC)."""

    name: str
    expression: str
    next: datetime | None


class ScheduleRule(Protocol):
    """Define what a schedule needs of a rule of moto."""

    name: str
    arn: str
    state: str
    scheduled_expression: str | None
    targets: list[dict[str, Any]]


class Schedules:
    """Invokes the targets of scheduled rules while it is open.

    Args:
        rules: gives the rules that there are now.
        send: hands an event to a target.
        region: the region that events name; `account` likewise.
        speed: how many times faster than the wall clock schedules pass.
    """

    def __init__(
        self,
        rules: Callable[[], list[ScheduleRule]],
        send: Callable[[ScheduleRule, dict[str, Any], dict[str, Any]], object],
        *,
        region: str,
        account: str,
        speed: float,
    ) -> None:
        self._rules, self._send = rules, send
        self._region, self._account, self._speed = region, account, speed
        self._stopped = threading.Event()
        self._seen: dict[str, datetime] = {}
        self._now = datetime.now(UTC).replace(second=0, microsecond=0)
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Invoke no more."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(60.0 / self._speed):
            self._now += timedelta(minutes=1)
            self.tick(self._now)

    def tick(self, minute: datetime) -> None:
        """Invoke the targets of every schedule that is due in a minute."""
        for rule in self._rules():
            if not rule.scheduled_expression or rule.state != "ENABLED":
                continue
            since = self._seen.setdefault(rule.arn, minute - timedelta(minutes=1))
            if is_due(rule.scheduled_expression, minute, since):
                for target in list(rule.targets):
                    self._send(rule, target, scheduled_event(rule, minute, self._region, self._account))


def scheduled_event(rule: ScheduleRule, minute: datetime, region: str, account: str) -> dict[str, Any]:
    """Return the event that a scheduled rule sends in a minute."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": f"{minute:%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [rule.arn],
        "detail": {},
    }
