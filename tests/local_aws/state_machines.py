"""State machines of tests: how they are written, run and logged."""

import json
from datetime import datetime
from typing import Any

from monitoring.local_aws import LocalAws


def task(function: str, **more: Any) -> dict[str, Any]:
    """The invocation that AWS recommends."""
    parameters = {"FunctionName": f"${{{function}}}", "Payload.$": "$"}
    resource = "arn:aws:states:::lambda:invoke"
    return {
        "Type": "Task",
        "Resource": resource,
        "Parameters": parameters,
        "OutputPath": "$.Payload",
        "End": True,
        **more,
    }


def one_state(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": "Only", "States": {"Only": state}, **more}


def run(
    aws: LocalAws, name: str, definition: dict[str, Any], event: Any = None, **settings: Any
) -> dict[str, Any]:
    aws.deploy_state_machine(name, definition, **settings)
    return aws.wait(aws.start(name, event), 20)


def vended(aws: LocalAws, name: str) -> list[dict[str, Any]]:
    group = aws.state_machine_log_group(name)
    found = [
        e.message for e in aws.log_events() if e.log_group == group and e.log_stream.startswith("states/")
    ]
    return [json.loads(message) for message in found]


def milliseconds(when: datetime) -> str:
    return str(round(when.timestamp() * 1000))


def expected_lines(history: list[dict[str, Any]], execution: str, data: bool) -> list[dict[str, Any]]:
    """The rule: a log line is the history event with `details` set to its `*EventDetails`."""
    lines = []
    for event in history:
        details = next((value for key, value in event.items() if key.endswith("EventDetails")), {})
        if not data:
            hidden = ("input", "inputDetails", "output", "outputDetails")
            details = {key: value for key, value in details.items() if key not in hidden}
        lines.append(
            {
                "id": str(event["id"]),
                "type": event["type"],
                "details": details,
                "previous_event_id": str(event["previousEventId"]),
                "event_timestamp": milliseconds(event["timestamp"]),
                "execution_arn": execution,
                "redrive_count": "0",
            }
        )
    return lines
