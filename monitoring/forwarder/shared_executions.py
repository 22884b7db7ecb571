"""The events of executions that span payloads, in a DynamoDB table: any environment has both ends of a state.

Each payload appends its events of an execution to the item of that execution, and gets what was appended
before. DynamoDB orders the appends of one item, so every run is completed by exactly one payload: the one
whose events were missing. A payload that comes again is told what stood before it the first time.
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
"""The details that a timeline or the spans of it need; `context` is the span that an input names."""
_TEXT = 5_000  # characters: what a span shows of a cause

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
    """Appends events to executions, and reads what was appended before.

    Args:
        table: a table with the key `id` and the time to live `expiration`, such as that of the digests.
        clients: gives boto3 clients.
        clock: seconds since the epoch.

    Attributes:
        failures: calls that failed, so far.
    """

    def __init__(self, table: str, clients: Clients, clock: Callable[[], float] = time.time) -> None:
        self._table, self._clients, self._clock = table, clients, clock
        self.failures = 0

    def append(self, events: Sequence[StepEvent]) -> list[StepEvent] | None:
        """Append the events that one payload has of one execution.

        Returns:
            The events that stood before them, in the order in which they were appended; None where the table
            cannot be reached or the item is full (400 kB): the process's own memory has to do.
        """
        execution, name = events[0].execution, _name(events)
        own = {"M": {"n": {"S": name}, "e": {"B": packed(events)}}}
        values = {
            ":none": {"L": []},
            ":own": {"L": [own]},
            ":until": {"N": str(int(self._clock()) + _SECONDS)},
            ":name": {"SS": [name]},
            ":text": {"S": name},
        }
        key = {"id": {"S": f"stepscope.execution#{execution}"}}
        try:
            answer = self._clients("dynamodb").update_item(
                TableName=self._table, Key=key, ExpressionAttributeValues=values, **_APPEND
            )
            parts = _parts(answer.get("Attributes"))
        except Exception as error:  # noqa: BLE001 - telemetry is not held back for the table
            item = _item_of(error)
            if item is None:
                self.failures += 1
                return None
            parts = _parts(item)
        before: list[StepEvent] = []
        for part, content in parts:
            if part == name:
                break
            before += unpacked(execution, content)
        return before


def _name(events: Sequence[StepEvent]) -> str:
    """Name the events by their ids, equally at each delivery."""
    text = ",".join(str(event.id) for event in events)
    return f"{events[0].id}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _item_of(error: Exception) -> dict[str, Any] | None:
    """Return the item that has the payload already, or None where the call failed for another reason."""
    if error_code(error) != "ConditionalCheckFailedException":
        return None
    item: dict[str, Any] | None = error.response.get("Item")  # type: ignore[attr-defined]
    return item


def _parts(item: dict[str, Any] | None) -> list[tuple[str, bytes]]:
    parts = [part["M"] for part in (item or {}).get("log", {}).get("L", ())]
    return [(part["n"]["S"], bytes(part["e"]["B"])) for part in parts]


def packed(events: Sequence[StepEvent]) -> bytes:
    """Return what a timeline needs of the events, compressed."""
    rows = [
        [event.id, event.type, event.time, event.previous, event.redrive, _details(event)] for event in events
    ]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode("utf-8", "surrogatepass"), 6)


def _details(event: StepEvent) -> dict[str, Any]:
    details = {key: event.details[key] for key in _KEPT if key in event.details}
    return {key: value[:_TEXT] if isinstance(value, str) else value for key, value in details.items()}


def unpacked(execution: str, content: bytes) -> list[StepEvent]:
    """Return the events that `packed` made the content of."""
    rows = json.loads(zlib.decompress(content).decode("utf-8", "surrogatepass"))
    return [
        StepEvent(execution, number, kind, when, previous, details, redrive)
        for number, kind, when, previous, redrive, details in rows
    ]
