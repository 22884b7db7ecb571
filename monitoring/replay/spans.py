"""Write spans as Parquet, by day: `spans/day=2026-11-23/ITEM-0000.parquet`, in the database's columns."""

import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from monitoring.log_events.telemetry import SpanRecord

COLUMNS = {
    "trace_id": "VARCHAR",
    "span_id": "VARCHAR",
    "parent_id": "VARCHAR",
    "name": "VARCHAR",
    "service": "VARCHAR",
    "resource": "VARCHAR",
    "type": "VARCHAR",
    "start": "BIGINT",
    "duration": "BIGINT",
    "error": "INTEGER",
    "meta": "VARCHAR",
    "metrics": "VARCHAR",
}
"""Those of the database's table of spans, which is not imported: it needs numpy, which the function lacks."""
HELD = 20_000
"""Spans that are held of an item before they are written."""


class SpanFiles:
    """Write one item's spans; `files` are the paths that it has written, below the folder."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key
        self._held: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._count = self._parts = 0
        self.files: list[str] = []

    def add(self, spans: Iterable[SpanRecord]) -> None:
        """Add spans."""
        for span in spans:
            row = {name: getattr(span, name) for name in COLUMNS}
            row |= {name: msgspec.json.encode(row[name]).decode() for name in ("meta", "metrics")}
            self._held[f"{datetime.fromtimestamp(span.start / 1e9, UTC):%Y-%m-%d}"].append(row)
            self._count += 1
        if self._count >= HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for day, rows in sorted(self._held.items()):
            self._write(day, rows)
        self._held.clear()
        self._count = 0

    def _write(self, day: str, rows: list[dict[str, Any]]) -> None:
        name = f"spans/day={day}/{self._key}-{self._parts:04d}.parquet"
        self._parts += 1
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        lines, temporary = target.with_suffix(".jsonl"), target.with_suffix(".tmp")
        encoder = msgspec.json.Encoder()
        lines.write_bytes(b"".join(encoder.encode(row) + b"\n" for row in rows))
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
        table = f"read_json(?, format='newline_delimited', columns={{{columns}}})"
        place = str(temporary).replace("'", "''")
        with duckdb.connect() as connection:
            query = f"COPY (SELECT * FROM {table} ORDER BY start) TO '{place}' (FORMAT parquet)"  # noqa: S608 - ours
            connection.execute(query, [str(lines)])
        lines.unlink()
        os.replace(temporary, target)
        self.files.append(name)
