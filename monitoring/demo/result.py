"""Define the demo's result: executions, steps, metrics, the comparison, and one execution's spans."""

from dataclasses import asdict, dataclass
from typing import Any

from monitoring.log_events.telemetry import Span


@dataclass(frozen=True, slots=True)
class DemoExecution:
    """An execution; `path` has the entered states in order, `duration_ms` is from start to stop."""

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
    """A function of the pipeline, from the enhanced metrics in Datadog; times in milliseconds."""

    name: str
    function: str
    invocations: int
    errors: int
    cold_starts: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class MetricTotal:
    """A metric in Datadog: the number of its points, and their sum."""

    name: str
    points: int
    sum: float


@dataclass(frozen=True, slots=True)
class Accounting:
    """The comparison of printed and stored telemetry.

    Attributes:
        metric_lines_printed: MONITORING lines among the log events.
        points_stored: points of the metrics that those lines name.
        points_derived: points from REPORT lines and the state machine's log, and the forwarder's own points.
        span_lines_printed: trace lines among the log events.
        spans_printed: spans on these lines.
        spans_stored: spans in Datadog, without those that the forwarder created.
        spans_derived: spans of executions and states, created from the state machine's log.
        log_events: all log events in CloudWatch Logs.
        logs_stored: log entries in Datadog.
        kinds: kind -> number of log events.
        unexplained: the number of lines, points, spans and events on one side only.
        differences: the first of these, as sentences.
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
    """The result of the demo.

    `spans` are the spans of the execution `spans_of`; `problems` are calls that a role does not allow, and
    deliveries that the forwarder did not process.
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
        """Return whether all executions ended as expected, without differences and without problems."""
        expected = all(execution.as_expected for execution in self.executions)
        return expected and not self.accounting.unexplained and not self.problems

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON-compatible data."""
        return {**asdict(self), "fine": self.fine}
