"""Join several sources of points to one, so that a query is evaluated over all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from monitoring.query.distribution import pool, pool_points
from monitoring.query.grid import Grid, uniform_grid
from monitoring.query.nodes import Metric, Scope
from monitoring.query.series import distinct
from monitoring.query.sources import Buckets, Floats, Members, Origin, Points, Source, Times


class _Part(NamedTuple):
    """The origins of one of the sources: `places[i]` is the index of `origins[i]` in the requested list."""

    source: Source
    places: Times
    origins: Sequence[Origin]


class JoinedSource:
    """A `Source` of the points of several; the key of an origin is `key * sources + index of its source`.

    A distribution whose tags are in several sources has the values of all. Values that are in several
    sources count several times.
    """

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    def select(self, metric: str, scope: Scope, substring: bool = True) -> Sequence[Origin]:
        """Return the sources of a metric that a scope selects, sorted by their tags."""
        count = len(self._sources)
        origins = [
            replace(origin, key=origin.key * count + index)
            for index, source in enumerate(self._sources)
            for origin in source.select(metric, scope, substring)
        ]
        return sorted(origins, key=lambda origin: sorted(origin.tags))

    def bucket(
        self, origins: Sequence[Origin], grid: Grid, aggregator: str, until: float, occupied: bool
    ) -> Buckets:
        """Return the points before `until`, aggregated by source and bucket."""
        parts = [
            (part.places, part.source.bucket(part.origins, grid, aggregator, until, occupied))
            for part in self._parts(origins)
        ]
        starts = grid.starts
        if occupied:
            starts = distinct(np.sort(np.concatenate([starts[:0], *(part.starts for _, part in parts)])))
        values = np.full((len(origins), len(starts)), np.nan)
        for places, part in parts:
            values[np.ix_(places, np.searchsorted(starts, part.starts))] = part.values
        return Buckets(starts, values)

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the raw points in `[start, end)`, by source and time."""
        origin, times, values = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for part in self._parts(origins):
            points = part.source.points(part.origins, start, end)
            origin.append(part.places[points.origin])
            times.append(points.times)
            values.append(points.values)
        indexes = np.concatenate(origin)
        order = np.argsort(indexes, kind="stable")
        return Points(indexes[order], np.concatenate(times)[order], np.concatenate(values)[order])

    def pool(self, node: Metric, members: Members, grid: Grid, until: float) -> Floats:
        """Return a distribution's values of each group and bucket, reduced by the query's aggregator.

        Each source pools its own values. Where a group has values of several sources in a bucket, the buckets
        from the first to the last such one are computed from the points of all.
        """
        result = np.full((members.groups, len(grid)), np.nan)
        is_shared = np.zeros(result.shape, np.bool_)
        for part in self._parts(members.origins):
            groups, own = _members_of(part, members)
            values = pool(part.source, node, own, grid, until)
            has_value = np.isfinite(values)
            is_shared[groups] |= has_value & np.isfinite(result[groups])
            result[groups] = np.where(has_value, values, result[groups])
        shared = np.flatnonzero(is_shared.any(axis=0))
        if len(shared):
            first, last = int(shared[0]), int(shared[-1]) + 1
            inside = uniform_grid(int(grid.edges[first]), grid.step, last - first)
            result[:, first:last] = pool_points(self, node, members, inside, until)
        return result

    def _parts(self, origins: Sequence[Origin]) -> Iterator[_Part]:
        """Yield the origins of each source that has any, with the keys that it gave them."""
        count = len(self._sources)
        owners = np.array([origin.key % count for origin in origins], np.int64)
        for index, source in enumerate(self._sources):
            places = np.flatnonzero(owners == index)
            if len(places):
                own = [replace(origins[place], key=origins[place].key // count) for place in places.tolist()]
                yield _Part(source, places, own)


def _members_of(part: _Part, members: Members) -> tuple[Times, Members]:
    """Return the groups that have members of one source, and those members, in these groups."""
    indexes = np.full(len(members.origins), -1, np.int64)
    indexes[part.places] = np.arange(len(part.places))
    origin = indexes[members.origin]
    is_own = origin >= 0
    groups, owner = np.unique(members.owner[is_own], return_inverse=True)
    return groups, Members(part.origins, origin[is_own], owner.astype(np.int64), len(groups))
