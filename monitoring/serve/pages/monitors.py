"""The pages of monitors: states, and each with its history as a band, the evidence and what it would send."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from monitoring.errors import InputError
from monitoring.local_datadog.downtimes import matches, mutes_of
from monitoring.local_datadog.slo_history import objectives_of
from monitoring.monitor.definition import Monitor
from monitoring.monitor.downtimes import scope_of
from monitoring.monitor.evaluation import Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.preview import notes
from monitoring.preview.charts.names import monitor_name
from monitoring.preview.charts.shapes import Frame, Line, Marker
from monitoring.preview.charts.timeseries import timeseries
from monitoring.preview.data import short
from monitoring.preview.links import shown_links
from monitoring.preview.monitors import numbered
from monitoring.preview.page import pictures
from monitoring.preview.scales import format_value
from monitoring.preview.stored import members_of
from monitoring.preview.theme import PAGE
from monitoring.query import Metric, MetricMonitor, QueryError, parse_monitor, walk
from monitoring.serve.pages.dashboards import address_of
from monitoring.serve.pages.shell import (
    TimeRange,
    link,
    page,
    problem_page,
    range_form,
    span_of,
    state_badge,
    table,
)
from monitoring.serve.pages.site import Site, SiteEntry
from monitoring.store import facts

MOST_GROUPS = 50


_WORST_FIRST = ("Alert", "Warn", "No Data", "OK")


@dataclass(frozen=True, slots=True)
class Standing:
    """A monitor and how it stands: the worst state of its groups (None: not evaluated), and a word on it."""

    entry: SiteEntry
    state: str | None
    words: str

    def row(self) -> tuple[str, str, str, str]:
        """Cells of a table."""
        name = link(f"/monitors/{self.entry.key}", monitor_name(self.entry.title))
        return state_badge(self.state), name, escape(self.words), escape(self.entry.origin)


def standings(site: Site) -> list[Standing]:
    """Every monitor as it stands now, what needs somebody first."""
    now = int(site.clock())
    found = [_standing(site, one, now) for one in site.listed("monitor")]
    places = {state: place for place, state in enumerate(_WORST_FIRST)}
    return sorted(found, key=lambda one: places.get(one.state or "", len(places)))


def listing(site: Site, request: Request) -> Response:
    """Every monitor and its state now."""
    rows = [one.row() for one in standings(site)]
    empty = "There is no monitor: put one into monitors/, or send one to /api/v1/monitor."
    return page(request, "Monitors", table(("State", "Monitor", "Groups", "From"), rows, empty))


def _standing(site: Site, entry: SiteEntry, now: int) -> Standing:
    try:
        history = history_of(site, entry, now - 3600, now)
    except InputError as error:
        return Standing(entry, None, error.message)
    last = len(history.times) - 1
    states = [group.segment(last).state for group in history.groups.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states) if state)
    return Standing(entry, str(history.overall(last)), counts)


def history_of(site: Site, entry: SiteEntry, start: int, end: int) -> History:
    """Evaluate the monitor over the stored points.

    Raises:
        InputError: it cannot be read, or not be evaluated offline.
    """
    if entry.problem:
        raise InputError(entry.problem)
    bodies, numbers = numbered({one.key: one.body for one in site.monitors() if not one.problem})
    monitor = Monitor.from_body(bodies.get(entry.key, entry.body), entry.key)
    members = members_of(bodies, numbers) if monitor.type == "composite" else {}
    data = facts.monitor_data(site.store, monitor.type, start - 86_400)
    mutes = mutes_of(site.store.documents, entry.body, start, end)
    objectives = objectives_of(site.store) if monitor.type == "slo alert" else {}
    setting = Setting(members=members, mutes=mutes, objectives=objectives)
    return evaluate_monitor(monitor, data, start // 60 * 60, end // 60 * 60, setting)


def one(site: Site, request: Request) -> Response:
    """One monitor, group by group."""
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
        said = f'<pre class="panel bad">{escape(str(error))}</pre>'
        return page(request, title, query + said, controls)
    held = _downtimes(site, entry)
    state = f"<p>{state_badge(str(history.overall(len(history.times) - 1)))} now</p>"
    parts = [state, query, held, _values(site, history, span), _groups(history), _sent(history)]
    return page(request, title, "".join(parts), controls)


def _definition(entry: SiteEntry) -> str:
    """Return the query and the message, which can be unfolded."""
    words = shown_links(f"{entry.title}\n\n{entry.body.get('message') or ''}", address_of)
    message = f"<details><summary>Message</summary><pre>{escape(words)}</pre></details>"
    return f'<div class="panel"><pre>{escape(str(entry.body.get("query") or ""))}</pre>{message}</div>'


def _values(site: Site, history: History, span: TimeRange) -> str:
    """Return the graph, or the metrics that were never received where it would be empty."""
    if any(np.isfinite(group.values).any() for group in history.groups.values()):
        return _graph(history, span)
    received = {one.name for one in site.store.metrics()}
    missing = [name for name in _metrics(history.monitor) if name not in received]
    names = ", ".join(f"<code>{escape(name)}</code>" for name in missing)
    said = f"Never received: {names}." if names else "No value in this time."
    return f'<div class="panel muted">{said}</div>'


def _metrics(monitor: Monitor) -> list[str]:
    """Return the names of the metrics in the monitor's query; none where it queries something else."""
    try:
        query = parse_monitor(monitor.query)
    except QueryError:
        return []
    nodes = walk(query.query) if isinstance(query, MetricMonitor) else ()
    return list(dict.fromkeys(node.name for node in nodes if isinstance(node, Metric)))


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
    return f'<div class="panel">{pictures(frame, lambda room: timeseries(room, lines, markers), words)}</div>'


def _groups(history: History) -> str:
    rows = []
    for name in list(history.groups)[:MOST_GROUPS]:
        verdict = history.verdict(name, len(history.times) - 1)
        value = format_value(verdict.value)
        start, end = verdict.evidence.window
        why = f"{verdict.evidence} · {value} in {_clock(start)} to {_clock(end)}"
        state = str(verdict.state) if verdict.state else None
        rows.append((state_badge(state), escape(_group(name)), band(history, name), escape(why)))
    empty = "No group has been seen in this time: there is nothing to judge."
    return table(("State", "Group", "History", "Evidence"), rows, empty)


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
    """Return the downtimes that mute the monitor now; empty where there is none."""
    found = matches(site.store.documents, entry.body, int(site.clock()))
    rows = [
        (
            escape(str(one.downtime["message"] or f"downtime {one.downtime['id']}")),
            escape(scope_of(one.downtime)),
            escape(", ".join(one.groups)),
            "until it is cancelled" if one.window[1] is None else f"until {_clock(one.window[1])}",
        )
        for one in found
    ]
    return f"<h2>Muted now</h2>{table(('Downtime', 'Scope', 'Groups', 'Until'), rows, '')}" if rows else ""


def _sent(history: History) -> str:
    newest = history.notifications[-20:][::-1]
    rows = [_notification(one, opened=place == 0) for place, one in enumerate(newest)]
    body = table(("Time", "What", "Message", "To"), rows, "Nothing would have been sent in this time.")
    return f"<h2>What it would have sent</h2>{body}"


def _notification(one: Any, *, opened: bool) -> tuple[str, str, str, str]:
    """Return a notification whose title unfolds to its message; the newest is unfolded."""
    title = f"<b>{escape(one.title)}</b>"
    text = f'<div class="message">{notes.as_html(shown_links(one.message, address_of))}</div>'
    message = f"<details{' open' if opened else ''}><summary>{title}</summary>{text}</details>"
    kind = f"{escape(one.kind)}<br>{escape(_group(one.group))}"
    handles = ", ".join(one.handles) or "nobody"
    return (
        _clock(one.time),
        kind,
        message,
        escape(f"{handles} (muted: {one.muted})" if one.muted else handles),
    )


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%b %d %H:%M}"
