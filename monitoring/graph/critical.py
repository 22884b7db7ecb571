"""Compute the critical path of an execution: the states that determine its duration."""

from collections.abc import Collection
from dataclasses import dataclass

from monitoring.graph.definition import StateGraph
from monitoring.log_events.timeline import Run


@dataclass(frozen=True, slots=True)
class CriticalStep:
    """A state on the critical path: duration in milliseconds, share of the execution's duration (0 to 1)."""

    name: str
    duration: int
    share: float


def critical_path(root: Run, graph: StateGraph | None = None) -> list[CriticalStep]:
    """Return the states on the critical path of a finished execution, in order of time.

    The path is computed from the end: the run that ended last, then the run that ended last before that one
    started, and so on, also inside each run. Of a Parallel or Map, only the branches or iterations that the
    execution waited for are on the path. Map and Parallel themselves are not.

    Args:
        root: the execution; times in milliseconds.
        graph: its definition, which gives the order of the states inside a Parallel.
    """
    pairs = {(edge.source, edge.target) for edge in graph.all_edges()} if graph else set()
    total = max(1, root.duration or 0)
    return [
        CriticalStep(run.name, run.duration or 0, (run.duration or 0) / total) for run in _path(root, pairs)
    ]


def _path(run: Run, pairs: Collection[tuple[str, str]]) -> list[Run]:
    inner = [child for child in run.children if child.kind != "attempt" and child.duration is not None]
    if not inner:
        return [run] if run.kind == "state" else []
    chain: list[Run] = []
    candidates = inner
    while candidates:
        last = max(candidates, key=lambda child: (child.end or 0, child.start or 0, child.event))
        chain.append(last)
        inner = [child for child in inner if child is not last]
        candidates = [child for child in inner if _before(child, last, pairs)]
    return [step for part in reversed(chain) for step in _path(part, pairs)]


def _before(child: Run, later: Run, pairs: Collection[tuple[str, str]]) -> bool:
    """Return whether a run ended before another started and, if there is a graph, has an edge to it."""
    if (child.end or 0) > (later.start or 0):
        return False
    return child.kind != "state" or not pairs or (child.name, later.name) in pairs
