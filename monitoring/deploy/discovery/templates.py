"""CloudFormation's YAML and JSON: tags like `!Sub` in their long form, and what they amount to as text."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from monitoring.errors import InputError


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _tag)


def load(path: Path) -> dict[str, Any]:
    """A template as an object.

    Raises:
        InputError: it cannot be read, or is neither YAML nor JSON, or no object.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)  # noqa: S506
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except json.JSONDecodeError as error:
        raise InputError(f"is no JSON: {error.msg}", where=f"{path}:{error.lineno}:{error.colno}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise InputError(f"is no YAML: {getattr(error, 'problem', error)}", where=place) from None
    if not isinstance(found, dict):
        raise InputError("holds no template: its top level is not an object", where=str(path))
    return found


def text_of(value: Any, parameters: Mapping[str, str] | None = None) -> str:
    """What a value amounts to as text; what only the deployment knows becomes `*`."""
    known = parameters or {}
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, Mapping) or len(value) != 1:
        return "*"
    (name, argument), *_ = value.items()
    if name == "Ref":
        return known.get(str(argument), "*")
    if name == "Fn::Sub":
        template = argument[0] if isinstance(argument, list) else argument
        return re.sub(r"\$\{([^}]*)\}", lambda match: known.get(match[1], "*"), str(template))
    if name == "Fn::Join" and isinstance(argument, list) and len(argument) == 2:
        parts = argument[1] if isinstance(argument[1], list) else [argument[1]]
        return str(argument[0]).join(text_of(part, known) for part in parts)
    return "*"


def number_of(value: Any, otherwise: int, parameters: Mapping[str, str] | None = None) -> int:
    """A whole number, or the default where only the deployment knows it."""
    text = text_of(value, parameters) if value is not None else ""
    return int(text) if text.isdigit() else otherwise


def definition_of(value: Any, folder: Path | None = None, uri: Any = None) -> dict[str, Any]:
    """A state machine's definition: inline, as a string, or in a file beside the template; {} if unknown."""
    if isinstance(value, Mapping) and "States" in value:
        return dict(value)
    if isinstance(uri, str) and folder is not None and (folder / uri).is_file():
        return load(folder / uri)
    text = text_of(value) if value is not None else ""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
