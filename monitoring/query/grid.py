"""Compute the buckets of an evaluation, which are aligned to UNIX time and labelled by their start."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

LADDER = (
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200),
    *(86400, 172800, 345600, 604800, 1209600, 2419200),
)
"""The default intervals of Datadog, in seconds."""

MOST_PADDING = 10_000
"""The largest number of buckets before and after the window that fill() uses."""

CALENDAR = {"daily": 86400, "weekly": 604800, "monthly": 30 * 86400}
"""Calendar rollups -> the interval in their answers, in seconds."""


def default_interval(span: float, most: int = 300) -> int:
    """Return the smallest default interval with at most `most` buckets in `span` seconds.

    It agrees with the documented table (1 h: 20 s, 4 h: 1 m, 1 d: 5 m, 2 d: 10 m, 1 w: 1 h, 1 month: 4 h) and
    with all recorded responses.
    """
    at = bisect_left(LADDER, span / most)
    return LADDER[at] if at < len(LADDER) else ceil(span / most / 86400) * 86400


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Buckets `[edges[i], edges[i + 1])`; `step` is their length (for calendar buckets, the nominal one)."""

    edges: NDArray[np.int64]
    step: int
    uniform: bool = True

    @property
    def starts(self) -> NDArray[np.int64]:
        """The labels: int64 epoch seconds, one per bucket."""
        return self.edges[:-1]

    def __len__(self) -> int:
        return max(0, len(self.edges) - 1)

    def index(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bucket index of each time; outside times are below 0, or at or above the length."""
        if self.uniform:
            column: NDArray[np.int64] = (times - self.edges[0]) // self.step
            return column
        return np.searchsorted(self.edges, times, side="right") - 1

    def padded(self, before: int, after: int) -> "Grid":
        """Return the grid with additional buckets for seconds before and after it, at most `MOST_PADDING`."""
        if not self.uniform or not len(self):
            return self
        head, tail = (min(-(-seconds // self.step), MOST_PADDING) for seconds in (before, after))
        first = int(self.edges[0]) - head * self.step
        return uniform_grid(first, self.step, len(self) + head + tail)


def uniform_grid(first: int, step: int, count: int) -> Grid:
    """Return `count` buckets of `step` seconds from `first`."""
    return Grid(np.arange(max(0, count) + 1, dtype=np.int64) * step + first, step)


def grid_between(start: float, end: float, step: int, closed: bool = True) -> Grid:
    """Return the buckets of a window.

    Closed, as in the API: from the first bucket that starts in it to the one that contains `end`. Not
    closed, as a monitor evaluates `[start, end)`: to the last one that starts before `end`, at least one.
    """
    first = ceil(start / step) * step
    last = floor(end / step) * step if closed else (ceil(end) - 1) // step * step
    if not closed:
        first = min(first, last)
    return uniform_grid(first, step, (last - first) // step + 1)


def calendar_grid(start: float, end: float, unit: str, zone: tzinfo) -> Grid:
    """Return the days, weeks (from Monday) or months of a time zone that overlap the window."""
    at = datetime.fromtimestamp(start, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "weekly":
        at -= timedelta(days=at.weekday())
    elif unit == "monthly":
        at = at.replace(day=1)
    edges = [int(at.timestamp())]
    while edges[-1] <= end and len(edges) < 5000:
        at = _next(at, unit)
        edges.append(int(at.timestamp()))
    return Grid(np.array(edges, dtype=np.int64), CALENDAR[unit], uniform=False)


def _next(at: datetime, unit: str) -> datetime:
    if unit == "monthly":
        return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
    return at + timedelta(days=7 if unit == "weekly" else 1)
