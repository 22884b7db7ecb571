"""Parse scopes, the filters in the braces of a query."""

import re
from typing import NoReturn

from monitoring.query.cursor import Cursor
from monitoring.query.nodes import And, Everything, In, Not, Or, Scope, Tag, Variable

TAG = re.compile(r"[A-Za-z_*$][\w.\-/:*$@+%#~?]*|\d[\w.\-/:*$@+%#~?]*")
VARIABLE = re.compile(r"\$[A-Za-z_][\w.\-]*\Z")
_NAMELESS = re.compile(r"\$(?![A-Za-z_])")
VALUE = re.compile(r"[\w.\-/:*$@+%#~?]+")
AND, OR, NOT = (re.compile(rf"(?:{word}|{word.lower()})(?![\w.\-/:*$@])") for word in ("AND", "OR", "NOT"))
_AND, _OR, _NOT = ("AND", "and"), ("OR", "or"), ("NOT", "not")  # startswith is faster than a pattern
KEY = re.compile(r"[A-Za-z_$][\w.\-/@$]*")
_MEMBERSHIP = re.compile(rf"({KEY.pattern})\s+((?:NOT|not)\s+)?(?:IN|in)(?![\w.\-/:*$@])")

_TERM = ("a tag (key:value)", "*", "a template variable ($env)", "(")
MIXED = "the symbols ! and , cannot be mixed with the words AND, OR, NOT and IN in one scope"
_HINTS = {
    "&&": "AND between the tags",
    "||": "OR between the tags",
    "=": "key:value, with a colon",
    "'": "the value without quotes",
    '"': "the value without quotes",
}


def parse_scope(cursor: Cursor) -> Scope:
    """braces = "{" scope "}" ; scope = any ("," any)*

    A comma means AND. Symbols (`!`, `,`) and words (`AND`, `OR`, `NOT`, `IN`) are two notations and cannot be
    mixed; source: Datadog, metrics/advanced-filtering.
    """
    start = cursor.position
    cursor.expect("{", "the scope")
    if cursor.looking_at("}"):
        raise cursor.error(
            "the scope is empty", start, cursor.position + 1, ("a tag (key:value)", "*"), "{*}"
        )
    first = cursor.position
    terms = [_any(cursor)]
    comma, last = cursor.position, cursor.last()
    while cursor.take(","):
        terms.append(_any(cursor))
        last = cursor.last()
    if not cursor.take("}"):
        _unexpected(cursor, ("','", "AND", "OR", "'}'"))
    if len(terms) == 1:
        return terms[0]
    scope = And(tuple(terms), start=first, end=last)
    if any(_worded(term) for term in terms):
        raise cursor.error(MIXED, comma, comma + 1, (), "AND instead of the comma, and NOT instead of !")
    return scope


def _any(cursor: Cursor) -> Scope:
    """any = all (OR all)*"""
    start = cursor.position
    terms = [_all(cursor)]
    while cursor.text.startswith(_OR, cursor.position) and cursor.match(OR):
        terms.append(_all(cursor))
    if len(terms) == 1:
        return terms[0]
    _only_words(cursor, terms)
    return Or(tuple(terms), start=start, end=cursor.last())


def _all(cursor: Cursor) -> Scope:
    """all = term (AND term)*"""
    start = cursor.position
    terms = [_term(cursor)]
    while cursor.text.startswith(_AND, cursor.position) and cursor.match(AND):
        terms.append(_term(cursor))
    if len(terms) == 1:
        return terms[0]
    _only_words(cursor, terms)
    return And(tuple(terms), "AND", start=start, end=cursor.last())


def _term(cursor: Cursor) -> Scope:
    """term = "!" tag | NOT term | "(" any ")" | key [NOT] IN "(" values ")" | tag"""
    start = cursor.position
    if cursor.take("!"):
        return Not(_tag(cursor), start=start, end=cursor.last())
    if cursor.looking_at("("):
        return _bracketed(cursor)
    if cursor.text.startswith(_NOT, start) and cursor.match(NOT):
        cursor.enter()
        term = _term(cursor)
        cursor.leave()
        _only_words(cursor, [term])
        return Not(term, "AND", start=start, end=cursor.last())
    return _membership(cursor) or _tag(cursor)


def _bracketed(cursor: Cursor) -> Scope:
    """bracketed = "(" any ")" """
    cursor.enter()
    cursor.take("(")
    inside = _any(cursor)
    if cursor.looking_at(","):
        raise cursor.error(MIXED, cursor.position, cursor.position + 1, ("AND", "OR", "')'"))
    if not cursor.take(")"):
        _unexpected(cursor, ("AND", "OR", "')'"))
    cursor.leave()
    return inside


def _membership(cursor: Cursor) -> In | None:
    """membership = key [NOT] IN "(" value ("," value)* ")" """
    start = cursor.position
    match = cursor.match(_MEMBERSHIP)
    if match is None:
        return None
    key, negated = match.group(1), match.group(2) is not None
    if not cursor.take("("):
        cursor.unexpected("the list after IN", ("'('",), f"{key} IN (a, b)")
    values = [_value(cursor)]
    while cursor.take(","):
        values.append(_value(cursor))
    if not cursor.take(")"):
        _unexpected(cursor, ("','", "')'"))
    return In(key, tuple(values), negated, start=start, end=cursor.last())


def _value(cursor: Cursor) -> str:
    match = cursor.match(VALUE)
    if match is None:
        _unexpected(cursor, ("a value",))
    return match.group()


def _tag(cursor: Cursor) -> Tag | Variable | Everything:
    """tag = "*" | "$" name | key ":" value | value ; the key is all before the first colon."""
    start = cursor.position
    match = cursor.match(TAG)
    if match is None:
        _unexpected(cursor, _TERM)
    text, end = match.group(), match.end()
    if text == "*":
        return Everything(start=start, end=end)
    if VARIABLE.match(text):
        variable = Variable(text[1:], start=start, end=end)
        cursor.variables.append(variable)
        return variable
    key, colon, value = text.partition(":")
    if "$" in text and (_NAMELESS.search(text) or "$" in key):
        raise cursor.error(f"'{text}' is not a tag", start, end, _TERM, "$name, or key:$name.value")
    tag = Tag(key, value, start=start, end=end) if colon else Tag(None, text, start=start, end=end)
    if "$" in text:
        cursor.variables.append(tag)
    return tag


def _unexpected(cursor: Cursor, expected: tuple[str, ...]) -> NoReturn:
    rest = cursor.text[cursor.position : cursor.position + 2]
    hint = next((hint for mark, hint in _HINTS.items() if rest.startswith(mark)), "")
    if hint:
        at = cursor.position
        mark = next(mark for mark in _HINTS if rest.startswith(mark))
        raise cursor.error(f"unexpected '{mark}' in the scope", at, at + len(mark), expected, hint)
    cursor.unexpected("the scope", expected)


def _worded(scope: Scope) -> bool:
    """Return whether the term contains AND, OR, NOT or IN."""
    return isinstance(scope, Or | In) or (isinstance(scope, And | Not) and scope.style == "AND")


def _only_words(cursor: Cursor, terms: list[Scope]) -> None:
    for term in terms:
        if isinstance(term, Not) and term.style == ",":
            raise cursor.error(MIXED, term.start, term.start + 1, (), "NOT instead of !")
