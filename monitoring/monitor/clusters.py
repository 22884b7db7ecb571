"""Evaluate cluster alerts of service checks, `.pct_by_status()`: the percentage of checks in a status.

Source: the service check page. Each combination of tags is a check of the cluster, of which the last status
counts; the group alerts if more than `critical` percent of its checks are CRITICAL, and warns if more than
`warning` percent are WARNING. `.by("*")` is the whole cluster.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.monitor.checks import CRITICAL, WARNING, CheckPolicy, CheckSeries
from monitoring.monitor.definition import Thresholds
from monitoring.monitor.machine import Segment
from monitoring.monitor.states import Rule, State
from monitoring.monitor.switches import Switches

Index = NDArray[np.int64]
Values = NDArray[np.float64]


def run_cluster(
    series: Sequence[CheckSeries], evaluations: Index, policy: CheckPolicy, grouped: bool, switches: Switches
) -> tuple[list[Segment], Values]:
    """Return the states of one group at each evaluation, and the percentage of its checks that are CRITICAL.

    Raises:
        InputError: no percentage in the thresholds.
    """
    _check_limits(policy.thresholds)
    last, latest = _last_statuses(series, evaluations)
    known = np.isfinite(last).sum(axis=0)
    meets = np.greater if switches.cluster_threshold == "over" else np.greater_equal
    with np.errstate(invalid="ignore", divide="ignore"):
        critical = (last == CRITICAL).sum(axis=0) * 100 / known
        warning = (last == WARNING).sum(axis=0) * 100 / known
        alerts = _meets(meets, critical, policy.thresholds.critical)
        warns = _meets(meets, warning, policy.thresholds.warning) & ~alerts
    silence = evaluations - latest
    states = np.select(
        [known == 0, policy.notify_no_data & (silence >= policy.timeframe), alerts, warns], [0, 1, 2, 3], 4
    )
    resolved = (silence >= policy.timeout) & np.isin(states, (2, 3)) if policy.timeout else states < 0
    return _segments(np.where(resolved, 5, states), grouped), critical


def _check_limits(thresholds: Thresholds) -> None:
    for name, value in (("critical", thresholds.critical), ("warning", thresholds.warning)):
        if value is not None and not 0 <= value <= 100:
            hint = ".pct_by_status() compares with a percentage, 0 to 100"
            raise InputError(f"options.thresholds.{name} is {value:g}", hint=hint)
    if thresholds.critical is None and thresholds.warning is None:
        hint = 'add "thresholds": {"critical": 50}, a percentage'
        raise InputError(".pct_by_status() needs a critical or a warning threshold", hint=hint)


def _meets(meets: np.ufunc, shares: Values, limit: float | None) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = meets(shares, np.inf if limit is None else limit)
    return result


def _last_statuses(series: Sequence[CheckSeries], evaluations: Index) -> tuple[Values, Index]:
    """Return [check, evaluation] the last status of each check (NaN: none yet), and the last time of any."""
    checks: dict[tuple[str, ...], list[CheckSeries]] = {}
    for line in series:
        checks.setdefault(tuple(sorted(line.tags)), []).append(line)
    rows, latest = [], np.full(len(evaluations), np.iinfo(np.int64).min // 2)
    for parts in checks.values():
        times = np.concatenate([line.times for line in parts])
        order = np.argsort(times, kind="stable")
        statuses = np.concatenate([line.statuses for line in parts])[order]
        seen = times[order].searchsorted(evaluations)
        rows.append(np.append(np.nan, statuses)[seen])
        latest = np.maximum(latest, np.append(latest[:1], times[order])[seen])
    return np.array(rows).reshape(len(rows), len(evaluations)), latest


_STATES: tuple[tuple[State | None, Rule], ...] = (
    (State.NO_DATA, Rule.NEVER),
    (State.NO_DATA, Rule.TIMEFRAME),
    (State.ALERT, Rule.CRITICAL),
    (State.WARN, Rule.WARNING),
    (State.OK, Rule.OK),
    (State.OK, Rule.AUTO_RESOLVED),
)


def _segments(levels: Index, grouped: bool) -> list[Segment]:
    """Return the segments; a group without any result does not exist yet."""
    changes = [0, *(np.flatnonzero(np.diff(levels)) + 1).tolist()] if len(levels) else []
    segments = []
    for at in changes:
        state, rule = _STATES[levels[at]]
        segments.append(Segment(at, None if grouped and rule is Rule.NEVER else state, rule))
    return segments
