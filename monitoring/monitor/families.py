"""Evaluate the kinds of metric monitors: plain, change, outlier, and by a stand-in anomaly and forecast."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from monitoring.errors import InputError
from monitoring.monitor import rolling, standins
from monitoring.monitor.codes import EvaluationResults
from monitoring.monitor.metric import (
    Group,
    Index,
    Lookup,
    Values,
    difference,
    find,
    merged,
    reduces_operands,
)
from monitoring.monitor.outliers import outliers
from monitoring.query import Algorithm, Change, Metric, MetricMonitor, walk
from monitoring.query.cursor import Cursor
from monitoring.query.evaluation import evaluate_lines
from monitoring.query.sources import Source, as_source
from monitoring.query.timeseries import NOT_THERE, Lines
from monitoring.query.windows import parse_window

if TYPE_CHECKING:
    from monitoring.query.series import Series

Groups = dict[Group, EvaluationResults]
_T = TypeVar("_T")


def look_up(node: MetricMonitor, series: "Sequence[Series] | Source", lookup: Lookup) -> Groups:
    """Return the value of each evaluation of a metric monitor by the tags of the group.

    Raises:
        QueryError: the query cannot be evaluated offline.
        InputError: it needs a stand-in, and none is named.
    """
    return _KINDS[node.kind](node, as_source(series), lookup)


def _plain(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    return find(node.query, node.aggregation, source, lookup)


# --- change


def _change(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """Evaluate a change alert: the window's value against the one `shift` earlier (page on change alerts)."""
    change = cast(Change, node.change)
    combine = _relative if change.relative else np.subtract
    shift = change.shift.seconds
    if lookup.switches.change_order == "window" or reduces_operands(node.query):
        now = find(node.query, node.aggregation, source, lookup)
        then = find(node.query, node.aggregation, source, lookup.moved(shift))
        return difference(now, then, combine)
    parts = [_bucket_change(node, source, part, shift, combine) for part in lookup.each()]
    return merged(parts, lookup)


def _bucket_change(
    node: MetricMonitor,
    source: Source,
    lookup: Lookup,
    shift: int,
    combine: Callable[[Values, Values], Values],
) -> Groups:
    """Return the reduced differences of the buckets of a window."""
    now, then = _window(node, source, lookup), _window(node, source, lookup.moved(shift))
    earlier = replace(then, times=(then.times + shift) // now.step * now.step).at(now.times)
    before = {earlier.tags(row): earlier.values[row] for row in range(len(earlier.groups))}
    groups: Groups = {}
    for row in range(len(now.groups)):
        tags = now.tags(row)
        known = np.isfinite(now.values[row])
        value = np.nan
        if tags in before:
            deltas = combine(now.values[row], before[tags])
            value = _reduce(node.aggregation, deltas[np.isfinite(deltas)])
        last = now.times[known][-1] if known.any() else rolling.NEVER
        groups[tags] = EvaluationResults(np.array([value]), np.array([bool(known.any())]), np.array([last]))
    return groups


def _relative(now: Values, then: Values) -> Values:
    """Return 100 * (a - b) / b; NaN where b is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result = 100 * (now - then) / then
    return np.where(np.isfinite(result), result, np.nan)


def _window(node: MetricMonitor, source: Source, lookup: Lookup) -> Lines:
    """Return the lines of one window as they are at its end."""
    lines = evaluate_lines(
        node.query,
        source,
        int(lookup.starts[0]),
        int(lookup.ends[0]),
        lookup.interval(),
        switches=lookup.switches,
    )
    kept = [row for row, group in enumerate(lines.groups) if NOT_THERE not in group]
    return lines.picked(kept)


def _rows(lines: Lines) -> Iterator[tuple[Group, Index, Values]]:
    """Yield (tags, times, values) of each line, without empty buckets."""
    for row in range(len(lines.groups)):
        has_value = np.isfinite(lines.values[row])
        yield lines.tags(row), lines.times[has_value], lines.values[row][has_value]


def _reduce(aggregation: str, values: Values) -> float:
    places = np.arange(len(values))
    start, end = np.array([0]), np.array([len(values)])
    return float(rolling.reduce_points(places, values, start, end, aggregation)[0][0])


# --- outliers


def _outlier(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """Return 1 for each group that is an outlier in the window, otherwise 0."""
    algorithm = cast(Algorithm, node.algorithm)
    tolerance = algorithm.deviations if algorithm.deviations is not None else 3.0
    share = float(algorithm.option("percentage", "20"))
    inner = replace(node, query=algorithm.query)

    def judge(lines: Lines, end: int) -> tuple[Values, None]:
        return outliers(lines.values, algorithm.method, tolerance, share).astype(np.float64), None

    return _judged(inner, source, lookup, judge)


_Judge = Callable[[Lines, int], tuple[Values, Values | None]]


def _judged(node: MetricMonitor, source: Source, lookup: Lookup, judge: _Judge) -> Groups:
    """Evaluate window by window, with one value for each group from all lines, and one for the recovery."""
    parts = []
    for part in lookup.each():
        lines = _window(node, source, part).present()
        values, recovery = judge(lines, int(part.ends[0])) if len(lines.groups) else (np.empty(0), None)
        parts.append(
            {
                tags: EvaluationResults(
                    values[row : row + 1],
                    np.array([True]),
                    times[-1:],
                    recovery=None if recovery is None else recovery[row : row + 1],
                )
                for row, (tags, times, _) in enumerate(_rows(lines))
            }
        )
    return merged(parts, lookup)


# --- anomalies and forecasts: only by a stand-in that is asked for by name


def _anomaly(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """Return the share of points outside the stand-in's band in the trigger and in the recovery window."""
    algorithm = cast(Algorithm, node.algorithm)
    band = _stand_in("anomalies", standins.ANOMALIES, lookup.stand_in)
    direction = str(algorithm.option("direction", "both"))
    inner = replace(node, query=algorithm.query)
    trigger, recovery = _threshold_windows(algorithm, lookup)
    counts = [metric.modifier("as_count") for metric in walk(algorithm.query) if isinstance(metric, Metric)]
    zeros = algorithm.option("count_default_zero") == "true" and all(counts)

    def judge(lines: Lines, end: int) -> tuple[Values, Values]:
        lines = _with_zeros(lines, end) if zeros else lines
        shares = np.empty((2, len(lines.groups)))
        for row in range(len(lines.groups)):
            known = np.isfinite(lines.values[row])
            times, values = lines.times[known], lines.values[row][known]
            edges = band(values, algorithm.deviations or 2.0)
            for at, seconds in enumerate((trigger, recovery)):
                shares[at, row] = standins.anomalous_share(values, times >= end - seconds, edges, direction)
        return shares[0], shares[1]

    return _judged(inner, source, replace(lookup, bucket=_bucket(algorithm)), judge)


def _with_zeros(lines: Lines, end: int) -> Lines:
    """Apply count_default_zero: fill buckets without a value, after the first one with a value, with 0."""
    every = lines.at(np.arange(lines.times[0], end, lines.step))
    return every.mapped(np.nan_to_num(every.values))


def _threshold_windows(algorithm: Algorithm, lookup: Lookup) -> tuple[int, int]:
    """Return the seconds of the trigger and the recovery window (anomaly page, threshold_windows)."""
    alert = str(algorithm.option("alert_window", "last_15m"))
    windows = lookup.threshold_windows
    if not windows:
        return _seconds(alert), _seconds(alert)
    for name in ("trigger_window", "recovery_window"):
        if not isinstance(windows.get(name), str):
            hint = f'write "threshold_windows": {{"trigger_window": "{alert}", "recovery_window": "{alert}"}}'
            raise InputError(f"options.threshold_windows has no {name}", hint=hint)
    trigger, recovery = windows["trigger_window"], windows["recovery_window"]
    if _seconds(trigger) != _seconds(alert):
        message = f"trigger_window is {trigger}, but the query's alert_window is {alert}"
        raise InputError(f"options.threshold_windows.{message}", hint="make both the same")
    for name, length in (("alert_window", alert), ("recovery_window", recovery)):
        if _seconds(length) > lookup.window.seconds:
            hint = f"the query's window has to be at least as long: write avg({length}) or longer"
            raise InputError(f"{name} {length} is longer than the window of the query", hint=hint)
    return _seconds(trigger), _seconds(recovery)


def _bucket(algorithm: Algorithm) -> int:
    """Return the argument `interval=`, the rollup of a query without one."""
    interval = algorithm.option("interval", "0")
    return int(interval) if isinstance(interval, float | int) else 0


def _forecast(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """Return the bound of the stand-in's band over the coming window that is nearest to the threshold."""
    algorithm = cast(Algorithm, node.algorithm)
    band = _stand_in("forecast", standins.FORECASTS, lookup.stand_in)
    inner = replace(node, query=algorithm.query)
    lookup = replace(lookup, bucket=_bucket(algorithm))
    history = str(algorithm.option("history"))
    if history:
        lookup = replace(lookup, starts=lookup.ends - _seconds(f"next_{history}"))

    def judge(lines: Lines, end: int) -> tuple[Values, None]:
        ahead = np.arange(
            lines.times[-1] + lines.step, lines.times[-1] + lookup.window.seconds + 1, lines.step
        )
        bounds = []
        for _, times, values in _rows(lines):
            low, high = band(times, values, ahead, algorithm.deviations or 1.0)
            bounds.append(low.min() if node.operator.startswith("<") else high.max())
        return np.array(bounds), None

    return _judged(inner, source, lookup, judge)


def _seconds(text: str) -> int:
    """Return the seconds of `last_15m` or `next_3d`.

    Raises:
        QueryError: it is none.
    """
    cursor = Cursor(text)
    window = parse_window(cursor)
    if not cursor.done:
        cursor.unexpected("the length", ("last_15m",))
    return window.seconds


def _stand_in(function: str, known: Mapping[str, _T], asked: Mapping[str, str]) -> _T:
    name = asked.get(function)
    if name is None:
        hint = f"name a stand-in: stand_in: {{{function}: {next(iter(known))}}}"
        raise InputError(
            f"the formula of {function}() is not published, so it cannot be evaluated offline", hint=hint
        )
    if name not in known:
        raise InputError(f"no stand-in {name!r} for {function}()", hint=f"known are {', '.join(known)}")
    return known[name]


_KINDS: dict[str, Callable[[MetricMonitor, Source, Lookup], Groups]] = {
    "metric": _plain,
    "change": _change,
    "outlier": _outlier,
    "anomaly": _anomaly,
    "forecast": _forecast,
}
