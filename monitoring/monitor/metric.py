"""What a metric monitor's evaluations find: its query over every window, reduced to one number by group.

The query is evaluated once over the whole span where that gives what each evaluation alone would give:
buckets end where windows end, and no value depends on its neighbours or on points that come later. Otherwise
every evaluation is made on its own, on the points before its end. A test compares the two.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.monitor import rolling
from monitoring.monitor.codes import NEVER, Found
from monitoring.monitor.switches import Switches
from monitoring.monitor.windows import Window
from monitoring.query import Call, Metric, MetricMonitor, Query, walk
from monitoring.query.evaluation import evaluate_lines, only_points, windowed
from monitoring.query.grid import CALENDAR, default_interval
from monitoring.query.lines import NOT_THERE, Lines
from monitoring.query.sources import Source

Values = NDArray[np.float64]
Index = NDArray[np.int64]
Group = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The evaluations: their times, the window of each, and how the window is looked at."""

    window: Window
    times: Index
    starts: Index
    ends: Index
    switches: Switches
    full_bucket: int | None = None
    stand_in: Mapping[str, str] = field(default_factory=dict)

    def interval(self) -> int:
        """Seconds of a bucket where the query has no rollup."""
        return self.switches.monitor_bucket or default_interval(
            self.window.seconds, self.switches.default_points
        )

    def part(self, at: int) -> "Lookup":
        """One of the evaluations."""
        one = slice(at, at + 1)
        return replace(self, times=self.times[one], starts=self.starts[one], ends=self.ends[one])

    def moved(self, seconds: int) -> "Lookup":
        """The same windows, earlier."""
        return replace(self, starts=self.starts - seconds, ends=self.ends - seconds)


def has_arithmetic(query: Query) -> bool:
    """Whether an operator joins two operands of which one at least is a query."""
    return any(type(node).__name__ in {"Binary", "Negative"} for node in walk(query))


def reduces_operands(query: Query) -> bool:
    """Whether the as_count path applies: arithmetic, and as_count somewhere (as-count guide)."""
    metrics = [node for node in walk(query) if isinstance(node, Metric)]
    return has_arithmetic(query) and any(node.modifier("as_count") for node in metrics)


def counts(node: MetricMonitor) -> bool:
    """Whether on_missing_data "default" evaluates 0: sums and counts without default_zero (its guide)."""
    nodes = walk(node.query)
    if any(isinstance(each, Call) and each.name == "default_zero" for each in nodes):
        return False
    metrics = [each for each in nodes if isinstance(each, Metric)]
    counted = bool(metrics) and all(
        each.modifier("as_count") or each.aggregator == "count" for each in metrics
    )
    return node.kind == "metric" and (node.aggregation == "sum" or counted)


@dataclass(slots=True)
class Presence:
    """Where the operands of a query have points: the arithmetic may give no value although there are some."""

    lookup: Lookup
    guessed: bool = False
    found: dict[frozenset[str], list[Found]] = field(default_factory=dict)

    def note(self, tags: Group, times: Index, values: Values, step: int) -> None:
        """One operand's row: the value of each window, and where it has points."""
        low, high = bounds(times, self.lookup, step)
        full = None
        if self.lookup.full_bucket is not None:
            full = rolling.full(times, self.lookup.starts, self.lookup.ends, self.lookup.full_bucket, step)
        found = Found(values, high > low, rolling.last_times(times, high), full)
        self.found.setdefault(frozenset(tags), []).append(found)

    def of(self, tags: Group, values: Values) -> Found:
        """What is found with these values: a point of any operand of the group is a point."""
        wanted = frozenset(tags)
        rows = [row for group, rows in self.found.items() if group <= wanted for row in rows]
        if not rows:
            return Found(values, ~np.isnan(values), np.full(len(values), NEVER), None)
        points = np.logical_or.reduce([row.points for row in rows])
        last = np.maximum.reduce([row.last for row in rows])
        full = None
        if self.lookup.full_bucket is not None:
            full = np.logical_or.reduce([row.full for row in rows if row.full is not None])
        return Found(values, points, last, full)


def find(query: Query, aggregation: str, source: Source, lookup: Lookup) -> dict[Group, Found]:
    """What each evaluation finds, by the tags of the group; groups that lack a key are left out.

    Raises:
        QueryError: the query cannot be evaluated offline.
    """
    if not len(lookup.times):
        return {}
    if spans(query, lookup) and (lines := _span(query, aggregation, source, lookup)) is not None:
        return lines
    return merged(
        [_one(query, aggregation, source, lookup.part(at)) for at in range(len(lookup.times))], lookup
    )


def spans(query: Query, lookup: Lookup) -> bool:
    """Whether one evaluation over the whole span gives what one a window gives."""
    if windowed(query) or not only_points(query) or lookup.switches.window_end == "closed":
        return False
    return all(step and not (lookup.ends % step).any() for step in steps(query, lookup.interval()))


def steps(query: Query, interval: int) -> Iterator[int]:
    """Seconds of the buckets of every metric query; 0 for calendar ones."""
    for node in walk(query):
        if isinstance(node, Metric):
            rollup = node.modifier("rollup")
            arguments = rollup.arguments if rollup else ()
            numbers = [int(each) for each in arguments if not isinstance(each, str)]
            calendar = any(each in CALENDAR for each in arguments)
            yield 0 if calendar else (numbers[0] if numbers else interval)


def _span(query: Query, aggregation: str, source: Source, lookup: Lookup) -> dict[Group, Found] | None:
    """All windows at once; None where points were interpolated, which later points could change."""
    presence = Presence(lookup)
    operand = _operand(query, presence, aggregation)
    start, end = int(lookup.starts.min()), int(lookup.ends.max())
    lines = evaluate_lines(
        query, source, start, end, lookup.interval(), switches=lookup.switches, operand=operand
    )
    return None if presence.guessed else _found(query, lines, aggregation, lookup, presence)


def _one(query: Query, aggregation: str, source: Source, lookup: Lookup) -> dict[Group, Found]:
    """One window, on the points before its end."""
    presence = Presence(lookup)
    operand = _operand(query, presence, aggregation)
    start, end = int(lookup.starts[0]), int(lookup.ends[0]) + (lookup.switches.window_end == "closed")
    lines = evaluate_lines(
        query, source, start, end, lookup.interval(), switches=lookup.switches, operand=operand
    )
    return _found(query, lines, aggregation, lookup, presence)


def _operand(query: Query, presence: Presence, aggregation: str) -> Callable[[Lines], Lines]:
    """What happens to the lines of each metric query before arithmetic: they are noted, and become one value
    a window on the as_count path."""
    reduces = reduces_operands(query)
    lookup = presence.lookup

    def operand(lines: Lines) -> Lines:
        presence.guessed |= lines.guessed
        values = np.full((len(lines.groups), len(lookup.times)), np.nan)
        for row, (tags, times, points) in enumerate(rows(lines)):
            if reduces:
                values[row] = rolling.reduce_windows(aggregation, points, *bounds(times, lookup, lines.step))
            presence.note(tags, times, values[row], lines.step)
        return replace(lines, times=lookup.ends, values=values) if reduces else lines

    return operand


def bounds(times: Index, lookup: Lookup, step: int) -> tuple[Index, Index]:
    """The slice of `times` in each window; one shorter than a bucket takes the bucket of its end."""
    starts = lookup.starts
    if step > 1:
        starts = np.minimum(-(-starts // step) * step, (lookup.ends - 1) // step * step)
    return rolling.bounds(times, starts, lookup.ends + (lookup.switches.window_end == "closed"))


def rows(lines: Lines) -> Iterator[tuple[Group, Index, Values]]:
    """(tags, times, values) of each line, without its empty buckets."""
    for row in range(len(lines.groups)):
        values = lines.values[row]
        there = np.isfinite(values)
        if there.all():
            yield lines.tags(row), lines.times, values
        else:
            yield lines.tags(row), lines.times[there], values[there]


def _found(
    query: Query, lines: Lines, aggregation: str, lookup: Lookup, presence: Presence
) -> dict[Group, Found]:
    found: dict[Group, Found] = {}
    reduced = reduces_operands(query)
    for row, (tags, times, points) in enumerate(rows(lines)):
        if NOT_THERE in lines.groups[row] and lookup.switches.monitor_na == "drop":
            continue
        values = lines.values[row]
        if not reduced:
            values = rolling.reduce_windows(aggregation, points, *bounds(times, lookup, lines.step))
        found[tags] = presence.of(tags, values)
    return found


def merged(parts: list[dict[Group, Found]], lookup: Lookup) -> dict[Group, Found]:
    """Evaluations made one by one, as arrays."""
    count = len(lookup.times)
    merged: dict[Group, Found] = {}
    for at, part in enumerate(parts):
        for tags, each in part.items():
            if tags not in merged:
                full = None if lookup.full_bucket is None else np.zeros(count, dtype=np.bool_)
                nothing = np.full(count, np.nan)
                merged[tags] = Found(nothing, np.zeros(count, np.bool_), np.full(count, NEVER), full)
            into = merged[tags]
            into.values[at], into.points[at], into.last[at] = each.values[0], each.points[0], each.last[0]
            if into.full is not None and each.full is not None:
                into.full[at] = each.full[0]
    for each in merged.values():
        np.maximum.accumulate(each.last, out=each.last)
    return merged


def difference(
    now: Mapping[Group, Found], then: Mapping[Group, Found], combine: Callable[[Any, Any], Any]
) -> dict[Group, Found]:
    """Two lookups joined by group: a value only where both have one."""
    return {
        tags: replace(each, values=combine(each.values, then[tags].values))
        for tags, each in now.items()
        if tags in then
    }
