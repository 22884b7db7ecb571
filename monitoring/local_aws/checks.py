"""Check before a deployment that the handler exists and that the definition is ASL."""

import ast
import contextlib
import importlib.machinery
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.errors import InputError
from monitoring.local_aws.states.errors import ApiError


def check_handler(handler: str, code: Path) -> None:
    """Check that `package.module.function` is defined in the folder, without importing it.

    Raises:
        InputError: the handler is not defined.
    """
    module, _, function = handler.rpartition(".")
    if not module:
        raise InputError(
            f"{handler!r} is not a handler", hint="write it as Lambda does: package.module.function"
        )
    path = _module_file(module, code)
    if path is None:
        raise InputError(
            f"the module {module} of handler {handler} is not in {code}",
            hint="give the folder that is on sys.path as code=",
        )
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except SyntaxError as failed:
        raise InputError(
            f"the module of handler {handler} is not valid Python: {failed.msg}",
            where=f"{path}:{failed.lineno}:{failed.offset}",
        ) from failed
    if function not in _names(tree):
        raise InputError(
            f"the module {module} defines no {function}",
            where=str(path),
            hint=f"handler {handler} needs a function of that name",
        )


def check_function(name: str, timeout: int, memory: int, log_format: str) -> None:
    """Check a function's settings.

    Raises:
        InputError: a setting is outside Lambda's limits.
    """
    wrong = [
        (not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name), f"{name!r} is not a valid function name"),
        (not 1 <= timeout <= 900, f"a timeout of {timeout} seconds is not within Lambda's 1 to 900"),
        (not 128 <= memory <= 10240, f"a memory of {memory} MB is not within Lambda's 128 to 10240"),
        (log_format not in {"Text", "JSON"}, f"log format {log_format!r} is neither Text nor JSON"),
    ]
    for is_wrong, message in wrong:
        if is_wrong:
            raise InputError(message, where=f"function {name}")


def _module_file(module: str, code: Path) -> Path | None:
    folder = [str(code)]
    spec = None
    for part in module.replace("/", ".").split("."):
        importlib.machinery.PathFinder.invalidate_caches()
        spec = importlib.machinery.PathFinder.find_spec(part, folder)
        if spec is None:
            return None
        folder = list(spec.submodule_search_locations or [])
    return Path(spec.origin) if spec is not None and spec.origin else None


def _names(tree: ast.Module) -> set[str]:
    """Return the names that a module binds at its top level; all names after a star or dynamic import."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name)
            case _:
                pass
    return names


def definition_text(definition: Mapping[str, Any] | str, substitutions: Mapping[str, str]) -> str:
    """Return the definition as JSON text with `${Name}` replaced, as DefinitionSubstitutions does.

    Raises:
        InputError: the definition is not JSON.
    """
    text = definition if isinstance(definition, str) else json.dumps(definition)
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", value)
    try:
        json.loads(text)
    except ValueError as failed:
        raise InputError(
            f"the definition is not JSON: {failed}", hint="give a dict, or its JSON text"
        ) from failed
    return text


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """Convert errors of Step Functions to InputError, with the positions of the faults in a definition."""
    try:
        yield
    except ApiError as failed:
        problems = failed.more.get("problems")
        if not problems:
            raise InputError(f"{what}: {failed.kind}: {failed.message}") from None
        faults = "; ".join(f"{problem.code}: {problem.message} at {problem.location}" for problem in problems)
        raise InputError(faults, where=f"{what}: {problems[0].where()}") from None
