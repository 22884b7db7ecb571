"""Parse each query once: dashboards repeat themselves, and `${…}` stands in for what is not known yet."""

import re
from functools import lru_cache

from monitoring.query import MonitorQuery, Query, QueryError, parse, parse_monitor
from monitoring.resources.resource import REFERENCE
from monitoring.resources.variables import AND, scope_before_and


@lru_cache(maxsize=1024)
def query(text: str) -> tuple[Query | None, QueryError | None]:
    """Parse a query or formula, or return its error; places are those in the given text."""
    try:
        return parse(_filled(text)), None
    except QueryError as error:
        return None, error


@lru_cache(maxsize=4096)
def monitor(text: str) -> tuple[MonitorQuery | None, QueryError | None]:
    """Parse the query of a monitor likewise."""
    try:
        return parse_monitor(_filled(text)), None
    except QueryError as error:
        return None, error


def _filled(text: str) -> str:
    """Replace references by an id or a variable's default, keeping the length of the text."""
    if "${" not in text:
        return text
    ids: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        default = match.group("default")
        word = default if default is not None else ids.setdefault(match.group("key"), str(len(ids) + 1))
        scope = scope_before_and(word) if match.group("and") else word
        return scope.ljust(len(match.group()))

    return _REFERENCE_IN_SCOPE.sub(value, text)


_REFERENCE_IN_SCOPE = re.compile(rf"{REFERENCE.pattern}(?P<and>{AND})?")
