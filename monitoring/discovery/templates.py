"""Read templates (CloudFormation's YAML, with tags such as `!Sub` in their long form) and definitions."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from monitoring.discovery.values import Values
from monitoring.errors import InputError

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_UNKNOWN_NUMBER = re.compile(r"(:\s*)\*(?=\s*[,}\]\n])")


_TRUTH = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags; keys are strings, also `Yes` and `No`."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag == _TRUTH:
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep=deep)


class _DefinitionLoader(_Loader):
    """YAML in which only `true` and `false` are booleans, as in YAML 1.2: a state may be named `Yes`."""


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _tag)
_DefinitionLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TRUTH]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_DefinitionLoader.add_implicit_resolver(_TRUTH, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))


def load(path: Path) -> dict[str, Any]:
    """Load a template as an object.

    Raises:
        InputError: the file cannot be read, is neither YAML nor JSON, or is not an object.
    """
    content = load_value(path)
    if not isinstance(content, dict):
        raise InputError("holds no template: its top level is not an object", where=str(path))
    return content


def load_value(path: Path, *, core: bool = False) -> Any:
    """Load a file in YAML or JSON with any type at the top level.

    With `core`, as YAML 1.2, in which `Yes` is text; `serverless.yml` and definitions of state machines are
    always read in this way, as the Serverless Framework and Step Functions do.

    Raises:
        InputError: the file cannot be read, or is neither YAML nor JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        core = core or path.name.startswith("serverless.") or ".asl." in path.name
        loader = _DefinitionLoader if core else _Loader
        return json.loads(text) if path.suffix == ".json" else yaml.load(text, loader)  # noqa: S506
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON: {error.msg}", where=f"{path}:{error.lineno}:{error.colno}") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise InputError(f"is not YAML: {getattr(error, 'problem', error)}", where=place) from None
    except RecursionError:
        raise InputError(
            "is nested too deeply", where=str(path), hint="A few levels are usual, not hundreds."
        ) from None


def parse_definition(text: str, where: str) -> dict[str, Any]:
    """Parse a state machine's definition in YAML.

    Raises:
        InputError: the text is not YAML, or not an object.
    """
    try:
        definition = yaml.load(text, _DefinitionLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"the definition is neither JSON nor YAML: {error}", where=where) from None
    if not isinstance(definition, dict):
        raise InputError("the definition is not an object", where=where)
    return definition


def definition_of(value: Any, values: Values | None = None, substitutions: Any = None) -> dict[str, Any]:
    """Return a state machine's definition from an object or text; {} if it cannot be parsed.

    `substitutions` are the values of its `${…}`; values that are known only after deployment are ignored.
    """
    values = values or Values()
    inline = isinstance(value, Mapping) and "States" in value
    text = json.dumps(value, default=str) if inline else values.text(value)
    names = substitutions if isinstance(substitutions, Mapping) else {}
    known = {str(name): values.text(substitution) for name, substitution in names.items()}
    text = _PLACEHOLDER.sub(lambda match: known.get(match[1], "*"), text)
    text = _UNKNOWN_NUMBER.sub(r"\g<1>0", text)
    try:
        definition = yaml.load(text, _DefinitionLoader) if _is_yaml(text) else json.loads(text)  # noqa: S506
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError):
        return {}
    return definition if isinstance(definition, dict) else {}


def _is_yaml(text: str) -> bool:
    return not text.lstrip().startswith("{")


def expanded(resources: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return a template's resources by logical id, with `Fn::ForEach` expanded over lists of strings."""
    every: dict[str, Mapping[str, Any]] = {}
    for name, resource in resources.items():
        if isinstance(resource, Mapping):
            every[name] = resource
        elif name.startswith("Fn::ForEach::") and isinstance(resource, list) and len(resource) == 3:
            variable, words, pattern = resource
            for word in words if isinstance(words, list) else ():
                text = re.sub(rf"[$&]\{{{re.escape(str(variable))}\}}", str(word), json.dumps(pattern))
                every |= expanded(json.loads(text))
    return every


def definition_file(folder: Path, properties: Mapping[str, Any]) -> Path | None:
    """Return the file of a definition: relative to the template, or an asset of a synthesised CDK app.

    Args:
        folder: the template's folder.
        properties: the state machine's properties.
    """
    uri = properties.get("DefinitionUri")
    location = properties.get("DefinitionS3Location")
    key = location.get("Key") if isinstance(location, Mapping) else None
    places = [folder / uri] if isinstance(uri, str) else []
    if isinstance(key, str):
        places += [place / f"asset.{key}" for place in (folder, folder.parent)]
    return next((place for place in places if place.is_file()), None)
