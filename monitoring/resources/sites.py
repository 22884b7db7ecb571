"""Find the queries and formulas in a dashboard, monitor or SLO, and their widgets.

The values are named tuples: lint makes a hundred thousand of them, and a frozen dataclass takes six times as
long to make.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from monitoring.resources.document import Pointer

_EVENTS = ("good_events_formula", "bad_events_formula", "total_events_formula")
_SPECIFICATIONS: Mapping[str, tuple[str, ...]] = {"time_slice": ("query",), "count": ()}

METRIC_MONITORS = ("metric alert", "query alert")
"""The monitor types whose query is a metric query."""


class Widget(NamedTuple):
    """A widget, wherever it is nested.

    Args:
        pointer: the way to its definition.
        definition: the definition; always an object.
        layout: its place on the board, or None.
        depth: how many groups it is in.
    """

    pointer: Pointer
    definition: Mapping[str, Any]
    layout: Mapping[str, Any] | None
    depth: int

    @property
    def type(self) -> str:
        """The widget type: timeseries, note, group…"""
        kind = self.definition.get("type")
        return kind if isinstance(kind, str) else ""


class QuerySite(NamedTuple):
    """A metric query or a formula in a file.

    Args:
        pointer: the way to the string.
        text: the string.
        formula: whether it is a formula over named queries.
        names: of a formula, the names that its request defines; None where a query has none.
    """

    pointer: Pointer
    text: str
    formula: bool = False
    names: frozenset[str] | None = None


def widgets(body: Mapping[str, Any]) -> Iterator[Widget]:
    """Yield all widgets of a dashboard, a group before its widgets."""
    yield from _widgets(body.get("widgets"), ("widgets",), 0)


def _widgets(items: Any, at: Pointer, depth: int) -> Iterator[Widget]:
    if not isinstance(items, list):
        return
    for index, item in enumerate(items):
        definition = item.get("definition") if isinstance(item, dict) else None
        if not isinstance(definition, dict):
            continue
        layout = item.get("layout")
        pointer = (*at, index, "definition")
        yield Widget(pointer, definition, layout if isinstance(layout, dict) else None, depth)
        if "widgets" in definition:
            yield from _widgets(definition["widgets"], (*pointer, "widgets"), depth + 1)
        source = definition.get("source_widget_definition")
        if isinstance(source, dict):
            yield Widget((*pointer, "source_widget_definition"), source, None, depth + 1)


def _requests(widget: Widget) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """Yield the requests of a widget; those of host maps and scatter plots have names."""
    requests = widget.definition.get("requests")
    at = (*widget.pointer, "requests")
    items: list[tuple[str | int, Any]] = []
    if isinstance(requests, list):
        items = list(enumerate(requests))
    elif isinstance(requests, dict):
        items = list(requests.items())
    for step, item in items:
        if isinstance(item, dict):
            yield (*at, step), item


def _request_sites(at: Pointer, body: Mapping[str, Any]) -> Iterator[QuerySite]:
    """Yield the metric queries and formulas of one request; other data sources have other languages."""
    if isinstance(body.get("q"), str):
        yield QuerySite((*at, "q"), body["q"])
    yield from _named(body, at, _formulas(body, at))


def _named(
    body: Mapping[str, Any], at: Pointer, formulas: Iterable[tuple[Pointer, Any]]
) -> Iterator[QuerySite]:
    """Yield named queries, and the formulas over them."""
    names: set[str | None] = set()
    for pointer, query in _queries(body, at):
        name = query.get("name")
        if name is None or isinstance(name, str):
            names.add(name)
        if query.get("data_source") == "metrics" and isinstance(query.get("query"), str):
            yield QuerySite((*pointer, "query"), query["query"])
    known = None if None in names else frozenset(name for name in names if name is not None)
    for pointer, formula in formulas:
        if isinstance(formula, dict) and isinstance(formula.get("formula"), str):
            yield QuerySite((*pointer, "formula"), formula["formula"], formula=True, names=known)


def _formulas(body: Mapping[str, Any], at: Pointer) -> Iterator[tuple[Pointer, Any]]:
    listed = body.get("formulas")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        yield (*at, "formulas", index), item


def _queries(body: Mapping[str, Any], at: Pointer) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    queries = body.get("queries")
    for index, query in enumerate(queries if isinstance(queries, list) else ()):
        if isinstance(query, dict):
            yield (*at, "queries", index), query
    if isinstance(body.get("query"), dict):
        yield (*at, "query"), body["query"]


def widget_sites(widgets: Iterable[Widget]) -> Iterator[QuerySite]:
    """Yield the metric queries and formulas of the widgets."""
    for widget in widgets:
        for at, body in _requests(widget):
            yield from _request_sites(at, body)


def slo_sites(body: Mapping[str, Any]) -> Iterator[QuerySite]:
    """Yield the metric queries and formulas of a service level objective."""
    query = body.get("query")
    for name in ("numerator", "denominator"):
        if isinstance(query, dict) and isinstance(query.get(name), str):
            yield QuerySite(("query", name), query[name])
    specification = body.get("sli_specification")
    for kind, way in _SPECIFICATIONS.items():
        value = specification
        for step in (kind, *way):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, dict):
            at = ("sli_specification", kind, *way)
            formulas = [
                *_formulas(value, at),
                *(((*at, name), value[name]) for name in _EVENTS if name in value),
            ]
            yield from _named(value, at, formulas)


def variable_sites(body: Mapping[str, Any]) -> Iterator[QuerySite]:
    """Yield the metric queries in a monitor's `options.variables`."""
    options = body.get("options")
    variables = options.get("variables") if isinstance(options, dict) else None
    for index, query in enumerate(variables if isinstance(variables, list) else ()):
        if not isinstance(query, dict) or query.get("data_source") != "metrics":
            continue
        if isinstance(query.get("query"), str):
            yield QuerySite(("options", "variables", index, "query"), query["query"])
