"""Convert spans, logs and checks to and from rows of the tables in `schema`."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from monitoring.errors import InputError
from monitoring.log_events.telemetry import Span

_LOG_FIELDS = {"message", "ddsource", "ddtags", "hostname", "service", "status", "timestamp"}


def of_span(span: Span) -> Sequence[Any]:
    """Return the row of a span; ids stay as in the trace line, 16 hex digits."""
    start = _integer(span, "start")
    return (
        _hex(span.get("trace_id")),
        _hex(span.get("span_id")),
        _hex(span.get("parent_id")),
        str(span.get("name") or ""),
        str(span.get("service") or ""),
        str(span.get("resource") or ""),
        str(span.get("type") or ""),
        start,
        _integer(span, "duration"),
        _integer(span, "error"),
        _json(_object(span, "meta")),
        _json(_object(span, "metrics")),
        start // 1_000_000_000,
    )


def to_span(row: Sequence[Any]) -> Span:
    """Return the span of a row."""
    names = (
        "trace_id",
        "span_id",
        "parent_id",
        "name",
        "service",
        "resource",
        "type",
        "start",
        "duration",
        "error",
    )
    span = dict(zip(names, row, strict=False))
    return span | {"meta": msgspec.json.decode(row[10]), "metrics": msgspec.json.decode(row[11])}


def of_log(log: Mapping[str, Any]) -> Sequence[Any]:
    """Return the row of a log; `time` is in milliseconds, and other keys become attributes."""
    message = log.get("message", "")
    attributes = {name: value for name, value in log.items() if name not in _LOG_FIELDS}
    return (
        _milliseconds(log),
        str(log.get("service") or ""),
        str(log.get("ddsource") or ""),
        str(log.get("hostname") or ""),
        _json(tags_of(log.get("ddtags"))),
        str(log.get("status") or "info").lower(),
        message if isinstance(message, str) else _json(message),
        _json(attributes),
    )


def to_log(row: Sequence[Any]) -> dict[str, Any]:
    """Return the log as it was sent, with its time and tags under Datadog's names."""
    moment, service, source, host, tags, status, message, attributes = row
    sent: dict[str, Any] = {
        "timestamp": moment,
        "service": service,
        "ddsource": source,
        "hostname": host,
        "ddtags": ",".join(tags or []),
        "status": status,
        "message": message,
    }
    sent.update(msgspec.json.decode(attributes))
    return sent


def of_check(check: Mapping[str, Any]) -> Sequence[Any]:
    """Return the row of a service check's result; `time` is in seconds."""
    return (
        _integer(check, "timestamp") or int(time.time()),
        str(check["check"]),
        str(check.get("host_name") or ""),
        _integer(check, "status"),
        _json(tags_of(check.get("tags"))),
        str(check.get("message") or ""),
    )


def tags_of(value: object) -> list[str]:
    """Return tags as a sorted list of lower-cased strings; `value` is a list or a comma-separated string."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return sorted({str(part).strip().lower() for part in parts if str(part).strip()})


def _milliseconds(log: Mapping[str, Any]) -> int:
    if isinstance(log.get("timestamp"), (int, float)) and not isinstance(log["timestamp"], bool):
        return _integer(log, "timestamp")
    return time.time_ns() // 1_000_000


def _object(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name) or {}
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is {value!r}: expected an object")
    return value


def _integer(record: Mapping[str, Any], name: str) -> int:
    """Return a field as an integer, 0 if it is missing.

    Raises:
        InputError: the field is not a number.
    """
    try:
        return int(record.get(name) or 0)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} is {record[name]!r}: expected a number") from None


def _hex(value: object) -> str:
    return f"{value:016x}" if isinstance(value, int) else str(value or "")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
