"""Compare two definitions: the states that were added, removed and changed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.graph.definition import StateGraph, read_graph


@dataclass(frozen=True, slots=True)
class Difference:
    """The names of added, removed and changed states, with the changed fields of each."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]

    @property
    def empty(self) -> bool:
        """Return whether nothing changed."""
        return not (self.added or self.removed or self.changed)

    def marks(self) -> dict[str, str]:
        """Return state -> `added`, `removed` or `changed`."""
        return {
            **dict.fromkeys(self.added, "added"),
            **dict.fromkeys(self.removed, "removed"),
            **dict.fromkeys(self.changed, "changed"),
        }

    def lines(self) -> list[str]:
        """Return the difference as lines of text."""
        return [
            *(f"+ {name}" for name in self.added),
            *(f"- {name}" for name in self.removed),
            *(f"~ {name}: {', '.join(fields)}" for name, fields in self.changed.items()),
        ]


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """Return the difference between an older and a newer definition."""
    old, new = dict(_states(before)), dict(_states(after))
    changed = {
        name: tuple(_fields(old[name], new[name])) for name in new if name in old and old[name] != new[name]
    }
    return Difference(
        tuple(name for name in new if name not in old),
        tuple(name for name in old if name not in new),
        changed,
    )


def merged(before: Mapping[str, Any], after: Mapping[str, Any]) -> StateGraph:
    """Return the graph of the newer definition, with removed states added on its top level."""
    graph = read_graph(after)
    removed = set(difference(before, after).removed)
    older = [node for node in read_graph(before).walk() if node.name in removed]
    return StateGraph(graph.start, (*graph.nodes, *older), graph.edges, graph.comment)


_INNER = ("Branches", "ItemProcessor", "Iterator")


def _states(definition: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each state with its fields as JSON text; the states inside it are yielded separately."""
    states = definition.get("States")
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, Mapping):
            continue
        yield (
            str(name),
            {key: json.dumps(value, sort_keys=True) for key, value in state.items() if key not in _INNER},
        )
        branches = state.get("Branches")
        inner = [
            *(branches if isinstance(branches, list) else ()),
            state.get("ItemProcessor"),
            state.get("Iterator"),
        ]
        for part in inner:
            if isinstance(part, Mapping):
                yield from _states(part)


def _fields(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
