"""Evaluate downtimes: when they are active, which monitors they match, and what they mute.

A downtime is stored in the format of version 1 of the API, so that both versions share it, with the fields
that only version 2 has: `scope_query` (the scope as a search) and `recurrences` (RRULEs).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from monitoring.monitor.mutes import Mute
from monitoring.monitor.recurrence import Recurrence, duration, local_time, zone
from monitoring.monitor.states import State

Body = Mapping[str, Any]
Window = tuple[int, int | None]
"""Start and end (excluded) in seconds; None is never."""

_FREQUENCIES = {"days": "DAILY", "weeks": "WEEKLY", "months": "MONTHLY", "years": "YEARLY"}
_END_STATES = {"alert": State.ALERT, "warn": State.WARN, "no data": State.NO_DATA}


def recurrences(downtime: Body) -> list[Recurrence]:
    """Return the recurrences of a downtime; none for one that happens once.

    Raises:
        InputError: a rule, a duration, a start or a time zone that cannot be read.
    """
    timezone = downtime.get("timezone") or "UTC"
    return [
        Recurrence(rule["rrule"], local_time(rule["start"]), duration(rule["duration"]), timezone)
        for rule in rules(downtime)
    ]


def rules(downtime: Body) -> list[dict[str, Any]]:
    """Return the recurrences in the format of version 2: `rrule`, `duration` and `start`, a local time.

    One of version 1 without an end is on for ever from its start: it repeats by nothing.
    """
    zoned = zone(downtime.get("timezone") or "UTC")
    begin = datetime.fromtimestamp(downtime["start"], zoned).replace(tzinfo=None).isoformat()
    if recurrences := downtime.get("recurrences"):
        return [{**recurrence, "start": recurrence.get("start") or begin} for recurrence in recurrences]
    if not downtime.get("recurrence") or downtime["end"] is None:
        return []
    length = f"{-(-(downtime['end'] - downtime['start']) // 60)}m"
    return [{"rrule": rule_of(downtime["recurrence"]), "duration": length, "start": begin}]


def rule_of(recurrence: Body) -> str:
    """Convert version 1's recurrence to an RRULE."""
    if recurrence["type"] == "rrule":
        return str(recurrence.get("rrule") or "")
    parts = [f"FREQ={_FREQUENCIES[recurrence['type']]}", f"INTERVAL={int(recurrence.get('period') or 1)}"]
    if days := recurrence.get("week_days"):
        parts.append(f"BYDAY={','.join(str(day)[:2].upper() for day in days)}")
    if times := recurrence.get("until_occurrences"):
        parts.append(f"COUNT={int(times)}")
    if last := recurrence.get("until_date"):
        parts.append(f"UNTIL={datetime.fromtimestamp(last, UTC):%Y%m%dT%H%M%SZ}")
    return ";".join(parts)


def windows(downtime: Body, since: int, until: int) -> list[Window]:
    """Return the active windows of the downtime in [since, until), in order; a cancellation ends it."""
    canceled = downtime.get("canceled")
    planned: list[Window] = []
    for start, end in _planned(downtime, since, until):
        if canceled is None:
            planned.append((start, end))
        elif start < canceled and canceled > since:
            planned.append((start, canceled if end is None else min(end, canceled)))
    return sorted(planned, key=lambda window: window[0])


def _planned(downtime: Body, since: int, until: int) -> Iterable[Window]:
    if repeated := recurrences(downtime):
        return [window for recurrence in repeated for window in recurrence.windows(since, until)]
    start, end = downtime["start"], downtime["end"]
    return [(start, end)] if start < until and (end is None or end > since) else []


def current(downtime: Body, now: int) -> Window | None:
    """Return the active window, else the next one, else the last one; None where there is none at all."""
    repeated = recurrences(downtime)
    if not repeated:
        return downtime["start"], downtime["end"]
    canceled = downtime.get("canceled")
    at = now if canceled is None else min(now, int(canceled) - 1)
    if on := windows(downtime, at, at + 1):
        return on[0]
    coming = [window for recurrence in repeated if (window := recurrence.next(at)) is not None]
    gone = [window for recurrence in repeated if (window := recurrence.last(at)) is not None]
    return min(coming) if coming and canceled is None else max(gone, default=None)


def status(downtime: Body, now: int) -> str:
    """Return `canceled`, `active`, `scheduled` or `ended`."""
    if downtime.get("canceled") is not None:
        return "canceled"
    if windows(downtime, now, now + 1):
        return "active"
    window = current(downtime, now)
    return "scheduled" if window is not None and window[0] > now else "ended"


def is_about(downtime: Body, monitor: Body) -> bool:
    """Return whether the downtime has the monitor's id, or tags that the monitor has."""
    if downtime["monitor_id"] is not None:
        return bool(downtime["monitor_id"] == monitor.get("id"))
    return set(downtime["monitor_tags"]) - {"*"} <= set(monitor.get("tags") or ())


def scope_of(downtime: Body) -> str:
    """Return the scope as one search; all scopes of a version 1 downtime have to match."""
    return downtime.get("scope_query") or " AND ".join(downtime["scope"]) or "*"


def mutes(downtimes: Iterable[Body], monitor: Body, since: int, until: int) -> list[Mute]:
    """Return what the downtimes mute of a monitor's notifications in [since, until)."""
    return [
        _mute(downtime, start, end)
        for downtime in downtimes
        if is_about(downtime, monitor)
        for start, end in windows(downtime, since, until)
    ]


def _mute(downtime: Body, start: int, end: int | None) -> Mute:
    how = "canceled" if end is not None and end == downtime.get("canceled") else "expired"
    told = downtime.get("notify_end_states", _END_STATES)
    if how not in downtime.get("notify_end_types", ("expired",)):
        told = ()
    return Mute(
        scope_of(downtime),
        start,
        end,
        f"downtime {downtime['id']}",
        not downtime.get("mute_first_recovery_notification", False),
        frozenset(_END_STATES[state] for state in told),
    )
