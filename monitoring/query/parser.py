"""Parse metric queries and formulas: one function per production, with the grammar in the docstrings."""

import re
from collections.abc import Collection
from typing import NoReturn

from monitoring.query.arguments import check_call, modifier
from monitoring.query.cursor import COMPARISON, NAME, Cursor
from monitoring.query.errors import QueryError, nearest
from monitoring.query.functions import FUNCTIONS, MODIFIERS
from monitoring.query.nodes import (
    Argument,
    Binary,
    Call,
    Expression,
    Groups,
    Keyword,
    Metric,
    Modifier,
    Negative,
    Number,
    Query,
    Reference,
    Several,
    String,
    Threshold,
)
from monitoring.query.scope import KEY, parse_scope

AGGREGATORS = ("avg", "sum", "min", "max", "count", "stddev", "histogram")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,2})?)\Z")

_HEAD = re.compile(r"(?:([A-Za-z_][\w.]*)\s*:\s*)?([A-Za-z][\w.]*)\s*(?=\{)", re.ASCII)
_DOTTED = re.compile(r"(?:([A-Za-z_][\w.]*):)?([A-Za-z_][\w]*(?:\.\w+)*)")
_COUNT_OF = re.compile(r"count\s*\(\s*v\s*:")
_BY = re.compile(r"by(?=\s*\{)")
_TERM = ("a query (avg:metric{*})", "a function", "a number", "'('")
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}
_ALIASES = {
    "mean": "avg",
    "average": "avg",
    "maximum": "max",
    "minimum": "min",
    "total": "sum",
    "median": "p50",
}
TALLEST = 150
"""The largest depth of a tree, so that recursive functions never overflow the stack."""


def parse(text: str, names: Collection[str] | None = None) -> Query:
    """Parse a metric query or formula.

    Args:
        text: the query; white space around it is ignored, as by the server.
        names: the valid names of queries in a formula; None accepts any name.

    Raises:
        QueryError: the text is not valid; no other exception is raised.
    """
    cursor = Cursor(text)
    query = parse_query(cursor)
    if not cursor.done:
        _refuse_rest(cursor)
    if cursor.metrics and cursor.references:
        name = cursor.references[0]
        written = text[name.start : name.end]
        message = f"'{written}' is the name of a query, which only a formula has: a metric needs a scope"
        raise cursor.error(message, name.start, name.end, (), f"{written}{{*}}")
    if names is not None:
        _check_names(cursor, query, names)
    return query


def parse_query(cursor: Cursor) -> Query:
    """query = expression ("," expression)*"""
    start = cursor.position
    queries = [parse_expression(cursor)]
    while cursor.take(","):
        queries.append(parse_expression(cursor))
    if len(queries) == 1:
        return queries[0]
    return Several(tuple(queries), start=start, end=cursor.last())


def parse_expression(cursor: Cursor, binding: int = 1) -> Expression:
    """expression = product (("+" | "-") product)* ; product = signed (("*" | "/") signed)*"""
    start = cursor.position
    left = _signed(cursor)
    while (sign := cursor.text[cursor.position : cursor.position + 1]) and _BINDING.get(sign, 0) >= binding:
        cursor.take(sign)
        right = parse_expression(cursor, _BINDING[sign] + 1)
        left = Binary(sign, left, right, start=start, end=cursor.last())
        cursor.operators += 1
        if cursor.operators > TALLEST // 2 and _height(left) > TALLEST:
            raise cursor.error(f"more than {TALLEST} operations on top of one another", start, cursor.last())
    return left


def _signed(cursor: Cursor) -> Expression:
    """signed = ("-" | "+") signed | term ; a plus in front of a term changes nothing, and is not kept"""
    start = cursor.position
    if cursor.take("+"):
        cursor.enter()
        operand = _signed(cursor)
        cursor.leave()
        return operand
    if not cursor.take("-"):
        return _term(cursor)
    cursor.enter()
    operand = _signed(cursor)
    cursor.leave()
    if isinstance(operand, Number):
        return Number(-operand.value, start=start, end=operand.end)
    return Negative(operand, start=start, end=cursor.last())


def _term(cursor: Cursor) -> Expression:
    """term = metric | function "(" arguments ")" | "(" expression ")" | number | name"""
    if match := _HEAD.match(cursor.text, cursor.position):
        return _metric(cursor, match)
    if _COUNT_OF.match(cursor.text, cursor.position):
        return _counted(cursor)
    if cursor.looking_at("("):
        return _bracketed(cursor)
    first = cursor.text[cursor.position : cursor.position + 1]
    if first.isdigit() or first == ".":
        start = cursor.position
        return Number(cursor.number("the query"), start=start, end=cursor.last())
    match = _DOTTED.match(cursor.text, cursor.position)
    if match is None:
        cursor.unexpected("the query", _TERM)
    return _named(cursor, match)


def _bracketed(cursor: Cursor) -> Expression:
    """bracketed = "(" expression ")" """
    start = cursor.position
    cursor.enter()
    cursor.take("(")
    inside = parse_expression(cursor)
    if not cursor.take(")"):
        if cursor.done:
            raise cursor.error("this bracket is never closed", start, start + 1, ("')'",))
        cursor.unexpected("the query", ("')'", "an operator"))
    cursor.leave()
    if cursor.looking_at("."):
        _refuse_modifier(cursor)
    return inside


def _named(cursor: Cursor, match: re.Match[str]) -> Expression:
    """named = name ["(" arguments ")"] ; a name that no bracket follows is that of a query in a formula."""
    prefix, name = match.group(1), match.group(2)
    start, end = match.span(2)
    if prefix is None and "." not in name and cursor.text[end:].lstrip()[:1] == "(":
        return _call(cursor, name, start, end)
    if prefix or "." in name or cursor.text[end : end + 1] == ":":
        _refuse_metric(cursor, match)
    cursor.position = end
    cursor.skip()
    reference = Reference(name, start=start, end=end)
    cursor.references.append(reference)
    return reference


_WRITTEN = re.compile(r"([\w.\-/]*)\s*(\{)?")


def _refuse_metric(cursor: Cursor, match: re.Match[str]) -> NoReturn:
    """Raise QueryError with the reason why a metric query is not valid."""
    start, end = match.span(2)
    after_colon = cursor.text[end : end + 1] == ":"
    written = _WRITTEN.match(cursor.text, end + 1 if after_colon else start)
    name = written.group(1) if written else ""
    at = written.start() if written else end
    aggregator = (
        f"{match.group(2) if after_colon else match.group(1)}:" if after_colon or match.group(1) else ""
    )
    if not name:
        raise cursor.error(
            "the name of the metric is missing", at, at, ("a metric",), f"{aggregator}metric{{*}}"
        )
    if written and written.group(2):
        message = "the name of a metric is letters, digits, dots and underscores, and starts with a letter"
        stored = re.sub(r"[^A-Za-z0-9_.]", "_", name).lstrip("0123456789._")
        raise cursor.error(message, at, at + len(name), (), f"{aggregator}{stored or 'metric'}{{…}}")
    called = match.group(2).rpartition(".")
    if called[2] in MODIFIERS and cursor.text[end : end + 1] == "(":
        at = start + len(called[0])
        message = "a metric needs a scope before its modifiers"
        raise cursor.error(message, at, at, ("'{'",), f"{called[0]}{{*}} and then the rest")
    raise cursor.error("a metric needs a scope", end, end, ("'{'",), f"{match.group()}{{*}}")


# --- metric queries


def _metric(cursor: Cursor, match: re.Match[str]) -> Metric:
    """metric = [aggregator ":"] name "{" scope "}" ["by" "{" key ("," key)* "}"] modifier*"""
    start, aggregator = match.start(), match.group(1)
    if aggregator is not None and aggregator not in AGGREGATORS:
        _check_percentile(cursor, aggregator, match)
    name = match.group(2)
    if name.endswith(".") or ".." in name:
        raise cursor.error("a metric's name has no empty part between its dots", *match.span(2))
    cursor.position = match.end()
    return _selected(cursor, start, name, aggregator, None)


def _counted(cursor: Cursor) -> Metric:
    """Parse counted = "count(v: v" comparison number "):" metric"""
    start = cursor.position
    match = _COUNT_OF.match(cursor.text, start)
    cursor.position = match.end() if match else start
    cursor.skip()
    cursor.expect("v", "the threshold count (count(v: v>=0.5):metric{*})")
    sign = cursor.match(COMPARISON)
    if sign is None or sign.group() == "!=":
        cursor.unexpected("the threshold count", ("'>'", "'>='", "'<'", "'<='", "'=='"))
    bound = cursor.number("the threshold count")
    cursor.expect(")", "the threshold count")
    threshold = Threshold(sign.group(), bound, start=start, end=cursor.last())
    cursor.expect(":", "the threshold count")
    head = _HEAD.match(cursor.text, cursor.position)
    if head is None or head.group(1):
        cursor.unexpected("the threshold count", ("a metric and its scope",))
    cursor.position = head.end()
    return _selected(cursor, start, head.group(2), "count", threshold)


def _selected(
    cursor: Cursor, start: int, name: str, aggregator: str | None, threshold: Threshold | None
) -> Metric:
    scope = parse_scope(cursor)
    by = _keys(cursor, "the grouping") if cursor.match(_BY) else ()
    modifiers = _modifiers(cursor)
    metric = Metric(name, aggregator, scope, by, modifiers, threshold, start=start, end=cursor.last())
    cursor.metrics.append(metric)
    return metric


def _check_percentile(cursor: Cursor, aggregator: str, match: re.Match[str]) -> None:
    percentile = PERCENTILE.match(aggregator)
    if percentile and 0 < float(percentile.group(1)) < 100:
        return
    guess = _ALIASES.get(aggregator.lower()) or nearest(aggregator, AGGREGATORS)
    suggestion = f"{guess}:{match.group(2)}{{…}}" if guess else ""
    expected = ("avg", "sum", "min", "max", "count", "stddev", "a percentile (p95)")
    raise cursor.error(f"unknown aggregator '{aggregator}'", *match.span(1), expected, suggestion)


def _keys(cursor: Cursor, what: str) -> tuple[str, ...]:
    """keys = "{" key ("," key)* "}" """
    cursor.expect("{", what)
    keys = [_key(cursor, what)]
    while cursor.take(","):
        keys.append(_key(cursor, what))
    if not cursor.take("}"):
        cursor.unexpected(what, ("','", "'}'"))
    return tuple(keys)


def _key(cursor: Cursor, what: str) -> str:
    match = cursor.match(KEY)
    if match is None:
        cursor.unexpected(what, ("a tag key",))
    if cursor.looking_at(":"):
        raise cursor.error(
            "a grouping names keys, without values", match.start(), cursor.position + 1, (), match[0]
        )
    return match.group()


def _modifiers(cursor: Cursor) -> tuple[Modifier, ...]:
    """Parse modifiers = ("." name "(" arguments ")")*"""
    if not cursor.looking_at("."):
        return ()
    modifiers = []
    while cursor.looking_at("."):
        modifiers.append(modifier(cursor))
    if _BY.match(cursor.text, cursor.position):
        at = cursor.position
        raise cursor.error("the grouping comes before the modifiers", at, at + 2, (), "{…} by {…}.modifier()")
    return tuple(modifiers)


def _refuse_modifier(cursor: Cursor) -> None:
    at = cursor.position
    name = NAME.match(cursor.text, at + 1)
    raise cursor.error(
        "a modifier belongs to one metric query, not to an expression",
        at,
        name.end() if name else at + 1,
        ("an operator",),
    )


# --- functions


def _call(cursor: Cursor, name: str, start: int, end: int) -> Call:
    """call = name "(" argument ("," argument)* ("," keyword)* ")" """
    if name not in FUNCTIONS:
        guess = nearest(name, FUNCTIONS)
        raise cursor.error(f"unknown function '{name}'", start, end, (), f"{guess}(…)" if guess else "")
    cursor.enter()
    cursor.position = end
    cursor.skip()
    cursor.take("(")
    arguments: list[Argument] = []
    keywords: list[Keyword] = []
    if not cursor.looking_at(")"):
        _argument(cursor, arguments, keywords)
        while cursor.take(","):
            _argument(cursor, arguments, keywords)
    if not cursor.take(")"):
        if cursor.done:
            raise cursor.error(f"the call of {name} is never closed", start, end, ("')'",))
        cursor.unexpected(f"the arguments of {name}", ("','", "')'"))
    cursor.leave()
    if cursor.looking_at("."):
        _refuse_modifier(cursor)
    cursor.operators += 1
    call = Call(name, tuple(arguments), tuple(keywords), start=start, end=cursor.last())
    return check_call(cursor, call)


_KEYWORD = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)")


def _argument(cursor: Cursor, arguments: list[Argument], keywords: list[Keyword]) -> None:
    """argument = keyword "=" (string | number | name) | string | "{" keys "}" | expression"""
    start = cursor.position
    if named := cursor.match(_KEYWORD):
        keywords.append(Keyword(named.group(1), _setting(cursor), start=start, end=cursor.last()))
        return
    if keywords:
        raise cursor.error("an argument cannot follow name=value", start, start + 1, ("name=value",))
    text = cursor.string()
    if text is not None:
        arguments.append(String(text, start=start, end=cursor.last()))
    elif cursor.looking_at("{"):
        arguments.append(_groups(cursor))
    else:
        arguments.append(parse_expression(cursor))


def _setting(cursor: Cursor) -> str | float:
    text = cursor.string()
    if text is not None:
        return text
    word = cursor.match(NAME)
    return word.group() if word else cursor.number("the value of a named argument")


def _groups(cursor: Cursor) -> Groups:
    """Parse groups = "{" ("*" | key ("," key)*) "}" """
    start = cursor.position
    if every := cursor.match(re.compile(r"\{\s*\*\s*\}")):
        return Groups((), start=start, end=every.end())
    return Groups(_keys(cursor, "the groups"), start=start, end=cursor.last())


# --- what is left over, names, height


def _refuse_rest(cursor: Cursor) -> None:
    rest = cursor.text[cursor.position :]
    if COMPARISON.match(rest):
        raise cursor.error(
            "a comparison belongs to a monitor, not to a query",
            cursor.position,
            len(cursor.text.rstrip()),
            ("an operator", "','", "the end of the query"),
        )
    if rest.startswith(")"):
        raise cursor.error("this bracket was never opened", cursor.position, cursor.position + 1)
    cursor.unexpected("the query", ("an operator", "','", "the end of the query"))


def children(node: object) -> tuple[Expression, ...]:
    """Return the expressions directly inside a node."""
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Negative):
        return (node.operand,)
    if isinstance(node, Call):
        return tuple(argument for argument in node.arguments if not isinstance(argument, String | Groups))
    return node.queries if isinstance(node, Several) else ()


def walk(query: Query) -> list[Query]:
    """Yield the node and all nodes below it, in the order of the text."""
    nodes: list[Query] = []
    pending: list[Query] = [query]
    while pending:
        node = pending.pop()
        nodes.append(node)
        pending.extend(reversed(children(node)))
    return nodes


def _height(query: Query) -> int:
    height, level = 0, [query]
    while level:
        height += 1
        level = [child for node in level for child in children(node)]
    return height


def _check_names(cursor: Cursor, query: Query, names: Collection[str]) -> None:
    for node in walk(query):
        if isinstance(node, Reference) and node.name not in names:
            expected_names = tuple(sorted(names)[:8])
            raise cursor.error(
                f"no query is named '{node.name}'",
                node.start,
                node.end,
                expected_names,
                nearest(node.name, names),
            )


__all__ = [
    "AGGREGATORS",
    "PERCENTILE",
    "QueryError",
    "children",
    "parse",
    "parse_expression",
    "parse_query",
    "walk",
]
