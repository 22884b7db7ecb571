"""Parse trace lines to spans, and normalize them for the trace intake."""

import math
from typing import Any

import msgspec

from monitoring.log_events.telemetry import SpanRecord

_HEX = frozenset("0123456789abcdefABCDEF")
_IDS = frozenset({"trace_id", "span_id"})


class _Line(msgspec.Struct, gc=False):
    traces: list[list[SpanRecord]]


_exact = msgspec.json.Decoder(_Line).decode


def read_trace_line(text: str) -> list[SpanRecord] | None:
    """Return the spans of a line in which every value is valid for the intake; None for any other line."""
    try:
        spans = [span for trace in _exact(text).traces for span in trace]
        for span in spans:
            if len(bytes.fromhex(span.trace_id + span.span_id + span.parent_id)) != 24:
                return None  # a space in an id
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
        return None
    return spans or None


def read_traces(record: dict[str, Any]) -> tuple[list[SpanRecord], list[str]] | None:
    """Return the spans of `{"traces": [[span, …], …]}`, and the reasons for omitted ones.

    The result is None if `traces` has no spans: the line is a log. Of ids of 32 hex digits, the low 64 bits
    are the id and the rest becomes `_dd.p.tid`; ids may be integers. `meta` values become strings, and
    `error` an integer, because libraries print values that Datadog's reader rejects.
    """
    spans: list[SpanRecord] = []
    wrong: list[str] = []
    traces = record.get("traces")
    if not isinstance(traces, list) or not any(map(_holds_a_span, traces)):
        return None
    for trace in traces:
        if not isinstance(trace, list):
            wrong.append("a trace is not a list of spans")
            continue
        for span in trace:
            reason = _normalize(span)
            if reason:
                wrong.append(reason)
            else:
                spans.append(msgspec.convert(span, SpanRecord))
    return spans, wrong


def _holds_a_span(trace: Any) -> bool:
    return isinstance(trace, list) and any(isinstance(span, dict) and _IDS & span.keys() for span in trace)


def _normalize(span: Any) -> str:
    """Normalize the span in place; return the reason if it is invalid, otherwise ""."""
    if not isinstance(span, dict):
        return "a span is not an object"
    for key in ("trace_id", "span_id", "parent_id"):
        if not _normalize_id(span, key):
            return f"the span's {key} is not a 64-bit id: {str(span.get(key))[:40]}"
    for key in ("start", "duration"):
        value = span.get(key)
        if type(value) is not int:
            if not isinstance(value, float) or not math.isfinite(value):
                return f"the span's {key} is not a number of nanoseconds"
            span[key] = int(value)
    if not 0 <= span["start"] < 1 << 62 or not 0 <= span["duration"] < 1 << 62:
        return "the span's start or duration is out of range"
    span["error"] = 1 if span.get("error") not in (0, None, False, "0") else 0
    for key in ("name", "service", "resource", "type"):
        if type(span.get(key)) is not str:
            span[key] = str(span.get(key) or "")
    _normalize_maps(span)
    return ""


def _normalize_id(span: dict[str, Any], key: str) -> bool:
    value = span.get(key)
    if type(value) is str and value:
        if not _HEX.issuperset(value) or len(value) > 32:
            return False
        if len(value) > 16:
            if key == "trace_id" and isinstance(span.setdefault("meta", {}), dict):
                span["meta"].setdefault("_dd.p.tid", value[:-16])
            value = value[-16:]
        span[key] = value.rjust(16, "0")
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64:
        span[key] = f"{value:016x}"
    elif value is None and key == "parent_id":
        span[key] = "0" * 16
    else:
        return False
    return key == "parent_id" or span[key] != "0" * 16


def _normalize_maps(span: dict[str, Any]) -> None:
    meta = span.get("meta")
    if not isinstance(meta, dict):
        meta = span["meta"] = {}
    for key, value in meta.items():
        if type(value) is not str:
            meta[key] = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    metrics = span.get("metrics")
    if not isinstance(metrics, dict):
        span["metrics"] = {}
        return
    for key, value in list(metrics.items()):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            del metrics[key]
