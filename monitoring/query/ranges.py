"""Reduce ranges of columns, for moving windows, wider buckets and windows of monitors."""

from collections.abc import Callable

import numpy as np

from monitoring.query.distribution import percentile
from monitoring.query.sources import Floats, Times


def reduce_ranges(values: Floats, first: Times, last: Times, aggregator: str) -> Floats:
    """Reduce the points of each row in columns `[first[i], last[i])` to a value, NaN without points.

    Args:
        values: a row per line, NaN for no point.
        first: the start of each range; ranges may overlap.
        last: the end of each range, exclusive.
        aggregator: avg, sum, min, max, count, last, median, stddev, or a percentile such as p95.
    """
    if aggregator in _SLOW or aggregator.startswith("p"):
        return _one_by_one(values, first, last, aggregator)
    filled = first < last
    first, last = first[filled], last[filled]
    result = np.full((len(values), len(filled)), np.nan)
    if not len(first) or not len(values):
        return result
    places = np.empty(2 * len(first), dtype=np.int64)
    places[0::2], places[1::2] = first, last
    result[:, filled] = _FAST[aggregator](values, places)
    return result


def _over(function: np.ufunc, values: Floats, places: Times, end: float) -> Floats:
    """Apply a ufunc's reduceat to ranges; a column is added at the end, for ranges that end there."""
    padded = np.concatenate([values, np.full((len(values), 1), end)], axis=1)
    reduced: Floats = function.reduceat(padded, places, axis=1)[:, 0::2]
    return reduced


def _count(values: Floats, places: Times) -> Floats:
    return _over(np.add, np.isfinite(values).astype(np.float64), places, 0.0)


def _sum(values: Floats, places: Times) -> Floats:
    sums = _over(np.add, np.where(np.isfinite(values), values, 0.0), places, 0.0)
    return np.where(_count(values, places) == 0, np.nan, sums)


def _avg(values: Floats, places: Times) -> Floats:
    counts = _count(values, places)
    return _sum(values, places) / np.where(counts == 0, 1, counts)


def _counted(values: Floats, places: Times) -> Floats:
    counts = _count(values, places)
    return np.where(counts == 0, np.nan, counts)


_FAST: dict[str, Callable[[Floats, Times], Floats]] = {
    "avg": _avg,
    "sum": _sum,
    "min": lambda values, places: _over(np.fmin, values, places, np.nan),
    "max": lambda values, places: _over(np.fmax, values, places, np.nan),
    "count": _counted,
}

_SLOW: dict[str, Callable[[Floats], float]] = {
    "last": lambda points: float(points[-1]),
    "median": lambda points: float(np.median(points)),
    "stddev": lambda points: float(np.std(points)),
}


def _one_by_one(values: Floats, first: Times, last: Times, aggregator: str) -> Floats:
    result = np.full((len(values), len(first)), np.nan)
    reducer = _SLOW.get(aggregator) or (lambda points: percentile(points, float(aggregator[1:])))
    for row, line in enumerate(values):
        for column, (start, end) in enumerate(zip(first, last, strict=True)):
            points = line[start:end]
            points = points[np.isfinite(points)]
            if len(points):
                result[row, column] = reducer(points)
    return result


REDUCERS: dict[str, Callable[[Floats, int], float]] = {
    "avg": lambda points, step: float(points.mean()),
    "mean": lambda points, step: float(points.mean()),
    "min": lambda points, step: float(points.min()),
    "max": lambda points, step: float(points.max()),
    "sum": lambda points, step: float(points.sum()),
    "last": lambda points, step: float(points[-1]),
    "count": lambda points, step: float(len(points)),
    "area": lambda points, step: float(points.sum() * step),
    "l2norm": lambda points, step: float(np.sqrt((points**2).sum())),
}
"""Reduce a line to a value: (points, seconds of a bucket) -> number."""


def reduce_line(points: Floats, aggregator: str, step: int = 1) -> float:
    """Reduce the points of a line to a value, as widgets do; NaN without points.

    Args:
        points: values; NaN stands for a missing point.
        aggregator: avg (mean), min, max, sum, last, count, area, l2norm, percentile (p95) or pNN.
        step: seconds of a bucket, for `area`.
    """
    points = points[np.isfinite(points)]
    if not len(points):
        return float("nan")
    if aggregator in REDUCERS:
        return REDUCERS[aggregator](points, step)
    return percentile(points, float(aggregator[1:]) if aggregator[1:2].isdigit() else 95.0)
