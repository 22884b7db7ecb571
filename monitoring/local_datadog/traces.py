"""Decode traces of the intake: Datadog's protobuf payload, or JSON.

The field numbers are those of the Datadog Agent's published `agent_payload.proto`, `tracer_payload.proto` and
`span.proto`, and of the older payload (`traces`, `transactions`) that Datadog's AWS forwarder still sends.
"""

import struct
from collections.abc import Iterator
from typing import Any

from monitoring.local_datadog.body import parse_json
from monitoring.local_datadog.replies import ApiError
from monitoring.log_events.telemetry import Span

_Field = tuple[int, int | bytes]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_TEXTS = {1: "service", 2: "name", 3: "resource", 12: "type"}
_IDS = {4: "trace_id", 5: "span_id", 6: "parent_id"}
_NUMBERS = {7: "start", 8: "duration", 9: "error"}


def read(body: bytes, content_type: str) -> list[Span]:
    """Return the spans of a payload; ids as 16 hex digits.

    Raises:
        ApiError: 400 if the body is neither a trace payload nor `{"traces": [[span, …], …]}`.
    """
    if "protobuf" in content_type:
        try:
            return list(_payload(body))
        except (IndexError, ValueError, TypeError, struct.error) as error:
            raise ApiError(400, f"the body is not a protobuf TracePayload: {error}") from error
    try:
        traces = parse_json(body)["traces"]
        spans = [span for trace in traces for span in trace]
    except (KeyError, TypeError) as error:
        raise ApiError(
            400, 'the body is neither a protobuf TracePayload nor {"traces": [[span, …], …]}'
        ) from error
    if not all(isinstance(span, dict) for span in spans):
        raise ApiError(400, "a span is not a JSON object")
    return spans


def _payload(body: bytes) -> Iterator[Span]:
    common: dict[str, str] = {}
    for number, value in _fields(body):
        if number == 2 and _text(value):
            common["env"] = _text(value)
    for number, value in _fields(body):
        if number == 3:  # APITrace: spans are its field 2
            yield from (_span(part, common) for field, part in _fields(value) if field == 2)
        elif number == 4:
            yield _span(value, common)
        elif number == 5:
            yield from _tracer_payload(value, common)


def _tracer_payload(data: int | bytes, common: dict[str, str]) -> Iterator[Span]:
    for number, value in _fields(data):
        if number == 8 and _text(value):
            common = common | {"env": _text(value)}
    for number, value in _fields(data):
        if number == 6:
            yield from _chunk(value, common)


def _chunk(data: int | bytes, common: dict[str, str]) -> Iterator[Span]:
    parts = list(_fields(data))
    for number, value in parts:
        if number == 2 and _text(value):
            common = common | {"_dd.origin": _text(value)}
        elif number == 4:
            key, tag = _pair(value)
            common = common | {key: _text(tag)}
    yield from (_span(value, common) for number, value in parts if number == 3)


def _span(data: int | bytes, common: dict[str, str]) -> Span:
    span: dict[str, Any] = dict.fromkeys((*_TEXTS.values(), *_IDS.values()), "") | dict.fromkeys(
        _NUMBERS.values(), 0
    )
    span["trace_id"] = span["span_id"] = span["parent_id"] = f"{0:016x}"
    meta: dict[str, str] = {}
    metrics: dict[str, float] = {}
    for number, value in _fields(data):
        if number in _TEXTS:
            span[_TEXTS[number]] = _text(value)
        elif number in _IDS:
            span[_IDS[number]] = f"{_int(value):016x}"
        elif number in _NUMBERS:
            span[_NUMBERS[number]] = _signed(_int(value))
        elif number == 10:
            key, text = _pair(value)
            meta[key] = _text(text)
        elif number == 11:
            key, double = _pair(value)
            metrics[key] = struct.unpack("<d", struct.pack("<Q", _int(double)))[0] if double else 0.0
    return span | {"meta": common | meta, "metrics": metrics}


def _pair(data: int | bytes) -> tuple[str, int | bytes]:
    """Read a map entry: the key is field 1, the value field 2; a missing one is empty."""
    entry = dict(_fields(data))
    return _text(entry.get(1, b"")), entry.get(2, b"")


def _fields(data: int | bytes) -> Iterator[_Field]:
    """Yield the fields of a message, in order: (number, value)."""
    if isinstance(data, int):
        raise TypeError("a number where a message belongs")
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        value: int | bytes
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire == _FIXED64:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif wire == _FIXED32:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        elif wire == _BYTES:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
            if at > len(data):
                raise ValueError("it ends inside a field")
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        result |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            raise ValueError("a number longer than 64 bits")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise TypeError("a text where a number belongs")
    return value


def _text(value: int | bytes) -> str:
    if isinstance(value, int):
        raise TypeError("a number where a text belongs")
    return value.decode("utf-8", "replace")
