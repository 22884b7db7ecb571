"""Notes of `stepscope graph` on states: figures, comparisons, costs, and the results of a drill."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from monitoring.errors import InputError

if TYPE_CHECKING:
    from monitoring.graph import Look, Note, Notes, StateGraph
    from monitoring.log_events.timeline import Run
    from monitoring.trace import Execution


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """The options of the command that say what is on the states."""

    execution: str | None
    every: bool
    data: Path
    last: str | None
    against: str | None
    cost: bool
    drill: Path | None


class Drawn(NamedTuple):
    """How the graph looks, and what is said about it beside it."""

    look: "Look"
    sentences: Sequence[str] = ()


def look_of(options: GraphOptions, name: str, graph: "StateGraph") -> Drawn:
    """Return how a machine's graph looks with what the options ask for.

    Raises:
        InputError: options do not go together, or what they name is not there.
    """
    from monitoring.graph import Look, joined

    _check(options)
    notes: list[Notes] = []
    if options.drill is not None:
        from monitoring.graph import drill_notes

        notes.append(drill_notes(_report(options.drill), graph))
    if options.cost:
        notes.append(_costs(options.data, name))
    title = f"State machine {name}"
    if options.execution is not None:
        return _of_execution(options, name, graph, notes)
    if not options.every:
        return Drawn(Look(notes=joined(*notes), title=title))
    from monitoring.graph import difference_notes, figures_of
    from monitoring.trace import read_executions

    roots = _roots(read_executions(options.data), name)
    if not roots:
        raise InputError(f"there is no execution of {name}", where=str(options.data))
    newest, older = _periods(roots, options.last)
    figures = figures_of(newest)
    if options.against:
        notes.append(difference_notes(figures_of(older), figures))
    return Drawn(Look(figures=figures, notes=joined(*notes), title=title))


def _check(options: GraphOptions) -> None:
    if options.against and not (options.execution or (options.every and options.last)):
        raise InputError("--against needs --execution, or --all with --last")
    if options.against and not options.execution and options.against != "before":
        raise InputError(f"{options.against!r} is not a period", where="--against", hint="Give `before`.")
    if (options.last or options.cost) and not options.every:
        raise InputError(f"--{'last' if options.last else 'cost'} needs --all")


def _of_execution(options: GraphOptions, name: str, graph: "StateGraph", notes: "list[Notes]") -> Drawn:
    from monitoring.graph import (
        Look,
        compared_with_last,
        critical_path,
        difference_notes,
        figures_of,
        joined,
        slow_notes,
    )
    from monitoring.trace import choose, read_executions

    executions = read_executions(options.data)
    chosen = choose(executions, options.execution or "")
    figures = figures_of([chosen.root])
    whole, states = compared_with_last(chosen.root, _roots(executions, chosen.state_machine))
    path = critical_path(chosen.root, graph) if chosen.root.latest.end is not None else []
    sentences = []
    if path:
        steps = ", ".join(f"{step.name} {step.share:.0%}" for step in path)
        sentences.append(f"critical path: {steps}")
    if whole is not None:
        sentences.append(f"compared with the last executions: {whole.text}")
    if options.against:
        other = choose(executions, options.against)
        notes.append(difference_notes(figures_of([other.root]), figures))
    else:
        notes.append(slow_notes(states))
    critical = frozenset(step.name for step in path)
    title = f"State machine {name}, execution {options.execution}"
    return Drawn(Look(figures=figures, notes=joined(*notes), critical=critical, title=title), sentences)


def _roots(executions: "Sequence[Execution]", name: str) -> "list[Run]":
    return [traced.root for traced in executions if traced.arn.split(":")[6:7] == [name]]


def _periods(roots: "Sequence[Run]", last: str | None) -> "tuple[list[Run], list[Run]]":
    """Return the executions of the time up to the newest one, and those of as long before it."""
    if last is None:
        return list(roots), []
    from monitoring.query.times import moment

    newest = max(root.start or 0 for root in roots)
    seconds = -moment(f"-{last.removeprefix('-')}", 0, "--last")
    if seconds <= 0:
        raise InputError(f"{last!r} is not a duration", where="--last", hint="Write 30m, 24h or 7d.")
    since, before = newest - seconds * 1000, newest - 2 * seconds * 1000
    inside = [root for root in roots if (root.start or 0) > since]
    return inside, [root for root in roots if before < (root.start or 0) <= since]


def _costs(data: Path, name: str) -> "dict[str, list[Note]]":
    from monitoring.advise.rules import step_data
    from monitoring.advise.steps import read_machines
    from monitoring.graph import Note

    machines, figures = read_machines(data)
    notes = {}
    for machine in machines:
        for step in machine.steps.values() if machine.name == name else ():
            row = step_data(machine, step, figures)
            words = f"{row['usd_per_million']:.2f} $ a million, {row['share_of_cost']:.0%} of the cost"
            notes[step.name] = [Note(words)]
    return notes


def _report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    if not isinstance(report, dict) or not isinstance(report.get("faults"), list):
        hint = "Write one: stepscope drill --from TEMPLATE --json > FILE."
        raise InputError("is not the result of a drill", where=str(path), hint=hint)
    return report
