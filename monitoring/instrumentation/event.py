"""Read an event once, when its invocation starts: trigger, place in a state machine, trace, size."""

from __future__ import annotations

from monitoring.instrumentation.runtime import request_size
from monitoring.instrumentation.step_functions import context_parts, plain, step_of
from monitoring.instrumentation.triggers import FIELDS, UNKNOWN, of_state_machine, read_trigger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.instrumentation.step_functions import Identity, TraceContext
    from monitoring.instrumentation.triggers import Trigger


class EventSummary:
    """Hold what an invocation needs to know of its event.

    `step` is None outside a state machine. `parent` is the span that comes before the invocation's, or None;
    `links` are the other traces of a batch. `size` is in bytes of JSON, or None for one that is not printed.
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


_OWN = EventSummary(UNKNOWN, None)  # most events: a small object of the function's own


def read_event(event: Any, context: Any, smallest: int | None) -> EventSummary:
    """Read an event; the client context of Lambda's `context` carries the trace of an event that cannot.

    `smallest` is the size from which sizes are printed, or None.
    """
    if type(event) is not dict:
        event = plain(event)
    size = request_size(event, smallest)
    trigger = UNKNOWN
    if type(event) is not dict or not FIELDS.isdisjoint(event):
        try:
            parts = context_parts(event)
        except Exception:  # noqa: BLE001 - an event may be anything, with any behaviour
            parts = None
        if parts is not None:
            step = step_of(parts)
            parent = None if step is None else step.trace_context()
            return EventSummary(of_state_machine(step), size, step, parent)
        trigger = read_trigger(event)
    carrier = event
    if trigger is UNKNOWN:
        carrier = getattr(context, "client_context", None)
        if carrier is None:
            return _OWN if size is None else EventSummary(trigger, size)
        carrier = getattr(carrier, "custom", None)
    from monitoring.instrumentation.propagation import contexts_of

    return EventSummary(trigger, size, None, *contexts_of(carrier, trigger.name))
