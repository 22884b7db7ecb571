"""Describe the current invocation: its trigger, its state machine and state, cold start, and trace."""

from __future__ import annotations

from monitoring.instrumentation import spans
from monitoring.instrumentation.runtime import process
from monitoring.instrumentation.step_functions import Identity, identity_of
from monitoring.instrumentation.triggers import NAMES as TRIGGERS
from monitoring.instrumentation.triggers import Trigger, describe, trigger_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "TRIGGERS",
    "Identity",
    "Trigger",
    "current_trace",
    "describe",
    "identity_of",
    "process",
    "trigger_of",
]


def current_trace() -> tuple[str, str] | None:
    """Return trace id (32 hex digits) and span id (16) of the running code; None outside an invocation."""
    span: Any = spans.anywhere()
    if span is None or span.call is None:
        return None
    return span.call.high.zfill(16) + span.trace_id, span.span_id
