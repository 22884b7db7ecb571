"""Evaluate a Terraform module on demand: variables, locals, data, modules and resources."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.discovery.hcl import Block, Lazy, Scope, pairs, parse_file
from monitoring.discovery.hcl_functions import UnknownValueError, encoded, text_of
from monitoring.discovery.terraform_types import KINDS
from monitoring.errors import InputError

OPEN, CLOSE = "\ue000", "\ue001"
"""Markers around `LogicalId` or `LogicalId.Attribute` in a text: characters that no template contains."""

_DEEPEST = 12
_META = {"count", "for_each", "depends_on", "provider", "lifecycle", "provisioner", "connection", "timeouts"}


@dataclass(slots=True)
class Root:
    """The common data of all modules of a configuration.

    Attributes:
        folder: the root module's folder.
        notes: assumptions and parts that could not be read.
        archives: path of an archive -> the folder or file that it contains.
    """

    folder: Path
    notes: list[str] = field(default_factory=list)
    archives: dict[str, Path] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Add a note, if it is new."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(slots=True)
class Instance(Lazy):
    """One resource of a block; a block with `count` or `for_each` has several."""

    module: "Module"
    block: Block
    type: str
    name: str
    scope: Scope
    suffix: str = ""
    _values: dict[str, Any] | None = None

    @property
    def address(self) -> str:
        """The address as Terraform writes it."""
        return f"{self.module.address}{self.type}.{self.name}{self.suffix}"

    @property
    def logical_id(self) -> str:
        """The address as a logical id: `aws_lambda_function.pay` becomes PayLambdaFunction."""
        words = f"{self.module.address} {self.name} {self.type.removeprefix('aws_')} {self.suffix}"
        return "".join(f"{word[:1].upper()}{word[1:]}" for word in re.split(r"[^A-Za-z0-9]+", words))

    def values(self) -> dict[str, Any]:
        """Return all attributes and blocks; those without a value are left out, with a note."""
        if self._values is None:
            self._values = self.module.body(self.block, self.scope, self.address)
        return self._values

    def get(self, key: Any) -> Any:
        """Return a reference to an attribute, or its value in the configuration."""
        name, kind = str(key), KINDS.get(self.type)
        if self.type == "aws_s3_bucket" and name in ("id", "bucket", "arn"):
            return f"arn:aws:s3:::{self.bucket_name()}" if name == "arn" else self.bucket_name()
        if kind is not None and name in kind.references:
            attribute = kind.references[name]
            return f"{OPEN}{self.logical_id}{'.' if attribute else ''}{attribute}{CLOSE}"
        if name in self.block.attributes:
            return self.scope.evaluate(self.block.attributes[name])
        nested = [block for block in self.block.blocks if block.type == name]
        if nested:
            return self.values().get(name)
        if self.type.startswith("random_"):
            return "local"
        value = f"local-{self.name}-{name}".replace("_", "-")
        self.module.root.note(f"{self.address}.{name} is not known before apply: {value!r} stands in")
        return value

    def bucket_name(self) -> str:
        """Return a bucket's name as plain text; so bucket and notified function can refer to each other."""
        for attribute in ("bucket", "bucket_prefix"):
            if attribute in self.block.attributes:
                try:
                    return text_of(self.scope.evaluate(self.block.attributes[attribute]))
                except UnknownValueError:
                    break
        return re.sub(r"[^a-z0-9]+", "-", f"local-{self.name}").lower()


class _Parts(Lazy):
    """A namespace such as `var` or `data.TYPE`, whose parts a function computes."""

    def __init__(self, part: Callable[[str], Any]) -> None:
        self.part = part

    def get(self, key: Any) -> Any:
        return self.part(str(key))


class Module:
    """The blocks of one folder, with the values of its variables.

    Args:
        root: the common data of all modules.
        folder: the folder of `*.tf`.
        variables: values from the caller.
        address: `module.NAME.`, or "" for the root module.

    Raises:
        InputError: a file is not in Terraform's language.
    """

    def __init__(self, root: Root, folder: Path, variables: Mapping[str, Any], address: str = "") -> None:
        self.root, self.folder, self.given, self.address = root, folder, variables, address
        blocks = [block for path in sorted(folder.glob("*.tf")) for block in parse_file(path).blocks]
        self.blocks = blocks
        self._known: dict[str, Any] = {}
        self._active: set[str] = set()
        self._variables = {block.labels[0]: block for block in blocks if _is(block, "variable", 1)}
        self._outputs = {block.labels[0]: block for block in blocks if _is(block, "output", 1)}
        self._modules = {block.labels[0]: block for block in blocks if _is(block, "module", 1)}
        self._resources = {block.labels: block for block in blocks if _is(block, "resource", 2)}
        self._data = {block.labels: block for block in blocks if _is(block, "data", 2)}
        self._locals = {
            key: node for block in blocks if block.type == "locals" for key, node in block.attributes.items()
        }
        self.scope = Scope(
            {
                "var": _Parts(lambda name: self._once(f"var.{name}", lambda: self._variable(name))),
                "local": _Parts(lambda name: self._once(f"local.{name}", lambda: self._local(name))),
                "module": _Parts(lambda name: self._once(f"module.{name}", lambda: self._call(name))),
                "data": _Parts(lambda kind: _Parts(lambda name: self._datum(kind, name))),
                "path": {"module": str(folder), "root": str(root.folder), "cwd": str(root.folder)},
                "terraform": {"workspace": "default"},
            },
            lambda kind: _Parts(lambda name: self.instances_of(kind, name)),
            root.folder,
        )

    def instances(self) -> Iterator[Instance]:
        """Yield every resource of this module and of the modules that it calls."""
        for kind, name in self._resources:
            yield from _flat(self.instances_of(kind, name))
        for name in self._modules:
            try:
                called = self._once(f"module.{name}", lambda name=name: self._call(name))  # type: ignore[misc]
            except UnknownValueError as unknown:
                self.root.note(f"{self._modules[name].where}: module {name} is left out: {unknown}")
                continue
            for module in _modules_of(called):
                yield from module.instances()

    def outputs(self) -> dict[str, Any]:
        """Return the outputs whose values are known."""
        values = {}
        for name, block in self._outputs.items():
            try:
                values[name] = self.scope.evaluate(block.attributes["value"])
            except (UnknownValueError, KeyError):
                continue
        return values

    def _once(self, address: str, make: Callable[[], Any]) -> Any:
        if address in self._known:
            return self._known[address]
        if address in self._active:
            raise UnknownValueError(f"{address}, which refers to itself")
        self._active.add(address)
        try:
            self._known[address] = make()
        finally:
            self._active.discard(address)
        return self._known[address]

    def _variable(self, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        block = self._variables.get(name)
        if block is None:
            raise UnknownValueError(f"var.{name}, which is not declared")
        if "default" in block.attributes:
            return self.scope.evaluate(block.attributes["default"])
        value = f"local-{name}".replace("_", "-")
        self.root.note(
            f"{block.where}: variable {self.address}{name} has no default: {value!r} stands in "
            f"(give --parameter {name}=VALUE)"
        )
        return value

    def _local(self, name: str) -> Any:
        if name not in self._locals:
            raise UnknownValueError(f"local.{name}, which is not declared")
        return self.scope.evaluate(self._locals[name])

    def _expanded(self, block: Block, make: Callable[[Scope, str], Any]) -> Any:
        """Return one value, or one for each of `count` or `for_each`."""
        if "count" in block.attributes:
            try:
                count = int(self.scope.evaluate(block.attributes["count"]))
            except (UnknownValueError, ValueError, TypeError):
                self.root.note(f"{block.where}: count is not known here: 1 is assumed")
                count = 1
            return [
                make(self.scope.inner({"count": {"index": index}}), f"[{index}]")
                for index in range(min(count, 1000))
            ]
        if "for_each" in block.attributes:
            collection = self.scope.evaluate(block.attributes["for_each"])
            items = (
                collection.items()
                if isinstance(collection, Mapping)
                else [(v, v) for _, v in pairs(collection)]
            )
            return {
                text_of(key): make(
                    self.scope.inner({"each": {"key": text_of(key), "value": value}}), f'["{text_of(key)}"]'
                )
                for key, value in items
            }
        return make(self.scope, "")

    def instances_of(self, kind: str, name: str) -> Any:
        """Return the instance, list of instances or map of instances of `TYPE.NAME`.

        Raises:
            UnknownValueError: the block does not exist.
        """
        block = self._resources.get((kind, name))
        if block is None:
            raise UnknownValueError(f"{kind}.{name}, which is not declared")

        def expand() -> Any:
            try:
                return self._expanded(
                    block, lambda scope, suffix: Instance(self, block, kind, name, scope, suffix)
                )
            except UnknownValueError as unknown:
                self.root.note(f"{block.where}: {kind}.{name} is left out: {unknown}")
                return []

        return self._once(f"{kind}.{name}", expand)

    def _call(self, name: str) -> Any:
        block = self._modules.get(name)
        if block is None:
            raise UnknownValueError(f"module.{name}, which is not declared")
        folder = self._source(block)
        if self.address.count("module.") >= _DEEPEST:
            raise UnknownValueError("modules are nested too deeply")

        def module(scope: Scope, suffix: str) -> Any:
            address = f"{self.address}module.{name}{suffix}."
            values = self.body(block, scope, f"module.{name}", left_out={"source", "version", "providers"})
            called = Module(self.root, folder, values, address)
            return _Called(called)

        return self._expanded(block, module)

    def _source(self, block: Block) -> Path:
        source = (
            text_of(self.scope.evaluate(block.attributes["source"])) if "source" in block.attributes else ""
        )
        if source.startswith("."):
            return Path(os.path.normpath(self.folder / source))
        manifest = self.root.folder / ".terraform" / "modules" / "modules.json"
        key = ".".join([*re.findall(r"module\.([\w-]+)", self.address), block.labels[0]])
        try:
            entries = json.loads(manifest.read_text(encoding="utf-8"))["Modules"]
            directory = next(entry["Dir"] for entry in entries if entry["Key"] == key)
            return self.root.folder / str(directory)
        except (OSError, ValueError, KeyError, TypeError, StopIteration):
            raise UnknownValueError(
                f"its source {source!r} is not on this disk (`terraform init` puts it there)"
            ) from None

    def body(
        self, block: Block, scope: Scope, address: str, left_out: frozenset[str] | set[str] = frozenset()
    ) -> dict[str, Any]:
        """Return the attributes and blocks of a block; inner blocks are lists by type."""
        values: dict[str, Any] = {}
        for name, node in block.attributes.items():
            if name in _META or name in left_out:
                continue
            try:
                values[name] = scope.evaluate(node)
            except UnknownValueError as unknown:
                self.root.note(f"{block.where}: {address}: {name} is left out: {unknown}")
        for nested in block.blocks:
            if nested.type == "dynamic" and nested.labels:
                values.setdefault(nested.labels[0], []).extend(self._dynamic(nested, scope, address))
            elif nested.type not in _META:
                values.setdefault(nested.type, []).append(self.body(nested, scope, address))
        return values

    def _dynamic(self, block: Block, scope: Scope, address: str) -> Iterator[dict[str, Any]]:
        try:
            collection = scope.evaluate(block.attributes["for_each"])
            items = list(pairs(collection))
        except (UnknownValueError, KeyError) as unknown:
            self.root.note(f"{block.where}: {address}: dynamic {block.labels[0]} is left out: {unknown}")
            return
        name = block.labels[0]
        for content in (part for part in block.blocks if part.type == "content"):
            for key, value in items:
                inner = scope.inner({name: {"key": key, "value": value}})
                yield self.body(content, inner, address)

    def _datum(self, kind: str, name: str) -> Any:
        block = self._data.get((kind, name))
        if block is None:
            raise UnknownValueError(f"data.{kind}.{name}, which is not declared")
        return self._once(
            f"data.{kind}.{name}",
            lambda: self._expanded(block, lambda scope, _suffix: _Datum(self, block, kind, name, scope)),
        )


class _Called(Lazy):
    """A called module: its parts are its outputs."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def get(self, key: Any) -> Any:
        block = self.module._outputs.get(str(key))
        if block is None or "value" not in block.attributes:
            raise UnknownValueError(f"the output {key} of {self.module.address.rstrip('.')}")
        return self.module._once(
            f"output.{key}", lambda: self.module.scope.evaluate(block.attributes["value"])
        )


def _is(block: Block, kind: str, labels: int) -> bool:
    return block.type == kind and len(block.labels) == labels


def _flat(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _modules_of(value: Any) -> list[Module]:
    return [called.module for called in _flat(value) if isinstance(called, _Called)]


@dataclass(slots=True)
class _Datum(Lazy):
    """A data source: its values if they are known without an account, else stand-ins."""

    module: Module
    block: Block
    type: str
    name: str
    scope: Scope

    def get(self, key: Any) -> Any:
        name = str(key)
        known = _DATA.get(self.type, {}).get(name)
        if known is not None:
            return known(self)
        if name in self.block.attributes:
            return self.scope.evaluate(self.block.attributes[name])
        value = f"local-{self.name}-{name}".replace("_", "-")
        self.module.root.note(
            f"{self.block.where}: data.{self.type}.{self.name}.{name} is known only in the account: "
            f"{value!r} stands in"
        )
        return value

    def value(self, name: str, default: Any = "") -> Any:
        """Return an attribute of the block, or the default."""
        node = self.block.attributes.get(name)
        return default if node is None else self.scope.evaluate(node)

    def archive(self) -> str:
        """Return an archive's path, and record its source."""
        path = str(self.value("output_path", f"{self.name}.zip"))
        source = self.value("source_dir") or self.value("source_file")
        if source:
            self.module.root.archives[os.path.normpath(path)] = self.module.root.folder / str(source)
        return path

    def archive_hash(self) -> str:
        """Return a stand-in for an archive's hash, and record its source."""
        self.archive()
        return "local"

    def policy(self) -> str:
        """Return a policy document as JSON."""
        values = self.module.body(self.block, self.scope, f"data.{self.type}.{self.name}")
        statements = []
        for statement in _flat(values.get("statement", [])):
            made: dict[str, Any] = {"Effect": statement.get("effect") or "Allow"}
            for source, target in (("sid", "Sid"), ("actions", "Action"), ("not_actions", "NotAction")):
                if statement.get(source):
                    made[target] = statement[source]
            for source, target in (("resources", "Resource"), ("not_resources", "NotResource")):
                if statement.get(source):
                    made[target] = statement[source]
            if principals := statement.get("principals"):
                made["Principal"] = {
                    item.get("type", "*"): item.get("identifiers", []) for item in principals
                }
            if conditions := statement.get("condition"):
                made["Condition"] = {
                    item.get("test", ""): {item.get("variable", ""): item.get("values")}
                    for item in conditions
                }
            statements.append(made)
        return encoded({"Version": "2012-10-17", "Statement": statements})

    def template(self) -> str:
        """Return the rendered text of a template_file."""
        names = self.value("vars", {})
        scope = Scope(names, self.scope.root, self.scope.folder)
        return scope.render(str(self.value("template")))

    def content(self) -> str:
        """Return a local file's text."""
        try:
            return (self.module.root.folder / str(self.value("filename"))).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UnknownValueError(f"data.local_file.{self.name}: {error}") from None


def _pseudo(name: str) -> Callable[[_Datum], str]:
    return lambda _datum: f"{OPEN}AWS::{name}{CLOSE}"


_REGION = _pseudo("Region")
_DATA: dict[str, dict[str, Callable[[_Datum], Any]]] = {
    "archive_file": {
        "output_path": _Datum.archive,
        "output_base64sha256": _Datum.archive_hash,
        "output_sha256": _Datum.archive_hash,
        "output_md5": _Datum.archive_hash,
    },
    "aws_caller_identity": {"account_id": _pseudo("AccountId"), "id": _pseudo("AccountId")},
    "aws_region": {"name": _REGION, "id": _REGION, "region": _REGION},
    "aws_partition": {"partition": lambda _datum: "aws", "dns_suffix": lambda _datum: "amazonaws.com"},
    "aws_iam_policy_document": {"json": _Datum.policy, "minified_json": _Datum.policy},
    "aws_iam_policy": {
        "arn": lambda datum: datum.value("arn") or f"arn:aws:iam::aws:policy/{datum.value('name')}"
    },
    "aws_s3_bucket": {
        "id": lambda datum: datum.value("bucket"),
        "arn": lambda datum: f"arn:aws:s3:::{datum.value('bucket')}",
    },
    "template_file": {"rendered": _Datum.template},
    "local_file": {"content": _Datum.content},
}


def read_variables(folder: Path, chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of `terraform.tfvars`, `*.auto.tfvars` and `chosen`; later ones take precedence.

    Raises:
        InputError: a file is not in Terraform's language.
    """
    scope = Scope({}, _no_names, folder)
    values: dict[str, Any] = {}
    for path in [folder / "terraform.tfvars", *sorted(folder.glob("*.auto.tfvars"))]:
        if path.is_file():
            for name, node in parse_file(path).attributes.items():
                try:
                    values[name] = scope.evaluate(node)
                except UnknownValueError as unknown:
                    raise InputError(f"{name} is not a literal value: {unknown}", where=str(path)) from None
    for name, text in chosen.items():
        values[name] = json.loads(text) if re.fullmatch(r"\s*[\[{].*[\]}]\s*|\d+|true|false", text) else text
    return values


def _no_names(name: str) -> Any:
    raise UnknownValueError(f"the name {name}")
