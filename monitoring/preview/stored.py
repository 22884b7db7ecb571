"""Read the data of dashboards other than points from a store: logs, events, spans, checks and SLOs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.errors import InputError
from monitoring.local_datadog.slo_history import corrections_of
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.search import Record
from monitoring.preview.facts import Body, Facts, Test
from monitoring.preview.monitors import numbered
from monitoring.query.sources import Source
from monitoring.store import Store
from monitoring.store import facts as store_facts
from monitoring.store.joined import source_of
from monitoring.store.states import recorded

LONGEST = 31 * 86_400
"""The longest time range in seconds for which a monitor is evaluated for a widget."""


def facts_of(store: Store, slos: Mapping[str, Body], monitors: Mapping[str, Body]) -> Facts:
    """Return the records of a store, with SLOs and monitors by their keys and ids."""
    source = source_of(store)

    def points(queries: Sequence[str], start: int, end: int) -> Source:
        return source

    return Facts(
        newest=lambda *arguments: _newest(store, *arguments),
        checks=lambda start, end: store_facts.checks(store, start, end),
        slos={**slos, **{str(body["id"]): body for body in store.documents.all("slo")}},
        corrections=lambda slo: corrections_of(store, slo),
        history=Histories(store, monitors).over,
        points=points,
    )


def _newest(store: Store, kind: str, start: int, end: int, test: Test, most: int) -> Sequence[Record]:
    if kind == "logs":
        return store_facts.newest_logs(store, start, end, test, most)
    read = store_facts.events if kind == "events" else store_facts.spans
    return [record for record in reversed(read(store, start, end)) if test(record)][:most]


@dataclass(frozen=True, slots=True)
class Histories:
    """Evaluations of monitors over the stored points, computed on demand and cached for the page."""

    store: Store
    bodies: Mapping[str, Body]
    _kept: dict[tuple[str, int, int], History | None] = field(default_factory=dict)

    def over(self, key: str, start: int, end: int) -> History | None:
        """Evaluate a monitor over `[start, end)`; None if it is unknown or cannot be evaluated."""
        place = (key, max(start, end - LONGEST), end)
        if place not in self._kept:
            self._kept[place] = self._evaluated(*place)
        return self._kept[place]

    def states(self, now: int) -> Callable[[str], Mapping[str, str]]:
        """Return a function from a monitor's key to group -> current state."""

        def of(key: str) -> Mapping[str, str]:
            known = self.store.documents.get("monitor_state", key)
            if known:
                return {name: str(group["status"]) for name, group in known["groups"].items()}
            history = self.over(key, now - 3600, now)
            return groups_of(history) if history else {}

        return of

    def _evaluated(self, key: str, start: int, end: int) -> History | None:
        bodies, numbers = numbered(self.bodies)
        if key not in bodies:
            return None
        try:
            monitor = Monitor.from_body(bodies[key], key)
            if key.isdigit() and (states := recorded(self.store, monitor, start, end)) is not None:
                return states
            data = store_facts.monitor_data(self.store, monitor.type, start - 86_400)
            setting = Setting(texts=False, members=members_of(bodies, numbers))
            return evaluate_monitor(monitor, data, start // 60 * 60, end // 60 * 60, setting)
        except InputError:
            return None


def members_of(bodies: Mapping[str, Body], numbers: Mapping[int, str]) -> dict[int, Monitor]:
    """Return the monitors that composites may refer to, by number; unreadable ones are left out."""
    members = {}
    for number, key in numbers.items():
        try:
            members[number] = Monitor.from_body(bodies[key], key)
        except InputError:
            continue
    return members


def groups_of(history: History) -> dict[str, str]:
    """Return group -> state at the last evaluation."""
    last = len(history.times) - 1
    if last < 0:
        return {}
    states: dict[str, Any] = {name: group.segment(last).state for name, group in history.groups.items()}
    return {name: str(state) for name, state in states.items() if state is not None}
