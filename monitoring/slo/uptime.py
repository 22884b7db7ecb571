"""Uptime by group: time slices of a metric, or the states of monitors."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.monitor.history import GroupHistory, History
from monitoring.monitor.states import State
from monitoring.query import evaluate_lines
from monitoring.slo.counts import prepared
from monitoring.slo.definition import Slo, TimeSlice
from monitoring.slo.history import DOWN, NO_DATA, UP, Part
from monitoring.slo.intervals import Spans, covered, runs, union, within, without

if TYPE_CHECKING:
    from monitoring.query import Source
    from monitoring.query.series import Series

COMPARE: dict[str, Callable[[Any, float], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class GroupUptime:
    """When one group was down, when it had no data (which may be uptime), and what is known of it at all."""

    name: str
    down: Spans
    no_data: Spans
    known: Spans

    def part(self, edges: Any, window: tuple[int, int], removed: Spans, forgiven: Spans) -> Part:
        """Seconds of uptime and seconds that count in each bucket.

        `removed` takes no part; in `forgiven`, which contains it, nothing is down.
        """
        counting = without(within(self.known, *window), removed)
        down = without(within(self.down, *window), forgiven)
        total = covered(counting, edges)
        return Part(self.name, total - covered(down, edges), total, self._transitions(window))

    def _transitions(self, window: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """(seconds, state) at the start and wherever it changes; missing data is told apart from uptime."""
        down = within(self.down, *window)
        missing = without(within((*self.no_data, *_gaps(self.known, window)), *window), down)
        marks = sorted(
            [*((*interval, DOWN) for interval in down), *((*interval, NO_DATA) for interval in missing)]
        )
        transitions: list[tuple[int, int]] = []
        at = window[0]
        for start, end, state in marks:
            if start > at:
                transitions.append((at, UP))
            transitions.append((start, state))
            at = end
        return tuple([*transitions, (at, UP)] if at < window[1] else transitions)


def _gaps(known: Spans, window: tuple[int, int]) -> Spans:
    return without((window,), known)


@dataclass(frozen=True, slots=True)
class Uptime:
    """All groups, or all monitors, of an objective."""

    keys: tuple[str, ...]
    groups: tuple[GroupUptime, ...]

    def overall(self) -> GroupUptime:
        """Down while any group is down (the pages on SLOs of monitors and of time slices)."""
        known = union(span for group in self.groups for span in group.known)
        down = union(span for group in self.groups for span in group.down)
        silent = known
        for group in self.groups:
            silent = without(silent, without(known, union((*group.no_data, *without(known, group.known)))))
        return GroupUptime("", down, silent, known)


def slice_uptime(
    spec: TimeSlice, series: "Sequence[Series] | Source", scope: str, start: int, end: int
) -> Uptime:
    """Every slice whose value does not meet the condition is downtime; one without a value is uptime.

    Raises:
        QueryError: the query cannot be read, or not be evaluated.
    """
    node = prepared(spec.formula, spec.queries, scope)
    first = start // spec.seconds * spec.seconds
    lines = evaluate_lines(node, series, first, end, spec.seconds)
    met = COMPARE[spec.comparator]
    groups = []
    for row, values in enumerate(lines.values):
        there = np.isfinite(values)
        bad = there & ~met(values, spec.threshold)
        seen = runs(there, lines.times, spec.seconds)
        whole: Spans = ((first, end),) if seen else ()
        name = ",".join(lines.tags(row))
        groups.append(GroupUptime(name, runs(bad, lines.times, spec.seconds), without(whole, seen), whole))
    return Uptime(lines.keys, tuple(groups))


def monitor_uptime(
    slo: Slo, history: Callable[[int, int, int], History | None], start: int, end: int
) -> Uptime:
    """Return the uptime of an SLO's monitors; of a single one by group, all groups or the chosen ones.

    Raises:
        InputError: none of the monitors is known.
    """
    histories = {ident: history(ident, start, end) for ident in slo.monitor_ids}
    known = {ident: item for ident, item in histories.items() if item is not None}
    if not known:
        idents = ", ".join(map(str, slo.monitor_ids)) or "none is named"
        raise InputError("no monitor of the SLO is known here", where=slo.name, hint=f"monitors: {idents}")
    if len(slo.monitor_ids) > 1:
        return Uptime((), tuple(_monitor(ident, item, end) for ident, item in known.items()))
    (only,) = known.values()
    groups = [item for name, item in only.groups.items() if not slo.groups or name in slo.groups]
    return Uptime(only.keys, tuple(_group(only, item, end) for item in groups))


def _monitor(ident: int, history: History, end: int) -> GroupUptime:
    groups = Uptime((), tuple(_group(history, group, end) for group in history.groups.values())).overall()
    return GroupUptime(str(ident), groups.down, groups.no_data, groups.known)


def _group(history: History, group: GroupHistory, end: int) -> GroupUptime:
    """Return a group's uptime. A state holds until the next evaluation; Warn and Unknown count as up."""
    times = [*history.times.tolist(), end]
    down, silent = [], []
    missing_is_down = _missing_is_down(history.monitor)
    for first, after, state in group.spans():
        span = (times[first], times[after])
        if state is State.ALERT or (state is State.NO_DATA and missing_is_down):
            down.append(span)
        elif state in {State.NO_DATA, None}:
            silent.append(span)
    whole = union([(times[0], end)])
    known = whole if without(whole, union(silent)) else ()
    return GroupUptime(group.group, union(down), union(silent), known)


def _missing_is_down(monitor: Monitor) -> bool:
    """Return whether missing data is downtime: where the monitor notifies of it (page on monitor SLOs)."""
    options = monitor.options
    return options.notify_no_data or options.on_missing_data == "show_and_notify_no_data"
