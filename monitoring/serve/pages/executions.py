"""The pages of executions: a list, and one as a waterfall of states, retries and spans, with its logs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.preview.charts.lists import kind_of
from monitoring.preview.scales import format_value, value_ticks
from monitoring.serve.pages.shell import link, page, problem_page, range_form, span_of, state_badge, table
from monitoring.serve.pages.site import Site

Row = Mapping[str, Any]
EXECUTION = "aws.stepfunctions"
MOST = 200
MOST_LOGS = 500
LAST_TICK = 0.93
"""The share of a waterfall's time behind which no label fits."""


def listing(site: Site, request: Request) -> Response:
    """Return the page of executions that ended in the time range, the newest first; else of other traces."""
    span = span_of(request, site.clock(), "-1d")
    body = latest(site, span.start, span.end, MOST, "No execution has been seen in this time.")
    return page(request, "Executions", body, range_form(span))


def latest(site: Site, start: int, end: int, most: int, empty: str) -> str:
    """Return the newest executions as a table."""
    roots = site.store.spans(name=EXECUTION, start=start, end=end)
    found = roots or [one for one in site.store.spans(start=start, end=end) if _is_root(one)]
    newest: dict[tuple[str, str], Row] = {}  # of an execution that was redriven, the last redrive
    for span in reversed(found):
        arn = (span.get("meta") or {}).get("executionarn")
        newest.setdefault((span["trace_id"], arn or span["span_id"]), span)
    rows = [_listed(span) for span in newest.values()][:most]
    return table(("Started", "Execution", "Status", "Duration"), rows, empty)


def _is_root(span: Row) -> bool:
    return set(str(span.get("parent_id") or "0")) <= {"0"}


def _listed(span: Row) -> tuple[str, str, str, str]:
    meta = span.get("meta") or {}
    name = str(meta.get("executionarn") or "").rpartition(":")[2] or str(span.get("resource"))
    words = f"{span.get('resource')} · {name}" if name != span.get("resource") else name
    duration = format_value(float(span["duration"]), "nanosecond")
    return (
        _moment(int(span["start"])),
        link(f"/executions/{span['trace_id']}", words),
        _status(span),
        duration,
    )


def _redrive(span: Row) -> int:
    return int((span.get("meta") or {}).get("redrive_count") or 0)


def _moment(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds / 1e9, UTC):%b %d %H:%M:%S}"


def one(site: Site, request: Request) -> Response:
    """One execution's waterfall."""
    spans = site.store.spans(trace_id=request.path_params["trace_id"])
    if not spans:
        return problem_page(InputError("There is no such execution."), request, 404)
    roots = [span for span in spans if span.get("name") == EXECUTION] or spans[:1]
    root = max(roots, key=_redrive)  # the last redrive says how the execution ended
    title = str((root.get("meta") or {}).get("executionarn") or root.get("resource")).rpartition(":")[2]
    start = min(int(span["start"]) for span in spans)
    end = max(int(span["start"]) + int(span["duration"]) for span in spans)
    rows = "".join(_bar(span, depth, start, max(end - start, 1)) for span, depth in tree(spans))
    logs = _logs(site, spans, start, end)
    fall = f'<div class="panel fall">{_axis(max(end - start, 1))}{rows}</div>'
    return page(request, title, f"{_summary(root, start, end)}{fall}<h2>Logs</h2>{logs}")


def _status(span: Row) -> str:
    """Return the span's status as a coloured badge."""
    status = str((span.get("meta") or {}).get("status") or ("failed" if span.get("error") else "succeeded"))
    return state_badge("Alert" if span.get("error") else "OK", words=status)


def _summary(root: Row, start: int, end: int) -> str:
    """How it ended, how long it took, and why it failed."""
    meta = root.get("meta") or {}
    scale = format_value(float(end - start), "nanosecond")
    facts = f'<span class="muted">{escape(str(root.get("resource")))} · {_moment(start)} UTC · {scale}</span>'
    told = ": ".join(str(meta[key]) for key in ("error.type", "error.message") if meta.get(key))
    why = f'<pre class="panel bad">{escape(told)}</pre>' if told and root.get("error") else ""
    return f"<p>{_status(root)} {facts}</p>{why}"


def _axis(total: int) -> str:
    """Round times since the start, above the bars."""
    ticks = [tick for tick in value_ticks(0, total, 6, "nanosecond") if tick <= total]
    shown = "".join(
        f'<i style="left:{tick / total * 100:.3f}%">{format_value(tick, "nanosecond")}</i>'
        for tick in ticks
        if tick / total < LAST_TICK
    )
    return f'<div class="axis" aria-hidden="true"><span></span><span class="track">{shown}</span></div>'


def tree(spans: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """(span, depth) in reading order; a span whose parent is not there stands at the top."""
    by_parent: dict[str, list[Row]] = {}
    ids = {str(span["span_id"]) for span in spans}
    for span in sorted(spans, key=lambda one: (int(one["start"]), -int(one["duration"]))):
        parent = str(span.get("parent_id"))
        by_parent.setdefault(parent if parent in ids and parent != span["span_id"] else "", []).append(span)
    seen: set[str] = set()
    stack = [(span, 0) for span in reversed(by_parent.get("", []))]
    while stack:
        span, depth = stack.pop()
        if str(span["span_id"]) in seen:
            continue
        seen.add(str(span["span_id"]))
        yield span, depth
        stack += [(child, depth + 1) for child in reversed(by_parent.get(str(span["span_id"]), []))]
    yield from ((span, 0) for span in spans if str(span["span_id"]) not in seen)  # a circle of parents


def _bar(span: Row, depth: int, start: int, total: int) -> str:
    left = (int(span["start"]) - start) / total * 100
    width = int(span["duration"]) / total * 100
    name, resource = str(span.get("name")), str(span.get("resource"))
    kind = "error" if span.get("error") else "retry" if name.endswith(".attempt") else ""
    words = resource if name.startswith(EXECUTION) else f"{name} {resource}"
    label = f'<span class="name" style="padding-left:{min(depth, 12) * 14}px">{escape(words)}</span>'
    track = (
        f'<span class="track"><i class="bar {kind}" style="left:{left:.3f}%;width:{width:.3f}%"></i></span>'
    )
    duration = f'<span class="time">{format_value(float(span["duration"]), "nanosecond")}</span>'
    return f"<details><summary>{label}{track}{duration}</summary>{_detail(span)}</details>"


def _detail(span: Row) -> str:
    facts = {"name": span.get("name"), "service": span.get("service"), "span": span.get("span_id")}
    facts |= {**(span.get("metrics") or {}), **(span.get("meta") or {})}
    rows = [(escape(str(key)), f"<pre>{escape(str(value))}</pre>") for key, value in facts.items()]
    return f'<div class="detail">{table(("", ""), rows, "")}</div>'


def _logs(site: Site, spans: Sequence[Row], start: int, end: int) -> str:
    """Return the logs with the trace id, the ARN, or a function's request id of the execution."""
    marks = {str(spans[0]["trace_id"])}
    for span in spans:
        meta = span.get("meta") or {}
        marks |= {str(meta[key]) for key in ("request_id", "executionarn") if meta.get(key)}
    found = site.store.logs(start=start / 1e9 - 5, end=end / 1e9 + 60)
    rows = [_log(one) for one in found if any(mark in json.dumps(one, default=str) for mark in marks)]
    if not rows:
        return (
            '<div class="panel muted">No log of this execution was stored: see MONITORING_FORWARD_LOGS.</div>'
        )
    return f'<div class="panel logs">{"".join(rows[:MOST_LOGS])}</div>'


def _log(one: Row) -> str:
    """One line, which opens to the whole message; JSON is laid out."""
    moment = _moment(int(float(one.get("timestamp") or 0) * 1_000_000))
    message = str(one.get("message") or "")
    kind = kind_of(str(one.get("status") or "info"))
    service = f'<span class="muted">{escape(str(one.get("service") or ""))}</span>'
    line = f'<span class="muted">{moment}</span>{service}<code>{escape(gist(message)[:300])}</code>'
    whole = f"<pre>{escape(_laid_out(message))}</pre>"
    return f'<details class="is-{kind}"><summary>{line}</summary>{whole}</details>'


def gist(message: str) -> str:
    """Return the gist of a log line: the `message` of JSON, the type and state of a Step Functions event."""
    try:
        body = json.loads(message)
    except ValueError:
        return message
    if not isinstance(body, dict):
        return message
    if isinstance(body.get("message"), str):
        return str(body["message"])
    given = body.get("details")
    details: Row = given if isinstance(given, dict) else {}
    told = [body.get("type"), *(details.get(key) for key in ("name", "resource", "error", "cause"))]
    return " ".join(str(one) for one in told if one) if isinstance(body.get("type"), str) else message


def _laid_out(message: str) -> str:
    try:
        return json.dumps(json.loads(message), indent=2, ensure_ascii=False)
    except ValueError:
        return message
