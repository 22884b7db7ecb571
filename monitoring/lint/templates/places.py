"""Where the resources and definitions of a stack stand in the files that describe it."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from monitoring.discovery.serverless_names import logical_name, machine_name, normalised, objects, section
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.templates import load
from monitoring.errors import InputError
from monitoring.lint.templates.application import Spot
from monitoring.lint.templates.text import JsonText, PlacedText, Text, YamlText, embedded
from monitoring.resources.document import Document, Pointer, read_text

_FILE = re.compile(r"\$\{file\(([^){}$]+)\)\}")
_DEFINITIONS = ("Definition", "DefinitionString", "definition")
_FILES = ("DefinitionUri",)


class Places:
    """The texts of an application's files, each read once, and the places in them."""

    def __init__(self) -> None:
        self._texts: dict[Path, Text] = {}
        self._contents: dict[Path, Mapping[str, Any]] = {}

    def text(self, path: Path) -> Text:
        """Return a file's text; places of what is neither JSON nor YAML are its first line."""
        if path not in self._texts:
            self._texts[path] = _text(path)
        return self._texts[path]

    def of_resource(self, stack: Stack, raw: StackResource) -> tuple[Spot, Spot]:
        """Return the place of a resource, and of its properties."""
        source = stack.source
        if address := raw.metadata.get("terraform"):
            spot = self._in_terraform(source, str(address))
            return spot, spot
        if not source.is_file():
            spot = Spot(Text(str(source), ""), (), is_exact=False)
            return spot, spot
        text, content = self.text(source), self._content(source)
        pointer = next(_pointers(content, raw.logical_id), None)
        if pointer is None:
            owner = max(_owners(content, raw.logical_id), key=lambda item: len(item[0]), default=("", ()))
            spot = Spot(text, owner[1], is_exact=False)
            return spot, spot
        in_template = pointer[-2] == "Resources"
        return Spot(text, pointer), Spot(text, (*pointer, "Properties") if in_template else pointer)

    def of_definition(self, stack: Stack, raw: StackResource, properties: Spot) -> Spot:
        """Return the place of a machine's definition: in the template, or in a file beside it."""
        body = self._at(properties) if properties.is_exact else {}
        for key in (*_FILES, *_DEFINITIONS):
            value = body.get(key)
            if isinstance(value, str) and (file := _named_file(key, value)):
                path = stack.source.parent / file
                return Spot(self.text(path), ()) if path.is_file() else properties._replace(is_exact=False)
            if isinstance(value, Mapping) and "States" in value:
                return properties.below(key)
            if value is not None:
                return _in_block(properties.below(key), value)
        return properties._replace(is_exact=False)

    def _content(self, path: Path) -> Mapping[str, Any]:
        if path not in self._contents:
            try:
                self._contents[path] = load(path)
            except InputError:
                self._contents[path] = {}
        return self._contents[path]

    def _at(self, spot: Spot) -> Mapping[str, Any]:
        value: Any = self._content(Path(spot.text.source))
        for step in spot.pointer:
            if isinstance(value, Mapping):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return {}
        return value if isinstance(value, Mapping) else {}

    def _in_terraform(self, source: Path, address: str) -> Spot:
        """Return the place of a resource's block in the files of a folder; else a file's first line."""
        folder = source if source.is_dir() else source.parent
        kind, _, name = re.sub(r"\[[^\]]*\]", "", address).rpartition(".")
        kind = kind.rpartition(".")[2]
        block = re.compile(rf'^\s*resource\s+"{re.escape(kind)}"\s+"{re.escape(name)}"', re.MULTILINE)
        files = sorted(folder.rglob("*.tf"))
        for file in files:
            text = self.text(file)
            if match := block.search(text.text):
                start = match.end() - len(match.group().lstrip())
                return Spot(PlacedText(text, start, match.end()), (), is_exact=False)
        return Spot(self.text(files[0]) if files else Text(str(source), ""), (), is_exact=False)


def _text(path: Path) -> Text:
    name = os.path.normpath(path)
    try:
        text = read_text(path)
    except InputError:
        return Text(name, "")
    if path.suffix == ".json":
        return JsonText(Document(name, text, None))
    if path.suffix not in {".yaml", ".yml"}:
        return Text(name, text)
    try:
        return YamlText(name, text, yaml.compose(text, yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError):
        return Text(name, text)


def _pointers(content: Mapping[str, Any], logical_id: str) -> Iterator[Pointer]:
    """Yield the places of a logical id: in a template's resources, or in the sections of `serverless.yml`."""
    if logical_id in section(content.get("Resources")):
        yield ("Resources", logical_id)
    own = content.get("resources")
    for index, part in enumerate(own if isinstance(own, list) else [own]):
        if isinstance(part, Mapping) and logical_id in section(part.get("Resources")):
            yield ("resources", *((index,) if isinstance(own, list) else ()), "Resources", logical_id)
    for key in _named(content.get("functions")):
        if logical_id == logical_name(key):
            yield ("functions", key)
    machines = section(content.get("stepFunctions")).get("stateMachines")
    for key, machine in objects(machines).items() if isinstance(machines, Mapping) else ():
        if logical_id == machine_name(key, machine):
            yield ("stepFunctions", "stateMachines", key)


def _owners(content: Mapping[str, Any], logical_id: str) -> Iterator[tuple[str, Pointer]]:
    """Yield what a generated resource may belong to: whatever begins its logical id."""
    for name in section(content.get("Resources")):
        if logical_id.startswith(name):
            yield name, ("Resources", name)
    for key in _named(content.get("functions")):
        if logical_id.startswith(normalised(key)):
            yield normalised(key), ("functions", key)
    if "provider" in content:
        yield "", ("provider",)


def _named(functions: Any) -> list[str]:
    return [str(key) for key in functions] if isinstance(functions, Mapping) else []


def _named_file(key: str, value: str) -> str:
    if key in _FILES:
        return "" if value.startswith("s3://") else value
    match = _FILE.fullmatch(value.strip())
    return match[1] if match else ""


def _in_block(spot: Spot, value: Any) -> Spot:
    """Return the place of a definition that is a text: inside of a literal block of JSON, or the property."""
    pointer = spot.pointer
    if isinstance(value, Mapping) and "Fn::Sub" in value:
        pointer = (*pointer, "Fn::Sub", *((0,) if isinstance(value["Fn::Sub"], list) else ()))
    text = embedded(spot.text, pointer)
    return Spot(text, ()) if text else spot._replace(is_exact=False)
