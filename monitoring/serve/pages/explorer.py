"""The metrics explorer: any query over the store, with completion of names."""

import json
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from monitoring.preview.charts.shapes import Frame
from monitoring.preview.drawing import Drawing
from monitoring.preview.page import chart, pictures
from monitoring.preview.scales import COUNTS, format_value
from monitoring.preview.theme import PAGE
from monitoring.preview.widgets import draw
from monitoring.query import FUNCTIONS, MODIFIERS, QueryError
from monitoring.query.functions import SPACE_AGGREGATORS
from monitoring.serve.pages.shell import TimeRange, link, page, range_form, span_of, table
from monitoring.serve.pages.site import Site
from monitoring.store import MetricSummary

MOST_METRICS = 2000
MOST_VALUES = 200
"""The maximum number of completions for metrics and for a tag's values, which are all part of the page."""


def explore(site: Site, request: Request) -> Response:
    """Return the page of a query with graph and values; without a query, the list of all metrics."""
    span = span_of(request, site.clock(), "-4h")
    query = request.query_params.get("q") or ""
    field = escape(query, quote=True)
    names = [metric.name for metric in site.store.metrics()]
    offered = "".join(f'<option value="{escape(_starter(site, name), quote=True)}">' for name in names)
    words = escape(json.dumps(vocabulary(site)), quote=True)
    box = (
        f'<span class="combo"><input name="q" list="names" size="64" value="{field}" autocomplete="off"'
        f' spellcheck="false" aria-label="Query" placeholder="avg:metric{{tag:value}} by {{key}}"'
        f' data-known="{words}"><ul id="offers" role="listbox" aria-label="Completions" hidden></ul></span>'
        f'<datalist id="names">{offered}</datalist><button>Show</button>'
    )
    body = _answer(site, query, span) if query else _names(site)
    return page(request, "Metrics", body, range_form(span, box))


def vocabulary(site: Site) -> dict[str, Any]:
    """Return the names for the completion: metrics with their tag keys, tags, functions."""
    keys, tags = site.tags()
    metrics = {
        metric.name: {"query": _starter(site, metric.name), "keys": keys.get(metric.name, [])}
        for metric in site.store.metrics()[:MOST_METRICS]
    }
    calls = [name for name in FUNCTIONS if name not in MODIFIERS]
    known = {"metrics": metrics, "tags": {key: values[:MOST_VALUES] for key, values in tags.items()}}
    return {**known, "aggregators": SPACE_AGGREGATORS, "functions": calls, "modifiers": list(MODIFIERS)}


def _starter(site: Site, name: str) -> str:
    kind = site.known[name].type if name in site.known else ""
    return f"sum:{name}{{*}}.as_count()" if kind == "count" else f"avg:{name}{{*}}"


def _answer(site: Site, query: str, span: TimeRange) -> str:
    """Return the graph and its values as a list, or a message for no data or an error."""
    drawing = Drawing(site.data(span.start, span.end), scripted=True)
    kinds = (("timeseries", 300), ("toplist", 240)) if _has_values(drawing, query) else (("timeseries", 200),)
    return "".join(_picture(kind, query, drawing, span, height) for kind, height in kinds)


def _has_values(drawing: Drawing, query: str) -> bool:
    try:
        return bool(drawing.data.lines({"q": query}))
    except QueryError:
        return False


def _picture(kind: str, query: str, drawing: Drawing, span: TimeRange, height: int) -> str:
    frame = Frame(1100, height, PAGE, span.start, span.end)
    definition = {"type": kind, "requests": [{"q": query}]}
    drawn = pictures(frame, lambda room: draw(room, definition, drawing), query)
    if kind == "timeseries":
        drawn = chart(drawn, frame, definition, drawing)
    return f'<div class="panel">{drawn}</div>'


def _amounts(site: Site, metric: MetricSummary) -> tuple[str, str]:
    """Return the number of points and their sum; those of a replay are not counted."""
    points, total = COUNTS(float(metric.points)), format_value(metric.sum, site.unit_of(metric.name))
    if not metric.replayed:
        return points, total
    return (f"{points} + replay", f"{total} + replay") if metric.points else ("replay", "replay")


def _names(site: Site) -> str:
    rows = [
        (
            link("/metrics", metric.name, {"q": _starter(site, metric.name)}),
            escape(metric.type or ""),
            *_amounts(site, metric),
        )
        for metric in site.store.metrics()
    ]
    return table(("Metric", "Type", "Points", "Sum"), rows, "No metric has been received yet.")
