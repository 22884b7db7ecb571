"""Format nodes as text."""

import re
from collections.abc import Callable
from typing import Any

from monitoring.query.nodes import (
    And,
    Binary,
    Call,
    Everything,
    Groups,
    In,
    Keyword,
    Metric,
    Modifier,
    Negative,
    Not,
    Number,
    Or,
    Reference,
    Scope,
    Several,
    String,
    Tag,
    Variable,
)

_BARE = re.compile(r"[A-Za-z_]\w*\Z")
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}


def format_query(node: Any) -> str:
    """Format a node as text; `parse` returns an equal node.

    Raises:
        TypeError: the argument is not a node of a query.
    """
    if type(node) not in _FORMATS:
        raise TypeError(f"not a node of a query: {type(node).__name__}")
    return _FORMATS[type(node)](node)


def format_number(value: float) -> str:
    """Return the shortest text that is parsed as the same number: 5, 0.25, -3, 1e+20."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(float(value))


def quoted(text: str) -> str:
    """Return the text in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def format_scope(scope: Scope) -> str:
    """Format the contents of the braces."""
    return _SCOPES[type(scope)](scope)


def _tag(tag: Tag) -> str:
    return tag.value if tag.key is None else f"{tag.key}:{tag.value}"


def _and(scope: And) -> str:
    return ("," if scope.style == "," else " AND ").join(_nested(term, scope) for term in scope.terms)


def _nested(scope: Scope, outer: Scope) -> str:
    text = format_scope(scope)
    bracketed = isinstance(scope, Or) or (isinstance(scope, And) and not isinstance(outer, Or))
    return f"({text})" if bracketed else text


_SCOPES: dict[type, Callable[[Any], str]] = {
    Everything: lambda scope: "*",
    Tag: _tag,
    Variable: lambda scope: f"${scope.name}",
    In: lambda scope: f"{scope.key} {'NOT ' if scope.negated else ''}IN ({','.join(scope.values)})",
    Not: lambda scope: ("!" if scope.style == "," else "NOT ") + _nested(scope.term, scope),
    And: _and,
    Or: lambda scope: " OR ".join(_nested(term, scope) for term in scope.terms),
}


def _metric(node: Metric) -> str:
    head = ""
    if node.threshold is not None:
        head = f"count(v: v{node.threshold.operator}{format_number(node.threshold.value)}):"
    elif node.aggregator is not None:
        head = f"{node.aggregator}:"
    by = f" by {{{','.join(node.by)}}}" if node.by else ""
    return f"{head}{node.name}{{{format_scope(node.scope)}}}{by}{''.join(map(_modifier, node.modifiers))}"


def _modifier(node: Modifier) -> str:
    written = (
        (argument if _BARE.match(argument) else quoted(argument))
        if isinstance(argument, str)
        else format_number(argument)
        for argument in node.arguments
    )
    return f".{node.name}({', '.join(written)})"


def _keyword(node: Keyword) -> str:
    value = quoted(node.value) if isinstance(node.value, str) else format_number(node.value)
    return f"{node.name}={value}"


def _call(node: Call) -> str:
    parts = [*map(format_query, node.arguments), *map(_keyword, node.keywords)]
    return f"{node.name}({', '.join(parts)})"


def _binary(node: Binary) -> str:
    binding = _BINDING[node.operator]
    left, right = format_query(node.left), format_query(node.right)
    if isinstance(node.left, Binary) and _BINDING[node.left.operator] < binding:
        left = f"({left})"
    if isinstance(node.right, Binary) and _BINDING[node.right.operator] <= binding:
        right = f"({right})"
    return f"{left} {node.operator} {right}"


def _negative(node: Negative) -> str:
    text = format_query(node.operand)
    return f"-({text})" if isinstance(node.operand, Binary | Number) else f"-{text}"


_FORMATS: dict[type, Callable[[Any], str]] = {
    Number: lambda node: format_number(node.value),
    String: lambda node: quoted(node.value),
    Reference: lambda node: node.name,
    Groups: lambda node: "{" + (",".join(node.keys) or "*") + "}",
    Metric: _metric,
    Modifier: _modifier,
    Call: _call,
    Binary: _binary,
    Negative: _negative,
    Several: lambda node: ", ".join(map(format_query, node.queries)),
    **_SCOPES,
}
