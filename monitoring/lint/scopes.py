"""Locate tag keys, values and template variables in a query's braces and grouping."""

from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.query import Metric
from monitoring.query.nodes import And, In, Not, Or, Scope, Tag, Variable

Term = Tag | In | Variable
_SINGLE, _SEVERAL = (Tag, Variable), (And, Or)


def terms(scope: Scope) -> list[tuple[Term, bool]]:
    """Each tag, list or variable in the braces, and whether it is excluded."""
    if isinstance(scope, _SINGLE):
        return [(scope, False)]
    if isinstance(scope, _SEVERAL):
        return [inner for term in scope.terms for inner in terms(term)]
    if isinstance(scope, Not):
        return [(term, not negated) for term, negated in terms(scope.term)]
    return [(scope, scope.negated)] if isinstance(scope, In) else []


def prefixes(body: Mapping[str, Any]) -> Mapping[str, str]:
    """Template variable -> the tag key that it filters by; an empty text where it has none."""
    variables = body.get("template_variables")
    rows = variables if isinstance(variables, list) else []
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
    end = text.find("by", metric.scope.end) + len("by")
    for key in metric.by:
        start = text.find(key, end)
        end = start + len(key)
        yield key, start, end
