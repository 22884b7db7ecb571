"""Write Step Functions' log events and status change events as AWS does."""

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

VALIDATION_STREAM = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
VALIDATION_MESSAGE = (
    "Permissions are set correctly to allow AWS CloudWatch Logs to write into your logs "
    "while creating a subscription."
)
PAYLOAD_BYTES = 248 * 1024
"""An input or output that is longer when escaped is cut in the log."""

_PAYLOADS = (("input", "inputDetails"), ("output", "outputDetails"))


def stream_name(state_machine: str, when: datetime, part: str) -> str:
    """`states/NAME/2022-11-10-15-50/7851b2d9`."""
    return f"states/{state_machine}/{when:%Y-%m-%d-%H-%M}/{part}"


def log_message(history_log: dict[str, Any], *, redrive_count: int = 0) -> tuple[int, str]:
    """Return the time in milliseconds and the text of the log event of a history event.

    Args:
        history_log: `id`, `type`, `details` (the event's own `*EventDetails`, absent where it has none),
            `previous_event_id`, `event_timestamp` (ISO 8601 or a datetime) and `execution_arn`.
        redrive_count: how often the execution was redriven.
    """
    when = history_log["event_timestamp"]
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    milliseconds = round(when.timestamp() * 1000)
    line = {
        "id": str(history_log["id"]),
        "type": str(getattr(history_log["type"], "value", history_log["type"])),
        "details": _cut_payloads(dict(history_log.get("details") or {})),
        "previous_event_id": str(history_log["previous_event_id"]),
        "event_timestamp": str(milliseconds),
        "execution_arn": history_log["execution_arn"],
        "redrive_count": str(redrive_count),
    }
    return milliseconds, json.dumps(line, separators=(",", ":"), default=str, ensure_ascii=False)


def _cut_payloads(details: dict[str, Any]) -> dict[str, Any]:
    for key, note in _PAYLOADS:
        text = details.get(key)
        if isinstance(text, str) and len(json.dumps(text)) > PAYLOAD_BYTES:
            while len(json.dumps(text)) > PAYLOAD_BYTES:
                text = text[: len(text) - max(1, (len(json.dumps(text)) - PAYLOAD_BYTES) // 2)]
            details |= {key: text, note: {"truncated": True}}
    return details


_FATAL = frozenset(("ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"))
_ERROR = re.compile(r"\w+(?:Failed|TimedOut|Aborted)|FailStateEntered")


def log_level_takes(level: str, kind: str) -> bool:
    """Return whether events of a type are logged at a level."""
    return level == "ALL" or kind in _FATAL or (level == "ERROR" and _ERROR.fullmatch(kind) is not None)


def status_change_event(described: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    """Return the EventBridge event of an execution, as DescribeExecution describes it now."""
    status, stopped, output = described["status"], described.get("stopDate"), described.get("output")
    detail = {
        "executionArn": described["executionArn"],
        "stateMachineArn": described["stateMachineArn"],
        "name": described["name"],
        "status": status,
        "startDate": _milliseconds(described["startDate"]),
        "stopDate": _milliseconds(stopped) if stopped else None,
        "input": described["input"],
        "inputDetails": {"included": True},
        "output": output,
        "outputDetails": None if output is None else {"included": True},
    }
    if status in {"FAILED", "TIMED_OUT", "ABORTED"}:
        detail |= {"error": described.get("error"), "cause": described.get("cause")}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": account,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [described["executionArn"]],
        "detail": detail,
    }


def api_call_event(
    source: str,
    name: str,
    parameters: dict[str, Any],
    response: dict[str, Any] | None,
    account: str,
    region: str,
) -> dict[str, Any]:
    """Return CloudTrail's EventBridge event of a call of AWS's API.

    Args:
        source: the service, as `logs`.
        name: the operation, as `CreateLogGroup`.
        parameters: of the request.
        response: what was answered, None for nothing.
    """
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{source}",
        "account": account,
        "time": now,
        "region": region,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "eventTime": now,
            "eventSource": f"{source}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "requestParameters": parameters,
            "responseElements": response,
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": account,
        },
    }


def _milliseconds(when: datetime) -> int:
    return round(when.timestamp() * 1000)
