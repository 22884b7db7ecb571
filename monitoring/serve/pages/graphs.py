"""Graphs of state machines on pages: an execution's path, or the figures of many executions."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from monitoring.graph import (
    Look,
    StateGraph,
    as_svg,
    compared_with_last,
    critical_path,
    difference_notes,
    figures_of,
    observed_graph,
    read_graph,
    slow_notes,
)
from monitoring.graph.comparison import LAST
from monitoring.graph.observed import COMMENT
from monitoring.log_events.telemetry import Span
from monitoring.log_events.timeline import Run
from monitoring.serve.executions import EXECUTION, Search, machine_of, search_ended, spans_of_executions
from monitoring.serve.pages.shell import item_link, link
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.waterfall import Choice
from monitoring.trace import executions_of_spans

MOST_STATES = 120
"""A graph with more states is on the state machine's page only: each state has half a dozen elements."""
_LOOK_BACK = 30 * 86_400
"""Seconds before an execution in which executions for the comparison are searched."""


def execution_graph(
    site: Site, arn: str, spans: Sequence[Span], choice: Choice, *, against: bool = False
) -> str:
    """Return the machine's graph with the path of an execution; states are links to their steps.

    Args:
        site: the executions before it are compared with it.
        arn: of the execution.
        spans: of its trace.
        choice: what of its steps is shown.
        against: whether the differences from the last execution that succeeded before it are on the states.
    """
    executions = [execution for execution in executions_of_spans(spans) if execution.arn == arn]
    if not executions or choice.inside:
        return ""
    root = executions[0].root
    links = {
        state: f"{choice.address(step=span_id)}#s-{span_id}" for state, span_id in _first(spans, arn).items()
    }
    graph = graph_of(site, machine_of(arn), [root])
    path = critical_path(root, graph) if root.latest.end is not None else []
    before = _before(site, arn, root)
    comparison, states = compared_with_last(root, before)
    last = max(before, key=lambda run: run.start or 0, default=None)
    figures = figures_of([root])
    differs = difference_notes(figures_of([last]), figures) if against and last is not None else None
    look = Look(
        figures=figures,
        notes=slow_notes(states) if differs is None else differs,
        critical=frozenset(step.name for step in path),
        links=links,
        title=f"State machine {machine_of(arn)}",
    )
    words = []
    if path:
        steps = ", ".join(f"{step.name} {step.share:.0%}" for step in path)
        words.append(f"Critical path (thick): {steps}.")
    if comparison is not None:
        slow = [name for name, compared in states.items() if compared.slow]
        more = f" Slow states: {', '.join(slow)}." if slow else ""
        words.append(f"{comparison.text[0].upper()}{comparison.text[1:]}.{more}")
    paragraphs = "".join(f'<p class="muted">{escape(text)}</p>' for text in words)
    return f"{paragraphs}{_comparisons(last, chosen=differs is not None)}{graph_panel(graph, look)}"


def _comparisons(last: Run | None, *, chosen: bool) -> str:
    """Return the way to the difference from the last execution that succeeded, or back; "" without one."""
    if last is None:
        return ""
    comparison, difference = "Compared with the last executions", "Difference from the last that succeeded"
    ways = [
        link("", comparison) if chosen else f"<b>{comparison}</b>",
        f"<b>{difference}</b>" if chosen else link("", difference, {"against": "before"}),
    ]
    return f'<p class="views">On the states: {" · ".join(ways)}</p>'


def _before(site: Site, arn: str, root: Run) -> list[Run]:
    """Return the successful executions of the machine before an execution, for the comparison."""
    start = (root.start or 0) // 1000
    search = Search(start - _LOOK_BACK, start + 1, machine=machine_of(arn), status="succeeded")
    rows, _ = search_ended(site.store, search, LAST + 1)
    spans = spans_of_executions(site.store, [row.key for row in rows])
    arns = {row.arn for row in rows} - {arn}
    return [item.root for item in executions_of_spans(spans) if item.arn in arns]


def graph_panel(graph: StateGraph, look: Look, *, whole: bool = False) -> str:
    """Return a panel with the graph, or a link if it is large and not `whole`; "" if it has no states."""
    states = sum(1 for _ in graph.walk())
    if not states:
        return ""
    if states > MOST_STATES and not whole:
        return f'<h2>Graph</h2><p class="muted">The graph has {states:,} states: see {_own_page(look)}.</p>'
    note = f'<p class="muted">{escape(COMMENT.capitalize())}.</p>' if graph.comment == COMMENT else ""
    marks = 'class="panel graph" tabindex="0" role="region" aria-label="Graph"'
    gone = "".join(f'<p class="bad">{escape(sentence)}.</p>' for sentence in graph.missing())
    return f"<h2>Graph</h2>{gone}{note}<div {marks}>{as_svg(graph, look)}</div>"


def _own_page(look: Look) -> str:
    name = look.title.removeprefix("State machine ")
    return item_link("machines", name, f"the page of {name}")


def graph_of(site: Site, machine: str, roots: Sequence[Run]) -> StateGraph:
    """Return the graph of the definition, or of the observed executions if there is no definition."""
    definition = site.definition(machine)
    return read_graph(definition) if definition else observed_graph(roots)


def _first(spans: Sequence[Mapping[str, Any]], arn: str) -> dict[str, str]:
    """Return state -> span id of the linked entry: the first failed one, or the first."""
    links: dict[str, tuple[bool, str]] = {}
    for span in sorted(spans, key=lambda span: int(span["start"])):
        meta = span.get("meta") or {}
        if span.get("name") != f"{EXECUTION}.state" or meta.get("executionarn") != arn:
            continue
        name, failed = str(meta.get("state") or span.get("resource")), bool(span.get("error"))
        if name not in links or (failed and not links[name][0]):
            links[name] = (failed, str(span["span_id"]))
    return {name: span_id for name, (_, span_id) in links.items()}
