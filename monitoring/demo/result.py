"""Define the demo's result: executions, steps, metrics, accounts, and one execution's spans."""

from dataclasses import asdict, dataclass
from typing import Any

from monitoring.log_events.telemetry import Span


@dataclass(frozen=True, slots=True)
class DemoExecution:
    """One execution; `path` are the states it entered, in their order, `duration_ms` from start to stop."""

    name: str
    what: str
    status: str
    path: tuple[str, ...]
    duration_ms: int
    error: str
    cause: str
    as_expected: bool
    arn: str


@dataclass(frozen=True, slots=True)
class FunctionSummary:
    """One function of the pipeline, as the enhanced metrics in Datadog tell it; times in milliseconds."""

    name: str
    function: str
    invocations: int
    errors: int
    cold_starts: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class MetricTotal:
    """One metric in Datadog: how many points, and their sum."""

    name: str
    points: int
    sum: float


@dataclass(frozen=True, slots=True)
class Accounting:
    """The books: what was printed against what arrived.

    Attributes:
        metric_lines_printed: MONITORING lines among the log events.
        points_stored: points of the metrics that those lines name.
        points_derived: further points: of REPORT lines, the state machine's log, and the forwarder's own.
        span_lines_printed: trace lines among the log events.
        spans_printed: spans on them.
        spans_stored: spans in Datadog, but for those that the forwarder made.
        spans_derived: spans of executions and states, which it makes of the state machine's log.
        log_events: everything that CloudWatch Logs received.
        logs_stored: log entries in Datadog.
        kinds: log events by what they are.
        unexplained: lines, points, spans and events that are on one side only.
        differences: the first of those, in words.
    """

    metric_lines_printed: int
    points_stored: int
    points_derived: int
    span_lines_printed: int
    spans_printed: int
    spans_stored: int
    spans_derived: int
    log_events: int
    logs_stored: int
    kinds: dict[str, int]
    unexplained: int
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Everything.

    `spans` are those of the execution `spans_of`; `problems` are calls that a role does not allow, and
    deliveries that the forwarder never took.
    """

    executions: tuple[DemoExecution, ...]
    steps: tuple[FunctionSummary, ...]
    metrics: tuple[MetricTotal, ...]
    accounting: Accounting
    spans_of: str
    spans: tuple[Span, ...]
    seconds: float
    problems: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        """Return whether every execution ended as it had to, the books balance, and nothing was refused."""
        expected = all(execution.as_expected for execution in self.executions)
        return expected and not self.accounting.unexplained and not self.problems

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON-compatible data."""
        return {**asdict(self), "fine": self.fine}
