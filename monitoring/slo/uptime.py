"""Compute uptime by group, from time slices of a metric or from the states of monitors."""

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
    """The intervals in which a group was down, had no data, and has any known state."""

    name: str
    down: Spans
    no_data: Spans
    known: Spans

    def part(self, edges: Any, window: tuple[int, int], removed: Spans, forgiven: Spans) -> Part:
        """Return the seconds of uptime and the seconds that count in each bucket.

        The time of `removed` does not count; the time of `forgiven`, which contains it, is never downtime.
        """
        counting = without(within(self.known, *window), removed)
        down = without(within(self.down, *window), forgiven)
        total = covered(counting, edges)
        return Part(self.name, total - covered(down, edges), total, self._transitions(window))

    def _transitions(self, window: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Return (epoch seconds, state) at the start and at every change; NO_DATA is separate from UP."""
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
    """The uptime of all groups, or of all monitors, of an SLO."""

    keys: tuple[str, ...]
    groups: tuple[GroupUptime, ...]

    def overall(self) -> GroupUptime:
        """Return the uptime of the whole SLO, which is down while any group is down.

        Source: Datadog's pages on monitor and time slice SLOs.
        """
        known = union(span for group in self.groups for span in group.known)
        down = union(span for group in self.groups for span in group.down)
        silent = known
        for group in self.groups:
            silent = without(silent, without(known, union((*group.no_data, *without(known, group.known)))))
        return GroupUptime("", down, silent, known)


def slice_uptime(
    spec: TimeSlice, series: "Sequence[Series] | Source", scope: str, start: int, end: int
) -> Uptime:
    """Return the uptime by group: a slice whose value fails the condition is downtime, one without is uptime.

    Raises:
        QueryError: the query cannot be parsed or evaluated.
    """
    node = prepared(spec.formula, spec.queries, scope)
    first = start // spec.seconds * spec.seconds
    lines = evaluate_lines(node, series, first, end, spec.seconds)
    meets = COMPARE[spec.comparator]
    groups = []
    for row, values in enumerate(lines.values):
        has_value = np.isfinite(values)
        bad = has_value & ~meets(values, spec.threshold)
        data_intervals = runs(has_value, lines.times, spec.seconds)
        full: Spans = ((first, end),) if data_intervals else ()
        name = ",".join(lines.tags(row))
        groups.append(
            GroupUptime(name, runs(bad, lines.times, spec.seconds), without(full, data_intervals), full)
        )
    return Uptime(lines.keys, tuple(groups))


def monitor_uptime(
    slo: Slo, history: Callable[[int, int, int], History | None], start: int, end: int
) -> Uptime:
    """Return the uptime of an SLO's monitors; of a single monitor by group, all groups or `slo.groups`.

    Raises:
        InputError: `history` has none of the monitors.
    """
    histories = {ident: history(ident, start, end) for ident in slo.monitor_ids}
    available = {ident: item for ident, item in histories.items() if item is not None}
    if not available:
        idents = ", ".join(map(str, slo.monitor_ids)) or "none is named"
        raise InputError("none of the SLO's monitors was found", where=slo.name, hint=f"monitors: {idents}")
    if len(slo.monitor_ids) > 1:
        return Uptime((), tuple(_monitor(ident, item, end) for ident, item in available.items()))
    (only,) = available.values()
    groups = [item for name, item in only.groups.items() if not slo.groups or name in slo.groups]
    return Uptime(only.keys, tuple(_group(only, item, end) for item in groups))


def _monitor(ident: int, history: History, end: int) -> GroupUptime:
    groups = Uptime((), tuple(_group(history, group, end) for group in history.groups.values())).overall()
    return GroupUptime(str(ident), groups.down, groups.no_data, groups.known)


def _group(history: History, group: GroupHistory, end: int) -> GroupUptime:
    """Return a group's uptime; a state lasts until the next evaluation, Warn and Unknown count as uptime."""
    times = [*history.times.tolist(), end]
    down, no_data = [], []
    missing_is_down = _missing_is_down(history.monitor)
    for first, after, state in group.spans():
        span = (times[first], times[after])
        if state is State.ALERT or (state is State.NO_DATA and missing_is_down):
            down.append(span)
        elif state in {State.NO_DATA, None}:
            no_data.append(span)
    full = union([(times[0], end)])
    known = full if without(full, union(no_data)) else ()
    return GroupUptime(group.group, union(down), union(no_data), known)


def _missing_is_down(monitor: Monitor) -> bool:
    """Return whether missing data is downtime, which is so if the monitor notifies of it.

    Source: Datadog's page on monitor SLOs.
    """
    options = monitor.options
    return options.notify_no_data or options.on_missing_data == "show_and_notify_no_data"
