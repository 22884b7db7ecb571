"""Match the tags of sources with a scope."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from monitoring.query.nodes import And, In, Not, Or, Scope, Tag

Tags = frozenset[str]
Test = Callable[[Tags], bool]


def all_tags(tags: Iterable[str], host: str = "") -> Tags:
    """Return the tags that are matched with a scope: in lower case, with the host."""
    lowered = {tag.lower() for tag in tags}
    if host:
        lowered.add(f"host:{host.lower()}")
    return frozenset(lowered)


@lru_cache(maxsize=4096)
def matcher(scope: Scope, substring: bool = True) -> Test:
    """Return a predicate of a source's tags (lower case, with `host:…`).

    If several tags are excluded, a source with any of them is. Source: Datadog, metrics/advanced-filtering.
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
    """Return a predicate for a tag; `*` matches any text within its value."""
    expected = text.lower()
    if "*" not in expected:
        return lambda tags: expected in tags
    if not substring and expected.partition(":")[2].count("*") > 1:
        return lambda tags: False
    first, *middle, last = expected.split("*")
    return lambda tags: any(_like(tag, first, middle, last) for tag in tags)


def _like(tag: str, first: str, middle: list[str], last: str) -> bool:
    """Return whether the parts occur in the tag in order, the first at its start, the last at its end.

    Using the first occurrence of each part is sufficient, so that the time is linear.
    """
    if not (tag.startswith(first) and tag.endswith(last) and len(tag) >= len(first) + len(last)):
        return False
    offset, end = len(first), len(tag) - len(last)
    for part in middle:
        position = tag.find(part, offset, end)
        if position < 0:
            return False
        offset = position + len(part)
    return True
