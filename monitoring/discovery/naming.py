"""Predict names of resources before deployment: parts by environment are variables, unknown parts `*`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.discovery.intrinsics import Intrinsics
from monitoring.discovery.machines import resolver
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.stacks import configured_name, is_cdk, read_stacks
from monitoring.errors import InputError

_LONGEST_NAME = 64
_CUT_NAME = 24
_MARK = "q7x7q"
_STAGES = ("stage", "env", "environment")
"""The names of options and variables for the environment, in `serverless.yml` and in Terraform."""

_SECRET = re.compile(r"api_?key|app_?key|secret|token|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Naming:
    """Name the resources of a stack.

    Attributes:
        stack: the stack with the default values of its parameters.
        symbols: parameter of a nested stack -> its symbolic value.
        other: the same stack with a marker as its stage; None if it has no option for the stage.
    """

    stack: Stack
    symbols: Mapping[str, str] = field(default_factory=dict)
    other: Stack | None = None
    option: str = ""

    def of(self, resource: StackResource, *keys: str) -> str:
        """Return a resource's name from one of the keys, or the name that CloudFormation generates."""
        key = next((key for key in keys if key in resource.properties), "")
        if not key:
            return _generated(resource, self._stack_name())
        text = self.text(resource.properties[key])
        twin = self.other.resources.get(resource.logical_id) if self.other else None
        if twin is None or key not in twin.properties:
            return text
        return _with_option(text, Naming(self.other or self.stack).text(twin.properties[key]), self.option)

    def text(self, value: Any, *, symbols: bool = True) -> str:
        """Return a value as text, with parameters as variables and `*` for values known after deployment."""
        names: dict[str, Any] = {name: self._parameter(name, symbols) for name in self.stack.parameters}
        names |= {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com", "AWS::NotificationARNs": []}
        names |= {"AWS::Region": "*", "AWS::AccountId": "*", "AWS::StackId": "*"}
        names |= {"AWS::StackName": self._stack_name()}
        for known in (names, {**names, **self.stack.parameters}):  # a variable is not a key of a mapping
            try:
                text = self._intrinsics(known, self._conditions()).resolve(value)
            except InputError:
                continue
            known_text = isinstance(text, str | int) and not isinstance(text, bool)
            return _STAND_IN.sub(self._without_stand_in, str(text)) if known_text else "*"
        return "*"

    def _intrinsics(self, names: Mapping[str, Any], conditions: Mapping[str, Any]) -> Intrinsics:
        return Intrinsics(
            names, lambda *_: "*", self.stack.mappings, conditions, lambda *_: "*", lambda _: "*"
        )

    def _conditions(self) -> dict[str, str]:
        """Return the conditions as they are with the default values."""
        intrinsics = self._intrinsics(resolver(self.stack).names, self.stack.conditions)
        known = {}
        for name in self.stack.conditions:
            try:
                known[name] = "true" if intrinsics.holds(name) else "false"
            except InputError:
                known[name] = "false"
        return known

    def _without_stand_in(self, match: re.Match[str]) -> str:
        return "*" if any(f"{match[0]!r} stands in" in note for note in self.stack.notes) else match[0]

    def _parameter(self, name: str, symbols: bool) -> Any:
        value = self.stack.parameters[name]
        if name in self.symbols:
            return self.symbols[name]
        if name in self.stack.assumed:
            value = "*"
        if not symbols or not isinstance(value, str) or _SECRET.search(name) or not _PLAIN.fullmatch(value):
            return value
        return f"${{var:{variable_of(name)}|{value}}}"

    def _stack_name(self) -> str:
        if self.stack.name == "*":
            return "*"
        known = is_cdk(self.stack.source) or configured_name(self.stack.source)
        return f"${{var:stack|{self.stack.name if known else '*'}}}"


_STAND_IN = re.compile(r"local(?:-[a-z0-9]+)+")
_PLAIN = re.compile(r"[\w.*-]+")


def variable_of(parameter: str) -> str:
    """Return the variable of stepscope.toml for a parameter: `OrderTable` is `order_table`.

    `env` is the environment of stepscope itself, so that a parameter of this name is `environment`.
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^\w]+", "_", parameter).lower().strip("_")
    return "environment" if name == "env" else name if name[:1].isalpha() else f"p_{name}"


def _generated(resource: StackResource, stack: str) -> str:
    """Return the pattern of a name that CloudFormation generates: stack, logical id, random letters.

    The first two are shortened if the name would exceed 64 characters. The names of state machines and
    activities do not start with the stack.
    """
    logical_id = resource.logical_id
    if resource.type.startswith("AWS::StepFunctions::"):
        return f"{logical_id}-*"
    known = re.sub(r"\$\{var:stack\|(.*)\}", r"\1", stack)
    if known == "*":
        return (
            f"{stack}-{logical_id}-*"
            if len(logical_id) <= _CUT_NAME
            else f"{stack}-{logical_id[:_CUT_NAME]}*"
        )
    if len(known) + len(logical_id) + 14 <= _LONGEST_NAME:
        return f"{stack}-{logical_id}-*"
    return f"{known[:_CUT_NAME]}*-{logical_id[:_CUT_NAME]}*"


def _with_option(text: str, twin: str, option: str) -> str:
    """Return a name with a variable where the twin has the marker; its default is the original text."""
    if _MARK not in twin:
        return text
    pattern = re.escape(twin).replace(_MARK, "(?P<v>.+?)", 1).replace(_MARK, "(?P=v)")
    match = re.fullmatch(pattern, text)
    default = match["v"] if match else "*"
    return twin.replace(_MARK, f"${{var:{variable_of(option)}|{default}}}")


def names_of(
    path: Path, stacks: Sequence[Stack], parameters: Mapping[str, str] | None = None
) -> list[Naming]:
    """Return the naming of each stack; the stage is located by reading the stacks with another stage."""
    for option in _STAGES:
        if option in (parameters or {}) or any(option in stack.parameters for stack in stacks):
            continue
        try:
            others = read_stacks(path, parameters={**(parameters or {}), option: _MARK})
        except InputError:
            continue
        if len(others) == len(stacks):
            return [Naming(stack, {}, other, option) for stack, other in zip(stacks, others, strict=True)]
    return [Naming(stack) for stack in stacks]
