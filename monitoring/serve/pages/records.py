"""The pages of events, service level objectives and downtimes."""

from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from monitoring.monitor.downtimes import scope_of
from monitoring.monitor.search import compile_search
from monitoring.preview.charts.lists import as_html
from monitoring.preview.charts.shapes import Frame
from monitoring.preview.drawing import Drawing
from monitoring.preview.errors import UndrawableError
from monitoring.preview.page import chart, pictures
from monitoring.preview.slo_widgets import slo_list
from monitoring.preview.theme import PAGE
from monitoring.preview.widgets import draw
from monitoring.serve.pages.shell import (
    field,
    item_link,
    page,
    page_number,
    pager,
    problem_page,
    range_form,
    span_of,
    table,
)
from monitoring.serve.pages.site import Site
from monitoring.store import facts

EVENTS = 100


def events(site: Site, request: Request) -> Response:
    """Return the events of the time range that match a search, the newest first.

    Raises:
        InputError: the search or a time is not valid.
    """
    span = span_of(request, site.clock(), "-1d")
    search = (request.query_params.get("query") or "").strip()
    test = compile_search(search or "*")
    fitting = [event for event in reversed(facts.events(site.store, span.start, span.end + 1)) if test(event)]
    number = page_number(request.query_params)
    rows = [
        (_clock(event.time), _event(event.message), escape(", ".join(event.tags)))
        for event in fitting[(number - 1) * EVENTS : number * EVENTS]
    ]
    pages = pager(number, EVENTS, len(fitting), "events", lambda to: f"?page={to}&from={span.value}")
    box = field("query", search, "Search", 30, "source:deployment")
    listed = table(("Time", "Event", "Tags"), rows, "No event fits in this time.")
    return page(request, "Events", pages + listed, range_form(span, box))


def _event(text: str) -> str:
    title, _, rest = text.partition("\n")
    if not rest.strip():
        return f"<b>{escape(title)}</b>"
    return f"<details><summary><b>{escape(title)}</b></summary><pre>{escape(rest)}</pre></details>"


def objectives(site: Site, request: Request) -> Response:
    """Return every service level objective with its status and its remaining error budget."""
    drawing = _drawing(site)
    ways = " · ".join(item_link("slos", key, str(body.get("name") or key)) for key, body in _slos(drawing))
    listed = as_html(slo_list({}, drawing)) if ways else ""
    empty = '<div class="panel muted">There is no service level objective: put one into slos/.</div>'
    return page(request, "Service level objectives", f"{ways and f'<p>{ways}</p>'}{listed}" or empty)


def objective(site: Site, request: Request) -> Response:
    """Return the page of a service level objective with its windows."""
    key = request.path_params["key"]
    drawing = _drawing(site)
    body = drawing.data.facts.slos.get(key)
    if body is None:
        from monitoring.errors import InputError

        return problem_page(InputError("There is no such service level objective."), request, 404)
    definition = {"type": "slo", "slo_id": key, "view_type": "detail", "show_error_budget": True}
    frame = Frame(1100, 320, PAGE, drawing.data.start, drawing.data.end)
    name = str(body.get("name") or key)
    picture = pictures(frame, lambda room: draw(room, definition, drawing), name)
    words = f'<pre class="panel">{escape(str(body.get("description") or body.get("type") or ""))}</pre>'
    parts = [
        words,
        f'<div class="panel">{picture}</div>',
        *(_measure(drawing, key, *row) for row in _MEASURES),
    ]
    return page(request, name, "".join(parts))


_MEASURES = (
    ("Status", "slo_status"),
    ("Error budget that is left", "error_budget_burndown"),
)
"""Title and measure of the graphs of an objective."""


def _measure(drawing: Drawing, key: str, title: str, measure: str) -> str:
    """Return a graph of one measure of an objective over the time of the page."""
    query = {"data_source": "slo", "name": "q", "slo_id": key, "measure": measure}
    request = {
        "response_format": "timeseries",
        "queries": [query],
        "formulas": [{"formula": "q", "alias": title}],
    }
    definition = {"type": "timeseries", "requests": [request]}
    frame = Frame(1100, 200, PAGE, drawing.data.start, drawing.data.end)
    picture = pictures(frame, lambda room: draw(room, definition, drawing), title)
    with suppress(UndrawableError):  # the drawing shows the reason
        picture = chart(picture, frame, definition, drawing)
    return f'<section class="panel"><h2>{title}</h2>{picture}</section>'


def _drawing(site: Site) -> Drawing:
    now = int(site.clock())
    return Drawing(site.data(now - 7 * 86_400, now), site.known_monitors(), scripted=True)


def _slos(drawing: Drawing) -> list[tuple[str, Any]]:
    """Return the objectives by key; one that was applied from a file is listed as stored and as a file."""
    return sorted(drawing.data.facts.slos.items())


def downtimes(site: Site, request: Request) -> Response:
    """Return the list of stored downtimes."""
    rows = [
        (
            escape(str(body.get("message") or body.get("id"))),
            escape(scope_of(body)),
            _time(body.get("start")),
            _time(body.get("end")) or "until it is cancelled",
        )
        for body in site.store.documents.all("downtime")
        if not body.get("disabled") and not body.get("canceled")
    ]
    listed = table(("Downtime", "Scope", "From", "Until"), rows, "There is no downtime.")
    return page(request, "Downtimes", listed)


def _time(value: object) -> str:
    return _clock(int(value)) if isinstance(value, int | float) and value else ""


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%b %d %H:%M:%S}"
