"""List the metrics that the instrumentation prints by itself: names, types, units, tags.

Functions do not import it; tests check that it contains all printed metrics, and so does docs/metrics.md.
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "stepscope."
"""The prefix of all metrics of an invocation, except for those of claims."""

CALL_TAGS = ("trigger", "trigger_resource", "statemachine", "state", "env", "service", "version")
"""Tag keys of every metric of a call: all but the first only where there is such a thing; then `tags=`."""


class FunctionMetric(NamedTuple):
    """One metric: `type` as the line says it (the forwarder sends counts and histograms as distributions)."""

    name: str
    type: str
    unit: str
    meaning: str
    tags: tuple[str, ...] = ()
    """Tag keys beside `CALL_TAGS`."""


METRICS: tuple[FunctionMetric, ...] = (
    FunctionMetric(
        "stepscope.invocations", "count", "invocation", "calls begun: a call that is killed has been counted"
    ),
    FunctionMetric(
        "stepscope.errors", "count", "error", "calls that ended with an exception", ("error_type",)
    ),
    FunctionMetric(
        "stepscope.duration",
        "histogram",
        "millisecond",
        "from the handler's start to its end, its checks included",
    ),
    FunctionMetric("stepscope.cold_starts", "count", "invocation", "first calls of a process", ("init",)),
    FunctionMetric(
        "stepscope.init_duration",
        "histogram",
        "millisecond",
        "from the start of the process to the handler's readiness",
    ),
    FunctionMetric(
        "stepscope.timeouts", "count", "invocation", "calls still running shortly before their deadline"
    ),
    FunctionMetric(
        "stepscope.batch.failures",
        "count",
        "item",
        "entries of batchItemFailures in the results of batch handlers",
    ),
    FunctionMetric(
        "stepscope.event.age",
        "histogram",
        "millisecond",
        "from the time of the event, or of a batch's first record, to the call",
    ),
    FunctionMetric(
        "stepscope.iterator.age",
        "histogram",
        "millisecond",
        "streams: from the time of the batch's last record to the call",
    ),
    FunctionMetric("stepscope.request.size", "histogram", "byte", "the event as JSON, from 512 bytes on"),
    FunctionMetric("stepscope.response.size", "histogram", "byte", "the result as JSON, from 512 bytes on"),
    FunctionMetric(
        "claims.verified", "count", "check", "checks of verify= that the world confirmed", ("claim",)
    ),
    FunctionMetric("claims.broken", "count", "check", "checks of verify= that failed", ("claim", "reason")),
    FunctionMetric(
        "stepscope.telemetry.failures",
        "count",
        "error",
        "telemetry that failed in this process; carries no other tags",
        ("where", "error_type"),
    ),
)
"""All metrics that an invocation prints by itself."""

BY_NAME: dict[str, FunctionMetric] = {metric.name: metric for metric in METRICS}
