"""Read the store: metrics by name; series, spans and logs by their tags and times."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, cast

import duckdb
import numpy as np
from numpy.typing import NDArray

from monitoring.log_events.telemetry import Span
from monitoring.query.series import MetricType, Series
from monitoring.store import rows
from monitoring.store.catalog import DISTRIBUTION
from monitoring.store.parquet_source import ParquetSource

_BOUNDS = "({column} >= $start OR $start IS NULL) AND ({column} < $end OR $end IS NULL)"
_METRICS = """
    WITH stored AS (
        SELECT series_id, time, value FROM points UNION ALL SELECT series_id, time, value FROM samples)
    SELECT metric, any_value(type), count(*), sum(value), min(time), max(time)
    FROM stored JOIN series USING (series_id) GROUP BY metric ORDER BY metric"""
_SERIES = """
    SELECT series_id, metric, type, host, tags, interval FROM series
    WHERE (metric = $metric OR $metric IS NULL)
      AND list_has_all(list_append(tags, 'host:' || host), $tags::VARCHAR[])
    ORDER BY metric, host, tags"""


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """The number of points of a metric, their sum, and the epoch seconds of the first and the last.

    `replayed` tells that a replay beside the database has points, too: they are not counted.
    """

    name: str
    type: str
    points: int
    sum: float
    first: int
    last: int
    replayed: bool = False


class Answers:
    """The queries of a `Store`; `reading` gives a cursor that sees everything appended so far.

    `history` holds the points of a replay that are read beside those of the database; None without one.
    """

    history: ParquetSource | None = None

    def reading(
        self, series: Sequence[int] | None = None
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Yield a cursor of the database."""
        raise NotImplementedError

    def metrics(self) -> list[MetricSummary]:
        """Return every metric that has points, by name; each value of a distribution counts as a point."""
        with self.reading() as cursor:
            stored = [MetricSummary(*row) for row in cursor.execute(_METRICS).fetchall()]
        return with_replayed(stored, self.history) if self.history else stored

    def series(
        self,
        metric: str | None = None,
        start: float | None = None,
        end: float | None = None,
        tags: Sequence[str] = (),
    ) -> list[Series]:
        """Return the series of a metric (None: all) that have all of the tags and points in [start, end)."""
        parameters = {"metric": metric, "tags": [tag.lower() for tag in tags]}
        with self.reading() as cursor:
            series_rows = cursor.execute(_SERIES, parameters).fetchall()
            ids = [row[0] for row in series_rows]
            columns = [_columns(cursor, table, ids, start, end) for table in ("points", "samples")]
        return [line for row in series_rows if (line := _series(row, columns)) is not None]

    def transitions(self, monitor_id: int, end: float | None = None) -> list[tuple[int, str, str]]:
        """Return the state changes of a monitor's groups before `end`: seconds, group, state ("": none)."""
        query = (
            "SELECT time, group_name, state FROM transitions WHERE monitor_id = $monitor_id"
            " AND (time < $end OR $end IS NULL) ORDER BY time, group_name"
        )
        with self.reading() as cursor:
            rows = cursor.execute(query, {"monitor_id": monitor_id, "end": end}).fetchall()
        return [(time, group, state) for time, group, state in rows]

    def spans(
        self,
        trace_id: str | None = None,
        service: str | None = None,
        name: str | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> list[Span]:
        """Return the spans that started in [start, end) epoch seconds, in the order of their start."""
        where = "".join(f" AND (${key} IS NULL OR {key} = ${key})" for key in ("trace_id", "service", "name"))
        query = f"SELECT * FROM spans WHERE {_BOUNDS.format(column='time')}{where} ORDER BY start"  # noqa: S608
        parameters = {"trace_id": trace_id, "service": service, "name": name, "start": start, "end": end}
        with self.reading() as cursor:
            return [rows.to_span(row) for row in cursor.execute(query, parameters).fetchall()]

    def logs(
        self,
        service: str | None = None,
        source: str | None = None,
        text: str | None = None,
        tags: Sequence[str] = (),
        start: float | None = None,
        end: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return the logs in [start, end) epoch seconds that contain `text` and have every tag, by time."""
        where = "".join(f" AND (${key} IS NULL OR {key} = ${key})" for key in ("service", "source"))
        query = (
            f"SELECT * FROM logs WHERE {_BOUNDS.format(column='time / 1000')}{where}"  # noqa: S608
            " AND ($text IS NULL OR contains(message, $text)) AND list_has_all(tags, $tags::VARCHAR[])"
            " ORDER BY time"
        )
        parameters = {
            "service": service,
            "source": source,
            "text": text,
            "tags": [tag.lower() for tag in tags],
        }
        with self.reading() as cursor:
            log_rows = cursor.execute(query, parameters | {"start": start, "end": end}).fetchall()
        return [rows.to_log(row) for row in log_rows]


def with_replayed(stored: Sequence[MetricSummary], history: ParquetSource) -> list[MetricSummary]:
    """Return the metrics of a database and of a replay, by name; one of both spans both."""
    metrics = {metric.name: metric for metric in stored}
    for name, times in history.partitions.spans().items():
        first, last = map(int, times)
        known = metrics.get(name) or MetricSummary(name, DISTRIBUTION, 0, 0.0, first, last)
        first, last = min(known.first, first), max(known.last, last)
        metrics[name] = replace(known, first=first, last=last, replayed=True)
    return [metrics[name] for name in sorted(metrics)]


_ColumnsById = dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]


def _columns(
    cursor: duckdb.DuckDBPyConnection, table: str, ids: list[int], start: float | None, end: float | None
) -> _ColumnsById:
    query = (
        f"SELECT series_id, time, value FROM {table} WHERE series_id IN (SELECT unnest($ids))"  # noqa: S608
        f" AND {_BOUNDS.format(column='time')} ORDER BY series_id, time"
    )
    result = cursor.execute(query, {"ids": ids, "start": start, "end": end}).fetchnumpy()
    series_ids = np.asarray(result["series_id"])
    if not len(series_ids):
        return {}
    cuts = np.flatnonzero(series_ids[1:] != series_ids[:-1]) + 1
    times, values = np.split(np.asarray(result["time"]), cuts), np.split(np.asarray(result["value"]), cuts)
    starts = series_ids[np.concatenate(([0], cuts))].tolist()
    return dict(zip(starts, zip(times, values, strict=True), strict=True))


def _series(row: tuple[Any, ...], columns: list[_ColumnsById]) -> Series | None:
    ident, metric, kind, host, tags, interval = row
    points = next((part[ident] for part in columns if ident in part), None)
    if points is None:
        return None
    metric_type = cast("MetricType", kind or "gauge")
    return Series(metric, tuple(tags), *points, type=metric_type, interval=interval, host=host)
