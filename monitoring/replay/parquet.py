"""Write points as Parquet, partitioned by day and metric: `day=2026-11-23/metric=shop.orders/ITEM.parquet`.

The names of the files are derived from the item, so that reading it again replaces them. Each file names its
sources in its footer, by a number that its rows carry too: queries need not read tags, which took most of
their time.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import duckdb
import msgspec

from monitoring.lines import Point

COLUMNS = {
    "timestamp": "DOUBLE",
    "value": "DOUBLE",
    "type": "VARCHAR",
    "tags": "VARCHAR[]",
    "source": "BIGINT",
}
SOURCES = "stepscope_sources"
"""The key of the footer that holds the tags of each source, as JSON: `{"123": ["zone:a"]}`."""
BUFFERED = 200_000
"""Points of an item that are buffered before they are written."""


class Partitions:
    """Write one item's points; `files` are the paths of the written files, relative to the folder.

    Args:
        native: keep the types count and gauge; otherwise every point is of a distribution, as it is sent.
    """

    def __init__(self, folder: Path, key: str, *, native: bool = False) -> None:
        self._folder, self._key, self._native = folder, key, native
        self._buffered: dict[tuple[str, str], list[Point]] = defaultdict(list)
        self._count = 0
        self._parts: dict[tuple[str, str], int] = defaultdict(int)
        self.files: list[str] = []

    def add(self, points: Iterable[Point]) -> None:
        """Add points."""
        for point in points:
            day = f"{datetime.fromtimestamp(point.timestamp, UTC):%Y-%m-%d}"
            self._buffered[day, point.metric].append(point)
            self._count += 1
        if self._count >= BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Write the buffered points."""
        with duckdb.connect() as connection:
            for (day, metric), points in sorted(self._buffered.items()):
                self._write(connection, day, metric, points)
        self._buffered.clear()
        self._count = 0

    def _write(
        self, connection: duckdb.DuckDBPyConnection, day: str, metric: str, points: list[Point]
    ) -> None:
        part = self._parts[day, metric]
        self._parts[day, metric] += 1
        name = f"day={day}/metric={quote(metric, safe='')}/{self._key}-{part:04d}.parquet"
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary, rows = target.with_suffix(".tmp"), target.with_suffix(".jsonl")
        sources: dict[tuple[str, ...], int] = {}
        encoder = msgspec.json.Encoder()
        with rows.open("wb") as file:
            for point in points:
                source = sources.get(point.tags)
                if source is None:
                    source = sources[point.tags] = source_number(point.tags)
                kind = point.type if self._native else "distribution"
                values = (point.timestamp, point.value, kind, point.tags, source)
                file.write(encoder.encode(dict(zip(COLUMNS, values, strict=True))) + b"\n")
        columns = json.dumps(COLUMNS).replace('"', "'")
        table = f"read_json(?, format='newline_delimited', columns={columns})"
        query = f"SELECT * FROM {table} ORDER BY timestamp"  # noqa: S608 - nothing in it comes from outside
        footer = "" if self._native else f", KV_METADATA {{{SOURCES}: '{_quoted(_as_text(sources))}'}}"
        target_sql = f"TO '{_quoted(str(temporary))}' (FORMAT parquet{footer})"
        connection.execute(f"COPY ({query}) {target_sql}", [str(rows)])
        rows.unlink()
        os.replace(temporary, target)
        self.files.append(name)


def source_number(tags: tuple[str, ...]) -> int:
    """Return the number of a source, the same in every file: 63 bits of a hash of its tags."""
    digest = hashlib.blake2b("\0".join(tags).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _as_text(sources: dict[tuple[str, ...], int]) -> str:
    return json.dumps({str(number): tags for tags, number in sources.items()})


def _quoted(text: str) -> str:
    return text.replace("'", "''")
