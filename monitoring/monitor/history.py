"""Represent a monitor's states, values and evidence by group, and its notifications."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.monitor.decisions import Decision
from monitoring.monitor.definition import Monitor
from monitoring.monitor.machine import Segment
from monitoring.monitor.states import Rule, State, worst

UNGROUPED = "*"
"""The one group of a monitor without groups."""


class Evidence(NamedTuple):
    """The reason for a state: the window (epoch seconds, end exclusive), its value, and the deciding rule."""

    window: tuple[int, int]
    value: float | None
    rule: Rule
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.rule}{f' ({self.detail})' if self.detail else ''}"


class Verdict(NamedTuple):
    """An evaluation of a group. `state` is None if the group does not exist (yet, or any more)."""

    time: int
    group: str
    state: State | None
    value: float | None
    evidence: Evidence


class Notification(NamedTuple):
    """A notification at `time`. `kind` is alert, warn, no data, unknown, recovery or renotify.

    `groups` are the groups that it is about (several with notify_by); `muted` is the mute that suppressed it.
    """

    time: int
    group: str
    kind: str
    state: State
    previous: State | None
    title: str
    message: str
    handles: tuple[str, ...]
    groups: tuple[str, ...] = ()
    muted: str = ""
    empty: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupHistory:
    """The history of a group; arrays have one value per evaluation.

    `values` is NaN without a value. `segments` have the state from an evaluation on, and its reason.
    """

    group: str
    tags: tuple[str, ...]
    values: NDArray[np.float64]
    segments: tuple[Segment, ...]
    details: Mapping[int, str] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()

    def detail(self, index: int) -> str:
        """Return the additional text of the evidence of an evaluation."""
        decided = [str(decision) for decision in self.decisions if decision.at[index]]
        return "; ".join(filter(None, [self.details.get(index, ""), *decided]))

    def segment(self, index: int) -> Segment:
        """Return the segment that contains evaluation `index`."""
        low, high = 0, len(self.segments)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.segments[middle].index <= index else (low, middle)
        return self.segments[low]

    def changes(self) -> Iterator[tuple[int, State | None, State | None]]:
        """Yield (evaluation, state before, state after) for each change; the first has None before."""
        before: State | None = None
        for segment in self.segments:
            if segment.state is not before:
                yield segment.index, before, segment.state
                before = segment.state

    def spans(self) -> Iterator[tuple[int, int, State | None]]:
        """Yield (first evaluation, evaluation after the last, state), without gaps."""
        changes = [(index, state) for index, _, state in self.changes()]
        if not changes or changes[0][0] > 0:
            changes.insert(0, (0, None))
        ends = [*(index for index, _ in changes[1:]), len(self.values)]
        for (index, state), end in zip(changes, ends, strict=True):
            yield index, end, state


@dataclass(frozen=True, slots=True)
class History:
    """The history of a monitor: times of evaluations, and `starts` and `ends` (exclusive) of windows."""

    monitor: Monitor
    times: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    groups: Mapping[str, GroupHistory]
    notifications: tuple[Notification, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def grouped(self) -> bool:
        """Return whether the monitor has a state per group (a multi alert)."""
        return bool(self.keys)

    @property
    def decided(self) -> Mapping[str, str]:
        """Return the switches that decided about any group, with their values."""
        return {row.switch: row.value for group in self.groups.values() for row in group.decisions}

    def index(self, time: int) -> int:
        """Return the last evaluation at or before `time`; -1 before the first."""
        return int(np.searchsorted(self.times, time, side="right")) - 1

    def verdict(self, group: str, index: int) -> Verdict:
        """Return the verdict on `group` at evaluation `index`."""
        history = self.groups[group]
        segment = history.segment(index)
        number = float(history.values[index])
        value = None if np.isnan(number) else number
        window = (int(self.starts[index]), int(self.ends[index]))
        evidence = Evidence(window, value, segment.rule, history.detail(index))
        return Verdict(int(self.times[index]), group, segment.state, value, evidence)

    def overall(self, index: int) -> State:
        """Return the most severe state of all groups at evaluation `index`."""
        states = [group.segment(index).state for group in self.groups.values()]
        return worst([state for state in states if state is not None])


def group_name(tags: tuple[str, ...]) -> str:
    """Return a group's name: `host:a,service:b` in the order of the query's `by`; `*` without grouping."""
    return ",".join(tags) or UNGROUPED
