"""Define the sources of points of an evaluation: the interface, and series in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from monitoring.query.grid import Grid
from monitoring.query.nodes import Metric, Scope
from monitoring.query.selection import Tags, all_tags, matcher
from monitoring.query.series import MetricType, Series, distinct

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Origin:
    """A source of points: its tags (lower case, with `host:…`), its type, and the key of its `Source`."""

    tags: Tags
    type: MetricType
    interval: int | None
    key: int


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """`values[source, bucket]`, NaN for no point; `starts` are the starts of the buckets."""

    starts: Times
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points of several sources; `origin` is the index of the source in the requested list."""

    origin: Times
    times: Times
    values: Floats


class Source(Protocol):
    """Interface that selects sources by scope and aggregates points by source and bucket."""

    def select(self, metric: str, scope: Scope, substring: bool = True) -> Sequence[Origin]:
        """Return the sources of a metric that a scope selects, in a stable order."""
        ...

    def bucket(
        self, origins: Sequence[Origin], grid: Grid, aggregator: str, until: float, occupied: bool
    ) -> Buckets:
        """Return the points before `until`, aggregated by source and bucket: avg, sum, min, max or count.

        With `occupied`, only buckets with a point of any of the sources, otherwise all of the grid.
        """
        ...

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the raw points in `[start, end)`."""
        ...


class Members(NamedTuple):
    """Which sources belong to which groups: `origins[origin[i]]` to group `owner[i]`, of `groups` groups."""

    origins: Sequence[Origin]
    origin: Times
    owner: Times
    groups: int

    @property
    def together(self) -> bool:
        """Return whether all sources are in one group, each once."""
        return self.groups == 1 and len(self.origin) == len(self.origins)


@runtime_checkable
class PoolingSource(Protocol):
    """A `Source` that pools distributions itself, so that their values need not be held in memory."""

    def pool(self, node: Metric, members: Members, grid: Grid, until: float) -> Floats:
        """Return `values[group, bucket]` of uniform buckets, NaN where there is none.

        All values before `until` of a group and bucket are reduced by the query's aggregator or threshold;
        percentiles are those of rank `floor(q * (n - 1))`.
        """
        ...


class SeriesSource:
    """A `Source` of series in memory; it has an index, so reuse it for repeated evaluation."""

    def __init__(self, series: Iterable[Series]) -> None:
        self._series = _merged(series)
        self._by_metric: dict[str, list[int]] = {}
        for at, line in enumerate(self._series):
            self._by_metric.setdefault(line.metric, []).append(at)
        self._origins = [
            Origin(all_tags(line.tags, line.host), line.type, line.interval, at)
            for at, line in enumerate(self._series)
        ]

    def select(self, metric: str, scope: Scope, substring: bool = True) -> Sequence[Origin]:
        """Return the sources of a metric that a scope selects, sorted by their tags."""
        test = matcher(scope, substring)
        selected = [
            self._origins[at] for at in self._by_metric.get(metric, ()) if test(self._origins[at].tags)
        ]
        return sorted(selected, key=lambda origin: sorted(origin.tags))

    def bucket(
        self, origins: Sequence[Origin], grid: Grid, aggregator: str, until: float, occupied: bool
    ) -> Buckets:
        """Return the points before `until`, aggregated by source and bucket."""
        if not len(grid):
            return Buckets(grid.starts, np.empty((len(origins), 0)))
        end = min(until, float(grid.edges[-1]))
        selected = self.points(origins, int(grid.edges[0]), end)
        return aggregate(selected, grid, len(origins), aggregator, occupied)

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the raw points in `[start, end)`."""
        picked = []
        for at, origin in enumerate(origins):
            series = self._series[origin.key]
            first, last = np.searchsorted(
                series.times, [start, int(np.ceil(end))] if end < 2**62 else [start, 2**62]
            )
            picked.append((at, series.times[first:last], series.values[first:last]))
        if not picked:
            return Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        lengths = [len(times) for _, times, _ in picked]
        origin_of = np.repeat(np.arange(len(picked), dtype=np.int64), lengths)
        times = np.concatenate([times for _, times, _ in picked])
        values = np.concatenate([values for _, _, values in picked]).astype(np.float64, copy=False)
        finite = np.isfinite(values)
        if not finite.all():
            origin_of, times, values = origin_of[finite], times[finite], values[finite]
        return Points(origin_of, times, values)


def aggregate(points: Points, grid: Grid, sources: int, aggregator: str, occupied: bool) -> Buckets:
    """Aggregate points, which are sorted by source and time, by source and bucket."""
    column = grid.index(points.times)
    starts = grid.starts
    if occupied:
        occupied_buckets, column = occupied_columns(column, len(grid))
        starts = starts[occupied_buckets]
    width = len(starts)
    values = np.full(sources * width, np.nan)
    if len(column):
        flat = points.origin * width + column
        first = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
        values[flat[first]] = _reduced(points.values, first, aggregator)
    return Buckets(starts, values.reshape(sources, width))


def occupied_columns(columns: Times, count: int) -> tuple[Times, Times]:
    """Return the distinct columns, sorted, and the index of each column among them."""
    if count > 50_000_000:
        distinct_columns = distinct(columns)
        return distinct_columns, distinct_columns.searchsorted(columns)
    is_occupied = np.zeros(count, dtype=bool)
    is_occupied[columns] = True
    places = np.cumsum(is_occupied)
    return np.flatnonzero(is_occupied), (places - 1)[columns]


def _reduced(values: Floats, first: Times, aggregator: str) -> Floats:
    """Reduce each run of points, which begins at `first[i]`, to a value."""
    if len(first) == len(values):
        return np.ones(len(values)) if aggregator == "count" else values
    if aggregator == "min":
        return np.minimum.reduceat(values, first)
    if aggregator == "max":
        return np.maximum.reduceat(values, first)
    counts = np.diff(np.append(first, len(values)))
    if aggregator == "count":
        return counts.astype(np.float64)
    sums = np.add.reduceat(values, first)
    return sums if aggregator == "sum" else sums / counts


def as_source(series: "Iterable[Series] | Source") -> Source:
    """Return the argument as a `Source`."""
    if isinstance(series, Iterable):
        return SeriesSource(series)
    return series


def _merged(series: Iterable[Series]) -> list[Series]:
    """Return a series per source, sorted by time; of two points of a second the later one is used."""
    groups: dict[tuple[str, Tags, bool], list[Series]] = {}
    for line in series:
        key = (line.metric, all_tags(line.tags, line.host), line.type == "distribution")
        groups.setdefault(key, []).append(line)
    return [_one(parts) for parts in groups.values()]


def _one(parts: list[Series]) -> Series:
    first = parts[0]
    if len(parts) == 1 and _ascending(first):
        return first
    times = np.concatenate([part.times for part in parts])
    values = np.concatenate([part.values for part in parts])
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    if first.type != "distribution":
        last = np.append(times[1:] != times[:-1], True)
        times, values = times[last], values[last]
    return replace(first, times=times, values=values)


def _ascending(series: Series) -> bool:
    """Return whether the times are strictly ascending, or ascending for a distribution."""
    steps = np.diff(series.times)
    return bool((steps >= 0).all() if series.type == "distribution" else (steps > 0).all())
