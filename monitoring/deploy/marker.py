"""Ownership: a line at the end of a resource's message or description says who deploys it, and from what.

A resource without the line is never touched. The line carries the fingerprint of the body as it was applied,
so that a later difference can be told apart: made in the files, or by somebody else in Datadog. It holds no
`@`: that would be a handle to notify.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MARKER_FIELD = {"monitor": "message", "slo": "description", "dashboard": "description", "downtime": "message"}
"""Kind -> the text field that carries the marker; each kind has one that the API stores as it is."""

_MARKER = re.compile(
    r"\n*Managed by stepscope: (?P<project>[\w.-]+)/(?P<env>[\w.-]+)/(?P<key>[\w.-]+(?:\[[\w.-]+\])?)"
    r" \((?P<fingerprint>[0-9a-f]{12})\)\s*$"
)


class Owner(NamedTuple):
    """Who deploys a resource: a project, one of its environments, and the file's key."""

    project: str
    env: str
    key: str
    fingerprint: str = ""

    def line(self) -> str:
        """Return the marker line."""
        return f"Managed by stepscope: {self.project}/{self.env}/{self.key} ({self.fingerprint})"


def with_marker(kind: str, body: Mapping[str, Any], owner: Owner) -> dict[str, Any]:
    """Return the body with the owner's line at the end of its marker field."""
    field = MARKER_FIELD[kind]
    text = str(body.get(field) or "").rstrip()
    return {**body, field: f"{text}\n\n{owner.line()}" if text else owner.line()}


def without_marker(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body as its author wrote it."""
    field = MARKER_FIELD[kind]
    text = body.get(field)
    return {**body, field: _MARKER.sub("", text)} if isinstance(text, str) else dict(body)


def read_marker(kind: str, body: Mapping[str, Any]) -> Owner | None:
    """Whose resource it is, or None where nobody's line is there."""
    text = body.get(MARKER_FIELD[kind])
    match = _MARKER.search(text) if isinstance(text, str) else None
    return Owner(**match.groupdict()) if match else None
