"""Encode spans as `TracePayload`, the protobuf message of Datadog's trace intake.

Field numbers are those of the agent's published `trace_payload.proto` and `span.proto`:

```
TracePayload  1 hostName, 2 env, 3 repeated APITrace traces
APITrace      1 traceID, 2 repeated Span spans, 6 startTime, 7 endTime
Span          1 service, 2 name, 3 resource, 4 traceID, 5 spanID, 6 parentID, 7 start, 8 duration, 9 error,
              10 map<string, string> meta, 11 map<string, double> metrics, 12 type
```
"""

import struct
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

from monitoring.log_events.telemetry import SpanRecord

_double = struct.Struct("<d").pack


# The caches of this module halve the time to encode a span, a tenth of the time of a payload with traces.
@cache
def _groups() -> tuple[list[bytes], list[bytes]]:
    """Return the varint bytes of each 14-bit group, as the last group of a number and as an earlier one."""
    last = [bytes((n,) if n < 0x80 else (n & 0x7F | 0x80, n >> 7)) for n in range(1 << 14)]
    return last, [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14)]


def varint(value: int) -> bytes:
    """Encode an integer from 0 on as a varint: seven bits per byte, the lowest first."""
    last, more = _groups()
    groups = b""
    while value >= 0x4000:
        groups += more[value & 0x3FFF]
        value >>= 14
    return groups + last[value]


def _block(tag: bytes, body: bytes) -> bytes:
    return tag + varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _block(varint(field << 3 | 2), text.encode()) if text else b""


@lru_cache(maxsize=4096)
def _head(service: str, name: str, resource: str, kind: str) -> bytes:
    """Encode the fields that many spans share."""
    return _text(1, service) + _text(2, name) + _text(3, resource) + _text(12, kind)


@lru_cache(maxsize=4096)
def _entry(item: tuple[str, Any]) -> bytes:
    """Encode an entry of `meta` (text) or `metrics` (number)."""
    key, value = item
    head = _block(b"\x0a", key.encode())
    if isinstance(value, str):
        return _block(b"\x52", head + _block(b"\x12", value.encode()))
    return _block(b"\x5a", head + b"\x11" + _double(value))


def _id(text: str) -> bytes:
    return varint(int(text, 16))


def _span(span: SpanRecord, trace_id: bytes) -> bytes:
    """Encode a `Span` message; the ids of the record are hexadecimal."""
    return b"".join(
        (
            _head(span.service, span.name, span.resource, span.type),
            b"\x20",
            trace_id,
            b"\x28",
            _id(span.span_id),
            b"\x30",
            _id(span.parent_id),
            b"\x38",
            varint(span.start),
            b"\x40",
            varint(span.duration),
            b"\x48\x01" if span.error else b"",
            *map(_entry, span.meta.items()),
            *map(_entry, span.metrics.items()),
        )
    )


def encode_trace(spans: list[SpanRecord]) -> bytes:
    """Encode an `APITrace` as a field of the payload; the spans, at least one, have the same trace id."""
    start = min(span.start for span in spans)
    end = max(span.start + span.duration for span in spans)
    trace_id = _id(spans[0].trace_id)
    bodies = b"".join(_block(b"\x12", _span(span, trace_id)) for span in spans)
    return _block(b"\x1a", b"\x08" + trace_id + bodies + b"\x30" + varint(start) + b"\x38" + varint(end))


def encode_payload(traces: Iterable[bytes], env: str = "", hostname: str = "") -> bytes:
    """Encode the whole `TracePayload` from encoded traces."""
    return _text(1, hostname) + _text(2, env) + b"".join(traces)
