"""Add filters to all scopes of an expression, as dashboards and SLOs do."""

from dataclasses import replace

from monitoring.query.nodes import (
    And,
    Binary,
    Call,
    Everything,
    Expression,
    Metric,
    Negative,
    Not,
    Or,
    Scope,
)
from monitoring.query.parser import parse


def narrowed(node: Expression, *filters: str) -> Expression:
    """Add the filters, in the syntax of scopes, to every scope of the expression; "" and * add nothing.

    The scopes are converted to words (AND, NOT), so that a filter with `IN` can be added to one with commas.

    Raises:
        QueryError: a filter is not valid.
    """
    for text in filters:
        added = parse(f"avg:a{{{text}}}").scope if text.strip() else Everything()  # type: ignore[union-attr]
        node = node if isinstance(added, Everything) else _filtered(node, added)
    return node


def in_words(scope: Scope) -> Scope:
    """Return the same scope with AND and NOT instead of the comma and the exclamation mark."""
    if isinstance(scope, Not):
        return replace(scope, term=in_words(scope.term), style="AND")
    if isinstance(scope, And):
        return replace(scope, terms=tuple(map(in_words, scope.terms)), style="AND")
    return replace(scope, terms=tuple(map(in_words, scope.terms))) if isinstance(scope, Or) else scope


def _filtered(node: Expression, added: Scope) -> Expression:
    if isinstance(node, Metric):
        both = And((in_words(node.scope), in_words(added)), style="AND")
        scope = added if isinstance(node.scope, Everything) else both
        return replace(node, scope=scope)
    if isinstance(node, Binary):
        return replace(node, left=_filtered(node.left, added), right=_filtered(node.right, added))
    if isinstance(node, Negative):
        return replace(node, operand=_filtered(node.operand, added))
    if isinstance(node, Call):
        inside = tuple(
            _filtered(argument, added)
            if isinstance(argument, Metric | Binary | Call | Negative)
            else argument
            for argument in node.arguments
        )
        return replace(node, arguments=inside)
    return node
