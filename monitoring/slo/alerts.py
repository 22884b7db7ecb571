"""Compute the error budget and the burn rate of an SLO at every evaluation of an SLO alert."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.query import SloMonitor
from monitoring.slo.counts import Counts, count_events
from monitoring.slo.definition import Slo, Threshold
from monitoring.slo.intervals import elapsed
from monitoring.slo.uptime import GroupUptime, Uptime, monitor_uptime, slice_uptime

if TYPE_CHECKING:
    from monitoring.monitor.history import History
    from monitoring.query.series import Series
    from monitoring.query.sources import Source

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Histories = Callable[[int, int, int], "History | None"]
"""(id of a monitor, start, end) -> its evaluations, or None if there is no such monitor."""

_Shares = Iterator[tuple[tuple[str, ...], list[Floats]]]
"""The tags of each group, and for each window the bad share (0 to 1) at every evaluation."""


def alert_values(
    slo: Slo, node: SloMonitor, series: "Sequence[Series] | Source", times: Times, history: Histories
) -> Mapping[tuple[str, ...], Floats]:
    """Return the value of each evaluation by the group's tags; NaN if the window has no events or time.

    The value of an error budget alert is the percentage of the budget that the time frame has consumed. The
    value of a burn rate alert is how many times faster than sustainable the budget is consumed; with two
    windows it is the lower of both rates, because the monitor alerts if both exceed the threshold. A metric
    SLO consumes its budget by bad events, an SLO of monitors or time slices by downtime, where missing data
    is uptime and a slice counts once it is over.
    Source: Datadog, service_management/service_level_objectives/error_budget and burn_rate.

    Raises:
        QueryError: a query of the SLO cannot be parsed or evaluated.
        InputError: the SLO has no target for the time frame, or `history` has none of its monitors.
    """
    allowed = 1 - _threshold(slo, node).target / 100
    scale = (100.0 if node.function == "error_budget" else 1.0) / allowed
    windows = (node.long_window, node.short_window)
    spans = [window.seconds for window in windows if window is not None] or [node.over.seconds]
    first, last = int(times[0]) - max(spans), int(times[-1])
    if slo.count is not None:
        shares = _of_events(count_events(slo.count, series, "", first, last), times, spans)
    elif slo.slice is not None:
        length = slo.slice.seconds
        uptime = slice_uptime(slo.slice, series, "", first, last)
        shares = _of_time(uptime, times // length * length, spans)
    else:
        shares = _of_time(monitor_uptime(slo, history, first, last), times, spans)
    return {tags: np.min(bad, axis=0) * scale for tags, bad in shares}


def _threshold(slo: Slo, node: SloMonitor) -> Threshold:
    frame = f"{node.over.count}{node.over.unit}"
    threshold = slo.threshold(frame)
    if threshold is None:
        hint = f'add {{"timeframe": "{frame}", "target": 99.9}} to the thresholds of the SLO'
        raise InputError(f"the SLO {slo.name!r} has no target for {frame}", hint=hint)
    return threshold


def _of_events(counts: Counts, times: Times, spans: Sequence[int]) -> _Shares:
    for name, good, total in counts.rows():
        yield _tags(name), [_bad(good, total, counts, times, span) for span in spans]


def _bad(good: Any, total: Any, counts: Counts, times: Times, span: int) -> Floats:
    """Return the share of bad events in `[t - span, t)` for each time."""
    sums = [np.concatenate([[0.0], np.cumsum(values)]) for values in (good, total)]
    low, high = counts.times.searchsorted(times - span), counts.times.searchsorted(times)
    passed, events = (sums_of_side[high] - sums_of_side[low] for sums_of_side in sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(events > 0, 1 - passed / events, np.nan)


def _of_time(uptime: Uptime, times: Times, spans: Sequence[int]) -> _Shares:
    """Yield the bad share of time of each group; of an SLO of several monitors, while any was down."""
    groups = uptime.groups if uptime.keys else (uptime.overall(),)
    for group in groups:
        yield _tags(group.name), [_down(group, times, span) for span in spans]


def _down(group: GroupUptime, times: Times, span: int) -> Floats:
    """Return the share of the known time in `[t - span, t)` in which the group was down."""
    down, known = (elapsed(part, times) - elapsed(part, times - span) for part in (group.down, group.known))
    with np.errstate(invalid="ignore"):  # no known time is 0 / 0, and NaN
        return down / known


def _tags(name: str) -> tuple[str, ...]:
    return tuple(name.split(",")) if name else ()
