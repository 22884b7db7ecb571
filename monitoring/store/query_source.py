"""Make a store a source of query evaluation: DuckDB reads and aggregates the points by series."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import ceil
from typing import TYPE_CHECKING, Protocol, cast

import duckdb
import numpy as np
from numpy.typing import NDArray

from monitoring.query.grid import Grid
from monitoring.query.nodes import Metric, Scope
from monitoring.query.selection import all_tags, matcher
from monitoring.query.sources import (
    Buckets,
    Floats,
    Members,
    Origin,
    Points,
    aggregate,
    occupied_columns,
)
from monitoring.store.batch import SeriesIdentity
from monitoring.store.pooling import pool

if TYPE_CHECKING:
    from monitoring.query.series import MetricType

_AGGREGATES = {"avg": "avg(value)", "sum": "sum(value)", "min": "min(value)", "max": "max(value)"}
_LATEST = 1 << 33
Columns = dict[str, NDArray[np.generic]]


class Database(Protocol):
    """The methods of a store that a source needs."""

    def sources(self, metric: str) -> dict[int, SeriesIdentity]:
        """Return the sources of a metric by their ids."""

    def reading(
        self, series: Sequence[int] | None = None
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Give a cursor."""


class StoreSource:
    """A `monitoring.query.Source` over a store; it sees data that is appended later."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._origins: dict[tuple[int, SeriesIdentity], Origin] = {}

    def select(self, metric: str, scope: Scope, substring: bool = True) -> Sequence[Origin]:
        """Return the sources of a metric that a scope selects, sorted by their tags."""
        test = matcher(scope, substring)
        origins = [self._origin(ident, source) for ident, source in self._store.sources(metric).items()]
        return sorted(
            (candidate for candidate in origins if test(candidate.tags)),
            key=lambda origin: sorted(origin.tags),
        )

    def bucket(
        self, origins: Sequence[Origin], grid: Grid, aggregator: str, until: float, occupied: bool
    ) -> Buckets:
        """Return the points before `until`, aggregated by source and bucket."""
        if not len(grid) or not origins:
            return Buckets(grid.starts[:0] if occupied else grid.starts, np.empty((len(origins), 0)))
        start, end = int(grid.edges[0]), min(until, float(grid.edges[-1]))
        if not grid.uniform:
            return aggregate(self.points(origins, start, end), grid, len(origins), aggregator, occupied)
        value = _AGGREGATES.get(aggregator, "CAST(count(*) AS DOUBLE)")
        bucket = f"(time - {start}) // {grid.step}"
        query = (
            f"SELECT series_id, {bucket} AS bucket, {value} AS value {{wanted}} GROUP BY series_id, bucket"
        )
        rows = self._query_columns(query, origins, start, end)
        row, column = self._indexes(origins, rows["series_id"]), rows["bucket"].astype(np.int64)
        starts = grid.starts
        if occupied:
            filled, column = occupied_columns(column, len(grid))
            starts = starts[filled]
        values = np.full((len(origins), len(starts)), np.nan)
        values[row, column] = rows["value"]
        return Buckets(starts, values)

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the raw points in `[start, end)`, by source and time."""
        if not origins:
            return Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        query = "SELECT series_id, time, value {wanted} ORDER BY series_id, time"
        rows = self._query_columns(query, origins, start, end)
        indexes, times = self._indexes(origins, rows["series_id"]), rows["time"].astype(np.int64)
        order = np.argsort(indexes, kind="stable")
        return Points(indexes[order], times[order], rows["value"].astype(np.float64)[order])

    def _origin(self, ident: int, source: SeriesIdentity) -> Origin:
        key = (ident, source)
        if key not in self._origins:
            kind = cast("MetricType", source.type or "gauge")
            self._origins[key] = Origin(all_tags(source.tags, source.host), kind, source.interval, ident)
        return self._origins[key]

    def pool(self, node: Metric, members: Members, grid: Grid, until: float) -> Floats:
        """Return a distribution's values of each group and bucket, reduced by the query's aggregator."""
        if not len(grid) or not members.origins:
            return np.full((members.groups, len(grid)), np.nan)

        def points(start: int, end: float) -> str:
            return self._relation(members.origins, start, end, named=not members.together)

        with self._store.reading([origin.key for origin in members.origins]) as cursor:
            return pool(cursor, points, node, members, grid, until)

    def _query_columns(self, query: str, origins: Sequence[Origin], start: int, end: float) -> Columns:
        """Return the result of a query as columns; `{wanted}` stands for its FROM clause."""
        points = self._relation(origins, start, end)
        with self._store.reading([origin.key for origin in origins]) as cursor:
            return cast("Columns", cursor.execute(query.replace("{wanted}", f"FROM {points}")).fetchnumpy())

    def _relation(self, origins: Sequence[Origin], start: int, end: float, *, named: bool = True) -> str:
        """Return the SQL of the points of some sources: series_id, time, value.

        Distributions are in a table of their own. Without `named`, series_id may be left out.
        """
        parts = []
        for table in ("points", "samples"):
            ids = [
                origin.key for origin in origins if (origin.type == "distribution") == (table == "samples")
            ]
            if ids:
                parts.append(
                    f"SELECT series_id, time, value FROM {table} WHERE {ids_within(ids, start, end)}"  # noqa: S608
                )
        return f"({' UNION ALL '.join(parts)})"

    @staticmethod
    def _indexes(origins: Sequence[Origin], ids: NDArray[np.generic]) -> NDArray[np.int64]:
        """Return the index in `origins` of each series id."""
        keys = np.array([origin.key for origin in origins], np.int64)
        order = np.argsort(keys)
        return order[np.searchsorted(keys, ids, sorter=order)]


def ids_within(ids: list[int], start: int, end: float) -> str:
    """Return the WHERE clause of the scan; it contains integers only, no text of a user.

    Consecutive ids are a range, which costs the scan nothing; a list of a thousand ids doubles its time.
    """
    lowest, highest = min(ids), max(ids)
    clause = f"series_id BETWEEN {lowest} AND {highest}"
    if highest - lowest >= len(ids):
        clause += f" AND series_id IN ({','.join(map(str, ids))})"
    return f"{clause} AND time >= {start} AND time < {ceil(min(end, _LATEST))}"
