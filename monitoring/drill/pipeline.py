"""The drilled pipeline: small, with every kind of task for which CloudWatch has separate metrics."""

import copy
from collections.abc import Callable
from typing import Any

Definition = dict[str, Any]
DefinitionChange = Callable[[Definition], None]

WAIT = 20
"""The duration of the Wait state, in seconds of state machine time."""
_CONTEXT = {
    "Execution.$": "$$.Execution",
    "State.$": "$$.State",
    "StateMachine.$": "$$.StateMachine",
    "RootExecutionId.$": "$$.Execution.Id",
    "serverless-version": "v1",
}
_PAYLOAD = {"order.$": "$.order", "attempt.$": "$$.State.RetryCount", "_datadog": _CONTEXT}
RETRY = [
    {
        "ErrorEquals": [
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "ConnectionResetError",
        ],
        "IntervalSeconds": 2,
        "MaxAttempts": 3,
        "BackoffRate": 2,
    }
]
"""The Retry that AWS recommends, and errors of a temporarily failing server."""


def invoke(function: str) -> Definition:
    """Return a Task with the service integration lambda:invoke."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": f"${{{function}}}", "Payload": copy.deepcopy(_PAYLOAD)},
        "ResultPath": f"$.{function}",
        "Retry": copy.deepcopy(RETRY),
    }


def by_arn(function: str) -> Definition:
    """Return a Task with the function's ARN as its resource, which has other events and metrics."""
    return {
        "Type": "Task",
        "Resource": f"${{{function}}}",
        "Parameters": copy.deepcopy(_PAYLOAD),
        "ResultPath": f"$.{function}",
        "Retry": copy.deepcopy(RETRY),
    }


def definition() -> Definition:
    """Return the healthy state machine."""
    states = {
        "Check": invoke("check") | {"Next": "Store"},
        "Store": by_arn("store") | {"Next": "Record"},
        "Record": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {"TableName": "${Table}", "Item": {"id": {"S.$": "$.order"}}},
            "ResultPath": None,
            "Next": "Tell",
        },
        "Tell": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Parameters": {"TopicArn": "${Topic}", "Message.$": "$.order"},
            "ResultPath": None,
            "Next": "Settle",
        },
        "Settle": {"Type": "Wait", "Seconds": WAIT, "Next": "Done"},
        "Done": {"Type": "Succeed"},
    }
    return {"StartAt": "Check", "States": states}
