"""Write pending data to DuckDB within the transaction of the caller; later points replace earlier ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from monitoring.store import schema
from monitoring.store.batch import Columns, SeriesIdentity
from monitoring.store.catalog import Catalog


def write_series(connection: duckdb.DuckDBPyConnection, series: Sequence[tuple[int, SeriesIdentity]]) -> None:
    """Insert new series, and replace those whose type or interval changed."""
    latest = dict(series)
    if not latest:
        return
    connection.execute("DELETE FROM series WHERE series_id IN (SELECT unnest(?))", [list(latest)])
    rows = [(i, s.metric, s.type, s.host, list(s.tags), s.interval) for i, s in latest.items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(
        "INSERT INTO series SELECT unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
        "unnest(?::VARCHAR[]), unnest(?::VARCHAR[][]), unnest(?::INTEGER[])",
        columns,
    )


def write_points(connection: duckdb.DuckDBPyConnection, parts: Sequence[Columns], catalog: Catalog) -> int:
    """Append points; the last one of a series and second wins. Return how many points were overwritten."""
    if not parts:
        return 0
    ids, times, values = _concatenated(parts)
    order = np.argsort((ids.astype(np.int64) << 33) | times, kind="stable")
    ids, times, values = ids[order], times[order], values[order]
    last = np.ones(len(ids), np.bool_)
    last[:-1] = (ids[1:] != ids[:-1]) | (times[1:] != times[:-1])
    overwritten = len(ids) - int(last.sum())
    ids, times, values = ids[last], times[last], values[last]
    overwritten += _delete_superseded(connection, ids, times, catalog.maybe_stored(ids, times))
    _insert(connection, schema.POINTS, ids, times, values)
    catalog.saw(ids, times)
    return overwritten


def write_samples(connection: duckdb.DuckDBPyConnection, parts: Sequence[Columns]) -> None:
    """Append raw values of distributions; several of one series and second are all kept."""
    if parts:
        _insert(connection, schema.SAMPLES, *_concatenated(parts))


def write_table(
    connection: duckdb.DuckDBPyConnection, table: schema.Table, rows: Sequence[Sequence[Any]]
) -> None:
    """Append rows, whose values are in the order of the table's columns; rows of `documents` are changes."""
    if table is schema.DOCUMENTS:
        _write_documents(connection, rows)
    else:
        _append(connection, table, rows)


def _append(
    connection: duckdb.DuckDBPyConnection, table: schema.Table, rows: Sequence[Sequence[Any]]
) -> None:
    if not rows:
        return
    batch: Mapping[str, NDArray[np.object_]] = {
        name: _objects([row[index] for row in rows]) for index, (name, _) in enumerate(table.columns)
    }
    connection.register("incoming", batch)
    connection.execute(f"INSERT INTO {table.name} SELECT {table.casts()} FROM incoming")  # noqa: S608
    connection.unregister("incoming")


def _write_documents(connection: duckdb.DuckDBPyConnection, changes: Sequence[Sequence[Any]]) -> None:
    """Apply changes of documents: the last one of a kind and id wins; one without a body is a deletion."""
    if not changes:
        return
    latest = {(kind, ident): body for kind, ident, body in changes}
    connection.register(
        "changed", {"kind": _objects([k for k, _ in latest]), "id": _objects([i for _, i in latest])}
    )
    connection.execute(
        "DELETE FROM documents USING changed c WHERE documents.kind = c.kind AND documents.id = c.id"
    )
    connection.unregister("changed")
    replaced = [(kind, ident, body) for (kind, ident), body in latest.items() if body is not None]
    _append(connection, schema.DOCUMENTS, replaced)


def _objects(column: list[Any]) -> NDArray[np.object_]:
    array = np.empty(len(column), object)
    array[:] = [None if value is None else str(value) for value in column]
    return array


def _concatenated(
    parts: Sequence[Columns],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    return (
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


def _delete_superseded(
    connection: duckdb.DuckDBPyConnection,
    ids: NDArray[np.int32],
    times: NDArray[np.int64],
    maybe: NDArray[np.bool_],
) -> int:
    if not maybe.any():
        return 0
    late_ids, late_times = ids[maybe], times[maybe]
    connection.register("late", {"series_id": late_ids, "time": late_times})
    deleted = connection.execute(
        "DELETE FROM points USING late WHERE points.series_id = late.series_id AND points.time = late.time "
        "AND points.time BETWEEN ? AND ?",
        [int(late_times.min()), int(late_times.max())],
    ).fetchall()
    connection.unregister("late")
    return int(deleted[0][0])


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    ids: NDArray[np.int32],
    times: NDArray[np.int64],
    values: NDArray[np.float64],
) -> None:
    connection.register("incoming", {"series_id": ids, "time": times, "value": values})
    connection.execute(f"INSERT INTO {table} SELECT series_id, time, value FROM incoming")  # noqa: S608
    connection.unregister("incoming")
