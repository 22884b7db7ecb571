"""Read the recorded states of monitors, as they were evaluated at the time, without later data."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from monitoring.monitor.definition import Monitor, parsed
from monitoring.monitor.history import UNGROUPED, GroupHistory, History
from monitoring.monitor.machine import Segment
from monitoring.monitor.states import Rule, State
from monitoring.query import grouped_by
from monitoring.store import Store

EVERY = 60
"""Seconds between evaluations."""
_Change = tuple[int, str, str]


def recorded(store: Store, monitor: Monitor, start: int, end: int) -> History | None:
    """Return the recorded evaluations in `[start, end)`, from the first on; None if there are none.

    They have states and no values.
    """
    changes = store.transitions(monitor.id or 0, end)
    first = max(start, changes[0][0]) if changes else end
    times = np.arange(-(-first // EVERY) * EVERY, end, EVERY, dtype=np.int64)
    if not len(times):
        return None
    by_group = groupby(sorted(changes, key=lambda change: change[1]), key=lambda change: change[1])
    groups = {
        name: GroupHistory(
            name,
            () if name == UNGROUPED else tuple(name.split(",")),
            np.full(len(times), np.nan),
            _segments(list(transitions), times.tolist()),
        )
        for name, transitions in by_group
    }
    keys = grouped_by(parsed(monitor.query))
    return History(monitor, times, times, times, groups, keys=keys)


def _segments(changes: Sequence[_Change], times: Sequence[int]) -> tuple[Segment, ...]:
    """Return the segments of one group; the first is the state before the first time, None if unknown."""
    segments: dict[int, Segment] = {0: Segment(0, None, Rule.NEVER)}
    for time, _, state in changes:
        index = max(0, -(-(time - times[0]) // EVERY))
        if index < len(times):
            segments[index] = Segment(index, State(state) if state else None, Rule.RECORDED)
    return tuple(segments.values())
