"""Evaluate an SLO from counts of events, time slices of a metric, or the histories of monitors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monitoring.errors import InputError
from monitoring.query.grid import default_interval
from monitoring.slo.corrections import correction_intervals
from monitoring.slo.counts import Counts, count_events
from monitoring.slo.definition import Slo
from monitoring.slo.history import Part, SloHistory
from monitoring.slo.intervals import Spans
from monitoring.slo.uptime import Uptime, monitor_uptime, slice_uptime

if TYPE_CHECKING:
    from monitoring.monitor.history import History
    from monitoring.query import Source
    from monitoring.query.series import Series


def _no_histories(ident: int, start: int, end: int) -> "History | None":
    return None


@dataclass(frozen=True, slots=True)
class Inputs:
    """The data that an SLO is evaluated with.

    `series` are the points. `history(id, start, end)` returns a monitor's evaluations, or None if there is no
    such monitor. `scope` is a filter, as in the braces of a query, that is added to every query.
    """

    series: "Sequence[Series] | Source" = ()
    history: "Callable[[int, int, int], History | None]" = _no_histories
    scope: str = ""


def evaluate_slo(
    slo: Slo,
    inputs: Inputs,
    start: int,
    end: int,
    corrections: Iterable[Mapping[str, Any]] = (),
) -> SloHistory:
    """Evaluate the SLO over `[start, end)`, in epoch seconds.

    Corrections are API attributes (see `correction_intervals`). Events in a corrected minute are not counted;
    a monitor's corrected time is not counted; a corrected time slice counts as uptime. Source: Datadog's page
    on SLO status corrections.

    Raises:
        QueryError: a query cannot be parsed, or cannot be evaluated offline.
        InputError: the window is empty, a recurrence rule is not valid, or none of the monitors exists.
    """
    if start >= end:
        raise InputError("the window of the SLO ends before it starts", where=slo.name)
    excluded = correction_intervals(corrections, start, end)
    interval = max(default_interval(end - start), 60)
    first = start // interval * interval
    edges = np.arange(first, end + interval, interval)
    if slo.count is not None:
        counts = count_events(slo.count, inputs.series, inputs.scope, start, end)
        return _counted(counts, edges, start, end, interval, excluded)
    if slo.slice is not None:
        uptime = slice_uptime(slo.slice, inputs.series, inputs.scope, start, end)
        return _timed(slo, uptime, edges, (start, end), interval, excluded)
    uptime = monitor_uptime(slo, inputs.history, start, end)
    return _timed(slo, uptime, edges, (start, end), interval, excluded)


def _counted(counts: Counts, edges: Any, start: int, end: int, interval: int, excluded: Spans) -> SloHistory:
    included = np.ones(len(counts.times), bool)
    for low, high in excluded:
        included &= (counts.times + 60 <= low) | (counts.times >= high)
    indexes = np.searchsorted(edges, counts.times[included], side="right") - 1
    buckets = len(edges) - 1

    def summed(values: Any) -> Any:
        return np.bincount(indexes, weights=values[included], minlength=buckets)[:buckets]

    overall = Part("", summed(counts.good.sum(axis=0)), summed(counts.total.sum(axis=0)))
    groups = tuple(Part(name, summed(good), summed(total)) for name, good, total in counts.rows() if name)
    return SloHistory("metric", start, end, interval, edges[:-1], overall, groups, counts.keys, excluded)


def _timed(
    slo: Slo, uptime: Uptime, edges: Any, window: tuple[int, int], interval: int, excluded: Spans
) -> SloHistory:
    removed = excluded if slo.type == "monitor" else ()
    parts = tuple(group.part(edges, window, removed, excluded) for group in uptime.groups)
    overall = uptime.overall().part(edges, window, removed, excluded)
    several = len(parts) > 1 or bool(uptime.keys)
    return SloHistory(
        slo.type, *window, interval, edges[:-1], overall, parts if several else (), uptime.keys, excluded
    )
