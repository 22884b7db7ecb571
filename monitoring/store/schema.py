"""The tables of the database: their columns, and the one place that creates them.

No row of `points` is ever superseded: a later write of the same source and second replaces the earlier row
when it is appended, so that readers need no deduplication.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.errors import InputError

VERSION = 1
LATEST = 1 << 33
"""Seconds since the epoch that no time reaches (the year 2242): series and time then sort as one number."""
_WHOLE = {"BIGINT": (-(1 << 63), (1 << 63) - 1), "INTEGER": (-(1 << 31), (1 << 31) - 1)}
MOST_INTERVAL = _WHOLE["INTEGER"][1]

POINTS = "points"
SAMPLES = "samples"


@dataclass(frozen=True, slots=True)
class Table:
    """A table that takes whole rows, with the SQL that turns a Python column into its type."""

    name: str
    columns: tuple[tuple[str, str], ...]
    """Name and SQL type, in order."""
    latest: Mapping[str, int] = field(default_factory=dict)
    """Columns of times, whose values run from 0 to this bound."""

    def check(self, row: Sequence[Any]) -> None:
        """Refuse a row that the table cannot hold.

        Raises:
            InputError: names the field, its value and the limit.
        """
        for (name, kind), value in zip(self.columns, row, strict=True):
            if isinstance(value, str):
                if not value.isascii() and not _is_unicode(value):
                    raise InputError(f"{name} of {self.name} is not valid Unicode: {ascii(value)[:60]}")
            elif value is not None and kind in _WHOLE:
                least, most = (0, self.latest[name]) if name in self.latest else _WHOLE[kind]
                if not least <= value <= most:
                    raise InputError(f"{name} of {self.name} is {value}: expected {least} to {most}")

    def casts(self) -> str:
        """Return the select list that reads a batch: lists and JSON documents are stored as JSON text."""
        return ", ".join(_cast(name, kind) for name, kind in self.columns)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _cast(name: str, kind: str) -> str:
    if kind.endswith("[]"):
        return f"from_json({name}, '[\"VARCHAR\"]')"
    return f"CAST({name} AS {kind})"


SPANS = Table(
    "spans",
    (
        ("trace_id", "VARCHAR"),
        ("span_id", "VARCHAR"),
        ("parent_id", "VARCHAR"),
        ("name", "VARCHAR"),
        ("service", "VARCHAR"),
        ("resource", "VARCHAR"),
        ("type", "VARCHAR"),
        ("start", "BIGINT"),
        ("duration", "BIGINT"),
        ("error", "INTEGER"),
        ("meta", "JSON"),
        ("metrics", "JSON"),
        ("time", "BIGINT"),
    ),
    {"start": LATEST * 1_000_000_000},
)
LOGS = Table(
    "logs",
    (
        ("time", "BIGINT"),
        ("service", "VARCHAR"),
        ("source", "VARCHAR"),
        ("host", "VARCHAR"),
        ("tags", "VARCHAR[]"),
        ("status", "VARCHAR"),
        ("message", "VARCHAR"),
        ("attributes", "JSON"),
    ),
    {"time": LATEST * 1000},
)
CHECKS = Table(
    "checks",
    (
        ("time", "BIGINT"),
        ("name", "VARCHAR"),
        ("host", "VARCHAR"),
        ("status", "INTEGER"),
        ("tags", "VARCHAR[]"),
        ("message", "VARCHAR"),
    ),
    {"time": LATEST},
)
TRANSITIONS = Table(
    "transitions",
    (("time", "BIGINT"), ("monitor_id", "BIGINT"), ("group_name", "VARCHAR"), ("state", "VARCHAR")),
)
DOCUMENTS = Table("documents", (("kind", "VARCHAR"), ("id", "VARCHAR"), ("body", "JSON")))
ROW_TABLES = {table.name: table for table in (SPANS, LOGS, CHECKS, TRANSITIONS, DOCUMENTS)}

_DDL = (
    """CREATE TABLE IF NOT EXISTS series(
        series_id INTEGER, metric VARCHAR, type VARCHAR, host VARCHAR, tags VARCHAR[], interval INTEGER)""",
    "CREATE TABLE IF NOT EXISTS points(series_id INTEGER, time BIGINT, value DOUBLE)",
    "CREATE TABLE IF NOT EXISTS samples(series_id INTEGER, time BIGINT, value DOUBLE)",
    *(
        f"CREATE TABLE IF NOT EXISTS {table.name}("
        + ", ".join(f'"{name}" {kind}' for name, kind in table.columns)
        + ")"
        for table in ROW_TABLES.values()
    ),
    "CREATE TABLE IF NOT EXISTS journal_applied(seq BIGINT)",
    "CREATE TABLE IF NOT EXISTS store_version(version INTEGER)",
)


def statements() -> tuple[str, ...]:
    """Return the statements that create the tables where they are missing."""
    return _DDL
