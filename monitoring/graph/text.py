"""Print a state machine as text for a terminal: its states from the start, and their transitions."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from monitoring.graph.definition import MISSING, Node, StateGraph
from monitoring.graph.figures import Figures
from monitoring.graph.notes import Notes

_ARROWS = {"next": "→", "choice": "?", "default": "?", "catch": "!"}
_MARKS = {"failed": "✗", "running": "…", "caught": "!", "succeeded": "✓"}
_TONES = {"": "·", "good": "✓", "warning": "!", "bad": "✗"}
_CHANGES = {"added": "+", "removed": "-", "changed": "~"}


def as_text(
    graph: StateGraph,
    figures: Figures | None = None,
    changes: Mapping[str, str] | None = None,
    notes: Notes | None = None,
) -> str:
    """Return the graph as text: a line for each state with its type and detail, then its transitions.

    Args:
        graph: the graph to print.
        figures: figures of executions.
        changes: state -> added, removed or changed.
        notes: notes on states.
    """
    return "\n".join(_lines(graph, _Shown(figures, changes or {}, notes or {}), "")) + "\n"


class _Shown(NamedTuple):
    figures: Figures | None
    changes: Mapping[str, str]
    notes: Notes


def _lines(graph: StateGraph, shown: _Shown, indent: str) -> Iterator[str]:
    figures = shown.figures
    for node in _in_order(graph):
        yield indent + _head(node, figures, shown.changes, first=node.name == graph.start)
        for note in shown.notes.get(node.name, ()):
            yield f"{indent}    {_TONES[note.tone]} {note.text}"
        outgoing = [edge for edge in graph.edges if edge.source == node.name]
        for number, inner in enumerate(node.inner, 1):
            if len(node.inner) > 1:
                yield f"{indent}  │ branch {number}"
            yield from _lines(inner, shown, f"{indent}  │ ")
        for edge in outgoing:
            label = f"{edge.label} → " if edge.label else ""
            times = figures.followed.get((edge.source, edge.target)) if figures else None
            count = f"  ({times}×)" if times and figures and figures.executions > 1 else ""
            arrow = _ARROWS[edge.kind]
            yield f"{indent}  {arrow} {label}{edge.target}{count}"
        if node.ends:
            yield f"{indent}  ■ end"


def _head(node: Node, figures: Figures | None, changes: Mapping[str, str], *, first: bool) -> str:
    figure = figures.states.get(node.name) if figures else None
    mark = _MARKS[figure.status] if figure else "·" if figures else "●" if first else "○"
    if node.name in changes:
        mark = _CHANGES[changes[node.name]]
    if node.type == MISSING:
        mark = "✗"
    detail = f": {node.detail}" if node.detail else ""
    summary = figure.text(figures.executions) if figure and figures else ""
    errors = f"  {', '.join(figure.errors)}" if figure and figure.errors else ""
    return f"{mark} {node.name} ({node.type or 'no type'}{detail}){'  ' + summary if summary else ''}{errors}"


def _in_order(graph: StateGraph) -> list[Node]:
    """Return the states in breadth-first order from the start; unreachable states come last."""
    by_name = {node.name: node for node in graph.nodes}
    below: dict[str, list[str]] = {name: [] for name in by_name}
    for edge in graph.edges:
        below[edge.source].append(edge.target)
    reached: dict[str, None] = {}
    queue = [graph.start] if graph.start in by_name else []
    while queue:
        name = queue.pop(0)
        if name not in reached:
            reached[name] = None
            queue += below[name]
    return [by_name[name] for name in (*reached, *(name for name in by_name if name not in reached))]
