"""Graphs of state machines on pages: an execution's path, or the figures of many executions."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from monitoring.graph import Look, StateGraph, as_svg, figures_of, observed_graph, read_graph
from monitoring.graph.observed import COMMENT
from monitoring.log_events.telemetry import Span
from monitoring.log_events.timeline import Run
from monitoring.serve.executions import EXECUTION, machine_of
from monitoring.serve.pages.shell import link
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.waterfall import Choice
from monitoring.trace import executions_of_spans

MOST_STATES = 120
"""A graph of more states has a page of its own: each is half a dozen elements."""


def execution_graph(site: Site, arn: str, spans: Sequence[Span], choice: Choice) -> str:
    """Return the machine's graph with the path of an execution; a click on a state leads to its step."""
    executions = [execution for execution in executions_of_spans(spans) if execution.arn == arn]
    if not executions or choice.inside:
        return ""
    root = executions[0].root
    links = {
        state: f"{choice.address(step=span_id)}#s-{span_id}" for state, span_id in _first(spans, arn).items()
    }
    look = Look(figures=figures_of([root]), links=links, title=f"State machine {machine_of(arn)}")
    return graph_panel(graph_of(site, machine_of(arn), [root]), look)


def graph_panel(graph: StateGraph, look: Look) -> str:
    """Return a graph in its panel, where it has states and not too many for a page."""
    states = sum(1 for _ in graph.walk())
    if not states:
        return ""
    if states > MOST_STATES:
        return f'<h2>Graph</h2><p class="muted">The graph has {states:,} states: see {_own_page(look)}.</p>'
    note = f'<p class="muted">{escape(COMMENT.capitalize())}.</p>' if graph.comment == COMMENT else ""
    marks = 'class="panel graph" tabindex="0" role="region" aria-label="Graph"'
    return f"<h2>Graph</h2>{note}<div {marks}>{as_svg(graph, look)}</div>"


def _own_page(look: Look) -> str:
    name = look.title.removeprefix("State machine ")
    return link(f"/machines/{name}", f"the page of {name}")


def graph_of(site: Site, machine: str, roots: Sequence[Run]) -> StateGraph:
    """Return the graph of the definition, or, where none is known, of what executions did."""
    definition = site.definition(machine)
    return read_graph(definition) if definition else observed_graph(roots)


def _first(spans: Sequence[Mapping[str, Any]], arn: str) -> dict[str, str]:
    """State -> the span id of the entry that a click leads to: the first that failed, or the first."""
    links: dict[str, tuple[bool, str]] = {}
    for span in sorted(spans, key=lambda span: int(span["start"])):
        meta = span.get("meta") or {}
        if span.get("name") != f"{EXECUTION}.state" or meta.get("executionarn") != arn:
            continue
        name, failed = str(meta.get("state") or span.get("resource")), bool(span.get("error"))
        if name not in links or (failed and not links[name][0]):
            links[name] = (failed, str(span["span_id"]))
    return {name: span_id for name, (_, span_id) in links.items()}
