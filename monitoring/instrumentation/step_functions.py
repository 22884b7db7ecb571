"""Step Functions identity: the execution and state that a call belongs to, and the ids that join their trace.

The ids are computed as Datadog computes them, so that our spans hang in the trace of the state machine; the
context object is found in more places than Datadog's own layer looks.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_sha256: Any = None
_LOW_63 = (1 << 63) - 1
_ITEMS_SEARCHED = 10  # of an event that is a list

FIELD = "_monitoring"
"""The field that a state machine passes where it does not pass its whole context object; keys: `_FLAT`."""

CONTEXT_FIELDS = ("Execution", "_datadog", "Payload", FIELD)
"""An event that has none of these has no context object."""

_FLAT = {
    "Execution": ("Execution", "Id"),
    "RedriveCount": ("Execution", "RedriveCount"),
    "StateMachine": ("StateMachine", "Name"),
    "State": ("State", "Name"),
    "EnteredTime": ("State", "EnteredTime"),
    "RetryCount": ("State", "RetryCount"),
    "Index": ("Map", "Index"),
}


class Identity:
    """The place of a call in a state machine.

    `trace_id` and `parent_id` as 16 hex digits, `high` the upper half as
    Datadog writes it (`_dd.p.tid`). `map_index` is None outside a Map.
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

    def __init__(self, found: Any) -> None:
        execution, state = found["Execution"], found["State"]
        self.execution_id = str(execution.get("Id") or "")
        arn = self.execution_id.split(":")
        self.execution = str(execution.get("Name") or (arn[7] if len(arn) > 7 else ""))
        self.state_machine = machine_name(found)
        self.state = str(state.get("Name") or "")
        self.retry_count = state.get("RetryCount") or 0
        self.redrive_count = execution.get("RedriveCount") or 0
        self.map_index = _map_index(found)
        self.trace_id, self.high = _trace(found, execution, self.execution_id)
        self.parent_id = self._parent(state.get("EnteredTime"))

    def _parent(self, entered: Any) -> str:
        """The id of the state's span; 0 where the state machine did not pass the time it was entered."""
        if entered is None:
            return "0" * 16
        counts = self.retry_count != 0 or self.redrive_count != 0
        suffix = f"#{self.retry_count}#{self.redrive_count}" if counts else ""
        return f"{_halves(f'{self.execution_id}#{self.state}#{entered}{suffix}')[0]:016x}"


def machine_name(found: Any) -> str:
    """The state machine's name: its own, or from its ARN, or from that of the execution."""
    machine, arn = found["StateMachine"], str(found["Execution"].get("Id") or "").split(":")
    named = machine.get("Name") or machine.get("Id") or (arn[6] if len(arn) > 6 else "")
    return str(named).split(":")[-1]


def identity_of(event: Any) -> Identity | None:
    """The Step Functions identity that an event carries, or None. Never raises."""
    try:
        found = context_object(plain(event))
        return None if found is None else Identity(found)
    except Exception:  # noqa: BLE001 - an event may be anything
        return None


def plain(event: Any) -> Any:
    """The event as Lambda delivered it: Powertools' data classes hold it as `raw_event`. Never raises."""
    if isinstance(event, (dict, list)):
        return event
    try:
        raw = getattr(event, "raw_event", None)
    except Exception:  # noqa: BLE001 - an event may be anything, with any behaviour
        return event
    return raw if isinstance(raw, dict) else event


def context_object(event: Any) -> Any:
    """The context object within an event, or None: `_datadog`, `Payload`, the event itself, or our own field.

    An event that is a list is searched in its first items.
    """
    if isinstance(event, list):
        found = (context_object(item) for item in event[:_ITEMS_SEARCHED] if isinstance(item, dict))
        return next((one for one in found if one is not None), None)
    if not isinstance(event, dict):
        return None
    payload = event.get("Payload")
    for holder in (event, payload):
        if isinstance(holder, dict):
            for candidate in (holder.get("_datadog"), holder):
                if _is_context(candidate):
                    return candidate
    return _flat(event.get(FIELD))


def _is_context(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and "Execution" in found
        and isinstance(found["Execution"], dict)
        and isinstance(found.get("StateMachine"), dict)
        and isinstance(found.get("State"), dict)
    )


def _flat(given: Any) -> Any:
    """A context object made of our own field, which may also hold the whole one."""
    if not isinstance(given, dict):
        return None
    if _is_context(given):
        return given
    if not isinstance(given.get("Execution"), str):
        return None
    found: dict[str, dict[str, Any]] = {"Execution": {}, "StateMachine": {}, "State": {}, "Map": {}}
    for key, (group, name) in _FLAT.items():
        if given.get(key) is not None:
            found[group][name] = given[key]
    return found


def _map_index(found: Any) -> int | None:
    mapped = found.get("Map")
    if not isinstance(mapped, dict):
        return None
    item = mapped.get("Item")
    index = item.get("Index") if isinstance(item, dict) else mapped.get("Index")
    return index if isinstance(index, int) else None


def _trace(found: Any, execution: Any, execution_id: str) -> tuple[str, str]:
    """The trace id (16 hex digits) and its upper half: given, or hashed from the execution."""
    if found.get("serverless-version") == "v1":
        given = _given_trace(found)
        root = found.get("RootExecutionId") or execution_id
    else:
        started_with = execution.get("Input")
        given = _given_trace(started_with.get("_datadog")) if isinstance(started_with, dict) else None
        root = execution_id
    if given is not None:
        return given
    high, low = _halves(str(root))
    return f"{low:016x}", f"{high:x}"


def _given_trace(headers: Any) -> tuple[str, str] | None:
    """The trace id of Datadog's headers, decimal, and the upper half from their tags."""
    if not isinstance(headers, dict):
        return None
    try:
        low = int(headers["x-datadog-trace-id"]) & ((1 << 64) - 1)
    except (KeyError, ValueError, TypeError):
        return None
    tags = str(headers.get("x-datadog-tags") or "").split(",")
    high = next((tag.partition("=")[2] for tag in tags if tag.strip().startswith("_dd.p.tid=")), "")
    return f"{low:016x}", high


def _halves(text: str) -> tuple[int, int]:
    """The two halves of the SHA-256 of a text, 63 bits each, never 0."""
    global _sha256  # noqa: PLW0603
    if _sha256 is None:  # the runtime client has not loaded it, and only state machines need it
        from hashlib import sha256

        _sha256 = sha256
    digest = _sha256(text.encode("utf-8", "surrogatepass")).digest()
    high = int.from_bytes(digest[0:8], "big") & _LOW_63
    low = int.from_bytes(digest[8:16], "big") & _LOW_63
    return high or 1, low or 1
