"""Query a folder of Parquet files, as `stepscope replay` writes them, without importing them.

DuckDB reads only the days and the metric that a query needs, and aggregates them by bucket. Python receives
one row per source and bucket, so memory does not depend on the number of points.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import duckdb

from monitoring.errors import InputError
from monitoring.query.sources import Origin
from monitoring.store.batch import SeriesIdentity
from monitoring.store.query_source import Columns, StoreSource, ids_within

_LATEST = 1 << 33


class Partitions:
    """The files of a folder partitioned by `day=` and `metric=`, and the sources of each metric.

    Args:
        folder: contains `day=2026-11-23/metric=shop.orders/*.parquet` with the columns `timestamp`, `value`,
            `type` and `tags`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection = duckdb.connect()
        self._connection.execute("SET preserve_insertion_order = false")
        self._connection.execute("CREATE TABLE sources (id INTEGER, metric VARCHAR, tags VARCHAR[])")
        self._sources: dict[str, dict[int, SeriesIdentity]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connection and free its memory."""
        self._connection.close()

    def metrics(self) -> list[str]:
        """Return the names of the metrics."""
        return sorted({path.name.removeprefix("metric=") for path in self._folder.glob("day=*/metric=*")})

    def span(self, metrics: Sequence[str]) -> tuple[float, float]:
        """Return the first and the last time of some metrics, in epoch seconds; of all metrics for none.

        Raises:
            InputError: the metrics have no points.
        """
        names = [name for name in metrics or self.metrics() if self._files(name)]
        bounds = [self._rows("min(timestamp), max(timestamp)", name)[0] for name in names]
        if not bounds:
            raise InputError("the files have no points of these metrics", where=str(self._folder))
        return min(first for first, _ in bounds), max(last for _, last in bounds)

    def sources(self, metric: str) -> dict[int, SeriesIdentity]:
        """Return the sources of a metric by their ids; each distinct list of tags is a source."""
        with self._lock:
            if metric not in self._sources:
                self._sources[metric] = self._read_sources(metric)
            return self._sources[metric]

    def scan(self, ids: Sequence[int], start: int, end: float) -> str:
        """Return the SQL of the points of some sources in `[start, end)`: series_id, time, value."""
        selected = set(ids)
        with self._lock:
            metrics = [
                metric for metric, sources in self._sources.items() if not selected.isdisjoint(sources)
            ]
        parts = []
        for metric in metrics:
            files = self._scan(metric, start, end)
            parts.append(
                "SELECT s.id AS series_id, CAST(floor(p.timestamp) AS BIGINT) AS time, p.value AS value"  # noqa: S608 - quoted
                f" FROM {files} p JOIN sources s ON s.tags = p.tags AND s.metric = {_text(metric)}"
                f" WHERE p.timestamp >= {start} AND p.timestamp < {ceil(min(end, _LATEST))}"
            )
        return f"({' UNION ALL '.join(parts)})"

    @contextmanager
    def reading(self, _ids: object = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor."""
        with self._connection.cursor() as cursor:
            yield cursor

    def _read_sources(self, metric: str) -> dict[int, SeriesIdentity]:
        if not self._files(metric):
            return {}
        rows = self._rows("DISTINCT tags", metric)
        first = sum(map(len, self._sources.values()))
        tags_by_id = {first + at: tags for at, (tags,) in enumerate(sorted(rows))}
        with self._connection.cursor() as cursor:
            if tags_by_id:
                source_rows = [(at, metric, tags) for at, tags in tags_by_id.items()]
                cursor.executemany("INSERT INTO sources VALUES (?, ?, ?)", source_rows)
        return {
            at: SeriesIdentity(metric, "", tuple(tags), "distribution", None)
            for at, tags in tags_by_id.items()
        }

    def _files(self, metric: str) -> bool:
        return next(self._folder.glob(f"day=*/metric={_escaped(metric)}/*.parquet"), None) is not None

    def _scan(self, metric: str, start: int = 0, end: float = _LATEST) -> str:
        """Return the SQL that reads the files of a metric for the days between the times."""
        pattern = f"{self._folder}/day=*/metric={_escaped(metric)}/*.parquet"
        times = (datetime.fromtimestamp(max(0, min(at, _LATEST)), UTC) for at in (start, end))
        first, last = (f"{time:%Y-%m-%d}" for time in times)
        days = f"day >= '{first}' AND day <= '{last}'"
        reader = f"read_parquet({_text(pattern)}, hive_partitioning = true, hive_types_autocast = false)"
        return f"(SELECT * FROM {reader} WHERE {days})"  # noqa: S608 - quoted

    def _rows(self, columns: str, metric: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {self._scan(metric)}"  # noqa: S608 - columns of ours, a quoted name
        with self.reading() as cursor:
            try:
                return list(cursor.execute(query).fetchall())
            except duckdb.Error as error:
                message = f"the files cannot be read: {str(error).splitlines()[0]}"
                raise InputError(message, where=str(self._folder)) from error


class ParquetSource(StoreSource):
    """A `monitoring.query.Source` over a folder of Parquet files."""

    def __init__(self, partitions: Partitions) -> None:
        super().__init__(partitions)
        self._partitions = partitions

    def _query_columns(self, query: str, origins: Sequence[Origin], start: int, end: float) -> Columns:
        ids = [origin.key for origin in origins]
        clauses = f"FROM {self._partitions.scan(ids, start, end)} WHERE {ids_within(ids, start, end)}"
        with self._partitions.reading() as cursor:
            return cast("Columns", cursor.execute(query.replace("{wanted}", clauses)).fetchnumpy())


def has_partitions(path: Path) -> bool:
    """Return whether a folder is partitioned by day and metric and has distributions only."""
    files = path.glob("day=*/metric=*/*.parquet") if path.is_dir() else ()
    samples = {file.parent.name: str(file) for file in files}  # a metric has one type
    if not samples:
        return False
    with duckdb.connect() as connection:
        query = "SELECT DISTINCT type FROM read_parquet(?)"
        rows = connection.execute(query, [list(samples.values())]).fetchall()
    return bool(rows == [("distribution",)])


def _escaped(metric: str) -> str:
    return quote(metric, safe="").replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
