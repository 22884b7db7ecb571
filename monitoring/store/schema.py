"""Define the tables of the database, and the statements that create them.

`points` has one row per source and second: a later write of the same source and second replaces the earlier
row when it is appended, so that readers need no deduplication.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.errors import InputError

VERSION = 1
LATEST = 1 << 33
"""Upper bound of times in epoch seconds (year 2242): series id and time then fit and sort as one integer."""
_WHOLE = {"BIGINT": (-(1 << 63), (1 << 63) - 1), "INTEGER": (-(1 << 31), (1 << 31) - 1)}
MOST_INTERVAL = _WHOLE["INTEGER"][1]

POINTS = "points"
SAMPLES = "samples"


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is written by rows, with the SQL that casts each column to its type."""

    name: str
    columns: tuple[tuple[str, str], ...]
    """Name and SQL type, in order."""
    latest: Mapping[str, int] = field(default_factory=dict)
    """Upper bounds of the columns that are times; the lower bound is 0."""

    def check(self, row: Sequence[Any]) -> None:
        """Check that the table can store a row.

        Raises:
            InputError: a value is out of range or not valid Unicode; it names the column, value and limits.
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
        """Return the select list that casts a batch of text columns; lists are parsed from JSON text."""
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
    """Return the statements that create the tables that are missing."""
    return _DDL
