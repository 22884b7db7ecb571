"""Build the answers of a query, one per line, and the body of a response of `/api/v1/query`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitoring.query.formatter import format_query, format_scope
from monitoring.query.nodes import Binary, Call, Everything, Expression, Metric, Negative, Scope
from monitoring.query.parser import parse, walk
from monitoring.query.sources import Floats, Times
from monitoring.query.timeseries import Lines


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A time series in the answer of a query; buckets without a value are omitted.

    Attributes:
        metric: the metric, or the expression without scopes.
        expression: the query, with the group in its scope.
        scope: the scope of the query and the values of its group, `env:prod,host:a`.
        tag_set: the tags of the group, `host:a`.
        times: starts of buckets, seconds since the epoch.
        values: one per time.
        interval: seconds of a bucket.
        aggregator: as written; None if the query has none.
        query_index: the index of the series' query in a list with commas.
        group_by: the grouping keys of the query.
        unit: always None, because series have no units.
    """

    metric: str
    expression: str
    scope: str
    tag_set: tuple[str, ...]
    times: Times
    values: Floats
    interval: int
    aggregator: str | None = None
    query_index: int = 0
    group_by: tuple[str, ...] = ()
    unit: None = None


_GROUP = "\0"
"""A placeholder for the tags of a group in the text of an expression, formatted once for all groups."""


def answers_of(node: Expression, lines: Lines, index: int = 0) -> list[Answer]:
    """Return the answers for lines; lines without any value are omitted."""
    answers = []
    metrics = [part for part in walk(node) if isinstance(part, Metric)]
    scope: Scope = metrics[0].scope if metrics else Everything()
    name, pattern = _name(node), format_query(_with_group(node, (_GROUP,) if lines.keys else ()))
    finite = np.isfinite(lines.values)
    for row in np.flatnonzero(finite.any(axis=1)).tolist():
        has_value = finite[row]
        tags = lines.tags(row)
        answers.append(
            Answer(
                metric=name,
                expression=pattern.replace(_GROUP, ",".join(tags)),
                scope=scope_text(scope, tags),
                tag_set=tags,
                times=lines.times[has_value],
                values=lines.values[row][has_value],
                interval=lines.step,
                aggregator=node.aggregator if isinstance(node, Metric) else None,
                query_index=index,
                group_by=lines.keys,
            )
        )
    return answers


def scope_text(scope: Scope, tags: Sequence[str]) -> str:
    """Return the scope and the tags of a group as one text; tags replace `*`."""
    if isinstance(scope, Everything):
        return ",".join(tags) or "*"
    return ",".join((format_scope(scope), *tags))


def _name(node: Any) -> str:
    """Return the expression without its scopes."""
    if isinstance(node, Metric):
        return node.name
    if isinstance(node, Binary):
        return f"({_name(node.left)} {node.operator} {_name(node.right)})"
    if isinstance(node, Negative):
        return f"-{_name(node.operand)}"
    if isinstance(node, Call):
        return f"{node.name}({', '.join(_name(argument) for argument in node.arguments)})"
    return format_query(node)


def _with_group(node: Any, tags: tuple[str, ...]) -> Any:
    """Return the expression with the group's tags in every scope and without its grouping."""
    if isinstance(node, Metric):
        from monitoring.query.nodes import Tag

        return replace(node, scope=Tag(None, scope_text(node.scope, tags)), by=())
    if isinstance(node, Binary):
        return replace(node, left=_with_group(node.left, tags), right=_with_group(node.right, tags))
    if isinstance(node, Negative):
        return replace(node, operand=_with_group(node.operand, tags))
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_with_group(argument, tags) for argument in node.arguments))
    return node


def body(text: str, start: float, end: float, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the answers as the body of `GET /api/v1/query`; times in milliseconds.

    Args:
        text: the text of the query.
        start: the start in epoch seconds.
        end: the end in epoch seconds.
        answers: the result of `evaluate`.
    """
    return {
        "status": "ok",
        "res_type": "time_series",
        "resp_version": 1,
        "query": text.strip(),
        "from_date": int(start) * 1000,
        "to_date": int(end) * 1000,
        "series": [_series(answer) for answer in answers],
        "message": "",
        "group_by": list(answers[0].group_by if answers else _keys(text)),
    }


def _keys(text: str) -> tuple[str, ...]:
    """Return the grouping keys of the first metric query, for an answer without lines."""
    return next((node.by for node in walk(parse(text)) if isinstance(node, Metric)), ())


def _series(answer: Answer) -> dict[str, Any]:
    first, last = int(answer.times[0]), int(answer.times[-1])
    points = zip(answer.times.tolist(), answer.values.tolist(), strict=True)
    return {
        "metric": answer.metric,
        "display_name": answer.metric,
        "expression": answer.expression,
        "scope": answer.scope,
        "tag_set": list(answer.tag_set),
        "aggr": answer.aggregator,
        "interval": answer.interval,
        "start": first * 1000,
        "end": (last + answer.interval - 1) * 1000,
        "length": len(answer.times),
        "query_index": answer.query_index,
        "unit": answer.unit,
        "attributes": {},
        "pointlist": [[time * 1000.0, value] for time, value in points],
    }
