"""Put `dd.trace_id` and `dd.span_id` on every log record, for standard logging and for Powertools Logger."""

from __future__ import annotations

import logging

from monitoring.instrumentation import spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def install() -> None:
    """Add the ids of the running span to every log record, "0" outside an invocation; later calls do nothing.

    Names and formats are those of Datadog's tracer: the trace id as 32 hex digits, the span id decimal.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "monitoring", False):
        return

    def record_with_ids(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        try:
            trace_id, span_id = ids()
            record.__dict__.setdefault("dd.trace_id", trace_id)
            record.__dict__.setdefault("dd.span_id", span_id)
        except Exception:  # noqa: BLE001, S110 - log the record without ids
            pass
        return record

    record_with_ids.monitoring = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(record_with_ids)


def ids() -> tuple[str, str]:
    """Return the trace id and the span id of the running code in the format of logs."""
    span: Any = spans.anywhere()
    if span is None or span.call is None:
        return "0", "0"
    return span.call.high.zfill(16) + span.trace_id, str(int(span.span_id, 16))
