"""When a monitor is evaluated, and which stretch of time it then looks at."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError

Times = NDArray[np.int64]

MINUTE, HOUR, DAY, WEEK, MONTH = 60, 3600, 86400, 604800, 2592000
UNITS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "mo": MONTH}

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
        zone = ZoneInfo(self.zone)
        return np.array([self._period(int(end), zone) for end in ends], dtype=np.int64)

    def _period(self, end: int, zone: ZoneInfo) -> int:
        moment = datetime.fromtimestamp(end - 1, UTC).astimezone(zone)
        start = moment.replace(hour=self.start_hour, minute=self.start_minute, second=0, microsecond=0)
        if self.unit == "mo":
            start = start.replace(day=1)
        if start > moment:
            start = _previous_month(start) if self.unit == "mo" else start - timedelta(days=1)
        return int(start.timestamp())


def _previous_month(moment: datetime) -> datetime:
    return (moment.replace(day=1) - timedelta(days=1)).replace(day=1)


def rolling_window(text: str) -> Window:
    """The window of `last_5m`, `last_1mo` or `current_1h`; a bare `5m` is `last_5m`.

    Raises:
        InputError: no window.
    """
    kind, _, length = text.rpartition("_")
    unit = length.lstrip("0123456789")
    count = length[: len(length) - len(unit)]
    if kind not in {"", "last", "current", "next"} or unit not in UNITS or not count or not int(count):
        raise InputError(f"{text!r} is no window", hint="write last_5m, last_1h, last_1d or current_1d")
    return Window(int(count) * UNITS[unit], unit, cumulative=kind == "current")


def evaluation_times(start: int, end: int, cadence: int, phase: int = 0) -> Times:
    """The times from `start` to `end`, both included, that are `phase` past a multiple of the cadence."""
    first = start + (phase - start) % cadence
    return np.arange(first, end + 1, cadence, dtype=np.int64)
