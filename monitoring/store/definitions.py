"""Definitions of state machines beside their telemetry, so that pages can draw them."""

from collections.abc import Mapping
from typing import Any

from monitoring.store import Store

KIND = "state_machine"


def record_definition(store: Store, name: str, definition: Mapping[str, Any]) -> None:
    """Keep the definition of a state machine by its name; an unchanged one is not written again."""
    body = {"name": name, "definition": dict(definition)}
    if store.documents.get(KIND, name) != body:
        store.documents.put(KIND, name, body)


def recorded_definition(store: Store, name: str) -> Mapping[str, Any] | None:
    """Return the definition of the state machine of that name, or None."""
    definition = (store.documents.get(KIND, name) or {}).get("definition")
    return definition if isinstance(definition, dict) else None


def recorded_names(store: Store) -> list[str]:
    """Return the names of the state machines whose definitions are kept."""
    return sorted(str(body["name"]) for body in store.documents.all(KIND))
