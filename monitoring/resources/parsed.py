"""Parse each query once: dashboards repeat themselves, and `${…}` stands in for what is not known yet."""

import re
from functools import lru_cache

from monitoring.query import MonitorQuery, Query, QueryError, parse, parse_monitor
from monitoring.resources.resource import REFERENCE


@lru_cache(maxsize=1024)
def query(text: str) -> tuple[Query | None, QueryError | None]:
    """The nodes of a query or formula, or its error; places are those in the text as given."""
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
