"""The spans of a replay's folder: Parquet files by day, read where they lie."""

from pathlib import Path
from typing import Any

import duckdb

from monitoring.errors import InputError
from monitoring.log_events.telemetry import Span
from monitoring.store.rows import to_span


class ReplayedSpans:
    """The spans of a folder, as the database answers for its own.

    Args:
        folder: holds `spans/day=2026-11-23/*.parquet`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
        place = str(self._folder).replace("'", "''")
        reader = f"read_parquet('{place}/spans/day=*/*.parquet', hive_partitioning = false)"
        query = f"SELECT * FROM {reader} WHERE {conditions or 'true'} ORDER BY start"  # noqa: S608 - names of ours
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")  # it is written to standard output
            try:
                rows = connection.execute(query, wanted).fetchall()
            except duckdb.Error as error:
                message = f"the files cannot be read: {str(error).splitlines()[0]}"
                raise InputError(message, where=str(self._folder)) from error
        return [to_span(row) for row in rows]

    def logs(self, **_wanted: Any) -> list[dict[str, Any]]:
        """Return nothing: a replay keeps no logs."""
        return []
