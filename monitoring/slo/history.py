"""Evaluate an SLO over time: its SLI, its error budget, and the buckets behind them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitoring.slo.definition import DAY, Kind
from monitoring.slo.intervals import Spans

State = Literal["ok", "warning", "breached", "no_data"]
UP, DOWN, NO_DATA = 0, 1, 2
"""The states of a history, as `/api/v1/slo/{id}/history` numbers them."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The whole objective, one group of it, or one monitor.

    `numerator` and `denominator` are one value a bucket: good and all events, or seconds of uptime and
    seconds that count. `transitions` are (seconds, UP, DOWN or NO_DATA), for what is measured in time.
    """

    name: str
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]
    transitions: tuple[tuple[int, int], ...] = ()

    @property
    def good(self) -> float:
        """Good events, or seconds of uptime."""
        return float(self.numerator.sum())

    @property
    def total(self) -> float:
        """All events, or all seconds that count."""
        return float(self.denominator.sum())

    @property
    def sli(self) -> float | None:
        """Good of all, in percent; None where nothing is known."""
        return 100.0 * self.good / self.total if self.total else None


@dataclass(frozen=True, slots=True, eq=False)
class SloHistory:
    """An objective over `[start, end)`.

    `times` are the starts of buckets of `interval` seconds; `corrections` the spans that were corrected.
    `groups` are its groups (`key:value,…`) or its monitors (by id); `group_by` the keys of its groups.
    """

    type: Kind
    start: int
    end: int
    interval: int
    times: NDArray[np.int64]
    overall: Part
    groups: tuple[Part, ...] = ()
    group_by: tuple[str, ...] = ()
    corrections: Spans = ()

    def precision(self, part: Part) -> int:
        """Return the significant decimals of an SLI: at most four, and fewer for few events.

        Of time, two up to 30 days and three beyond (Datadog's pages on SLOs of metrics and of monitors).
        """
        return decimals(self.type, part.total, self.end - self.start)


def decimals(kind: Kind, total: float, seconds: int) -> int:
    """See `SloHistory.precision`."""
    if kind != "metric":
        return 2 if seconds <= 31 * DAY else 3
    return min(4, max(0, len(str(int(total))) - 3))


def budget_remaining(sli: float | None, target: float) -> float | None:
    """Return the remaining error budget in percent; negative where it is overspent.

    Datadog's page on SLOs: 100 · (status - target) / (100 - target).
    """
    return None if sli is None else 100.0 * (sli - target) / (100.0 - target)


def slo_state(sli: float | None, target: float, warning: float | None = None) -> State:
    """Breached below the target, warning below the stricter warning, else ok."""
    if sli is None:
        return "no_data"
    if sli < target:
        return "breached"
    return "warning" if warning is not None and sli < warning else "ok"
