"""Mark owned resources with a line at the end of their message or description.

A resource without the line is never changed. The line has the fingerprint of the applied body, to distinguish
later changes of the files from changes in Datadog. It has no `@`, which would be a handle to notify.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MARKER_FIELD = {"monitor": "message", "slo": "description", "dashboard": "description", "downtime": "message"}
"""Kind -> the text field with the marker, which the API stores unchanged."""

_MARKER = re.compile(
    r"\n*Managed by stepscope: (?P<project>[\w.-]+)/(?P<env>[\w.-]+)/(?P<key>[\w.-]+(?:\[[\w.-]+\])?)"
    r" \((?P<fingerprint>[0-9a-f]{12})\)\s*$"
)


class Owner(NamedTuple):
    """The owner of a resource: a project, one of its environments, and the file's key."""

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
    """Return the body without the marker line."""
    field = MARKER_FIELD[kind]
    text = body.get(field)
    return {**body, field: _MARKER.sub("", text)} if isinstance(text, str) else dict(body)


def read_marker(kind: str, body: Mapping[str, Any]) -> Owner | None:
    """Return the owner of a resource, or None if it has no marker."""
    text = body.get(MARKER_FIELD[kind])
    match = _MARKER.search(text) if isinstance(text, str) else None
    return Owner(**match.groupdict()) if match else None
