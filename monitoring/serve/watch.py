"""Evaluate the stored monitors every minute, store their states, and pass on their notifications.

States are a function of the stored data, from the monitor's last change on (at most one day back): after a
restart the server computes the same states. Every evaluation covers the whole time again, so that late points
count as they do in Datadog.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from monitoring.errors import InputError
from monitoring.local_datadog.downtimes import mutes_of
from monitoring.local_datadog.slo_history import objectives_of
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.states import State
from monitoring.serve.sinks import Sink, body_of
from monitoring.store import Store, facts

CADENCE = 60
LONGEST = 86_400
LATE = 600
"""Seconds after which a notification is sent only if the group's state differs from the last reported one."""
STATES = "monitor_state"
_Body = dict[str, Any]


@dataclass(slots=True)
class Watch:
    """The monitors of a store over time.

    Args:
        store: monitors, downtimes and states as documents; points, checks and logs for the evaluation.
        sinks: the destinations of notifications.
        say: prints a message about a monitor that cannot be evaluated; each message only once.
        clock: returns seconds since the epoch.
    """

    store: Store
    sinks: Sequence[Sink]
    say: Callable[[str], None]
    clock: Callable[[], float] = time.time
    _said: dict[int, str] = field(default_factory=dict)

    def look(self) -> int:
        """Evaluate every monitor up to now; return the number of notifications."""
        now = int(self.clock()) // CADENCE * CADENCE
        bodies = self.store.documents.all("monitor")
        monitors = {body["id"]: monitor for body in bodies if (monitor := self._read(body)) is not None}
        sent = 0
        for body in bodies:
            if body["id"] in monitors:
                sent += self._look_at(body, monitors, now)
        return sent

    def _look_at(self, body: _Body, monitors: Mapping[int, Monitor], now: int) -> int:
        monitor = monitors[body["id"]]
        start = max(int(datetime.fromisoformat(body["modified"]).timestamp()), now - LONGEST)
        start = -(-start // CADENCE) * CADENCE
        if start > now:
            return 0
        history = self._history(body, monitors, start, now)
        if history is None or not len(history.times):
            return 0
        before = self.store.documents.get(STATES, str(body["id"])) or {"groups": {}, "told_until": 0}
        notifications = _to_tell(history, before, now)
        for notification in notifications:
            self._tell(body_of(monitor, notification))
        self.store.add_transitions(body["id"], _transitions(history, before))
        after = _state_of(history, before, now)
        if after != before:
            self.store.documents.put(STATES, str(body["id"]), after)
        return len(notifications)

    def _history(self, body: _Body, monitors: Mapping[int, Monitor], start: int, now: int) -> History | None:
        """Evaluate a monitor; report the reason and return None if it cannot be evaluated."""
        monitor = monitors[body["id"]]
        try:
            mutes = mutes_of(self.store.documents, body, start, now + CADENCE)
            objectives = objectives_of(self.store) if monitor.type == "slo alert" else {}
            setting = Setting(mutes=mutes, members=monitors, objectives=objectives)
            data = facts.monitor_data(self.store, monitor.type, start - LONGEST)
            return evaluate_monitor(monitor, data, start, now, setting)
        except InputError as error:
            text = error.message
        except Exception as error:  # noqa: BLE001 - said as the bug that it is
            text = f"a bug: {type(error).__name__}: {error}"
        self._say_once(monitor.id or 0, f"monitor {monitor.id} ({monitor.name}): {text}")
        return None

    def _read(self, body: _Body) -> Monitor | None:
        try:
            return Monitor.from_body(body, str(body["id"]))
        except InputError as error:
            self._say_once(body["id"], f"monitor {body['id']}: {error.message}")
            return None

    def _tell(self, notification: _Body) -> None:
        for sink in self.sinks:
            try:
                sink.send(notification)
            except OSError as error:
                self.say(f"a notification could not be written ({error}): {notification['title']}")

    def _say_once(self, ident: int, text: str) -> None:
        if self._said.get(ident) != text:
            self._said[ident] = text
            self.say(text)


def _to_tell(history: History, before: Mapping[str, Any], now: int) -> list[Any]:
    """Return the notifications to send; of late ones, only the last of each changed group."""
    fresh = [
        notification
        for notification in history.notifications
        if notification.time > before["told_until"] and not notification.muted
    ]
    late = {notification.group: notification for notification in fresh if notification.time < now - LATE}
    known = {name: group.get("status") for name, group in before["groups"].items()}
    news = [notification for name, notification in late.items() if known.get(name) != str(notification.state)]
    return sorted(
        [*news, *(notification for notification in fresh if notification.time >= now - LATE)],
        key=lambda notification: notification.time,
    )


def _transitions(history: History, before: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """Return the changes since the last evaluation: (seconds, group, state); "" if a group is gone."""
    first = int(np.searchsorted(history.times, before.get("seen_until", 0), side="right"))
    transitions = []
    for name, group in history.groups.items():
        state = before["groups"].get(name, {}).get("status", "")
        for start, end, later in group.spans():
            if end > first and str(later or "") != state:
                state = str(later or "")
                transitions.append((int(history.times[max(start, first)]), name, state))
    gone = set(before["groups"]) - set(history.groups)
    return sorted([*transitions, *((int(history.times[-1]), name, "") for name in gone)])


def _state_of(history: History, before: Mapping[str, Any], now: int) -> _Body:
    """Return the states as a document, with the fields of Datadog's `state.groups`."""
    last = len(history.times) - 1
    groups = {}
    for name in history.groups:
        verdict = history.verdict(name, last)
        if verdict.state is not None:
            groups[name] = _group(
                name, str(verdict.state), verdict.value, before["groups"].get(name, {}), now
            )
    overall = str(history.overall(last)) if groups else str(State.NO_DATA)
    changed = overall != before.get("overall_state")
    return {
        "groups": groups,
        "overall_state": overall,
        "overall_state_modified": _moment(now) if changed else before.get("overall_state_modified"),
        "seen_until": int(history.times[last]),
        "told_until": max(
            [before["told_until"], *(notification.time for notification in history.notifications)]
        ),
    }


def _group(name: str, status: str, value: float | None, before: Mapping[str, Any], now: int) -> _Body:
    group = {
        "name": name,
        "status": status,
        "value": value,
        "last_triggered_ts": before.get("last_triggered_ts"),
        "last_resolved_ts": before.get("last_resolved_ts"),
        "last_nodata_ts": before.get("last_nodata_ts"),
    }
    if status != before.get("status"):
        field_of = {"Alert": "last_triggered_ts", "Warn": "last_triggered_ts", "No Data": "last_nodata_ts"}
        group[field_of.get(status, "last_resolved_ts")] = now
    return group


def _moment(now: int) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")
