"""Evaluate a metric monitor: reduce its query to a number per window and group.

The query is evaluated once over the whole time if the result is the same as that of separate evaluations: no
value depends on its window, on its neighbours or on later points. If windows end within a bucket, that
bucket is computed from the points before the window's end. Otherwise each window is evaluated separately.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import lcm
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.monitor.codes import EvaluationResults
from monitoring.monitor.rolling import NEVER, Reduced, Windows, reduce_lines
from monitoring.monitor.switches import Switches
from monitoring.monitor.windows import EvaluationWindow
from monitoring.query import Binary, Call, Metric, MetricMonitor, Negative, Number, Query, walk
from monitoring.query.calls import CALLS
from monitoring.query.clipped import Clipped
from monitoring.query.evaluation import (
    VALUE_MAKERS,
    arithmetic,
    evaluate_lines,
    frame_of,
    only_points,
    windowed,
)
from monitoring.query.frame import EvaluationFrame
from monitoring.query.grid import CALENDAR, MOST_PADDING, default_interval
from monitoring.query.metric import gaps_of, percentile_windows
from monitoring.query.parser import PERCENTILE
from monitoring.query.series import distinct
from monitoring.query.sources import Source
from monitoring.query.timeseries import NOT_THERE, Lines

Values = NDArray[np.float64]
Index = NDArray[np.int64]
Group = tuple[str, ...]

MOST_PHASES = 240
"""The largest number of different offsets of windows' ends in a bucket; beyond it, evaluate one by one."""

MOST_SPANNED = 200_000
"""The largest number of buckets, including empty ones, that are evaluated at once."""

SHIFTS = {
    "timeshift": 0,
    "calendar_shift": 0,
    "hour_before": 3600,
    "day_before": 86400,
    "week_before": 604800,
    "month_before": 2419200,
}
"""Functions that read another time -> the seconds of the shift, if the name implies them."""


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The times and windows of the evaluations, and options for reading them.

    `silence` asks for the time of the last point of any operand; `bucket` are the seconds of a bucket that
    anomalies() and forecast() ask for, `threshold_windows` what the options say of theirs.
    """

    window: EvaluationWindow
    times: Index
    starts: Index
    ends: Index
    switches: Switches
    full_bucket: int | None = None
    stand_in: Mapping[str, str] = field(default_factory=dict)
    silence: bool = False
    bucket: int = 0
    threshold_windows: Mapping[str, Any] = field(default_factory=dict)

    def interval(self) -> int:
        """Seconds of a bucket where the query has no rollup."""
        return (
            self.bucket
            or self.switches.monitor_bucket
            or default_interval(self.window.seconds, self.switches.default_points)
        )

    def windows(self) -> Windows:
        """Return the windows, with ends as the switch says."""
        closed = self.switches.window_end == "closed"
        return Windows(self.starts, self.ends + closed, self.full_bucket)

    def part(self, chosen: NDArray[np.bool_] | slice) -> "Lookup":
        """Return some of the evaluations."""
        return replace(self, times=self.times[chosen], starts=self.starts[chosen], ends=self.ends[chosen])

    def each(self) -> Iterator["Lookup"]:
        """Yield the evaluations one by one."""
        for at in range(len(self.times)):
            yield self.part(slice(at, at + 1))

    def moved(self, seconds: int) -> "Lookup":
        """Return the same windows, earlier."""
        return replace(self, starts=self.starts - seconds, ends=self.ends - seconds)


def has_arithmetic(query: Query) -> bool:
    """Return whether an operator joins two operands."""
    return any(isinstance(node, Binary | Negative) for node in walk(query))


def reduces_operands(query: Query) -> bool:
    """Return whether the as_count path applies: arithmetic, and as_count somewhere (as-count guide)."""
    metrics = [node for node in walk(query) if isinstance(node, Metric)]
    return has_arithmetic(query) and any(node.modifier("as_count") for node in metrics)


def counts(node: MetricMonitor) -> bool:
    """Return whether on_missing_data "default" evaluates 0: sums and counts without default_zero."""
    nodes = walk(node.query)
    if any(isinstance(part, Call) and part.name == "default_zero" for part in nodes):
        return False
    metrics = [part for part in nodes if isinstance(part, Metric)]
    counted = bool(metrics) and all(
        part.modifier("as_count") or part.aggregator == "count" for part in metrics
    )
    return node.kind == "metric" and (node.aggregation == "sum" or counted)


def value_when_empty(node: Query) -> float:
    """Return an expression's value where no metric in it has a point: 0 for default_zero, NaN for none."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Negative):
        return -value_when_empty(node.operand)
    if isinstance(node, Call) and node.name == "default_zero":
        inner = value_when_empty(cast("Query", node.arguments[0]))
        return 0.0 if np.isnan(inner) else inner
    if not isinstance(node, Binary):
        return float("nan")
    left, right = value_when_empty(node.left), value_when_empty(node.right)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(_OPERATORS[node.operator](np.float64(left), np.float64(right)))
    return value if np.isfinite(value) else float("nan")


_OPERATORS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


def find(query: Query, aggregation: str, source: Source, lookup: Lookup) -> dict[Group, EvaluationResults]:
    """Return the value of each evaluation by the tags of the group; groups that lack a key are left out.

    Raises:
        QueryError: the query cannot be evaluated offline.
        InputError: nor the aggregation.
    """
    if not len(lookup.times):
        return {}
    finder = _Finder(query, aggregation, source)
    if (step := span_step(query, lookup)) and (series := finder.span(lookup, step)) is not None:
        return series
    return merged([finder.window(part) for part in lookup.each()], lookup)


def span_step(query: Query, lookup: Lookup) -> int:
    """Seconds after which all buckets of the query begin anew; 0 if evaluating the whole span will not do."""
    if windowed(query) or lookup.switches.window_end == "closed":
        return 0
    if not only_points(query) and not _fills_from_earlier(query, lookup):
        return 0
    step = lcm(*steps(query, lookup.interval()))
    if not step or not (inside := distinct(lookup.ends % step)).any():
        return step
    shifted = any(shift % step for shift in _shifts(query))
    return 0 if shifted or lookup.full_bucket or len(inside) > MOST_PHASES else step


def _fills_from_earlier(query: Query, lookup: Lookup) -> bool:
    """Return whether empty buckets get their values from the points before them alone: fill last or zero."""
    if any(isinstance(node, Call) and node.name in VALUE_MAKERS for node in walk(query)):
        return False
    step = min(steps(query, lookup.interval()))
    gaps = [gaps_of(node, False, lookup.switches) for node in walk(query) if isinstance(node, Metric)]
    longest = max(gap.limit for gap in gaps)
    span = int(lookup.ends.max() - lookup.starts.min()) + longest
    return (
        all(gap.method in _FROM_EARLIER for gap in gaps)
        and step > 0
        and longest <= step * MOST_PADDING
        and span <= step * MOST_SPANNED
    )


_FROM_EARLIER = {"last", "zero", "null"}


def steps(query: Query, interval: int) -> Iterator[int]:
    """Seconds of the buckets of every metric query; 0 for calendar ones."""
    for node in walk(query):
        if isinstance(node, Metric):
            rollup = node.modifier("rollup")
            arguments = rollup.arguments if rollup else ()
            numbers = [int(argument) for argument in arguments if not isinstance(argument, str)]
            calendar = any(argument in CALENDAR for argument in arguments)
            yield 0 if calendar else (numbers[0] if numbers else interval)


def _shifts(query: Query) -> Iterator[int]:
    for node in walk(query):
        if isinstance(node, Call):
            yield SHIFTS.get(node.name, 0)
            if node.name in {"timeshift", "moving_rollup"}:
                yield from (int(getattr(argument, "value", 0)) for argument in node.arguments[1:2])


@lru_cache(maxsize=16)
def _unwidened(switches: Switches) -> Switches:
    return replace(switches, most_points=10**9)


class _GuessedError(Exception):
    """Raised if points were interpolated, so that later points affect them: evaluate windows separately."""


@dataclass(frozen=True, slots=True)
class _Finder:
    """Evaluate a query over windows of a source; `whole` caches what several passes share."""

    query: Query
    aggregation: str
    source: Source
    whole: dict[Any, Lines] = field(default_factory=dict)

    def lines(self, query: Query, lookup: Lookup, source: Source) -> Lines:
        """Evaluate the lines over all windows; nothing after the end of the last window is visible."""
        windows = lookup.windows()
        wide = max(1, *steps(self.query, lookup.interval()))
        # a window shorter than its buckets looks at the bucket that holds its end
        start = int(np.minimum(windows.starts, (windows.ends - 1) // wide * wide).min())
        end = int(windows.ends.max())
        # a window is never so long that its buckets have to be widened, but all of them together may be
        switches = _unwidened(lookup.switches)
        return evaluate_lines(query, source, start, end, lookup.interval(), switches=switches)

    def window(self, lookup: Lookup) -> dict[Group, EvaluationResults]:
        """Evaluate one window on the points before its end."""
        return _Pass(self, lookup).found()

    def span(self, lookup: Lookup, step: int) -> dict[Group, EvaluationResults] | None:
        """Evaluate all windows together; return None if they must be evaluated separately."""
        phases = lookup.ends % step
        parts = []
        try:
            for phase in distinct(phases).tolist():
                chosen = phases == phase
                tail = Clipped(self.source, step, phase) if phase else None
                parts.append((chosen, _Pass(self, lookup.part(chosen), lookup, tail).found()))
        except _GuessedError:
            return None
        return parts[0][1] if len(parts) == 1 else _scattered(parts, lookup)


@dataclass(slots=True)
class _Pass:
    """A pass over windows that are evaluated together.

    With `all_windows` the lines are those of the whole span, and `tail` is the source of the buckets that are
    not finished at the windows' ends.
    """

    finder: _Finder
    lookup: Lookup
    all_windows: Lookup | None = None
    tail: Source | None = None
    operands: list[Reduced] = field(default_factory=list)

    def found(self) -> dict[Group, EvaluationResults]:
        """Return the values of each window by group."""
        query = self.finder.query
        if not reduces_operands(query):
            result = self.reduced(query, 0, self.finder.aggregation)
            self.note_operands(result)
            return _by_group(result, self.operands, self.lookup)
        windows = self.lookup.windows()
        start, end = int(windows.starts.min()), int(windows.ends.max())
        frame = frame_of("", self.finder.source, start, end, 1, self.lookup.switches)
        lines = self.value(query, replace(frame, closed=False))
        if not isinstance(lines, Lines):
            return {}
        nothing = np.zeros(lines.values.shape, dtype=np.bool_)
        result = Reduced(lines, nothing, np.full(lines.values.shape, NEVER))
        return _by_group(result, self.operands, self.lookup)

    def reduced(self, query: Query, shift: int, aggregation: str) -> Reduced:
        """Evaluate a query over the windows, `shift` seconds earlier."""
        finder, moved = self.finder, self.lookup.moved(shift)
        if aggregation == "percentile":
            return self.percentiles(query, shift)
        if self.all_windows is None:
            return reduce_lines(finder.lines(query, moved, finder.source), None, moved.windows(), aggregation)
        key = (query, shift)
        if key not in finder.whole:
            finder.whole[key] = finder.lines(query, self.all_windows.moved(shift), finder.source)
        whole = finder.whole[key]
        if whole.guessed:
            raise _GuessedError
        tail = None if self.tail is None else finder.lines(query, moved, self.tail)
        return reduce_lines(whole, tail, moved.windows(), aggregation)

    def percentiles(self, query: Query, shift: int) -> Reduced:
        """Return percentile(…) of all values in each window, or, with the switch, of the buckets' values."""
        if not isinstance(query, Metric) or not PERCENTILE.match(query.aggregator or ""):
            raise InputError(
                "percentile() over a window takes one query of a percentile", hint="p95:metric{*}"
            )
        if self.lookup.switches.percentile_monitor == "share":
            return self.reduced(query, shift, query.aggregator or "")
        counts, windows = self.reduced(query, shift, "count"), self.lookup.moved(shift).windows()
        values = percentile_windows(
            query, self.finder.source, windows.starts, windows.ends, self.lookup.switches
        )
        return replace(counts, lines=counts.lines.mapped(values))

    def note_operands(self, operands: Reduced) -> None:
        """Return where the operands have points, which may be so although the expression has no value."""
        self.operands.append(operands)
        plain = isinstance(self.finder.query, Metric)
        if not plain and (self.lookup.silence or not np.isfinite(operands.lines.values).all()):
            leaves = dict.fromkeys(node for node in walk(self.finder.query) if isinstance(node, Metric))
            self.operands += [self.reduced(leaf, 0, "count") for leaf in leaves]

    def value(self, node: Any, frame: EvaluationFrame) -> Lines | float:
        """Evaluate with as_count: reduce each metric to one value for a window, then do the arithmetic."""
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Binary):
            return arithmetic(node, self.value(node.left, frame), self.value(node.right, frame), frame)
        if isinstance(node, Negative):
            inside = self.value(node.operand, frame)
            return inside.mapped(-inside.values) if isinstance(inside, Lines) else -inside
        if isinstance(node, Call) and (has_arithmetic(node) or node.name in SHIFTS):
            return CALLS[node.name](node, frame, self.value)
        shift = int(self.lookup.windows().starts.min() - frame.start)
        reduced = self.reduced(node, shift, self.finder.aggregation)
        self.operands.append(reduced)
        return replace(reduced.lines, times=self.lookup.ends - 1 - shift, step=1)


def _by_group(result: Reduced, operands: Sequence[Reduced], lookup: Lookup) -> dict[Group, EvaluationResults]:
    """Return each group's values, with the points of all operands of the group."""
    lines = result.lines
    groups: dict[Group, EvaluationResults] = {}
    tags = [
        {frozenset(part.lines.tags(row)): row for row in range(len(part.lines.groups))} for part in operands
    ]
    for row in range(len(lines.groups)):
        if NOT_THERE in lines.groups[row] and lookup.switches.monitor_na == "drop":
            continue
        group = lines.tags(row)
        wanted = frozenset(group)
        group_rows = [
            (operand, places[wanted] if wanted in places else places.get(frozenset()))
            for operand, places in zip(operands, tags, strict=True)
        ]
        groups[group] = _found(lines.values[row], [(part, at) for part, at in group_rows if at is not None])
    return groups


def _found(values: Values, rows: list[tuple[Reduced, int]]) -> EvaluationResults:
    points, last = ~np.isnan(values), np.full(len(values), NEVER)
    full = None
    for operand, row in rows:
        points, last = points | operand.points[row], np.maximum(last, operand.last[row])
        if operand.full is not None:
            full = operand.full[row] if full is None else full | operand.full[row]
    return EvaluationResults(values, points, last, full)


def _blank(count: int, full: bool) -> EvaluationResults:
    flags = np.zeros(count, dtype=np.bool_)
    return EvaluationResults(
        np.full(count, np.nan), flags, np.full(count, NEVER), flags.copy() if full else None
    )


_Chosen = NDArray[np.bool_] | slice


def _scattered(
    parts: Sequence[tuple[_Chosen, Mapping[Group, EvaluationResults]]], lookup: Lookup
) -> dict[Group, EvaluationResults]:
    """Put evaluations that were made in several passes back in order."""
    result: dict[Group, EvaluationResults] = {}
    for chosen, part in parts:
        for tags, values in part.items():
            into = result.get(tags)
            if into is None:
                into = result[tags] = _blank(len(lookup.times), lookup.full_bucket is not None)
            into.values[chosen], into.points[chosen], into.last[chosen] = (
                values.values,
                values.points,
                values.last,
            )
            if into.full is not None and values.full is not None:
                into.full[chosen] = values.full
            if values.recovery is not None:
                recovery = np.full(len(into.values), np.nan) if into.recovery is None else into.recovery
                recovery[chosen] = values.recovery
                result[tags] = replace(into, recovery=recovery)
    for values in result.values():
        np.maximum.accumulate(values.last, out=values.last)
    return result


def merged(
    parts: Sequence[Mapping[Group, EvaluationResults]], lookup: Lookup
) -> dict[Group, EvaluationResults]:
    """Merge evaluations that were made one by one into arrays."""
    return _scattered([(slice(at, at + 1), part) for at, part in enumerate(parts)], lookup)


def difference(
    now: Mapping[Group, EvaluationResults],
    then: Mapping[Group, EvaluationResults],
    combine: Callable[[Any, Any], Any],
) -> dict[Group, EvaluationResults]:
    """Join two results by group; a value exists only if both have one."""
    return {
        tags: replace(values, values=combine(values.values, then[tags].values))
        for tags, values in now.items()
        if tags in then
    }
