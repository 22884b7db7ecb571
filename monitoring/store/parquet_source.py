"""Query Parquet files, as `stepscope replay` writes them, without importing them.

DuckDB reads only the days and the metric that a query needs, and aggregates them by bucket. Python receives
one row per group and bucket, so memory does not depend on the number of points. The sources of a metric are
in the footers of its files, so no tags are read.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from monitoring.errors import InputError
from monitoring.query.grid import Grid
from monitoring.query.nodes import Metric
from monitoring.query.sources import Floats, Members, Origin, Points
from monitoring.store.batch import SeriesIdentity
from monitoring.store.parquet_files import PartitionFiles, s3_client
from monitoring.store.query_source import StoreSource

_LATEST = 1 << 33
MOST_POINTS = 20_000_000
"""Raw points, of 24 bytes each, that one question may hold; buckets and groups of a query need none."""
_POOLED = 32
"""Answers that are kept: a query is evaluated again to see which switches decide."""


class Partitions:
    """The files of a place partitioned by `day=` and `metric=`, and the sources of each metric.

    Args:
        place: a folder or `s3://BUCKET/PREFIX` that holds `day=2026-11-23/metric=shop.orders/*.parquet` of
            `timestamp`, `value`, `type`, `tags` and `source`.
        clients: gives boto3's client of a service; needed for S3.
    """

    def __init__(self, place: str | Path, clients: Callable[[str], Any] | None = None) -> None:
        self._place = PartitionFiles(str(place), clients)
        self._connection = duckdb.connect()
        self._connection.execute("SET enable_progress_bar = false")  # it is written to standard output
        # Every join has its small table on the right; by its estimates DuckDB would hash the points instead.
        self._connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        self._connection.execute("SET preserve_insertion_order = false")
        self._connection.execute("CREATE TABLE sources (id INTEGER, metric VARCHAR, source BIGINT)")
        self._sources: dict[str, dict[int, SeriesIdentity]] = {}
        self._spans: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connection, free its memory and delete copies."""
        self._connection.close()
        self._place.close()

    def metrics(self) -> list[str]:
        """Return the names of the metrics."""
        return self._place.metrics()

    def span(self, metrics: Sequence[str]) -> tuple[float, float]:
        """Return the first and the last time of some metrics, in epoch seconds; of all metrics for none.

        Raises:
            InputError: the metrics have no points.
        """
        names = [name for name in metrics or self.metrics() if self._place.days(name)]
        if not names:
            raise InputError("the files have no points of these metrics", where=self._place.place)
        bounds = [bound for name in names for bound in self._bounds(name)]
        return min(bounds), max(bounds)

    def spans(self) -> dict[str, tuple[float, float]]:
        """Return the first and the last time of each metric, from the footers of its first and last day."""
        with self._lock:
            for name in self.metrics():
                if name not in self._spans:
                    self._spans[name] = self._bounds(name)
            return dict(self._spans)

    def identities(self) -> list[SeriesIdentity]:
        """Return the sources of all metrics; in S3 of those that were asked for, as each has its footers."""
        with self._lock:
            asked = sorted(self._sources)
        names = asked if self._place.in_s3 else self.metrics()
        return [source for name in names for source in self.sources(name).values()]

    def sources(self, metric: str) -> dict[int, SeriesIdentity]:
        """Return the sources of a metric by their ids; each distinct list of tags is a source."""
        with self._lock:
            if metric not in self._sources:
                self._sources[metric] = self._read_sources(metric)
            return self._sources[metric]

    def scan(self, ids: Sequence[int], start: int, end: float, *, named: bool = True) -> str:
        """Return the SQL of the points of some sources in `[start, end)`: series_id, time, value.

        Without `named`, series_id is left out where all sources of a metric are wanted, and times may have
        fractions.
        """
        wanted = set(ids)
        with self._lock:
            chosen = [
                (metric, wanted & known.keys(), named or len(wanted) < len(known))
                for metric, known in self._sources.items()
                if not wanted.isdisjoint(known)
            ]
        parts = [self._points(metric, own, (start, end), joined) for metric, own, joined in chosen]
        return f"({' UNION ALL '.join(parts)})"

    @contextmanager
    def reading(self, _ids: object = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor.

        Raises:
            InputError: a file cannot be read.
        """
        with self._connection.cursor() as cursor:
            try:
                yield cursor
            except duckdb.Error as error:
                message = f"the files cannot be read: {str(error).splitlines()[0]}"
                raise InputError(message, where=self._place.place) from error

    def _points(self, metric: str, ids: Iterable[int], times: tuple[int, float], joined: bool) -> str:
        start, end = times
        first, last = (_day(time) for time in times)
        paths = self._place.paths(metric, first, last)
        if not paths:
            return _NOTHING
        within = f"p.timestamp >= {start} AND p.timestamp < {ceil(min(end, _LATEST))}"
        if not joined:
            return f"SELECT p.timestamp AS time, p.value AS value FROM {_reader(paths)} p WHERE {within}"  # noqa: S608
        numbers = ",".join(map(str, sorted(ids)))
        sources = f"(SELECT id, source FROM sources WHERE id IN ({numbers}))"  # noqa: S608 - whole numbers
        return (
            "SELECT s.id AS series_id, CAST(floor(p.timestamp) AS BIGINT) AS time, p.value AS value"  # noqa: S608 - quoted
            f" FROM {_reader(paths)} p JOIN {sources} s USING (source) WHERE {within}"
        )

    def _read_sources(self, metric: str) -> dict[int, SeriesIdentity]:
        paths = self._place.footers(metric)
        if not paths:
            return {}
        tags: dict[int, tuple[str, ...]] = {}
        for footer in self._footers(paths):
            tags |= {int(number): tuple(names) for number, names in json.loads(footer).items()}
        first = sum(map(len, self._sources.values()))
        known = dict(enumerate(sorted(tags.items(), key=lambda item: item[1]), first))
        with self.reading() as cursor:
            query = "INSERT INTO sources SELECT unnest(?::INTEGER[]), ?, unnest(?::BIGINT[])"
            cursor.execute(query, [list(known), metric, [number for number, _ in known.values()]])
        return {
            at: SeriesIdentity(metric, "", names, "distribution", None) for at, (_, names) in known.items()
        }

    def _footers(self, paths: list[str]) -> list[str]:
        """Return the distinct lists of sources that footers hold, as JSON."""
        query = "SELECT DISTINCT decode(value) FROM parquet_kv_metadata(?) WHERE key = 'stepscope_sources'"
        with self.reading() as cursor:
            return [text for (text,) in cursor.execute(query, [paths]).fetchall()]

    def _bounds(self, metric: str) -> tuple[float, float]:
        """Return the first and the last time of a metric, from the footers of its first and last day."""
        days = self._place.days(metric)
        paths = {path for day in (days[0], days[-1]) for path in self._place.footers(metric, day, day)}
        with self.reading() as cursor:
            first, last = cursor.execute(_TIMES, [sorted(paths)]).fetchall()[0]
        return first, last

    def are_distributions(self) -> bool:
        """Return whether there are files, all of distributions: the footers of others name no sources."""
        samples = self._place.samples()
        return bool(samples) and all(self._footers([path]) for path in samples)


class ParquetSource(StoreSource):
    """A `monitoring.query.Source` over such files, which do not change while it lives."""

    def __init__(self, partitions: Partitions) -> None:
        super().__init__(partitions)
        self.partitions = partitions
        self._pooled: dict[tuple[object, ...], Floats] = {}

    def pool(self, node: Metric, members: Members, grid: Grid, until: float) -> Floats:
        """Return a distribution's values of each group and bucket, reduced by the query's aggregator."""
        keys = tuple(origin.key for origin in members.origins)
        cells = (keys, members.origin.tobytes(), members.owner.tobytes(), members.groups)
        asked = (node.aggregator, node.threshold, *cells, grid.edges.tobytes(), until)
        values = self._pooled.get(asked)
        if values is None:
            values = super().pool(node, members, grid, until)
            if len(self._pooled) >= _POOLED:
                self._pooled.clear()
            self._pooled[asked] = values
        return np.array(values)

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the raw points in `[start, end)`, by source and time.

        Raises:
            InputError: there are more than `MOST_POINTS`.
        """
        points = self._relation(origins, start, end) if origins else f"({_NOTHING})"
        query = f"SELECT count(*) FROM (SELECT 1 FROM {points} LIMIT {MOST_POINTS + 1})"  # noqa: S608 - as above
        with self.partitions.reading() as cursor:
            (count,) = cursor.execute(query).fetchall()[0]
        if count > MOST_POINTS:
            raise InputError(
                f"more than {MOST_POINTS:,} points, which are the most that are held in memory",
                hint="Give --from and --to, or a narrower scope.",
            )
        return super().points(origins, start, end)

    def _relation(self, origins: Sequence[Origin], start: int, end: float, *, named: bool = True) -> str:
        return self.partitions.scan([origin.key for origin in origins], start, end, named=named)


def open_partitions(place: str | Path, clients: Callable[[str], Any] | None = None) -> Partitions | None:
    """Return the files of a folder or S3 prefix; None where a folder holds others, or not only distributions.

    Raises:
        InputError: S3 cannot be read, or holds no such files below the prefix.
    """
    in_s3 = str(place).startswith("s3://")
    if not in_s3 and not Path(place).is_dir():
        return None
    partitions = Partitions(place, clients or s3_client)
    if partitions.are_distributions():
        return partitions
    partitions.close()
    if in_s3:
        raise InputError("no Parquet files of a replay", where=str(place), hint=_HINT)
    return None


_HINT = "Give the `out` of the replay; files with counts or gauges have to be copied into a folder."
_TIMES = """
    SELECT min(CAST(coalesce(stats_min_value, stats_min) AS DOUBLE)),
        max(CAST(coalesce(stats_max_value, stats_max) AS DOUBLE))
    FROM parquet_metadata(?) WHERE path_in_schema = 'timestamp'"""
_NOTHING = "SELECT 0 AS series_id, 0::BIGINT AS time, 0::DOUBLE AS value WHERE false"


def _reader(paths: Sequence[str]) -> str:
    names = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{names}], hive_partitioning = false)"


def _day(time: float) -> str:
    return f"{datetime.fromtimestamp(max(0, min(time, _LATEST)), UTC):%Y-%m-%d}"
