"""The spans of a replay: Parquet files by day, in a folder or in S3, read where they lie."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from monitoring.errors import InputError
from monitoring.log_events.telemetry import Span
from monitoring.store.parquet_files import ReplayFiles, s3_client
from monitoring.store.rows import to_span

_FILES = "day=*/*.parquet"


class ReplayedSpans:
    """The spans of a replay, as the database answers for its own.

    Args:
        place: a folder or `s3://BUCKET/PREFIX` that holds `spans/day=2026-11-23/*.parquet`.
        clients: gives boto3's client of a service; needed for S3.

    Raises:
        InputError: S3 cannot be listed, or holds no spans below the prefix.
    """

    def __init__(self, place: str | Path, clients: Callable[[str], Any] = s3_client) -> None:
        self.place = str(place)
        self._files = ReplayFiles(f"{self.place.rstrip('/')}/spans", clients, _FILES)
        if not self._files.names:
            raise InputError("no spans of a replay", where=self.place, hint="Give the `out` of the replay.")

    def close(self) -> None:
        """Delete copies of objects."""
        self._files.close()

    def spans(
        self, trace_id: str | None = None, service: str | None = None, name: str | None = None
    ) -> list[Span]:
        """Return the spans of a trace, a service and a name, in the order of their start.

        Raises:
            InputError: a file cannot be read.
        """
        columns = {"trace_id": trace_id, "service": service, "name": name}
        wanted = {key: value for key, value in columns.items() if value is not None}
        conditions = " AND ".join(f"{key} = ${key}" for key in wanted)
        reader = "read_parquet($paths, hive_partitioning = false)"
        query = f"SELECT * FROM {reader} WHERE {conditions or 'true'} ORDER BY start"  # noqa: S608 - names of ours
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")  # it is written to standard output
            paths = self._files.local(self._files.names)
            try:
                rows = connection.execute(query, {**wanted, "paths": paths}).fetchall()
            except duckdb.Error as error:
                message = f"the files cannot be read: {str(error).splitlines()[0]}"
                raise InputError(message, where=self.place) from error
        return [to_span(row) for row in rows]

    def logs(self, **_wanted: Any) -> list[dict[str, Any]]:
        """Return nothing: a replay keeps no logs."""
        return []
