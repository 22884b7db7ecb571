"""The kinds of metric monitors: plain, change, outlier, and those that only a stand-in can evaluate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from monitoring.errors import InputError
from monitoring.monitor import rolling, standins
from monitoring.monitor.codes import Found
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
from monitoring.monitor.windows import window_of
from monitoring.query import MetricMonitor
from monitoring.query.evaluation import evaluate_lines
from monitoring.query.lines import NOT_THERE, Lines
from monitoring.query.sources import Source, as_source

if TYPE_CHECKING:
    from monitoring.series import Series

Groups = dict[Group, Found]
_T = TypeVar("_T")


def look_up(node: MetricMonitor, series: "Sequence[Series] | Source", lookup: Lookup) -> Groups:
    """What each evaluation of a metric monitor finds, by the tags of the group.

    Raises:
        QueryError: the query cannot be evaluated offline.
        InputError: it needs a stand-in, and none is named.
    """
    return _KINDS[node.kind](node, as_source(series), lookup)


def _plain(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    return find(node.query, node.aggregation, source, lookup)


# --- change


def _change(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """The query over the window against the same `shift` earlier (change alert page)."""
    if node.change is None:
        return {}
    combine = _relative if node.change.relative else np.subtract
    shift = node.change.shift.seconds
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
    """One window: the differences of its buckets, reduced."""
    now, then = _window(node, source, lookup), _window(node, source, lookup.moved(shift))
    before = {then.tags(row): then.values[row] for row in range(len(then.groups))}
    found: Groups = {}
    for row in range(len(now.groups)):
        tags = now.tags(row)
        known = np.isfinite(now.values[row])
        value = np.nan
        if tags in before:
            steps = (then.times + shift) // now.step * now.step
            earlier = _aligned(before[tags], steps, now)
            deltas = combine(now.values[row], earlier)
            value = _reduce(node.aggregation, deltas[np.isfinite(deltas)])
        last = now.times[known][-1] if known.any() else rolling.NEVER
        found[tags] = Found(np.array([value]), np.array([bool(known.any())]), np.array([last]))
    return found


def _aligned(values: Values, times: Index, onto: Lines) -> Values:
    result = np.full(len(onto.times), np.nan)
    place = np.searchsorted(onto.times, times)
    fits = (place < len(onto.times)) & (np.append(onto.times, -1)[place] == times)
    result[place[fits]] = values[fits]
    return result


def _relative(now: Values, then: Values) -> Values:
    """100 * (a - b) / b; nothing where b is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result = 100 * (now - then) / then
    return np.where(np.isfinite(result), result, np.nan)


def _window(node: MetricMonitor, source: Source, lookup: Lookup) -> Lines:
    """The lines of one window, as they are known at its end."""
    lines = evaluate_lines(
        node.query,
        source,
        int(lookup.starts[0]),
        int(lookup.ends[0]),
        lookup.interval(),
        switches=lookup.switches,
    )
    kept = [row for row, group in enumerate(lines.groups) if NOT_THERE not in group]
    return lines.picked(kept) if len(kept) < len(lines.groups) else lines


def _rows(lines: Lines) -> Iterator[tuple[Group, Index, Values]]:
    """(tags, times, values) of each line, without its empty buckets."""
    for row in range(len(lines.groups)):
        there = np.isfinite(lines.values[row])
        yield lines.tags(row), lines.times[there], lines.values[row][there]


def _reduce(aggregation: str, values: Values) -> float:
    places = np.arange(len(values))
    start, end = np.array([0]), np.array([len(values)])
    return float(rolling.reduce_points(places, values, start, end, aggregation)[0][0])


# --- outliers


def _outlier(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """1 for a group that is an outlier in the window, else 0."""
    algorithm = node.algorithm
    if algorithm is None:
        return {}
    tolerance = algorithm.deviations if algorithm.deviations is not None else 3.0
    share = float(algorithm.option("percentage", "20"))
    inner = replace(node, query=algorithm.query)

    def judge(lines: Lines) -> Values:
        return outliers(lines.values, algorithm.method, tolerance, share).astype(np.float64)

    return _judged(inner, source, lookup, judge)


def _judged(node: MetricMonitor, source: Source, lookup: Lookup, judge: Callable[[Lines], Values]) -> Groups:
    """Evaluates window by window, with one number a group from all lines of the window."""
    parts = []
    for part in lookup.each():
        lines = _window(node, source, part).present()
        values = judge(lines) if len(lines.groups) else np.empty(0)
        parts.append(
            {
                tags: Found(values[row : row + 1], np.array([True]), times[-1:])
                for row, (tags, times, _) in enumerate(_rows(lines))
            }
        )
    return merged(parts, lookup)


# --- anomalies and forecasts: only by a stand-in that is asked for by name


def _anomaly(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """The share of the points of alert_window outside the stand-in's band; recovery by recovery_window."""
    algorithm = node.algorithm
    if algorithm is None:
        return {}
    band = _stand_in("anomalies", standins.ANOMALIES, lookup.stand_in)
    direction = str(algorithm.option("direction", "both"))
    inner = replace(node, query=algorithm.query)
    seconds = _seconds(str(algorithm.option("alert_window", "last_15m")))

    def judge(lines: Lines) -> Values:
        end = int(lines.times[-1]) + lines.step
        inside = lines.times >= end - seconds
        shares = []
        for row in range(len(lines.groups)):
            known = np.isfinite(lines.values[row])
            values = lines.values[row][known]
            edges = band(values, algorithm.deviations or 2.0)
            shares.append(standins.anomalous_share(values, inside[known], edges, direction))
        return np.array(shares)

    return _judged(inner, source, lookup, judge)


def _forecast(node: MetricMonitor, source: Source, lookup: Lookup) -> Groups:
    """The bound of the stand-in's band over the coming window that comes nearest to the threshold."""
    algorithm = node.algorithm
    if algorithm is None:
        return {}
    band = _stand_in("forecast", standins.FORECASTS, lookup.stand_in)
    inner = replace(node, query=algorithm.query)

    def judge(lines: Lines) -> Values:
        ahead = np.arange(
            lines.times[-1] + lines.step, lines.times[-1] + lookup.window.seconds + 1, lines.step
        )
        bounds = []
        for _, times, values in _rows(lines):
            low, high = band(times, values, ahead, algorithm.deviations or 1.0)
            bounds.append(low.min() if node.operator.startswith("<") else high.max())
        return np.array(bounds)

    return _judged(inner, source, lookup, judge)


def _seconds(text: str) -> int:
    from monitoring.query import parse_monitor

    node = parse_monitor(f"avg({text}):a{{*}} > 0")
    return window_of(node.window, {}).seconds if isinstance(node, MetricMonitor) else 0


def _stand_in(function: str, known: Mapping[str, _T], asked: Mapping[str, str]) -> _T:
    name = asked.get(function)
    if name is None:
        hint = f"name a stand-in: stand_in: {{{function}: {next(iter(known))}}} (docs/monitor-semantics.md)"
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
