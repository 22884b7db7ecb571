"""Which sources a scope means."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from monitoring.query.nodes import And, In, Not, Or, Scope, Tag

Tags = frozenset[str]
Test = Callable[[Tags], bool]


def all_tags(tags: Iterable[str], host: str = "") -> Tags:
    """What a scope is compared with: the tags in lower case, the host among them."""
    lowered = {tag.lower() for tag in tags}
    if host:
        lowered.add(f"host:{host.lower()}")
    return frozenset(lowered)


@lru_cache(maxsize=4096)
def matcher(scope: Scope, substring: bool = True) -> Test:
    """A test of a source's tags (lower case, `host:…` among them).

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
    """A test for one tag; `*` matches any text, within its value."""
    wanted = text.lower()
    if "*" not in wanted:
        return lambda tags: wanted in tags
    if not substring and wanted.partition(":")[2].count("*") > 1:
        return lambda tags: False
    pattern = re.compile("".join(".*" if each == "*" else re.escape(each) for each in wanted), re.DOTALL)
    return lambda tags: any(pattern.fullmatch(tag) for tag in tags)
