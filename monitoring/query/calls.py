"""Implement the functions of the query language over lines."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import cast

import numpy as np
from numpy.typing import NDArray

from monitoring.query import rows
from monitoring.query.distribution import percentile
from monitoring.query.frame import FARTHEST, EvaluationFrame
from monitoring.query.functions import FUNCTIONS
from monitoring.query.gaps import LIMIT, filled
from monitoring.query.grid import CALENDAR, calendar_grid, grid_between
from monitoring.query.metric import operand_lines
from monitoring.query.nodes import Call, Expression, Groups, Metric, Number, String
from monitoring.query.ranges import reduce_line, reduce_ranges
from monitoring.query.series import distinct
from monitoring.query.sources import Floats, Times
from monitoring.query.timeseries import NOT_THERE, Lines, aggregate_rows, joined

Value = Lines | float
Run = Callable[[Expression, EvaluationFrame], Value]
Implementation = Callable[[Call, EvaluationFrame, Run], Value]


def calculate(operator: str, left: Floats | np.float64, right: Floats | np.float64) -> Floats:
    """Return left operator right; the result of a division by zero, or one that is not finite, is NaN."""
    with np.errstate(all="ignore"):
        values = _OPERATORS[operator](left, right)
    return np.where(np.isfinite(values), values, np.nan)


_OPERATORS: dict[str, Callable[..., Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "min": np.minimum,
    "max": np.maximum,
}


def constant(value: float, frame: EvaluationFrame) -> Lines:
    """Return a number as a line over all buckets."""
    grid = frame.grid()
    return Lines((), ((),), grid.starts, np.full((1, len(grid)), value), grid.step)


def _lines(call: Call, frame: EvaluationFrame, run: Run) -> Lines:
    """Evaluate the first argument."""
    lines = run(cast(Expression, call.arguments[0]), frame)
    return lines if isinstance(lines, Lines) else constant(lines, frame)


def _number(call: Call, at: int, default: float = 0.0) -> float:
    argument = call.arguments[at] if at < len(call.arguments) else None
    return argument.value if isinstance(argument, Number) else default


def _word(call: Call, at: int, default: str = "") -> str:
    argument = call.arguments[at] if at < len(call.arguments) else None
    return argument.value.lower() if isinstance(argument, String) else default


# --- one value at a time


def _pointwise(function: Callable[[Floats, Call], Floats]) -> Implementation:
    def implementation(call: Call, frame: EvaluationFrame, run: Run) -> Value:
        lines = _lines(call, frame, run)
        with np.errstate(all="ignore"):
            values = function(lines.values, call)
        return lines.mapped(np.where(np.isfinite(values), values, np.nan))

    return implementation


def _rounded(values: Floats, call: Call) -> Floats:
    scale = 10.0 ** max(-15, min(15, int(_number(call, 1))))
    rounded: Floats = np.sign(values) * np.floor(np.abs(values) * scale + 0.5) / scale
    return rounded


def _where(values: Floats, true: NDArray[np.bool_]) -> Floats:
    return np.where(np.isnan(values), np.nan, true.astype(np.float64))


_POINTWISE: dict[str, Callable[[Floats, Call], Floats]] = {
    "abs": lambda values, call: np.abs(values),
    "log2": lambda values, call: np.log2(values),
    "log10": lambda values, call: np.log10(values),
    "round": _rounded,
    "clamp_min": lambda values, call: np.fmax(values, _number(call, 1)),
    "clamp_max": lambda values, call: np.fmin(values, _number(call, 1)),
    "cutoff_min": lambda values, call: np.where(values < _number(call, 1), np.nan, values),
    "cutoff_max": lambda values, call: np.where(values > _number(call, 1), np.nan, values),
    "is_greater": lambda values, call: _where(values, values > _number(call, 1)),
    "is_less": lambda values, call: _where(values, values < _number(call, 1)),
    "is_between": lambda values, call: _where(
        values, (values > _number(call, 1)) & (values < _number(call, 2))
    ),
    "outliers": lambda values, call: values,
}


# --- one line at a time


def _row_wise(function: rows.RowFunction) -> Implementation:
    def implementation(call: Call, frame: EvaluationFrame, run: Run) -> Value:
        lines = _lines(call, frame, run)
        return lines.mapped(function(lines.values, lines.times))

    return implementation


def _integral(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    return _row_wise(rows.integral(frame.switches.integral_of))(call, frame, run)


_PER = {"diff": None, "monotonic_diff": None, "per_minute": 60.0, "per_hour": 3600.0}


def _change(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    """Evaluate diff() and similar functions; of a metric query, on each source before space aggregation."""
    switches = frame.switches
    negative = switches.monotonic_reset if call.name == "monotonic_diff" else switches.negative_deltas
    change = rows.changes(_PER.get(call.name, 1.0), negative)
    argument = call.arguments[0]
    if isinstance(argument, Metric) and switches.rates == "before":
        return operand_lines(argument, frame, change)
    return _row_wise(change)(call, frame, run)


def _dt(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    lines = _lines(call, frame, run)
    has_value = np.where(np.any(np.isfinite(lines.values), axis=0, keepdims=True), 0.0, np.nan)
    seconds = rows.steps(has_value, lines.times)[1] if has_value.size else has_value
    return replace(lines, keys=(), groups=((),), values=seconds)


def _throughput(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    lines = _lines(call, frame, run)
    return lines.mapped(lines.values / lines.step)


def _spans(
    prefix: str, spans: tuple[int, ...], make: Callable[[int], rows.RowFunction]
) -> dict[str, Implementation]:
    return {f"{prefix}_{span}": _row_wise(make(span)) for span in spans}


# --- empty buckets


def _default_zero(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    """Fill the empty buckets of lines with a point in the window: interpolated for gauges, otherwise 0."""
    return _filled(call, frame, run, "linear", LIMIT, zero=True)


def _fill(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    limit = _number(call, 2, LIMIT)
    if not 0 <= limit <= FARTHEST:
        raise frame.error("fill takes a limit in seconds, from 0 to ten years", call.arguments[2])
    return _filled(call, frame, run, _word(call, 1), limit, zero=False)


def _filled(call: Call, frame: EvaluationFrame, run: Run, method: str, limit: float, zero: bool) -> Value:
    inner = _lines(call, frame, run)
    if not inner.values.size:
        return inner
    has_value = np.any(np.isfinite(inner.values), axis=1)
    values = inner.values
    if not zero or inner.smooth:
        early = _lines(call, frame.between(frame.start - limit, frame.end), run)
        long_gaps = not zero or frame.switches.long_gaps == "limit"
        wide = filled(early.values, early.times, method, limit, long_gaps=long_gaps)
        values = _rows_like(replace(early, values=wide), inner).values
    if zero:
        values = np.where(np.isnan(values) & has_value[:, None], 0.0, values)
    return inner.mapped(np.where(has_value[:, None], values, np.nan))


def _rows_like(lines: Lines, like: Lines) -> Lines:
    """Return the rows of the same groups at the same times."""
    places = {group: row for row, group in enumerate(lines.groups)}
    return lines.picked([places[group] for group in like.groups]).at(like.times)


# --- other windows


def _shifted(seconds: int, call: Call, frame: EvaluationFrame, run: Run) -> Value:
    """Return the values of `seconds` earlier, rounded up to whole buckets."""
    lines = _lines(call, frame.shifted(seconds, call), run)
    times = lines.times + -(-seconds // lines.step) * lines.step
    inside = times <= frame.end if frame.closed else times < frame.end
    return replace(lines, times=times[inside], values=lines.values[:, inside])


def _before(seconds: int) -> Implementation:
    return lambda call, frame, run: _shifted(seconds, call, frame, run)


def _timeshift(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    return _shifted(int(abs(_number(call, 1))), call, frame, run)


_SHIFT = re.compile(r"-?(\d{1,4})(mo|[hdw])\Z")


def _calendar_shift(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    """Return the values of the buckets that are earlier by a calendar period in a time zone."""
    match = _SHIFT.match(_word(call, 1))
    if match is None:
        raise frame.error(
            f"'{_word(call, 1)}' is not a calendar shift", call.arguments[1], "'-1d', '-1w' or '-1mo'"
        )
    argument = call.arguments[2] if len(call.arguments) > 2 else None
    zone = frame.zone(argument.value if isinstance(argument, String) else "UTC", call)
    count, unit = int(match.group(1)), match.group(2)
    if count * {"mo": 31 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600}[unit] > FARTHEST:
        raise frame.error("a query looks back ten years at most", call.arguments[1])
    probe = _lines(call, frame, run)
    targets = np.array([_earlier(int(time), count, unit, zone) for time in probe.times], dtype=np.int64)
    if not len(targets):
        return probe
    if _word(call, 3) == "preserve_duration":
        targets = probe.times - (probe.times[0] - targets[0])
    early = _lines(call, frame.between(float(targets.min()) - probe.step, float(targets.max())), run)
    wanted = targets // probe.step * probe.step
    earlier_lines = early.at(distinct(wanted))
    return replace(
        earlier_lines,
        times=probe.times,
        values=earlier_lines.values[:, np.searchsorted(earlier_lines.times, wanted)],
    )


def _earlier(time: int, count: int, unit: str, zone: tzinfo) -> int:
    """Return the time hours, days, weeks or months earlier; at most the last day of a month."""
    at = datetime.fromtimestamp(time, zone)
    if unit == "mo":
        months = at.year * 12 + at.month - 1 - count
        first = at.replace(year=months // 12, month=months % 12 + 1, day=1)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        last = (following.date() - first.date()).days
        return int(first.replace(day=min(at.day, last)).timestamp())
    days = {"d": count, "w": 7 * count, "h": 0}[unit]
    back = datetime.fromordinal(at.toordinal() - days)
    moved = at.replace(year=back.year, month=back.month, day=back.day)
    return int(moved.timestamp()) - (count * 3600 if unit == "h" else 0)


def _seconds(call: Call, at: int, frame: EvaluationFrame) -> int:
    seconds = _number(call, at)
    if not 1 <= seconds <= FARTHEST:
        raise frame.error(f"{call.name} takes seconds, from 1 to ten years", call.arguments[at])
    return int(seconds)


def _moving_rollup(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    seconds = _seconds(call, 1, frame)
    lines = _lines(call, frame.between(frame.start - seconds, frame.end), run)
    inside = lines.times >= frame.start
    times = lines.times[inside]
    first = np.searchsorted(lines.times, times - seconds, side="right")
    last = np.searchsorted(lines.times, times, side="right")
    return replace(lines, times=times, values=reduce_ranges(lines.values, first, last, _word(call, 2)))


def _rollup(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    """Aggregate over time again, in buckets aligned to the epoch or to the calendar."""
    unit = _word(call, 2)
    if unit in CALENDAR:
        wide = calendar_grid(frame.start, frame.end, unit, frame.zone("UTC", call))
    else:
        step = frame.widened(_seconds(call, 2, frame))
        wide = grid_between(frame.start, frame.end, step, frame.closed)
    if not len(wide):
        return _lines(call, frame, run)
    lines = _lines(
        call, replace(frame.between(int(wide.edges[0]), int(wide.edges[-1]) - 1), closed=True), run
    )
    if lines.step >= wide.step and unit not in CALENDAR:
        return _lines(call, frame, run)
    first = np.searchsorted(lines.times, wide.edges[:-1], side="left")
    last = np.searchsorted(lines.times, wide.edges[1:], side="left")
    values = reduce_ranges(lines.values, first, last, _word(call, 1))
    return replace(lines, times=wide.starts, values=values, step=wide.step)


def _reduce(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    lines = _lines(call, frame, run)
    reduced = np.array([[reduce_line(line, _word(call, 1), lines.step)] for line in lines.values]).reshape(
        -1, 1
    )
    return lines.mapped(np.where(np.isfinite(lines.values), reduced, np.nan))


# --- groups


def _exclude_null(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    lines = _lines(call, frame, run)
    return lines.picked([row for row, group in enumerate(lines.groups) if NOT_THERE not in group])


def _counted(nonzero: bool) -> Implementation:
    """Count the groups with a value (other than 0) in each bucket."""

    def implementation(call: Call, frame: EvaluationFrame, run: Run) -> Value:
        lines = _lines(call, frame, run)
        has_value = np.isfinite(lines.values)
        chosen = has_value & (lines.values != 0) if nonzero else has_value
        counts = np.where(np.any(has_value, axis=0), np.sum(chosen, axis=0), np.nan)[None, :]
        return replace(lines, keys=(), groups=((),), values=counts, counted=False, smooth=False)

    return implementation


_RANKED = re.compile(r"(top|bottom)(\d+)_?(\w*)\Z")


def _ranked(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    """Return the first groups by rank over the whole window; ties are in the order of their names."""
    lines = _lines(call, frame, run).present()
    if short := _RANKED.match(call.name):
        count, reducer = int(short.group(2)), short.group(3) or "mean"
        descending = short.group(1) == "top"
    else:
        count, reducer = int(_number(call, 1, 10)), _word(call, 2, "mean")
        descending = _word(call, 3, "desc") == "desc"
    ranks = np.array([reduce_line(line, reducer, lines.step) for line in lines.values])
    order = np.argsort(-ranks if descending else ranks, kind="stable")
    return lines.picked(order[: max(0, count)])


def _regrouped(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    """Aggregate over space again, or return the smaller (larger) of two queries."""
    groups = call.arguments[-1]
    if not isinstance(groups, Groups) and call.name != "percentile":
        return _extreme(call, frame, run)
    lines = _lines(call, frame, run)
    keys = groups.keys if isinstance(groups, Groups) else ()
    for key in keys:
        if key not in lines.keys:
            raise frame.error(
                f"the query inside is not grouped by {key}", groups, f"by {{{key}}} in the inner query"
            )
    places = [lines.keys.index(key) for key in keys]
    parts = [tuple(group[at] for at in places) for group in lines.groups]
    names = tuple(sorted(set(parts)))
    owner = np.array([names.index(part) for part in parts], dtype=np.int64)
    if not names:
        return replace(lines, keys=keys)
    if call.name == "percentile":
        values = _percentiles(lines.values, owner, len(names), float(_word(call, 1)[1:]))
    else:
        values = aggregate_rows(lines.values, owner, len(names), call.name)
    return replace(lines, keys=keys, groups=names, values=values)


def _percentiles(values: Floats, owner: Times, groups: int, share: float) -> Floats:
    result = np.full((groups, values.shape[1]), np.nan)
    for row in range(groups):
        part = values[owner == row]
        for column in np.flatnonzero(np.isfinite(part).any(axis=0)):
            points = part[:, column]
            result[row, column] = percentile(points[np.isfinite(points)], share)
    return result


def _extreme(call: Call, frame: EvaluationFrame, run: Run) -> Value:
    left, right = (run(cast(Expression, argument), frame) for argument in call.arguments)
    if isinstance(left, Lines) and isinstance(right, Lines):
        pair = joined(left, right, frame.switches.join == "shared")
        if pair is None:
            raise frame.error(
                "the two queries are grouped by different keys", call, "the same grouping on both"
            )
        return pair[0].mapped(calculate(call.name, pair[0].values, pair[1].values))
    if isinstance(left, Lines):
        return left.mapped(calculate(call.name, left.values, np.float64(cast(float, right))))
    if isinstance(right, Lines):
        return right.mapped(calculate(call.name, np.float64(left), right.values))
    return float(calculate(call.name, np.float64(left), np.float64(right)))


CALLS: dict[str, Implementation] = {
    **{name: _pointwise(function) for name, function in _POINTWISE.items()},
    "cumsum": _row_wise(rows.cumulative),
    "integral": _integral,
    **dict.fromkeys(
        ("diff", "monotonic_diff", "derivative", "rate", "per_second", "per_minute", "per_hour"), _change
    ),
    "dt": _dt,
    "throughput": _throughput,
    **_spans("ewma", (3, 5, 7, 10, 20), rows.ewma),
    **_spans(
        "median", (3, 5, 7, 9), lambda span: rows.trailing(span, lambda points: float(np.median(points)))
    ),
    **_spans(
        "rollingavg", (5, 13, 21, 29), lambda span: rows.trailing(span, lambda points: float(points.mean()))
    ),
    "autosmooth": _row_wise(rows.by_points(rows.autosmooth)),
    "trend_line": _row_wise(rows.trend_line),
    "robust_trend": _row_wise(rows.robust_trend),
    "default_zero": _default_zero,
    "fill": _fill,
    "timeshift": _timeshift,
    "hour_before": _before(3600),
    "day_before": _before(86400),
    "week_before": _before(7 * 86400),
    "month_before": _before(28 * 86400),
    "calendar_shift": _calendar_shift,
    "moving_rollup": _moving_rollup,
    "rollup": _rollup,
    "reduce": _reduce,
    "exclude_null": _exclude_null,
    "count_not_null": _counted(nonzero=False),
    "count_nonzero": _counted(nonzero=True),
    "count_nonzero_finite": _counted(nonzero=True),
    **dict.fromkeys(("avg", "sum", "count", "min", "max", "percentile"), _regrouped),
    **{name: _ranked for name in FUNCTIONS if name == "top" or _RANKED.match(name)},
}
"""Function -> its implementation; the formula of a function that is missing here is not published."""
