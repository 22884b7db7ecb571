"""Return Datadog's refusal of a monitor, in its own words: the first broken rule decides."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from monitoring.query import (
    CheckMonitor,
    CompositeMonitor,
    FormulaMonitor,
    MetricMonitor,
    MonitorQuery,
    ProcessMonitor,
    SearchMonitor,
)
from monitoring.resources.normalise import LOG_LIKE, METRIC_LIKE, parsed_query

Body = Mapping[str, Any]

TYPES = (
    LOG_LIKE
    | METRIC_LIKE
    | {"composite", "service check", "process alert", "slo alert", "event alert", "synthetics alert"}
    | {"cost alert", "data-quality alert", "database-monitoring alert", "network-performance alert"}
    | {"network-path alert"}
)
_INVALID_QUERY = "The value provided for parameter 'query' is invalid"
_NOT_BOTH = (
    "Monitors with an evaluation_window scheduling_option must have a current query period and vice versa."
)
_WITHOUT_MISSING_DATA = {"service check", "composite", "slo alert"}
_SEARCHED = LOG_LIKE | {"process alert", "database-monitoring alert", "network-performance alert"}
_FAMILIES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(METRIC_LIKE, (MetricMonitor, FormulaMonitor)),
    **dict.fromkeys(_SEARCHED, (SearchMonitor, FormulaMonitor, ProcessMonitor)),
    "composite": (CompositeMonitor,),
    "service check": (CheckMonitor,),
}
_LEVELS = ("critical", "warning", "ok", "unknown", "critical_recovery", "warning_recovery")
_RANGES = {
    "evaluation_delay": (0, 86_400),
    "new_group_delay": (0, 86_400),
    "min_failure_duration": (0, 7_200),
}


def errors(body: object, previous_type: str | None = None) -> list[str]:
    """Return the texts of Datadog's `errors`; empty for a valid monitor.

    Args:
        body: what was sent; for a PUT, laid over what was stored.
        previous_type: the stored type, which a PUT may only change between the two metric types.
    """
    if not isinstance(body, Mapping):
        return ["The request body must be a JSON object"]
    return next(([text] for rule in _RULES if (text := next(rule(body, previous_type), ""))), [])


_Rule = Callable[[Body, str | None], Iterator[str]]


def _type(body: Body, previous_type: str | None) -> Iterator[str]:
    kind = body.get("type")
    if not kind:
        yield "The parameter 'type' is required"
    elif kind not in TYPES:
        yield "The value provided for parameter 'type' is invalid"
    elif previous_type is not None and kind != previous_type and not {kind, previous_type} <= METRIC_LIKE:
        yield "Monitor type change not allowed"


def _query(body: Body, _previous: str | None) -> Iterator[str]:
    kind, query = body["type"], body.get("query")
    if not query or not isinstance(query, str):
        yield "The parameter 'query' is required"
        return
    parsed = parsed_query(query.strip())
    if kind in _SEARCHED and parsed is None and not any(operator in query for operator in "<>="):
        yield f"{_INVALID_QUERY}: invalid operator specified: "
    elif not isinstance(parsed, _FAMILIES.get(kind, (object,))):
        yield _INVALID_QUERY


def _shape(body: Body, _previous: str | None) -> Iterator[str]:
    options = body.get("options")
    if options is not None and not isinstance(options, Mapping):
        yield "The value provided for parameter 'options' is invalid"
        return
    for name in ("thresholds", "silenced", "scheduling_options", "threshold_windows"):
        if (options or {}).get(name) is not None and not isinstance((options or {})[name], Mapping):
            yield f"The value provided for parameter '{name}' is invalid"
    if not all(_number(value) for value in _thresholds(body).values()):
        yield "The value provided for parameter 'thresholds' is invalid"
    if body.get("priority") not in (None, 0, 1, 2, 3, 4, 5):
        yield "The value provided for parameter 'priority' is invalid"
    tags = body.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        yield "The value provided for parameter 'tags' is invalid"
    for name, (low, high) in _RANGES.items():
        value = (options or {}).get(name)
        if value is not None and not (_number(value) and low <= value <= high):
            yield f"The value provided for parameter '{name}' is invalid"


def _options(body: Body, _previous: str | None) -> Iterator[str]:
    options = body.get("options") or {}
    if options.get("on_missing_data") is not None:
        if body["type"] in _WITHOUT_MISSING_DATA:
            yield "Invalid monitor option: on_missing_data"
        elif options.get("notify_no_data") or options.get("no_data_timeframe"):
            yield "Invalid monitor option: on_missing_data excludes notify_no_data and no_data_timeframe"
    scheduling = options.get("scheduling_options")
    if scheduling is not None and not (
        scheduling.get("evaluation_window") or scheduling.get("custom_schedule")
    ):
        yield "Invalid scheduling options: Required parameter 'evaluation_window' is missing"
    scheduling = scheduling or {}
    window = getattr(_parsed(body), "window", None)
    current = window is not None and window.tense == "current"
    if (
        window
        and current != bool(scheduling.get("evaluation_window"))
        and not scheduling.get("custom_schedule")
    ):
        yield _NOT_BOTH


def _critical(body: Body, _previous: str | None) -> Iterator[str]:
    """Check that the critical threshold is the number in the query."""
    parsed = _parsed(body)
    critical = _thresholds(body).get("critical")
    threshold = getattr(parsed, "threshold", None)
    if threshold is None or isinstance(parsed, CheckMonitor):
        return
    if critical is not None and float(critical) != float(threshold):
        numbers = f"({float(critical)}) does not match that used in the query ({float(threshold)})"
        yield f"Alert threshold {numbers}."


def _sides(body: Body, _previous: str | None) -> Iterator[str]:
    """Warning and recovery lie on their sides of the thresholds."""
    parsed, thresholds = _parsed(body), _thresholds(body)
    operator = getattr(parsed, "operator", None)
    if operator not in {"<", "<=", ">", ">="}:
        return
    sign = 1 if operator[0] == ">" else -1
    critical, warning = (
        thresholds.get("critical", getattr(parsed, "threshold", None)),
        thresholds.get("warning"),
    )
    if critical is not None and warning is not None and sign * (critical - warning) <= 0:
        side = "less" if sign > 0 else "greater"
        yield (
            f"Warning threshold ({float(warning)}) must be {side} than the alert threshold "
            f"({float(critical)}) with {operator} comparison."
        )
    for word, level, limit in (("alert", "critical", critical), ("warning", "warning", warning)):
        recovery = thresholds.get(f"{level}_recovery")
        if recovery is not None and limit is not None and sign * (recovery - limit) > 0:
            yield (
                f"{word} and {word} recovery criteria are such that the monitor can be simultaneously in "
                f"{word} and {word} recovery states"
            )


def _recovery(body: Body, _previous: str | None) -> Iterator[str]:
    names = [name for name in ("critical_recovery", "warning_recovery") if name in _thresholds(body)]
    if names and body["type"] in {"event-v2 alert", "event alert"}:
        yield f"Invalid threshold statuses found: {', '.join(names)}."


def _check(body: Body, _previous: str | None) -> Iterator[str]:
    parsed = _parsed(body)
    if not isinstance(parsed, CheckMonitor):
        return
    if not parsed.by:
        yield "A grouping must be specified for custom checks"
    levels = list(_thresholds(body).values())
    if (
        parsed.function == "count_by_status"
        and parsed.last is not None
        and levels
        and parsed.last < max(levels)
    ):
        yield "Last field should be larger than or equal to max threshold defined in monitor options"


_RULES: tuple[_Rule, ...] = (_type, _query, _shape, _options, _recovery, _critical, _sides, _check)


def _parsed(body: Body) -> MonitorQuery | None:
    return parsed_query(str(body.get("query") or "").strip())


def _thresholds(body: Body) -> Mapping[str, Any]:
    thresholds = (body.get("options") or {}).get("thresholds") or {}
    return {name: thresholds[name] for name in _LEVELS if thresholds.get(name) is not None}


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
