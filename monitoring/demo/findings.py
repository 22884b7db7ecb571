"""Collect the demo's results: executions from their history; steps, metrics and spans from Datadog."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from monitoring.demo.result import DemoExecution, FunctionSummary, MetricTotal
from monitoring.demo.scenarios import Scenario
from monitoring.log_events.telemetry import LogEvent, Span
from monitoring.store import Store

_MASK = 2**63 - 1
EXECUTION_SPAN = "aws.stepfunctions"
"""The name of the span of a whole execution."""


def execution_result(
    scenario: Scenario, described: Mapping[str, Any], history: Iterable[Mapping[str, Any]]
) -> DemoExecution:
    """Return the result of an execution, from DescribeExecution and GetExecutionHistory."""
    path = tuple(
        event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
    )
    duration = (described["stopDate"] - described["startDate"]).total_seconds()
    error = str(described.get("error") or "")
    status = str(described["status"])
    expected = "FAILED" if scenario.error else "SUCCEEDED"
    return DemoExecution(
        name=scenario.name,
        what=scenario.what,
        status=status,
        path=path,
        duration_ms=round(duration * 1000),
        error=error,
        cause=str(described.get("cause") or ""),
        as_expected=(status, path[-1:], error) == (expected, (scenario.ends,), scenario.error),
        arn=str(described["executionArn"]),
    )


def never_started(scenario: Scenario) -> DemoExecution:
    """Return the result of a scenario whose photo has not started an execution."""
    cause = "The photo's arrival started no execution: see the state machine's events in the template."
    return DemoExecution(scenario.name, scenario.what, "NOT_STARTED", (), 0, "", cause, False, "")


def state_entered(event: LogEvent) -> tuple[str, str] | None:
    """Return (execution name, state) if a log event reports that a state was entered, else None."""
    if "StateEntered" not in event.message[:80] or not event.log_group.startswith("/aws/vendedlogs/states/"):
        return None
    line = json.loads(event.message)
    return line["execution_arn"].rpartition(":")[2], line["details"]["name"]


def steps(store: Store, functions: Mapping[str, str]) -> tuple[FunctionSummary, ...]:
    """Return the figures of every step, from enhanced metrics (computed from REPORT lines) and spans."""
    succeeded = Counter(span["resource"] for span in store.spans(name="aws.lambda") if not span["error"])
    return tuple(_step(store, state, function, succeeded[function]) for state, function in functions.items())


def _step(store: Store, state: str, function: str, succeeded: int) -> FunctionSummary:
    """Return the figures of a step; invocations without a successful span count as errors."""

    def values(name: str) -> list[float]:
        tags = [f"functionname:{function}"]
        lines = store.series(f"aws.lambda.enhanced.{name}", tags=tags)
        return [float(value) for series in lines for value in series.values]

    durations = [1000 * value for value in values("duration")]
    p50, p95 = np.percentile(durations, [50, 95]) if durations else (0.0, 0.0)
    invocations = int(sum(values("invocations")))
    return FunctionSummary(
        name=state,
        function=function,
        invocations=invocations,
        errors=invocations - succeeded,
        cold_starts=len(values("init_duration")),
        p50_ms=round(float(p50), 1),
        p95_ms=round(float(p95), 1),
    )


def metrics(store: Store) -> tuple[MetricTotal, ...]:
    """Return the number and sum of the points of every metric, sorted by name."""
    return tuple(MetricTotal(metric.name, metric.points, float(metric.sum)) for metric in store.metrics())


def trace_id(execution_arn: str) -> str:
    """Return the trace id that Datadog derives from an execution's ARN: 16 hex digits."""
    digest = hashlib.sha256(execution_arn.encode()).digest()
    return f"{int.from_bytes(digest[8:16], 'big') & _MASK:016x}"


def spans_of(store: Store, execution_arn: str) -> tuple[Span, ...]:
    """Return the spans in the trace of an execution, by start time."""
    return tuple(store.spans(trace_id=trace_id(execution_arn)))


def tree(spans: Sequence[Span]) -> list[tuple[int, Span]]:
    """Return the spans in tree order, each with its depth.

    A span whose parent is missing is put below the execution's span, if there is one: the forwarder creates
    no span for a state if it has received only one of its two events.
    """
    ids = {span["span_id"] for span in spans}
    root = next((span["span_id"] for span in spans if span["name"] == EXECUTION_SPAN), "")
    children: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        parent = span["parent_id"] if span["parent_id"] in ids else root
        children["" if span["span_id"] == root else parent].append(span)
    out: list[tuple[int, Span]] = []
    stack = [(0, span) for span in reversed(children[""])]
    while stack:
        depth, span = stack.pop()
        out.append((depth, span))
        stack += [(depth + 1, child) for child in reversed(children[span["span_id"]])]
    return out
