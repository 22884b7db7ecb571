"""Reduce lines over many overlapping windows at once, such as `avg(last_5m)` at every evaluation.

Each window is reduced separately, without running sums, so that a value that has left the window causes no
rounding error: a sum of zeros after a large value is 0, not 1e-12, and `> 0` does not alert.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.query.ranges import reduce_ranges
from monitoring.query.series import distinct
from monitoring.query.timeseries import Lines

Values = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min // 2
"""The time of the last point if there is none yet."""

AGGREGATIONS = ("avg", "sum", "min", "max", "count", "last")


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Evaluation windows [start, end); `full_bucket`: seconds of a bucket, to check if they are full."""

    starts: Index
    ends: Index
    full_bucket: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """Arrays of [group, window]: the value (NaN for none), whether there are points, and the last one's time.

    `lines` carries the values, with the windows' ends as its times.
    """

    lines: Lines
    points: Flags
    last: Index
    full: Flags | None = None


def reduce_lines(lines: Lines, tail: Lines | None, windows: Windows, method: str) -> Reduced:
    """Reduce the buckets of each line that start in each window by `method`.

    Where windows end inside a bucket, `lines` give the buckets before it, and `tail` that unfinished one.

    Raises:
        InputError: an aggregation that cannot be evaluated here.
    """
    if method not in AGGREGATIONS and not (method[:1] == "p" and method[1:2].isdigit()):
        hint = f"monitors have {', '.join(AGGREGATIONS[:4])}"
        raise InputError(f"{method}() over a window cannot be evaluated offline", hint=hint)
    step = max(1, lines.step)
    labels = (windows.ends - 1) // step * step
    low = lines.times.searchsorted(np.minimum(windows.starts, labels))
    high = lines.times.searchsorted(windows.ends if tail is None else labels)
    values = reduce_ranges(lines.values, low, high, method)
    points, last = _presence(lines, low, high)
    if tail is not None:
        end = _at(tail, lines, labels)
        values = _joined(values, end, lines, low, high, method)
        has_value = np.isfinite(end)
        points, last = points | has_value, np.where(has_value, labels, last)
    full = points & _full_rows(lines, windows) if windows.full_bucket else None
    return Reduced(replace(lines, times=windows.ends, values=values), points, last, full)


def _presence(lines: Lines, low: Index, high: Index) -> tuple[Flags, Index]:
    """Return whether each window holds a point of each line, and the time of the last one before its end."""
    has_value = np.isfinite(lines.values)
    times = np.append(lines.times, NEVER)
    if has_value.all():
        shape = (len(lines.groups), len(low))
        return np.broadcast_to(high > low, shape), np.broadcast_to(times[high - 1], shape)
    place = np.maximum.accumulate(np.where(has_value, np.arange(has_value.shape[1]), -1), axis=1)
    before = np.concatenate([np.full((len(place), 1), -1), place], axis=1)[:, high]
    return before >= low, times[before]


def _at(tail: Lines, like: Lines, labels: Index) -> Values:
    """Return the values of `tail` in the buckets `labels`, in the rows of `like`."""
    rows = {group: row for row, group in enumerate(tail.groups)}
    values = tail.at(distinct(labels))
    column = values.times.searchsorted(labels)
    result = np.full((len(like.groups), len(labels)), np.nan)
    for row, group in enumerate(like.groups):
        if group in rows:
            result[row] = values.values[rows[group], column]
    return result


def _joined(values: Values, end: Values, lines: Lines, low: Index, high: Index, method: str) -> Values:
    """Return the reduction of the whole buckets combined with the last bucket."""
    if method in {"min", "max"}:
        joined: Values = (np.fmin if method == "min" else np.fmax)(values, end)
        return joined
    if method == "last":
        return np.where(np.isfinite(end), end, values)
    has_value = np.isfinite(end)
    count = np.nan_to_num(reduce_ranges(lines.values, low, high, "count")) + has_value
    whole = reduce_ranges(lines.values, low, high, "sum") if method == "avg" else values
    total = np.nan_to_num(whole) + (has_value if method == "count" else np.nan_to_num(end))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count if method == "avg" else total, np.nan)


def _full_rows(lines: Lines, windows: Windows) -> Flags:
    result = np.zeros((len(lines.groups), len(windows.ends)), dtype=np.bool_)
    for row in range(len(lines.groups)):
        times = lines.times[np.isfinite(lines.values[row])]
        result[row] = full(times, windows, windows.full_bucket or 60, lines.step)
    return result


def full(times: Index, windows: Windows, bucket: int, width: int = 1) -> Flags:
    """Return whether each window is full: a point in its first bucket, and at most 3 empty buckets.

    `width` is the length in seconds of a point; buckets are not finer than that. A window of one
    bucket is full if it holds a point at all, which the caller knows.
    """
    bucket = max(bucket, width)
    starts, ends = windows.starts, windows.ends
    result = np.zeros(len(starts), dtype=np.bool_)
    for phase in distinct(starts % bucket).tolist():
        in_phase = starts % bucket == phase
        filled = distinct((times - phase) // bucket)
        first = (starts[in_phase] - phase) // bucket
        size = -((starts[in_phase] - ends[in_phase]) // bucket)
        low, high = filled.searchsorted(first), filled.searchsorted(first + size)
        has_first = np.append(filled, -1)[np.minimum(low, len(filled))] == first
        result[in_phase] = np.where(size > 1, has_first & (size - (high - low) <= 3), True)
    return result


def reduce_points(
    times: Index, values: Values, starts: Index, ends: Index, method: str
) -> tuple[Values, Flags, Index]:
    """Return for each window of a line the value, whether it has points, and the time of the last one."""
    line = Lines((), ((),), times, values[None, :], 1)
    reduced = reduce_lines(line, None, Windows(starts, ends), method)
    return reduced.lines.values[0], reduced.points[0], reduced.last[0]
