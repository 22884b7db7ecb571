"""Count samples as CloudWatch would: of function calls, executions, and their tasks.

Rules (AWS's pages on monitoring Lambda and Step Functions): a sample of Lambda is stamped at the start of the
call; a refused call is a throttle and no invocation. An execution has two samples of ExecutionsStarted, 1 at
its start and 0 at its end; when it ends, it has one sample of each way to end, 1 or 0 (alarms on
ExecutionsFailed are OK, and not without data, while executions succeed), and one of its time. Tasks count by
what they call: a function's ARN, a service integration, an activity.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from monitoring.local_aws.invocation import Invoked

Namespace = Literal["lambda", "states"]
Clock = Callable[[float], float]
"""From seconds since the epoch to the seconds in which samples are stamped and times are measured."""


class Key(NamedTuple):
    """One metric of CloudWatch with its dimensions, as the tags that Datadog makes of them."""

    namespace: Namespace
    metric: str
    tags: tuple[str, ...]


class Sample(NamedTuple):
    """One value that CloudWatch was given; `at` in seconds, times in milliseconds."""

    key: Key
    at: float
    value: float


ACCOUNT_CONCURRENCY = "ConcurrentExecutions (account)"
"""The series of ConcurrentExecutions without a function's name."""

_ENDS = {
    "ExecutionSucceeded": "ExecutionsSucceeded",
    "ExecutionFailed": "ExecutionsFailed",
    "ExecutionTimedOut": "ExecutionsTimedOut",
    "ExecutionAborted": "ExecutionsAborted",
}


class _Family(NamedTuple):
    """Events of one kind of task: the prefix of their types, the names of its metrics, its dimension."""

    events: str
    plural: str
    singular: str
    dimension: str


_FAMILIES = (
    _Family("LambdaFunction", "LambdaFunctions", "LambdaFunction", "lambdafunctionarn"),
    _Family("Task", "ServiceIntegrations", "ServiceIntegration", "serviceintegrationresourcearn"),
    _Family("Activity", "Activities", "Activity", "activityarn"),
)
_OUTCOMES = {
    "Scheduled": "Scheduled",
    "Started": "Started",
    "Succeeded": "Succeeded",
    "Failed": "Failed",
    "ScheduleFailed": "Failed",
    "StartFailed": "Failed",
    "SubmitFailed": "Failed",
    "TimedOut": "TimedOut",
}
"""Suffix of an event's type -> suffix of the metric's name."""


def _as_it_is(moment: float) -> float:
    return moment


# --- Lambda


def invocation_samples(calls: Sequence[Invoked], clock: Clock = _as_it_is) -> Iterator[Sample]:
    """Return the samples of calls: Invocations, Errors, Throttles, Duration and ConcurrentExecutions."""
    for call in calls:
        tags = (f"functionname:{call.function.lower()}", f"resource:{call.function.lower()}")
        at = clock(call.began)
        if call.throttled:
            yield Sample(Key("lambda", "Throttles", tags), at, 1.0)
            continue
        yield Sample(Key("lambda", "Invocations", tags), at, 1.0)
        yield Sample(Key("lambda", "Errors", tags), at, float(call.failed))
        yield Sample(Key("lambda", "Throttles", tags), at, 0.0)
        yield Sample(Key("lambda", "Duration", tags), at, call.duration_ms)
        same = [other for other in calls if other.function == call.function]
        yield Sample(Key("lambda", "ConcurrentExecutions", tags), at, _at_once(call, same))
        yield Sample(Key("lambda", ACCOUNT_CONCURRENCY, ()), at, _at_once(call, calls))


def _at_once(call: Invoked, others: Iterable[Invoked]) -> float:
    """How many calls ran when this one began, itself among them."""
    began = call.began
    return float(
        sum(
            not other.throttled
            and other.began <= began < max(other.began + other.duration_ms / 1000, began + 1e-9)
            for other in others
        )
    )


def asynchronous_samples(function: str, received: int, dropped: int, at: float) -> Iterator[Sample]:
    """Return the samples of asynchronous events."""
    tags = (f"functionname:{function.lower()}", f"resource:{function.lower()}")
    yield Sample(Key("lambda", "AsyncEventsReceived", tags), at, float(received))
    if dropped:
        yield Sample(Key("lambda", "AsyncEventsDropped", tags), at, float(dropped))


# --- Step Functions


def execution_samples(
    state_machine: str, history: Sequence[Mapping[str, Any]], clock: Clock = _as_it_is
) -> Iterator[Sample]:
    """Return the samples of one execution, whether it has ended or not.

    Args:
        state_machine: its ARN.
        history: the events of GetExecutionHistory, in their order.
        clock: see `Clock`.
    """
    times = {event["id"]: clock(_seconds(event["timestamp"])) for event in history}
    for tags in ((f"statemachinearn:{state_machine.lower()}",), ()):  # AWS publishes both
        yield from _execution(tags, history, times)
    yield from _tasks(history, times)


def _execution(
    tags: tuple[str, ...], history: Sequence[Mapping[str, Any]], times: Mapping[int, float]
) -> Iterator[Sample]:
    begun = times[history[0]["id"]]
    yield Sample(Key("states", "ExecutionsStarted", tags), begun, 1.0)
    for event in history:
        if counted := _ENDS.get(event["type"]):
            end = times[event["id"]]
            yield Sample(Key("states", "ExecutionsStarted", tags), end, 0.0)
            for way in _ENDS.values():
                yield Sample(Key("states", way, tags), end, float(way == counted))
            yield Sample(Key("states", "ExecutionTime", tags), end, (end - begun) * 1000)


def _tasks(history: Sequence[Mapping[str, Any]], times: Mapping[int, float]) -> Iterator[Sample]:
    by_id = {event["id"]: event for event in history}
    for event in history:
        family = next(
            (candidate for candidate in _FAMILIES if event["type"].startswith(candidate.events)), None
        )
        outcome = _OUTCOMES.get(event["type"].removeprefix(family.events)) if family else None
        if family is None or outcome is None:
            continue
        chain = list(_attempt(event, by_id, family))
        tags = (f"{family.dimension}:{_resource(chain[-1]).lower()}",)
        if outcome == "TimedOut" and _error(event) == "States.HeartbeatTimeout" and family.events != "Task":
            outcome = "HeartbeatTimedOut"
        at = times[event["id"]]
        yield Sample(Key("states", f"{family.plural}{outcome}", tags), at, 1.0)
        if outcome not in {"Scheduled", "Started"}:
            yield from _task_times(family, tags, chain, times)


def _task_times(
    family: _Family, tags: tuple[str, ...], chain: list[Mapping[str, Any]], times: Mapping[int, float]
) -> Iterator[Sample]:
    """How long the attempt took in all, waited for its start, and ran."""
    end, scheduled = times[chain[0]["id"]], times[chain[-1]["id"]]
    started = next(
        (times[earlier["id"]] for earlier in chain if earlier["type"] == f"{family.events}Started"), None
    )
    spans = {"Time": (scheduled, end)}
    if started is not None:
        spans |= {"ScheduleTime": (scheduled, started), "RunTime": (started, end)}
    for name, (first, last) in spans.items():
        yield Sample(Key("states", family.singular + name, tags), end, (last - first) * 1000)


def _attempt(
    event: Mapping[str, Any], by_id: Mapping[int, Mapping[str, Any]], family: _Family
) -> Iterator[Mapping[str, Any]]:
    """Return the event and those before it, back to the one that scheduled the attempt."""
    while True:
        yield event
        if event["type"] == f"{family.events}Scheduled":
            return
        before = by_id.get(event.get("previousEventId", 0))
        if before is None:
            return
        event = before


def _resource(scheduled: Mapping[str, Any]) -> str:
    """Return the ARN that a task calls."""
    details = _details(scheduled)
    kind = details.get("resourceType")
    resource = str(details.get("resource", ""))
    return f"arn:aws:states:::{kind}:{resource}" if kind else resource


def _error(event: Mapping[str, Any]) -> str:
    return str(_details(event).get("error", ""))


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    details: Mapping[str, Any] = next(
        (value for key, value in event.items() if key.endswith("EventDetails")), {}
    )
    return details


def _seconds(moment: datetime | float) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)
