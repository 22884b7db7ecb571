"""Evaluate SLOs for widgets: their windows, and their measures as series."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.preview.calendar import calendar_start
from monitoring.preview.errors import UndrawableError
from monitoring.preview.facts import Facts
from monitoring.query import QueryError
from monitoring.slo import Inputs, Slo, SloHistory, Threshold, budget_remaining, evaluate_slo
from monitoring.slo.definition import TIMEFRAMES

TITLES = {
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "week_to_date": "Week to date",
    "previous_week": "Previous week",
    "month_to_date": "Month to date",
    "previous_month": "Previous month",
    "global_time": "Dashboard's time",
}
"""Time window of a widget -> its title."""


@dataclass(frozen=True, slots=True)
class ObjectiveWindow:
    """An SLO over one window of a widget, with its target (None if the window has none)."""

    title: str
    history: SloHistory
    target: float | None
    warning: float | None = None

    @property
    def sli(self) -> float | None:
        """The share of good events, or of uptime, in percent."""
        return self.history.overall.sli

    @property
    def budget(self) -> float | None:
        """The remaining error budget, in percent."""
        return None if self.target is None else budget_remaining(self.sli, self.target)

    @property
    def left(self) -> float | None:
        """The remaining error budget, in events or in seconds; negative if it is exceeded."""
        if self.target is None or self.sli is None:
            return None
        part = self.history.overall
        return part.total * (100 - self.target) / 100 - (part.total - part.good)


def find(facts: Facts, mention: str) -> tuple[Slo, Mapping[str, Any]]:
    """Return the SLO of an id or of `${slo:KEY}`, and its body.

    Raises:
        UndrawableError: the SLO is unknown, or cannot be evaluated.
    """
    key = mention.removeprefix("${slo:").removesuffix("}")
    body = facts.slos.get(key)
    if body is None:
        raise UndrawableError(f"Shows the objective {key}, which is not among this project's files.")
    try:
        return Slo.from_body(body, key), body
    except InputError as error:
        raise UndrawableError(f"The objective {key} cannot be used: {error.message}") from None


def over(facts: Facts, slo: Slo, start: int, end: int, scope: str = "") -> SloHistory:
    """Evaluate the SLO over a time range.

    Raises:
        QueryError: one of its queries cannot be parsed or evaluated.
        UndrawableError: one of its monitors is unknown.
    """
    inputs = Inputs(
        facts.points(queries_of(slo), start, end),
        lambda ident, first, last: facts.history(slo.members.get(ident) or str(ident), first, last),
        scope,
    )
    try:
        return evaluate_slo(slo, inputs, start, end, facts.corrections(slo))
    except QueryError:
        raise
    except InputError as error:
        raise UndrawableError(f"{slo.name}: {error}") from None


def queries_of(slo: Slo) -> list[str]:
    """Return the metric queries of an SLO."""
    if slo.count is not None:
        return [*slo.count.queries.values()] or [slo.count.good, slo.count.other]
    return [*slo.slice.queries.values()] if slo.slice is not None else []


def window_of(name: str, dashboard: tuple[int, int]) -> tuple[int, int]:
    """Return the time range of one of a widget's windows, which ends with the dashboard's time range."""
    start, end = dashboard
    if name in TIMEFRAMES:
        return end - TIMEFRAMES[name], end
    if name == "global_time":
        return start, end
    unit = "week" if "week" in name else "month"
    begin = calendar_start(end, unit)
    return (calendar_start(begin, unit), begin) if name.startswith("previous") else (begin, end)


def seen(
    facts: Facts, slo: Slo, names: Iterable[str], dashboard: tuple[int, int], scope: str, extra: float | None
) -> list[ObjectiveWindow]:
    """Evaluate the SLO over each window; `extra` is the target of windows without one."""
    windows = []
    for name in names:
        threshold = slo.threshold(name) or _other(slo, name, extra)
        history = over(facts, slo, *window_of(name, dashboard), scope)
        target, warning = (threshold.target, threshold.warning) if threshold else (None, None)
        windows.append(ObjectiveWindow(TITLES.get(name, name), history, target, warning))
    return windows


def _other(slo: Slo, name: str, extra: float | None) -> Threshold | None:
    if name == "global_time" and extra is not None and 0 < extra < 100:
        return Threshold(name, extra)
    return slo.primary


Measured = tuple[NDArray[np.int64], NDArray[np.float64], str]


def measured(
    facts: Facts, slo_id: str, measure: str, window: tuple[int, int], scope: str, scalar: bool
) -> Measured:
    """Return (times, values, unit) of one measure of an SLO: a value for each bucket, or one for all.

    Raises:
        UndrawableError: the SLO or the measure is unknown.
    """
    slo, _ = find(facts, slo_id)
    history = over(facts, slo, *window, scope)
    good, total = history.overall.numerator, history.overall.denominator
    target = (slo.primary or Threshold("", 99.0)).target
    if scalar:
        good, total = good.sum(keepdims=True), total.sum(keepdims=True)
    elif measure == "error_budget_burndown":
        good, total = good.cumsum(), total.cumsum()
    with np.errstate(all="ignore"):
        share = np.where(total > 0, 100.0 * good / total, np.nan)
    known = {
        "good_events": (good, ""),
        "bad_events": (total - good, ""),
        "good_minutes": (good / 60, "minute"),
        "bad_minutes": ((total - good) / 60, "minute"),
        "slo_status": (share, "percent"),
        "error_budget_remaining": (100 * (share - target) / (100 - target), "percent"),
        "error_budget_burndown": (100 * (share - target) / (100 - target), "percent"),
        "burn_rate": ((100 - share) / (100 - target), ""),
    }
    if measure not in known:
        raise UndrawableError(
            f"Asks for the measure {measure!r} of an objective: there is none of this name."
        )
    values, unit = known[measure]
    return np.array([window[1] - 1], np.int64) if scalar else history.times, values, unit
