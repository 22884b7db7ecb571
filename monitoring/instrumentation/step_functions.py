"""Read the execution and the state of an invocation, and compute the ids of their spans.

The ids are those that Datadog computes, so that spans belong to the trace of the state machine. The context
object is searched in more fields than Datadog's layer does.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parts = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]

_sha256: Any = None
_LOW_BITS = {
    digit: f"{int(digit, 16) & 7:x}" for digit in "0123456789abcdef"
}  # hex digit -> without its highest bit
_ZERO, _ONE = "0" * 16, "1".zfill(16)
_ITEMS_SEARCHED = 10  # items of an event that is a list

FIELD = "_monitoring"
"""The field of a state machine that does not pass its whole context object. Its keys are `_FLAT` and
`RootExecutionId`, the first of several executions that have started one another."""

CONTEXT_FIELDS = ("Execution", "_datadog", "Payload", "BatchInput", "Items", FIELD)
"""An event without any of these keys has no context object."""
_CARRYING = frozenset(CONTEXT_FIELDS)

_FLAT = {
    "Execution": ("Execution", "Id"),
    "RedriveCount": ("Execution", "RedriveCount"),
    "StateMachine": ("StateMachine", "Name"),
    "State": ("State", "Name"),
    "EnteredTime": ("State", "EnteredTime"),
    "RetryCount": ("State", "RetryCount"),
    "Index": ("Map", "Index"),
}


class TraceContext:
    """A parent span: its ids are 16 hex digits, and `high` is the upper half of the trace id."""

    __slots__ = ("high", "priority", "span_id", "trace_id")

    def __init__(self, trace_id: str, high: str, span_id: str, priority: int = 1) -> None:
        self.trace_id, self.high, self.span_id, self.priority = trace_id, high, span_id, priority


class Identity:
    """The execution and the state of an invocation.

    `trace_id` and `parent_id` are 16 hex digits, `high` is the upper half of the trace id (`_dd.p.tid`).
    `map_index` is None outside a Map.
    """

    __slots__ = (
        "execution",
        "execution_id",
        "high",
        "map_index",
        "parent_id",
        "redrive_count",
        "retry_count",
        "state",
        "state_machine",
        "trace_id",
    )

    def __init__(self, parts: Parts) -> None:
        context, execution, machine, state = parts
        self.execution_id = str(execution.get("Id") or "")
        arn = self.execution_id.split(":")
        self.execution = str(execution.get("Name") or (arn[7] if len(arn) > 7 else ""))
        # The state machine's name: of the context, from its ARN, or from the ARN of the execution.
        name = machine.get("Name") or machine.get("Id") or (arn[6] if len(arn) > 6 else "")
        self.state_machine = str(name).split(":")[-1]
        self.state = str(state.get("Name") or "")
        self.retry_count = state.get("RetryCount") or 0
        self.redrive_count = execution.get("RedriveCount") or 0
        self.map_index = _map_index(context.get("Map"))
        self.trace_id, self.high = _trace(context, execution, self.execution_id)
        self.parent_id = self._parent(state.get("EnteredTime"))

    def trace_context(self) -> TraceContext:
        """Return the span of the state, which is the parent of the invocation's span."""
        return TraceContext(self.trace_id, self.high, self.parent_id)

    def _parent(self, entered: Any) -> str:
        """Return the id of the state's span; 0 if the entered time is missing."""
        if entered is None:
            return _ZERO
        counts = self.retry_count != 0 or self.redrive_count != 0
        suffix = f"#{self.retry_count}#{self.redrive_count}" if counts else ""
        return hashed(f"{self.execution_id}#{self.state}#{entered}{suffix}")[0]


def identity_of(event: Any) -> Identity | None:
    """Return the Step Functions identity of an event, or None. Never raises."""
    try:
        return step_of(context_parts(plain(event)))
    except Exception:  # noqa: BLE001 - an event may be anything
        return None


def step_of(parts: Parts | None) -> Identity | None:
    """Return the identity of a context object; None if it is missing or malformed. Never raises."""
    try:
        return None if parts is None else Identity(parts)
    except Exception:  # noqa: BLE001 - a context object may hold anything
        return None


def plain(event: Any) -> Any:
    """Return the event as Lambda delivered it, also from the classes of Powertools. Never raises."""
    if isinstance(event, (dict, list)):
        return event
    try:
        raw = getattr(event, "raw_event", None)
    except Exception:  # noqa: BLE001 - an event may be an object of any class
        return event
    return raw if isinstance(raw, dict) else event


def context_parts(event: Any) -> Parts | None:
    """Return the context object of an event with its Execution, StateMachine and State; None without one.

    It is the value of `_datadog`, the event itself, or the value of `stepscope`'s field, and each of these
    also in `Payload` or in the `BatchInput` of a Distributed Map; in a list, the first items are searched.
    """
    if isinstance(event, list):
        items = (_within(item) for item in event[:_ITEMS_SEARCHED] if isinstance(item, dict))
        return next((parts for parts in items if parts is not None), None)
    if not isinstance(event, dict):
        return None
    parts = _within(event)
    if parts is None and isinstance(batch := event.get("Items"), list):
        return context_parts(batch)
    return parts


def _within(event: dict[str, Any]) -> Parts | None:
    """Return the parts of the context object of an event, its payload or its batch input."""
    parts = _here(event)
    for field in () if parts else ("Payload", "BatchInput"):
        nested = event.get(field)
        if parts is None and isinstance(nested, dict):
            parts = _here(nested)
    return parts


def _here(level: dict[str, Any]) -> Parts | None:
    return _parts(level.get("_datadog")) or _parts(level) or _flat(level.get(FIELD))


def _parts(candidate: Any) -> Parts | None:
    return _parsed(candidate, candidate.get("Execution")) if isinstance(candidate, dict) else None


def _parsed(candidate: dict[str, Any], execution: Any) -> Parts | None:
    """Return a context object and its parts, or None if the candidate is not one."""
    if not isinstance(execution, dict):
        return None
    machine, state = candidate.get("StateMachine"), candidate.get("State")
    if not isinstance(machine, dict) or not isinstance(state, dict):
        return None
    return candidate, execution, machine, state


def _flat(field: Any) -> Parts | None:
    """Return a context object made from the flat field, which may also be a whole context object."""
    if not isinstance(field, dict):
        return None
    execution = field.get("Execution")
    if not isinstance(execution, str):
        return _parsed(field, execution)
    context: dict[str, dict[str, Any]] = {
        "Execution": {"Id": execution},
        "StateMachine": {},
        "State": {},
        "Map": {},
    }
    for key, (group, name) in _FLAT.items():
        value = None if key == "Execution" else field.get(key)
        if value is not None:
            context[group][name] = value
    root = field.get("RootExecutionId")
    named = {"RootExecutionId": root, "serverless-version": "v1"} if root is not None else {}
    return _parts({**context, **named})


def _map_index(mapped: Any) -> int | None:
    if not isinstance(mapped, dict):
        return None
    item = mapped.get("Item")
    index = item.get("Index") if isinstance(item, dict) else mapped.get("Index")
    return index if isinstance(index, int) else None


def _trace(context: Any, execution: Any, execution_id: str) -> tuple[str, str]:
    """Return the trace id (16 hex digits) and its upper half: of the context or the input, or hashed from the
    execution."""
    ids = trace_named(context) if context.get("serverless-version") == "v1" else None
    if ids is None:
        ids = _trace_of_input(execution.get("Input"))
    return ids or _trace_of_execution(execution_id)


def _trace_of_input(value: Any) -> tuple[str, str] | None:
    """Return the trace of an execution's input, also if several executions have started one another."""
    if not isinstance(value, dict) or _CARRYING.isdisjoint(value):
        return None  # most inputs
    ids = trace_named(carried_by(value))
    if ids is not None:
        return ids
    parts = context_parts(value)
    if parts is None:
        return None
    context, execution, _, _ = parts
    return _trace(context, execution, str(execution.get("Id") or ""))


def carried_by(value: Any) -> dict[str, Any] | None:
    """Return the value of `_datadog` of an execution's input, or of the `BatchInput` of its items."""
    if not isinstance(value, dict):
        return None
    carried = value.get("_datadog")
    if carried is None and isinstance(batch := value.get("BatchInput"), dict):
        carried = batch.get("_datadog")
    return carried if isinstance(carried, dict) else None


def trace_named(carried: dict[str, Any] | None) -> tuple[str, str] | None:
    """Return the trace of Datadog's headers, or of the execution in `RootExecutionId`."""
    if carried is None:
        return None
    ids = _trace_of_headers(carried)
    root = carried.get("RootExecutionId")
    return _trace_of_execution(root) if ids is None and isinstance(root, str) and root else ids


def _trace_of_execution(execution_id: str) -> tuple[str, str]:
    high, low = hashed(execution_id)
    return low, high.lstrip("0")


def _trace_of_headers(headers: Any) -> tuple[str, str] | None:
    """Return the trace id of Datadog's headers, where it is decimal, and the upper half of their tags."""
    if not isinstance(headers, dict):
        return None
    try:
        low = int(headers["x-datadog-trace-id"]) & ((1 << 64) - 1)
    except (KeyError, ValueError, TypeError):
        return None
    if not low:
        return None
    tags = str(headers.get("x-datadog-tags") or "").split(",")
    high = next((tag.partition("=")[2] for tag in tags if tag.strip().startswith("_dd.p.tid=")), "")
    return None if high.strip("0123456789abcdef") else (f"{low:016x}", high)


def hashed(text: str) -> tuple[str, str]:
    """Return the two halves of the SHA-256 of a text as ids: 63 bits of each, never 0."""
    global _sha256  # noqa: PLW0603
    if _sha256 is None:  # imported here because only state machines need it
        from hashlib import sha256

        _sha256 = sha256
    digits = _sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    high, low = _LOW_BITS[digits[0]] + digits[1:16], _LOW_BITS[digits[16]] + digits[17:32]
    return (_ONE if high == _ZERO else high), (_ONE if low == _ZERO else low)
