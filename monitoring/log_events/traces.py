"""The trace line into spans, each in the form that the trace intake takes, whatever its emitter wrote."""

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
    """Return the spans of a line whose every value is as the intake takes it; None for any other line."""
    try:
        spans = [span for trace in _exact(text).traces for span in trace]
        for span in spans:
            if len(bytes.fromhex(span.trace_id + span.span_id + span.parent_id)) != 24:
                return None  # a space in an id
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
        return None
    return spans or None


def read_traces(record: dict[str, Any]) -> tuple[list[SpanRecord], list[str]] | None:
    """Return the spans of `{"traces": [[span, …], …]}`, and what is invalid in those left out.

    None where `traces` holds no span at all: the line is somebody's log. Ids of 32 hex digits keep the low 64
    bits and give the rest as `_dd.p.tid`; whole numbers are taken as ids too. `meta` values become text,
    `error` a whole number: what Datadog's own reader refuses, and its emitters do print.
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
            reason = _mend(span)
            if reason:
                wrong.append(reason)
            else:
                spans.append(msgspec.convert(span, SpanRecord))
    return spans, wrong


def _holds_a_span(trace: Any) -> bool:
    return isinstance(trace, list) and any(isinstance(span, dict) and _IDS & span.keys() for span in trace)


def _mend(span: Any) -> str:
    """Bring the span into form in place; the reason where that is impossible."""
    if not isinstance(span, dict):
        return "a span is not an object"
    for key in ("trace_id", "span_id", "parent_id"):
        if not _mend_id(span, key):
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
    _mend_maps(span)
    return ""


def _mend_id(span: dict[str, Any], key: str) -> bool:
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


def _mend_maps(span: dict[str, Any]) -> None:
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
