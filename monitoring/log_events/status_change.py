"""EventBridge's `Step Functions Execution Status Change` into points of one execution."""

from datetime import datetime
from typing import Any

from monitoring.lines import Point
from monitoring.log_events.arn import state_machine_tags

DETAIL_TYPE = "Step Functions Execution Status Change"
_METRIC = {
    "RUNNING": "started",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "ABORTED": "aborted",
}


def read_status_change(event: dict[str, Any]) -> list[Point] | str:
    """The points of the event: one count, and the duration once it has ended; or what is wrong with it."""
    detail = event.get("detail")
    if not isinstance(detail, dict):
        return "the event has no detail"
    status, machine = detail.get("status"), detail.get("stateMachineArn")
    if status == "PENDING_REDRIVE":  # between FAILED and the next RUNNING: nothing to count
        return []
    if status not in _METRIC:
        return f"unknown status {status!r}"
    if not isinstance(machine, str) or not machine.startswith("arn:"):
        return "the event names no state machine"
    start, stop = _milliseconds(detail.get("startDate")), _milliseconds(detail.get("stopDate"))
    stamp = stop or start or _event_time(event)
    if not stamp:
        return "the event has no time"
    tags = state_machine_tags(machine)
    points = [Point(f"stepscope.execution.{_METRIC[status]}", 1.0, stamp / 1000, "count", tags)]
    if start and stop:
        seconds = max(0.0, stop - start) / 1000
        tagged = (*tags, f"status:{status.lower()}")
        points.append(Point("stepscope.execution.duration", seconds, stamp / 1000, "distribution", tagged))
    return points


def _milliseconds(value: Any) -> float:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e14
    return float(value) if known else 0.0


def _event_time(event: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(event["time"]).timestamp() * 1000
    except (KeyError, TypeError, ValueError):
        return 0.0
