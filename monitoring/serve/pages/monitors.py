"""The pages of monitors: the list with states, and each monitor with history, evidence and notifications."""

import re
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.local_datadog.downtimes import matches
from monitoring.monitor.downtimes import scope_of
from monitoring.monitor.history import History
from monitoring.preview import notes
from monitoring.preview.charts.names import monitor_name
from monitoring.preview.charts.shapes import Frame, Line, Marker
from monitoring.preview.charts.timeseries import timeseries
from monitoring.preview.data import short
from monitoring.preview.links import shown_links
from monitoring.preview.page import pictures, with_legend
from monitoring.preview.scales import format_value
from monitoring.preview.theme import PAGE
from monitoring.serve.pages.dashboards import address_of
from monitoring.serve.pages.shell import (
    TimeRange,
    item_link,
    link,
    page,
    problem_page,
    range_form,
    span_of,
    state_badge,
    table,
)
from monitoring.serve.pages.site import Site, SiteEntry
from monitoring.serve.pages.standing import history_of, metrics_in, waiting

MOST_GROUPS = 50


def one(site: Site, request: Request) -> Response:
    """Return the page of a monitor, with its groups."""
    entry = site.find("monitor", request.path_params["key"])
    if entry is None:
        return problem_page(InputError("There is no such monitor."), request, 404)
    span = span_of(request, site.clock(), "-4h")
    controls = range_form(span)
    title = monitor_name(entry.title)
    query = _definition(entry)
    try:
        history = history_of(site, entry, span.start, span.end)
    except InputError as error:
        problem = f'<pre class="panel bad">{escape(str(error))}</pre>'
        return page(request, title, query + problem, controls)
    downtimes = _downtimes(site, entry)
    first_points = {metric.name: metric.first for metric in site.store.metrics()}
    words = waiting(history.monitor, first_points, int(site.clock()))
    badge = state_badge(str(history.overall(len(history.times) - 1)))
    state = f"<p>{badge} now{f' · {escape(words)}' if words else ''}</p>"
    parts = [state, query, downtimes, _values(site, history, span), _groups(history), _sent(history)]
    return page(request, title, "".join(parts), controls)


def _definition(entry: SiteEntry) -> str:
    """Return the query and the expandable message."""
    words = shown_links(f"{entry.title}\n\n{entry.body.get('message') or ''}", address_of)
    message = f"<details><summary>Message</summary><pre>{escape(words)}</pre></details>"
    return f'<div class="panel"><pre>{escape(str(entry.body.get("query") or ""))}</pre>{message}</div>'


def _values(site: Site, history: History, span: TimeRange) -> str:
    """Return the graph of the values, or the names of metrics that were never received."""
    if any(np.isfinite(group.values).any() for group in history.groups.values()):
        return _graph(history, span)
    received = {metric.name for metric in site.store.metrics()}
    missing = [name for name in metrics_in(history.monitor) if name not in received]
    names = ", ".join(f"<code>{escape(name)}</code>" for name in missing)
    text = f"Never received: {names}." if names else "No value in this time."
    return f'<div class="panel muted">{text}</div>'


def _graph(history: History, span: TimeRange) -> str:
    """Return the graph of the evaluated values and the thresholds."""
    groups = list(history.groups.items())[:MOST_GROUPS]
    lines = [Line(_group(name), history.times, group.values, 60) for name, group in groups]
    limits = history.monitor.thresholds
    markers = [
        Marker(value, value, f"{name} {value:g}", f"{'error' if name == 'critical' else 'warning'} dashed")
        for name, value in (("critical", limits.critical), ("warning", limits.warning))
        if value is not None
    ]
    frame = Frame(1100, 240, PAGE, span.start, span.end)
    words = f"Values of {history.monitor.name}"
    picture = pictures(frame, lambda room: timeseries(room, lines, markers), words)
    return f'<div class="panel">{with_legend(picture, frame, lines, scripted=True)}</div>'


def _groups(history: History) -> str:
    rows = []
    for name in list(history.groups)[:MOST_GROUPS]:
        verdict = history.verdict(name, len(history.times) - 1)
        value = format_value(verdict.value)
        start, end = verdict.evidence.window
        why = f"{verdict.evidence} · {value} in {_clock(start)} to {_clock(end)}"
        state = str(verdict.state) if verdict.state else None
        evidence = f"{escape(why)}<br>{ways_of(history, name, start, end)}"
        rows.append((state_badge(state), escape(_group(name)), band(history, name), evidence))
    empty = "No group has been seen in this time: there is nothing to judge."
    return table(("State", "Group", "History", "Evidence"), rows, empty)


def ways_of(history: History, name: str, start: int, end: int) -> str:
    """Return links to the data of a group's window: executions or calls, log lines, values."""
    window = f"{start}..{end}"
    tags = dict(tag.partition(":")[::2] for tag in re.split(r",\s*", name) if ":" in tag)
    machine = (tags.get("statemachinearn") or tags.get("statemachinename") or "").rpartition(":")[2]
    function = tags.get("functionname") or tags.get("function_name") or ""
    failing = {"status": "failed"} if _FAILING.search(history.monitor.query) else {}
    ways = [link("/executions", "Executions", {"machine": machine, "from": window, **failing})]
    if machine:
        ways.append(item_link("machines", machine, machine, {"from": window}))
    if function:
        ways.append(item_link("functions", function, function, {"from": window}))
    ways.append(link("/logs", "Error logs", {"level": "error", "from": window}))
    ways += [
        link("/metrics", metric, {"q": f"sum:{metric}{{*}}", "from": f"{start - 3600}..{end + 600}"})
        for metric in metrics_in(history.monitor)[:2]
    ]
    return " · ".join(ways)


_FAILING = re.compile(r"fail|error|abort|timed?_?out", re.IGNORECASE)


def _group(name: str) -> str:
    """Return the short form of a group: of an ARN, only the name at its end."""
    return ", ".join(short(tag) if ":" in tag else tag for tag in re.split(r",\s*", name))


def band(history: History, name: str) -> str:
    """Return a group's states over time as coloured segments."""
    total = max(len(history.times), 1)
    parts = []
    for first, end, state in history.groups[name].spans():
        words = f"{state or 'not there'} from {_clock(int(history.times[first]))}"
        kind = str(state or "none").replace(" ", "")
        width = (end - first) / total * 100
        parts.append(f'<i class="{kind}" style="width:{width:.2f}%" title="{escape(words, quote=True)}"></i>')
    return f'<div class="band" role="img" aria-label="history">{"".join(parts)}</div>'


def _downtimes(site: Site, entry: SiteEntry) -> str:
    """Return the downtimes that mute the monitor now; "" if there is none."""
    matching = matches(site.store.documents, entry.body, int(site.clock()))
    rows = [
        (
            escape(str(match.downtime["message"] or f"downtime {match.downtime['id']}")),
            escape(scope_of(match.downtime)),
            escape(", ".join(match.groups)),
            "until it is cancelled" if match.window[1] is None else f"until {_clock(match.window[1])}",
        )
        for match in matching
    ]
    return f"<h2>Muted now</h2>{table(('Downtime', 'Scope', 'Groups', 'Until'), rows, '')}" if rows else ""


def _sent(history: History) -> str:
    newest = history.notifications[-20:][::-1]
    rows = [
        _notification(history, notification, opened=place == 0) for place, notification in enumerate(newest)
    ]
    body = table(("Time", "What", "Message", "To"), rows, "Nothing would have been sent in this time.")
    return f"<h2>What it would have sent</h2>{body}"


def _notification(history: History, notification: Any, *, opened: bool) -> tuple[str, str, str, str]:
    """Return a notification whose title can be expanded to its message; the newest is expanded."""
    title = f"<b>{escape(notification.title)}</b>"
    text = f'<div class="message">{notes.as_html(shown_links(notification.message, address_of))}</div>'
    message = f"<details{' open' if opened else ''}><summary>{title}</summary>{text}</details>"
    at = max(0, int(np.searchsorted(history.times, notification.time, side="right")) - 1)
    start, end = int(history.starts[at]), int(history.ends[at])
    ways = ways_of(history, notification.group, start, end)
    kind = f"{escape(notification.kind)}<br>{escape(_group(notification.group))}<br>{ways}"
    handles = ", ".join(notification.handles) or "nobody"
    return (
        _clock(notification.time),
        kind,
        message,
        escape(f"{handles} (muted: {notification.muted})" if notification.muted else handles),
    )


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%b %d %H:%M}"
