"""What is checked before something is deployed: that a handler is there, that a definition is ASL."""

import ast
import importlib.machinery
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring.errors import InputError
from monitoring.local_aws.moto_backends import asl_problem


def check_handler(handler: str, code: Path) -> None:
    """Sees to it that `package.module.function` is defined under the folder, without importing it.

    Raises:
        InputError: it is not, and what is wrong.
    """
    module, _, function = handler.rpartition(".")
    if not module:
        raise InputError(
            f"{handler!r} names no handler", hint="write it as Lambda does: package.module.function"
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
    """Sees to it that Lambda has such settings.

    Raises:
        InputError: it has not.
    """
    wrong = [
        (not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name), f"{name!r} is no name of a function"),
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
    """Names that a module binds at its top level; with a star import or a dynamic one, none can be missed."""
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
    """The definition as JSON text with `${Name}` replaced, as CloudFormation's DefinitionSubstitutions does.

    Raises:
        InputError: it is not JSON, or not valid Amazon States Language; says where.
    """
    text = definition if isinstance(definition, str) else json.dumps(definition)
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", value)
    try:
        parsed = json.loads(text)
    except ValueError as failed:
        raise InputError(
            f"the definition is not JSON: {failed}", hint="give a dict, or its JSON text"
        ) from failed
    _check_states(parsed, "$")
    _check_grammar(text)
    return text


_POSITION = re.compile(r"line (\d+):(\d+), at (\S+), (.*)", re.DOTALL)


def _check_grammar(text: str) -> None:
    problem = asl_problem(text)
    if not problem:
        return
    found = _POSITION.fullmatch(problem)
    if found is None:
        raise InputError(f"the definition is not valid Amazon States Language: {problem}", where="$")
    line, column = int(found[1]), int(found[2])
    start = sum(len(each) + 1 for each in text.split("\n")[: line - 1]) + column
    raise InputError(
        f"{found[3]} is not Amazon States Language here",
        where=f"{json_path(text, start)} (line {line}, column {column + 1})",
        hint="see the fields that this type of state has",
    )


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')


def json_path(text: str, position: int) -> str:
    """Where a position in a JSON text is: `$.States.Wait.Seconds`, `$.Branches[1]`."""
    path: list[str | int] = []
    for token in _TOKEN.finditer(text):
        if token.start() > position:
            break
        match token[0]:
            case "{":
                path.append("")
            case "[":
                path.append(0)
            case "}" | "]":
                path.pop()
            case ",":
                path[-1] = path[-1] + 1 if isinstance(path[-1], int) else ""
            case ":":
                pass
            case name if path and path[-1] == "":
                path[-1] = json.loads(name)
            case _:
                pass
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path if part != "")


_KINDS = {"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}


def _check_states(machine: Any, where: str) -> None:
    """Finds what moto's parser accepts and only an execution would notice: states that are not there."""
    states = machine.get("States") if isinstance(machine, dict) else None
    if not isinstance(states, dict) or not states:
        raise InputError(
            "a state machine needs States, an object with at least one state", where=f"{where}.States"
        )
    if machine.get("StartAt") not in states:
        raise InputError(
            f"StartAt names {machine.get('StartAt')!r}, which is not one of its states",
            where=f"{where}.StartAt",
            hint=f"states: {', '.join(states)}",
        )
    for name, state in states.items():
        _check_state(state, states, f"{where}.States.{name}")


def _check_state(state: Any, states: dict[str, Any], where: str) -> None:
    kind = state.get("Type") if isinstance(state, dict) else None
    if kind not in _KINDS:
        raise InputError(
            f"Type {kind!r} is not a type of state", where=f"{where}.Type", hint=", ".join(sorted(_KINDS))
        )
    for place, target in _targets(state):
        if target not in states:
            raise InputError(
                f"{place} names {target!r}, which is not one of the states beside it",
                where=f"{where}.{place}",
                hint=f"states: {', '.join(states)}",
            )
    if kind not in {"Choice", "Succeed", "Fail"} and "Next" not in state and not state.get("End"):
        raise InputError("a state needs Next or End", where=where, hint='add "Next": "…" or "End": true')
    for n, branch in enumerate(state.get("Branches", [])):
        _check_states(branch, f"{where}.Branches[{n}]")
    for key in ("Iterator", "ItemProcessor"):
        if key in state:
            _check_states(state[key], f"{where}.{key}")


def _targets(state: dict[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [(key, state[key]) for key in ("Next", "Default") if key in state]
    for key in ("Choices", "Catch"):
        rules = enumerate(state.get(key, []))
        found += [
            (f"{key}[{n}].Next", rule["Next"])
            for n, rule in rules
            if isinstance(rule, dict) and "Next" in rule
        ]
    return found
