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

from monitoring.log_events.telemetry import SpanRecord

_double = struct.Struct("<d").pack
_CACHED = 4096  # encoded fields that are kept: most of them repeat from span to span
_fields: dict[tuple[str, Any], bytes] = {}
_heads: dict[tuple[str, str, str, str], bytes] = {}
_ids: dict[str, bytes] = {}
# 14 bits at a time from tables: four times as fast as 7 bits at a time, and most of a span's encoding
_more: list[bytes] = []  # two bytes that say that more follow
_last: list[bytes] = []  # one byte or two, the last ones


def _fill() -> None:
    """The tables are made when the first trace comes: 10 ms that an import need not take."""
    size = 1 << 14
    _last.extend(bytes((n,)) if n < 0x80 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(size))
    _more.extend(bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(size))


def varint(value: int) -> bytes:
    """A whole number of at most 64 bits and not below 0."""
    if not _last:
        _fill()
    if value < 0x4000:
        return _last[value]
    parts = _more[value & 0x3FFF]
    value >>= 14
    while value >= 0x4000:
        parts += _more[value & 0x3FFF]
        value >>= 14
    return parts + _last[value]


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


def _id(text: str) -> bytes:
    """An id as a varint: most stand in a trace more than once."""
    found = _ids.get(text)
    if found is None:
        if len(_ids) >= _CACHED:
            _ids.clear()
        found = _ids[text] = varint(int(text, 16))
    return found


def encode_span(span: SpanRecord) -> bytes:
    """One `Span` message; ids are read as hexadecimal."""
    names = (span.service, span.name, span.resource, span.type)
    known = _fields.get
    return b"".join(
        (
            _heads.get(names) or _head(names),
            b"\x20",
            _id(span.trace_id),
            b"\x28",
            _id(span.span_id),
            b"\x30",
            _id(span.parent_id),
            b"\x38",
            varint(span.start),
            b"\x40",
            varint(span.duration),
            b"\x48\x01" if span.error else b"",
            *[known(item) or _entry(item) for item in span.meta.items()],
            *[known(item) or _entry(item) for item in span.metrics.items()],
        )
    )


def encode_trace(spans: list[SpanRecord]) -> bytes:
    """One `APITrace` as a field of the payload; the spans, at least one, share their trace id."""
    start = min(span.start for span in spans)
    end = max(span.start + span.duration for span in spans)
    parts = [b"\x08" + _id(spans[0].trace_id)]
    for span in spans:
        body = encode_span(span)
        parts.append(b"\x12" + varint(len(body)) + body)
    parts.append(b"\x30" + varint(start) + b"\x38" + varint(end))
    return _block(b"\x1a", b"".join(parts))


def encode_payload(traces: Iterable[bytes], env: str = "", hostname: str = "") -> bytes:
    """The whole `TracePayload` from encoded traces."""
    return _text(1, hostname) + _text(2, env) + b"".join(traces)
