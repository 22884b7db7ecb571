"""The routes of metric names: active metrics, metadata, tags and search."""

from collections.abc import Callable
from itertools import chain

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.local_datadog import metric_tags
from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, flag, mounted, number
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.query import Metric, parse
from monitoring.query.selection import all_tags, matcher

KIND = "metric_metadata"
_TYPES = {"gauge", "count", "rate", "distribution"}
_MOST, _MOST_NAMES = 10_000, 1000
FOREVER = 1 << 40
_FIELDS = ("description", "short_name", "unit", "per_unit", "statsd_interval", "integration")
_ACTIVE = """
    SELECT DISTINCT metric FROM series JOIN (
        SELECT series_id, time FROM points UNION ALL SELECT series_id, time FROM samples) USING (series_id)
    WHERE time >= $since AND ($host = '' OR host = $host)
      AND ($tag = '' OR list_contains(tags, $tag)) ORDER BY metric"""
_ONE = "SELECT any_value(type) FROM series WHERE metric = $metric HAVING count(*) > 0"
_TAGS = """
    SELECT DISTINCT unnest(tags || CASE WHEN host = '' THEN [] ELSE ['host:' || host] END) AS tag
    FROM series WHERE metric = $metric ORDER BY tag"""
_NAMES = "SELECT DISTINCT metric FROM series WHERE contains(lower(metric), $text) ORDER BY metric LIMIT 1000"
_EVERY = """
    SELECT metric, type, host, tags FROM series WHERE series_id IN (
        SELECT series_id FROM points WHERE time >= $since
        UNION ALL SELECT series_id FROM samples WHERE time >= $since)"""
_HOSTS = """
    SELECT DISTINCT host FROM series WHERE host <> '' AND contains(lower(host), $text)
    ORDER BY host LIMIT 1000"""


class MetricsMeta(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("GET", "/api/v1/metrics", self._active),
            ("GET", "/api/v1/search", self._search),
            ("GET", "/api/v2/metrics", self._all),
            ("GET", "/api/v2/metrics/{name}/all-tags", self._tags),
            ("GET", "/api/v1/metrics/{name}", self._get),
            ("PUT", "/api/v1/metrics/{name}", self._update),
        ]
        return mounted("", table)

    async def _active(self, request: Request) -> Response:
        parameters = request.query_params
        if not parameters.get("from"):
            raise ApiError(400, "The parameter 'from' is required")
        conditions: Body = {"since": number(parameters, "from", 0), "host": parameters.get("host", "")}
        tag = parameters.get("tag_filter", "")
        names = self._names(_ACTIVE, conditions | {"tag": tag})
        wanted = {tag.lower(), f"host:{conditions['host']}".lower() if conditions["host"] else ""} - {""}
        replayed = self._replayed(conditions["since"])
        names += [
            name
            for name in replayed
            if not wanted or any(wanted <= tags for tags in self._replayed_tags(name))
        ]
        return reply({"from": parameters["from"], "metrics": sorted(set(names))})

    async def _search(self, request: Request) -> Response:
        kind, _, text = request.query_params.get("q", "").rpartition(":")
        results = {}
        if kind in {"", "metrics"}:
            replayed = [name for name in self._replayed() if text.lower() in name.lower()]
            names = {*self._names(_NAMES, {"text": text.lower()}), *replayed}
            results["metrics"] = sorted(names)[:_MOST_NAMES]
        if kind in {"", "hosts"}:
            results["hosts"] = self._names(_HOSTS, {"text": text.lower()})
        return reply({"results": results})

    async def _all(self, request: Request) -> Response:
        """Return the metrics that match the filters, in pages if a page is requested."""
        parameters = request.query_params
        test = _tag_test(parameters.get("filter[tags]", ""))
        since = int(self._context.clock()) - number(parameters, "window[seconds]", FOREVER)
        with self._context.store.reading() as cursor:
            rows = cursor.execute(_EVERY, {"since": since}).fetchall()
        replayed = [name for name in self._replayed(since) if any(map(test, self._replayed_tags(name)))]
        types = dict.fromkeys(replayed, "distribution")
        types |= {name: kind for name, kind, host, tags in rows if test(all_tags(tags, host))}
        configured = {
            configuration["id"]: configuration for configuration in self._documents.all(metric_tags.KIND)
        }
        fits = metric_tags.filters(parameters, configured, self._documents)
        if flag(request, "filter[configured]"):  # configured metrics are listed even without points
            types = {
                name: configuration["attributes"]["metric_type"] for name, configuration in configured.items()
            } | types
        names = sorted(name for name, kind in types.items() if all(fit(name, kind) for fit in fits))
        data = [configured.get(name) or {"type": "metrics", "id": name} for name in names]
        if "page[size]" not in parameters and "page[cursor]" not in parameters:
            return reply({"data": data})
        size = max(1, min(_MOST, number(parameters, "page[size]", _MOST)))
        first = max(0, number(parameters, "page[cursor]", 0))
        following = str(first + size) if first + size < len(data) else None
        page = {"cursor": parameters.get("page[cursor]"), "limit": size, "next_cursor": following}
        shown = data[first : first + size]
        return reply({"data": shown, "meta": {"pagination": page | {"type": "cursor_limit"}}})

    async def _tags(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._type(name)
        tags = sorted({*self._names(_TAGS, {"metric": name}), *chain(*self._replayed_tags(name))})
        return reply({"data": {"type": "metrics", "id": name, "attributes": {"tags": tags}}})

    async def _get(self, request: Request) -> Response:
        return reply(self._metadata(request.path_params["name"]))

    async def _update(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._type(name)
        body = as_object(await read_json(request))
        if body.get("type") not in {None, *_TYPES}:
            raise ApiError(400, f"Invalid metric type: one of {', '.join(sorted(_TYPES))}")
        kept = self._documents.get(KIND, name) or {}
        fields = {key: body[key] for key in ("type", *_FIELDS) if body.get(key) is not None}
        self._documents.put(KIND, name, kept | fields)
        return reply(self._metadata(name))

    def _metadata(self, name: str) -> Body:
        kind = self._type(name)
        stored = self._documents.get(KIND, name) or {}
        return {"type": stored.get("type") or kind or "gauge"} | {key: stored.get(key) for key in _FIELDS}

    def _type(self, name: str) -> str:
        with self._context.store.reading() as cursor:
            rows = cursor.execute(_ONE, {"metric": name}).fetchall()
        if rows:
            return str(rows[0][0])
        if name not in self._replayed():
            raise ApiError(404, "metric_name not found")
        return "distribution"

    def _replayed(self, since: int = 0) -> list[str]:
        """Return the metrics of the replay beside the store that have points since then."""
        history = self._context.store.history
        spans = history.partitions.spans() if history else {}
        return [name for name, (_, last) in spans.items() if last >= since]

    def _replayed_tags(self, name: str) -> list[frozenset[str]]:
        """Return the tags of each source of a metric in the replay."""
        history = self._context.store.history
        sources = history.partitions.sources(name) if history else {}
        return [all_tags(source.tags, source.host) for source in sources.values()]

    def _names(self, query: str, parameters: Body) -> list[str]:
        with self._context.store.reading() as cursor:
            return [row[0] for row in cursor.execute(query, parameters).fetchall()]


def _tag_test(scope: str) -> Callable[[frozenset[str]], bool]:
    """Return a predicate over a series' tags; `env:prod AND service:(…)` is written as in a query."""
    if not scope.strip():
        return lambda tags: True
    try:
        node = parse(f"avg:m{{{scope}}}")
    except InputError as error:
        raise ApiError(400, f"Invalid filter[tags]: {error.message}") from error
    if not isinstance(node, Metric):
        raise ApiError(400, "Invalid filter[tags]: it is not a filter")
    return matcher(node.scope)
