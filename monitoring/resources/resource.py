"""Define a resource (a dashboard, monitor, SLO or downtime), and the references between resources."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from monitoring.resources.document import Pointer

KINDS = ("monitor", "slo", "dashboard", "downtime")
"""The kinds of resources in the order of their creation: each may refer to those before it."""

FOLDERS = {"dashboards": "dashboard", "monitors": "monitor", "slos": "slo", "downtimes": "downtime"}
"""Folder -> the kind of the files in it. A file elsewhere is known by its keys."""

_SLO_TYPES = ("metric", "monitor", "time_slice")
_KEY = r"[A-Za-z0-9_.-]+(?:\[[A-Za-z0-9_.-]+\])?"
REFERENCE = re.compile(rf"\$\{{(?P<kind>[a-z]+):(?P<key>{_KEY})(?:\|(?P<default>[^}}]*))?\}}")
"""`${monitor:KEY}`, `${dashboard:KEY}`, `${slo:KEY}` stand for the id that Datadog gave to the resource (of a
file of several, `${monitor:KEY[ENTRY]}`); `${var:NAME|DEFAULT}` for a value of stepscope.toml."""

ID_REFERENCE = re.compile(rf"\$\{{(?P<kind>{'|'.join(KINDS)}):(?P<key>{_KEY})\}}")
"""Those of them that stand for an id."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a file or of Datadog.

    Args:
        kind: one of `KINDS`.
        key: the file's name without `.json`, and in brackets the entry of its `for_each`; what references and
            plans call it.
        body: the JSON object, in the shape of Datadog's API.
        id: Datadog's id; in a file, that of an existing resource that the file takes over.
        path: the file, as messages name it; empty for a resource of Datadog.
    """

    kind: str
    key: str
    body: Mapping[str, Any]
    id: str | None = None
    path: str = ""

    @property
    def title(self) -> str:
        """The name that people see."""
        return str(self.body.get("title") or self.body.get("name") or "")


class ResourceReference(NamedTuple):
    """One `${kind:key}` in the string at `pointer`, from `start` to `end` in it."""

    kind: str
    key: str
    default: str | None
    pointer: Pointer
    start: int
    end: int


def kind_of(body: Mapping[str, Any], folder: str = "") -> str | None:
    """Return the kind of a body: by its folder, else by its keys; None where neither tells."""
    if folder in FOLDERS:
        return FOLDERS[folder]
    if "widgets" in body or "layout_type" in body:
        return "dashboard"
    if body.get("type") in _SLO_TYPES and "thresholds" in body:
        return "slo"
    if "query" in body and ("type" in body or "options" in body or "message" in body):
        return "monitor"
    if "monitor_identifier" in body:
        return "downtime"
    return None


def strings(value: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, str]]:
    """Yield all strings in a value, without keys, with their pointers, in the order of the file."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*pointer, index))


def references(body: Any) -> Iterator[ResourceReference]:
    """Yield all references in a body, in the order of the file."""
    for pointer, text in strings(body):
        for match in REFERENCE.finditer(text):
            kind, key, default = match.group("kind", "key", "default")
            yield ResourceReference(kind, key, default, pointer, match.start(), match.end())
