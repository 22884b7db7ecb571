"""Spans as the protobuf message that Datadog's trace intake takes (`TracePayload`).

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
from functools import lru_cache
from typing import Any

from monitoring.telemetry import Span

_double = struct.Struct("<d").pack


def varint(value: int) -> bytes:
    """A whole number of at most 64 bits; a negative one as its two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _block(tag: bytes, body: bytes) -> bytes:
    size = len(body)
    return tag + (bytes((size,)) if size < 0x80 else varint(size)) + body


@lru_cache(maxsize=4096)
def _text(field: int, text: str) -> bytes:
    return _block(varint(field << 3 | 2), text.encode()) if text else b""


@lru_cache(maxsize=4096)
def _meta(key: str, value: str) -> bytes:
    return _block(b"\x52", _text(1, key) + _text(2, value))


@lru_cache(maxsize=4096)
def _metric(key: str, value: float) -> bytes:
    return _block(b"\x5a", _text(1, key) + b"\x11" + _double(value))


def _identifier(text: Any) -> int:
    return int(text, 16) if text else 0


def encode_span(span: Span) -> bytes:
    """One `Span` message; ids are read as hexadecimal."""
    parts = [
        _text(1, span.get("service", "")),
        _text(2, span.get("name", "")),
        _text(3, span.get("resource", "")),
        b"\x20" + varint(_identifier(span["trace_id"])),
        b"\x28" + varint(_identifier(span["span_id"])),
    ]
    if parent := _identifier(span.get("parent_id")):
        parts.append(b"\x30" + varint(parent))
    parts.append(b"\x38" + varint(span["start"]) + b"\x40" + varint(span["duration"]))
    if error := span.get("error"):
        parts.append(b"\x48" + varint(error))
    parts.extend([_meta(key, value) for key, value in (span.get("meta") or {}).items()])
    parts.extend([_metric(key, float(value)) for key, value in (span.get("metrics") or {}).items()])
    parts.append(_text(12, span.get("type", "")))
    return b"".join(parts)


def encode_trace(spans: Iterable[Span]) -> bytes:
    """One `APITrace` as a field of the payload; the spans share their trace id."""
    bodies, start, end, trace_id = [], 0, 0, 0
    for span in spans:
        bodies.append(_block(b"\x12", encode_span(span)))
        begin = span["start"]
        start = min(start or begin, begin)
        end = max(end, begin + span["duration"])
        trace_id = _identifier(span["trace_id"])
    head = b"\x08" + varint(trace_id)
    tail = b"\x30" + varint(start) + b"\x38" + varint(end)
    return _block(b"\x1a", head + b"".join(bodies) + tail)


def encode_payload(traces: Iterable[bytes], env: str = "", hostname: str = "") -> bytes:
    """The whole `TracePayload` from encoded traces."""
    return _text(1, hostname) + _text(2, env) + b"".join(traces)
