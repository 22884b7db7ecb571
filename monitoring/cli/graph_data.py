"""Notes of `stepscope graph` on states: figures, comparisons, costs, and the results of a drill."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitoring.errors import InputError

if TYPE_CHECKING:
    from monitoring.graph import Look, Notes, StateGraph
    from monitoring.log_events.timeline import Run
    from monitoring.trace import Execution


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """The options of the command about notes on states."""

    execution: str | None
    every: bool
    data: Path
    last: str | None
    against: str | None
    cost: bool
    drill: Path | None


class Drawn(NamedTuple):
    """The notes on the graph, and the text next to it."""

    look: "Look"
    sentences: Sequence[str] = ()


def look_of(options: GraphOptions, label: str, name: str, graph: "StateGraph") -> Drawn:
    """Return how the graph of a machine, by its logical id and name, looks with what the options ask for.

    Raises:
        InputError: options do not go together, or what they name is not there.
    """
    from monitoring.graph import Look, joined

    _check(options)
    notes: list[Notes] = []
    if options.drill is not None:
        notes.append(_drilled(options.drill, (name, label), graph))
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


def _costs(data: Path, name: str) -> "Notes":
    from monitoring.advise.steps import read_machines
    from monitoring.graph.costs import cost_notes

    machines, figures = read_machines(data)
    return next((cost_notes(machine, figures) for machine in machines if machine.name == name), {})


def _drilled(path: Path, names: Sequence[str], graph: "StateGraph") -> "Notes":
    """Return the faults of the machine; where the report does not name it, of what its states use."""
    from monitoring.graph import drill_notes, of_machine, read_report
    from monitoring.graph.drilled import of_states

    report = read_report(path)
    own = of_machine(report, names)
    return drill_notes(own if own["faults"] else of_states(report, graph), graph)
