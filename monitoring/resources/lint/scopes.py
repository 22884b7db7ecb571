"""What a query's braces and grouping name: tag keys, values and template variables, with their places."""

from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.query import Metric
from monitoring.query.nodes import And, In, Not, Or, Scope, Tag, Variable

Term = Tag | In | Variable


def terms(scope: Scope) -> list[tuple[Term, bool]]:
    """Each tag, list or variable in the braces, and whether it is excluded."""
    found: list[tuple[Term, bool]] = []
    _collect(scope, False, found)
    return found


def _collect(scope: Scope, negated: bool, found: list[tuple[Term, bool]]) -> None:
    if isinstance(scope, Tag | Variable):
        found.append((scope, negated))
    elif isinstance(scope, And | Or):
        for term in scope.terms:
            _collect(term, negated, found)
    elif isinstance(scope, Not):
        _collect(scope.term, not negated, found)
    elif isinstance(scope, In):
        found.append((scope, negated != scope.negated))


def prefixes(body: Mapping[str, Any]) -> Mapping[str, str]:
    """Template variable -> the tag key that it filters by; an empty text where it has none."""
    found = body.get("template_variables")
    rows = found if isinstance(found, list) else []
    return {str(row.get("name")): str(row.get("prefix") or "") for row in rows if isinstance(row, dict)}


def keys(metric: Metric, variables: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """Each tag key that the metric is filtered or grouped by, with its place in the query."""
    for term, _ in terms(metric.scope):
        if isinstance(term, Variable):
            if variables.get(term.name):
                yield variables[term.name], term.start, term.end
        elif term.key is not None and "$" not in term.key:
            yield term.key, term.start, term.start + len(term.key)


def grouped(metric: Metric, text: str) -> Iterator[tuple[str, int, int]]:
    """Each key of `by {…}`, with its place in the query."""
    at = text.find("by", metric.scope.end)
    for key in metric.by:
        at = text.find(key, at + 1)
        yield key, at, at + len(key)
