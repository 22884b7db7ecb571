"""The monitors of a folder: from a key to a monitor, with variables and references filled in."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.query.errors import nearest
from monitoring.resources.files import read_resource
from monitoring.resources.project import filled, load_project
from monitoring.resources.variables import mentioned

_MEMBER = re.compile(r"\$\{monitor:([\w.-]+)\}")


@dataclass(frozen=True, slots=True)
class Folder:
    """`monitors/`: `NAME.json` in the shape of Datadog's API, for one environment (`--env`)."""

    path: Path
    env: str = ""
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)

    def keys(self) -> list[str]:
        """Every monitor of the folder."""
        return sorted(path.stem for path in self.path.glob("*.json"))

    def monitor(self, key: str) -> "Loaded":
        """Return the monitor of that key.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        return load_body(self.body(key), key)

    def body(self, key: str) -> dict[str, Any]:
        """Its API body, variables filled in; InputError as for `monitor`."""
        if key not in self.bodies:
            self.bodies[key] = self._read(key)
        return self.bodies[key]

    def _read(self, key: str) -> dict[str, Any]:
        path = self.path / f"{key}.json"
        if not path.is_file():
            near = nearest(key.removesuffix(".json"), self.keys())
            known = ", ".join(self.keys()) or "there is no monitor here"
            hint = f"did you mean {near}?" if near else f"in {self.path}: {known}"
            raise InputError(f"there is no monitor {key!r}", hint=hint)
        resource = read_resource(path, "monitor")
        if any(mentioned(resource.body)):
            resource = filled(resource, _variables(self.path.resolve().parent, self.env))
        return dict(resource.body)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A monitor, and for a composite the keys of members that its query names by key, by number."""

    monitor: Monitor
    members: Mapping[int, str] = field(default_factory=dict)


def load_body(body: Mapping[str, Any], key: str) -> Loaded:
    """Return the monitor of an API body; `${monitor:KEY}` in a composite's query becomes a number."""
    members: dict[int, str] = {}
    query = body.get("query")
    if isinstance(query, str) and "${monitor:" in query:
        numbers: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            return str(numbers.setdefault(match[1], 900000001 + len(numbers)))

        body = {**body, "query": _MEMBER.sub(number, query)}
        members = {identity: name for name, identity in numbers.items()}
    return Loaded(Monitor.from_body(body, key), members)


def load_monitor(given: Any, folder: Folder) -> Loaded:
    """Return a monitor that a case names by its key, or holds as a body."""
    if isinstance(given, str):
        return folder.monitor(given)
    return load_body(given, str(given.get("name") or "monitor"))


@functools.cache
def _variables(root: Path, env: str) -> Mapping[str, Any]:
    return load_project(root, env).variables
