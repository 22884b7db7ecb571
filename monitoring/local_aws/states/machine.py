"""A definition as the interpreter walks it."""

from dataclasses import dataclass
from typing import Any

JSONATA = "JSONata"


@dataclass(frozen=True, slots=True)
class StateDefinition:
    """One state: its name, its fields, whether it is written in JSONata, and the machines within it."""

    name: str
    type: str
    fields: dict[str, Any]
    jsonata: bool
    branches: tuple["Machine", ...] = ()
    processor: "Machine | None" = None

    @property
    def next(self) -> str | None:
        """Return the name of the next state; None at the end."""
        return self.fields.get("Next")

    @property
    def distributed(self) -> bool:
        """Return whether it is a Map in distributed mode."""
        config = self.iterator.get("ProcessorConfig") or {}
        return bool(config.get("Mode") == "DISTRIBUTED")

    @property
    def iterator(self) -> dict[str, Any]:
        """Return the ItemProcessor of a Map, or its older name Iterator."""
        definition: dict[str, Any] = self.fields.get("ItemProcessor") or self.fields.get("Iterator") or {}
        return definition


@dataclass(frozen=True, slots=True)
class Machine:
    """The states of a state machine, a branch or an item processor."""

    start_at: str
    states: dict[str, StateDefinition]
    timeout: float | None = None


def build_machine(definition: dict[str, Any], language: str = "JSONPath") -> Machine:
    """Return the machine of a definition that has been validated."""
    language = definition.get("QueryLanguage", language)
    states = {name: _state(name, fields, language) for name, fields in definition["States"].items()}
    return Machine(definition["StartAt"], states, definition.get("TimeoutSeconds"))


def _state(name: str, fields: dict[str, Any], language: str) -> StateDefinition:
    own = fields.get("QueryLanguage", language)
    branches = tuple(build_machine(branch, language) for branch in fields.get("Branches", ()))
    iterator = fields.get("ItemProcessor") or fields.get("Iterator")
    return StateDefinition(
        name,
        fields["Type"],
        fields,
        own == JSONATA,
        branches,
        build_machine(iterator, language) if iterator else None,
    )
