"""A folder of Parquet files, as `stepscope replay` writes them, as a source of queries: read where it lies.

DuckDB reads only the days and the metric that a query asks for, and buckets them; what comes to Python is a
row for each source and bucket, so that memory does not depend on the number of points.
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
    """The files of a folder partitioned by `day=` and `metric=`, and which sources each metric has.

    Args:
        folder: holds `day=2026-11-23/metric=shop.orders/*.parquet`, of `timestamp`, `value`, `type`, `tags`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection = duckdb.connect()
        self._connection.execute("SET preserve_insertion_order = false")
        self._connection.execute("CREATE TABLE sources (id INTEGER, metric VARCHAR, tags VARCHAR[])")
        self._known: dict[str, dict[int, SeriesIdentity]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def metrics(self) -> list[str]:
        """Return the names of the metrics."""
        return sorted({path.name.removeprefix("metric=") for path in self._folder.glob("day=*/metric=*")})

    def span(self, metrics: Sequence[str]) -> tuple[float, float]:
        """Return the first and the last time of some metrics, of all for none.

        Raises:
            InputError: they have no point.
        """
        names = [name for name in metrics or self.metrics() if self._files(name)]
        bounds = [self._rows("min(timestamp), max(timestamp)", name)[0] for name in names]
        if not bounds:
            raise InputError("the files hold no such points", where=str(self._folder))
        return min(first for first, _ in bounds), max(last for _, last in bounds)

    def sources(self, metric: str) -> dict[int, SeriesIdentity]:
        """Return the sources of a metric by their ids: each list of tags is one."""
        with self._lock:
            if metric not in self._known:
                self._known[metric] = self._read_sources(metric)
            return self._known[metric]

    def scan(self, ids: Sequence[int], start: int, end: float) -> str:
        """Return the SQL of the points of some sources in `[start, end)`: series_id, time, value."""
        wanted = set(ids)
        with self._lock:
            metrics = [metric for metric, known in self._known.items() if not wanted.isdisjoint(known)]
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
        first = sum(map(len, self._known.values()))
        known = {first + at: tags for at, (tags,) in enumerate(sorted(rows))}
        with self._connection.cursor() as cursor:
            if known:
                own = [(at, metric, tags) for at, tags in known.items()]
                cursor.executemany("INSERT INTO sources VALUES (?, ?, ?)", own)
        return {
            at: SeriesIdentity(metric, "", tuple(tags), "distribution", None) for at, tags in known.items()
        }

    def _files(self, metric: str) -> bool:
        return next(self._folder.glob(f"day=*/metric={_escaped(metric)}/*.parquet"), None) is not None

    def _scan(self, metric: str, start: int = 0, end: float = _LATEST) -> str:
        """Return the SQL of a metric's files, of the days that the times touch."""
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
    """A `monitoring.query.Source` over such a folder."""

    def __init__(self, partitions: Partitions) -> None:
        super().__init__(partitions)
        self._partitions = partitions

    def _asked(self, query: str, origins: Sequence[Origin], start: int, end: float) -> Columns:
        ids = [origin.key for origin in origins]
        wanted = f"FROM {self._partitions.scan(ids, start, end)} WHERE {ids_within(ids, start, end)}"
        with self._partitions.reading() as cursor:
            return cast("Columns", cursor.execute(query.replace("{wanted}", wanted)).fetchnumpy())


def has_partitions(path: Path) -> bool:
    """Return whether a folder holds distributions alone, partitioned by day and metric."""
    files = path.glob("day=*/metric=*/*.parquet") if path.is_dir() else ()
    one_of_each = {file.parent.name: str(file) for file in files}  # a metric has one type
    if not one_of_each:
        return False
    with duckdb.connect() as connection:
        query = "SELECT DISTINCT type FROM read_parquet(?)"
        rows = connection.execute(query, [list(one_of_each.values())]).fetchall()
    return bool(rows == [("distribution",)])


def _escaped(metric: str) -> str:
    return quote(metric, safe="").replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
