"""Start an execution on the local AWS, follow it, and collect its telemetry."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from monitoring.local_pipeline.pipeline import Pipeline
from monitoring.store import Store

LOOK_SECONDS = 0.2
"""Seconds between two reads of the entered states."""


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The result of an execution, and the telemetry that has reached Datadog since its start.

    Attributes:
        execution: its ARN.
        status: SUCCEEDED, FAILED, TIMED_OUT, ABORTED, or RUNNING if the time-out of the wait came first.
        output: its output as a JSON value; None if it has none.
        error: the error's name; None if it has not failed.
        cause: the error's cause.
        path: the names of the states entered, in order.
        duration_ms: from its start to its end.
        metrics: `metric`, `type`, `tags`, `points` (how many) and `sum` of each series.
        spans: `name`, `service`, `resource`, `span_id`, `parent_id`, `trace_id`, `start` (ns since 1970),
            `duration_ms` and `error` of each.
        logs: `timestamp` (ms), `service`, `message`.
    """

    execution: str
    status: str
    output: Any
    error: str | None
    cause: str | None
    path: tuple[str, ...]
    duration_ms: int
    metrics: tuple[Mapping[str, Any], ...] = field(default=())
    spans: tuple[Mapping[str, Any], ...] = field(default=())
    logs: tuple[Mapping[str, Any], ...] = field(default=())

    def as_data(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return asdict(self)


def run_execution(
    pipeline: Pipeline,
    state_machine: str,
    value: Any,
    *,
    name: str | None = None,
    timeout: float = 300.0,
    entered: Callable[[str], None] = lambda _: None,
) -> ExecutionResult:
    """Start an execution, follow it to its end, and collect its telemetry.

    Args:
        pipeline: the running application.
        state_machine: logical id, name or ARN.
        value: the input, as a JSON value.
        name: the execution's name.
        timeout: seconds of real time after which an execution that still runs is reported as RUNNING.
        entered: called with the name of each state that is entered.

    Raises:
        InputError: there is no such state machine, or an execution of this name exists.
    """
    aws = pipeline.aws
    arn = aws.start(pipeline.deployment.state_machine(state_machine), value, name=name)
    _follow(pipeline, arn, timeout, entered)
    aws.drain(timeout)
    return execution_result(pipeline, arn)


def execution_result(pipeline: Pipeline, arn: str) -> ExecutionResult:
    """Return the current result of an execution.

    Raises:
        KeyError: there is no such execution.
    """
    described, events = pipeline.aws.host.execution(arn)
    return _result(described, path_of(events), pipeline.datadog.store)


def _follow(pipeline: Pipeline, arn: str, timeout: float, entered: Callable[[str], None]) -> None:
    reported = 0
    for _ in range(max(1, int(timeout / LOOK_SECONDS))):
        ended = pipeline.aws.host.wait_ended(arn, LOOK_SECONDS)
        path = path_of(pipeline.aws.host.execution(arn)[1])
        for state in path[reported:]:
            entered(state)
        reported = len(path)
        if ended:
            break


def path_of(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of the states entered in a history, in order."""
    return tuple(
        event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event
    )


def _result(described: Mapping[str, Any], path: tuple[str, ...], store: Store) -> ExecutionResult:
    ended, start = described.get("stopDate"), math.floor(described["startDate"].timestamp())
    duration = (ended - described["startDate"]).total_seconds() if ended else 0.0
    output = described.get("output")
    return ExecutionResult(
        execution=str(described["executionArn"]),
        status=str(described["status"]),
        output=None if output is None else json.loads(output),
        error=described.get("error"),
        cause=described.get("cause"),
        path=path,
        duration_ms=round(duration * 1000),
        metrics=tuple(
            {
                "metric": series.metric,
                "type": series.type,
                "tags": list(series.tags),
                "points": len(series.values),
                "sum": float(sum(series.values)),
            }
            for series in sorted(store.series(start=start), key=lambda series: (series.metric, series.tags))
        ),
        spans=tuple(
            {
                **{
                    key: span[key]
                    for key in ("name", "service", "resource", "span_id", "parent_id", "trace_id")
                },
                "start": span["start"],
                "duration_ms": round(span["duration"] / 1e6, 3),
                "error": bool(span["error"]),
            }
            for span in store.spans(start=start)
        ),
        logs=tuple(
            {"timestamp": log["timestamp"], "service": log.get("service", ""), "message": log["message"]}
            for log in store.logs(start=start)
        ),
    )
