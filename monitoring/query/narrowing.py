"""Narrows a whole expression to a further filter, as dashboards and objectives add one."""

from dataclasses import replace

from monitoring.query.nodes import And, Binary, Call, Everything, Expression, Metric, Negative, Scope
from monitoring.query.parser import parse


def narrowed(node: Expression, scope: str) -> Expression:
    """Add the filter, written as in braces, to every scope of the expression; "" adds nothing.

    Raises:
        QueryError: the filter cannot be read.
    """
    added = parse(f"avg:a{{{scope}}}").scope if scope.strip() else Everything()  # type: ignore[union-attr]
    return node if isinstance(added, Everything) else _filtered(node, added)


def _filtered(node: Expression, added: Scope) -> Expression:
    if isinstance(node, Metric):
        scope = added if isinstance(node.scope, Everything) else And((node.scope, added), style="AND")
        return replace(node, scope=scope)
    if isinstance(node, Binary):
        return replace(node, left=_filtered(node.left, added), right=_filtered(node.right, added))
    if isinstance(node, Negative):
        return replace(node, operand=_filtered(node.operand, added))
    if isinstance(node, Call):
        inside = tuple(
            _filtered(one, added) if isinstance(one, Metric | Binary | Call | Negative) else one
            for one in node.arguments
        )
        return replace(node, arguments=inside)
    return node
