"""Write a comparison, costs and the results of a drill on the states of a state machine's page."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote

from monitoring.advise.rules import step_data
from monitoring.advise.steps import Machine, machines_of
from monitoring.cost.measured import Measurements, read_functions
from monitoring.errors import InputError
from monitoring.graph import (
    DrilledFault,
    Notes,
    StateGraph,
    drill_notes,
    drilled_faults,
    of_machine,
    read_report,
)
from monitoring.graph.costs import cost_notes
from monitoring.log_events.telemetry import Span
from monitoring.serve.pages.shell import TimeRange, item_link, link, state_badge, table
from monitoring.serve.pages.site import Site

REPORT = "drill.json"
"""The file in the project's folder with the output of `stepscope drill --from … --json`."""
VIEWS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("", "Figures", {}),
    ("before", "Compared with the time before, as long as this", {"against": "before"}),
    ("cost", "Cost", {"show": "cost"}),
    ("drill", "Drill", {"show": "drill"}),
)
"""The views of the states: (key, title, parameters in the address)."""
_COMMAND = f"<code>stepscope drill --from TEMPLATE --json &gt; {REPORT}</code>"


@dataclass(frozen=True, slots=True)
class Costs:
    """Hold what the states of a machine cost in the executions that were looked at."""

    machine: Machine
    functions: Measurements

    @property
    def notes(self) -> Notes:
        """Return the costs as notes on the graph."""
        return cost_notes(self.machine, self.functions)

    def cells(self, state: str) -> tuple[str, str]:
        """Return the cells of a state in the table of states."""
        step = self.machine.steps.get(state)
        if step is None:
            return "–", "–"
        row = step_data(self.machine, step, self.functions)
        return f"${row['usd_per_million']:,.2f}", f"{100 * row['share_of_cost']:.0f} %"


@dataclass(frozen=True, slots=True)
class Drill:
    """Hold the results of the project's drill for one machine; `problem` is why its file cannot be shown."""

    faults: Sequence[DrilledFault] = ()
    notes: Notes = field(default_factory=dict)
    problem: str = ""


def costs_of(site: Site, name: str, spans: Sequence[Span], span: TimeRange) -> Costs | None:
    """Return the costs of a machine's states from its spans; None if there is no state."""
    functions = Measurements()
    read_functions(site.store, functions, span.start, span.end)
    machines = machines_of(spans, functions)
    return next((Costs(machine, functions) for machine in machines if machine.name == name), None)


def drill_of(site: Site, name: str, graph: StateGraph) -> Drill:
    """Return the results of the drill in the project's folder for a state machine."""
    path = site.root / REPORT if site.root is not None else None
    if path is None or not path.is_file():
        return Drill()
    try:
        report = read_report(path)
    except InputError as error:
        return Drill(problem=f"{REPORT} {error.message}. {error.hint}".strip())
    own = of_machine(report, [name, *site.logical_ids(name)])
    return Drill(drilled_faults(own, graph), drill_notes(own, graph))


def view_of(query: Mapping[str, str]) -> str:
    """Return the key of the view in an address."""
    chosen = "before" if query.get("against") == "before" else query.get("show", "")
    return chosen if chosen in {key for key, _, _ in VIEWS} else ""


def views(span: TimeRange, chosen: str) -> str:
    """Return links to the views, with the current one marked."""
    ways = [
        f"<b>{escape(words)}</b>" if key == chosen else link("", words, {"from": span.value, **query})
        for key, words, query in VIEWS
    ]
    return f'<p class="views">On the states: {" · ".join(ways)}</p>'


def cost_note(costs: Costs | None) -> str:
    """Return an explanation of the costs."""
    if costs is None:
        return '<p class="muted">No execution in this time tells what its states cost.</p>'
    total = costs.machine.usd / costs.machine.executions * 1e6 if costs.machine.executions else 0.0
    return (
        f'<p class="muted">${total:,.2f} for a million executions as these were: state transitions, requests'
        " and GB-seconds of functions at AWS's list prices in us-east-1, without free tiers.</p>"
    )


def drill_table(site: Site, drill: Drill, entered: Collection[str], *, explained: bool) -> str:
    """Return the faults by state with the monitors that detected them; a hint if there is no drill.

    Args:
        site: for links to its monitors.
        drill: the results for the state machine.
        entered: the states with a row on the page, which are linked.
        explained: whether to show the hint.
    """
    if drill.problem:
        return f'<h2 id="drill">Drill</h2><p class="bad">{escape(drill.problem)}</p>'
    if not drill.faults:
        hint = f"No drill of this state machine is in the project's folder: {_COMMAND} writes one."
        return f'<h2 id="drill">Drill</h2><p class="muted">{hint}</p>' if explained else ""
    monitors = {entry.key for entry in site.monitors()}
    rows = [
        (
            escape(fault.kind),
            ", ".join(_state(state, entered) for state in fault.states) or escape(fault.target),
            _noticed(fault, monitors),
            f"{fault.minutes:.0f} min" if fault.minutes is not None and fault.noticed_by else "–",
        )
        for fault in drill.faults
    ]
    unnoticed = sum(not fault.noticed_by for fault in drill.faults)
    summary = f"{len(rows)} faults were brought about, {unnoticed} of them noticed by nobody."
    listed = table(("Fault", "At", "Noticed by", "After"), rows, "")
    return f'<h2 id="drill">Drill</h2><p class="muted">{summary}</p>{listed}'


def _state(name: str, entered: Collection[str]) -> str:
    return link(f"#state-{quote(name)}", name) if name in entered else escape(name)


def _noticed(fault: DrilledFault, monitors: Collection[str]) -> str:
    if not fault.noticed_by:
        return state_badge("Alert", words="nobody")
    return ", ".join(
        item_link("monitors", key, key) if key in monitors else escape(key) for key in fault.noticed_by
    )
