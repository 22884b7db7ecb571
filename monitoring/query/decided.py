"""Find the switches on which an answer depends: those for which another value gives another answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from monitoring.query.answers import Answer
from monitoring.query.errors import QueryError
from monitoring.query.nodes import Binary, Call, Metric, Query
from monitoring.query.parser import walk
from monitoring.query.switches import Switches

OTHERWISE: Mapping[str, Any] = {
    "join": "shared",
    "negative_deltas": "drop",
    "monotonic_reset": "zero",
    "rates": "after",
    "interpolate_counts": True,
    "align_groups": True,
    "long_gaps": "limit",
    "longest_fill": 600,
    "count_rollup": "sum",
    "bare_fill": "ignore",
    "wildcards": "ends",
    "integral_of": "value",
}
"""Switch -> a value other than its default; switches that only affect precision are missing."""

_OF_CALLS = {
    "monotonic_reset": {"monotonic_diff"},
    "integral_of": {"integral"},
    "negative_deltas": {"diff", "derivative", "rate", "per_second", "per_minute", "per_hour"},
    "rates": {"diff", "derivative", "rate", "per_second", "per_minute", "per_hour", "monotonic_diff"},
}
"""Switch -> the functions that it affects."""


class Decision(NamedTuple):
    """A switch on which the answer depends."""

    switch: str
    value: Any
    other: Any

    def __str__(self) -> str:
        value, other = (str(value_of).lower() for value_of in (self.value, self.other))
        return f"decided by the switch {self.switch}: {value} ({other} gives another answer)"


def decisions(
    query: Query,
    answers: Sequence[Answer],
    switches: Switches,
    evaluate: Callable[[Switches], Sequence[Answer]],
) -> list[Decision]:
    """Evaluate the query with the other value of each switch that may affect it; return those that do.

    Args:
        query: the query.
        answers: its answers.
        switches: the switches of these answers; those that differ from the defaults were set by the caller.
        evaluate: evaluates the query with other switches.
    """
    decided = []
    for name, other in OTHERWISE.items():
        value = getattr(switches, name)
        if value != getattr(Switches(), name) or not _open(name, query):
            continue
        try:
            others = evaluate(replace(switches, **{name: other}))
        except QueryError:
            continue
        if not _same(answers, others):
            decided.append(Decision(name, value, other))
    return decided


def _open(name: str, query: Query) -> bool:
    """Return whether the switch can affect the query."""
    nodes = list(walk(query))
    calls = {node.name for node in nodes if isinstance(node, Call)}
    if name in _OF_CALLS:
        return bool(calls & _OF_CALLS[name])
    if name == "join":
        return any(isinstance(node, Binary) for node in nodes)
    fills = [node.modifier("fill") for node in nodes if isinstance(node, Metric)]
    if name in {"longest_fill", "bare_fill"}:
        return any(fills) or "fill" in calls
    return True


def _same(answers: Sequence[Answer], others: Sequence[Answer]) -> bool:
    if len(answers) != len(others):
        return False
    return all(
        first.scope == other.scope
        and np.array_equal(first.times, other.times)
        and np.allclose(first.values, other.values, rtol=1e-9, equal_nan=True)
        for first, other in zip(answers, others, strict=True)
    )
