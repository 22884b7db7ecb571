"""Compute the times of a monitor's evaluations, and their windows."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring import query
from monitoring.errors import InputError

Times = NDArray[np.int64]

MINUTE, HOUR, DAY = 60, 3600, 86400

FULL_WINDOW_BUCKET = {"m": MINUTE, "h": 10 * MINUTE, "d": HOUR, "w": HOUR, "mo": 4 * HOUR}
"""The unit of a window -> the bucket of the full-window check, in seconds. Source: metric monitor page."""


class EvaluationWindow(NamedTuple):
    """`last_5m`, or `current_1d`, with the start of the period in local time of `zone`.

    A rolling window at time t is [t - seconds, t): a point at time t is not included.
    """

    seconds: int
    unit: str
    cumulative: bool = False
    start_day: int = 1
    start_hour: int = 0
    start_minute: int = 0
    zone: str = "UTC"

    @property
    def cadence(self) -> int:
        """The seconds between evaluations: 1 min below 24 h, 10 min below 48 h, else 30 min."""
        if self.seconds < DAY:
            return MINUTE
        return 10 * MINUTE if self.seconds < 2 * DAY else 30 * MINUTE

    @property
    def bucket(self) -> int:
        """The seconds of a bucket of the full-window check."""
        return FULL_WINDOW_BUCKET[self.unit]

    def starts(self, ends: Times) -> Times:
        """Return the start of the window for each end."""
        if not self.cumulative:
            return ends - self.seconds
        zone = zone_of(self.zone)
        if self.unit == "h":
            return np.array([self._hour(int(end), zone) for end in ends], dtype=np.int64)
        return np.array([self._period(int(end), zone) for end in ends], dtype=np.int64)

    def _hour(self, end: int, zone: tzinfo) -> int:
        """Return the last time before `end` at which the zone's clock showed the minute."""
        # the instant of a reset still belongs to the period that it closes
        moment = datetime.fromtimestamp(end - 1, zone)
        past = (moment.minute - self.start_minute) % 60 * MINUTE + moment.second
        return end - 1 - past

    def _period(self, end: int, zone: tzinfo) -> int:
        """Return the last start of a day or month before `end`; the first where the clock shows it twice."""
        day = datetime.fromtimestamp(end - 1, zone).date()
        if self.unit == "mo":
            day = day.replace(day=self.start_day)
        start = self._begins(day, zone)
        if start < end:
            return start
        before = (day.replace(day=1) if self.unit == "mo" else day) - timedelta(days=1)
        return self._begins(before.replace(day=self.start_day) if self.unit == "mo" else before, zone)

    def _begins(self, day: date, zone: tzinfo) -> int:
        clock = time(self.start_hour, self.start_minute)
        return int(datetime.combine(day, clock, zone).timestamp())


def window_of(node: query.Window, scheduling: Mapping[str, Any]) -> EvaluationWindow:
    """Return the window that a monitor's query and its options.scheduling_options define.

    Raises:
        InputError: a cumulative window without an evaluation_window, or one that makes no sense.
    """
    window = scheduling.get("evaluation_window")
    if node.tense != "current":
        if window and not scheduling.get("custom_schedule"):
            raise InputError(
                NOT_BOTH, hint="remove evaluation_window, or write current_1h, current_1d or current_1mo"
            )
        return EvaluationWindow(node.seconds, node.unit)
    if not window:
        hint = f'add "scheduling_options": {{"evaluation_window": {_EXAMPLES[node.unit]}}} to the options'
        raise InputError(NOT_BOTH, hint=hint)
    zone = str(window.get("timezone") or "UTC")
    zone_of(zone)
    if node.unit == "h":
        return EvaluationWindow(
            node.seconds, node.unit, True, 1, 0, _number(window, "hour_starts", 0, 59, 0), zone
        )
    hour, minute = _clock(str(window.get("day_starts") or "00:00"))
    day = _number(window, "month_starts", 1, LAST_DAY, 1) if node.unit == "mo" else 1
    return EvaluationWindow(node.seconds, node.unit, True, day, hour, minute, zone)


NOT_BOTH = (
    "Monitors with an evaluation_window scheduling_option must have a current query period and vice versa."
)
"""Datadog's own words."""
LAST_DAY = 28
"""The last day that every month has; how Datadog treats a 31st in February is not documented."""
_EXAMPLES = {
    "h": '{"hour_starts": 0}',
    "d": '{"day_starts": "00:00", "month_starts": 1}',
    "mo": '{"day_starts": "00:00", "month_starts": 1}',
}


def _number(options: Mapping[str, Any], name: str, low: int, high: int, default: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"evaluation_window.{name} is {value!r}", hint=f"a whole number, {low} to {high}")
    return value


def _clock(text: str) -> tuple[int, int]:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise InputError(f"evaluation_window.day_starts is {text!r}", hint='write "09:30"')
    return int(hour), int(minute)


def zone_of(name: str) -> tzinfo:
    """Return the time zone of that name.

    Raises:
        InputError: there is none.
    """
    if name.upper() == "UTC":
        return UTC
    from monitoring.monitor.recurrence import zone  # zones are files, and few windows need one

    return zone(name)


def evaluation_times(start: int, end: int, cadence: int, phase: int = 0) -> Times:
    """Return the times from `start` to `end`, both included, `phase` after a multiple of the cadence."""
    first = start + (phase - start) % cadence
    return np.arange(first, end + 1, cadence, dtype=np.int64)
