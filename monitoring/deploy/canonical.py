"""Normalize the bodies of resources, from files and from Datadog's API, to compare them.

Only writable keys are kept, and defaults that the server adds are dropped, so that a plan after an apply is
empty. The defaults are those of recorded responses of the API.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

Body = dict[str, Any]

WRITABLE: dict[str, tuple[str, ...]] = {
    "monitor": (
        "type",
        "name",
        "query",
        "message",
        "tags",
        "priority",
        "options",
        "restricted_roles",
        "draft_status",
    ),
    "slo": (
        "type",
        "name",
        "description",
        "tags",
        "thresholds",
        "timeframe",
        "target_threshold",
        "warning_threshold",
        "query",
        "sli_specification",
        "monitor_ids",
        "groups",
    ),
    "dashboard": (
        "title",
        "description",
        "layout_type",
        "reflow_type",
        "template_variables",
        "template_variable_presets",
        "notify_list",
        "tags",
        "widgets",
        "restricted_roles",
    ),
    "downtime": (
        "scope",
        "monitor_identifier",
        "message",
        "schedule",
        "display_timezone",
        "mute_first_recovery_notification",
        "notify_end_states",
        "notify_end_types",
    ),
}
"""Kind -> the keys that a client may write; everything else in an answer is read-only."""

MONITOR_OPTION_DEFAULTS: dict[str, Any] = {
    "include_tags": True,
    "locked": False,
    "new_host_delay": 300,
    "notify_audit": False,
    "notify_no_data": False,
    "groupby_simple_monitor": False,
    "no_data_timeframe": None,
    "renotify_interval": 0,
    "renotify_statuses": None,
    "renotify_occurrences": None,
    "require_full_window": False,
    "escalation_message": "",
    "evaluation_delay": 0,
    "timeout_h": 0,
    "notification_preset_name": "show_all",
    "silenced": {},
    "restriction_query": None,
}
"""Options that the API leaves out or fills in with these values."""

MONITOR_OPTIONS_READ_ONLY = frozenset({"avalanche_window"})
"""Options that the API fills in by the monitor's type, with no value of the client's to compare."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "monitor": {
        "priority": 0,
        "draft_status": "published",
        "message": "",
        "tags": [],
        "restricted_roles": [],
        "options": {},
    },
    "slo": {"description": "", "tags": [], "groups": [], "monitor_ids": []},
    "dashboard": {
        "description": "",
        "notify_list": [],
        "tags": [],
        "template_variables": [],
        "template_variable_presets": [],
        "reflow_type": "auto",
        "restricted_roles": [],
    },
    "downtime": {
        "message": "",
        "schedule": {"start": None, "end": None},
        "display_timezone": "UTC",
        "mute_first_recovery_notification": False,
        "notify_end_states": ["alert", "no data", "warn"],
        "notify_end_types": ["expired"],
    },
}

WIDGET_READ_ONLY = frozenset({"id", "has_data_gap"})


def normalise(kind: str, body: Mapping[str, Any]) -> Body:
    """Return the writable part of a body, without defaults, with numbers and white space in one form.

    Raises:
        KeyError: the kind is not in `WRITABLE`.
    """
    kept = {key: body[key] for key in WRITABLE[kind] if body.get(key) is not None}
    kept = REFINE[kind](kept)
    defaults = DEFAULTS[kind]
    return {key: value for key, value in kept.items() if key not in defaults or value != defaults[key]}


def fingerprint(kind: str, body: Mapping[str, Any]) -> str:
    """Return twelve hex digits of a digest of the normalized body."""
    text = json.dumps(normalise(kind, body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return int(value) if float(value).is_integer() else float(value)


def _plain(value: Any) -> Any:
    """Return a value with normalized numbers, and without None, recursively."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _number(value)


def _monitor(body: Body) -> Body:
    body = _plain(body)
    for key in ("query", "message"):
        if isinstance(body.get(key), str):
            body[key] = body[key].strip()
    # `metric alert` and `query alert` take the same queries; the server renames one to the other.
    if body.get("type") == "metric alert":
        body["type"] = "query alert"
    options = body.get("options")
    if isinstance(options, Mapping):
        body["options"] = _options(options, str(body.get("query", "")))
    return body


def _options(options: Mapping[str, Any], query: str) -> Body:
    kept = {
        key: value
        for key, value in options.items()
        if key not in MONITOR_OPTIONS_READ_ONLY
        and (key not in MONITOR_OPTION_DEFAULTS or value != MONITOR_OPTION_DEFAULTS[key])
    }
    if isinstance(kept.get("escalation_message"), str):
        kept["escalation_message"] = kept["escalation_message"].strip()
    thresholds = dict(kept.pop("thresholds", None) or {})
    # A critical threshold that only repeats the number in the query says nothing that the query does not.
    if "critical" in thresholds and _ends_with_number(query, thresholds["critical"]):
        del thresholds["critical"]
    if thresholds:
        kept["thresholds"] = thresholds
    if not kept.get("threshold_windows", True):
        del kept["threshold_windows"]
    return kept


def _ends_with_number(query: str, number: Any) -> bool:
    last = query.rsplit(None, 1)[-1] if query.strip() else ""
    try:
        return float(last) == float(number)
    except (TypeError, ValueError):
        return False


def _dashboard(body: Body) -> Body:
    body = _plain(body)
    if isinstance(body.get("widgets"), list):
        body["widgets"] = [_widget(widget) for widget in body["widgets"]]
    if body.get("layout_type") == "free":
        body.pop("reflow_type", None)
    variables = body.get("template_variables")
    if isinstance(variables, list):
        body["template_variables"] = [_variable(variable) for variable in variables]
    return body


def _widget(widget: Any) -> Any:
    if not isinstance(widget, Mapping):
        return widget
    kept = {key: value for key, value in widget.items() if key not in WIDGET_READ_ONLY}
    definition = kept.get("definition")
    if isinstance(definition, Mapping) and isinstance(definition.get("widgets"), list):
        kept["definition"] = {**definition, "widgets": [_widget(inner) for inner in definition["widgets"]]}
    return kept


def _variable(variable: Any) -> Any:
    """Return a template variable in one form: `default` or `defaults`; an empty list means every value."""
    if not isinstance(variable, Mapping):
        return variable
    kept = dict(variable)
    single = kept.pop("default", None)
    if single is not None and "defaults" not in kept:
        kept["defaults"] = [single]
    if kept.get("available_values") == []:
        del kept["available_values"]
    return kept


def _slo(body: Body) -> Body:
    body = _plain(body)
    thresholds = body.get("thresholds")
    if isinstance(thresholds, list):
        body["thresholds"] = [
            {key: value for key, value in threshold.items() if not key.endswith("_display")}
            for threshold in thresholds
        ]
    if "thresholds" in body:  # the primary threshold is answered a second time at the top
        for key in ("timeframe", "target_threshold", "warning_threshold"):
            body.pop(key, None)
    return body


def _downtime(body: Body) -> Body:
    body = _plain(body)
    if isinstance(body.get("schedule"), Mapping):
        body["schedule"] = _schedule(body["schedule"])
        if not body["schedule"]:  # from now on, without an end
            del body["schedule"]
    for key in ("message", "scope"):
        if isinstance(body.get(key), str):
            body[key] = body[key].strip()
    for key in ("notify_end_states", "notify_end_types"):
        if isinstance(body.get(key), list):
            body[key] = sorted(body[key], key=str)
    identifier = body.get("monitor_identifier")
    if isinstance(identifier, Mapping) and isinstance(identifier.get("monitor_tags"), list):
        tags = sorted(identifier["monitor_tags"], key=str)
        body["monitor_identifier"] = {**identifier, "monitor_tags": tags}
    return body


def _schedule(schedule: Mapping[str, Any]) -> Body:
    """Return a schedule without its present window, and with times in one notation, to the second."""
    kept = {key: value for key, value in schedule.items() if key != "current_downtime"}
    if kept.get("timezone") == "UTC":
        del kept["timezone"]
    for key in ("start", "end"):
        if isinstance(kept.get(key), str):
            kept[key] = _moment(kept[key])
    return kept


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return text


def explicit(kind: str, body: Mapping[str, Any]) -> Body:
    """Return the body as it is sent; the time zone of a recurring downtime is always explicit."""
    schedule = body.get("schedule")
    if kind != "downtime" or not isinstance(schedule, Mapping) or "recurrences" not in schedule:
        return dict(body)
    return {**body, "schedule": {"timezone": "UTC", **schedule}}


def left_to_datadog(kind: str, answered: Mapping[str, Any], wanted: Mapping[str, Any]) -> Body:
    """Return Datadog's body without values that it has chosen because the desired body has none.

    This is the start of a downtime: the time at which it was created.
    """
    if kind != "downtime" or not isinstance(answered.get("schedule"), Mapping):
        return dict(answered)
    asked = wanted.get("schedule")
    schedule = _without_start(answered["schedule"], asked if isinstance(asked, Mapping) else {})
    theirs, ours = schedule.get("recurrences"), (asked or {}).get("recurrences")
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        schedule["recurrences"] = [_without_start(*pair) for pair in zip(theirs, ours, strict=True)]
    return {**answered, "schedule": schedule}


def _without_start(answered: Mapping[str, Any], wanted: Mapping[str, Any]) -> Body:
    return {key: value for key, value in answered.items() if key != "start" or wanted.get("start")}


REFINE: dict[str, Callable[[Body], Body]] = {
    "monitor": _monitor,
    "slo": _slo,
    "dashboard": _dashboard,
    "downtime": _downtime,
}
