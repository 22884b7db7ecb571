"""Faults that the embedded AWS does not support, as the metric that CloudWatch would publish."""

from typing import Literal, NamedTuple

from monitoring.drill.fault import POLLED, Added, Fault

_PLACE = "us-east-1:123456789012"
_STORE = ("functionname:orders-store", "resource:orders-store")
_MACHINE = (f"statemachinearn:arn:aws:states:{_PLACE}:statemachine:orders-pipeline",)
_FUNCTION = (f"lambdafunctionarn:arn:aws:lambda:{_PLACE}:function:orders-store",)
_ACTIVITY = (f"activityarn:arn:aws:states:{_PLACE}:activity:orders-approve",)


class _Row(NamedTuple):
    """A fault of one metric, and the monitor that has to detect it."""

    name: str
    what: str
    monitor: str
    metric: str
    tags: tuple[str, ...] = _STORE
    value: float = 1.0
    type: Literal["count", "gauge"] = "count"


_ROWS = (
    _Row(
        "transitions-slowed",
        "The quota of state transitions is used up: AWS slows executions down.",
        "transitions-throttled",
        "aws.states.throttled_events",
        (*_MACHINE, "servicemetric:statetransition"),
        50.0,
    ),
    _Row(
        "activity-fails",
        "The activity's worker reports failures.",
        "activities-failed",
        "aws.states.activities_failed",
        _ACTIVITY,
        2.0,
    ),
    _Row(
        "activity-without-worker",
        "No worker takes the activity's tasks: they time out.",
        "activities-timed-out",
        "aws.states.activities_timed_out",
        _ACTIVITY,
    ),
    _Row(
        "activity-worker-dies",
        "The activity's worker takes a task and dies: no heartbeat.",
        "activities-heartbeat",
        "aws.states.activities_heartbeat_timed_out",
        _ACTIVITY,
    ),
    _Row(
        "function-task-heartbeat",
        "A Lambda task misses its heartbeat.",
        "lambda-tasks-heartbeat",
        "aws.states.lambda_functions_heartbeat_timed_out",
        _FUNCTION,
    ),
    _Row(
        "stream-behind",
        "A stream is read more slowly than it is written.",
        "lambda-iterator-age",
        "aws.lambda.iterator_age.maximum",
        value=1.2e6,
        type="gauge",
    ),
    _Row(
        "stream-events-dropped",
        "An event source mapping gives records up.",
        "lambda-stream-events-dropped",
        "aws.lambda.dropped_event_count",
    ),
    _Row(
        "stream-events-fail",
        "Batches of an event source mapping fail and are tried again.",
        "lambda-stream-events-failed",
        "aws.lambda.failed_invoke_event_count",
        value=25.0,
    ),
    _Row(
        "stream-events-set-aside",
        "An event source mapping sends records to its on-failure destination.",
        "lambda-stream-events-set-aside",
        "aws.lambda.on_failure_destination_delivered_event_count",
    ),
    _Row(
        "dead-letters-fail",
        "The dead-letter queue does not take events.",
        "lambda-dead-letters",
        "aws.lambda.dead_letter_errors",
    ),
    _Row(
        "destination-fails",
        "The destination of asynchronous results does not take them.",
        "lambda-destination-failures",
        "aws.lambda.destination_delivery_failures",
    ),
    _Row(
        "loop-stopped",
        "AWS stops a loop of functions that call one another.",
        "lambda-recursion-stopped",
        "aws.lambda.recursive_invocations_dropped",
    ),
    _Row(
        "unsigned-code",
        "Code without a valid signature is deployed.",
        "lambda-signature-errors",
        "aws.lambda.signature_validation_errors",
    ),
    _Row(
        "near-the-limit",
        "Nearly all of the account's 1,000 concurrent calls are in use.",
        "lambda-concurrency-near-limit",
        "aws.lambda.concurrent_executions_global.maximum",
        (),
        950.0,
        "gauge",
    ),
)

SIMULATED: tuple[Fault, ...] = (
    Fault(
        "starts-refused",
        "StartExecution is throttled: AWS refuses every start.",
        {"executions-throttled": POLLED},
        added=(Added("aws.states.execution_throttled", 5.0, _MACHINE),),
        quiet=("forwarder-silent",),
        rate=0,
    ),
    Fault(
        "url-answers-500",
        "A function URL answers every other request with an error.",
        {"lambda-url-errors": POLLED},
        added=(
            Added("aws.lambda.url_request_count", 20.0, _STORE),
            Added("aws.lambda.url_5xx_count", 10.0, _STORE),
        ),
    ),
    *(
        Fault(
            row.name,
            row.what,
            {row.monitor: POLLED},
            added=(Added(row.metric, row.value, row.tags, row.type),),
        )
        for row in _ROWS
    ),
)
