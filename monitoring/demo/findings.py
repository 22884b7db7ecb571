"""Find what the demo reports: executions from their history; steps, metrics and spans from Datadog."""

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


def told(
    scenario: Scenario, described: Mapping[str, Any], history: Iterable[Mapping[str, Any]]
) -> DemoExecution:
    """One execution, from DescribeExecution and GetExecutionHistory."""
    path = tuple(
        event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
    )
    taken = (described["stopDate"] - described["startDate"]).total_seconds()
    error = str(described.get("error") or "")
    status = str(described["status"])
    wanted = "FAILED" if scenario.error else "SUCCEEDED"
    return DemoExecution(
        name=scenario.name,
        what=scenario.what,
        status=status,
        path=path,
        duration_ms=round(taken * 1000),
        error=error,
        cause=str(described.get("cause") or ""),
        as_expected=(status, path[-1:], error) == (wanted, (scenario.ends,), scenario.error),
        arn=str(described["executionArn"]),
    )


def never_started(scenario: Scenario) -> DemoExecution:
    """Return what there is of a scenario whose photo has started no execution."""
    cause = "The photo's arrival started no execution: see the state machine's events in the template."
    return DemoExecution(scenario.name, scenario.what, "NOT_STARTED", (), 0, "", cause, False, "")


def state_entered(event: LogEvent) -> tuple[str, str] | None:
    """Return the execution's name and the state where a log event reports that a state was entered."""
    if "StateEntered" not in event.message[:80] or not event.log_group.startswith("/aws/vendedlogs/states/"):
        return None
    line = json.loads(event.message)
    return line["execution_arn"].rpartition(":")[2], line["details"]["name"]


def steps(store: Store, functions: Mapping[str, str]) -> tuple[FunctionSummary, ...]:
    """Every step from the enhanced metrics, which the forwarder makes of REPORT lines, and from its spans."""
    good = Counter(span["resource"] for span in store.spans(name="aws.lambda") if not span["error"])
    return tuple(_step(store, state, function, good[function]) for state, function in functions.items())


def _step(store: Store, state: str, function: str, good: int) -> FunctionSummary:
    """One step; an invocation without a good span has failed, whether it raised, exited or was killed."""

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
        errors=invocations - good,
        cold_starts=len(values("init_duration")),
        p50_ms=round(float(p50), 1),
        p95_ms=round(float(p95), 1),
    )


def metrics(store: Store) -> tuple[MetricTotal, ...]:
    """Every metric by its name."""
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

    A span whose parent is not among them stands below the execution, if that is: the forwarder gives no
    span to a state of which it has heard only one end.
    """
    known = {span["span_id"] for span in spans}
    root = next((span["span_id"] for span in spans if span["name"] == EXECUTION_SPAN), "")
    children: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        parent = span["parent_id"] if span["parent_id"] in known else root
        children["" if span["span_id"] == root else parent].append(span)
    out: list[tuple[int, Span]] = []
    left = [(0, span) for span in reversed(children[""])]
    while left:
        depth, span = left.pop()
        out.append((depth, span))
        left += [(depth + 1, child) for child in reversed(children[span["span_id"]])]
    return out
