"""Normalise a monitor as Datadog stores it: defaults added, texts stripped, numbers made floats.

All rules are derived from recorded responses of the API.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from monitoring.errors import InputError
from monitoring.query import (
    FormulaMonitor,
    Metric,
    MetricMonitor,
    MonitorQuery,
    SearchMonitor,
    format,  # noqa: A004 - its name on the surface
    grouped_by,
    parse_monitor,
    walk,
)

Body = dict[str, Any]

LOG_LIKE = frozenset(
    {"log alert", "rum alert", "ci-pipelines alert", "ci-tests alert", "llm-observability alert"}
    | {"event-v2 alert", "audit alert", "error-tracking alert", "trace-analytics alert"}
)
METRIC_LIKE = frozenset({"metric alert", "query alert"})
ORG_ID = 1
CREATOR = {"id": 1, "name": "stepscope", "handle": "stepscope@localhost", "email": "stepscope@localhost"}
_ASSET: Body = {"template_variables": {}, "options": {}, "resource_key": None, "resource_type": None}
_AGGREGATED = {"avg": "on average", "sum": "in total", "max": "at least once", "min": "at all times"}


def monitor(
    body: Mapping[str, Any], ident: int, now: float, previous: Mapping[str, Any] | None = None
) -> Body:
    """Return the monitor as Datadog answers with it.

    Args:
        body: what was sent; valid, as `monitor_errors.errors` says.
        ident: its id.
        now: seconds since the epoch.
        previous: the monitor that a PUT changes; what the body leaves out stays as it was.
    """
    merged = {**{key: previous[key] for key in _KEPT if key in previous}, **body} if previous else dict(body)
    query = str(merged.get("query") or "").strip()
    parsed = parsed_query(query)
    kind = _type(str(merged["type"]), parsed)
    moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")
    return {
        "id": ident,
        "org_id": ORG_ID,
        "type": kind,
        "name": _stripped(merged.get("name")) or _generated_name(query, parsed),
        "message": _stripped(merged.get("message")),
        "tags": list(merged.get("tags") or []),
        "query": query,
        "options": _options(merged.get("options") or {}, kind, parsed),
        "multi": bool(parsed and grouped_by(parsed)),
        "created_at": previous["created_at"] if previous else int(now) * 1000,
        "created": previous["created"] if previous else moment,
        "modified": moment,
        "deleted": None,
        "priority": merged.get("priority") or None,
        "restricted_roles": merged.get("restricted_roles") or None,
        "restriction_policy": merged.get("restriction_policy"),
        "draft_status": merged.get("draft_status") or "published",
        "assets": [_ASSET | {"monitor_id": ident} | asset for asset in merged.get("assets") or []],
        "overall_state_modified": previous["overall_state_modified"] if previous else None,
        "overall_state": previous["overall_state"] if previous else "No Data",
        "creator": previous["creator"] if previous else dict(CREATOR),
    }


_KEPT = (
    *("type", "name", "message", "tags", "query", "options", "priority", "restricted_roles"),
    *("restriction_policy", "draft_status", "assets"),
)


def parsed_query(query: str) -> MonitorQuery | None:
    """Return the parsed query, or None where it is not valid."""
    try:
        return parse_monitor(query)
    except InputError:
        return None


def _stripped(text: object) -> str:
    return str(text).strip() if text is not None else ""


def _type(kind: str, parsed: MonitorQuery | None) -> str:
    """Datadog re-types between its two names of a metric monitor, and no others."""
    if kind == "metric alert" and isinstance(parsed, MetricMonitor):
        cumulative = parsed.window.tense == "current" and parsed.window.unit != "h"
        return "query alert" if parsed.algorithm is not None or cumulative else kind
    if kind == "query alert" and isinstance(parsed, FormulaMonitor):
        return "metric alert"
    return kind


def _options(body: Mapping[str, Any], kind: str, parsed: MonitorQuery | None) -> Body:
    options = {key: value for key, value in body.items() if value is not None}
    options["silenced"] = {scope: until or None for scope, until in (options.get("silenced") or {}).items()}
    thresholds = _thresholds(options.pop("thresholds", None), parsed)
    if thresholds:
        options["thresholds"] = thresholds
    if "escalation_message" in options:
        options["escalation_message"] = _stripped(options["escalation_message"])
    for key, value in _defaults(options, kind).items():
        options.setdefault(key, value)
    return options


def _defaults(options: Mapping[str, Any], kind: str) -> Body:
    added: Body = {"notify_audit": False, "include_tags": True}
    scheduled = "custom_schedule" in (options.get("scheduling_options") or {})
    if not scheduled and "on_missing_data" not in options:
        added["notify_no_data"] = False
    if "new_group_delay" not in options:
        added["new_host_delay"] = 300
    if kind in LOG_LIKE:
        added["groupby_simple_monitor"] = False
    return added


def _thresholds(thresholds: Mapping[str, Any] | None, parsed: MonitorQuery | None) -> Body:
    numbers: Body = {
        key: float(value) if isinstance(value, (int, float)) else value
        for key, value in (thresholds or {}).items()
        if value is not None
    }
    if numbers and "critical" not in numbers and parsed is not None:
        threshold = getattr(parsed, "threshold", None)
        if threshold is not None:
            numbers["critical"] = float(threshold)
    return numbers


def _generated_name(query: str, parsed: MonitorQuery | None) -> str:
    """Return the name that Datadog gives to a monitor without one."""
    if isinstance(parsed, MetricMonitor):
        metric = next((node for node in walk(parsed.query) if isinstance(node, Metric)), None)
        if metric is not None:
            scope = query.partition("{")[2].partition("}")[0].strip() or "*"
            window = f"{parsed.window.tense} {parsed.window.count}{parsed.window.unit}"
            return (
                f"**{metric.name}** over **{scope}** was **{parsed.operator} {parsed.threshold}** "
                f"{_AGGREGATED.get(parsed.aggregation, 'on average')} during the **{window}**."
            )
    if isinstance(parsed, SearchMonitor):
        return f"{parsed.source} matching {parsed.search or '*'}"
    return format(parsed) if parsed is not None else query
