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
from typing import Any

from monitoring.telemetry import Span

_double = struct.Struct("<d").pack
_CACHED = 4096  # encoded fields that are kept: most of them repeat from span to span
_fields: dict[tuple[str, Any], bytes] = {}
_heads: dict[tuple[str, str, str, str], bytes] = {}
_pairs: list[bytes] = []  # 14 bits as two bytes that say that more follow


def varint(value: int) -> bytes:
    """A whole number of at most 64 bits; a negative one as its two's complement."""
    if value >> 49:
        return _long(value & 0xFFFFFFFFFFFFFFFF)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _long(value: int) -> bytes:
    """Ids and nanoseconds, eight bytes and more: from a table, four times as fast as bit by bit."""
    if not _pairs:
        _pairs.extend(bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14))
    p = _pairs
    low = p[value & 0x3FFF] + p[value >> 14 & 0x3FFF] + p[value >> 28 & 0x3FFF]
    if value >> 56:
        return low + p[value >> 42 & 0x3FFF] + varint(value >> 56)
    return low + varint(value >> 42)


def _block(tag: bytes, body: bytes) -> bytes:
    size = len(body)
    return tag + (bytes((size,)) if size < 0x80 else varint(size)) + body


def _text(field: int, text: str) -> bytes:
    return _block(varint(field << 3 | 2), text.encode()) if text else b""


def _head(names: tuple[str, str, str, str]) -> bytes:
    """Service, name, resource and type: the same from span to span."""
    if len(_heads) >= _CACHED:
        _heads.clear()
    service, name, resource, kind = names
    found = _heads[names] = _text(1, service) + _text(2, name) + _text(3, resource) + _text(12, kind)
    return found


def _entry(item: tuple[str, Any]) -> bytes:
    """One entry of `meta` (text) or `metrics` (number), kept for the next span that has it."""
    key, value = item
    head = _block(b"\x0a", key.encode())
    if isinstance(value, str):
        part = _block(b"\x52", head + _block(b"\x12", value.encode()))
    else:
        part = _block(b"\x5a", head + b"\x11" + _double(value))
    if len(_fields) >= _CACHED:
        _fields.clear()
    _fields[item] = part
    return part


def encode_span(span: Span) -> bytes:
    """One `Span` message; ids are read as hexadecimal."""
    names = (span["service"], span["name"], span["resource"], span["type"])
    parts = [
        _heads.get(names) or _head(names),
        b"\x20" + varint(int(span["trace_id"], 16)),
        b"\x28" + varint(int(span["span_id"], 16)),
        b"\x30" + varint(int(span["parent_id"], 16)),
        b"\x38" + varint(span["start"]) + b"\x40" + varint(span["duration"]),
    ]
    if span["error"]:
        parts.append(b"\x48" + varint(span["error"]))
    known = _fields.get
    parts += [known(item) or _entry(item) for item in span["meta"].items()]
    parts += [known(item) or _entry(item) for item in span["metrics"].items()]
    return b"".join(parts)


def encode_trace(spans: Iterable[Span]) -> bytes:
    """One `APITrace` as a field of the payload; the spans share their trace id."""
    bodies, start, end, trace_id = [], 0, 0, ""
    for span in spans:
        bodies.append(_block(b"\x12", encode_span(span)))
        begin, trace_id = span["start"], span["trace_id"]
        stop = begin + span["duration"]
        start = begin if start == 0 or begin < start else start
        end = max(stop, end)
    head = b"\x08" + varint(int(trace_id, 16))
    tail = b"\x30" + varint(start) + b"\x38" + varint(end)
    return _block(b"\x1a", head + b"".join(bodies) + tail)


def encode_payload(traces: Iterable[bytes], env: str = "", hostname: str = "") -> bytes:
    """The whole `TracePayload` from encoded traces."""
    return _text(1, hostname) + _text(2, env) + b"".join(traces)
