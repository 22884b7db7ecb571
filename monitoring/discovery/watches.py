"""List the monitors of an application: their queries over the entries of a list, and their thresholds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ITERATOR_AGE = 300_000
"""The iterator age of a stream, in milliseconds, above which the monitor alerts."""

FUNCTIONS, MACHINES, ACTIVITIES = "functions", "state_machines", "activities"


class Watch(NamedTuple):
    """One monitor over the entries of a list.

    `query` contains `SCOPE` for the entry's scope, and ends with the comparison; `value` is the variable of
    the threshold and `limit` its default, "" if each entry has its own. `where` is a value that an entry must
    have, `not …` one that it must not have.
    """

    key: str
    list: str
    name: str
    query: str
    value: str
    limit: str
    words: str
    where: str = ""
    pages: bool = False
    delay: bool = True
    kind: str = "count"

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the monitor is for an entry."""
        key = self.where.removeprefix("not ")
        return not key or bool(values.get(key)) is not self.where.startswith("not ")


def _count(metric: str, minutes: int = 15) -> str:
    return f"sum(last_{minutes}m):sum:{metric}{{SCOPE}} BY.as_count() >"


def _share(bad: str, every: Sequence[str]) -> str:
    total = " + ".join(f"sum:{metric}{{SCOPE}} BY.as_count()" for metric in every)
    return f"sum(last_15m):100 * sum:{bad}{{SCOPE}} BY.as_count() / ({total} + {FEW_CALLS}) >"


FEW_CALLS = 1000
"""Invocations that are added to the divisor of a share, so that one failure at low traffic does not alert."""

ENDS = [f"aws.states.executions_{end}" for end in ("succeeded", "failed", "timed_out", "aborted")]

WATCHES = (
    Watch(
        "executions-failed",
        MACHINES,
        "executions fail",
        _count("aws.states.executions_failed"),
        "executions_failed",
        "0",
        "{{value}} executions failed within 15 minutes.",
        "not busy",
        pages=True,
    ),
    Watch(
        "executions-failing",
        MACHINES,
        "too many executions fail",
        _share("aws.states.executions_failed", ENDS),
        "executions_failed_percent",
        "0.1",
        "{{value}} % of the executions of 15 minutes failed.",
        "busy",
        pages=True,
        kind="share",
    ),
    Watch(
        "executions-timed-out",
        MACHINES,
        "executions time out",
        _count("aws.states.executions_timed_out"),
        "executions_timed_out",
        "0",
        "{{value}} executions timed out within 15 minutes.",
        pages=True,
    ),
    Watch(
        "executions-near-timeout",
        MACHINES,
        "an execution is nearly at its time-out",
        "max(last_30m):max:aws.states.execution_time.maximum{SCOPE} BY >",
        "near_timeout_ms",
        "",
        "An execution took {{value}} ms; it is ended at ${var:timeout_ms} ms.",
        "timeout_ms",
        kind="gauge",
    ),
    Watch(
        "executions-slow",
        MACHINES,
        "executions are slower than measured",
        "avg(last_1h):avg:aws.states.execution_time.p95{SCOPE} BY >",
        "slow_ms",
        "",
        "Executions take {{value}} ms (p95 of an hour).",
        "slow_ms",
        kind="gauge",
    ),
    Watch(
        "claims-broken",
        FUNCTIONS,
        "claims are broken",
        _count("claims.broken"),
        "claims_broken",
        "0",
        "{{value}} times within 15 minutes it said that it was done, and its check found that it was not.",
        "claims",
        pages=True,
        delay=False,
    ),
    Watch(
        "activities-timed-out",
        ACTIVITIES,
        "activities time out",
        _count("aws.states.activities_timed_out"),
        "activities_timed_out",
        "0",
        "{{value}} activities timed out within 15 minutes.",
    ),
    Watch(
        "functions-fail",
        FUNCTIONS,
        "calls fail",
        _count("aws.lambda.errors"),
        "errors",
        "0",
        "{{value}} calls failed within 15 minutes.",
        "not busy",
    ),
    Watch(
        "functions-failing",
        FUNCTIONS,
        "too many calls fail",
        _share("aws.lambda.errors", ["aws.lambda.invocations"]),
        "errors_percent",
        "0.1",
        "{{value}} % of the calls of 15 minutes failed.",
        "busy",
        pages=True,
        kind="share",
    ),
    Watch(
        "functions-throttled",
        FUNCTIONS,
        "calls are throttled",
        _count("aws.lambda.throttles"),
        "throttles",
        "0",
        "{{value}} calls were throttled within 15 minutes.",
    ),
    Watch(
        "functions-near-timeout",
        FUNCTIONS,
        "a call is nearly at its time-out",
        "max(last_30m):max:aws.lambda.duration.maximum{SCOPE} BY >",
        "near_timeout_ms",
        "",
        "A call took {{value}} ms; it is killed at ${var:timeout_ms} ms.",
        "timeout_ms",
        kind="gauge",
    ),
    Watch(
        "functions-near-memory",
        FUNCTIONS,
        "nearly out of memory",
        "max(last_30m):max:aws.lambda.enhanced.max_memory_used{SCOPE} BY >",
        "near_memory_mb",
        "",
        "A call used {{value}} MB, nine tenths of what it has.",
        "near_memory_mb",
        delay=False,
        kind="gauge",
    ),
    Watch(
        "functions-slow",
        FUNCTIONS,
        "calls are slower than measured",
        "avg(last_1h):avg:aws.lambda.duration.p95{SCOPE} BY >",
        "slow_ms",
        "",
        "Calls take {{value}} ms (p95 of an hour).",
        "slow_ms",
        kind="gauge",
    ),
    Watch(
        "streams-behind",
        FUNCTIONS,
        "a stream is read too slowly",
        "max(last_15m):max:aws.lambda.iterator_age.maximum{SCOPE} BY >",
        "iterator_age_ms",
        str(ITERATOR_AGE),
        "It reads records that are {{value}} ms old.",
        "stream",
        kind="gauge",
    ),
    Watch(
        "async-events-dropped",
        FUNCTIONS,
        "asynchronous events are dropped",
        _count("aws.lambda.async_events_dropped"),
        "async_events_dropped",
        "0",
        "{{value}} events were dropped within 15 minutes.",
        "asynchronous",
        pages=True,
    ),
    Watch(
        "dead-letters-fail",
        FUNCTIONS,
        "dead letters cannot be written",
        _count("aws.lambda.dead_letter_errors"),
        "dead_letter_errors",
        "0",
        "{{value}} dead letters were lost within 15 minutes.",
        "dead_letters",
        pages=True,
    ),
)
"""Every monitor: thresholds are from the template, from what was measured, or at one failure."""
