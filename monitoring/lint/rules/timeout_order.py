"""timeout-order: a function that may run longer than its caller waits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.lint.model import Refusal, Rule
from monitoring.lint.templates.application import (
    Application,
    TemplateMachine,
    TemplateProblem,
    TemplateResource,
    TemplateState,
    plain_name,
)
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule(
    "timeout-order",
    "warning",
    "A function whose time-out is longer than its caller's.",
    TEMPLATE,
    (
        Refusal(
            "Queue visibility timeout: … seconds is less than Function timeout: … seconds",
            "AWS Lambda, CreateEventSourceMapping",
        ),
    ),
)

REST_SECONDS = 29
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""
HTTP_SECONDS = 30
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
DEFAULT_VISIBILITY = 30
_LONGEST_VISIBILITY = 43_200
_TIMES = 6
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: six times the time-out."""

_INVOKE = re.compile(r"arn:[^:]*:states:[^:]*:[^:]*:(?:aws-sdk:)?lambda:invoke(?:\..*)?")


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find functions behind tasks, APIs and queues that may outlive them."""
    for machine in application.machines:
        for state in machine.tasks():
            yield from _task(application, machine, state)
    yield from _apis(application)
    yield from _queues(application)


def _task(
    application: Application, machine: TemplateMachine, state: TemplateState
) -> Iterator[TemplateProblem]:
    name: Any = state.resource if ":states:" not in state.resource else ""
    if _INVOKE.fullmatch(state.resource) and isinstance(state.arguments, Mapping):
        name = state.arguments.get("FunctionName")
    function = application.function(name) if name else None
    timeout = function.number("Timeout", 3) if function else None
    limits = [state.body.get("TimeoutSeconds"), machine.definition.get("TimeoutSeconds")]
    limit = min((item for item in limits if isinstance(item, int) and item > 0), default=None)
    if function is None or timeout is None or limit is None or timeout <= limit:
        return
    message = (
        f"{state.name} waits {limit} s for {function.logical_id}, which may run {timeout} s: it goes on, "
        "and is paid for, after the task has failed. Shorten the function's Timeout, or give the task more"
    )
    yield TemplateProblem(machine.spot.below(*state.pointer), message)


def _apis(application: Application) -> Iterator[TemplateProblem]:
    is_rest = any(application.of_type("AWS::ApiGateway::RestApi"))
    limit = REST_SECONDS if is_rest else HTTP_SECONDS
    reported = set()
    for permission in application.of_type("AWS::Lambda::Permission"):
        if not str(permission.properties.get("Principal")).startswith("apigateway.amazonaws.com"):
            continue
        function = application.function(permission.properties.get("FunctionName"))
        timeout = function.number("Timeout", 3) if function else None
        if function is None or timeout is None or timeout <= limit or function.logical_id in reported:
            continue
        reported.add(function.logical_id)
        message = (
            f"API Gateway waits {limit} s for {function.logical_id}, which may run {timeout} s: its client "
            "has a 504 while the function goes on. Shorten Timeout, or answer at once and work later"
        )
        yield TemplateProblem(function.spot, message)


def _queues(application: Application) -> Iterator[TemplateProblem]:
    """Find mappings that Lambda refuses, because the visibility timeout is below the function's time-out."""
    queues = {queue.logical_id: queue for queue in application.of_type("AWS::SQS::Queue")}
    for mapping in application.of_type("AWS::Lambda::EventSourceMapping"):
        queue = queues.get(plain_name(mapping.properties.get("EventSourceArn")))
        function = application.function(mapping.properties.get("FunctionName"))
        if queue is None or function is None:
            continue
        visibility, timeout = (
            queue.number("VisibilityTimeout", DEFAULT_VISIBILITY),
            function.number("Timeout", 3),
        )
        if visibility is None or timeout is None or timeout <= visibility:
            continue
        yield _queue(queue, function, visibility, timeout)


def _queue(
    queue: TemplateResource, function: TemplateResource, visibility: int, timeout: int
) -> TemplateProblem:
    enough = min(_TIMES * timeout, _LONGEST_VISIBILITY)
    message = (
        f"{queue.logical_id} shows a message again after {visibility} s, but {function.logical_id} may run "
        f"{timeout} s, and Lambda refuses that. Set VisibilityTimeout to {enough}, six times the Timeout"
    )
    spot = queue.properties_spot
    fix = spot.setting("VisibilityTimeout", enough, queue.properties)
    return TemplateProblem(queue.spot, message, fix, severity="error")
