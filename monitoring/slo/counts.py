"""Count the good and the total events of an SLO by group and minute, from its queries.

Each term of a sum is evaluated alone, and a term without points counts as zero: an error metric that was
never sent, or a group without errors, must not remove the good events. (In the arithmetic of a graph such a
group has no line.) The buckets are minutes, the resolution of Datadog's monitors; the sum of counts does not
depend on the size of the buckets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitoring.query import Binary, Metric, Negative, QueryError, evaluate_lines, parse, resolve, walk
from monitoring.query.narrowing import narrowed
from monitoring.query.nodes import Expression, Several
from monitoring.query.series import distinct
from monitoring.query.sources import Floats, Times
from monitoring.query.timeseries import Lines
from monitoring.slo.definition import Count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitoring.query import Source
    from monitoring.query.series import Series

MINUTE = 60


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """`good[group, time]` and `total[group, time]`; `times` are the starts of minutes."""

    keys: tuple[str, ...]
    names: tuple[str, ...]
    times: Times
    good: Floats
    total: Floats

    def rows(self) -> Iterator[tuple[str, Floats, Floats]]:
        """Yield (name, good, total) of every group."""
        yield from zip(self.names, self.good, self.total, strict=True)


def count_events(
    count: Count, series: "Sequence[Series] | Source", scope: str, start: int, end: int
) -> Counts:
    """Count the events of `[start, end)`, from the minute that contains `start` on.

    Raises:
        QueryError: a query cannot be parsed or evaluated.
    """
    window = (start // MINUTE * MINUTE, end)
    terms = [
        [(sign, _lines(node, text, series, window)) for sign, node in _terms(node)]
        for text in (count.good, count.other)
        for node in (prepared(text, count.queries, scope),)
    ]
    lines = [lines_of_side for side in terms for _, lines_of_side in side]
    keys = max((line.keys for line in lines), key=len)
    names = list(dict.fromkeys(_name(line, row) for line in lines for row in range(len(line.groups))))
    times = distinct(np.concatenate([np.empty(0, np.int64), *(line.times for line in lines)]))
    good, other = (_summed(side, names, times) for side in terms)
    total = good + other if count.other_is == "bad" else other
    return Counts(keys, tuple(names), times, good, total)


def prepared(text: str, queries: "Mapping[str, str]", scope: str) -> Expression:
    """Return the parsed formula with its queries inserted and the filter `scope` added to every query.

    Raises:
        QueryError: the formula cannot be parsed, or is a list of several.
    """
    node = resolve(parse(text), text, queries, {})
    if isinstance(node, Several):
        raise QueryError(text, "expected one query, not a list", node.start, node.end)
    return narrowed(node, scope)


def _terms(node: Expression, sign: float = 1.0) -> list[tuple[float, Expression]]:
    """Return the signed terms of a sum."""
    if isinstance(node, Binary) and node.operator in {"+", "-"}:
        right = sign if node.operator == "+" else -sign
        return _terms(node.left, sign) + _terms(node.right, right)
    return _terms(node.operand, -sign) if isinstance(node, Negative) else [(sign, node)]


def _lines(
    node: Expression, text: str, series: "Sequence[Series] | Source", window: tuple[int, int]
) -> Lines:
    lines = evaluate_lines(node, series, *window, MINUTE)
    if not any(isinstance(part, Metric) for part in walk(node)):
        raise QueryError(text, "a number is not a count of events", node.start, node.end)
    return lines


def _name(lines: Lines, row: int) -> str:
    return ",".join(lines.tags(row))


def _summed(terms: "Sequence[tuple[float, Lines]]", names: Sequence[str], times: Times) -> Floats:
    sums = np.zeros((len(names), len(times)))
    rows = {name: row for row, name in enumerate(names)}
    for sign, lines in terms:
        at = lines.at(times)
        for row in range(len(at.groups)):
            sums[rows[_name(at, row)]] += sign * np.nan_to_num(at.values[row])
    return sums
