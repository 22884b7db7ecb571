"""Evaluate a monitor of any type over data from a start to an end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.monitor.checks import CheckPolicy, CheckSeries, by_group, merged, run_checks
from monitoring.monitor.clusters import run_cluster
from monitoring.monitor.codes import EvaluationResults, Flags, Limits, check_thresholds, codes
from monitoring.monitor.composite import combine, settle
from monitoring.monitor.decisions import decisions
from monitoring.monitor.definition import Monitor, Thresholds, parsed
from monitoring.monitor.dynamic import NOT_DYNAMIC, Dynamic, details_of, limits_of, thresholds_by_group
from monitoring.monitor.events import as_search, count_records, processes
from monitoring.monitor.families import look_up
from monitoring.monitor.history import UNGROUPED, GroupHistory, History, group_name
from monitoring.monitor.machine import Segment, run
from monitoring.monitor.metric import Lookup, counts, value_when_empty
from monitoring.monitor.mutes import Mute
from monitoring.monitor.notify import notifications
from monitoring.monitor.rolling import NEVER
from monitoring.monitor.search import Record
from monitoring.monitor.states import Policy, Rule, State
from monitoring.monitor.switches import DEFAULTS, Switches
from monitoring.monitor.windows import EvaluationWindow, Times, evaluation_times, window_of
from monitoring.query import (
    CheckMonitor,
    CompositeMonitor,
    FormulaMonitor,
    MetricMonitor,
    MonitorQuery,
    ProcessMonitor,
    SearchMonitor,
    SloMonitor,
    grouped_by,
)
from monitoring.query.names import resolve

if TYPE_CHECKING:
    from monitoring.query.nodes import Expression
    from monitoring.query.series import Series
    from monitoring.query.sources import Source


class Data(NamedTuple):
    """The data of an evaluation: series (or a store of them), check results, logs and events."""

    series: "Sequence[Series] | Source" = ()
    checks: Sequence[CheckSeries] = ()
    records: Sequence[Record] = ()


Objective = Callable[[SloMonitor, Data, Times], Mapping[tuple[str, ...], NDArray[np.float64]]]
"""(query of an SLO alert, data, times) -> the value of each evaluation by the tags of its group."""
EVER = 2**62
"""A second after every other."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The parameters of an evaluation: switches, stand-ins by function, mutes, a composite's members by id.

    `known_groups`: every group had been seen before the start; with `new_groups_after`, those alone that
    appear by that second. `phase`: evaluations fall so many seconds
    past a multiple of the cadence. `texts`: notifications are written, which takes most of the time there.
    `objectives`: what evaluates an SLO, by its name in the query.
    """

    switches: Switches = DEFAULTS
    stand_in: Mapping[str, str] = field(default_factory=dict)
    mutes: Sequence[Mute] = ()
    members: Mapping[int, Monitor] = field(default_factory=dict)
    known_groups: bool = False
    new_groups_after: int = EVER
    phase: int = 0
    texts: bool = True
    objectives: Mapping[str, Objective] = field(default_factory=dict)


DEFAULT_SETTING = Setting()


def evaluate_monitor(
    monitor: Monitor, data: Data, start: int, end: int, setting: Setting = DEFAULT_SETTING
) -> History:
    """Return every evaluation of `monitor` from `start` to `end` (inclusive, seconds), and notifications.

    Raises:
        QueryError: the query cannot be parsed, or not be evaluated offline.
        InputError: the options contradict the query; a type of monitor that cannot be evaluated offline.
    """
    node = parsed(monitor.query)
    evaluate = _KINDS.get(type(node))
    if evaluate is None:
        hint = "metric, service check, log, event, process and SLO monitors and composites can be"
        message = f"a monitor of type {monitor.type!r} with this query cannot be evaluated offline"
        raise InputError(message, where=monitor.key, hint=hint)
    try:
        history = evaluate(monitor, node, data, start, end, setting)
    except InputError as error:
        error.where = error.where or monitor.key
        raise
    sent = notifications(history, setting.mutes, setting.texts, setting.switches)
    return replace(history, notifications=sent)


# --- metric monitors


def _metric(
    monitor: Monitor,
    node: Any,
    data: Data,
    start: int,
    end: int,
    setting: Setting,
    named: Mapping[str, str] | None = None,
) -> History:
    queries = monitor.options.threshold_queries
    asked = queries if node.threshold is None and named is not None and "critical" in queries else {}
    thresholds = Thresholds() if asked else check_thresholds(monitor, node.operator, node.threshold)
    window = window_of(node.window, monitor.options.scheduling)
    lookup = _lookup(window, monitor, start, end, setting)
    series = look_up(node, data.series, lookup)
    keys = grouped_by(node)
    missing, empty = _when_empty(monitor, node, setting.switches)
    as_zero = _as_zero(monitor, counts(node)) or not np.isnan(missing)
    limits = _limits(monitor, node, thresholds, keys, as_zero, window, setting)
    limits = limits._replace(missing=0.0 if np.isnan(missing) else missing, empty=empty)
    dynamic = thresholds_by_group(monitor, named or {}, data.series, lookup) if asked else {}
    return _history(monitor, series, lookup, keys, limits, setting, dynamic)


def _when_empty(monitor: Monitor, node: MetricMonitor, switches: Switches) -> tuple[float, str]:
    """Return the value of a window without data (NaN for none), and the switch that says so, if one does."""
    value = value_when_empty(node.query) if node.kind == "metric" else np.nan
    if not np.isnan(value):
        return (value if switches.default_zero_empty == "zero" else np.nan), "default_zero_empty"
    if counts(node) and not monitor.options.on_missing_data and not monitor.options.notify_no_data:
        return (0.0 if switches.counts_without_options == "zero" else np.nan), "counts_without_options"
    return np.nan, ""


def _formula(monitor: Monitor, node: Any, data: Data, start: int, end: int, setting: Setting) -> History:
    """Evaluate `formula("a / b").rollup("sum").last("5m")` over metric queries in options.variables."""
    named = {
        str(variable.get("name")): variable["query"]
        for variable in monitor.options.variables
        if variable.get("data_source") == "metrics" and isinstance(variable.get("query"), str)
    }
    if len(named) < len(monitor.options.variables) or node.anomaly is not None:
        hint = "formulas over metric queries can be"
        raise InputError("this formula cannot be evaluated offline", hint=hint)
    query = cast("Expression", resolve(node.formula, monitor.query, named, {}))
    aggregation = node.rollup[0] if node.rollup else "avg"
    plain = MetricMonitor("metric", aggregation, node.window, query, node.operator, node.threshold)
    return _metric(monitor, plain, data, start, end, setting, named)


def _times(monitor: Monitor, window: EvaluationWindow, start: int, end: int, setting: Setting) -> Times:
    """Return the times of the evaluations: of the custom schedule, or at regular intervals."""
    if not monitor.options.scheduled:
        return evaluation_times(start, end, window.cadence, setting.phase)
    from monitoring.monitor.schedule import schedule_of  # few monitors have one

    if monitor.options.require_full_window:
        hint = 'set "require_full_window": false'
        raise InputError("a custom schedule excludes require_full_window", hint=hint)
    return schedule_of(monitor.options.scheduling).times(start, end)


def _lookup(window: EvaluationWindow, monitor: Monitor, start: int, end: int, setting: Setting) -> Lookup:
    times = _times(monitor, window, start, end, setting)
    ends = times - monitor.options.evaluation_delay
    full = window.bucket if monitor.options.require_full_window else None
    starts = window.starts(ends)
    silence = monitor.options.notify_no_data
    windows = monitor.options.threshold_windows
    return Lookup(
        window,
        times,
        starts,
        ends,
        setting.switches,
        full,
        setting.stand_in,
        silence,
        threshold_windows=windows,
    )


def _as_zero(monitor: Monitor, counting: bool) -> bool:
    return monitor.options.on_missing_data == "default" and counting


def _limits(
    monitor: Monitor,
    node: Any,
    thresholds: Any,
    keys: tuple[str, ...],
    as_zero: bool | Flags,
    window: EvaluationWindow,
    setting: Setting,
) -> Limits:
    options = monitor.options
    timeframe = None
    if options.notify_no_data and not options.on_missing_data:
        timeframe = options.no_data_timeframe or 2 * window.seconds
    return Limits(
        node.operator,
        thresholds,
        as_zero,
        timeframe,
        _new_group_delay(monitor, keys, setting),
        setting.new_groups_after if setting.known_groups else 0,
        getattr(node, "kind", "") == "anomaly",
    )


def _new_group_delay(monitor: Monitor, keys: tuple[str, ...], setting: Setting) -> int:
    """Return new_group_delay; if only new_host_delay is set, it applies to groups by host.

    It does not apply to a custom schedule, because there every group would be new in each evaluation.
    """
    options = monitor.options
    if not keys or options.scheduled:
        return 0
    if options.new_group_delay is not None:
        return options.new_group_delay
    if options.new_host_delay is not None and "host" in keys:
        return options.new_host_delay
    return setting.switches.new_group_delay


def _history(
    monitor: Monitor,
    lines: Mapping[tuple[str, ...], EvaluationResults],
    lookup: Lookup,
    keys: tuple[str, ...],
    limits: Limits,
    setting: Setting,
    dynamic: Dynamic = NOT_DYNAMIC,
) -> History:
    policy = policy_of(monitor, bool(keys), setting.switches)
    if not keys and () not in lines:
        lines = {(): _nothing(len(lookup.times))}
    groups: dict[str, GroupHistory] = {}
    for tags, line in sorted(lines.items()):
        own = limits_of(limits, dynamic, tags, line)
        code, values = codes(line, own, lookup.times, lookup.ends, setting.switches)
        segments = tuple(run(code, lookup.times, policy, setting.known_groups and bool(keys)))
        decided = decisions(
            code, segments, limits.empty, own.thresholds.warning is not None, setting.switches
        )
        name = group_name(tags)
        groups[name] = GroupHistory(name, tags, values, segments, details_of(own), decided)
    return History(monitor, lookup.times, lookup.starts, lookup.ends, groups, keys=keys)


def _nothing(count: int) -> EvaluationResults:
    return EvaluationResults(np.full(count, np.nan), np.zeros(count, np.bool_), np.full(count, NEVER))


def policy_of(monitor: Monitor, grouped: bool, switches: Switches) -> Policy:
    """Return the monitor's options that the state machine needs."""
    options = monitor.options
    return Policy(
        grouped=grouped,
        notify_no_data=options.notify_no_data,
        on_missing_data=options.on_missing_data,
        timeout=options.timeout,
        retention=options.group_retention,
        independent=options.scheduled,
        switches=switches,
    )


# --- monitors that count records


def _search(monitor: Monitor, node: Any, data: Data, start: int, end: int, setting: Setting) -> History:
    thresholds = check_thresholds(monitor, node.operator, node.threshold)
    window = window_of(node.window, monitor.options.scheduling)
    lookup = _lookup(window, monitor, start, end, setting)
    groups = count_records(node, data.records, lookup.starts, lookup.ends)
    counted = node.rollup[:1] in ((), ("count",), ("cardinality",))
    as_zero: bool | Flags = counted and monitor.options.on_missing_data in {"", "default"}
    if as_zero and node.by and node.operator in {"<", "<="} and groups:
        # log monitor page: below a threshold, a group without logs counts only where no group has any
        as_zero = ~np.any([values.points for values in groups.values()], axis=0)
    limits = _limits(monitor, node, thresholds, node.by, as_zero, window, setting)
    if not node.by and () not in groups:
        groups = {(): _nothing(len(lookup.times))}
    return _history(monitor, groups, lookup, node.by, limits, setting)


def _process(monitor: Monitor, node: Any, data: Data, start: int, end: int, setting: Setting) -> History:
    """Count the distinct processes (host and pid) in each window."""
    search = replace(as_search(node), start=node.start, end=node.end)
    return _search(monitor, search, data._replace(records=processes(data.records)), start, end, setting)


def _slo(monitor: Monitor, node: Any, data: Data, start: int, end: int, setting: Setting) -> History:
    _no_schedule(monitor)
    thresholds = check_thresholds(monitor, node.operator, node.threshold)
    objective = setting.objectives.get(node.slo)
    if objective is None:
        hint = "write ${slo:KEY} in the query and put it into slos/KEY.json, or under slos: in the test"
        raise InputError(f"the SLO {node.slo!r} cannot be evaluated offline: it is not known here", hint=hint)
    length = node.long_window or node.over
    window = EvaluationWindow(length.seconds, length.unit)
    times = evaluation_times(start, end, 60, setting.phase)
    lookup = Lookup(window, times, times - length.seconds, times, setting.switches, None, setting.stand_in)
    groups = {
        tags: EvaluationResults(values, ~np.isnan(values), np.where(np.isnan(values), NEVER, times))
        for tags, values in (objective(node, data, times) if len(times) else {}).items()
    }
    keys = max((tuple(tag.partition(":")[0] for tag in tags) for tags in groups), key=len, default=())
    return _history(monitor, groups, lookup, keys, Limits(node.operator, thresholds), setting)


# --- service checks


def _no_schedule(monitor: Monitor) -> None:
    if monitor.options.scheduled:
        hint = "metric, log and event monitors can have one: remove scheduling_options"
        raise InputError(f"a {monitor.type} has no custom schedule", hint=hint)


def _check(monitor: Monitor, node: Any, data: Data, start: int, end: int, setting: Setting) -> History:
    _no_schedule(monitor)
    times = evaluation_times(start, end, 60, setting.phase)
    options = monitor.options
    timeframe = options.no_data_timeframe or 86400
    policy = CheckPolicy(monitor.thresholds, options.notify_no_data, timeframe, options.timeout)
    cluster = node.function == "pct_by_status"
    if cluster and "*" in node.by:
        node = replace(node, by=())
    groups: dict[str, GroupHistory] = {}
    lines = by_group(node, data.checks)
    if not node.by:
        lines.setdefault((), [])
    for tags, series in sorted(lines.items()):
        if cluster:
            segments, values = run_cluster(series, times, policy, bool(node.by), setting.switches)
        else:
            when, statuses = merged(series)
            segments = run_checks(when, statuses, times, policy, bool(node.by))
            values = _latest(when, statuses, times)
        groups[group_name(tags)] = GroupHistory(group_name(tags), tags, values, tuple(segments))
    starts = np.full(len(times), start)
    return History(monitor, times, starts, times, groups, keys=node.by)


def _latest(when: Times, statuses: Times, times: Times) -> Any:
    """Return the last status before each evaluation; NaN if there is none."""
    return np.append(statuses.astype(np.float64), np.nan)[when.searchsorted(times) - 1]


# --- composites


def _composite(monitor: Monitor, node: Any, data: Data, start: int, end: int, setting: Setting) -> History:
    """Evaluate a composite every minute over the members' states, for the group values that they share."""
    _no_schedule(monitor)
    missing = [identity for identity in node.members if identity not in setting.members]
    if missing:
        hint = f"say which monitor it is: members: {{{missing[0]}: its-key}}"
        raise InputError(f"the composite's member {missing[0]} is not known", hint=hint)
    histories = {
        identity: evaluate_monitor(setting.members[identity], data, start, end, replace(setting, mutes=()))
        for identity in node.members
    }
    times = evaluation_times(start, end, 60, setting.phase)
    groups = {
        group_name(tags): _combined(monitor, node, tags, histories, names, times)
        for tags, names in _common_groups(histories).items()
    }
    keys = max((history.keys for history in histories.values()), key=len)
    starts = np.full(len(times), start)
    return History(monitor, times, starts, times, groups, keys=keys)


_Names = dict[int, str]


def _common_groups(histories: Mapping[int, History]) -> dict[tuple[str, ...], _Names]:
    """Return group tags -> the group of each member, matched by values; an ungrouped member matches all."""
    groups: dict[tuple[str, ...], _Names] = {(): {}}
    for identity, history in histories.items():
        if not history.grouped:
            groups = {tags: {**names, identity: UNGROUPED} for tags, names in groups.items()}
            continue
        longer: dict[tuple[str, ...], _Names] = {}
        for tags, names in groups.items():
            for group in history.groups.values():
                if _fits(tags, group.tags):
                    wide = tags if len(tags) >= len(group.tags) else group.tags
                    longer[wide] = {**names, identity: group.group}
        groups = longer
    return groups


def _fits(tags: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter, longer = sorted((_values(tags), _values(other)), key=len)
    return shorter <= longer


def _values(tags: tuple[str, ...]) -> set[str]:
    return {tag.partition(":")[2] for tag in tags}


def _combined(
    monitor: Monitor,
    node: Any,
    tags: tuple[str, ...],
    histories: Mapping[int, History],
    names: _Names,
    times: Times,
) -> GroupHistory:
    segments: list[Segment] = []
    last = State.NO_DATA if monitor.options.notify_no_data else State.OK
    points = _turning_points(histories, names, times)
    for index in points:
        states = {
            identity: _member_state(histories[identity], name, int(times[index]))
            for identity, name in names.items()
        }
        last = settle(combine(node.expression, states), last, monitor.options.notify_no_data)
        if not segments or segments[-1].state is not last:
            segments.append(Segment(index, last, Rule.MEMBERS))
    name = group_name(tags)
    return GroupHistory(name, tags, np.full(len(times), np.nan), tuple(segments))


def _turning_points(histories: Mapping[int, History], names: _Names, times: Times) -> list[int]:
    """Return the evaluations at which a member changes."""
    points = {0}
    for identity, name in names.items():
        history = histories[identity]
        for segment in history.groups[name].segments:
            points.add(int(times.searchsorted(history.times[segment.index])))
    return sorted(index for index in points if index < len(times))


def _member_state(history: History, group: str, time: int) -> State:
    index = history.index(time)
    if index < 0:
        return State.NO_DATA
    state = history.groups[group].segment(index).state
    return State.NO_DATA if state is None else state


_Evaluate = Callable[[Monitor, Any, Data, int, int, Setting], History]
_KINDS: dict[type[MonitorQuery], _Evaluate] = {
    MetricMonitor: _metric,
    FormulaMonitor: _formula,
    SearchMonitor: _search,
    CheckMonitor: _check,
    CompositeMonitor: _composite,
    ProcessMonitor: _process,
    SloMonitor: _slo,
}
