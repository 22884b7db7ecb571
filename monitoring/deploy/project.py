"""A project's files: which resources they describe, with the values of one environment put in."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from monitoring.deploy.variables import fill_in
from monitoring.errors import InputError
from monitoring.plan import KINDS, Resource
from monitoring.values import dataclass

FILE = "stepscope.toml"
NO_ENV = "default"
_NAME = re.compile(r"[\w.-]+")
_SECRET = re.compile(r"api_?key|app_?key|secret|token|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with `dashboards/`, `monitors/`, `slos/` and `downtimes/`, seen for one environment."""

    root: Path
    name: str
    env: str
    variables: Mapping[str, Any] = field(default_factory=dict)


def load_project(root: Path, env: str = "") -> Project:
    """The project of `root`, with the variables of `stepscope.toml`: `[defaults]`, then `[env.NAME]`.

    Raises:
        InputError: the file is no TOML, has unknown keys, holds a secret, or has no such environment.
    """
    file = root / FILE
    settings = _settings(file)
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
            raise InputError(f"{what} {text!r} is no name", hint="Use letters, digits, dots and dashes.")
    return Project(root, name, env or NO_ENV, {"env": env or NO_ENV, **variables})


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is no TOML: {error}", where=str(path)) from None
    unknown = sorted(set(found) - {"project", "defaults", "env"})
    if unknown:
        hint = "The keys are project, [defaults] and [env.NAME]."
        raise InputError(f"unknown key {unknown[0]!r}", where=str(path), hint=hint)
    return found


def _refuse_secrets(variables: Mapping[str, Any], path: Path) -> None:
    for name in variables:
        if _SECRET.search(name):
            raise InputError(
                f"the variable {name!r} looks like a secret, and what is deployed is readable by everybody",
                where=str(path),
                hint="Take it out; keys are read from DD_API_KEY and DD_APP_KEY only.",
            )


def load_resources(project: Project) -> list[Resource]:
    """Every resource of the project, by kind and key (the file's name without `.json`).

    Raises:
        InputError: one or more files cannot be used; all of them are named.
    """
    resources, problems = [], []
    for kind in KINDS:
        for path in sorted((project.root / f"{kind}s").glob("*.json")):
            try:
                resources.append(_load(project, kind, path))
            except InputError as error:
                problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    return resources


def _load(project: Project, kind: str, path: Path) -> Resource:
    shown = str(path.relative_to(project.root))
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"is no JSON: {error.msg}", where=f"{shown}:{error.lineno}:{error.colno}") from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"cannot be read: {error}", where=shown) from None
    if not isinstance(body, dict):
        raise InputError(f"holds no {kind}: its top level is not an object", where=shown)
    if not _NAME.fullmatch(path.stem):
        raise InputError(
            "the file's name is no key", where=shown, hint="Use letters, digits, dots and dashes."
        )
    adopted = str(body["id"]) if body.get("id") else None
    return Resource(kind, path.stem, fill_in(body, project.variables, shown), adopted)
