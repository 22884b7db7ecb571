"""Limit a source to the points before an offset in each bucket, for evaluations within a bucket."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitoring.query.grid import Grid
from monitoring.query.nodes import Scope
from monitoring.query.sources import Buckets, Origin, Points, Source, aggregate


@dataclass(frozen=True, slots=True)
class Clipped:
    """A `Source` with only those points of another one that are in the first `phase` seconds of each `step`.

    An evaluation `phase` seconds after the start of a bucket sees these points; all evaluations with the same
    phase are computed together.
    """

    source: Source
    step: int
    phase: int

    def select(self, metric: str, scope: Scope, substring: bool = True) -> Sequence[Origin]:
        """Return the sources that a scope selects."""
        return self.source.select(metric, scope, substring)

    def bucket(
        self, origins: Sequence[Origin], grid: Grid, aggregator: str, until: float, occupied: bool
    ) -> Buckets:
        """Return the points in the first `phase` seconds, aggregated by source and bucket."""
        if not len(grid):
            return Buckets(grid.starts, np.empty((len(origins), 0)))
        points = self.points(origins, int(grid.edges[0]), min(until, float(grid.edges[-1])))
        return aggregate(points, grid, len(origins), aggregator, occupied)

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the points in the first `phase` seconds in `[start, end)`."""
        selected = self.source.points(origins, start, end)
        in_phase = selected.times % self.step < self.phase
        return Points(selected.origin[in_phase], selected.times[in_phase], selected.values[in_phase])


def whole_source(source: Source) -> Source | None:
    """Return the source of a clipped one, with whole buckets; None if the source is not clipped."""
    return source.source if isinstance(source, Clipped) else None
