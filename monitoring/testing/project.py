"""Load the monitors of a folder by their keys, with variables and references resolved."""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.query.errors import nearest
from monitoring.resources.files import path_of, read_resource
from monitoring.resources.instances import FOR_EACH, Instances, file_key, instance_key
from monitoring.resources.project import instances_in, load_project, made_of
from monitoring.resources.variables import mentioned

_MEMBER = re.compile(r"\$\{monitor:([\w.-]+(?:\[[\w.-]+\])?)\}")


@dataclass(frozen=True, slots=True)
class Folder:
    """`monitors/`: `NAME.json` in the shape of Datadog's API, for one environment (`--env`).

    `values` stand in the place of those of stepscope.toml, which is not read then.
    """

    path: Path
    env: str = ""
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)
    values: Mapping[str, Any] | None = field(default=None, compare=False)
    others: dict[str, "Folder"] = field(default_factory=dict, compare=False)
    """The same folder with other values, by these."""

    def with_values(self, values: Mapping[str, Any] | None) -> "Folder":
        """Return the folder with these values in the place of stepscope.toml's; None leaves those."""
        if values is None:
            return self
        name = json.dumps(values, sort_keys=True, default=str)
        return self.others.setdefault(name, Folder(self.path, self.env, values=values))

    def keys(self) -> list[str]:
        """Every monitor of the folder, each of those that a file makes for a list."""
        return sorted(key for file in self._files() for key in self._keys_of(file))

    def _keys_of(self, file: str) -> list[str]:
        several = self._lookup("monitor", file)
        if several is None or several.names is None:
            return [file]
        return [instance_key(file, name) for name in several.names]

    def _files(self) -> list[str]:
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

    def slo(self, key: str) -> dict[str, Any] | None:
        """Return the API body of an SLO in the project's slos/, variables filled in; None without its file.

        Raises:
            InputError: it cannot be read, or its file makes none of that key.
        """
        if not self._path_of("slo", file_key(key)).is_file():
            return None
        return self._made("slo", key)

    def _read(self, key: str) -> dict[str, Any]:
        if not self._path_of("monitor", file_key(key)).is_file():
            raise self._unknown(key, self._files())
        return self._made("monitor", key)

    def _made(self, kind: str, key: str) -> dict[str, Any]:
        resource = read_resource(self._path_of(kind, file_key(key)), kind)
        if any(mentioned(resource.body)) or FOR_EACH in resource.body:
            made = {item.key: item for item in made_of(resource, self._values(), self._lookup)}
            if key not in made:
                raise self._unknown(key, list(made), kind)
            resource = made[key]
        return dict(resource.body)

    def _unknown(self, key: str, known: list[str], kind: str = "monitor") -> InputError:
        near = nearest(key.removesuffix(".json"), known)
        if not near and file_key(known[0] if known else "") == key:
            near = known[0]
        listed = ", ".join(known) or f"there is no {kind} here"
        folder = self._path_of(kind, "x").parent
        hint = f"did you mean {near}?" if near else f"in {folder}: {listed}"
        return InputError(f"there is no {kind} {key!r}", hint=hint)

    def _lookup(self, kind: str, key: str) -> Instances | None:
        return instances_in(self._path_of, self._values)(kind, key)

    def _path_of(self, kind: str, key: str) -> Path:
        return (
            self.path / f"{key}.json" if kind == "monitor" else path_of(self.path.resolve().parent, kind, key)
        )

    def _values(self) -> Mapping[str, Any]:
        if self.values is not None:
            return {"env": self.env or "default", **self.values}
        return _variables(self.path.resolve().parent, self.env)


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


def load_monitor(identity: Any, folder: Folder) -> Loaded:
    """Return a monitor that a case names by its key, or holds as a body."""
    if isinstance(identity, str):
        return folder.monitor(identity)
    return load_body(identity, str(identity.get("name") or "monitor"))


@functools.cache
def _variables(root: Path, env: str) -> Mapping[str, Any]:
    return load_project(root, env).variables
