"""Evaluate scalar queries: reduce each query to a value per group, then evaluate the formulas.

A formula of arithmetic uses the reduced values, as query value and table widgets do. A formula with a
function is evaluated over time, and its result is reduced by the aggregator of the first query in it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from monitoring.query import Answer, Source, evaluate, parse, reduce_line, walk
from monitoring.query.nodes import Binary, Call, Expression, Negative, Number, Query, Reference, Several

Group = tuple[str, ...]
Reduced = dict[Group, float]


def scalar_columns(
    queries: Sequence[Mapping[str, Any]],
    formulas: Sequence[Mapping[str, Any]],
    source: Source,
    start: float,
    end: float,
) -> list[dict[str, Any]]:
    """Return the columns of a scalar answer: one for each grouping key, then one for each formula or query.

    Raises:
        QueryError: a query or formula is not valid, or cannot be evaluated.
    """
    answers, results = scalar_results(queries, formulas, source, start, end)
    keys = _keys([answer for column in answers.values() for answer in column])
    groups = _ordered(results, formulas)
    return [*_group_columns(keys, groups), *_number_columns(results, groups)]


def scalar_results(
    queries: Sequence[Mapping[str, Any]],
    formulas: Sequence[Mapping[str, Any]],
    source: Source,
    start: float,
    end: float,
    *,
    whole: bool = False,
) -> tuple[dict[str, list[Answer]], list[tuple[str, Reduced]]]:
    """Return the answers of each query by name, and (formula or name, values by group), in order.

    Args:
        queries: `name`, `query` and `aggregator` of each.
        formulas: `formula` of each; without one, the queries themselves.
        source: the points.
        start: the start in epoch seconds.
        end: the end in epoch seconds.
        whole: each query has a single bucket, the whole time, so that default_zero fills no others.

    Raises:
        QueryError: a query or formula is not valid, or cannot be evaluated.
    """
    named = {query["name"]: query for query in queries}
    answers = {name: evaluate(query["query"], source, start, end) for name, query in named.items()}
    reduced = {name: _reduced(answers[name], query["aggregator"]) for name, query in named.items()}
    if not formulas:
        return answers, list(reduced.items())
    texts = [str(formula["formula"]) for formula in formulas]
    return answers, [
        (text, _formula(text, named, reduced, (source, start, end), whole=whole)) for text in texts
    ]


def _reduced(answers: Sequence[Answer], aggregator: str) -> Reduced:
    return {answer.tag_set: reduce_line(answer.values, aggregator, answer.interval) for answer in answers}


def _formula(
    text: str,
    named: Mapping[str, Mapping[str, Any]],
    reduced: Mapping[str, Reduced],
    over: tuple[Source, float, float],
    *,
    whole: bool,
) -> Reduced:
    node = parse(text)
    calls = [part.name for part in walk(node) if isinstance(part, Call)]
    if not isinstance(node, Several) and (not calls or (whole and set(calls) == {"default_zero"})):
        names = [part.name for part in walk(node) if isinstance(part, Reference)]
        if all(name in reduced for name in names):
            groups = _joined([reduced[name] for name in names])
            values = {group: _calculated(node, reduced, group) for group in groups}
            return {group: value for group, value in values.items() if np.isfinite(value)}
    texts = {name: query["query"] for name, query in named.items()}
    return _reduced(evaluate(text, *over, queries=texts), _aggregator(node, named))


def _joined(parts: Sequence[Reduced]) -> list[Group]:
    """Join the sides by equal groups; an ungrouped side is joined with every group; others are omitted."""
    grouped = [part for part in parts if set(part) != {()}]
    if not grouped:
        return [()]
    return [group for group in grouped[0] if all(group in part for part in grouped)]


def _calculated(node: Expression, reduced: Mapping[str, Reduced], group: Group) -> float:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Reference):
        values = reduced[node.name]
        return values.get(group, values.get((), float("nan")))
    if isinstance(node, Call):
        value = _calculated(cast("Expression", node.arguments[0]), reduced, group)
        return 0.0 if np.isnan(value) else value
    if isinstance(node, Negative):
        return -_calculated(node.operand, reduced, group)
    if isinstance(node, Binary):
        left, right = _calculated(node.left, reduced, group), _calculated(node.right, reduced, group)
        return _OPERATORS[node.operator](left, right)
    return float("nan")


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else float("nan"),
}


def _aggregator(node: Query, named: Mapping[str, Mapping[str, Any]]) -> str:
    names = [part.name for part in walk(node) if isinstance(part, Reference) and part.name in named]
    return str(named[names[0]]["aggregator"]) if names else "avg"


def _keys(answers: Sequence[Answer]) -> list[str]:
    return list(max(((len(answer.group_by), answer.group_by) for answer in answers), default=(0, ()))[1])


def _ordered(results: Sequence[tuple[str, Reduced]], formulas: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Return the groups of all results, sorted and limited by the first formula with a limit."""
    groups = list(dict.fromkeys(group for _, values in results for group in values))
    for formula, (_, values) in zip(formulas, results, strict=False):
        limit = formula.get("limit")
        if isinstance(limit, Mapping):
            groups = [group for group in groups if group in values]
            groups.sort(key=lambda group: values[group], reverse=limit.get("order", "desc") == "desc")
            return groups[: int(limit.get("count") or len(groups))]
    return groups


def _group_columns(keys: Sequence[str], groups: Sequence[Group]) -> list[dict[str, Any]]:
    return [
        {"name": key, "type": "group", "values": [[_value(group, key)] for group in groups]} for key in keys
    ]


def _value(group: Group, key: str) -> str:
    return next((tag[len(key) + 1 :] for tag in group if tag.startswith(f"{key}:")), "N/A")


def _number_columns(results: Sequence[tuple[str, Reduced]], groups: Sequence[Group]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "type": "number",
            "values": [numbers.get(group) for group in groups],
            "meta": {"unit": None},
        }
        for name, numbers in results
    ]
