"""Store series, points, spans, logs and documents in one DuckDB database, on disk or in memory.

Data survives a crash of the process as soon as an `add_*` method has returned: it is written to the journal
(`monitoring.store.journal`) before the method returns, and to the database within `FLUSH_SECONDS` or before
the next query is answered.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import duckdb
import msgspec
import numpy as np

from monitoring.errors import InputError
from monitoring.log_events.telemetry import Span
from monitoring.query.series import Series
from monitoring.store import database, rows, schema, writer
from monitoring.store.answers import Answers, MetricSummary
from monitoring.store.batch import Batch, Columns, SeriesIdentity, decode, encode
from monitoring.store.catalog import DISTRIBUTION, Catalog
from monitoring.store.documents import DocumentChange, Documents
from monitoring.store.journal import Journal, paths, replay

__all__ = ["Batch", "MetricSummary", "SeriesIdentity", "Store"]

FLUSH_SECONDS = 0.25
FLUSH_POINTS = 50_000
MOST_PENDING = 1_000_000
_POINTS, _SAMPLES, _ROWS = 1, 2, 3
_STORED = "SELECT kind, id, body FROM documents ORDER BY kind, TRY_CAST(id AS BIGINT), rowid"
_Entry = Columns | tuple[str, list[Sequence[Any]]]


@dataclass(slots=True)
class _Pending:
    series: list[tuple[int, SeriesIdentity]] = field(default_factory=list)
    points: list[Columns] = field(default_factory=list)
    samples: list[Columns] = field(default_factory=list)
    rows: dict[str, list[Sequence[Any]]] = field(default_factory=dict)
    size: int = 0
    seq: int = 0

    def take(self, kind: int, payload: _Entry) -> None:
        if isinstance(payload, Columns):
            self.series.extend(payload.series)
            (self.points if kind == _POINTS else self.samples).append(payload)
            self.size += len(payload.ids)
        else:
            table, new = payload
            self.rows.setdefault(table, []).extend(new)
            self.size += len(new)


class Store(Answers):
    """A database that several threads may use: a lock serializes the writes, queries run in parallel.

    `counters` counts since the start: points, samples, spans and logs received, and points overwritten by a
    later point of the same source and second. `trouble` is the last error of writing to the database, "" if
    there was none.
    """

    def __init__(self, path: Path | None, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.counters: Counter[str] = Counter()
        self.trouble = ""
        self._connection = connection
        self._writer = connection.cursor()
        self._journal: Journal | None = None
        self._catalog = _read_catalog(connection)
        self._pending = _Pending()
        self._committing: _Pending | None = None
        self._append_lock = threading.Lock()
        self._flush_lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.documents: Documents

    @classmethod
    def open(cls, path: str | Path | None = None, *, read_only: bool = False, sync: bool = False) -> Self:
        """Open the database at `path` and create it if it is missing; without a path it is in memory.

        Args:
            path: the DuckDB file; its journal is in the same folder.
            read_only: open for queries only. Several processes may do so as long as none writes.
            sync: call fdatasync before each append returns, so that a power failure loses nothing (slower).

        Raises:
            InputError: the file is damaged, is not a stepscope database, may not be opened, or is locked by
                another process.
        """
        file = None if path is None else Path(path)
        if read_only and file is not None and any(p.exists() and p.stat().st_size for p in paths(file)):
            cls.open(file).close()  # apply the journal that a killed process left behind
        connection = database.connect(file, read_only=read_only)
        try:
            with database.explained(file):
                store = cls(file, connection)
                if not read_only:
                    store._start(sync=sync)
                stored = connection.execute(_STORED).fetchall()
        except InputError:
            connection.close()
            raise
        except OSError as error:
            connection.close()
            raise InputError(
                f"the journal of the database cannot be written ({error.strerror})",
                where=str(file),
                hint="Give a file in a folder that you may write.",
            ) from error
        store.documents = Documents(stored, store._change_document)
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is pending and close the files."""
        if self._closed:
            return
        self._closed = True
        if self._thread:
            self._wake.set()
            self._thread.join()
            self.flush()
        if self._journal:
            self._journal.close(remove=True)
        self._writer.close()
        self._connection.close()

    def add_points(self, series: Iterable[Series]) -> None:
        """Append the points of series; those of a series of type distribution are raw values."""
        lines = list(series)
        self.append(Batch.of(line for line in lines if line.type != DISTRIBUTION))
        self.add_samples(line for line in lines if line.type == DISTRIBUTION)

    def add_samples(self, series: Iterable[Series]) -> None:
        """Append raw values of distributions, whatever the `type` of the series is."""
        self.append(Batch.of(replace(line, type=DISTRIBUTION) for line in series), samples=True)

    def append(self, batch: Batch, *, samples: bool = False) -> None:
        """Append a batch; once this has returned, a crash of the process loses none of it.

        Args:
            batch: its sources are of type distribution if and only if `samples` is true.
            samples: the values are raw values of distributions.
        """
        if not len(batch.times):
            return
        with self._append_lock:
            columns = self._catalog.columns(batch)
            self._take(_SAMPLES if samples else _POINTS, columns, encode(columns) if self._journal else b"")
            self._catalog.said()
        self.counters["samples" if samples else "points"] += len(batch.times)
        self._after_append()

    def add_spans(self, spans: Iterable[Span]) -> None:
        """Append spans, JSON objects with the names of Datadog's trace line."""
        self._add_rows(schema.SPANS.name, [rows.of_span(span) for span in spans])

    def add_logs(self, logs: Iterable[Mapping[str, Any]]) -> None:
        """Append logs, bodies of Datadog's logs intake; `timestamp` is in milliseconds, the present if it is
        absent.
        """
        self._add_rows(schema.LOGS.name, [rows.of_log(log) for log in logs])

    def add_checks(self, checks: Iterable[Mapping[str, Any]]) -> None:
        """Append results of service checks, bodies of Datadog's check_run."""
        self._add_rows(schema.CHECKS.name, [rows.of_check(check) for check in checks])

    def add_transitions(self, monitor_id: int, changes: Iterable[tuple[int, str, str]]) -> None:
        """Append state changes of a monitor's groups: epoch seconds, group, new state ("": no state)."""
        new: list[Sequence[Any]] = [(time, monitor_id, group, state) for time, group, state in changes]
        self._add_rows(schema.TRANSITIONS.name, new)

    def sources(self, metric: str) -> dict[int, SeriesIdentity]:
        """Return the series of a metric by their ids in the tables."""
        with self._append_lock:
            return self._catalog.sources(metric)

    def flush(self) -> None:
        """Move what is pending into the database."""
        with self._flush_lock:
            with self._append_lock:
                pending, self._pending = self._pending, _Pending()
                if not pending.size:
                    return
                self._committing = pending
                if self._journal:
                    pending.seq = self._journal.seq
                    self._journal.turn()
            try:
                self._commit_valid_rows(pending)
            except BaseException:
                with self._append_lock:
                    self._pending = _merged(pending, self._pending)
                    self._committing = None
                raise
            with self._append_lock:
                self._committing = None
                if self._journal:
                    self._journal.committed(pending.seq)

    @contextlib.contextmanager
    def reading(self, series: Sequence[int] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor that sees everything appended so far, at least of `series` (ids; None: of all).

        A query of series without pending points does not wait for a flush of other series.
        """
        if self._thread and (series is None or self._waiting(series)):
            self.flush()
        cursor = self._connection.cursor()
        try:
            with database.explained(self.path):
                yield cursor
        finally:
            cursor.close()

    def _start(self, *, sync: bool) -> None:
        if self.path is not None:
            applied = self._connection.execute(
                "SELECT coalesce(max(seq), 0) FROM journal_applied"
            ).fetchall()[0][0]
            for record in replay(self.path, applied):
                self._replay(record.kind, record.payload)
                self._pending.seq = record.seq
            if self._pending.size:
                self._commit_valid_rows(self._pending)
                applied, self._pending = self._pending.seq, _Pending()
            self._journal = Journal(self.path, sync=sync)
            self._journal.seq = applied
            self._journal.committed(applied)
        self._thread = threading.Thread(target=self._flush_loop, name="stepscope-store", daemon=True)
        self._thread.start()

    def _replay(self, kind: int, payload: bytes) -> None:
        if kind == _ROWS:
            table, new = msgspec.json.decode(payload)
            self._pending.take(kind, (table, new))
            return
        columns = decode(payload)
        for ident, source in columns.series:
            self._catalog.learn(ident, source)
        self._pending.take(kind, columns)

    def _add_rows(self, table: str, new: list[Sequence[Any]]) -> None:
        if not new:
            return
        for row in new:
            schema.ROW_TABLES[table].check(row)
        payload = msgspec.json.encode((table, new)) if self._journal else b""
        with self._append_lock:
            self._take(_ROWS, (table, new), payload)
        self.counters[table] += len(new)
        self._after_append()

    def _change_document(self, change: DocumentChange) -> None:
        row: list[Sequence[Any]] = [change]
        with self._append_lock:
            self._take(_ROWS, (schema.DOCUMENTS.name, row), msgspec.json.encode((schema.DOCUMENTS.name, row)))

    def _take(self, kind: int, entry: _Entry, payload: bytes) -> None:
        if self._thread is None or self._closed:
            raise InputError("the database is not open for writing", where=str(self.path or "memory"))
        if self._journal:
            self._journal.append(kind, payload)
        self._pending.take(kind, entry)

    def _waiting(self, series: Sequence[int]) -> bool:
        """Return whether some points of the series are not in the database yet."""
        with self._append_lock:
            id_columns = [
                columns.ids
                for pending in (self._pending, self._committing)
                if pending is not None
                for columns in (*pending.points, *pending.samples)
            ]
            selected = np.zeros(len(self._catalog), np.bool_)
        selected[np.asarray(series, np.int64)] = True
        return any(bool(selected[ids].any()) for ids in id_columns)

    def _after_append(self) -> None:
        if self._pending.size > MOST_PENDING:
            self.flush()
        elif self._pending.size > FLUSH_POINTS:
            self._wake.set()

    def _flush_loop(self) -> None:
        while not self._closed:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            try:
                self.flush()
            except duckdb.Error as error:
                self.counters["failed_flushes"] += 1
                self.trouble = str(error).splitlines()[0]
                self._wake.wait(1.0)

    def _commit_valid_rows(self, pending: _Pending) -> None:
        """Commit; if the database rejects a row, write it to `<name>.rejected` and commit the others."""
        try:
            self._commit(pending)
        except duckdb.DataError as error:
            self.trouble = f"a record cannot be stored and was set aside: {str(error).splitlines()[0]}"
            rows, pending.rows = pending.rows, {}
            for table, new in rows.items():
                pending.rows[table] = [row for row in new if self._fits(table, row)]
            self._commit(pending)

    def _fits(self, table: str, row: Sequence[Any]) -> bool:
        cursor = self._connection.cursor()
        cursor.execute("BEGIN")
        try:
            writer.write_table(cursor, schema.ROW_TABLES[table], [row])
        except duckdb.DataError:
            self.counters["set_aside"] += 1
            if self.path is not None:
                with self.path.with_name(f"{self.path.name}.rejected").open("ab") as file:
                    file.write(msgspec.json.encode((table, row)) + b"\n")
            return False
        finally:
            cursor.execute("ROLLBACK")
            cursor.close()
        return True

    def _commit(self, pending: _Pending) -> None:
        with self._flush_lock:
            connection = self._writer
            connection.execute("BEGIN")
            try:
                writer.write_series(connection, pending.series)
                overwritten = writer.write_points(connection, pending.points, self._catalog)
                writer.write_samples(connection, pending.samples)
                for table, new in pending.rows.items():
                    writer.write_table(connection, schema.ROW_TABLES[table], new)
                if pending.seq:
                    connection.execute("DELETE FROM journal_applied")
                    connection.execute("INSERT INTO journal_applied VALUES (?)", [pending.seq])
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
            self.counters["points_overwritten"] += overwritten


def _merged(first: _Pending, second: _Pending) -> _Pending:
    first.series += second.series
    first.points += second.points
    first.samples += second.samples
    for table, new in second.rows.items():
        first.rows.setdefault(table, []).extend(new)
    first.size += second.size
    return first


def _read_catalog(connection: duckdb.DuckDBPyConnection) -> Catalog:
    """Read the catalog of the database."""
    catalog = Catalog()
    query = "SELECT series_id, metric, host, tags, type, interval FROM series ORDER BY series_id"
    for ident, metric, host, tags, kind, interval in connection.execute(query).fetchall():
        catalog.learn(ident, SeriesIdentity(metric, host, tuple(tags), kind, interval))
    last = connection.execute(
        "SELECT series_id, max(time) AS last FROM points GROUP BY series_id"
    ).fetchnumpy()
    catalog.saw(last["series_id"], last["last"])
    return catalog
