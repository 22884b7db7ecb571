"""Render the title and the text of a notification."""

from datetime import UTC, datetime
from typing import NamedTuple

from monitoring.monitor.definition import Monitor, parsed
from monitoring.monitor.states import State
from monitoring.monitor.template import Context, handles, render


class Moment(NamedTuple):
    """The data for rendering a notification; times are in epoch seconds."""

    time: int
    kind: str
    state: State
    previous: State | None
    tags: tuple[str, ...]
    value: float | None
    first_triggered: int
    last_triggered: int


class MessageText(NamedTuple):
    """The title and text that are sent; `empty` are the variables without a value."""

    title: str
    message: str
    handles: tuple[str, ...]
    empty: tuple[str, ...]


NO_TEXT = MessageText("", "", (), ())

_TITLES = {
    "alert": "Triggered",
    "warn": "Warn",
    "no data": "No data",
    "unknown": "Unknown",
    "recovery": "Recovered",
}

KINDS = {
    State.ALERT: "alert",
    State.WARN: "warn",
    State.NO_DATA: "no data",
    State.UNKNOWN: "unknown",
    State.OK: "recovery",
}
"""State -> the kind of notification when it is entered."""

_STATE_FLAGS = {
    State.ALERT: "is_alert",
    State.WARN: "is_warning",
    State.NO_DATA: "is_no_data",
    State.UNKNOWN: "is_unknown",
    State.OK: "is_recovery",
}
_TRANSITION_FLAGS = {
    (State.ALERT, State.OK): "is_alert_recovery",
    (State.WARN, State.OK): "is_warning_recovery",
    (State.NO_DATA, State.OK): "is_no_data_recovery",
    (State.ALERT, State.WARN): "is_alert_to_warning",
    (State.WARN, State.ALERT): "is_warning_to_alert",
    (State.NO_DATA, State.ALERT): "is_no_data_to_alert",
}


def compose(monitor: Monitor, moment: Moment) -> MessageText:
    """Render the monitor's name and message for the moment, with the escalation message if it repeats."""
    context = Context(_flags(moment), _variables(monitor, moment), monitor.priority)
    body = render(monitor.message, context)
    name = render(monitor.name, context)
    parts = [body.text]
    if moment.kind == "renotify" and monitor.options.escalation_message:
        parts.append(render(monitor.options.escalation_message, context).text)
    message = "\n\n".join(part for part in parts if part)
    word = f"Re-{_TITLES[KINDS[moment.state]]}" if moment.kind == "renotify" else _TITLES[moment.kind]
    scope = f" on {{{','.join(moment.tags)}}}" if moment.tags else ""
    priority = f"[P{monitor.priority}] " if monitor.priority else ""
    title = f"{priority}[{word}{scope}] {name.text}".strip()
    return MessageText(title, message, handles(message), (*body.empty, *name.empty))


def _flags(moment: Moment) -> frozenset[str]:
    flags = {_STATE_FLAGS[moment.state]}
    if moment.previous is not None and (moment.previous, moment.state) in _TRANSITION_FLAGS:
        flags.add(_TRANSITION_FLAGS[moment.previous, moment.state])
    if moment.kind == "renotify":
        flags.add("is_renotify")
    return frozenset(flags)


def _variables(monitor: Monitor, moment: Moment) -> dict[str, str | float]:
    """Return every variable with a value; thresholds are those of the options."""
    limits = monitor.thresholds
    wide: dict[str, str | float | None] = {
        "value": moment.value,
        "threshold": limits.critical,
        "alert_threshold": limits.critical,
        "warn_threshold": limits.warning,
        "ok_threshold": limits.ok,
        "alert_recovery_threshold": limits.critical_recovery,
        "warn_recovery_threshold": limits.warning_recovery,
        "comparator": getattr(parsed(monitor.query), "operator", None),
    }
    wide |= _times("first_triggered_at", moment.first_triggered)
    wide |= _times("last_triggered_at", moment.last_triggered)
    wide["triggered_duration_sec"] = moment.time - moment.first_triggered
    for tag in moment.tags:
        key, _, value = tag.partition(":")
        wide[f"{key}.name"] = value
    return {name: value for name, value in wide.items() if value is not None}


def _times(name: str, epoch: int) -> dict[str, str | float | None]:
    if not epoch:
        return {}
    shown = datetime.fromtimestamp(epoch, UTC).strftime("%a %b %d %Y %H:%M:%S UTC")
    return {name: shown, f"{name}_epoch": epoch * 1000}
