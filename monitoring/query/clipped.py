"""A source as it was at one moment of every bucket: points later in their bucket are not there yet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitoring.query.grid import Grid
from monitoring.query.nodes import Scope
from monitoring.query.sources import Buckets, Origin, Points, Source, aggregate


@dataclass(frozen=True, slots=True)
class Clipped:
    """Only points in the first `phase` seconds of each `step`; a `Source` on top of another.

    An evaluation that falls `phase` seconds into a bucket sees that bucket so: all such evaluations are made
    at once.
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
        """Return the points up to the clip, by source and bucket."""
        if not len(grid):
            return Buckets(grid.starts, np.empty((len(origins), 0)))
        points = self.points(origins, int(grid.edges[0]), min(until, float(grid.edges[-1])))
        return aggregate(points, grid, len(origins), aggregator, occupied)

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the points up to the clip in `[start, end)`."""
        selected = self.source.points(origins, start, end)
        there = selected.times % self.step < self.phase
        return Points(selected.origin[there], selected.times[there], selected.values[there])


def whole_source(source: Source) -> Source | None:
    """Return the source of whole buckets behind a clipped one; None where no bucket is clipped."""
    return source.source if isinstance(source, Clipped) else None
