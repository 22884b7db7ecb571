"""Read the trigger, state machine, trace context and size of an event when its invocation starts."""

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
    """The properties of an event that an invocation needs.

    `step` is None outside a state machine. `parent` is the parent span of the invocation's, or None; `links`
    are the other traces of a batch. `size` is in bytes of JSON, or None if it is not printed.
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


_OWN = EventSummary(UNKNOWN, None)  # shared by small events of unknown source


def read_event(event: Any, context: Any, smallest: int | None) -> EventSummary:
    """Read an event; without a known trigger, its trace context is read from the client context of `context`.

    `smallest` is the smallest size that is printed, in bytes; None to print no sizes.
    """
    if type(event) is not dict:
        event = plain(event)
    size = request_size(event, smallest)
    trigger = UNKNOWN
    if type(event) is not dict or not FIELDS.isdisjoint(event):
        try:
            parts = context_parts(event)
        except Exception:  # noqa: BLE001 - an event may be an object of any class
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
