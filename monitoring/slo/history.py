"""Represent an evaluated SLO: its buckets over time, its SLI and its error budget."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitoring.slo.definition import DAY, Kind
from monitoring.slo.intervals import Spans

State = Literal["ok", "warning", "breached", "no_data"]
UP, DOWN, NO_DATA = 0, 1, 2
"""The states of a history, with the numbers of `/api/v1/slo/{id}/history`."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The history of the whole SLO, of one of its groups, or of one of its monitors.

    `numerator` and `denominator` have one value per bucket: good and total events, or seconds of uptime and
    seconds that count. `transitions` are (epoch seconds, UP, DOWN or NO_DATA); a metric SLO has none.
    """

    name: str
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]
    transitions: tuple[tuple[int, int], ...] = ()

    @property
    def good(self) -> float:
        """The number of good events, or the seconds of uptime."""
        return float(self.numerator.sum())

    @property
    def total(self) -> float:
        """The number of all events, or of all seconds that count."""
        return float(self.denominator.sum())

    @property
    def sli(self) -> float | None:
        """The percentage of good events or uptime; None without any data."""
        return 100.0 * self.good / self.total if self.total else None


@dataclass(frozen=True, slots=True, eq=False)
class SloHistory:
    """The history of an SLO over `[start, end)`, in epoch seconds.

    `times` are the starts of buckets of `interval` seconds, `corrections` the corrected intervals, `groups`
    its groups (`key:value,…`) or its monitors (by id), and `group_by` the keys of its groups.
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
        """Return the number of significant decimals of an SLI: at most four, fewer for few events.

        An SLI of time has two up to 31 days, three beyond. Source: Datadog, SLOs of metrics and of monitors.
        """
        return decimals(self.type, part.total, self.end - self.start)


def decimals(kind: Kind, total: float, seconds: int) -> int:
    """Return the number of significant decimals of an SLI; see `SloHistory.precision`."""
    if kind != "metric":
        return 2 if seconds <= 31 * DAY else 3
    return min(4, max(0, len(str(int(total))) - 3))


def budget_remaining(sli: float | None, target: float) -> float | None:
    """Return the remaining error budget in percent; it is negative if the budget is exceeded.

    Formula: 100 · (status - target) / (100 - target). Source: Datadog's page on SLOs.
    """
    return None if sli is None else 100.0 * (sli - target) / (100.0 - target)


def slo_state(sli: float | None, target: float, warning: float | None = None) -> State:
    """Return `breached` below the target, `warning` below the warning target, otherwise `ok`."""
    if sli is None:
        return "no_data"
    if sli < target:
        return "breached"
    return "warning" if warning is not None and sli < warning else "ok"
