"""Annotate the X-Ray segment of an active Powertools Tracer with the Datadog trace that it belongs to."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.invocation import Invocation


def annotate(call: Invocation) -> Any:
    """Annotate the open subsegment with the Datadog ids; open one if only Lambda's segment is open.

    Lambda's segment cannot be annotated. The returned subsegment, if any, must be passed to `close`.
    """
    recorder = sys.modules["aws_xray_sdk.core"].xray_recorder
    if os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in {"1", "true", "yes", "on"}:
        return None
    from aws_xray_sdk.core.models.facade_segment import FacadeSegment

    entity, opened = _open_entity(recorder), None
    if isinstance(entity, FacadeSegment):
        entity = opened = recorder.begin_subsegment("monitoring")
    if entity is not None:
        entity.put_annotation("dd_trace_id", call.high.zfill(16) + call.trace_id)
        entity.put_annotation("dd_span_id", str(int(call.span_id, 16)))
        entity.put_annotation("trigger", call.event.trigger.name)
    return opened


def _open_entity(recorder: Any) -> Any:
    """Return the innermost open segment, or None; the recorder would log an error if there is none."""
    if "LAMBDA_TASK_ROOT" in os.environ:
        return recorder.get_trace_entity()
    entities = getattr(getattr(recorder.context, "_local", None), "entities", None)
    return entities[-1] if entities else None


def close(opened: Any) -> None:
    """End the subsegment that `annotate` has opened."""
    if opened is not None:
        sys.modules["aws_xray_sdk.core"].xray_recorder.end_subsegment()
