"""Show the result of a drill on a graph: the faults of each state, and the monitors that detected them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.discovery.templates import load_value
from monitoring.errors import InputError
from monitoring.graph.definition import Node, StateGraph
from monitoring.graph.notes import Note

Report = Mapping[str, Any]
"""The output of `stepscope drill --from TEMPLATE --json`."""


class DrilledFault(NamedTuple):
    """Describe a fault of a drill.

    Attributes:
        kind: the kind of fault, such as raises, times-out or stuck.
        target: the broken function, resource or state machine.
        states: the states that use it; empty for the state machine itself or an unknown resource.
        noticed_by: the monitors that detected it, the fastest first.
        minutes: the time until the first detection.
    """

    kind: str
    target: str
    states: tuple[str, ...]
    noticed_by: tuple[str, ...]
    minutes: float | None


def read_report(path: Path) -> Report:
    """Read the result of a drill.

    Raises:
        InputError: the file cannot be read, or is not the result of a drill of an application.
    """
    report = load_value(path)
    if not isinstance(report, dict) or not isinstance(report.get("faults"), list):
        hint = "Write one: stepscope drill --from TEMPLATE --json > FILE."
        raise InputError("is not the result of a drill", where=str(path), hint=hint)
    return report


def of_machine(report: Report, names: Iterable[str]) -> Report:
    """Return the report with the faults of one state machine: `Orders` matches `shop-Orders-1A2B`.

    Args:
        report: the result of a drill.
        names: the names of the state machine: its name, its logical id.
    """
    machines = {str(row.get("machine") or "") for row in _rows(report)} - {""}
    named = [machine for machine in machines if any(_is_part(machine, name) for name in names)]
    chosen = max(named, key=len, default=None)  # `Orders` is part of `shop-OrdersRefund`, too
    rows = [row for row in _rows(report) if chosen is not None and row.get("machine") == chosen]
    return {**report, "faults": rows}


def of_states(report: Report, graph: StateGraph) -> Report:
    """Return the report with only those faults that affect a state of the graph."""
    return {**report, "faults": [row for row in _rows(report) if _fault(row, graph).states]}


def drilled_faults(report: Report, graph: StateGraph) -> list[DrilledFault]:
    """Return the faults of a drill with the affected states of the graph."""
    return [_fault(row, graph) for row in _rows(report)]


def drill_notes(report: Report, graph: StateGraph) -> dict[str, list[Note]]:
    """Return the faults of a drill by affected state; faults of the whole machine are on its first state."""
    notes: dict[str, list[Note]] = {}
    for fault in drilled_faults(report, graph):
        note = _noticed(fault)
        for state in fault.states or ([graph.start] if graph.start else []):
            text = note.text if fault.states else f"{fault.target} {note.text}"
            notes.setdefault(state, []).append(Note(text, note.tone))
    return notes


def _rows(report: Report) -> Iterator[Mapping[str, Any]]:
    faults = report.get("faults")
    yield from (row for row in (faults if isinstance(faults, list) else ()) if isinstance(row, Mapping))


def _fault(row: Mapping[str, Any], graph: StateGraph) -> DrilledFault:
    target, by, minutes = str(row.get("target") or ""), row.get("noticed_by"), row.get("minutes")
    is_machine = target == row.get("machine")
    states = dict.fromkeys(node.name for node in graph.walk() if not is_machine and _uses(target, node))
    return DrilledFault(
        str(row.get("name") or "").rpartition("/")[2],
        target,
        tuple(states),
        tuple(map(str, by)) if isinstance(by, list) else (),
        minutes if isinstance(minutes, int | float) else None,
    )


def _noticed(fault: DrilledFault) -> Note:
    by: Sequence[str] = fault.noticed_by
    if not by:
        return Note(f"{fault.kind}: nobody notices", "bad")
    after = "" if fault.minutes is None else f", {fault.minutes:.0f} min"
    more = f" +{len(by) - 1}" if len(by) > 1 else ""
    return Note(f"{fault.kind}: {by[0]}{more}{after}", "good")


def _uses(target: str, node: Node) -> bool:
    """Return whether a task uses a resource: `PayFunction` matches `shop-pay-prod`, `Pay` not `payroll`."""
    return node.type == "Task" and _is_part(target, node.detail)


def _is_part(name: str, of: str) -> bool:
    """Return whether the words of a name are consecutive in a longer name; a final `Function` is ignored."""
    compact, words = "".join(_words(name)).removesuffix("function"), _words(of)
    for at in range(len(words)):
        run = ""
        for word in words[at:]:
            run += word
            if run.removesuffix("function") == compact != "":
                return True
            if len(run) > len(compact) + len("function"):
                break
    return False


def _words(text: str) -> list[str]:
    """Return the words of a name in lower case: `PayFunction` and `pay-function` give the same."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)]
