"""Aggregate distributions over time and space: counts, sums, means, percentiles, thresholds."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from monitoring.query.frame import EvaluationFrame
from monitoring.query.grid import Grid
from monitoring.query.nodes import Metric
from monitoring.query.series import distinct
from monitoring.query.sources import Floats, Members, Origin, Points, PoolingSource, Source, Times
from monitoring.query.timeseries import aggregate_rows

_COMPARE: dict[str, Callable[[Any, float], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}
GAMMA = 1 + 1 / 64
"""The ratio of adjacent bins of Datadog's sketches; a percentile is within 1/128 of the true value."""


def pooled(
    node: Metric,
    frame: EvaluationFrame,
    grid: Grid,
    origins: Sequence[Origin],
    origin: Times,
    owner: Times,
    groups: int,
) -> Floats:
    """Return a row per group: the aggregator of the query over all values of a bucket, NaN without any.

    A percentile is the value at rank `floor(q * (n - 1))`, as in sketches. With the switch `quantiles`
    "sketch" it is rounded to the middle of its bin.
    """
    result = pool(frame.source, node, Members(origins, origin, owner, groups), grid, frame.until)
    sketch = is_percentile(node) and frame.switches.quantiles == "sketch"
    return in_bins(result) if sketch else result


def pool(source: Source, node: Metric, members: Members, grid: Grid, until: float) -> Floats:
    """Return `values[group, bucket]` of a distribution: by the source where it can, else from its points."""
    if grid.uniform and isinstance(source, PoolingSource):
        return source.pool(node, members, grid, until)
    return pool_points(source, node, members, grid, until)


def pool_points(source: Source, node: Metric, members: Members, grid: Grid, until: float) -> Floats:
    """Return `values[group, bucket]` of a distribution, from the buckets or the points of its sources."""
    aggregator = node.aggregator or "avg"
    if node.threshold is None and aggregator in {"avg", "sum", "min", "max", "count"}:
        return _summed(aggregator, source, members, grid, until)
    points = source.points(members.origins, int(grid.edges[0]), min(until, float(grid.edges[-1])))
    cell, values = _cells(points, grid, members.origin, members.owner)
    result = np.full(members.groups * len(grid), np.nan)
    if len(values):
        order = np.lexsort((values, cell))
        cell, values = cell[order], values[order]
        first = np.flatnonzero(np.concatenate(([True], cell[1:] != cell[:-1])))
        result[cell[first]] = _reduced(node, values, first)
    return result.reshape(members.groups, len(grid))


def _summed(aggregator: str, source: Source, members: Members, grid: Grid, until: float) -> Floats:
    def part(name: str) -> Floats:
        rows = source.bucket(members.origins, grid, name, until, False)
        over = name if name in {"min", "max"} else "sum"
        return aggregate_rows(rows.values[members.origin], members.owner, members.groups, over)

    if aggregator != "avg":
        return part(aggregator)
    return part("sum") / part("count")


def _cells(points: Points, grid: Grid, origin: Times, owner: Times) -> tuple[Times, Floats]:
    """Return the cell (group and bucket) and the value of each point; a point may be in several groups."""
    column = grid.index(points.times)
    if len(distinct(origin)) == len(origin):
        group = np.empty(len(origin), dtype=np.int64)
        group[origin] = owner
        return group[points.origin] * len(grid) + column, points.values
    picked = [np.flatnonzero(points.origin == source) for source in origin]
    rows = np.concatenate(picked)
    group = np.repeat(owner, [len(source) for source in picked])
    return group * len(grid) + column[rows], points.values[rows]


def _reduced(node: Metric, values: Floats, first: Times) -> Floats:
    """Reduce each run of sorted values, which begins at `first[i]`, to a value."""
    counts = np.diff(np.append(first, len(values)))
    if node.threshold is not None:
        beyond = _COMPARE[node.threshold.operator](values, node.threshold.value)
        return np.add.reduceat(beyond.astype(np.float64), first)
    if node.aggregator == "stddev":
        mean = np.add.reduceat(values, first) / counts
        squares = np.add.reduceat((values - np.repeat(mean, counts)) ** 2, first)
        return np.sqrt(squares / counts)
    ranked: Floats = values[first + quantile_rank(counts, share_of(node))]
    return ranked


def is_percentile(node: Metric) -> bool:
    """Return whether a query asks for a percentile of a distribution."""
    return node.threshold is None and (node.aggregator or "avg")[0] in "ph"


def share_of(node: Metric) -> float:
    """Return which percentile a query asks for, as a share: 0.95 for `p95`, the median for `histogram`."""
    return 0.5 if node.aggregator == "histogram" else float((node.aggregator or "p50")[1:]) / 100


def quantile_rank(counts: Times, share: float) -> Times:
    """Return the rank of a percentile, floor(share * (n - 1)), without rounding errors."""
    ranks: Times = np.floor(share * (counts - 1) + 1e-9).astype(np.int64)
    return ranks


def percentile(points: Floats, share: float) -> float:
    """Return the value at rank `floor(share / 100 * (n - 1))` of the points."""
    ordered = np.sort(points)
    return float(ordered[quantile_rank(np.array(len(points)), share / 100)])


def in_bins(values: Floats) -> Floats:
    """Round values to the middle of their bin of a sketch."""
    size = np.abs(values)
    small = size < 1e-9
    key = np.round(np.log(np.where(small, 1.0, size)) / np.log(GAMMA))
    return np.where(small, 0.0, np.sign(values) * GAMMA**key)
