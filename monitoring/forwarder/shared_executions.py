"""Share the events of executions that span payloads between execution environments, in a DynamoDB table.

Each payload appends its events of an execution to the execution's item, and gets the events that were
appended before. DynamoDB orders the appends to an item, so every run is completed by exactly one payload: the
one with its last missing event. A payload that is delivered again gets the same earlier events as before.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from monitoring.forwarder.aws import Clients, error_code
from monitoring.log_events.step_events import StepEvent

_SECONDS = 7 * 86_400
"""How long the events of an execution are kept after its last payload."""
_KEPT = ("name", "error", "cause", "resource", "resourceType", "index", "state", "redriveCount", "context")
"""The details that a timeline or its spans need; `context` is the trace context of an input."""
_TEXT = 5_000  # characters of a detail, as many as in a span's tag

_APPEND = {
    "UpdateExpression": (
        "SET #log = list_append(if_not_exists(#log, :none), :own), #until = :until ADD #names :name"
    ),
    "ConditionExpression": "NOT contains(#names, :text)",
    "ExpressionAttributeNames": {"#log": "log", "#names": "payloads", "#until": "expiration"},
    "ReturnValues": "ALL_OLD",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}


class SharedExecutions:
    """Append events to executions, and read the events that were appended before.

    Args:
        table: its key is `id`, its time-to-live attribute `expiration`, as of the digests' table.
        clients: returns the boto3 client of a service.
        clock: returns seconds since the epoch.

    Attributes:
        failures: the number of failed calls.
    """

    def __init__(self, table: str, clients: Clients, clock: Callable[[], float] = time.time) -> None:
        self._table, self._clients, self._clock = table, clients, clock
        self.failures = 0

    def append(self, events: Sequence[StepEvent]) -> list[StepEvent] | None:
        """Append a payload's events of an execution.

        Returns:
            The earlier events, in the order in which they were appended; None if the table cannot be reached
            or the item is full (400 kB): the caller then uses the events of this process.
        """
        execution, name = events[0].execution, _name(events)
        entry = {"M": {"n": {"S": name}, "e": {"B": packed(events)}}}
        values = {
            ":none": {"L": []},
            ":own": {"L": [entry]},
            ":until": {"N": str(int(self._clock()) + _SECONDS)},
            ":name": {"SS": [name]},
            ":text": {"S": name},
        }
        key = {"id": {"S": f"stepscope.execution#{execution}"}}
        try:
            response = self._clients("dynamodb").update_item(
                TableName=self._table, Key=key, ExpressionAttributeValues=values, **_APPEND
            )
            parts = _parts(response.get("Attributes"))
        except Exception as error:  # noqa: BLE001 - telemetry is sent without the table, too
            item = _item_of(error)
            if item is None:
                self.failures += 1
                return None
            parts = _parts(item)
        earlier: list[StepEvent] = []
        for part, content in parts:
            if part == name:
                break
            earlier += unpacked(execution, content)
        return earlier


def _name(events: Sequence[StepEvent]) -> str:
    """Return a name of the events, derived from their ids and so equal at each delivery."""
    text = ",".join(str(event.id) for event in events)
    return f"{events[0].id}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _item_of(error: Exception) -> dict[str, Any] | None:
    """Return the item if it has the payload already, or None if the call failed for another reason."""
    if error_code(error) != "ConditionalCheckFailedException":
        return None
    item: dict[str, Any] | None = error.response.get("Item")  # type: ignore[attr-defined]
    return item


def _parts(item: dict[str, Any] | None) -> list[tuple[str, bytes]]:
    parts = [part["M"] for part in (item or {}).get("log", {}).get("L", ())]
    return [(part["n"]["S"], bytes(part["e"]["B"])) for part in parts]


def packed(events: Sequence[StepEvent]) -> bytes:
    """Encode the fields of the events that a timeline needs as compressed JSON."""
    rows = [
        [event.id, event.type, event.time, event.previous, event.redrive, _details(event)] for event in events
    ]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode("utf-8", "surrogatepass"), 6)


def _details(event: StepEvent) -> dict[str, Any]:
    details = {key: event.details[key] for key in _KEPT if key in event.details}
    return {key: value[:_TEXT] if isinstance(value, str) else value for key, value in details.items()}


def unpacked(execution: str, content: bytes) -> list[StepEvent]:
    """Decode the events that `packed` has encoded."""
    rows = json.loads(zlib.decompress(content).decode("utf-8", "surrogatepass"))
    return [
        StepEvent(execution, number, kind, when, previous, details, redrive)
        for number, kind, when, previous, redrive, details in rows
    ]
