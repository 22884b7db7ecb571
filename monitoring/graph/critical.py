"""The critical path of an execution: the states without which it would have ended earlier."""

from collections.abc import Collection
from dataclasses import dataclass

from monitoring.graph.definition import StateGraph
from monitoring.log_events.timeline import Run


@dataclass(frozen=True, slots=True)
class CriticalStep:
    """A state on the critical path, without states inside it; `share` of the execution's duration, 0 to 1."""

    name: str
    duration: int
    share: float


def critical_path(root: Run, graph: StateGraph | None = None) -> list[CriticalStep]:
    """Return the states on the critical path of an execution that has ended, in the order of time.

    It is walked back from the end: the run that ended last, then the one that ended last before that one
    began, and inside each likewise. So of the branches of a Parallel and the iterations of a Map those count
    that the execution waited for.

    Args:
        root: the execution; times in milliseconds.
        graph: its definition, which says of the states of a Parallel which follow one another.
    """
    pairs = {(edge.source, edge.target) for edge in graph.all_edges()} if graph else set()
    whole = max(1, root.duration or 0)
    return [
        CriticalStep(run.name, run.duration or 0, (run.duration or 0) / whole) for run in _path(root, pairs)
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
    """Return whether a run ended before another began and, where the definition says so, leads to it."""
    if (child.end or 0) > (later.start or 0):
        return False
    return child.kind != "state" or not pairs or (child.name, later.name) in pairs
