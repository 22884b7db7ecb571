"""Short ways to build monitors and series for the tests of this area."""

import numpy as np

from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.query.series import Series
from monitoring.testing.notation import parse_values

START = 1772323200
"""2026-03-01T00:00:00Z."""


def monitor(query, message="", type="query alert", name="", **options):
    thresholds = options.pop("thresholds", None)
    if thresholds is None:
        thresholds = {"critical": float(query.rsplit(" ", 1)[1])}
    return Monitor.from_body(
        {
            "type": type,
            "name": name,
            "query": query,
            "message": message,
            "options": {"thresholds": thresholds, "new_group_delay": 0, **options},
        },
        "m",
    )


def series(metric, values, *tags, type="gauge", every=60, start=START, interval=None):
    slots = parse_values(values)
    pairs = [(start + at * every, value) for at, slot in enumerate(slots) if slot for value in slot]
    times = np.array([time for time, _ in pairs], dtype=np.int64)
    numbers = np.array([value for _, value in pairs], dtype=np.float64)
    interval = interval or (every if type in {"count", "rate"} else None)
    return Series(metric, tags, times, numbers, type, interval)


def history(monitor, *found, minutes=30, start=START, **setting):
    data = Data([each for each in found if isinstance(each, Series)])
    return evaluate_monitor(monitor, data, start, start + minutes * 60, Setting(phase=start % 60, **setting))


def verdict(history, minute, group="*"):
    return history.verdict(group, history.index(int(history.times[0]) + minute * 60))


def states(history, group="*"):
    """`[(minute, state)]` wherever the state changes."""
    first = int(history.times[0])
    return [
        ((int(history.times[start]) - first) // 60, state)
        for start, _, state in history.groups[group].spans()
    ]
