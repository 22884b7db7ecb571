"""Encode each evaluation's result (value, points, last point) as a bit mask for the state machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor, Thresholds
from monitoring.monitor.rolling import NEVER
from monitoring.monitor.states import (
    AS_ZERO,
    CRITICAL,
    EMPTY,
    HOLD_CRITICAL,
    HOLD_WARNING,
    NEW_GROUP,
    NO_VALUE,
    PARTIAL,
    SILENT,
    WARNING,
)
from monitoring.monitor.switches import Switches

Values = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int16]

DAY = 86400


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationResults:
    """The results of a group's evaluations, as arrays with one item per evaluation.

    `values` is NaN without a value, `points` is whether the window has any, `last` is the time of the last
    point before the window's end, `full` (if needed) is whether the window is full. `recovery` are the
    values for recovery thresholds, if they differ (anomalies: recovery_window).
    """

    values: Values
    points: Flags
    last: Index
    full: Flags | None = None
    recovery: Values | None = None


class Levels(NamedTuple):
    """Thresholds that differ between evaluations; `Thresholds` are constant."""

    critical: Values
    warning: Values | None = None
    critical_recovery: Values | None = None
    warning_recovery: Values | None = None


class Limits(NamedTuple):
    """The comparison and its thresholds; `as_zero` is where (or whether everywhere) no data is evaluated.

    `missing`: the value that it is evaluated as: 0, but for arithmetic around default_zero.

    `empty`: the switch that says what a window without data is, where one does.
    `known_until`: a group that first appeared by this second is not new.
    `shares`: an anomaly monitor; its recovery thresholds are reached by equality too, for 0 has to be.
    """

    operator: str
    thresholds: Thresholds | Levels
    as_zero: bool | Flags = False
    timeframe: int | None = None
    new_group_delay: int = 0
    known_until: int = 0
    shares: bool = False
    missing: float = 0.0
    empty: str = ""


_MEETS: dict[str, Callable[[Any, Any], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_RECOVERS: dict[str, Callable[[Any, Any], Any]] = {
    ">": np.less_equal,
    ">=": np.less,
    "<": np.greater_equal,
    "<=": np.greater,
    "==": np.equal,
    "!=": np.equal,
}
"""Operator -> when a recovery threshold is reached (recovery thresholds guide; == and != are a switch)."""


def codes(
    result: EvaluationResults, limits: Limits, times: Index, ends: Index, switches: Switches
) -> tuple[Codes, Values]:
    """Return the code of each evaluation, and the values with zeros in place of missing data."""
    values = result.values
    known = ~np.isnan(values)
    empty = ~result.points & ~known
    if switches.null_window == "missing":
        empty = ~known
    zero = empty & limits.as_zero
    values = np.where(zero, limits.missing, values)
    code = _levels(values, values if result.recovery is None else result.recovery, limits, switches)
    code |= np.where(zero, AS_ZERO, np.where(empty, EMPTY, 0)).astype(np.int16)
    unknown = ~known & ~empty
    if isinstance(limits.thresholds, Levels):
        unknown |= known & np.isnan(limits.thresholds.critical)
    code |= np.where(unknown, NO_VALUE, 0).astype(np.int16)
    if result.full is not None:
        code |= np.where(known & ~result.full, PARTIAL, 0).astype(np.int16)
    if limits.timeframe is not None:
        code |= _silent(result.last, empty, ends - limits.timeframe, switches)
    if limits.new_group_delay:
        code |= _new(result.points | known, times, limits)
    return code, values


def _levels(values: Values, recovery: Values, limits: Limits, switches: Switches) -> Codes:
    """Return the bits of the thresholds; a missing value meets none of them."""
    meets = _MEETS[limits.operator]
    recovers = np.less_equal if limits.shares else _RECOVERS[limits.operator]
    thresholds: Any = limits.thresholds
    ignored = limits.operator in {"==", "!="} and switches.equality_recovery == "ignore"
    code = np.zeros(len(values), dtype=np.int16)
    for bit, limit, test, looked_at in (
        (CRITICAL, thresholds.critical, meets, values),
        (WARNING, thresholds.warning, meets, values),
        (HOLD_CRITICAL, None if ignored else thresholds.critical_recovery, _not(recovers), recovery),
        (HOLD_WARNING, None if ignored else thresholds.warning_recovery, _not(recovers), recovery),
    ):
        if limit is not None:
            has_value = ~np.isnan(looked_at)
            code |= np.where(has_value & test(looked_at, limit), bit, 0).astype(np.int16)
    return code


def _not(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda values, limit: ~test(values, limit)


def _silent(last: Index, empty: Flags, since: Index, switches: Switches) -> Codes:
    """Return where nothing was received in the time frame: no point at or after its start."""
    silent = last < since
    if switches.no_data_timeframe == "empty":
        silent &= empty
    return np.where(silent & (last > NEVER), SILENT, 0).astype(np.int16)


def _new(seen: Flags, times: Index, limits: Limits) -> Codes:
    """Return which evaluations are within the delay of a new group's first appearance in a day."""
    code = np.zeros(len(seen), dtype=np.int16)
    at = np.flatnonzero(seen)
    if not len(at):
        return code
    when = times[at]
    first = at[np.concatenate(([True], np.diff(when) >= DAY))]
    for index in first[times[first] > limits.known_until].tolist():
        code[index : int(times.searchsorted(times[index] + limits.new_group_delay))] |= NEW_GROUP
    return code


def check_thresholds(monitor: Monitor, operator: str, threshold: float | None) -> Thresholds:
    """Check the thresholds of a monitor whose query compares with `operator` and `threshold`.

    Where the options have none at all, critical is the number of the query, as the API fills it in.

    Raises:
        InputError: the options contradict the query, or each other, in Datadog's words where it has some.
    """
    thresholds = monitor.thresholds
    if thresholds == Thresholds() and threshold is not None:
        return Thresholds(critical=threshold)
    if threshold is None and thresholds.critical is None:
        raise InputError(
            "the query compares with a threshold that the options do not have",
            hint="add options.thresholds.critical, or critical_query to a formula",
        )
    if thresholds.critical is None:
        raise missing_critical(monitor, threshold)
    if threshold is not None and threshold != thresholds.critical:
        message = (
            f"Alert threshold ({thresholds.critical}) does not match that used in the query ({threshold})."
        )
        raise InputError(message, hint="make both the same number")
    _check_sides(operator, thresholds)
    return thresholds


def missing_critical(monitor: Monitor, threshold: float | None) -> InputError:
    """Return the error for a monitor whose threshold is in the query only."""
    value = "a number" if threshold is None else f"{threshold:g}"
    hint = f'add "options": {{"thresholds": {{"critical": {value}}}}}'
    message = f"the query compares with {value}, but options.thresholds has no critical"
    return InputError(message, where=monitor.key, hint=hint)


def _check_sides(operator: str, thresholds: Thresholds) -> None:
    beyond = _MEETS.get(operator[0])
    if beyond is None:  # == and != have no side
        return
    side = "less" if operator[0] == ">" else "greater"
    critical, warning = thresholds.critical, thresholds.warning
    if warning is not None and not beyond(critical, warning):
        message = f"Warning threshold ({warning}) must be {side} than the alert threshold ({critical})"
        raise InputError(f"{message} with {operator} comparison.")
    pairs = (
        ("alert", critical, thresholds.critical_recovery),
        ("warning", warning, thresholds.warning_recovery),
    )
    for name, limit, recovery in pairs:
        if limit is not None and recovery is not None and beyond(recovery, limit):
            message = f"{name} and {name} recovery criteria are such that the monitor can be simultaneously"
            raise InputError(f"{message} in {name} and {name} recovery states")
