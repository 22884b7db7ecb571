"""The current states of monitors: from the server's evaluation, or evaluated once a minute for all pages."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from typing import Any

from monitoring.errors import InputError
from monitoring.local_datadog.downtimes import mutes_of
from monitoring.local_datadog.slo_history import objectives_of
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.preview.charts.names import monitor_name
from monitoring.preview.monitors import numbered
from monitoring.preview.stored import members_of
from monitoring.query import Metric, MetricMonitor, QueryError, parse_monitor, walk
from monitoring.serve.pages.shell import item_link, state_badge
from monitoring.serve.pages.site import Site, SiteEntry
from monitoring.store import facts

STATES_BY_NEED = ("Alert", "Warn", "No Data", "OK")
"""States in the order of lists: what needs somebody first."""
STATES = "monitor_state"
"""The kind of the documents with the states of evaluated monitors."""
MINUTE = 60
_KEPT = 3
"""Minutes for which pages use an evaluation of the server."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A monitor with the worst state of its groups (None: not evaluated), and a short explanation."""

    entry: SiteEntry
    state: str | None
    words: str
    is_part: bool = False
    """Whether a composite monitor refers to it and its message notifies nobody: its Alert is no alarm."""

    @property
    def tags(self) -> list[str]:
        """Return the monitor's tags."""
        tags = self.entry.body.get("tags")
        return [str(tag) for tag in tags] if isinstance(tags, list) else []

    def row(self) -> tuple[str, str, str, str]:
        """Return the cells of a table row."""
        name = item_link("monitors", self.entry.key, monitor_name(self.entry.title))
        words = escape(self.words) + (
            ' <span class="muted">part of a composite</span>' if self.is_part else ""
        )
        return state_badge(self.state), name, words, escape(self.entry.origin)


def standings(site: Site, *, renew: bool = False) -> list[Standing]:
    """Return every monitor with its state, alerting ones first.

    Args:
        site: if its server evaluates the monitors of files every minute, its last evaluation is used.
        renew: whether to evaluate them for this minute, as the server does.
    """
    known = {metric.name: metric.first for metric in site.store.metrics()}
    members = _members(site)
    oldest = int(site.clock()) // MINUTE - (0 if renew or site.watched is None else _KEPT)
    ordered = [_standing(site, entry, members, known, oldest) for entry in site.listed("monitor")]
    parts = _parts(members)
    ordered = [replace(standing, is_part=standing.entry.key in parts) for standing in ordered]
    places = {state: place for place, state in enumerate(STATES_BY_NEED)}
    return sorted(
        ordered, key=lambda standing: (places.get(standing.state or "", len(places)), standing.is_part)
    )


def _parts(members: "Members") -> set[str]:
    """Return the keys of the monitors that composites refer to and whose messages notify nobody."""
    bodies, keys = members
    queries = [str(body.get("query") or "") for body in bodies.values() if body.get("type") == "composite"]
    referred = {keys.get(int(number)) for query in queries for number in re.findall(r"\b\d{1,18}\b", query)}
    return {key for key in referred if key is not None and "@" not in str(bodies[key].get("message") or "")}


def _standing(
    site: Site, entry: SiteEntry, members: "Members", known: dict[str, int], oldest: int
) -> Standing:
    evaluated = site.store.documents.get(STATES, entry.applied or entry.key)
    if evaluated and evaluated["groups"]:
        states = [str(group["status"]) for group in evaluated["groups"].values()]
        return Standing(entry, str(evaluated["overall_state"]), _counts(states))
    place = (entry.key, json.dumps(entry.body, sort_keys=True, default=str))
    kept = site.stood.get(place)
    if kept is None or kept[0] < oldest:
        for old in [key for key in site.stood if key[0] == entry.key]:
            site.stood.pop(old, None)
        kept = (int(site.clock()) // MINUTE, *_evaluated(site, entry, members, known))
        site.stood[place] = kept
    return Standing(entry, *kept[1:])


def _evaluated(
    site: Site, entry: SiteEntry, members: "Members", known: dict[str, int]
) -> tuple[str | None, str]:
    now = int(site.clock())
    try:
        history = history_of(site, entry, now - 3600, now, members)
    except InputError as error:
        return None, error.message
    last = len(history.times) - 1
    states = [group.segment(last).state for group in history.groups.values()]
    words = _counts(str(state) for state in states if state)
    return str(history.overall(last)), words or waiting(history.monitor, known, now) or _empty(
        history.monitor
    )


def _counts(states: Iterable[str]) -> str:
    listed = list(states)
    return ", ".join(f"{listed.count(state)} {state}" for state in dict.fromkeys(listed))


def waiting(monitor: Monitor, known: dict[str, int], now: int) -> str:
    """Return the reason why a monitor is not evaluated yet: missing metrics, or the end of its first window.

    Args:
        monitor: the monitor, with its window and evaluation delay.
        known: metric -> time of its first point, in seconds since the epoch.
        now: the current time, in seconds since the epoch.
    """
    names = metrics_in(monitor)
    missing = [name for name in names if name not in known]
    if missing or not names:
        return f"never received: {', '.join(missing)}" if missing else ""
    query = parse_monitor(monitor.query)
    window = query.window.seconds if isinstance(query, MetricMonitor) else 0
    delay = monitor.options.evaluation_delay
    begins = max(known[name] for name in names) + delay
    first = begins + (window if monitor.options.require_full_window else 0)
    if first <= now:
        return ""
    looks = f"looks back {_minutes(window)}" + (f", delay {_minutes(delay)}" if delay else "")
    judged = datetime.fromtimestamp(-(-first // MINUTE) * MINUTE, UTC)
    return f"{looks}: will judge at {judged:%H:%M}"


def _empty(monitor: Monitor) -> str:
    """Return that a monitor's window has no matching point, although its metrics were received."""
    query = parse_monitor(monitor.query)
    if not isinstance(query, MetricMonitor):
        return ""
    return f"its metrics were received, but no point of what it asks for in {_minutes(query.window.seconds)}"


def _minutes(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds >= 7200 and seconds % 3600 == 0 else f"{seconds // 60} min"


def metrics_in(monitor: Monitor) -> list[str]:
    """Return the names of the metrics in a monitor's query; [] if it queries other data."""
    try:
        query = parse_monitor(monitor.query)
    except QueryError:
        return []
    nodes = walk(query.query) if isinstance(query, MetricMonitor) else ()
    return list(dict.fromkeys(node.name for node in nodes if isinstance(node, Metric)))


Members = tuple[dict[str, dict[str, Any]], dict[int, str]]
"""The bodies of all monitors by key, with numbers for references, and number -> key."""


def _members(site: Site) -> Members:
    return numbered({entry.key: entry.body for entry in site.monitors() if not entry.problem})


def history_of(site: Site, entry: SiteEntry, start: int, end: int, known: Members | None = None) -> History:
    """Evaluate a monitor over the stored points.

    Raises:
        InputError: the monitor is invalid, or cannot be evaluated offline.
    """
    if entry.problem:
        raise InputError(entry.problem)
    bodies, numbers = known or _members(site)
    monitor = Monitor.from_body(bodies.get(entry.key, entry.body), entry.key)
    members = members_of(bodies, numbers) if monitor.type == "composite" else {}
    data = facts.monitor_data(site.store, monitor.type, start - 86_400)
    mutes = mutes_of(site.store.documents, entry.body, start, end)
    objectives = objectives_of(site.store) if monitor.type == "slo alert" else {}
    setting = Setting(members=members, mutes=mutes, objectives=objectives)
    return evaluate_monitor(monitor, data, start // 60 * 60, end // 60 * 60, setting)
