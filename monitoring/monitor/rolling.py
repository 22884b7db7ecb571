"""Reducing a series over many overlapping windows at once: what `avg(last_5m)` is at every evaluation.

Each window is reduced on its own (no running sums), so that a value that has left the window leaves no
rounding error behind: a sum of zeros after a large value is 0, not 1e-12, and `> 0` does not alert.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError

Values = NDArray[np.float64]
Index = NDArray[np.int64]


def bounds(times: Index, starts: Index, ends: Index) -> tuple[Index, Index]:
    """For each window [start, end), the slice of `times` (ascending) that lies in it."""
    return times.searchsorted(starts), times.searchsorted(ends)


def reduce_windows(method: str, values: Values, low: Index, high: Index) -> Values:
    """`method` over `values[low:high]` for each pair; NaN where the slice is empty.

    Raises:
        InputError: an aggregation that monitors do not have.
    """
    if method.startswith("p") and method[1:].replace(".", "", 1).isdigit():
        return _each(values, low, high, lambda part: float(np.percentile(part, float(method[1:]))))
    if method == "last":
        return np.where(high > low, _padded(values)[np.maximum(high, 1) - 1], np.nan)
    count = (high - low).astype(np.float64)
    if method == "count":
        return np.where(count > 0, count, np.nan)
    if method not in _UFUNCS:
        raise InputError(f"no aggregation {method!r}", hint="monitors have avg, sum, min, max and percentile")
    return _reduce(_UFUNCS[method], values, low, high, count, mean=method == "avg")


_UFUNCS: dict[str, Any] = {"avg": np.add, "sum": np.add, "min": np.minimum, "max": np.maximum}


def _reduce(ufunc: Any, values: Values, low: Index, high: Index, count: Values, mean: bool) -> Values:
    """`reduceat` takes pairs of bounds: every second result is a window, the others are the steps between."""
    if not len(low):
        return np.empty(0)
    pairs = np.empty(2 * len(low), dtype=np.int64)
    pairs[::2], pairs[1::2] = low, high
    result = ufunc.reduceat(_padded(values), pairs)[::2]
    if mean:
        with np.errstate(invalid="ignore", divide="ignore"):
            result = result / count
    return np.where(count > 0, result, np.nan)


def _padded(values: Values) -> Values:
    """One more value, so that a window may end where the series does."""
    return np.append(values, 0.0)


def _each(values: Values, low: Index, high: Index, function: Callable[[Values], float]) -> Values:
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return np.array([function(values[a:b]) if b > a else np.nan for a, b in pairs], dtype=np.float64)


def last_times(times: Index, high: Index) -> Index:
    """The time of the last point before each window's end; the smallest integer where there is none."""
    never = np.iinfo(np.int64).min // 2
    return np.where(high > 0, np.append(times, never)[high - 1], never)


def full(times: Index, starts: Index, ends: Index, bucket: int, width: int = 1) -> NDArray[np.bool_]:
    """Whether each window is full: its first bucket holds a point, and at most 3 of its buckets are empty.

    `width` is the length in seconds that one point stands for: it fills every bucket that it reaches.
    """
    bucket = max(bucket, width)
    result = np.zeros(len(starts), dtype=np.bool_)
    for phase in np.unique(starts % bucket).tolist():
        mine = starts % bucket == phase
        filled = np.unique((times - phase) // bucket)
        first = (starts[mine] - phase) // bucket
        size = -((starts[mine] - ends[mine]) // bucket)
        low, high = filled.searchsorted(first), filled.searchsorted(first + size)
        has_first = (np.append(filled, -1)[np.minimum(low, len(filled))] == first) & (high > low)
        result[mine] = has_first & (size - (high - low) <= 3)
    return result
