"""The result of a drill on the graph: which fault was brought about at which state, and who noticed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.graph.definition import Node, StateGraph
from monitoring.graph.notes import Note


def drill_notes(report: Mapping[str, Any], graph: StateGraph) -> dict[str, list[Note]]:
    """Return the faults of a drill by the state that they hit; those of the whole machine are at its start.

    Args:
        report: what `stepscope drill --from TEMPLATE --json` has printed.
        graph: of the state machine that was drilled.
    """
    notes: dict[str, list[Note]] = {}
    faults = report.get("faults")
    for row in faults if isinstance(faults, list) else ():
        if not isinstance(row, Mapping):
            continue
        target, kind = str(row.get("target") or ""), str(row.get("name") or "").rpartition("/")[2]
        whole = target == row.get("machine")
        states = [node.name for node in graph.walk() if not whole and _hits(target, node)]
        noticed = row.get("noticed_by") or []
        shown = _noticed(kind, noticed if isinstance(noticed, list) else [], row.get("minutes"))
        for state in states or ([graph.start] if graph.start else []):
            words = shown.text if states else f"{target} {shown.text}"
            notes.setdefault(state, []).append(Note(words, shown.tone))
    return notes


def _noticed(kind: str, by: Sequence[Any], minutes: Any) -> Note:
    if not by:
        return Note(f"{kind}: nobody notices", "bad")
    after = f", {minutes:.0f} min" if isinstance(minutes, int | float) else ""
    more = f" +{len(by) - 1}" if len(by) > 1 else ""
    return Note(f"{kind}: {by[0]}{more}{after}", "good")


def _hits(target: str, node: Node) -> bool:
    """Return whether a task uses a resource: `PayFunction` is `shop-pay-prod`, `Pay` is not `payroll`."""
    wanted = "".join(_words(target)).removesuffix("function")
    words = _words(node.detail)
    runs = ("".join(words[at:end]) for at in range(len(words)) for end in range(at + 1, len(words) + 1))
    return node.type == "Task" and wanted in {run.removesuffix("function") for run in runs} - {""}


def _words(text: str) -> list[str]:
    """Return the words of a name: `PayFunction` and `pay-function` have the same."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)]
