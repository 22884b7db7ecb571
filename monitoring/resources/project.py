"""Load a project: `stepscope.toml`, and the resources of its files with the values of one environment."""

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.resources.document import read_text
from monitoring.resources.files import path_of, read_folder, read_resource
from monitoring.resources.instances import FOR_EACH, Instances, Lookup, filled_instances, instances_of
from monitoring.resources.nearest import nearest
from monitoring.resources.resource import KINDS, Resource
from monitoring.resources.variables import merged, settled

FILE = "stepscope.toml"
LISTS = "application.toml"
"""The file that `init --from` writes: lists for `for_each`; stepscope.toml overrides it."""

NO_ENV = "default"
KEYS = ("project", "defaults", "env")
_NAME = re.compile(r"[\w.-]+")
_VARIABLE = re.compile(r"[A-Za-z_][\w-]*")
_SECRET = re.compile(r"api_?key|app_?key|secret|token|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with `dashboards/`, `monitors/`, `slos/`, `downtimes/`, and one environment's values."""

    root: Path
    name: str
    env: str
    variables: Mapping[str, Any] = field(default_factory=dict)


def load_project(root: Path, env: str = "") -> Project:
    """Load the project of `root` with the variables of `stepscope.toml`: `[defaults]`, then `[env.NAME]`.

    Raises:
        InputError: the file is not TOML, has unknown keys, holds a secret, has no such environment, or values
            that mention others which are not there.
    """
    file = root / FILE
    settings = read_settings(file)
    environments = settings.get("env", {})
    env = "" if env == NO_ENV else env
    if env and environments and env not in environments:
        known = ", ".join(sorted(environments))
        raise InputError(f"no environment {env!r}", where=str(file), hint=f"There are: {known}.")
    variables = merged(settings.get("defaults", {}), environments.get(env, {}))
    name = str(settings.get("project", "stepscope"))
    if env and not _NAME.fullmatch(env):
        raise InputError(f"--env {env!r} is not a valid name", hint="Use letters, digits, dots and dashes.")
    return Project(root, name, env or NO_ENV, settled({"env": env or NO_ENV, **variables}, str(file)))


def read_settings(path: Path) -> dict[str, Any]:
    """Read `stepscope.toml`, over the lists of `application.toml` beside it; an absent file is an empty one.

    Raises:
        InputError: a file is not TOML, has unknown keys, or values that cannot be used; the first is named.
    """
    return merged(_read(path.with_name(LISTS)), _read(path))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    text = read_text(path)
    settings, faults = parse_settings(text)
    for fault in faults:
        line, column = fault.place
        raise InputError(fault.message, where=f"{path}:{line}:{column}", hint=fault.hint)
    return settings


class SettingFault(NamedTuple):
    """Something wrong in `stepscope.toml`: `place` is line and column, from 1; `word` what stands there."""

    place: tuple[int, int]
    word: str
    message: str
    hint: str = ""


def parse_settings(text: str) -> tuple[dict[str, Any], list[SettingFault]]:
    """Return the settings of a text, and everything that is wrong with them, in the order of the keys."""
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return {}, [not_toml(text, str(error))]
    except RecursionError:
        return {}, [SettingFault((1, 1), "", "not valid TOML: tables or lists are nested too deeply")]
    return settings, [
        SettingFault(key_place(text, keys), keys[-1], message, hint)
        for keys, message, hint in _faults(settings)
    ]


def not_toml(text: str, said: str) -> SettingFault:
    """Return what is wrong with a text that is not TOML, from the words of the error."""
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", said)
    message = f"not valid TOML: {said[: place.start()] if place else said}"
    if place is None or place[1] is None:
        lines = text.splitlines() or [""]
        return SettingFault((len(lines), len(lines[-1]) + 1), "", message)
    return SettingFault((int(place[1]), int(place[2])), "", message)


_Fault = tuple[tuple[str, ...], str, str]
"""The keys down to what is wrong, the sentence, and what to do."""


def _faults(settings: Mapping[str, Any]) -> Iterator[_Fault]:
    for key, value in settings.items():
        if key not in KEYS:
            yield (key,), f"unknown key {key!r}", _meant(key, value)
    name = settings.get("project", "stepscope")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield ("project",), f"project {name!r} is not a valid name", "Use letters, digits, dots and dashes."
    yield from _values(("defaults",), settings.get("defaults", {}))
    environments = settings.get("env", {})
    if not isinstance(environments, Mapping):
        yield ("env",), "env is not a table", "Write a table for each environment: [env.prod]"
        return
    for env, values in environments.items():
        if not isinstance(values, Mapping):
            yield (
                ("env", env),
                f"{env!r} is not an environment",
                f"Write it under [env.NAME], not [env]: {env} = …",
            )
        elif not _NAME.fullmatch(env):
            yield ("env", env), f"env {env!r} is not a valid name", "Use letters, digits, dots and dashes."
        else:
            yield from _values(("env", env), values)


def _meant(key: str, value: object) -> str:
    near = nearest(key, KEYS)
    if near:
        return f"Did you mean {near if near == 'project' else f'[{near}]'}?"
    if isinstance(value, Mapping):
        return f"Did you mean [env.{key}]? The keys are project, [defaults] and [env.NAME]."
    return f"Write it under [defaults], for ${{var:{key}}}. The keys are project, [defaults] and [env.NAME]."


def _values(keys: tuple[str, ...], values: object) -> Iterator[_Fault]:
    table = ".".join(keys)
    if not isinstance(values, Mapping):
        yield keys, f"{table} is not a table", f"Write [{table}] and the values under it"
        return
    for name, value in values.items():
        place = (*keys, name)
        if _SECRET.search(name):
            text = f"the variable {name!r} looks like a secret, and what is deployed is readable by everybody"
            yield place, text, "Take it out; keys are read from DD_API_KEY and DD_APP_KEY only."
        elif not _VARIABLE.fullmatch(name):
            yield (
                place,
                f"no ${{var:…}} can be called {name!r}",
                "Use letters, digits, _ and -, a letter first.",
            )
        elif not _in_json(value):
            yield place, f"{name} is {value}, which JSON cannot hold", f'Write it as text: {name} = "{value}"'


def _in_json(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_in_json, value.values()))
    if isinstance(value, list):
        return all(map(_in_json, value))
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


_TABLE = re.compile(r"\s*\[\[?(?P<keys>[^\]]*)\]")
_ENTRY = re.compile(r"\s*(?P<keys>[^=#\[\]]+?)\s*=")


def key_place(text: str, keys: tuple[str, ...]) -> tuple[int, int]:
    """Return line and column of a key, or of the innermost table around it; an inline table counts as one."""
    table: tuple[str, ...] = ()
    best, place = 0, (1, 1)
    for number, line in enumerate(text.splitlines(), 1):
        match = _TABLE.match(line) or _ENTRY.match(line)
        if match is None:
            continue
        own = tuple(part.strip().strip("\"'") for part in match["keys"].split("."))
        if match.re is _TABLE:
            table = own
        path = own if match.re is _TABLE else (*table, *own)
        shared = min(len(path), len(keys))
        if path[:shared] == keys[:shared] and shared > best:
            best, place = shared, (number, match.start("keys") + 1)
    return place


def load_resources(project: Project) -> list[Resource]:
    """Return every resource of the project, its variables filled in; a file with `for_each` may make several.

    Raises:
        InputError: one or more files cannot be used; all of them are named.
    """
    resources, problems = usable_resources(project)
    if problems:
        raise InputError("\n".join(map(str, problems)))
    return resources


def usable_resources(
    project: Project, kinds: Iterable[str] = KINDS
) -> tuple[list[Resource], list[InputError]]:
    """Return the resources of these kinds as `load_resources` does, and what is wrong with other files."""
    resources: list[Resource] = []
    problems: list[InputError] = []
    lookup = instances_in(partial(path_of, project.root), lambda: project.variables)
    for kind in kinds:
        files, refused = read_folder(project.root, kind)
        problems += refused
        for file in files:
            try:
                resources += made_of(file, project.variables, lookup)
            except InputError as error:
                problems.append(error)
    return resources, problems


def made_of(file: Resource, variables: Mapping[str, Any], lookup: Lookup) -> list[Resource]:
    """Return what a file makes: one resource, or one for each entry of its `for_each`.

    Raises:
        InputError: a variable has neither a value nor a default, a list cannot be used, or the file's name is
            not a valid key.
    """
    if not _NAME.fullmatch(file.key):
        hint = "Use letters, digits, dots and dashes."
        raise InputError(f"{file.key!r} is not a valid key", where=file.path, hint=hint)
    return list(filled_instances(file, variables, lookup))


def instances_in(path: Callable[[str, str], Path], variables: Callable[[], Mapping[str, Any]]) -> Lookup:
    """Return what says of a file of a project which instances it makes; a file is looked at once.

    What it returns raises InputError: the file cannot be read, or its list cannot be used.

    Args:
        path: from kind and key to the file.
        variables: the project's values, asked for only where a file has `for_each`.
    """

    @cache
    def lookup(kind: str, key: str) -> Instances | None:
        file = path(kind, key)
        if not file.is_file() or _FOR_EACH not in file.read_bytes():
            return None
        return instances_of(read_resource(file, kind), variables())

    return lookup


_FOR_EACH = f'"{FOR_EACH}"'.encode()
