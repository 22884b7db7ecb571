"""The page of one execution: its status, its path on the graph, its steps, and its logs."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.log_events.telemetry import Span
from monitoring.preview.scales import format_value
from monitoring.serve.executions import (
    EXECUTION,
    RUNNING,
    machine_of,
    missing_events,
    name_of,
    spans_of,
)
from monitoring.serve.logs import PAGE as LOG_PAGE
from monitoring.serve.logs import Lines, lines_of, marks_of
from monitoring.serve.pages.executions import moment, status_badge
from monitoring.serve.pages.graphs import execution_graph
from monitoring.serve.pages.log_lines import log_row
from monitoring.serve.pages.shell import counted, item_link, link, page, page_number, pager, problem_page
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.step_tables import data_panel
from monitoring.serve.pages.waterfall import Choice, failures, label_of, waterfall
from monitoring.serve.step_data import step_data
from monitoring.trace.view import event_ranges

Row = Mapping[str, Any]
_BEFORE, _AFTER = 5, 60
"""Seconds before and after an execution in which its log lines are searched."""
_MOST_FAILURES = 8


def one(site: Site, request: Request) -> Response:
    """Return the page of the execution with a trace id or ARN."""
    key = request.path_params["key"]
    spans = spans_of(site.store, key, site.clock())
    if not spans:
        return problem_page(InputError("There is no such execution."), request, 404)
    root = root_of(spans, key)
    arn = str((root.get("meta") or {}).get("executionarn") or "")
    title = name_of(arn) if arn else str(root.get("resource"))
    start = min(int(span["start"]) for span in spans)
    end = max(int(span["start"]) + int(span["duration"]) for span in spans)
    choice = Choice.of(request.query_params)
    parts = [
        _summary(root, arn, start, end),
        _failures(spans),
        _missing(site, root, arn, start, end),
        execution_graph(site, arn, spans, choice, against=request.query_params.get("against") == "before"),
        f"<h2>Steps</h2>{waterfall(spans, choice)}",
        data_panel(step_data(site.store, arn, start / 1e9 - _BEFORE, end / 1e9 + _AFTER)) if arn else "",
        _logs(site, request, spans, start, end),
    ]
    return page(request, title, "".join(parts))


def root_of(spans: Sequence[Span], key: str = "") -> Span:
    """Return the span with the final status: the last redrive of the execution with the ARN `key`."""
    roots = [span for span in spans if span.get("name") == EXECUTION]
    named = [span for span in roots if (span.get("meta") or {}).get("executionarn") == key]
    return max(named or _outermost(roots) or spans[:1], key=_redrive)


def _outermost(roots: Sequence[Span]) -> list[Span]:
    """Return the spans of the execution that started first; it started the others of the trace."""
    first = min(roots, key=lambda span: (int(span["start"]), -int(span["duration"])), default=None)
    if first is None:
        return []
    arn = (first.get("meta") or {}).get("executionarn")
    return [span for span in roots if (span.get("meta") or {}).get("executionarn") == arn]


def _redrive(span: Row) -> int:
    return int((span.get("meta") or {}).get("redrive_count") or 0)


def _summary(root: Row, arn: str, start: int, end: int) -> str:
    """Return status, duration and error."""
    meta = root.get("meta") or {}
    scale = format_value(float(end - start), "nanosecond")
    status = str(meta.get("status") or ("failed" if root.get("error") else "succeeded"))
    so_far = " so far" if status == RUNNING else ""
    machine = machine_of(arn)
    name = item_link("machines", machine, machine) if machine else escape(str(root.get("resource")))
    facts = f'<span class="muted">{name} · {moment(start)} UTC · {scale}{so_far}</span>'
    words = ": ".join(str(meta[key]) for key in ("error.type", "error.message") if meta.get(key))
    why = f'<pre class="panel bad">{escape(words)}</pre>' if words and root.get("error") else ""
    return f"<p>{status_badge(status, failed=bool(root.get('error')))} {facts}</p>{why}"


def _missing(site: Site, root: Row, arn: str, start: int, end: int) -> str:
    """Return a warning with the missing events of the execution, or ""."""
    ended = (root.get("meta") or {}).get("status") != RUNNING
    since, until = start / 1e9 - _BEFORE, end / 1e9 + _AFTER
    missing = missing_events(site.store, arn, since, until, ended=ended) if arn else []
    if not missing:
        return ""
    words = f"{event_ranges(missing)} missing from the logs: steps and times may be missing"
    return f'<p class="panel">{escape(words[0].upper() + words[1:])}.</p>'


def _failures(spans: Sequence[Row]) -> str:
    """Return links to the steps that caused the failure."""
    steps = failures(spans)
    if not steps:
        return ""
    ways = " · ".join(
        link(f"?step={step.id}#s-{step.id}", label_of(step.span)) for step in steps[:_MOST_FAILURES]
    )
    more = f" and {len(steps) - _MOST_FAILURES} more" if len(steps) > _MOST_FAILURES else ""
    return f'<p class="jump">Failed: {ways}{more}</p>'


def _logs(site: Site, request: Request, spans: Sequence[Row], start: int, end: int) -> str:
    """Return the log lines with the execution's trace id or ARN, or the request id of its functions."""
    query = request.query_params
    number, in_time = page_number(query, "lines"), query.get("order") == "time"
    since, until = start / 1e9 - _BEFORE, end / 1e9 + _AFTER
    lines = lines_of(site.store, marks_of(spans), since, until, number, in_time=in_time)
    if not lines.total:
        words = "No log line of this execution was stored: see MONITORING_LOG_PLATFORM and DD_FORWARD_LOG."
        return f'<h2 id="logs">Logs</h2><div class="panel muted">{words}</div>'
    rows = "".join(log_row(log) for log in lines.logs)
    return f'<h2 id="logs">Logs</h2>{_counts(lines, number, in_time)}<div class="panel logs">{rows}</div>'


def _counts(lines: Lines, number: int, in_time: bool) -> str:
    """Return the numbers of lines, their order, and links to the others."""
    errors = f", {counted(lines.errors, 'error')}" if lines.errors else ""
    if lines.total <= LOG_PAGE:
        return f'<p class="muted">{counted(lines.total, "line")}{errors}</p>'
    kept = "&order=time" if in_time else ""
    pages = pager(number, LOG_PAGE, lines.total, "lines", lambda page: f"?lines={page}{kept}#logs")
    shown = f"{len(lines.logs):,} of {lines.total:,}"
    if in_time:
        order = f"in the order of time{errors} · {link('?#logs', 'errors first')}"
    else:
        order = f"errors first{errors} · {link('?order=time#logs', 'in the order of time')}"
    return f"<p>{shown}, {order}</p>{pages}"
