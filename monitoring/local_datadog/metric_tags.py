"""Tag configurations of metrics (Metrics without Limits), their volumes, and the queried tags.

A configuration is stored, returned and used for the volumes; queries still use all tags.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, mounted, number
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.query import Metric, MetricMonitor, Query, walk
from monitoring.query.nodes import And, In, Not, Or, Scope, Tag
from monitoring.resources import parsed, sites
from monitoring.store.documents import Documents

KIND = "tag_configuration"
TYPES = ("gauge", "count", "rate", "distribution")
_WRITABLE = ("tags", "include_percentiles", "exclude_tags_mode", "aggregations")
_AGGREGATIONS = {"gauge": "avg", "count": "sum", "rate": "sum"}
_OF_A_DISTRIBUTION = 5
"""Custom metrics per tag combination: count, sum, min, max and average; percentiles add five more."""
_SERIES = """
    SELECT type, tags || CASE WHEN host = '' THEN [] ELSE ['host:' || host] END FROM series
    WHERE metric = $metric AND series_id IN (
        SELECT series_id FROM points WHERE time >= $since
        UNION ALL SELECT series_id FROM samples WHERE time >= $since)"""


class MetricTags(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("POST", "/tags", self._create),
            ("GET", "/tags", self._get),
            ("PATCH", "/tags", self._update),
            ("DELETE", "/tags", self._delete),
            ("GET", "/volumes", self._volumes),
            ("GET", "/active-configurations", self._active),
        ]
        return mounted("/api/v2/metrics/{name}", table)

    async def _create(self, request: Request) -> Response:
        name, attributes = request.path_params["name"], _attributes(await read_json(request))
        kind = attributes.get("metric_type")
        if kind not in TYPES:
            raise ApiError(400, f"metric_type must be one of {', '.join(TYPES)}")
        if self._documents.get(KIND, name) is not None:
            raise ApiError(409, f"{name} already has a tag configuration")
        default: Body = {"include_percentiles": False} if kind == "distribution" else {}
        if aggregation := _AGGREGATIONS.get(str(kind)):
            default["aggregations"] = [{"space": aggregation, "time": aggregation}]
        return self._put(name, default | attributes | {"created_at": self._context.moment()}, 201)

    async def _update(self, request: Request) -> Response:
        name, attributes = request.path_params["name"], _attributes(await read_json(request))
        attributes.pop("metric_type", None)
        return self._put(name, self._find(name)["attributes"] | attributes, 200)

    def _put(self, name: str, attributes: Body, status: int) -> Response:
        of_distribution = attributes["metric_type"] == "distribution"
        if attributes.get("include_percentiles") and not of_distribution:
            raise ApiError(400, "include_percentiles goes with metric_type distribution only")
        if attributes.get("exclude_tags_mode") and not attributes.get("tags"):
            raise ApiError(400, "exclude_tags_mode requires tags")
        kept: Body = {"tags": []} | attributes | {"modified_at": self._context.moment()}
        body = {"type": "manage_tags", "id": name, "attributes": kept}
        self._documents.put(KIND, name, body)
        return reply({"data": body}, status)

    async def _get(self, request: Request) -> Response:
        return reply({"data": self._find(request.path_params["name"])})

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._find(name)
        self._documents.delete(KIND, name)
        return Response(status_code=204)

    def _find(self, name: str) -> Body:
        return self._context.find(KIND, name, f"{name} not found")

    async def _volumes(self, request: Request) -> Response:
        """Count custom metrics: combinations of all tags, and of the configured tags."""
        name = request.path_params["name"]
        since = int(self._context.clock()) - number(request.query_params, "window[seconds]", 3600)
        with self._context.store.reading() as cursor:
            rows = cursor.execute(_SERIES, {"metric": name, "since": since}).fetchall()
        configured = self._documents.get(KIND, name)
        rules = configured["attributes"] if configured else {}
        kept = {(kind == "distribution", frozenset(_kept(tags, rules))) for kind, tags in rows}
        sent = {(kind == "distribution", frozenset(tags)) for kind, tags in rows}
        twice = 2 if rules.get("include_percentiles") else 1
        attributes = {"indexed_volume": _volume(kept, twice), "ingested_volume": _volume(sent)}
        return reply({"data": {"type": "metric_volumes", "id": name, "attributes": attributes}})

    async def _active(self, request: Request) -> Response:
        """Return the tags of the metric that dashboards, monitors and SLOs query."""
        name = request.path_params["name"]
        queried = [metric for metric in asked_metrics(self._documents) if metric.name == name]
        keys = {key for metric in queried for key in (*metric.by, *_keys(metric.scope))}
        pairs = {(metric.aggregator or "avg", _in_time(metric)) for metric in queried}
        aggregations = [{"space": space, "time": time} for space, time in sorted(pairs)]
        attributes = {"active_tags": sorted(keys), "active_aggregations": aggregations}
        body = {"type": "actively_queried_configurations", "id": name, "attributes": attributes}
        return reply({"data": body})


def asked_metrics(documents: Documents) -> Iterator[Metric]:
    """Yield each metric query in the stored monitors, dashboards and SLOs."""
    sites_of_kind = [
        site for board in documents.all("dashboard") for site in sites.widget_sites(sites.widgets(board))
    ]
    sites_of_kind += [site for slo in documents.all("slo") for site in sites.slo_sites(slo)]
    nodes: list[Query | None] = [parsed.query(site.text)[0] for site in sites_of_kind if not site.formula]
    for monitor in documents.all("monitor"):
        watched = parsed.monitor(monitor["query"])[0]
        nodes.append(watched.query if isinstance(watched, MetricMonitor) else None)
    for node in nodes:
        if node is not None:
            yield from (part for part in walk(node) if isinstance(part, Metric))


def _keys(scope: Scope) -> Iterator[str]:
    """Return the tag keys of a scope."""
    if isinstance(scope, And | Or):
        for term in scope.terms:
            yield from _keys(term)
    elif isinstance(scope, Not):
        yield from _keys(scope.term)
    elif isinstance(scope, Tag | In) and scope.key is not None:
        yield scope.key


Fit = Callable[[str, str], bool]
"""(name, type) -> whether the metric is listed."""


def filters(parameters: Mapping[str, str], configured: Mapping[str, Body], documents: Documents) -> list[Fit]:
    """Return the filters of a list of metrics in the query string.

    Queries are not recorded: a metric counts as queried if a stored monitor, dashboard or SLO uses it.

    Raises:
        ApiError: 400 for an invalid value of a filter.
    """

    def queried(text: str, _configured: Mapping[str, Body]) -> Fit:
        return _is(text, _among(metric.name for metric in asked_metrics(documents)))

    known = _FILTERS | dict.fromkeys(("queried", "related_assets"), queried)
    texts = {name: parameters.get(f"filter[{name}]", "") for name in known}
    return [known[name](text, configured) for name, text in texts.items() if text]


def truth(text: str) -> bool:
    """Parse `true` or `false` of the query string. Raises ApiError 400."""
    if text.lower() not in {"true", "false"}:
        raise ApiError(400, f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _is(text: str, test: Fit) -> Fit:
    expected = truth(text)
    return lambda name, kind: test(name, kind) is expected


def _among(names: Iterable[str]) -> Fit:
    known = frozenset(names)
    return lambda name, _: name in known


def _of_category(text: str, _configured: Mapping[str, Body]) -> Fit:
    if text not in {"distribution", "non_distribution"}:
        raise ApiError(400, "filter[metric_type] is distribution or non_distribution")
    return lambda _, kind: (kind == "distribution") is (text == "distribution")


def _with_tags(text: str, configured: Mapping[str, Body]) -> Fit:
    keys = {key.strip() for key in text.split(",")}
    return lambda name, _: name in configured and keys <= set(configured[name]["attributes"]["tags"])


def _with_percentiles(text: str, configured: Mapping[str, Body]) -> Fit:
    expected = truth(text)
    enabled = {
        name
        for name, configuration in configured.items()
        if configuration["attributes"].get("include_percentiles")
    }
    return lambda name, kind: kind == "distribution" and (name in enabled) is expected


_FILTERS: dict[str, Callable[[str, Mapping[str, Body]], Fit]] = {
    "configured": lambda text, configured: _is(text, _among(configured)),
    "is_configurable": lambda text, _configured: _is(text, lambda _name, _kind: True),
    "tags_configured": _with_tags,
    "metric_type": _of_category,
    "include_percentiles": _with_percentiles,
}


def _in_time(metric: Metric) -> str:
    return "sum" if metric.modifier("as_count") or metric.modifier("as_rate") else "avg"


def _kept(tags: Iterable[str], rules: Body) -> Iterator[str]:
    """Yield the tags of a configuration; all tags without one."""
    excluding = bool(rules.get("exclude_tags_mode"))
    named = set(rules.get("tags") or ())
    return (tag for tag in tags if not rules or (tag.partition(":")[0] in named) is not excluding)


def _volume(combinations: Iterable[tuple[bool, frozenset[str]]], times: int = 1) -> int:
    return sum(_OF_A_DISTRIBUTION * times if distribution else 1 for distribution, _ in combinations)


def _attributes(body: Any) -> Body:
    data = as_object(body).get("data")
    if not isinstance(data, dict) or data.get("type") != "manage_tags":
        raise ApiError(400, 'The request body needs data of type "manage_tags"')
    attributes = as_object(data.get("attributes") or {})
    tags = attributes.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise ApiError(400, "tags must be a list of tag keys")
    return {key: attributes[key] for key in ("metric_type", *_WRITABLE) if attributes.get(key) is not None}
