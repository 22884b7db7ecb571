"""Convert status change events of EventBridge, of Step Functions and durable functions, to points."""

from datetime import datetime
from typing import Any

from monitoring.lines import Point
from monitoring.log_events.arn import function_tags, state_machine_tags
from monitoring.log_events.metric_json import epoch_seconds

_PREFIXES = {
    "Step Functions Execution Status Change": ("stepscope.execution.", "stateMachineArn", state_machine_tags),
    "Durable Execution Status Change": (
        "stepscope.durable_execution.",
        "durableExecutionArn",
        function_tags,
    ),
}
"""Detail type -> prefix of its metrics, the field of the ARN, and the function of the ARN's tags."""
DETAIL_TYPES = frozenset(_PREFIXES)
_STATUSES = {
    "RUNNING": "started",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "ABORTED": "aborted",  # Step Functions
    "STOPPED": "stopped",  # durable functions
}


def resource_of(event: dict[str, Any]) -> str:
    """Return the ARN of the state machine or the durable execution, "" if the event has none."""
    detail, known = event.get("detail"), _PREFIXES.get(str(event.get("detail-type")))
    arn = detail.get(known[1]) if isinstance(detail, dict) and known else None
    return arn if isinstance(arn, str) and arn.startswith("arn:") else ""


def read_status_change(event: dict[str, Any]) -> list[Point] | str:
    """Return the points of the event, a count and the duration of an ended execution; or the error.

    After a redrive an execution has the same startDate: its duration begins at redriveDate, and RUNNING
    counts as redriven, not as started.
    """
    detail = event.get("detail")
    if not isinstance(detail, dict):
        return "the event has no detail"
    status = str(detail.get("status"))
    if status == "PENDING_REDRIVE":  # between FAILED and the next RUNNING: nothing to count
        return []
    if status not in _STATUSES:
        return f"unknown status {status!r}"
    arn = resource_of(event)
    if not arn:
        return "the event names neither a state machine nor a durable execution"
    redriven = str(detail.get("redriveCount") or "0") != "0" or bool(detail.get("redriveDate"))
    begin = _seconds(detail, "redriveDate") if redriven else _seconds(detail, "startDate", "startTimestamp")
    end, sent = _seconds(detail, "stopDate", "endTimestamp"), _seconds(event, "time")
    runs = status == "RUNNING"
    stamp = (begin or sent) if runs else (end or sent or begin)
    if not stamp:
        return "the event has no time"
    prefix, _, tags_of = _PREFIXES[event["detail-type"]]
    tags = tags_of(arn)
    name = "redriven" if runs and redriven else _STATUSES[status]
    points = [Point(prefix + name, 1.0, stamp, "count", tags)]
    if begin and end and not runs:
        tagged = (*tags, f"status:{status.lower()}")
        seconds = round(max(0.0, end - begin), 3)
        points.append(Point(f"{prefix}duration", seconds, stamp, "distribution", tagged))
    return points


def _seconds(record: dict[str, Any], *keys: str) -> float:
    """Return the first time of the keys in seconds since the epoch, 0 for none; it is in milliseconds (Step
    Functions) or in ISO 8601 (durable functions, EventBridge)."""
    value = next((record[key] for key in keys if record.get(key)), 0)
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value).timestamp()
        seconds = 0.0 if isinstance(value, bool) else epoch_seconds(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if 0 < seconds < 1e11 else 0.0
