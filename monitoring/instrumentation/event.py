"""Read an event once, when its invocation starts: trigger, place in a state machine, trace, size."""

from __future__ import annotations

from monitoring.instrumentation.runtime import size_of
from monitoring.instrumentation.step_functions import context_parts, plain, step_of
from monitoring.instrumentation.triggers import FIELDS, UNKNOWN, read_trigger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.step_functions import Identity, TraceContext
    from monitoring.instrumentation.triggers import Trigger


class EventSummary:
    """What an invocation needs to know of its event.

    `step` is None outside a state machine. `parent` is the span that comes before the invocation's, or None;
    `links` are the other traces of a batch. `size` is in bytes of JSON, or None where sizes are not printed.
    """

    __slots__ = ("links", "parent", "size", "step", "trigger")

    def __init__(
        self,
        trigger: Trigger,
        size: int | None,
        step: Identity | None = None,
        parent: TraceContext | None = None,
        links: list[dict[str, Any]] | None = None,
    ) -> None:
        self.trigger, self.size, self.step, self.parent, self.links = trigger, size, step, parent, links


def read_event(event: Any, context: Any, *, sized: bool) -> EventSummary:
    """Read an event; the client context of Lambda's `context` carries the trace of an event that cannot."""
    if type(event) is not dict:
        event = plain(event)
    size = size_of(event) if sized else None
    trigger = UNKNOWN
    if type(event) is not dict or not FIELDS.isdisjoint(event):  # most are objects of the function's own
        try:
            parts = context_parts(event)
        except Exception:  # noqa: BLE001 - an event may be anything, with any behaviour
            parts = None
        trigger = read_trigger(event, parts)
        if parts is not None:
            step = step_of(parts)
            return EventSummary(trigger, size, step, None if step is None else step.trace_context())
    carrier = event
    if trigger is UNKNOWN:
        carrier = getattr(context, "client_context", None)
        if carrier is None:
            return EventSummary(trigger, size)
        carrier = getattr(carrier, "custom", None)
    from monitoring.instrumentation.propagation import contexts_of

    return EventSummary(trigger, size, None, *contexts_of(carrier, trigger.name))
