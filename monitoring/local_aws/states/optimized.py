"""Optimized integrations that do more than the call of an operation."""

import asyncio
import json
import re
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from monitoring.local_aws.authorization import ApiCall
from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import ApiError, StateFailedError
from monitoring.local_aws.states.http_task import call_api, invoke_http
from monitoring.local_aws.states.interpreter import StateRun
from monitoring.local_aws.states.resources import SYNC, SYNC2, TaskResource
from monitoring.local_aws.states.sdk import http_metadata, known_call, request_of, result_of, unreachable


async def plain_call(run: StateRun, resource: TaskResource, argument: Any) -> Any:
    """Return the response of a service to one call."""
    call = known_call(resource)
    request = request_of(call, argument)
    with run.execution.clock.working():
        return result_of(call, await run.execution.service.call(call, request))


def _as_text(argument: Any, *names: str) -> Any:
    """Return parameters with the JSON in some of them as text."""
    return {
        key: text.dumps(value) if key in names and value is not None and not isinstance(value, str) else value
        for key, value in argument.items()
    }


async def _lambda(run: StateRun, _: TaskResource, argument: Any) -> Any:
    with run.execution.clock.working():
        return await run.execution.service.invoke(argument, metadata=True)


async def _publish(run: StateRun, resource: TaskResource, argument: Any) -> Any:
    return await plain_call(run, resource, _as_text(argument, "Message"))


async def _send_message(run: StateRun, resource: TaskResource, argument: Any) -> Any:
    host = urllib.parse.urlsplit(str(argument.get("QueueUrl", ""))).hostname
    if host and not re.fullmatch(r"localhost|127\.[\d.]+|.*\.amazonaws\.com(\.cn)?", host):
        call = known_call(resource)
        raise unreachable(call, host)
    return await plain_call(run, resource, _as_text(argument, "MessageBody"))


async def _put_events(run: StateRun, resource: TaskResource, argument: Any) -> Any:
    context = run.frame.context
    own = [context["StateMachine"]["Id"], context["Execution"]["Id"]]
    entries = [
        {**_as_text(entry, "Detail"), "Resources": [*(entry.get("Resources") or ()), *own]}
        if isinstance(entry, dict)
        else entry
        for entry in argument.get("Entries") or ()
    ]
    response: dict[str, Any] = await plain_call(run, resource, {**argument, "Entries": entries})
    if response.get("FailedEntryCount"):
        raise StateFailedError("EventBridge.FailedEntry", text.dumps(response))
    return response


async def _start_execution(run: StateRun, resource: TaskResource, argument: Any) -> Any:
    """Start an execution of another state machine."""
    service = run.execution.service
    payload = argument.get("Input")
    source = payload if isinstance(payload, str) else text.dumps({} if payload is None else payload)
    clock = run.execution.clock if resource.pattern in {SYNC, SYNC2} else None
    arn = str(argument.get("StateMachineArn", ""))
    refusal = service.denial(ApiCall("stepfunctions", "StartExecution", {"stateMachineArn": arn}))
    if refusal:
        raise _start_refused("AccessDeniedException", refusal, "AWSStepFunctionsException")
    try:
        child = service.start(arn, source, argument.get("Name"), clock=clock)
    except ApiError as refused:
        raise _start_refused(refused.kind, refused.message, f"{refused.kind}Exception") from None
    await asyncio.sleep(0)
    metadata = {"RequestId": str(uuid.uuid4()), "HTTPStatusCode": 200}
    return {
        "ExecutionArn": child.arn,
        **http_metadata(metadata),
        "StartDate": round(child.started.timestamp() * 1000),
    }


def _start_refused(kind: str, message: str, error: str) -> StateFailedError:
    cause = (
        f"{message} (Service: AWSStepFunctions; Status Code: 400; Error Code: {kind}; "
        f"Request ID: {uuid.uuid4()}; Proxy: null)"
    )
    return StateFailedError(f"StepFunctions.{error}", cause)


def lambda_payload(value: Any) -> bytes:
    """Return the event that a Payload is: a text that is JSON as it is, any other value as JSON."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return text.dumps(value).encode()
        return value.encode()
    return text.dumps({} if value is None else value).encode()


SPECIAL: dict[str, Callable[[StateRun, TaskResource, Any], Awaitable[Any]]] = {
    "lambda:invoke": _lambda,
    "sns:publish": _publish,
    "sqs:sendMessage": _send_message,
    "events:putEvents": _put_events,
    "states:startExecution": _start_execution,
    "http:invoke": invoke_http,
    "apigateway:invoke": call_api,
}
