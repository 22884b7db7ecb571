"""When a monitor is evaluated, and which stretch of time it then looks at."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring import query
from monitoring.errors import InputError
from monitoring.values import dataclass

Times = NDArray[np.int64]

MINUTE, HOUR, DAY = 60, 3600, 86400

FULL_WINDOW_BUCKET = {"m": MINUTE, "h": 10 * MINUTE, "d": HOUR, "w": HOUR, "mo": 4 * HOUR}
"""Bucket of the full-window check, by the unit in which the window is written (metric monitor page)."""


@dataclass(frozen=True, slots=True)
class Window:
    """`last_5m`, or `current_1d` (then `start_minute`, `start_hour`, `zone` say when the period begins).

    A rolling window at time t is [t - seconds, t): a point stamped t is not known yet.
    """

    seconds: int
    unit: str
    cumulative: bool = False
    start_hour: int = 0
    start_minute: int = 0
    zone: str = "UTC"

    @property
    def cadence(self) -> int:
        """Seconds between evaluations: 1 min below 24 h, 10 min below 48 h, else 30 (configuration page)."""
        if self.seconds < DAY:
            return MINUTE
        return 10 * MINUTE if self.seconds < 2 * DAY else 30 * MINUTE

    @property
    def bucket(self) -> int:
        """Seconds of a bucket of the full-window check."""
        return FULL_WINDOW_BUCKET[self.unit]

    def starts(self, ends: Times) -> Times:
        """The start of the window for each end."""
        if not self.cumulative:
            return ends - self.seconds
        if self.unit == "h":
            shift = self.start_minute * MINUTE
            # the instant of a reset still belongs to the period that it closes
            return (ends - 1 - shift) // HOUR * HOUR + shift
        from zoneinfo import ZoneInfo  # reads files, and few windows need it

        zone = ZoneInfo(self.zone)
        return np.array([self._period(int(end), zone) for end in ends], dtype=np.int64)

    def _period(self, end: int, zone: tzinfo) -> int:
        moment = datetime.fromtimestamp(end - 1, UTC).astimezone(zone)
        start = moment.replace(hour=self.start_hour, minute=self.start_minute, second=0, microsecond=0)
        if self.unit == "mo":
            start = start.replace(day=1)
        if start > moment:
            start = _previous_month(start) if self.unit == "mo" else start - timedelta(days=1)
        return int(start.timestamp())


def _previous_month(moment: datetime) -> datetime:
    return (moment.replace(day=1) - timedelta(days=1)).replace(day=1)


def window_of(node: query.Window, scheduling: Mapping[str, Any]) -> Window:
    """The window that a monitor's query and its options.scheduling_options describe.

    Raises:
        InputError: a cumulative window without an evaluation_window, or one that makes no sense.
    """
    if node.tense != "current":
        return Window(node.seconds, node.unit)
    given = scheduling.get("evaluation_window") or {}
    hour, minute = _clock(str(given.get("day_starts") or "00:00"))
    if node.unit == "h":
        return Window(node.seconds, node.unit, True, 0, int(given.get("hour_starts") or 0))
    return Window(node.seconds, node.unit, True, hour, minute, str(given.get("timezone") or "UTC"))


def _clock(text: str) -> tuple[int, int]:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise InputError(f"evaluation_window.day_starts is {text!r}", hint='write "09:30"')
    return int(hour), int(minute)


def evaluation_times(start: int, end: int, cadence: int, phase: int = 0) -> Times:
    """The times from `start` to `end`, both included, that are `phase` past a multiple of the cadence."""
    first = start + (phase - start) % cadence
    return np.arange(first, end + 1, cadence, dtype=np.int64)
