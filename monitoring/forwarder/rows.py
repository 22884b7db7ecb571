"""Parse log events in rows: of `filter-log-events`, Logs Insights, CSV exports, or JSON lines."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from monitoring.forwarder.pieces import INNER, LINES, SIZE, Line, LinePiece
from monitoring.log_events.codec import encode, milliseconds

_MESSAGE = ("message", "@message")
_TIME = ("timestamp", "@timestamp")
_STREAM = ("logStreamName", "logStream", "log_stream", "log-stream", "@logStream")
_GROUP = ("logGroup", "log_group", "log-group", "logGroupName", "logGroupIdentifier", "@log")
_CONSOLE = frozenset({"timestamp", "message", "ingestionTime", "logStreamName", "eventId"})
_FIELD = 64 * 1024 * 1024  # characters of one CSV field

Row = tuple[str, str, str, str, int, int]
"""Owner, log group, log stream, message, milliseconds since the epoch, number in the source from 1."""


def read_row(item: Any, number: int) -> Row:
    """Return the log event of a row; the message of a row without one is the row as JSON."""
    fields = item = _fields(item)
    message = _first(fields, _MESSAGE)
    group = str(_first(fields, _GROUP) or "")
    owner, colon, name = group.rpartition(":")
    if colon and owner.isdigit():  # `@log` and identifiers have the account before the group
        group = name
    else:
        owner = str(fields.get("owner") or "")
    if not isinstance(message, str):
        message = encode(item if message is None else message).decode()
    return (
        owner,
        group,
        str(_first(fields, _STREAM) or ""),
        message,
        milliseconds(_first(fields, _TIME)),
        number,
    )


def _fields(item: Any) -> Mapping[str, Any]:
    """Return the row as a mapping; a row of `get-query-results` is a list of fields and values."""
    if isinstance(item, dict):
        return item
    if isinstance(item, list):
        cells = [cell for cell in item if isinstance(cell, dict) and cell.get("field") != "@ptr"]
        return {str(cell.get("field")): cell.get("value") for cell in cells}
    return {"message": item} if isinstance(item, str) else {}


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        value = fields.get(name)
        if value is not None:
            return value
    return None


def is_page_row(item: Any) -> bool:
    """Return whether an item is an event of `filter-log-events` or `get-log-events`."""
    return isinstance(item, dict) and isinstance(item.get("message"), str) and "timestamp" in item


def is_insights_row(item: Any) -> bool:
    """Return whether an item is a row of Logs Insights, of its API or exported from its console."""
    if isinstance(item, dict):
        return any(name in item for name in ("@message", "@timestamp"))
    return isinstance(item, list) and bool(item) and all(
        isinstance(cell, dict) and "field" in cell for cell in item
    )  # fmt: skip


def utc_milliseconds(text: str) -> int:
    """Parse an ISO 8601 time in UTC to milliseconds since the epoch; return 0 if it is not valid."""
    second = _second(text[:19])
    if not second or text[19:20] != ".":
        return second
    return second + int(text[20:23].rstrip("Z+:0").ljust(3, "0"))


@lru_cache(maxsize=1024)
def _second(text: str) -> int:
    return milliseconds(text)


def pieces_of(rows: Iterable[Row], base: LinePiece) -> Iterator[LinePiece]:
    """Yield the rows as pieces, grouped by log stream.

    Args:
        base: a `LinePiece` without lines, with the source and the defaults of the rows.

    Raises:
        ValueError: the rows are malformed from here on; the rows before were yielded.
    """
    lines_by_stream: dict[tuple[str, str, str], list[Line]] = {}
    count = size = 0
    broken: ValueError | None = None
    try:
        for owner, group, stream, message, stamp, number in rows:
            if size > SIZE or (count >= LINES and (message[:1] not in INNER or count >= 2 * LINES)):
                yield from _flush(lines_by_stream, base)
                lines_by_stream, count, size = {}, 0, 0
            lines_by_stream.setdefault((owner, group, stream), []).append((message, stamp, number))
            count += 1
            size += len(message)
    except ValueError as error:
        broken = error
    yield from _flush(lines_by_stream, base)
    if broken is not None:
        raise broken


def _flush(lines_by_stream: dict[tuple[str, str, str], list[Line]], base: LinePiece) -> Iterator[LinePiece]:
    for (owner, group, stream), lines in lines_by_stream.items():
        yield base._replace(
            lines=lines,
            owner=owner or base.owner,
            group=group or base.group,
            stream=stream or base.stream,
        )


def csv_dialect(header: str) -> str:
    """Return the delimiter of a CSV export with this header line, "" if it is not one."""
    if "message" not in header and "@timestamp" not in header:
        return ""
    for delimiter in ",;\t":
        names = set(next(csv.reader([header], delimiter=delimiter), ()))
        if "@message" in names or ("@timestamp" in names and len(names) > 1):
            return delimiter
        if {"timestamp", "message"} <= names <= _CONSOLE:
            return delimiter
    return ""


def rows_of(items: Iterable[Any]) -> Iterator[Row]:
    """Yield the items as rows, in order."""
    return (read_row(item, number) for number, item in enumerate(items, 1))


def csv_rows(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    """Yield the rows of a CSV export.

    Args:
        lines: with newlines, the header first.

    Raises:
        ValueError: the CSV is malformed from here on.
    """
    csv.field_size_limit(_FIELD)
    try:
        for number, row in enumerate(csv.DictReader(lines, delimiter=delimiter, restkey=""), 1):
            row.pop("", None)
            yield read_row(row, number)
    except csv.Error as error:
        raise ValueError(f"not valid CSV: {error}") from None
