"""Resolve names in a query: names of queries in formulas, and template variables."""

import re
from collections.abc import Mapping
from dataclasses import replace

from monitoring.query.errors import QueryError
from monitoring.query.nodes import (
    And,
    Binary,
    Call,
    Everything,
    Expression,
    Groups,
    In,
    Metric,
    Negative,
    Not,
    Number,
    Or,
    Query,
    Reference,
    Scope,
    Several,
    String,
    Tag,
    Variable,
)
from monitoring.query.parser import parse, walk

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)(\.value)?")


def resolve(
    query: Query, text: str, queries: Mapping[str, str | Query], variables: Mapping[str, str]
) -> Query:
    """Replace names of queries by metric queries, and template variables by tags.

    Args:
        query: a query or formula.
        text: its text, for errors.
        queries: name -> query, for the names in a formula.
        variables: name -> value of `$name`: a tag (`env:prod`), a value without a key, several joined by
            commas (any of them), or `*` for no filter.

    Raises:
        QueryError: a name or variable is undefined, or a named query is itself a formula.
    """
    if isinstance(query, Several):
        return replace(
            query, queries=tuple(_resolved(part, text, queries, variables) for part in query.queries)
        )
    return _resolved(query, text, queries, variables)


def _resolved(
    node: Expression, text: str, queries: Mapping[str, str | Query], variables: Mapping[str, str]
) -> Expression:
    def inside(argument: Expression) -> Expression:
        return _resolved(argument, text, queries, variables)

    if isinstance(node, Reference):
        return inside(_named(node, text, queries))
    if isinstance(node, Metric):
        return replace(node, scope=_bound(node.scope, variables, text))
    if isinstance(node, Binary):
        return replace(node, left=inside(node.left), right=inside(node.right))
    if isinstance(node, Negative):
        return replace(node, operand=inside(node.operand))
    if isinstance(node, Call):
        arguments = tuple(
            part if isinstance(part, String | Groups | Number) else inside(part) for part in node.arguments
        )
        return replace(node, arguments=arguments)
    return node


def _named(node: Reference, text: str, queries: Mapping[str, str | Query]) -> Expression:
    named = queries.get(node.name)
    if named is None:
        names = ", ".join(sorted(queries)) or "none is given"
        raise QueryError(text, f"no query is named '{node.name}' (known: {names})", node.start, node.end)
    query = parse(named) if isinstance(named, str) else named
    if isinstance(query, Several) or any(isinstance(part, Reference) for part in walk(query)):
        message = f"'{node.name}' must be a single query, without names of other queries"
        raise QueryError(text, message, node.start, node.end)
    return replace(query, start=node.start, end=node.end)


def _bound(scope: Scope, variables: Mapping[str, str], text: str) -> Scope:
    """Return the scope with its variables replaced; the same object if it has none."""
    if isinstance(scope, Variable):
        return _chosen(_value(scope.name.removesuffix(".value"), variables, text, scope))
    if isinstance(scope, Not):
        term = _bound(scope.term, variables, text)
        return scope if term is scope.term else replace(scope, term=term)
    if isinstance(scope, And | Or):
        terms = tuple(_bound(term, variables, text) for term in scope.terms)
        unchanged = all(new is old for new, old in zip(terms, scope.terms, strict=True))
        return scope if unchanged else replace(scope, terms=terms)
    if isinstance(scope, Tag) and "$" in scope.value:
        terms = tuple(Tag(scope.key, value) for value in _written(scope.value, variables, text, scope))
        return terms[0] if len(terms) == 1 else Or(terms)
    if isinstance(scope, In) and any("$" in value for value in scope.values):
        values = [part for value in scope.values for part in _written(value, variables, text, scope)]
        return replace(scope, values=tuple(values))
    return scope


def _written(value: str, variables: Mapping[str, str], text: str, scope: Scope) -> list[str]:
    """Return the values of a value with its variables replaced; there can be several."""
    return _VARIABLE.sub(lambda match: _bare(_value(match.group(1), variables, text, scope)), value).split(
        ","
    )


def _value(name: str, variables: Mapping[str, str], text: str, scope: Scope) -> str:
    for candidate in (name, *(name[:at] for at, mark in enumerate(name) if mark == ".")):
        if candidate in variables:
            return variables[candidate]
    raise QueryError(
        text,
        f"the template variable ${name} has no value",
        scope.start,
        scope.end,
        suggestion=f"--var {name}=* for no filter, or --var {name}=key:value",
    )


def _chosen(value: str) -> Scope:
    choices = [choice.strip() for choice in value.split(",") if choice.strip()]
    if not choices or "*" in choices:
        return Everything()
    terms = tuple(_tag(choice) for choice in choices)
    return terms[0] if len(terms) == 1 else Or(terms)


def _tag(text: str) -> Tag:
    key, colon, value = text.partition(":")
    return Tag(key, value) if colon else Tag(None, text)


def _bare(value: str) -> str:
    return ",".join(choice.strip().partition(":")[2] or choice.strip() for choice in value.split(","))
