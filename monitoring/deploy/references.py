"""Resolve references: `${monitor:KEY}`, `${slo:KEY}`, `${dashboard:KEY}`, `${downtime:KEY}`.

References in texts for people (a message, a note, a link) may be circular: a monitor links to the dashboard
on which it is shown. Such a soft reference does not affect the order: a second write completes it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.resources.document import Pointer
from monitoring.resources.resource import ID_REFERENCE, strings

SOFT_FIELDS = frozenset({"message", "escalation_message", "description", "content", "link", "url"})
"""Fields whose text may be completed later."""

NUMBER_FIELDS = frozenset({"monitor_id", "monitor_ids"})
"""Fields in which the API wants a number where a reference stands alone."""

Ids = Mapping[tuple[str, str], str]
"""(kind, key) -> the id in Datadog."""


class Mention(NamedTuple):
    """A reference to another resource; a `soft` one can be resolved after both exist."""

    kind: str
    key: str
    soft: bool


def references(body: Mapping[str, Any]) -> set[Mention]:
    """Return every resource that a body mentions."""
    return {
        Mention(kind, key, _field(pointer) in SOFT_FIELDS)
        for pointer, text in strings(body)
        if "${" in text
        for kind, key in ID_REFERENCE.findall(text)
    }


def _field(pointer: Pointer) -> str:
    return next((step for step in reversed(pointer) if isinstance(step, str)), "")


def resolve(body: Mapping[str, Any], ids: Ids) -> dict[str, Any]:
    """Replace every known reference by its id; unknown ones stay as written."""
    return {key: _resolve(item, key, ids) for key, item in body.items()}


def _resolve(value: Any, field: str, ids: Ids) -> Any:
    if isinstance(value, str):
        return _resolve_text(value, field, ids) if "${" in value else value
    if isinstance(value, Mapping):
        return {key: _resolve(item, str(key), ids) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, field, ids) for item in value]
    return value


def _resolve_text(text: str, field: str, ids: Ids) -> Any:
    replaced = ID_REFERENCE.sub(lambda match: ids.get((match[1], match[2]), match[0]), text)
    return int(replaced) if field in NUMBER_FIELDS and replaced.isdigit() else replaced


def order(bodies: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[list[tuple[str, str]]]:
    """Return waves of (kind, key): hard references of a wave are to resources of earlier waves.

    Raises:
        InputError: a referenced resource does not exist, or hard references are circular.
    """
    needs = {me: _hard_needs(me, body, bodies) for me, body in bodies.items()}
    waves: list[list[tuple[str, str]]] = []
    placed: set[tuple[str, str]] = set()
    while len(placed) < len(needs):
        wave = sorted(me for me, wanted in needs.items() if me not in placed and wanted <= placed)
        if not wave:
            raise InputError(_circle(needs, placed), hint="Take one of these references out.")
        waves.append(wave)
        placed.update(wave)
    return waves


def _hard_needs(
    me: tuple[str, str], body: Mapping[str, Any], known: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    mentioned = references(body)
    for reference in sorted(mentioned, key=lambda reference: (reference.kind, reference.key)):
        if (reference.kind, reference.key) not in known:
            raise InputError(
                f"${{{reference.kind}:{reference.key}}} names no {reference.kind} of this project",
                where=f"{me[0]}s/{me[1]}.json",
                hint=f"Add {reference.kind}s/{reference.key}.json, or write the id itself.",
            )
    return {
        (reference.kind, reference.key)
        for reference in mentioned
        if not reference.soft and (reference.kind, reference.key) != me
    }


def _circle(needs: Mapping[tuple[str, str], set[tuple[str, str]]], placed: set[tuple[str, str]]) -> str:
    start = min(me for me in needs if me not in placed)
    path = [start]
    while True:
        following = min(needs[path[-1]] - placed)
        if following in path:
            path = [*path[path.index(following) :], following]
            return "these refer to each other in a circle: " + " -> ".join(
                f"{kind}:{key}" for kind, key in path
            )
        path.append(following)
