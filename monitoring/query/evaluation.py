"""Evaluate queries, to answers for the query API or to lines for monitors and widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from monitoring.query.answers import Answer, answers_of
from monitoring.query.calls import CALLS, Value, calculate, constant
from monitoring.query.errors import QueryError
from monitoring.query.formatter import format_query
from monitoring.query.frame import EvaluationFrame
from monitoring.query.grid import default_interval
from monitoring.query.metric import operand_lines
from monitoring.query.names import resolve
from monitoring.query.nodes import (
    Binary,
    Call,
    Expression,
    Metric,
    Negative,
    Number,
    Query,
    Reference,
    Several,
)
from monitoring.query.parser import parse, walk
from monitoring.query.series import Series
from monitoring.query.sources import Floats, Source, as_source
from monitoring.query.switches import DEFAULT, Switches
from monitoring.query.timeseries import Lines, joined


def evaluate(  # noqa: PLR0913 - the documented API
    query: str | Query,
    series: Sequence[Series] | Source,
    start: float,
    end: float,
    interval: int | None = None,
    *,
    switches: Switches = DEFAULT,
    queries: Mapping[str, str | Query] | None = None,
    variables: Mapping[str, str] | None = None,
) -> list[Answer]:
    """Evaluate a query or formula with the buckets of `/api/v1/query`.

    Args:
        query: its text or its nodes.
        series: the points: a list of series, or a `Source`.
        start: in seconds since the epoch; the first bucket is the first that starts at or after it.
        end: in seconds since the epoch; the last bucket is the one that contains it.
        interval: seconds of a bucket; by default that of the window. It is widened beyond 1500 points.
        switches: choices for behaviour that Datadog's documentation does not specify.
        queries: name -> query, for the names in a formula.
        variables: values of template variables: {"env": "env:prod"}; "*" filters nothing.

    Returns:
        An answer per line with a value, in the order of the queries, then of the groups.

    Raises:
        QueryError: the query is not valid, or cannot be evaluated offline.
    """
    text, node = _read(query)
    frame = frame_of(text, series, start, end, interval, switches)
    frame = replace(
        frame,
        interval=frame.widened(frame.interval),
        until=end if switches.last_bucket == "until" else frame.until,
    )
    node = resolve(node, text, queries or {}, variables or {})
    parts = node.queries if isinstance(node, Several) else (node,)
    return [
        answer for index, part in enumerate(parts) for answer in answers_of(part, _lines(part, frame), index)
    ]


def evaluate_lines(
    query: str | Query,
    series: Sequence[Series] | Source,
    start: float,
    end: float,
    interval: int | None = None,
    *,
    switches: Switches = DEFAULT,
) -> Lines:
    """Evaluate an expression over `[start, end)` as a monitor does at `end`, without later points.

    Buckets without any point are omitted, unless a function fills them, so that the time depends on the
    number of points and not on the length of the window.

    Args:
        query: its text or its nodes, without names of other queries (see `resolve`); not a list.
        series: as for `evaluate`.
        start: the start of the window, in seconds.
        end: its end, exclusive.
        interval: seconds of a bucket; by default that of the window. It is never widened.
        switches: as for `evaluate`.

    Raises:
        QueryError: as for `evaluate`, or the query is a list.
    """
    text, node = _read(query)
    if isinstance(node, Several):
        raise QueryError(text, "expected one expression, not a list", node.start, node.end)
    frame = frame_of(text, series, start, end, interval, switches)
    return _lines(
        node,
        replace(frame, until=end, closed=False, limited=False, occupied=only_points(node)),
    )


LATEST = 1e11
"""The last second (in the year 5138) that a query can include."""


def frame_of(
    text: str,
    series: Sequence[Series] | Source,
    start: float,
    end: float,
    interval: int | None,
    switches: Switches,
) -> EvaluationFrame:
    """Return the frame of an evaluation.

    Raises:
        QueryError: the window is empty or out of range, or the interval is below 1 second.
    """
    if not start < end:
        raise QueryError(text, "the window ends before it starts", 0, 0)
    if not -LATEST < start < end < LATEST:
        raise QueryError(text, "times are seconds since the epoch, not milliseconds", 0, 0)
    if interval is not None and interval < 1:
        raise QueryError(text, "the interval is below 1 second", 0, 0)
    step = int(interval or default_interval(end - start, switches.default_points))
    return EvaluationFrame(as_source(series), start, end, step, switches, text)


VALUE_MAKERS = frozenset({"default_zero", "fill", "clamp_min", "clamp_max"})
"""Functions that fill empty buckets."""


def only_points(query: Query) -> bool:
    """Return whether no function of the query fills empty buckets."""
    return not any(
        (isinstance(node, Call) and node.name in VALUE_MAKERS)
        or (isinstance(node, Metric) and node.modifier("fill"))
        for node in walk(query)
    )


_EVERYWHERE = {
    "abs",
    "log2",
    "log10",
    "round",
    "cutoff_min",
    "cutoff_max",
    "exclude_null",
    "min",
    "max",
    "avg",
    "sum",
} | {
    *("count", "count_nonzero", "count_nonzero_finite", "count_not_null", "percentile", "throughput"),
    *("is_greater", "is_less", "is_between", "outliers", "clamp_min", "clamp_max"),
    *("timeshift", "hour_before", "day_before", "week_before", "month_before", "moving_rollup"),
}


def windowed(query: Query) -> bool:
    """Return whether the value of a bucket depends on the window around it (cumsum, top, diff, …).

    If it does not, the windows of a monitor can be taken from an evaluation of a longer window.
    """
    return any(isinstance(node, Call) and node.name not in _EVERYWHERE for node in walk(query))


def run(node: Expression, frame: EvaluationFrame) -> Value:
    """Evaluate a node to a number or to lines."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Metric):
        return operand_lines(node, frame)
    if isinstance(node, Reference):
        raise frame.error(f"no query is named '{node.name}'", node)
    if isinstance(node, Binary):
        return _binary(node, frame)
    if isinstance(node, Negative):
        inside = run(node.operand, frame)
        return inside.mapped(-inside.values) if isinstance(inside, Lines) else -inside
    return CALLS[node.name](node, frame, run) if node.name in CALLS else _refused(node, frame)


def _lines(node: Expression, frame: EvaluationFrame) -> Lines:
    with np.errstate(all="ignore"):
        lines = run(node, frame)
    return lines if isinstance(lines, Lines) else constant(lines, frame)


def _refused(node: Call, frame: EvaluationFrame) -> Lines:
    raise frame.error(
        f"{node.name} cannot be evaluated offline: Datadog does not publish its formula",
        node,
        "the query without it",
    )


def _binary(node: Binary, frame: EvaluationFrame) -> Value:
    return arithmetic(node, run(node.left, frame), run(node.right, frame), frame)


def arithmetic(node: Binary, left: Value, right: Value, frame: EvaluationFrame) -> Value:
    """Combine the two evaluated sides of an operator."""
    if isinstance(left, Lines) and isinstance(right, Lines):
        pair = joined(left, right, frame.switches.join == "shared")
        if pair is None:
            sides = " and ".join("{" + ",".join(side.keys) + "}" for side in (left, right))
            raise frame.error(
                f"the two sides are grouped by different keys, {sides}", node, "the same grouping on both"
            )
        left, right = pair
        values = calculate(node.operator, _zeros(left, right), _zeros(right, left))
        return replace(
            left,
            values=values,
            step=max(left.step, right.step),
            counted=left.counted and right.counted,
            smooth=left.smooth and right.smooth,
            guessed=left.guessed or right.guessed,
        )
    if isinstance(left, Lines):
        return left.mapped(calculate(node.operator, left.values, np.float64(cast(float, right))))
    if isinstance(right, Lines):
        return right.mapped(calculate(node.operator, np.float64(left), right.values))
    return float(calculate(node.operator, np.float64(left), np.float64(right)))


def _zeros(side: Lines, other: Lines) -> Floats:
    """Fill as_count and as_rate with 0 where the other side has a point."""
    if not side.counted:
        return side.values
    return np.where(np.isnan(side.values) & np.isfinite(other.values), 0.0, side.values)


def _read(query: str | Query) -> tuple[str, Query]:
    if isinstance(query, str):
        return query, parse(query)
    return format_query(query), query
