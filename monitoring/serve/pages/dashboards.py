"""The pages of dashboards: the list, and each dashboard with its template variables as drop-downs."""

from collections.abc import Iterable
from dataclasses import replace
from html import escape
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.preview.drawing import Drawing
from monitoring.preview.page import dashboard_grid
from monitoring.preview.picture import prepared
from monitoring.preview.variables import Variable
from monitoring.serve.pages.shell import (
    TimeRange,
    item_link,
    page,
    problem_page,
    range_form,
    select,
    span_of,
    table,
)
from monitoring.serve.pages.site import Site, SiteEntry

MOST_VALUES = 100


def address_of(kind: str, key: str) -> str:
    """Return the address of a resource's page."""
    return f"/{kind}s/{quote(key)}"


def listing(site: Site, request: Request) -> Response:
    """Return the list of dashboards."""
    rows = [
        (
            item_link("dashboards", entry.key, entry.title),
            escape(entry.origin),
            escape(entry.problem),
        )
        for entry in site.listed("dashboard")
    ]
    empty = "There is no dashboard: put one into dashboards/, or send one to /api/v1/dashboard."
    return page(request, "Dashboards", table(("Title", "From", "Problem"), rows, empty))


def one(site: Site, request: Request) -> Response:
    """Return the page of one dashboard."""
    entry = site.find("dashboard", request.path_params["key"])
    if entry is None:
        return problem_page(InputError("There is no such dashboard."), request, 404)
    if entry.problem:
        return problem_page(InputError(entry.problem), request, 200)
    span = span_of(request, site.clock(), "-4h")
    chosen = {
        key.removeprefix("tpl_var_"): request.query_params.getlist(key)
        for key in request.query_params
        if key.startswith("tpl_var_")
    }
    data = site.data(span.start, span.end)
    drawing = replace(
        prepared(entry.body, data, site.known_monitors(), chosen), address=address_of, scripted=True
    )
    controls = _controls(site, entry, drawing, span)
    return page(request, entry.title, dashboard_grid(entry.body, drawing), controls)


def _controls(site: Site, entry: SiteEntry, drawing: Drawing, span: TimeRange) -> str:
    values = site.store_values([variable.prefix for variable in drawing.data.variables.values()])
    shown = "".join(
        select(
            f"tpl_var_{variable.name}",
            _options(variable, values.get(variable.prefix, ())),
            variable.chosen,
            f"${variable.name}",
        )
        for variable in drawing.data.variables.values()
    )
    return range_form(span, shown)


def _options(variable: Variable, stored: Iterable[str]) -> list[tuple[str, str]]:
    """Return the values of a template variable: all, those of the dashboard, and those in the store."""
    offered = variable.offered or tuple(sorted(stored))[:MOST_VALUES]
    return [(value, _words(value)) for value in dict.fromkeys(("*", *variable.chosen, *offered))]


def _words(value: str) -> str:
    """Return the short form of a tag value: of an ARN, only the name at its end."""
    return value.rpartition(":")[2] if value.startswith("arn:") else value
