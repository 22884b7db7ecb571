"""Which sources a scope means."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from monitoring.query.nodes import And, In, Not, Or, Scope, Tag

Tags = frozenset[str]
Test = Callable[[Tags], bool]


def all_tags(tags: Iterable[str], host: str = "") -> Tags:
    """Return the tags that a scope is compared with: in lower case, the host included."""
    lowered = {tag.lower() for tag in tags}
    if host:
        lowered.add(f"host:{host.lower()}")
    return frozenset(lowered)


@lru_cache(maxsize=4096)
def matcher(scope: Scope, substring: bool = True) -> Test:
    """Return a predicate over a source's tags (lower case, `host:…` included).

    Excluding several tags drops a source that has any of them; source: Datadog, metrics/advanced-filtering.
    """
    if isinstance(scope, Not):
        inside = matcher(scope.term, substring)
        return lambda tags: not inside(tags)
    if isinstance(scope, And | Or):
        terms = [matcher(term, substring) for term in scope.terms]
        combine = all if isinstance(scope, And) else any
        return lambda tags: combine(term(tags) for term in terms)
    if isinstance(scope, In):
        return _member(scope, substring)
    if isinstance(scope, Tag):
        return _has(scope.value if scope.key is None else f"{scope.key}:{scope.value}", substring)
    return lambda tags: True


def _member(scope: In, substring: bool) -> Test:
    values = [_has(f"{scope.key}:{value}", substring) for value in scope.values]
    negated = scope.negated
    return lambda tags: any(value(tags) for value in values) != negated


def _has(text: str, substring: bool) -> Test:
    """Return a predicate for one tag; `*` matches any text within its value."""
    wanted = text.lower()
    if "*" not in wanted:
        return lambda tags: wanted in tags
    if not substring and wanted.partition(":")[2].count("*") > 1:
        return lambda tags: False
    first, *middle, last = wanted.split("*")
    return lambda tags: any(_like(tag, first, middle, last) for tag in tags)


def _like(tag: str, first: str, middle: list[str], last: str) -> bool:
    """Return whether the parts occur in order in the tag, the first at its start, the last at its end.

    Taking the first occurrence of each is enough, so that no pattern takes long.
    """
    if not (tag.startswith(first) and tag.endswith(last) and len(tag) >= len(first) + len(last)):
        return False
    place, end = len(first), len(tag) - len(last)
    for part in middle:
        position = tag.find(part, place, end)
        if position < 0:
            return False
        place = position + len(part)
    return True
