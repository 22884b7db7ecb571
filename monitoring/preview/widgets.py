"""The table of all widget types of the API; a type that cannot be drawn shows the reason in its place."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from monitoring.errors import InputError
from monitoring.preview import notes, services, slo_widgets, split, states, streams, svg
from monitoring.preview.charts import fields, lists, values
from monitoring.preview.charts.names import split_names
from monitoring.preview.charts.shapes import Frame, Line, Row, notice
from monitoring.preview.charts.timeseries import timeseries
from monitoring.preview.conditions import bounds, formats_of, markers, painter
from monitoring.preview.data import Data, Request
from monitoring.preview.drawing import Definition, Draw, Drawing, own_time, requests_of
from monitoring.preview.errors import UndrawableError
from monitoring.preview.failures import record
from monitoring.query import QueryError

__all__ = ["LISTINGS", "PLACEHOLDERS", "WIDGETS", "Drawing", "attempt", "draw", "requests_of"]


def draw(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw the widget, or the reason why it cannot be drawn."""
    try:
        return attempt(frame, definition, drawing)
    except Exception as error:  # noqa: BLE001 - whatever it holds, its neighbours have to be drawn
        return notice(frame, record(drawing.failures, definition, error))


def attempt(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw the widget; return a notice for a type that only Datadog can show, and for an error of input."""
    kind = str(definition.get("type"))
    if kind in PLACEHOLDERS:
        return notice(frame, PLACEHOLDERS[kind])
    if kind not in WIDGETS and kind not in LISTINGS:
        return notice(frame, f"There is no widget type {kind!r}.")
    try:
        return _drawn(frame, definition, own_time(definition, drawing))
    except QueryError as error:
        return broken_query(frame, error)
    except UndrawableError as error:
        return notice(frame, str(error))
    except InputError as error:
        return notice(frame, error.message)


def _drawn(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    kind, data = str(definition.get("type")), drawing.data
    within = replace(frame, start=data.start, end=data.end)
    if kind in LISTINGS:
        return lists.as_picture(within, LISTINGS[kind](definition, drawing))
    return WIDGETS[kind](within, definition, drawing)


MONO = 6.7
"""The width in pixels of a character in the monospaced font of 11 pixels."""


def broken_query(frame: Frame, error: QueryError) -> str:
    """Draw the error of a query: the message, the text around the error, and a caret under it."""
    room = max(int((frame.width - 24) / MONO), 16)
    start = max(0, min(error.start - room // 3, len(error.text) - room))
    shown = error.text[start : start + room]
    caret = " " * (error.start - start) + "^" * max(1, min(error.end, start + room) - error.start)
    words = svg.wrapped(error.message, frame.width - 24, 12)
    instead = f"Write {error.suggestion}" if error.suggestion else f"Expected {', '.join(error.expected)}"
    lines = svg.wrapped(instead, frame.width - 24, 12)
    style = {"fill": frame.theme.bad, "size": 11, "font_family": "monospace", "xml:space": "preserve"}
    parts = [svg.text(line, 12, 22 + 16 * row, fill=frame.theme.ink) for row, line in enumerate(words)]
    top = 22 + 16 * len(words)
    parts += [svg.text(line, 12, top + 14 * row, **style) for row, line in enumerate((shown, caret))]
    top += 34
    parts += [svg.text(line, 12, top + 16 * row, fill=frame.theme.muted) for row, line in enumerate(lines)]
    return "".join(parts)


def _timeseries(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    lines = [line for request in requests_of(definition) for line in drawing.data.lines(request)]
    axis = definition.get("yaxis") or {}
    zero = axis.get("include_zero", True) is not False
    extras = (markers(definition.get("markers")), bounds(axis), streams.moments_of(definition, drawing))
    return timeseries(frame, lines, *extras, from_zero=zero)


def lines_of(definition: Definition, drawing: Drawing) -> list[Line]:
    """Return the lines of a time series; [] if it cannot be drawn."""
    within = own_time(definition, drawing)
    try:
        return [line for request in requests_of(definition) for line in within.data.lines(request)]
    except (InputError, UndrawableError):
        return []


def _query_value(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    requests = requests_of(definition)
    if not requests:
        raise UndrawableError("The widget has no request.")
    rows = drawing.data.rows(requests[0])
    value = rows[0].values[0] if rows else None
    precision = definition.get("precision")
    paint = painter(formats_of(requests), frame.theme)
    unit = rows[0].unit if rows else ""
    shown = precision if isinstance(precision, int) else None
    return values.query_value(frame, value, unit, paint, shown, str(definition.get("custom_unit") or ""))


def _top_list(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    requests = requests_of(definition)
    rows = [row for request in requests for row in drawing.data.rows(request)]
    return values.top_list(frame, rows, painter(formats_of(requests), frame.theme))


def _table(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    columns: list[values.Column] = []
    cells: list[dict[str, float]] = []
    for request in requests_of(definition):
        formulas = [formula for formula in request.get("formulas") or [] if isinstance(formula, Mapping)]
        for at, (heading, unit, groups) in enumerate(drawing.data.columns(request)):
            own = formulas[at].get("conditional_formats") if at < len(formulas) else None
            paint = painter(own or request.get("conditional_formats"), frame.theme)
            columns.append(values.Column(str(request.get("alias") or heading), unit, paint))
            cells.append(groups)
    names = list(dict.fromkeys(name for groups in cells for name in groups))
    keys, short_names = split_names(names)
    rows = [
        Row(short, tuple(groups.get(name) for groups in cells))
        for name, short in zip(names, short_names, strict=True)
    ]
    return values.table(frame, keys, columns, rows)


def _change(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    requests = requests_of(definition)
    if not requests:
        raise UndrawableError("The widget has no request.")
    request = requests[0]
    before, now = _before_and_now(request, drawing.data)
    names = sorted(now, key=lambda name: -abs((now[name] or 0) - (before.get(name) or 0)))
    unit = drawing.data.asks(request)[0].unit
    rows = [(name, before.get(name), now[name]) for name in names]
    return values.change(frame, rows, unit, good_up=bool(request.get("increase_good")))


AGO = {"hour_before": 3600, "day_before": 86400, "week_before": 604800, "month_before": 2419200}


def _before_and_now(request: Request, data: Data) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return group -> value in the earlier time range, and in the current one."""
    asks = data.asks(request)
    if len(asks) > 1:  # formulas name both sides: `hour_before(query1)` and `query1`
        then, now = asks[0], asks[-1]
        return _by_name(data, then), _by_name(data, now)
    shift = AGO.get(str(request.get("compare_to")), 3600)
    earlier = replace(data, start=data.start - shift, end=data.end - shift)
    return _by_name(earlier, asks[0]), _by_name(data, asks[0])


def _by_name(data: Data, ask: Any) -> dict[str, float | None]:
    return {row.name: row.values[0] for row in data.reduced(ask, "avg")}


def _heatmap(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    return fields.heatmap(
        frame, [line for request in _histograms(definition) for line in drawing.data.lines(request)]
    )


def _distribution(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    lines = [line for request in _histograms(definition) for line in drawing.data.lines(request)]
    values = np.concatenate([line.values for line in lines]) if lines else np.empty(0)
    return fields.distribution(frame, values, lines[0].unit if lines else "")


def _histograms(definition: Definition) -> list[Request]:
    """Convert histogram requests, which have one `query`, to requests with an average."""
    requests: list[Request] = []
    for request in requests_of(definition):
        query = request.get("query")
        if isinstance(query, Mapping) and query.get("data_source") == "metrics":
            text = str(query.get("query") or "").replace("histogram:", "avg:", 1)
            requests.append({**request, "q": text})
        elif isinstance(query, Mapping) and isinstance(query.get("compute"), Mapping):
            requests.append({**request, "queries": [{"name": "query1", **query}], "formulas": []})
        elif isinstance(query, Mapping):
            raise UndrawableError(f"Asks for {query.get('data_source')}: shown in Datadog only.")
        else:
            requests.append(request)
    return requests


def _scatter(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    axes = definition.get("requests")
    requests = axes if isinstance(axes, Mapping) else {}
    data = drawing.data
    if "table" in requests:
        columns = data.columns(requests["table"])
        if len(columns) < 2:
            raise UndrawableError("A scatter plot needs a formula for each of its two axes.")
        (x_name, _, x), (y_name, _, y) = columns[:2]
    elif "x" in requests and "y" in requests:
        x_name, y_name = (str((definition.get(f"{axis}axis") or {}).get("label") or axis) for axis in "xy")
        x, y = ({row.name: row.values[0] or 0.0 for row in data.rows(requests[axis])} for axis in "xy")
    else:
        raise UndrawableError("A scatter plot needs requests for x and y.")
    dots = [fields.Dot(name, x[name], y[name]) for name in x if name in y]
    return fields.scatter(frame, dots, x_name, y_name)


def _groups(chart: Callable[[Frame, list[Row]], str]) -> Draw:
    def drawn(frame: Frame, definition: Definition, drawing: Drawing) -> str:
        return chart(
            frame, [row for request in requests_of(definition) for row in drawing.data.rows(request)]
        )

    return drawn


def _geomap(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw countries by value as a list, because the package contains no map."""
    rows = [row for request in requests_of(definition) for row in drawing.data.rows(request)]
    rows = [Row(row.name.rpartition(":")[2].upper(), row.values, row.unit) for row in rows]
    return values.top_list(frame, rows, painter([], frame.theme))


def _split_group(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw one small graph for each value of a tag."""
    parts = split.parts(definition, drawing)
    across = max(1, min(len(parts), int(frame.width // split.SIZES.get(str(definition.get("size")), 260))))
    down = -(-len(parts) // across)
    room = replace(frame, width=frame.width / across, height=frame.height / down)
    drawn = []
    for at, (name, definition_) in enumerate(parts):
        head = svg.text(svg.fitted(name, room.width - 20, 11), 12, 14, size=11, fill=frame.theme.muted)
        inside = svg.group([draw(room.shorter(18), definition_, drawing)], 0, 18)
        drawn.append(svg.group([head, inside], room.width * (at % across), room.height * (at // across)))
    return "".join(drawn)


def _point_plot(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw records by time and by one of their values."""
    return fields.dots(frame, streams.points_of(definition, drawing))


def _note(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    return notes.as_picture(frame, str(definition.get("content") or ""))


_COLOUR = re.compile(r"#(?!4d4d4d)[0-9a-fA-F]{6}")
"""Matches a chosen colour: #4d4d4d is Datadog's default."""


def _free_text(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw one line of text, in a smaller font than requested if it would not fit."""
    content, requested = str(definition.get("text") or ""), str(definition.get("font_size"))
    room, high = (frame.width - 16) * 0.92, frame.height * 0.8
    size = min(
        float(requested) if requested.isdigit() else high, high, room / max(svg.width_of(content, 1), 0.1)
    )
    anchor, x = {"center": ("middle", frame.width / 2), "right": ("end", frame.width - 8)}.get(
        str(definition.get("text_align")), ("start", 8.0)
    )
    colour = str(definition.get("color"))
    fill = colour if _COLOUR.fullmatch(colour) else frame.theme.ink
    return svg.text(
        content, x, frame.height / 2 + size * 0.35, size=round(size, 1), fill=fill, text_anchor=anchor
    )


WIDGETS: dict[str, Draw] = {
    "timeseries": _timeseries,
    "query_value": _query_value,
    "toplist": _top_list,
    "query_table": _table,
    "change": _change,
    "heatmap": _heatmap,
    "distribution": _distribution,
    "scatterplot": _scatter,
    "treemap": _groups(fields.treemap),
    "sunburst": _groups(fields.sunburst),
    "bar_chart": _groups(lambda frame, rows: values.top_list(frame, rows, painter([], frame.theme))),
    "note": _note,
    "free_text": _free_text,
    "alert_graph": states.alert_graph,
    "alert_value": states.alert_value,
    "manage_status": states.manage_status,
    "check_status": states.check_status,
    "slo": slo_widgets.slo,
    "event_timeline": streams.event_timeline,
    "trace_service": services.trace_service,
    "servicemap": services.servicemap,
    "topology_map": services.topology_map,
    "hostmap": services.hostmap,
    "geomap": _geomap,
    "split_group": _split_group,
    "point_plot": _point_plot,
}
"""Widget type -> function that draws it."""

LISTINGS: dict[str, Callable[[Definition, Drawing], lists.Listing]] = {
    "list_stream": streams.list_stream,
    "log_stream": streams.log_stream,
    "event_stream": streams.event_stream,
    "slo_list": slo_widgets.slo_list,
}
"""Widget type -> function that returns its rows, which a page shows as a table."""

PLACEHOLDERS: dict[str, str] = {
    "cohort": "Cohort: shows how users come back, from RUM events, which only Datadog has.",
    "custom": "Custom widget: its code is kept in Datadog.",
    "embedded_app": "App: shows an app of Datadog's App Builder.",
    "flame_graph": "Flame graph: shows where traces or profiles spend their time, which only Datadog has.",
    "funnel": "Funnel: shows how many users reach each step, from RUM events, which only Datadog has.",
    "heatgrid": "Heat grid: a table of colours over Datadog's own data.",
    "iframe": "Embedded page: nothing is loaded from elsewhere here.",
    "image": "Image: nothing is loaded from elsewhere here.",
    "powerpack": "Powerpack: its widgets are kept in Datadog, not in the dashboard.",
    "retention_curve": "Retention: shows how many users come back, from RUM events, which only Datadog has.",
    "run_workflow": "Workflow: a button that runs a workflow in Datadog.",
    "sankey": "Sankey: shows how users or packets flow, from RUM or network data, which only Datadog has.",
    "wildcard": "Wildcard: a Vega-Lite chart over Datadog's own data.",
    "group": "",
}
"""Widget types with data that exist only in Datadog -> description."""
