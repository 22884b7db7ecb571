"""Store the definitions of state machines, so that the pages can draw them."""

from collections.abc import Mapping
from typing import Any

from monitoring.store import Store

KIND = "state_machine"


def record_definition(store: Store, name: str, definition: Mapping[str, Any]) -> None:
    """Store the definition of a state machine under its name; an unchanged one is not written again."""
    body = {"name": name, "definition": dict(definition)}
    if store.documents.get(KIND, name) != body:
        store.documents.put(KIND, name, body)


def recorded_definition(store: Store, name: str) -> Mapping[str, Any] | None:
    """Return the definition of the state machine of that name, or None."""
    definition = (store.documents.get(KIND, name) or {}).get("definition")
    return definition if isinstance(definition, dict) else None


def recorded_names(store: Store) -> list[str]:
    """Return the names of the state machines whose definitions are stored."""
    return sorted(str(body["name"]) for body in store.documents.all(KIND))
