"""Queries read once: dashboards repeat themselves, and `${…}` stands in for what is not known yet.

Most queries of dashboards are one metric with a plain scope. `_plain` reads those with one regular
expression, six times as fast as the parser, into the very nodes that the parser would give (a test compares
them over real dashboards); everything else, and everything wrong, goes to the parser.
"""

import re
from functools import lru_cache

from monitoring.query import Metric, Modifier, MonitorQuery, Query, QueryError, parse, parse_monitor
from monitoring.query.nodes import And, Everything, Not, Scope, Tag, Variable
from monitoring.resources.resource import REFERENCE

_PLAIN = re.compile(
    r"(avg|sum|min|max):([A-Za-z]\w*(?:\.\w+)*)\{([^{}()\s]+)\}"
    r"(?: by \{([a-z_][\w.]*(?:,[a-z_][\w.]*)*)\})?((?:\.as_count\(\)|\.as_rate\(\))?)\Z"
)
_TERM = re.compile(r"(!?)(?:\$([A-Za-z_]\w*)|([a-z_][\w.]*):([\w.\-/:*]+)|(\*))\Z")


@lru_cache(maxsize=1024)
def query(text: str) -> tuple[Query | None, QueryError | None]:
    """The nodes of a query or formula, or its error; places are those in the text as given."""
    if plain := _plain(text):
        return plain, None
    try:
        return parse(_filled(text)), None
    except QueryError as error:
        return None, error


@lru_cache(maxsize=4096)
def monitor(text: str) -> tuple[MonitorQuery | None, QueryError | None]:
    """The same for the query of a monitor."""
    try:
        return parse_monitor(_filled(text)), None
    except QueryError as error:
        return None, error


def _plain(text: str) -> Metric | None:
    """aggregator:name{tag,!tag,$variable} by {key,key}.as_count()"""
    found = _PLAIN.match(text)
    if found is None:
        return None
    aggregator, name, braces, keys, modifier = found.groups()
    scope = _scope(braces, len(aggregator) + len(name) + 2)
    if scope is None:
        return None
    by = tuple(keys.split(",")) if keys else ()
    modifiers = _modifiers(modifier[1:-2], len(text) - len(modifier)) if modifier else ()
    return Metric(name, aggregator, scope, by, modifiers, None, start=0, end=len(text))


@lru_cache(maxsize=4096)
def _modifiers(name: str, start: int) -> tuple[Modifier, ...]:
    return (Modifier(name, (), start=start, end=start + len(name) + 3),)


def _scope(text: str, at: int) -> Scope | None:
    terms: list[Scope] = []
    for part in text.split(","):
        term = _term(part, at)
        if term is None:
            return None
        terms.append(term)
        at += len(part) + 1
    return terms[0] if len(terms) == 1 else And(tuple(terms), start=terms[0].start, end=terms[-1].end)


@lru_cache(maxsize=1024)
def _term(part: str, start: int) -> Scope | None:
    found = _TERM.match(part)
    if found is None:
        return None
    sign, variable, key, value, _ = found.groups()
    end = start + len(part)
    inner = start + len(sign)
    term: Scope
    if variable:
        term = Variable(variable, start=inner, end=end)
    elif key:
        term = Tag(key, value, start=inner, end=end)
    elif sign:
        return None
    else:
        term = Everything(start=inner, end=end)
    return Not(term, start=start, end=end) if sign else term


def _filled(text: str) -> str:
    """The text with its references filled in: a number for an id, a variable's default; as long as before."""
    if "${" not in text:
        return text
    ids: dict[str, str] = {}

    def value(found: re.Match[str]) -> str:
        default = found.group("default")
        word = default if default is not None else ids.setdefault(found.group("key"), str(len(ids) + 1))
        return word.ljust(len(found.group()))

    return REFERENCE.sub(value, text)
