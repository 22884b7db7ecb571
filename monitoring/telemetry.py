"""What flows from log groups to Datadog: log events in; points, spans and logs out."""

from dataclasses import dataclass, field
from typing import Any

from monitoring.lines import Point

Span = dict[str, Any]
"""One span as the trace line carries it: Datadog's names, ids as 16 hex digits, times in nanoseconds."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of a CloudWatch Logs stream; `timestamp` is in milliseconds since the epoch."""

    id: str
    timestamp: int
    message: str
    log_group: str
    log_stream: str


@dataclass(slots=True)
class Telemetry:
    """What log events amount to; `logs` are bodies of Datadog's logs intake."""

    points: list[Point] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
