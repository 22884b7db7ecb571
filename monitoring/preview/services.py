"""Draw widgets of spans and hosts: service summary, service map and host map."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitoring.errors import InputError
from monitoring.monitor.search import Record
from monitoring.preview import svg
from monitoring.preview.charts import maps, values
from monitoring.preview.charts.shapes import Frame, Row
from monitoring.preview.charts.timeseries import timeseries
from monitoring.preview.drawing import Definition, Drawing, requests_of
from monitoring.preview.errors import UndrawableError
from monitoring.preview.facts import search_of
from monitoring.preview.variables import as_search, put_in
from monitoring.query import Metric, Several, parse, walk
from monitoring.query import format as format_query
from monitoring.query.narrowing import narrowed

MOST_SPANS = 20_000


def _spans(drawing: Drawing, search: str) -> Sequence[Record]:
    data = drawing.data
    try:
        test = search_of(search, data.variables)
    except InputError as error:
        raise UndrawableError(str(error)) from None
    return data.facts.newest("spans", data.start, data.end, test, MOST_SPANS)


PARTS = (
    ("show_hits", "Hits", ({"stat": "hits"},), "bars"),
    ("show_errors", "Errors", ({"stat": "errors"},), "bars"),
    ("show_latency", "Latency p50, p95", ({"stat": "latency_p50"}, {"stat": "latency_p95"}), "line"),
)


def trace_service(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw hits, errors and latency of a service's operation, and its resources."""
    service = as_search(str(definition.get("service") or ""), drawing.data.variables)
    if not service:
        raise UndrawableError("The widget names no service.")
    about = {"service": service, "operation_name": str(definition.get("span_name") or "")}
    env = as_search(str(definition.get("env") or ""), drawing.data.variables)
    about |= {"env": "" if env in {"none", "*"} else env.removeprefix("env:")}
    shown = [part for part in PARTS if definition.get(part[0]) is not False]
    resources = bool(definition.get("show_resource_list"))
    count = len(shown) + resources
    if not count:
        raise UndrawableError("The widget shows none of its parts.")
    across = {"one_column": 1, "two_column": 2}.get(str(definition.get("display_format")), 3)
    across = max(1, min(across, int(frame.width // 130)))
    shown = shown[: max(1, across * int(frame.height // 70) - resources)]  # a small widget shows the first
    count = len(shown) + resources
    down = -(-count // across)
    room = replace(frame, width=frame.width / across, height=frame.height / down)
    drawn = [_part(room, about, title, stats, kind, drawing) for _, title, stats, kind in shown]
    drawn += [_resources(room, about, drawing)] if resources else []
    places = ((room.width * (at % across), room.height * (at // across)) for at in range(count))
    return "".join(svg.group([picture], *place) for picture, place in zip(drawn, places, strict=True))


def _part(
    frame: Frame,
    about: Mapping[str, str],
    title: str,
    stats: Sequence[Mapping[str, str]],
    kind: str,
    drawing: Drawing,
) -> str:
    queries = [
        {**about, **stat, "data_source": "apm_metrics", "name": f"q{at}"} for at, stat in enumerate(stats)
    ]
    formulas = [
        {"formula": query["name"], "alias": str(query["stat"]).partition("_")[2]} for query in queries
    ]
    request = {"queries": queries, "formulas": formulas, "display_type": kind}
    return _titled(frame, title, lambda room: timeseries(room, drawing.data.lines(request)))


def _titled(frame: Frame, title: str, draw: Any) -> str:
    head = svg.text(svg.fitted(title, frame.width - 16, 11), 12, 14, size=11, fill=frame.theme.muted)
    return head + svg.group([draw(frame.shorter(18))], 0, 18)


def _resources(frame: Frame, about: Mapping[str, str], drawing: Drawing) -> str:
    query = {
        **about,
        "data_source": "apm_metrics",
        "name": "q",
        "stat": "hits",
        "group_by": ["resource_name"],
    }
    rows = drawing.data.rows({"queries": [query], "formulas": [{"formula": "q"}]})
    named = [Row(row.name.partition(":")[2] or row.name, row.values, row.unit) for row in rows]
    return _titled(
        frame,
        "Resources by hits",
        lambda room: values.top_list(room, named, lambda _: (room.theme.panel, room.theme.ink)),
    )


def servicemap(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw the services around one service, or all services if none is named."""
    return _map(frame, definition.get("filters"), definition.get("service"), drawing)


def topology_map(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw a service map as a request of a topology map defines it."""
    query = next(iter(requests_of(definition)), {}).get("query") or {}
    if query.get("data_source") != "service_map":
        raise UndrawableError("Map of data streams: only Datadog has what moves between queues.")
    return _map(frame, query.get("filters"), query.get("service"), drawing)


def _map(frame: Frame, filters: Any, service: Any, drawing: Drawing) -> str:
    searches = [as_search(str(text), drawing.data.variables) for text in filters or []]
    kept = [text for text in searches if "*" not in text and not text.endswith(":none")]
    spans = _spans(drawing, " ".join(kept))
    service_of = {str(text.attributes.get("span_id")): str(text.attributes.get("service")) for text in spans}
    calls: Counter[tuple[str, str]] = Counter()
    hits: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for text in spans:
        name = str(text.attributes.get("service"))
        hits[name] += 1
        errors[name] += text.attributes.get("status") == "error"
        caller = service_of.get(str(text.attributes.get("parent_id")))
        if caller is not None and caller != name:
            calls[caller, name] += 1
    middle = as_search(str(service or ""), drawing.data.variables)
    if middle and middle in hits:
        near = {middle, *(name for edge in calls if middle in edge for name in edge)}
        hits = Counter({name: count for name, count in hits.items() if name in near})
        calls = Counter({edge: count for edge, count in calls.items() if set(edge) <= near})
    nodes = [maps.Service(name, count, errors[name]) for name, count in hits.most_common(30)]
    shown = {text.name for text in nodes}
    return maps.services(frame, nodes, {edge: n for edge, n in calls.items() if set(edge) <= shown})


def hostmap(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw hosts (or containers) as squares, coloured by the metric of `fill`."""
    requests = definition.get("requests")
    fill = requests.get("fill") if isinstance(requests, Mapping) else None
    text = fill.get("q") if isinstance(fill, Mapping) else None
    if not isinstance(text, str):
        raise UndrawableError("Host map without a metric to colour its hosts by.")
    node = "container_id" if definition.get("node_type") == "container" else "host"
    groups = tuple(str(item) for item in definition.get("group") or [])
    scope = [put_in(str(item), drawing.data.variables) for item in definition.get("scope") or []]
    query = _grouped(put_in(text, drawing.data.variables), (*groups, node), scope)
    rows = drawing.data.rows({"q": query})
    hosts = [
        maps.Node(_group(row.name), row.name.split(", ")[-1], row.values[0] or 0.0, row.unit) for row in rows
    ]
    return maps.squares(frame, hosts)


def _group(name: str) -> str:
    """Return the group of a host: all tags of its row but the last."""
    parts = name.split(", ")[:-1]
    return ", ".join(
        f"no {part.partition(':')[0]}" if part.endswith((":N/A", ":n/a")) else part for part in parts
    )


def _grouped(text: str, keys: tuple[str, ...], scope: Sequence[str]) -> str:
    """Return the query grouped by host and filtered by the map's scope."""
    node = parse(text)
    if isinstance(node, Several):
        node = node.queries[0]
    metric = next((part for part in walk(node) if isinstance(part, Metric)), None)
    if metric is None:
        raise UndrawableError("Host map without a metric to colour its hosts by.")
    return format_query(narrowed(replace(metric, by=tuple(dict.fromkeys(keys))), *scope))
