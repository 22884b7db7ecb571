"""Load a project: `stepscope.toml`, and the resources of its files with the values of one environment."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monitoring.errors import InputError
from monitoring.resources.document import read_text
from monitoring.resources.files import read_folder
from monitoring.resources.resource import KINDS, Resource
from monitoring.resources.variables import fill_in

FILE = "stepscope.toml"
NO_ENV = "default"
_NAME = re.compile(r"[\w.-]+")
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
        InputError: the file is not TOML, has unknown keys, holds a secret, or has no such environment.
    """
    file = root / FILE
    settings = read_settings(file)
    environments = settings.get("env", {})
    env = "" if env == NO_ENV else env
    if env and environments and env not in environments:
        known = ", ".join(sorted(environments))
        raise InputError(f"no environment {env!r}", where=str(file), hint=f"There are: {known}.")
    variables = {**settings.get("defaults", {}), **environments.get(env, {})}
    _refuse_secrets(variables, file)
    name = str(settings.get("project", "stepscope"))
    for text, what in ((name, "project"), (env or NO_ENV, "--env")):
        if not _NAME.fullmatch(text):
            raise InputError(
                f"{what} {text!r} is not a valid name", hint="Use letters, digits, dots and dashes."
            )
    return Project(root, name, env or NO_ENV, {"env": env or NO_ENV, **variables})


def read_settings(path: Path) -> dict[str, Any]:
    """Read `stepscope.toml`; an absent file is an empty one.

    Raises:
        InputError: the file is not TOML or has unknown keys.
    """
    if not path.is_file():
        return {}
    try:
        settings = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not valid TOML: {error}", where=str(path)) from None
    unknown = sorted(set(settings) - {"project", "defaults", "env"})
    if unknown:
        hint = "The keys are project, [defaults] and [env.NAME]."
        raise InputError(f"unknown key {unknown[0]!r}", where=str(path), hint=hint)
    return settings


def _refuse_secrets(variables: Mapping[str, Any], path: Path) -> None:
    for name in variables:
        if _SECRET.search(name):
            raise InputError(
                f"the variable {name!r} looks like a secret, and what is deployed is readable by everybody",
                where=str(path),
                hint="Take it out; keys are read from DD_API_KEY and DD_APP_KEY only.",
            )


def load_resources(project: Project) -> list[Resource]:
    """Return every resource of the project, its variables filled in.

    Raises:
        InputError: one or more files cannot be used; all of them are named.
    """
    resources: list[Resource] = []
    problems: list[InputError] = []
    for kind in KINDS:
        read, refused = read_folder(project.root, kind)
        problems += refused
        for resource in read:
            try:
                resources.append(filled(resource, project.variables))
            except InputError as error:
                problems.append(error)
    if problems:
        raise InputError("\n".join(map(str, problems)))
    return resources


def filled(resource: Resource, variables: Mapping[str, Any]) -> Resource:
    """Return the resource with the values of its variables.

    Raises:
        InputError: a variable has neither a value nor a default, or the file's name is not a valid key.
    """
    if not _NAME.fullmatch(resource.key):
        hint = "Use letters, digits, dots and dashes."
        raise InputError(f"{resource.key!r} is not a valid key", where=resource.path, hint=hint)
    return replace(resource, body=fill_in(resource.body, variables, resource.path))
