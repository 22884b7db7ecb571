"""Evaluate service check monitors: consecutive results by group, compared with the thresholds.

Source: the service check page. A group is in Alert once its last `critical` results are all CRITICAL,
likewise `warning` and `unknown`, and in OK once its last `ok` results are all OK; else its state stays.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.monitor.definition import Thresholds
from monitoring.monitor.machine import Segment
from monitoring.monitor.states import Rule, State
from monitoring.query import CheckMonitor

OK, WARNING, CRITICAL, UNKNOWN = range(4)
DEFAULT_TIMEFRAME = 86400
"""Seconds without results until a check is No Data, if no_data_timeframe is not set."""


class CheckSeries(NamedTuple):
    """Results of one service check from one source: 0 OK, 1 Warning, 2 Critical, 3 Unknown."""

    check: str
    tags: tuple[str, ...]
    times: NDArray[np.int64]
    statuses: NDArray[np.float64]


class CheckPolicy(NamedTuple):
    """How many consecutive results set a state, and after how many seconds without results No Data."""

    thresholds: Thresholds
    notify_no_data: bool = False
    timeframe: int = DEFAULT_TIMEFRAME
    timeout: int = 0


def by_group(query: CheckMonitor, checks: Sequence[CheckSeries]) -> dict[tuple[str, ...], list[CheckSeries]]:
    """Return the sources that `over` and `exclude` select by group; `.by("*")` keeps each apart."""
    groups: dict[tuple[str, ...], list[CheckSeries]] = {}
    for series in checks:
        if series.check == query.check and _selected(query, series.tags):
            tags = _group(query.by, series.tags)
            if tags is not None:
                groups.setdefault(tags, []).append(series)
    return groups


def _selected(query: CheckMonitor, tags: tuple[str, ...]) -> bool:
    wanted = {tag.lower() for tag in query.over} - {"*"}
    return wanted <= set(tags) and not {tag.lower() for tag in query.exclude} & set(tags)


def _group(by: tuple[str, ...], tags: tuple[str, ...]) -> tuple[str, ...] | None:
    if "*" in by:
        return tuple(sorted(tags))
    group = tuple(next((tag for tag in tags if tag.startswith(f"{key}:")), "") for key in by)
    return None if "" in group else group


def merged(series: Sequence[CheckSeries]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Merge the times and statuses of several sources into one sequence."""
    times = np.concatenate([np.empty(0, np.int64), *(line.times for line in series)])
    statuses = np.concatenate([np.empty(0, np.int64), *(line.statuses for line in series)]).astype(np.int64)
    order = np.argsort(times, kind="stable")
    return times[order], statuses[order]


def run_checks(
    times: NDArray[np.int64],
    statuses: NDArray[np.int64],
    evaluations: NDArray[np.int64],
    policy: CheckPolicy,
    grouped: bool,
) -> list[Segment]:
    """Return the states of one group at each evaluation; an evaluation sees the results before it."""
    state: State | None = None if grouped else State.NO_DATA
    segments: list[Segment] = []
    seen = times.searchsorted(evaluations)
    for index, count in enumerate(seen.tolist()):
        state, rule = _evaluate(state, times, statuses[:count], int(evaluations[index]), policy)
        if not segments or segments[-1].state is not state or segments[-1].rule is not rule:
            segments.append(Segment(index, state, rule))
    return segments


def _evaluate(
    state: State | None, times: NDArray[np.int64], known: NDArray[np.int64], now: int, policy: CheckPolicy
) -> tuple[State | None, Rule]:
    if not len(known):
        return state, Rule.NEVER
    silence = now - int(times[len(known) - 1])
    if policy.notify_no_data and silence >= policy.timeframe:
        return State.NO_DATA, Rule.TIMEFRAME
    result = _consecutive(known, policy.thresholds, state)
    if policy.timeout and silence >= policy.timeout and result is not State.OK:
        return State.OK, Rule.AUTO_RESOLVED
    return result, Rule.CHECKS


def _consecutive(known: NDArray[np.int64], limits: Thresholds, state: State | None) -> State:
    """Return the state of the last results; the previous state if no count is reached."""
    wanted = (
        (CRITICAL, limits.critical, State.ALERT),
        (WARNING, limits.warning, State.WARN),
        (UNKNOWN, limits.unknown, State.UNKNOWN),
        (OK, limits.ok, State.OK),
    )
    for status, number, result in wanted:
        need = int(number) if number is not None else 0 if status == UNKNOWN else 1
        if need and len(known) >= need and bool((known[-need:] == status).all()):
            return result
    return state if state is not None and state is not State.NO_DATA else State.OK
