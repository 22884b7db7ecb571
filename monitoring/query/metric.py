"""Evaluate a metric query: select sources, aggregate over time, interpolate, aggregate over space."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.query.clipped import whole_source
from monitoring.query.distribution import in_bins, percentile, pooled
from monitoring.query.frame import EvaluationFrame
from monitoring.query.gaps import LIMIT, filled
from monitoring.query.grid import Grid
from monitoring.query.nodes import Metric
from monitoring.query.sources import Buckets, Floats, Origin, Source, Times
from monitoring.query.switches import Switches
from monitoring.query.timeseries import NOT_THERE, Group, Lines, aggregate_rows, empty

Rate = Callable[[Floats, Times], Floats]
"""Implement diff() and similar functions over rows: (values, times) -> values."""

MOST_VALUES = 400_000_000
"""The largest number of values (sources times buckets) in memory."""
_PLAIN = {"avg", "sum", "min", "max", "count"}


class Membership(NamedTuple):
    """The groups of a query, and the sources of each; a source may be in several groups."""

    groups: tuple[Group, ...]
    origin: Times
    owner: Times

    @property
    def crowded(self) -> bool:
        """Return whether some group has several sources."""
        return len(self.owner) > len(self.groups)


class Gaps(NamedTuple):
    """How empty buckets are filled: the method, the limit in seconds, and whether fill() sets it."""

    method: str
    limit: float
    asked: bool


def operand_lines(node: Metric, frame: EvaluationFrame, rate: Rate | None = None) -> Lines:
    """Return the lines of a metric query as an operand; a repeated query is evaluated once."""
    key = (node, rate, frame.start, frame.end)
    if key not in frame.memo:
        frame.memo[key] = metric_lines(node, frame, rate)
    return frame.memo[key]


def metric_lines(node: Metric, frame: EvaluationFrame, rate: Rate | None = None) -> Lines:
    """Evaluate a metric query; `rate` is applied to each source before space aggregation.

    Raises:
        QueryError: the query is a percentile of a metric that is not a distribution, or has too many values.
    """
    grid = frame.grid(node)
    origins = frame.source.select(node.name, node.scope, frame.switches.wildcards == "anywhere")
    if not origins or not len(grid):
        return empty(node.by, grid.starts, grid.step)
    if not frame.occupied and len(origins) * len(grid) > MOST_VALUES:
        message = f"{len(origins)} sources in {len(grid)} buckets are too many"
        raise frame.error(message, node, "a longer interval, a shorter window or a narrower scope")
    members = membership(origins, node.by)
    if any(origin.type == "distribution" for origin in origins):
        lines = _pooled_lines(node, frame, grid, origins, members)
        return lines.mapped(rate(lines.values, lines.times)) if rate else lines
    if node.threshold or (node.aggregator not in _PLAIN and node.aggregator is not None):
        asked = "a threshold count" if node.threshold else node.aggregator
        raise frame.error(
            f"{asked} needs a distribution, and {node.name} is a {origins[0].type}",
            node,
            f"avg:{node.name}{{…}}, or submit {node.name} as a distribution",
        )
    return _source_lines(node, frame, grid, origins, members, rate)


def membership(origins: Sequence[Origin], by: tuple[str, ...]) -> Membership:
    """Return the groups of sources, sorted; a source with several values of a key is in several groups."""
    sources: dict[Group, list[int]] = {}
    prefixes = [f"{key.lower()}:" for key in by]
    for at, origin in enumerate(origins):
        values = [_values(origin, prefix) for prefix in prefixes]
        for group in product(*values):
            sources.setdefault(group, []).append(at)
    groups = tuple(sorted(sources))
    members = [(at, row) for row, group in enumerate(groups) for at in sources[group]]
    pairs = np.array(members, dtype=np.int64).reshape(-1, 2)
    return Membership(groups, pairs[:, 0], pairs[:, 1])


def _values(origin: Origin, prefix: str) -> list[str]:
    return sorted(tag[len(prefix) :] for tag in origin.tags if tag.startswith(prefix)) or [NOT_THERE]


def percentile_windows(
    node: Metric, source: Source, starts: Times, ends: Times, switches: Switches
) -> Floats:
    """Return the query's percentile of all values of a distribution in each window `[start, end)`.

    Returns:
        A row per group, in the order of `membership`; NaN for a window without values.
    """
    origins = source.select(node.name, node.scope, switches.wildcards == "anywhere")
    members = membership(origins, node.by)
    points = source.points(origins, int(starts.min()), float(ends.max()))
    share = float((node.aggregator or "p50")[1:])
    result = np.full((len(members.groups), len(starts)), np.nan)
    for row in range(len(members.groups)):
        group_rows = np.isin(points.origin, members.origin[members.owner == row])
        order = np.argsort(points.times[group_rows], kind="stable")
        times, values = points.times[group_rows][order], points.values[group_rows][order]
        for column, (first, last) in enumerate(np.searchsorted(times, [starts, ends]).T):
            if first < last:
                result[row, column] = percentile(values[first:last], share)
    return in_bins(result) if switches.quantiles == "sketch" else result


def effective(node: Metric, kind: str) -> str:
    """Return `as_count` or `as_rate` if the query has it and the metric's type allows it, otherwise None."""
    for modifier in reversed(node.modifiers):
        if modifier.name in {"as_count", "as_rate"}:
            return modifier.name if kind in {"count", "rate"} else ""
    return ""


def gaps_of(node: Metric, smooth: bool, switches: Switches) -> Gaps:
    """Return the method of fill(), or the default interpolation of the metric's type."""
    fill = node.modifier("fill")
    if fill is None:
        return Gaps("linear" if smooth else "null", LIMIT, asked=False)
    method, *rest = fill.arguments
    limit = float(rest[0]) if rest else float(LIMIT)
    if not isinstance(method, str):
        if method and switches.bare_fill == "ignore":
            return Gaps("null", 0, asked=True)
        method, limit = ("linear", float(method)) if method else ("zero", float(LIMIT))
    if switches.longest_fill is not None:
        limit = min(limit, switches.longest_fill)
    return Gaps(method, limit, asked=True)


def _source_lines(
    node: Metric,
    frame: EvaluationFrame,
    grid: Grid,
    origins: Sequence[Origin],
    members: Membership,
    rate: Rate | None,
) -> Lines:
    kind, switches = origins[0].type, frame.switches
    counting = effective(node, kind)
    smooth = not counting and (kind == "gauge" or switches.interpolate_counts)
    gaps = gaps_of(node, smooth, switches)
    mixes = members.crowded or (switches.align_groups and len(members.groups) > 1)
    pads = gaps.method != "null" and (gaps.asked or mixes) and rate is None
    wide = grid.padded(int(gaps.limit), int(gaps.limit)) if pads else grid
    aggregator = _time_aggregator(node, counting, kind, switches)
    occupied = frame.occupied and not gaps.asked

    def bucketed(source: Source) -> Buckets:
        rows = source.bucket(origins, wide, aggregator, frame.until, occupied)
        return replace(rows, values=_scaled(rows.values, node, frame, wide, origins, counting))

    rows = bucketed(frame.source)
    values = rows.values
    if rate is not None:
        values = rate(values, rows.starts)
    times = rows.starts
    has_value = np.isfinite(values)
    if gaps.asked or mixes:
        long_gaps = gaps.asked or switches.long_gaps == "limit"
        whole = whole_source(frame.source) if gaps.asked else None
        earlier = None if whole is None else bucketed(whole).values
        values = filled(values, times, gaps.method, gaps.limit, long_gaps=long_gaps, earlier=earlier)
    guessed = not gaps.asked and bool(np.isfinite(values).sum() > has_value.sum())
    if pads:
        inside = (times >= grid.edges[0]) & (times < grid.edges[-1])
        times, values, has_value = times[inside], values[:, inside], has_value[:, inside]
    lines = aggregate_rows(
        values[members.origin], members.owner, len(members.groups), node.aggregator or "avg"
    )
    if guessed:
        lines = np.where(_real(has_value, members, switches), lines, np.nan)
    return Lines(
        node.by,
        members.groups,
        times,
        lines,
        grid.step,
        counted=bool(counting),
        smooth=smooth and gaps.method != "null",
        guessed=guessed,
    )


def _real(has_value: NDArray[np.bool_], members: Membership, switches: Switches) -> NDArray[np.bool_]:
    """Return where a group has a point that is not interpolated (with `align_groups`: any group)."""
    if switches.align_groups:
        anywhere: NDArray[np.bool_] = np.any(has_value, axis=0, keepdims=True)
        return anywhere
    counts = aggregate_rows(
        np.where(has_value[members.origin], 1.0, np.nan), members.owner, len(members.groups), "count"
    )
    return np.isfinite(counts)


def _time_aggregator(node: Metric, counting: str, kind: str, switches: Switches) -> str:
    """Return the time aggregator: sum for as_count, as_rate and weighted sums, otherwise the rollup's."""
    if counting or (node.modifier("weighted") and kind == "gauge"):
        return "sum"
    rollup = node.modifier("rollup")
    if rollup and rollup.arguments and isinstance(rollup.arguments[0], str):
        return rollup.arguments[0]
    return switches.count_rollup if kind in {"count", "rate"} else "avg"


def _scaled(
    values: Floats, node: Metric, frame: EvaluationFrame, grid: Grid, origins: Sequence[Origin], counting: str
) -> Floats:
    """Convert sums to rates or rates to counts, and weight sums by the time in which a source had points."""
    kind = origins[0].type
    if counting == "as_rate" and kind == "count":
        intervals = np.array([origin.interval or 0 for origin in origins])[:, None]
        lengths = np.diff(grid.edges)[None, :] if len(values[0]) == len(grid) else np.array([[grid.step]])
        return values / np.where(intervals > lengths, 1, lengths)
    if counting == "as_count" and kind == "rate":
        return values * _intervals(frame, grid, origins)[:, None]
    if node.modifier("weighted") and kind == "gauge" and not counting:
        return values * (_intervals(frame, grid, origins)[:, None] / grid.step)
    return values


def _intervals(frame: EvaluationFrame, grid: Grid, origins: Sequence[Origin]) -> Floats:
    """Return the seconds between the points of each source: its interval, smallest gap, or the bucket."""
    intervals = np.array([float(origin.interval or 0) for origin in origins])
    unknown = np.flatnonzero(intervals == 0)
    if len(unknown):
        asked = [origins[int(at)] for at in unknown]
        points = frame.source.points(asked, int(grid.edges[0]), min(frame.until, float(grid.edges[-1])))
        for indexes, at in enumerate(unknown):
            gaps = np.diff(points.times[points.origin == indexes])
            positive = gaps[gaps > 0]
            intervals[at] = float(positive.min()) if len(positive) else grid.step
    return intervals


def _pooled_lines(
    node: Metric, frame: EvaluationFrame, grid: Grid, origins: Sequence[Origin], members: Membership
) -> Lines:
    """Evaluate a distribution: aggregate the values of all sources, whatever the rollup's aggregator is."""
    countable = node.aggregator in {"count", "sum"}
    counting = effective(node, "count") if countable else ""
    gaps = gaps_of(node, False, frame.switches)
    wide = grid.padded(int(gaps.limit), int(gaps.limit)) if gaps.asked else grid

    def bucketed(source: Source) -> Floats:
        values = pooled(
            node, replace(frame, source=source), wide, origins, members.origin, members.owner, groups
        )
        return values / np.diff(wide.edges) if counting == "as_rate" else values

    groups = len(members.groups)
    values = bucketed(frame.source)
    times = wide.starts
    if gaps.asked:
        whole = whole_source(frame.source)
        earlier = None if whole is None else bucketed(whole)
        values = filled(values, times, gaps.method, gaps.limit, earlier=earlier)
        inside = (times >= grid.edges[0]) & (times < grid.edges[-1])
        times, values = times[inside], values[:, inside]
    return Lines(
        node.by, members.groups, times, values, grid.step, counted=bool(counting), smooth=not countable
    )
