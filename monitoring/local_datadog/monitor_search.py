"""Search monitors and their groups, as on Datadog's Manage Monitors page."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.local_datadog.context import Body, number
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.monitor.search import Record, compile_search
from monitoring.query import Metric, MetricMonitor, grouped_by, parse_monitor, walk

_STATUS = re.compile(r'\bstatus:\(?((?:"[^"]*"|\w+)(?:\s+OR\s+(?:"[^"]*"|\w+))*)')
_QUOTED_TAG = re.compile(r'(?<![\w:])"([\w./-]+:[^"]*)"')
_TITLE = re.compile(r"\btitle:")
_HANDLE = re.compile(r"@[A-Za-z0-9_.@+/-]+")
_STATUSES = frozenset({"alert", "warn", "ok", "no data", "unknown", "skipped", "ignored"})
_METRIC_TYPES = frozenset({"query alert", "metric alert"})


class MonitorSearch:
    """The two search routes; a function returns every monitor with its states."""

    def __init__(self, monitors: Callable[[], list[Body]], clock: Callable[[], float]) -> None:
        self._monitors = monitors
        self._clock = clock

    async def monitors(self, request: Request) -> Response:
        """Handle GET /api/v1/monitor/search."""
        matching = self._found(request)
        page, metadata = _page(matching, request, default=30)
        return reply(
            {
                "counts": _counts(matching, self._clock()),
                "metadata": metadata,
                "monitors": [_shown(monitor) for monitor in page],
            }
        )

    async def groups(self, request: Request) -> Response:
        """Handle GET /api/v1/monitor/groups/search."""
        groups = [
            _shown_group(monitor, name, group)
            for monitor in self._found(request)
            for name, group in monitor.get("state", {}).get("groups", {}).items()
        ]
        page, metadata = _page(groups, request, default=30)
        counts = {
            "status": _named(Counter(group["status"] for group in groups)),
            "type": _named(Counter(group["type"] for group in groups)),
        }
        return reply({"counts": counts, "groups": page, "metadata": metadata})

    def _found(self, request: Request) -> list[Body]:
        test = _test(request.query_params.get("query", ""))
        now = self._clock()
        matching = [monitor for monitor in self._monitors() if test(_record(monitor, now))]
        key, _, direction = request.query_params.get("sort", "name,asc").partition(",")
        field = {"status": "overall_state", "type": "type"}.get(key, "name")
        return sorted(matching, key=lambda monitor: str(monitor[field]).lower(), reverse=direction == "desc")


def _test(query: str) -> Callable[[Record], bool]:
    """`status:(alert OR warn) -tag:"env:dev" word`: words are looked for in the name, the rest are fields.

    Raises:
        ApiError: 400: a status that is none, or a query that cannot be read.
    """
    for statuses in _STATUS.findall(query):
        for value in re.split(r"\s+OR\s+", statuses):
            if value.strip('"').lower() not in _STATUSES:
                raise ApiError(400, f"Query parsing error: '{value}' is not a valid monitor status")
    try:
        return compile_search(_TITLE.sub("", _QUOTED_TAG.sub(r'tag:"\1"', query)))
    except InputError as error:
        raise ApiError(400, f"Query parsing error: {error.message}") from error


def _record(monitor: Body, now: float) -> Record:
    """Return the fields of a monitor that a search can match, as tags."""
    metrics, scopes = _metrics_and_scopes(monitor["query"])
    kind = monitor["type"]
    fields: dict[str, Iterable[object]] = {
        "status": [monitor["overall_state"]],
        "type": [kind, kind.removesuffix(" alert"), *(["metric"] if kind in _METRIC_TYPES else [])],
        "muted": [str(_is_muted(monitor, now)).lower()],
        "tag": monitor["tags"],
        "id": [monitor["id"]],
        "priority": [f"p{monitor['priority']}", monitor["priority"]],
        "metric": metrics,
        "scope": scopes,
        "group_by": _keys(monitor["query"]),
        "notification": [handle[1:] for handle in _handles(monitor["message"])],
        "creator": [monitor["creator"]["name"], monitor["creator"]["handle"]],
    }
    named = (f"{field}:{value}" for field, values in fields.items() for value in values)
    return Record(0, monitor["name"], (*monitor["tags"], *named))


def _is_muted(monitor: Body, now: float) -> bool:
    """Return whether a scope is silenced, without an end or until a future time."""
    return any(until is None or until > now for until in monitor["options"]["silenced"].values())


def _keys(query: str) -> Iterable[str]:
    try:
        return grouped_by(parse_monitor(query))
    except InputError:
        return ()


def _page(matching: list[Body], request: Request, default: int) -> tuple[list[Body], Body]:
    size = max(1, min(100, number(request.query_params, "per_page", default)))
    page = max(0, number(request.query_params, "page", 0))
    pages = math.ceil(len(matching) / size)
    metadata = {"page": page, "page_count": pages, "per_page": size, "total_count": len(matching)}
    return matching[page * size : (page + 1) * size], metadata


def _counts(matching: list[Body], now: float) -> Body:
    return {
        "status": _named(Counter(monitor["overall_state"] for monitor in matching)),
        "muted": _named(Counter(_is_muted(monitor, now) for monitor in matching)),
        "tag": _named(Counter(tag for monitor in matching for tag in monitor["tags"])),
        "type": _named(Counter(monitor["type"] for monitor in matching)),
    }


def _named(counter: Counter[Any]) -> list[Body]:
    return [{"name": name, "count": count} for name, count in counter.most_common()]


def _shown(monitor: Body) -> Body:
    metrics, scopes = _metrics_and_scopes(monitor["query"])
    return {
        "id": monitor["id"],
        "org_id": monitor["org_id"],
        "name": monitor["name"],
        "type": monitor["type"],
        "classification": "composite" if monitor["type"] == "composite" else "metric",
        "status": monitor["overall_state"],
        "query": monitor["query"],
        "metrics": metrics,
        "scopes": scopes,
        "tags": monitor["tags"],
        "creator": monitor["creator"],
        "notifications": [{"handle": handle, "name": handle[1:]} for handle in _handles(monitor["message"])],
        "last_triggered_ts": _last(monitor, "last_triggered_ts"),
    }


def _shown_group(monitor: Body, name: str, group: Body) -> Body:
    return {
        "group": name,
        "group_tags": [tag for tag in name.split(",") if ":" in tag],
        "last_nodata_ts": group.get("last_nodata_ts"),
        "last_triggered_ts": group.get("last_triggered_ts"),
        "monitor_id": monitor["id"],
        "monitor_name": monitor["name"],
        "status": group.get("status", "No Data"),
        "type": monitor["type"],
    }


def _last(monitor: Body, field: str) -> int | None:
    moments = [group.get(field) for group in monitor.get("state", {}).get("groups", {}).values()]
    return max((moment for moment in moments if moment), default=None)


def _metrics_and_scopes(query: str) -> tuple[list[str], list[str]]:
    try:
        parsed = parse_monitor(query)
    except InputError:
        return [], []
    if not isinstance(parsed, MetricMonitor):
        return [], []
    metrics = [node.name for node in walk(parsed.query) if isinstance(node, Metric)]
    return metrics, sorted(set(re.findall(r"\{([^{}]*)\}", query.partition(" by ")[0])))


def _handles(message: str) -> list[str]:
    return list(dict.fromkeys(_HANDLE.findall(message)))
