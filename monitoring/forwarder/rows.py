"""Log events as rows: of `filter-log-events`, of Logs Insights, of CSV exports, one JSON object a line."""

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
"""Owner, log group, log stream, message, milliseconds, place in the source."""


def read_row(item: Any, place: int) -> Row:
    """Return the log event of a row; a row without a message is its own message, as JSON."""
    fields = item = _fields(item)
    message = _first(fields, _MESSAGE)
    group = str(_first(fields, _GROUP) or "")
    owner, colon, name = group.rpartition(":")
    if colon and owner.isdigit():  # `@log` and identifiers name the account before the group
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
        place,
    )


def _fields(item: Any) -> Mapping[str, Any]:
    """Return the row as a mapping; `get-query-results` gives a list of field and value."""
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
    """Return whether an item is a row of Logs Insights, as its API or its console gives it."""
    if isinstance(item, dict):
        return any(name in item for name in ("@message", "@timestamp"))
    return isinstance(item, list) and bool(item) and all(
        isinstance(cell, dict) and "field" in cell for cell in item
    )  # fmt: skip


def utc_milliseconds(text: str) -> int:
    """Return a time of UTC in ISO 8601 in milliseconds since the epoch; 0 where there is no such time."""
    second = _second(text[:19])
    if not second or text[19:20] != ".":
        return second
    return second + int(text[20:23].rstrip("Z+:0").ljust(3, "0"))


@lru_cache(maxsize=1024)
def _second(text: str) -> int:
    return milliseconds(text)


def pieces_of(rows: Iterable[Row], base: LinePiece) -> Iterator[LinePiece]:
    """Yield the rows as pieces, those of one log stream together.

    Args:
        base: an empty `Lines` that says where the rows come from, for what they do not say themselves.

    Raises:
        ValueError: the rows did, behind the last one that was read.
    """
    held: dict[tuple[str, str, str], list[Line]] = {}
    count = size = 0
    broken: ValueError | None = None
    try:
        for owner, group, stream, message, stamp, place in rows:
            if size > SIZE or (count >= LINES and (message[:1] not in INNER or count >= 2 * LINES)):
                yield from _flush(held, base)
                held, count, size = {}, 0, 0
            held.setdefault((owner, group, stream), []).append((message, stamp, place))
            count += 1
            size += len(message)
    except ValueError as error:
        broken = error
    yield from _flush(held, base)
    if broken is not None:
        raise broken


def _flush(held: dict[tuple[str, str, str], list[Line]], base: LinePiece) -> Iterator[LinePiece]:
    for (owner, group, stream), lines in held.items():
        yield base._replace(
            lines=lines,
            owner=owner or base.owner,
            group=group or base.group,
            stream=stream or base.stream,
        )


def csv_dialect(header: str) -> str:
    """Return the delimiter of a CSV export that begins with this line, empty where it begins none."""
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
    """Yield items as rows, in their order."""
    return (read_row(item, place) for place, item in enumerate(items, 1))


def csv_rows(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    """Yield the rows of a CSV export.

    Args:
        lines: with their ends, the header first.

    Raises:
        ValueError: from here on it is not CSV.
    """
    csv.field_size_limit(_FIELD)
    try:
        for place, row in enumerate(csv.DictReader(lines, delimiter=delimiter, restkey=""), 1):
            row.pop("", None)
            yield read_row(row, place)
    except csv.Error as error:
        raise ValueError(f"not valid CSV: {error}") from None
