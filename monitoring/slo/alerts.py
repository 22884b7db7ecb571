"""Error budget and burn rate of an SLO of metrics, at every evaluation of an SLO alert."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.query import SloMonitor
from monitoring.slo.counts import Counts, count_events
from monitoring.slo.definition import Slo

if TYPE_CHECKING:
    from monitoring.query.series import Series
    from monitoring.query.sources import Source

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


def alert_values(
    slo: Slo, node: SloMonitor, series: "Sequence[Series] | Source", times: Times
) -> Mapping[tuple[str, ...], Floats]:
    """Return the value of each evaluation by the group's tags; NaN where no event is in the window.

    An error budget's value is the share of it, in percent, that the time frame has used. A burn rate's is how
    many times faster than sustainable it is used; with two windows the lower of both, for the monitor alerts
    if both are over the threshold. Source: Datadog, service_management/service_level_objectives/error_budget
    and burn_rate.

    Raises:
        QueryError: a query of the SLO cannot be read or evaluated.
        InputError: the SLO is not one of metrics, or has no target for the time frame.
    """
    if slo.count is None:
        hint = "an SLO of metrics (type metric) can be"
        raise InputError(f"an alert on an SLO of type {slo.type} cannot be evaluated offline", hint=hint)
    frame = f"{node.over.count}{node.over.unit}"
    threshold = slo.threshold(frame)
    if threshold is None:
        hint = f'add {{"timeframe": "{frame}", "target": 99.9}} to the thresholds of the SLO'
        raise InputError(f"the SLO {slo.name!r} has no target for {frame}", hint=hint)
    windows = [node.long_window, node.short_window] if node.function == "burn_rate" else [node.over]
    spans = [window.seconds for window in windows if window is not None] or [node.over.seconds]
    first, last = int(times[0]) - max(spans), int(times[-1]) + 1
    counts = count_events(slo.count, series, "", first, last)
    allowed = 1 - threshold.target / 100
    scale = (100.0 if node.function == "error_budget" else 1.0) / allowed
    return {
        tuple(name.split(",")) if name else (): np.min(
            [_bad(good, total, counts, times, span) for span in spans], 0
        )
        * scale
        for name, good, total in counts.rows()
    }


def _bad(good: Any, total: Any, counts: Counts, times: Times, span: int) -> Floats:
    """Return the share of bad events in `[t - span, t)` for each time."""
    sums = [np.concatenate([[0.0], np.cumsum(values)]) for values in (good, total)]
    low, high = counts.times.searchsorted(times - span), counts.times.searchsorted(times)
    passed, events = (sums_of_side[high] - sums_of_side[low] for sums_of_side in sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(events > 0, 1 - passed / events, np.nan)
