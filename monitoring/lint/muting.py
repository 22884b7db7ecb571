"""Find which monitors a downtime mutes, for the rules about downtimes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from monitoring.lint.model import Subject
from monitoring.lint.scopes import terms
from monitoring.query import Metric, MetricMonitor, grouped_by, walk
from monitoring.resources.resource import REFERENCE

_KEY = re.compile(r"(?<![\w./-])(-?)([A-Za-z_][\w./-]*):")


class Reach(NamedTuple):
    """The tags of a monitor itself, and the keys by which its groups can be told apart.

    `keys` is None where its query does not say.
    """

    tags: frozenset[str]
    keys: frozenset[str] | None


class Meant(NamedTuple):
    """Describe what a downtime mutes: monitors by all `tags` or by `key`, and groups by `scope_keys`."""

    tags: frozenset[str]
    key: str
    scope_keys: tuple[str, ...]


def as_written(text: str) -> str | None:
    """Return the text with each variable's default in its place; None where one has none."""
    if any(match["default"] is None for match in REFERENCE.finditer(text)):
        return None
    return REFERENCE.sub(lambda match: match["default"], text)


def schedule_of(subject: Subject) -> Mapping[str, Any]:
    """Return a downtime's schedule."""
    schedule = subject.body.get("schedule")
    return schedule if isinstance(schedule, dict) else {}


def recurrences_of(subject: Subject) -> list[tuple[int, Mapping[str, Any]]]:
    """Yield the recurrences of a downtime with their pointers."""
    recurrences = schedule_of(subject).get("recurrences")
    rows = enumerate(recurrences) if isinstance(recurrences, list) else ()
    return [(index, recurrence) for index, recurrence in rows if isinstance(recurrence, dict)]


def tags_of(subject: Subject) -> list[str]:
    """Return the tags of the monitors that a downtime mutes."""
    identifier = subject.body.get("monitor_identifier")
    tags = identifier.get("monitor_tags") if isinstance(identifier, dict) else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def reach_of(subject: Subject) -> Reach | None:
    """Return the tags and keys by which downtimes can match a monitor."""
    if subject.resource.kind != "monitor":
        return None
    tags = subject.body.get("tags")
    named = frozenset(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else frozenset()
    query = subject.monitor[0]
    return Reach(named, frozenset(_keys(query)) if isinstance(query, MetricMonitor) else None)


def _keys(query: MetricMonitor) -> Iterator[str]:
    yield from grouped_by(query)
    for node in walk(query.query):
        if isinstance(node, Metric):
            yield from (
                getattr(term, "key", None) or "" for term, excluded in terms(node.scope) if not excluded
            )


def meant_by(subject: Subject) -> Meant | None:
    """Return what a downtime mutes; None if it depends on values of stepscope.toml."""
    if subject.resource.kind != "downtime":
        return None
    scope, tags = subject.body.get("scope"), tags_of(subject)
    written = as_written(scope) if isinstance(scope, str) else None
    if written is None or any("${" in tag for tag in tags):
        return None
    identifier = subject.body.get("monitor_identifier")
    ident = identifier.get("monitor_id") if isinstance(identifier, dict) else None
    named = REFERENCE.fullmatch(ident) if isinstance(ident, str) else None
    if not tags and (named is None or named["kind"] != "monitor"):
        return None
    keys = tuple(key.lower() for excluded, key in _KEY.findall(written) if not excluded)
    return Meant(frozenset(tags) - {"*"}, named["key"] if named else "", keys)
