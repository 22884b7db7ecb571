"""Propagate the trace context in HTTP headers, queues, topics, streams, event buses and state machines.

Two formats are read and written: Datadog's headers (`x-datadog-trace-id` etc.) and W3C's `traceparent`.
`contexts_of` reads the context of an event; `inject_headers`, `inject_attributes` (SQS, SNS) and
`inject_payload` (Kinesis data, EventBridge detail, Step Functions input) add it to requests.
"""

from __future__ import annotations

import json
from binascii import a2b_base64

from monitoring.instrumentation import spans
from monitoring.instrumentation.step_functions import (
    TraceContext,
    carried_by,
    context_parts,
    hashed,
    step_of,
    trace_named,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

KEY = "_datadog"
"""The attribute or key with the headers in a message or payload, as in Datadog's libraries."""

_MOST_LINKS = 100
_MOST_ATTRIBUTES = 10  # SQS's limit of attributes per message, including that of the trace


def contexts_of(event: Any, source: str) -> tuple[TraceContext | None, list[dict[str, Any]]]:
    """Return the first trace context of an event, and links to its others. Never raises."""
    parent: TraceContext | None = None
    links: list[dict[str, Any]] = []
    try:
        for carrier in _CARRIERS.get(source, _of_payload)(event):
            context = extract(carrier)
            if context is None:
                continue
            if parent is None:
                parent = context
            elif (context.trace_id, context.span_id) != (parent.trace_id, parent.span_id):
                trace_id = context.high.zfill(16) + context.trace_id
                links.append(
                    {"trace_id": trace_id, "span_id": context.span_id, "attributes": {"reason": "batch"}}
                )
                if len(links) == _MOST_LINKS:
                    break
    except Exception:  # noqa: BLE001, S110 - an event may be anything: the contexts before the error are used
        pass
    return parent, links


def extract(carrier: Any) -> TraceContext | None:
    """Return the trace context of headers, in upper or lower case, or of a Step Functions context object.

    Datadog's headers have priority over W3C's.
    """
    if not isinstance(carrier, dict):
        return None
    parts = context_parts(carrier)
    if parts is not None:
        step = step_of(parts)
        return None if step is None else step.trace_context()
    headers = {key.lower(): value for key, value in carrier.items() if isinstance(key, str)}
    return _of_datadog(headers) or _of_w3c(headers.get("traceparent"))


def context_of_input(value: Any) -> TraceContext | None:
    """Return the parent span of an execution from its input, or None if the input has no trace context.

    The input has it as a context object (of the state that started the execution, or of the Distributed Map
    whose item it is, also in `BatchInput` or in the items), as Datadog's headers, or as `RootExecutionId`
    only. W3C's header is not read, because the functions of the execution do not read it either.
    """
    parts = context_parts(value)
    if parts is not None:
        step = step_of(parts)
        return None if step is None else step.trace_context()
    carried = carried_by(value)
    ids = trace_named(carried)
    if carried is None or ids is None:
        return None
    context = _of_datadog(carried)
    if (
        context is None
    ):  # the span of the root execution, unless headers without a valid parent have the trace
        root = carried.get("RootExecutionId")
        parent = "0" * 16 if "x-datadog-trace-id" in carried else hashed(f"{root}#execution")[0]
        context = TraceContext(*ids, parent)
    return context


def _of_datadog(headers: dict[str, Any]) -> TraceContext | None:
    try:
        trace_id = int(headers["x-datadog-trace-id"]) & 0xFFFF_FFFF_FFFF_FFFF
        parent = int(headers.get("x-datadog-parent-id") or 0) & 0xFFFF_FFFF_FFFF_FFFF
        priority = int(headers.get("x-datadog-sampling-priority") or 1)
    except (KeyError, ValueError, TypeError):
        return None
    tags = str(headers.get("x-datadog-tags") or "").split(",")
    high = next(
        (tag.strip()[len("_dd.p.tid=") :] for tag in tags if tag.strip().startswith("_dd.p.tid=")), ""
    )
    if not trace_id or high.strip("0123456789abcdef"):
        return None
    return TraceContext(f"{trace_id:016x}", high, f"{parent:016x}", priority)


def _of_w3c(header: Any) -> TraceContext | None:
    """Parse `traceparent`: version "-" trace-id "-" parent-id "-" flags."""
    if not isinstance(header, str):
        return None
    parts = header.strip().lower().split("-")
    lengths = [len(part) for part in parts[:4]]
    if lengths != [2, 32, 16, 2] or parts[0] == "ff" or "".join(parts[:4]).strip("0123456789abcdef"):
        return None
    if not parts[1].strip("0") or not parts[2].strip("0"):
        return None
    return TraceContext(parts[1][16:], parts[1][:16], parts[2], int(parts[3], 16) & 1)


def _of_http(event: Any) -> Iterable[Any]:
    multi_value = event.get("multiValueHeaders")
    if isinstance(multi_value, dict):
        yield {key: value[0] for key, value in multi_value.items() if isinstance(value, list) and value}
    yield event.get("headers")


def _of_payload(event: Any) -> Iterable[Any]:
    if isinstance(event, dict):
        yield event.get(KEY)
        yield event.get("headers")
        detail = event.get("detail")
        if isinstance(detail, dict):
            yield detail.get(KEY)


def _of_sqs(event: Any) -> Iterable[Any]:
    for record in _records(event):
        attribute = _attribute(record.get("messageAttributes"))
        if attribute is None and '"_datadog"' in str(record.get("body")):
            attribute = _of_body(_loads(record.get("body")))
        yield attribute


def _of_body(body: Any) -> Any:
    """Return the context in the body of a message: an event of SNS or EventBridge, or a payload."""
    if not isinstance(body, dict):
        return None
    return next(
        (headers for headers in (_attribute(body.get("MessageAttributes")), *_of_payload(body)) if headers),
        None,
    )


def _of_sns(event: Any) -> Iterable[Any]:
    for record in _records(event):
        sns = record.get("Sns")
        yield _attribute(sns.get("MessageAttributes")) if isinstance(sns, dict) else None


def _of_kinesis(event: Any) -> Iterable[Any]:
    for record in _records(event):
        kinesis = record.get("kinesis")
        body = _loads(_decoded(kinesis.get("data"))) if isinstance(kinesis, dict) else None
        yield body.get(KEY) if isinstance(body, dict) else None


def _of_kafka(event: Any) -> Iterable[Any]:
    groups = event.get("records")
    for group in groups.values() if isinstance(groups, dict) else ():
        for record in group:
            pairs = [pair for pair in record.get("headers") or () if isinstance(pair, dict)]
            yield {key: _kafka_text(value) for pair in pairs for key, value in pair.items()}


def _kafka_text(value: Any) -> str:
    """Decode the bytes of a header, which Lambda delivers as a list of (signed) numbers."""
    return (
        bytes(number & 0xFF for number in value).decode("utf-8", "replace") if isinstance(value, list) else ""
    )


_CARRIERS: dict[str, Callable[[Any], Iterable[Any]]] = {
    "api-gateway": _of_http,
    "function-url": _of_http,
    "alb": _of_http,
    "sqs": _of_sqs,
    "sns": _of_sns,
    "kinesis": _of_kinesis,
    "kafka": _of_kafka,
}


def _records(event: Any) -> Iterable[dict[str, Any]]:
    records = event.get("Records") if isinstance(event, dict) else event
    return (record for record in records or () if isinstance(record, dict))


def _attribute(attributes: Any) -> Any:
    """Return the headers in an attribute of SQS (`stringValue`, `binaryValue`) or SNS (`Type`, `Value`).

    A sender of W3C's format may have only the attribute `traceparent`.
    """
    if not isinstance(attributes, dict):
        return None
    field = attributes.get(KEY)
    if isinstance(field, dict):
        binary = field.get("binaryValue") or (field.get("Value") if field.get("Type") == "Binary" else None)
        return _loads(_decoded(binary) if binary else field.get("stringValue") or field.get("Value"))
    field = attributes.get("traceparent")
    text = (field.get("stringValue") or field.get("Value")) if isinstance(field, dict) else None
    return {"traceparent": text} if text else None


def _decoded(data: Any) -> bytes:
    try:
        return a2b_base64(data)
    except (ValueError, TypeError):
        return b""


def _loads(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def inject_headers(headers: dict[str, str] | None = None) -> dict[str, str]:
    """Return the headers with the running span as the parent; they are unchanged outside an invocation."""
    injected = dict(headers or {})
    span: Any = spans.anywhere()
    call = span.call if span is not None else None
    if call is None:
        return injected
    high = call.high
    injected["x-datadog-trace-id"] = str(int(call.trace_id, 16))
    injected["x-datadog-parent-id"] = str(int(span.span_id, 16))
    injected["x-datadog-sampling-priority"] = str(call.priority)
    if high:
        injected["x-datadog-tags"] = f"_dd.p.tid={high}"
    sampled = "01" if call.priority > 0 else "00"
    injected["traceparent"] = f"00-{high.zfill(16)}{call.trace_id}-{span.span_id}-{sampled}"
    return injected


def inject_attributes(attributes: dict[str, Any] | None = None, *, binary: bool = False) -> dict[str, Any]:
    """Return MessageAttributes with the trace for SQS, or, with `binary=True`, for SNS filter policies.

    The attributes are unchanged if there are ten already: the trace then ends at this message.
    """
    injected, headers = dict(attributes or {}), inject_headers()
    if headers and len(injected) < _MOST_ATTRIBUTES:
        text = json.dumps(headers)
        injected[KEY] = (
            {"DataType": "Binary", "BinaryValue": text.encode()}
            if binary
            else {"DataType": "String", "StringValue": text}
        )
    return injected


def inject_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a JSON object with the trace context as `_datadog`, for Kinesis and other services."""
    headers = inject_headers()
    return {**payload, KEY: headers} if headers else dict(payload)
