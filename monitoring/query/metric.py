"""Evaluates one metric query: sources selected, aggregated over time, interpolated, aggregated over space."""

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
"""The most values, sources times buckets, that are held at once."""
_PLAIN = {"avg", "sum", "min", "max", "count"}


class Membership(NamedTuple):
    """Which groups there are, and which sources belong to each (a source may belong to several)."""

    groups: tuple[Group, ...]
    origin: Times
    owner: Times

    @property
    def crowded(self) -> bool:
        """Return whether some group has several sources."""
        return len(self.owner) > len(self.groups)


class Gaps(NamedTuple):
    """How empty buckets are filled: the method, for how many seconds, and whether a query asked for it."""

    method: str
    limit: float
    asked: bool


def operand_lines(node: Metric, frame: EvaluationFrame, rate: Rate | None = None) -> Lines:
    """Return the lines of a metric query as an operand, evaluated once however often it occurs."""
    key = (node, rate, frame.start, frame.end)
    if key not in frame.memo:
        frame.memo[key] = metric_lines(node, frame, rate)
    return frame.memo[key]


def metric_lines(node: Metric, frame: EvaluationFrame, rate: Rate | None = None) -> Lines:
    """Evaluate a metric query; `rate` is applied to each source before space aggregation.

    Raises:
        QueryError: a percentile is asked of something that is not a distribution.
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
    """Return the groups of sources by keys, sorted; a source with several values of one key is in several."""
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
        One row a group, in the order of `membership`; NaN for a window without values.
    """
    origins = source.select(node.name, node.scope, switches.wildcards == "anywhere")
    members = membership(origins, node.by)
    points = source.points(origins, int(starts.min()), float(ends.max()))
    share = float((node.aggregator or "p50")[1:])
    result = np.full((len(members.groups), len(starts)), np.nan)
    for row in range(len(members.groups)):
        mine = np.isin(points.origin, members.origin[members.owner == row])
        order = np.argsort(points.times[mine], kind="stable")
        times, values = points.times[mine][order], points.values[mine][order]
        for column, (first, last) in enumerate(np.searchsorted(times, [starts, ends]).T):
            if first < last:
                result[row, column] = percentile(values[first:last], share)
    return in_bins(result) if switches.quantiles == "sketch" else result


def effective(node: Metric, kind: str) -> str:
    """as_count or as_rate, where the type of the metric lets it have an effect."""
    for modifier in reversed(node.modifiers):
        if modifier.name in {"as_count", "as_rate"}:
            return modifier.name if kind in {"count", "rate"} else ""
    return ""


def gaps_of(node: Metric, smooth: bool, switches: Switches) -> Gaps:
    """fill, or else the interpolation that the type of the metric brings with it."""
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
    there = np.isfinite(values)
    if gaps.asked or mixes:
        long_gaps = gaps.asked or switches.long_gaps == "limit"
        whole = whole_source(frame.source) if gaps.asked else None
        earlier = None if whole is None else bucketed(whole).values
        values = filled(values, times, gaps.method, gaps.limit, long_gaps=long_gaps, earlier=earlier)
    guessed = not gaps.asked and bool(np.isfinite(values).sum() > there.sum())
    if pads:
        inside = (times >= grid.edges[0]) & (times < grid.edges[-1])
        times, values, there = times[inside], values[:, inside], there[:, inside]
    lines = aggregate_rows(
        values[members.origin], members.owner, len(members.groups), node.aggregator or "avg"
    )
    if guessed:
        lines = np.where(_real(there, members, switches), lines, np.nan)
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


def _real(there: NDArray[np.bool_], members: Membership, switches: Switches) -> NDArray[np.bool_]:
    """Where a group has a point of its own (or, with `align_groups`, where any group has)."""
    if switches.align_groups:
        anywhere: NDArray[np.bool_] = np.any(there, axis=0, keepdims=True)
        return anywhere
    counts = aggregate_rows(
        np.where(there[members.origin], 1.0, np.nan), members.owner, len(members.groups), "count"
    )
    return np.isfinite(counts)


def _time_aggregator(node: Metric, counting: str, kind: str, switches: Switches) -> str:
    """as_count, as_rate and weighted sum, whatever the rollup says."""
    if counting or (node.modifier("weighted") and kind == "gauge"):
        return "sum"
    rollup = node.modifier("rollup")
    if rollup and rollup.arguments and isinstance(rollup.arguments[0], str):
        return rollup.arguments[0]
    return switches.count_rollup if kind in {"count", "rate"} else "avg"


def _scaled(
    values: Floats, node: Metric, frame: EvaluationFrame, grid: Grid, origins: Sequence[Origin], counting: str
) -> Floats:
    """Scale sums to rates, rates to counts, and weight sums by the time that a source existed."""
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
    """Seconds between the points of each source: as it says, else its smallest gap, else the bucket."""
    intervals = np.array([float(origin.interval or 0) for origin in origins])
    unknown = np.flatnonzero(intervals == 0)
    if len(unknown):
        asked = [origins[int(at)] for at in unknown]
        points = frame.source.points(asked, int(grid.edges[0]), min(frame.until, float(grid.edges[-1])))
        for place, at in enumerate(unknown):
            gaps = np.diff(points.times[points.origin == place])
            positive = gaps[gaps > 0]
            intervals[at] = float(positive.min()) if len(positive) else grid.step
    return intervals


def _pooled_lines(
    node: Metric, frame: EvaluationFrame, grid: Grid, origins: Sequence[Origin], members: Membership
) -> Lines:
    """Evaluate a distribution: the values of all sources are pooled, whatever the rollup's aggregator."""
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
