"""Mute notifications: which groups, from when to when, and what is sent at the end.

The rules are those of Datadog's page on downtimes (monitors/downtimes): a downtime does not change states;
the first recovery from an alert that was notified before it began is sent nevertheless; and when it expires,
groups that are still alerting are notified.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.monitor.definition import Monitor, parsed
from monitoring.monitor.search import Record, compile_search
from monitoring.monitor.states import State
from monitoring.query.monitor_nodes import CheckMonitor, MetricMonitor
from monitoring.query.nodes import And, Metric, Tag
from monitoring.query.parser import walk

TOLD_AT_END = frozenset({State.ALERT, State.WARN, State.NO_DATA})
_KEY = re.compile(r"[\w./-]+:")
_Test = Callable[[Iterable[str]], bool]


class Mute(NamedTuple):
    """Suppress notifications for groups that match `scope`, in [start, end) epoch seconds.

    Attributes:
        scope: `env:prod AND service:(a OR b)`, `-env:dev`, `host:web-*`, `*` for all; a comma is an AND.
        start: the first second.
        end: the second after the last; None is never.
        name: the reason in a suppressed notification.
        first_recovery: send the first recovery from an alert that was notified before.
        told_at_end: the states that are notified when it ends.
    """

    scope: str
    start: int
    end: int | None
    name: str = "downtime"
    first_recovery: bool = True
    told_at_end: frozenset[State] = TOLD_AT_END

    def means(self, tags: Iterable[str]) -> bool:
        """Return whether a group with these tags is in its scope."""
        return scope_test(self.scope)(tags)

    def holds(self, time: int) -> bool:
        """Return whether it is active at `time`."""
        return self.start <= time and (self.end is None or time < self.end)


class ActiveMutes:
    """The mutes of one notification group, over the times of its evaluations."""

    def __init__(self, mutes: Iterable[Mute], tags: Iterable[str], times: NDArray[np.int64]) -> None:
        around = tuple(tags)
        self._mutes = [mute for mute in mutes if mute.means(around)]
        self._times = times
        is_muted = np.zeros(len(times) + 1, np.bool_)
        for mute in self._mutes:
            first = int(times.searchsorted(mute.start))
            end = None if mute.end is None else max(first, int(times.searchsorted(mute.end)))
            is_muted[first:end] = True
        self._ends = np.flatnonzero(is_muted[:-1] & ~is_muted[1:]) + 1

    def held_by(self, index: int, kind: str) -> str:
        """Return the name of the mute of a notification at an evaluation; "" if there is none."""
        active = self._at(index)
        if kind == "recovery" and all(mute.first_recovery for mute in active):
            return ""
        return active[0].name if active else ""

    def next_end(self, index: int, end: int) -> int | None:
        """Return the first evaluation in (index, end) without a mute."""
        place = int(self._ends.searchsorted(index, side="right"))
        return int(self._ends[place]) if place < len(self._ends) and self._ends[place] < end else None

    def tells(self, index: int, state: State) -> bool:
        """Return whether a state is notified at `index`, where the mutes have just ended."""
        return any(state in mute.told_at_end for mute in self._at(index - 1))

    def _at(self, index: int) -> list[Mute]:
        time = int(self._times[index])
        return [mute for mute in self._mutes if mute.holds(time)]


@lru_cache(maxsize=1024)
def scope_test(scope: str) -> _Test:
    """Return whether a group's tags match a downtime's scope.

    Raises:
        InputError: a scope that cannot be read.
    """
    text = scope if "(" in scope else scope.replace(",", " AND ")
    test = compile_search(_KEY.sub(lambda key: key.group().lower(), text))
    return lambda tags: test(Record(0, tags=tuple(tags)))


def fixed_tags(monitor: Monitor) -> frozenset[str]:
    """Return the tags that every group of the monitor has because its query filters by them.

    A monitor of `{service:web} by {host}` is about `service:web`, whatever its groups are called.
    """
    first, *others = _asked(monitor) or [frozenset[str]()]
    return first.intersection(*others)


def _asked(monitor: Monitor) -> list[frozenset[str]]:
    node = parsed(monitor.query)
    if isinstance(node, MetricMonitor):
        return [frozenset(_required(part.scope)) for part in walk(node.query) if isinstance(part, Metric)]
    return [frozenset(tag.lower() for tag in node.over)] if isinstance(node, CheckMonitor) else []


def _required(scope: object) -> Iterator[str]:
    """Return the tags that a source must have to match the scope."""
    if isinstance(scope, And):
        for term in scope.terms:
            yield from _required(term)
    elif isinstance(scope, Tag) and scope.key is not None and "*" not in scope.value:
        yield f"{scope.key}:{scope.value}".lower()
