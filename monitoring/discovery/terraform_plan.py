"""Terraform's plans as stacks: planned values, with references for what is not known before apply.

https://developer.hashicorp.com/terraform/internals/json-format
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.discovery.stack import Stack
from monitoring.discovery.terraform import stack_of
from monitoring.discovery.terraform_module import CLOSE, OPEN, Module, Root
from monitoring.discovery.terraform_properties import blocks_of
from monitoring.discovery.terraform_types import KINDS
from monitoring.errors import InputError

_INDEX = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]')
_PREFIX = re.compile(r'(?:module\.[\w-]+(?:\["(?:[^"\\]|\\.)*"\]|\[\d+\])?\.)*')
_ADDRESS = re.compile(r"(?:data\.)?(\w+)\.([\w-]+)(\[.*\])?", re.DOTALL)
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class _Planned:
    """A resource of a plan."""

    address: str
    type: str
    logical_id: str
    known: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the known attributes, and references for the others."""
        return self.known


def read_plan(content: Mapping[str, Any], path: Path, name: str) -> Stack:
    """Read the JSON output of `terraform show -json` for a plan or a state.

    What is not known before apply is taken from the `*.tf` beside the file where they are, else from the
    plan's references, through variables and outputs of modules.

    Raises:
        InputError: it has no values.
    """
    planned = content.get("planned_values") or content.get("values")
    modules = planned.get("root_module") if isinstance(planned, Mapping) else None
    if not isinstance(modules, Mapping):
        raise InputError(
            "is not a plan: planned_values.root_module is missing",
            where=str(path),
            hint="Write it: `terraform plan -out plan.bin`, `terraform show -json plan.bin > plan.json`.",
        )
    path = path.absolute()
    root = Root(path.parent)
    _note_archives(content, root)
    written = {}
    if any(path.parent.glob("*.tf")):
        variables = {
            key: _object(body).get("value") for key, body in _object(content.get("variables")).items()
        }
        written = {item.address: item for item in Module(root, path.parent, variables).instances()}
    resources = dict(_of_modules(modules))
    configuration = _Configuration(
        _object(_object(content.get("configuration")).get("root_module")),
        {address: _logical_id(address) for address in resources},
    )
    instances = []
    for address, body in resources.items():
        text = written[address].values() if address in written else {}
        expressions = configuration.expressions(address)
        values = configuration.completed(_filled(body.get("values"), text), expressions, _prefix(address))
        for attribute, expression in expressions.items():
            if values.get(attribute) is None and _object(expression).get("references"):
                root.note(f"{address}: {attribute} is not known before apply (put the plan beside its .tf)")
        instances.append(_Planned(address, str(body.get("type")), configuration.ids[address], values))
    return stack_of(instances, root, path, name, {})


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _filled(planned: Any, text: Any) -> Any:
    """Return planned values; unknown ones are taken from the text of the configuration."""
    if planned in (None, [], {}):
        return text
    if isinstance(planned, Mapping) and isinstance(text, Mapping):
        return {**text, **{key: _filled(value, text.get(key)) for key, value in planned.items()}}
    if isinstance(planned, list) and isinstance(text, list) and len(planned) == len(text):
        return [_filled(*pair) for pair in zip(planned, text, strict=True)]
    return planned


def _prefix(address: str) -> str:
    """Return the modules of an address, with their keys: `module.a["x"].`, or ""."""
    match = _PREFIX.match(address)
    return match[0] if match else ""


def _logical_id(address: str) -> str:
    prefix = _prefix(address)
    match = _ADDRESS.fullmatch(address, len(prefix))
    if match is None:
        return re.sub(r"[^A-Za-z0-9]+", "", address.title())
    words = f"{prefix} {match[2]} {match[1].removeprefix('aws_')} {match[3] or ''}"
    return "".join(f"{word[:1].upper()}{word[1:]}" for word in re.split(r"[^A-Za-z0-9]+", words))


def _of_modules(module: Mapping[str, Any], mode: str = "managed") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in blocks_of(module.get("resources")):
        if resource.get("mode", "managed") == mode:
            yield str(resource.get("address")), resource
    for child in blocks_of(module.get("child_modules")):
        yield from _of_modules(child, mode)


def _note_archives(content: Mapping[str, Any], root: Root) -> None:
    """Record the sources of the archives in the plan."""
    prior = _object(_object(content.get("prior_state")).get("values"))
    for _, body in _of_modules(_object(prior.get("root_module")), "data"):
        values = _object(body.get("values"))
        source = values.get("source_dir") or values.get("source_file")
        if body.get("type") == "archive_file" and source and values.get("output_path"):
            root.archives[os.path.normpath(str(values["output_path"]))] = root.folder / str(source)


@dataclass(frozen=True, slots=True)
class _Configuration:
    """The expressions of a plan, which refer to resources, variables and outputs but have no text.

    Attributes:
        root: `configuration.root_module`.
        ids: address of each instance -> its logical id.
    """

    root: Mapping[str, Any]
    ids: Mapping[str, str]

    def expressions(self, address: str) -> Mapping[str, Any]:
        """Return attribute or block -> expression of a resource."""
        prefix = _prefix(address)
        name = _INDEX.sub("", address.removeprefix(prefix))
        for resource in blocks_of(self._module(prefix).get("resources")):
            if resource.get("address") == name:
                return _object(resource.get("expressions"))
        return {}

    def _module(self, prefix: str) -> Mapping[str, Any]:
        module = self.root
        for name in re.findall(r"module\.([\w-]+)", _INDEX.sub("", prefix)):
            module = _object(_object(_object(module.get("module_calls")).get(name)).get("module"))
        return module

    def completed(self, values: Any, expressions: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        """Return attributes and blocks; unknown ones are taken from expressions."""
        result = dict(_object(values))
        for name, expression in expressions.items():
            value = result.get(name)
            if value in (None, [], {}):
                result[name] = self.value(expression, prefix)
            elif isinstance(value, list) and isinstance(expression, list) and len(value) == len(expression):
                blocks = zip(value, expression, strict=True)
                result[name] = [self.completed(block, _object(part), prefix) for block, part in blocks]
        return result

    def value(self, expression: Any, prefix: str, depth: int = 0) -> Any:
        """Return the value of an expression that is a constant or one attribute; None for any other."""
        if isinstance(expression, list):  # a block
            blocks = [
                {name: self.value(part, prefix, depth) for name, part in _object(block).items()}
                for block in expression
            ]
            return blocks if any(any(block.values()) for block in blocks) else None
        if "constant_value" in _object(expression):
            return _object(expression)["constant_value"]
        references = _object(expression).get("references")
        names = [str(item) for item in references] if isinstance(references, list) else []
        whole = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
        whole = [name for name in whole if not any(other.startswith(f"{name}[") for other in names)]
        return self._named(whole[0], prefix, depth + 1) if len(whole) == 1 and depth < _DEEPEST else None

    def _named(self, name: str, prefix: str, depth: int) -> Any:
        """Return the value of a variable, an output of a module, or an attribute of a resource."""
        kind, _, rest = name.partition(".")
        if kind == "var":
            caller, _, call = prefix.rstrip(".").rpartition("module.")
            body = _object(_object(self._module(caller).get("module_calls")).get(_INDEX.sub("", call)))
            return self.value(_object(body.get("expressions")).get(rest), caller, depth)
        if kind == "module":
            called = f"{prefix}{_prefix(name)}"
            outputs = _object(self._module(called).get("outputs"))
            output = _object(outputs.get(name.removeprefix(_prefix(name))))
            return self.value(output.get("expression"), called, depth)
        return self._attribute(name, prefix)

    def _attribute(self, name: str, prefix: str) -> Any:
        target, _, attribute = name.rpartition(".")
        kind = KINDS.get(target.partition(".")[0])
        if kind is None or attribute not in kind.references:
            return None
        reference, suffix = f"{prefix}{target}", kind.references[attribute]
        instances = [item for item in self.ids if item == reference or item.startswith(f"{reference}[")]
        if len(instances) != 1:
            return None
        return f"{OPEN}{self.ids[instances[0]]}{'.' if suffix else ''}{suffix}{CLOSE}"
