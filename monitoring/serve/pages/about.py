"""The pages of a state machine and of a function: figures, failures, executions, logs and monitors."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.graph import Look, Notes, difference_notes, figures_of
from monitoring.graph.figures import Figures, percentile, seconds
from monitoring.monitor.search import compile_search
from monitoring.preview.charts.lists import BAD
from monitoring.preview.charts.shapes import Frame
from monitoring.preview.drawing import Drawing
from monitoring.preview.page import chart, pictures
from monitoring.preview.scales import format_value
from monitoring.preview.theme import PAGE
from monitoring.preview.widgets import draw
from monitoring.serve.executions import (
    Search,
    ended_by_machine,
    machines_of,
    of_states,
    search_ended,
    spans_of_executions,
    spans_with_calls,
)
from monitoring.serve.functions import Calls, calls_of, functions_of
from monitoring.serve.pages.executions import execution_table, moment, running_rows
from monitoring.serve.pages.graphs import graph_of, graph_panel
from monitoring.serve.pages.log_lines import log_row
from monitoring.serve.pages.machine_notes import (
    Costs,
    cost_note,
    costs_of,
    drill_of,
    drill_table,
    view_of,
    views,
)
from monitoring.serve.pages.shell import (
    TimeRange,
    counted,
    item_link,
    link,
    page,
    problem_page,
    range_form,
    span_of,
    state_badge,
    table,
)
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.standing import standings
from monitoring.store.definitions import recorded_names
from monitoring.store.facts import newest_logs
from monitoring.trace import executions_of_spans

MOST = 500
"""The maximum number of executions for the figures of a state machine."""
_SHOWN = 20
_LINES = 30


def machines(site: Site, request: Request) -> Response:
    """Return the list of state machines with executions or with a recorded definition."""
    span = span_of(request, site.clock(), "-1d")
    names = sorted({*machines_of(site.store), *recorded_names(site.store)})
    counts = ended_by_machine(site.store, span.start, span.end)
    rows = [
        (item_link("machines", name, name), *(f"{number:,}" for number in counts.get(name.lower(), (0, 0))))
        for name in names
    ]
    heads = ("State machine", "Executions", "Failed")
    listed = table(heads, rows, "No state machine has been seen.")
    return page(request, "State machines", listed, range_form(span))


def machine(site: Site, request: Request) -> Response:
    """Return the page of a state machine over the time range."""
    name = request.path_params["name"]
    known = {item.lower(): item for item in (*machines_of(site.store), *recorded_names(site.store))}
    name = known.get(name.lower(), name)  # tags of metrics are in lower case
    span = span_of(request, site.clock(), "-1d")
    search = Search(span.start, span.end, machine=name)
    rows, total = search_ended(site.store, search, MOST)
    rows = [row for row in rows if row.arn]
    if not rows and name.lower() not in known:
        return problem_page(InputError("There is no such state machine."), request, 404)
    spans = spans_with_calls(site.store, [row.key for row in rows])
    arns = {row.arn for row in rows}
    roots = [item.root for item in executions_of_spans(of_states(spans)) if item.arn in arns]
    figures, graph = figures_of(roots), graph_of(site, name, roots)
    view, drill = view_of(request.query_params), drill_of(site, name, graph)
    costs = costs_of(site, name, spans, span)
    notes: Mapping[str, Callable[[], Notes]] = {
        "before": lambda: difference_notes(_figures_before(site, name, span), figures),
        "cost": lambda: costs.notes if costs else {},
        "drill": lambda: drill.notes,
    }
    look = Look(
        figures=figures if roots else None,
        notes=notes[view]() if view else {},
        links={state: f"#state-{quote(state)}" for state in figures.states},
        title=f"State machine {name}",
    )
    looked_at = f"; the figures are of the newest {len(roots):,}" if total > len(roots) else ""
    parts = [
        f'<p class="muted">{counted(total, "execution")} in this time{looked_at}</p>',
        views(span, view),
        graph_panel(graph, look, whole=True),
        _states(figures, costs),
        drill_table(site, drill, figures.states, explained=view == "drill"),
        running_rows(site, search),
        f"<h2>Executions</h2>{execution_table(rows[:_SHOWN], 'No execution has been seen in this time.')}",
        f"<p>{link('/executions', 'All executions', {'machine': name, 'from': span.value})}</p>",
        _charts(site, span, _MACHINE_CHARTS, "statemachinename", name),
        _monitors(site, "states."),
        _logs(site, span, name, f'service:"{name}" OR "{name}"'),
    ]
    return page(request, name, "".join(parts), range_form(span))


def _figures_before(site: Site, name: str, span: TimeRange) -> Figures:
    """Return the figures of the preceding time range of the same length."""
    search = Search(2 * span.start - span.end, span.start, machine=name)
    rows = [row for row in search_ended(site.store, search, MOST)[0] if row.arn]
    spans = spans_of_executions(site.store, [row.key for row in rows])
    arns = {row.arn for row in rows}
    return figures_of([item.root for item in executions_of_spans(spans) if item.arn in arns])


def _states(figures: Figures, costs: Costs | None) -> str:
    """Return the figures and costs of each state, and the share of each branch, as tables."""
    rows = [
        (
            f'<span id="state-{quote(name)}">{escape(name)}</span>',
            f"{figure.entered:,}",
            _percent(figure.failed, figure.entered),
            f"{figure.retries:,}",
            seconds(percentile(figure.durations, 50)) if figure.durations else "–",
            seconds(percentile(figure.durations, 95)) if figure.durations else "–",
            *(costs.cells(name) if costs else ("–", "–")),
            escape(", ".join(f"{error} ({count})" for error, count in figure.errors.items())),
        )
        for name, figure in figures.states.items()
    ]
    heads = ("State", "Entered", "Failed", "Retries", "p50", "p95", "Cost of a million", "Share", "Errors")
    ways = [
        (escape(source), escape(target), f"{times:,}", _percent(times, figures.states[source].entered))
        for (source, target), times in figures.followed.items()
        if _branches(figures, source) > 1
    ]
    branches = table(("From", "To", "Times", "Share"), ways, "") if ways else ""
    listed = table(heads, rows, "No state was entered.")
    return f"<h2>States</h2>{listed}{cost_note(costs) if rows else ''}" + (
        f"<h2>Branches</h2>{branches}" if branches else ""
    )


def _branches(figures: Figures, source: str) -> int:
    return sum(before == source for before, _ in figures.followed)


def _percent(part: int, total: int) -> str:
    return f"{100 * part / total:.0f} %" if total else "–"


# -- functions


def functions(site: Site, request: Request) -> Response:
    """Return the list of functions that were invoked in the time range."""
    span = span_of(request, site.clock(), "-1d")
    rows = [
        (item_link("functions", calls.name, calls.name), *_figures(calls))
        for calls in functions_of(site.store, span.start, span.end)
    ]
    heads = ("Function", "Calls", "Failed", "p50", "p95")
    listed = table(heads, rows, "No call of a function has been traced in this time.")
    return page(request, "Functions", listed, range_form(span))


def _figures(calls: Calls) -> tuple[str, str, str, str]:
    middle, high = format_value(calls.middle, "nanosecond"), format_value(calls.high, "nanosecond")
    return f"{calls.count:,}", f"{calls.failed:,} ({_percent(calls.failed, calls.count)})", middle, high


def function(site: Site, request: Request) -> Response:
    """Return the page of a function over the time range."""
    name = request.path_params["name"]
    span = span_of(request, site.clock(), "-1d")
    figures = next(
        (
            candidate
            for candidate in functions_of(site.store, span.start, span.end)
            if candidate.name.lower() == name.lower()
        ),
        None,
    )
    failed = calls_of(site.store, name, span.start, span.end, _SHOWN, failed=True)
    newest = calls_of(site.store, name, span.start, span.end, _SHOWN)
    heads = ("Calls", "Failed", "p50", "p95")
    summary = table(heads, [_figures(figures)] if figures else [], "It was not called in this time.")
    parts = [
        summary,
        f"<h2>Failed calls</h2>{_calls(failed, 'No call has failed in this time.')}",
        f"<h2>Calls</h2>{_calls(newest, 'No call in this time.')}",
        _charts(site, span, _FUNCTION_CHARTS, "functionname", name),
        _monitors(site, "lambda."),
        _logs(site, span, name, f'service:"{name}" OR functionname:"{name.lower()}"'),
    ]
    return page(request, name, "".join(parts), range_form(span))


def _calls(spans: Sequence[Any], empty: str) -> str:
    rows = []
    for span in spans:
        meta = span["meta"]
        state = meta.get("stepfunctions.state") or ""
        words = f"{meta.get('stepfunctions.state_machine') or ''} {state}".strip() or span["trace_id"]
        rows.append(
            (
                moment(span["start"]),
                link(f"/executions/{span['trace_id']}?step={span['span_id']}#s-{span['span_id']}", words),
                state_badge("Alert" if span["error"] else "OK", words="failed" if span["error"] else "ok"),
                format_value(float(span["duration"]), "nanosecond"),
                escape(str(meta.get("error.type") or meta.get("error.message") or "")[:120]),
            )
        )
    return table(("Started", "In", "Status", "Duration", "Error"), rows, empty)


# -- what both have


_MACHINE_CHARTS = (
    (
        "Executions",
        "sum:aws.states.enhanced.execution.{}{{{}}}.as_count()",
        ("started", "succeeded", "failed"),
    ),
    ("Duration of states", "p95:aws.states.enhanced.state.duration{{{}}} by {{statename}}", ()),
)
_FUNCTION_CHARTS = (
    ("Calls and errors", "sum:aws.lambda.enhanced.{}{{{}}}.as_count()", ("invocations", "errors")),
    ("Duration", "p95:aws.lambda.enhanced.duration{{{}}}", ()),
)


def _charts(
    site: Site, span: TimeRange, charts: Sequence[tuple[str, str, Sequence[str]]], key: str, name: str
) -> str:
    """Return graphs of the metrics, each with a link to the metrics explorer."""
    drawing = Drawing(site.data(span.start, span.end), scripted=True)
    scope = f"{key}:{name.lower()}"
    parts = []
    for title, query, names in charts:
        queries = [query.format(metric_name, scope) for metric_name in names] or [query.format(scope)]
        definition = {"type": "timeseries", "requests": [{"q": text} for text in queries]}
        frame = Frame(640, 200, PAGE, span.start, span.end)
        picture = pictures(frame, partial(_chart, definition, drawing), title)
        picture = chart(picture, frame, definition, drawing)
        ways = " · ".join(
            link("/metrics", text.partition("{")[0], {"q": text, "from": span.value}) for text in queries
        )
        parts.append(f'<section class="panel"><h2>{title}</h2>{picture}<p class="muted">{ways}</p></section>')
    return f'<div class="columns">{"".join(parts)}</div>'


def _chart(definition: Mapping[str, Any], drawing: Drawing, room: Frame) -> str:
    return draw(room, definition, drawing)


def _monitors(site: Site, of: str) -> str:
    """Return the monitors that query metrics of that kind, with their states."""
    rows = [
        standing.row()[:3]
        for standing in standings(site)
        if of in str(standing.entry.body.get("query") or "")
    ]
    listed = table(("State", "Monitor", "Groups"), rows, "No monitor asks for these metrics.")
    return f"<h2>Monitors</h2>{listed}"


def _logs(site: Site, span: TimeRange, name: str, search: str) -> str:
    """Return the newest error lines and the newest lines."""
    test = compile_search(search)
    parts = []
    for title, statuses in (("Errors in the logs", BAD), ("Logs", ())):
        records = newest_logs(site.store, span.start, span.end + 1, test, _LINES, statuses)
        rows = "".join(log_row(record.attributes) for record in records)
        none = '<div class="panel muted">No line in this time.</div>'
        parts.append(f"<h2>{title}</h2>" + (f'<div class="panel logs">{rows}</div>' if rows else none))
    more = f"/logs?{urlencode({'query': search, 'from': span.value})}"
    return f"{''.join(parts)}<p>{link(more, f'All log lines of {name}')}</p>"
