"""Define the telemetry that is read from log events: points, spans, logs and refusals."""

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import msgspec

from monitoring.lines import Point

Span = dict[str, Any]
"""A span of a trace line: Datadog's field names, ids of 16 hex digits, times in nanoseconds."""


class SpanRecord(msgspec.Struct, gc=False):
    """A span as a value that can be decoded from a trace line and encoded for the intake."""

    trace_id: Annotated[str, msgspec.Meta(min_length=16, max_length=16)]
    span_id: Annotated[str, msgspec.Meta(min_length=16, max_length=16)]
    parent_id: Annotated[str, msgspec.Meta(min_length=16, max_length=16)]
    service: str
    name: str
    resource: str
    type: str
    error: Annotated[int, msgspec.Meta(ge=0, le=1)]
    start: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    duration: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    meta: dict[str, str]
    metrics: dict[str, float]


class LogEvent(NamedTuple):
    """An event of a log stream; `timestamp` is in milliseconds since the epoch."""

    id: str
    timestamp: int
    message: str
    log_group: str
    log_stream: str


class LogFields:
    """The fields that all log entries of a source share, as values and as JSON."""

    __slots__ = ("head", "tail", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        rest = {key: value for key, value in values.items() if key != "lambda"}
        self.head = b"".join(
            b"," + msgspec.json.encode(key) + b":" + msgspec.json.encode(value) for key, value in rest.items()
        )
        self.tail = b"".join(
            b"," + msgspec.json.encode(k) + b":" + msgspec.json.encode(v)
            for k, v in values.get("lambda", {}).items()
        )


class LogContext:
    """The context of an invocation's log entries; `trace_id` may be set after they were read."""

    __slots__ = ("fields", "request_id", "trace_id")

    def __init__(self, fields: LogFields, request_id: str = "", trace_id: str = "") -> None:
        self.fields = fields
        self.request_id = request_id
        self.trace_id = trace_id

    def body(self) -> dict[str, Any]:
        """Return the attributes of Datadog's logs intake, without `message` and `timestamp`."""
        body = dict(self.fields.values)
        if self.request_id:
            body["lambda"] = {"request_id": self.request_id, **body.get("lambda", {})}
        if self.trace_id:
            body["dd"] = {"trace_id": self.trace_id}
        return body

    def suffix(self) -> bytes:
        """Return the attributes as JSON to append to `{"message":…,"timestamp":…`, with the closing brace."""
        fields = self.fields
        body = fields.head
        if self.request_id:
            body += b',"lambda":{"request_id":' + msgspec.json.encode(self.request_id) + fields.tail + b"}"
        elif fields.tail:
            body += b',"lambda":{' + fields.tail[1:] + b"}"
        return body + (
            b',"dd":{"trace_id":' + msgspec.json.encode(self.trace_id) + b"}}" if self.trace_id else b"}"
        )


class Log(NamedTuple):
    """An entry for the logs intake; `timestamp` is in milliseconds since the epoch."""

    message: str
    timestamp: int
    context: LogContext

    def body(self) -> dict[str, Any]:
        """Return the entry as a body of the logs intake."""
        return {"message": self.message, "timestamp": self.timestamp, **self.context.body()}


class SetAside(NamedTuple):
    """Invalid content with the reason and its location; `line` and `column` count from 1.

    `kind` is what it should have been: `points`, `spans`, or `events` if that is unknown.
    """

    reason: str
    where: str
    line: int
    column: int
    text: str
    kind: str = "points"


@dataclass(slots=True)
class Telemetry:
    """The telemetry of log events."""

    points: list[Point] = field(default_factory=list)
    spans: list[SpanRecord] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    refused: list[SetAside] = field(default_factory=list)

    def extend(self, other: "Telemetry") -> None:
        """Add the telemetry of `other`."""
        self.points += other.points
        self.spans += other.spans
        self.logs += other.logs
        self.refused += other.refused
