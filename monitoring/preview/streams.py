"""Draw lists of logs, events and spans, and a timeline of events."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitoring.errors import InputError
from monitoring.monitor.search import Record
from monitoring.preview.charts.lists import Column, Listing, ListRow
from monitoring.preview.charts.shapes import Frame, Line, Moment, Style
from monitoring.preview.charts.timeseries import timeseries
from monitoring.preview.drawing import Definition, Drawing, requests_of
from monitoring.preview.errors import UndrawableError
from monitoring.preview.facts import search_of
from monitoring.preview.scales import format_value
from monitoring.query.grid import default_interval

MOST = 100
"""The maximum number of rows of a list."""
STREAMS = {"logs_stream": "logs", "event_stream": "events", "trace_stream": "spans"}
"""Data source of a list -> the kind of records that the store has."""
WIDTHS = {"timestamp": 118.0, "status": 62.0, "host": 120.0, "service": 130.0, "source": 100.0} | {
    "duration": 84.0
}
_TIMES = frozenset({"timestamp", "time", "date", "start"})
_SPARE = {"host": 3, "source": 3, "service": 2, "timestamp": 1, "time": 1}
_TEXTS = frozenset({"content", "message", "log_message", "title", "event_message"})
_NAMES = {"status_line": "status", "core_host": "host", "core_service": "service", "core_status": "status"}
USUAL = {
    "logs": ("timestamp", "host", "service", "content"),
    "events": ("timestamp", "source", "content"),
    "spans": ("timestamp", "service", "resource_name", "@duration", "status"),
}


def list_stream(definition: Definition, drawing: Drawing) -> Listing:
    """Return a list with the columns and the search of its request."""
    request = next(iter(requests_of(definition)), {})
    definition_query = request.get("query")
    query: Mapping[str, Any] = definition_query if isinstance(definition_query, Mapping) else {}
    source = str(query.get("data_source"))
    if source not in STREAMS and not drawing.data.facts.sampled:
        raise UndrawableError(
            f"List of {source.removesuffix('_stream').replace('_', ' ')}: only Datadog has them."
        )
    fields = [
        str(column.get("field")) for column in request.get("columns") or [] if isinstance(column, Mapping)
    ]
    kind = STREAMS.get(source, source)
    usual = USUAL.get(kind, USUAL["logs"])
    return _listing(kind, query.get("query_string"), fields or usual, drawing, query.get("sort"))


def log_stream(definition: Definition, drawing: Drawing) -> Listing:
    """Return a `log_stream` list; its options select the columns for date and message."""
    fields = [str(column) for column in definition.get("columns") or []] or ["host", "service"]
    fields = ["timestamp"] * (definition.get("show_date_column") is not False) + fields
    fields += ["content"] * (definition.get("show_message_column") is not False)
    return _listing("logs", definition.get("query"), fields, drawing, definition.get("sort"))


def event_stream(definition: Definition, drawing: Drawing) -> Listing:
    """Return a list of events, the newest first."""
    return _listing("events", definition.get("query"), USUAL["events"], drawing, None)


def event_timeline(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw the number of events over time, by status."""
    data = drawing.data
    events = _found("events", definition.get("query"), drawing, 10_000)
    step = default_interval(data.end - data.start, 60)
    lines = []
    for status in dict.fromkeys(_status(event) for event in events):
        moments = [event.time // step * step for event in events if _status(event) == status]
        times, counts = np.unique(np.array(moments, np.int64), return_counts=True)
        lines.append(
            Line(status, times, counts.astype(np.float64), step, "", Style("bars", _palette(status)))
        )
    return timeseries(frame, lines)


def moments_of(definition: Definition, drawing: Drawing) -> list[Moment]:
    """Return the events of a graph's overlays: the results of the searches in its `events`."""
    data = drawing.data
    searches = [
        str(event.get("q") or "") for event in definition.get("events") or [] if isinstance(event, Mapping)
    ]
    events = [event for text in searches for event in _found("events", _as_search(text), drawing, MOST)]
    return [
        Moment(event.time, event.message.partition("\n")[0])
        for event in events
        if data.start <= event.time <= data.end
    ]


def _as_search(text: str) -> str:
    """Return an overlay's search with the names of the events explorer: `sources:` is `source:` there."""
    return re.sub(r"\bsources:", "source:", text)


def _palette(status: str) -> str:
    return {"error": "red", "warning": "yellow", "success": "green"}.get(status, "dog_classic")


def _found(kind: str, search: object, drawing: Drawing, most: int) -> Sequence[Record]:
    data = drawing.data
    try:
        test = search_of(search, data.variables)
    except InputError as error:
        raise UndrawableError(str(error)) from None
    return data.facts.newest(kind, data.start, data.end, test, most)


def _listing(kind: str, search: object, fields: Sequence[str], drawing: Drawing, sort: object) -> Listing:
    records = _found(kind, search, drawing, MOST + 1)
    more, records = len(records) - MOST, list(records[:MOST])
    if isinstance(sort, Mapping) and sort.get("order") == "asc":
        records.reverse()
    names = [_NAMES.get(item, item.removeprefix("core_").removeprefix("tag_")) for item in fields]
    columns = [Column(_heading(item), _width(item), spare=_SPARE.get(item, 0)) for item in names]
    if all(column.width for column in columns):  # something has to take what is left
        columns[-1] = Column(columns[-1].name)
    entries = [ListRow(tuple(_cell(item, name) for name in names), _status(item)) for item in records]
    what = {"logs": "log", "events": "event", "spans": "span"}.get(kind, kind)
    return Listing(tuple(columns), tuple(entries), f"No {what} fits in this time", max(more, 0))


def _heading(name: str) -> str:
    return name.lstrip("@").replace("_", " ")


def _width(name: str) -> float:
    if name in _TIMES:
        return WIDTHS["timestamp"]
    return WIDTHS.get(name.lstrip("@"), 0.0 if name in _TEXTS or "resource" in name else 110.0)


def _status(record: Record) -> str:
    return str(record.attributes.get("status") or "info")


def _cell(record: Record, name: str) -> str:
    if name in _TIMES:
        return moment(record.time)
    if name in _TEXTS:
        return record.message.strip()
    values = record.values(name) or record.values(f"@{name}")
    if name.lstrip("@") == "duration" and values and isinstance(values[0], int | float):
        return format_value(float(values[0]), "nanosecond")
    return ", ".join(map(str, values))


def moment(seconds: int) -> str:
    """Return a time as `Mar 03 14:05:12`, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%b %d %H:%M:%S}"


def points_of(definition: Definition, drawing: Drawing) -> list[tuple[str, int, float]]:
    """Return (group, seconds, value) of every record of a point plot.

    Raises:
        UndrawableError: the data are available only in Datadog, or the plot has no value for its y axis.
    """
    request = next(iter(requests_of(definition)), {})
    query, projection = request.get("query") or {}, request.get("projection") or {}
    source = str(query.get("data_source"))
    if source not in {"logs", "events", "spans"} and not drawing.data.facts.sampled:
        raise UndrawableError(f"Point plot of {source}: only Datadog has them.")
    columns = {
        str(dimension.get("dimension")): str(dimension.get("column"))
        for dimension in projection.get("dimensions") or []
    }
    if "y" not in columns:
        raise UndrawableError("The point plot names no value for its height.")
    records = _found(source, query.get("query_string"), drawing, 2000)
    points = []
    for dimension in records:
        group = ", ".join(map(str, dimension.values(columns.get("group", "")))) if "group" in columns else ""
        for value in dimension.values(columns["y"]) or dimension.values(f"@{columns['y']}"):
            try:
                points.append((group, dimension.time, float(value)))
            except (TypeError, ValueError):
                continue
    return points
