"""Derive a graph from executions, for a state machine whose definition is not available."""

import itertools
from collections.abc import Iterable, Sequence

from monitoring.graph.definition import Edge, Node, StateGraph
from monitoring.log_events.timeline import Run

COMMENT = "drawn from executions: paths that none has taken are not on it"


def observed_graph(roots: Iterable[Run]) -> StateGraph:
    """Return the graph of the states that executions entered, with an edge for each observed transition.

    States inside a Parallel have no edges, because runs do not record their branch.
    """
    runs = [run for root in roots for run in (root, *_redrives(root))]
    return _graph([_states(run) for run in runs], COMMENT)


def _redrives(root: Run) -> list[Run]:
    return [run for run in root.children if run.kind == "execution"]


def _states(run: Run) -> list[Run]:
    """Return the states directly inside a run, in the order of their start."""
    states = [child for child in run.children if child.kind == "state"]
    return sorted(states, key=lambda state: (state.start or state.end or 0, state.event))


def _graph(sequences: Sequence[Sequence[Run]], comment: str = "") -> StateGraph:
    by_name: dict[str, list[Run]] = {}
    edges: dict[tuple[str, str], Edge] = {}
    last: set[str] = set()
    for sequence in sequences:
        for state in sequence:
            by_name.setdefault(state.name, []).append(state)
        for before, after in itertools.pairwise(sequence):
            pair = (before.name, after.name)
            edges.setdefault(pair, Edge(*pair, *(("catch", before.error) if before.caught else ())))
        if sequence and sequence[-1].status == "succeeded":
            last.add(sequence[-1].name)
    nodes = tuple(_node(name, states, ends=name in last) for name, states in by_name.items())
    return StateGraph(next(iter(by_name), ""), nodes, tuple(edges.values()), comment)


def _node(name: str, states: Sequence[Run], *, ends: bool) -> Node:
    kind = next((state.type for state in states if state.type), "")
    attempts = (run.resource for state in states for run in (state, *state.children) if run.resource)
    return Node(name, kind, next(attempts, ""), ends, _inner(states))


def _inner(states: Sequence[Run]) -> tuple[StateGraph, ...]:
    iterations = [run for state in states for run in state.children if run.kind == "iteration"]
    sequences = [_states(run) for run in iterations]
    branches = [[inner] for state in states for inner in _states(state)]
    graph = _graph([*sequences, *branches])
    return (graph,) if graph.nodes else ()
