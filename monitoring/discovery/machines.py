"""Read the state machines of a file or folder, and their definitions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitoring.discovery.intrinsics import Intrinsics
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.stacks import read_stacks
from monitoring.discovery.templates import definition_file, definition_of, load
from monitoring.errors import InputError


def definitions_of(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield logical id, name and definition of every state machine.

    Values that are known only after deployment (ARNs) are replaced by the resource's logical id.

    Args:
        path: a definition, a template, or a folder that contains one (see `read_stacks`).

    Raises:
        InputError: the path is none of these, or cannot be read.
    """
    if path.is_file():
        content = load(path)
        if "StartAt" in content or "States" in content:
            name = path.name.partition(".")[0]
            yield name, name, content
            return
    for stack in read_stacks(path):
        yield from definitions_in(stack)


def definitions_in(stack: Stack) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield logical id, name and definition of every state machine of a stack.

    Raises:
        InputError: a definition is not on this disk, or cannot be read.
    """
    intrinsics = resolver(stack)
    for resource in stack.of_type("AWS::StepFunctions::StateMachine"):
        properties = intrinsics.resolve(dict(resource.properties))
        name = str(properties.get("StateMachineName") or properties.get("Name") or resource.logical_id)
        yield resource.logical_id, name, definition_in(stack, resource, intrinsics)


def resolver(stack: Stack) -> Intrinsics:
    """Return a resolver for a stack that is not deployed: `!GetAtt Take.Arn` gives `Take`."""

    def attribute(name: str, _: str) -> str:
        if name not in stack.resources:
            raise KeyError(name)
        return name

    names = {
        **stack.parameters,
        "AWS::AccountId": "123456789012",
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": "us-east-1",
        "AWS::StackId": stack.name,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }
    return Intrinsics(names, attribute, stack.mappings, stack.conditions, where=str(stack.source))


def definition_in(stack: Stack, resource: StackResource, intrinsics: Intrinsics) -> dict[str, Any]:
    """Return the definition of a stack's state machine, with functions resolved by `resolver(stack)`.

    Raises:
        InputError: the definition is not on this disk, or cannot be read.
    """
    properties = intrinsics.resolve(dict(resource.properties))
    value = properties.get("DefinitionString", properties.get("Definition"))
    if value is None and (file := definition_file(stack.source.parent, properties)):
        value = file.read_text(encoding="utf-8")
    substitutions = properties.get("DefinitionSubstitutions")
    definition = definition_of(
        value if not isinstance(value, dict) else json.dumps(value), substitutions=substitutions
    )
    definition = definition or _asset(stack, properties.get("DefinitionS3Location"))
    if not definition:
        raise InputError(
            f"the definition of {resource.logical_id} is not here, or cannot be read", where=str(stack.source)
        )
    return definition


def _asset(stack: Stack, location: Any) -> dict[str, Any]:
    """Return the definition in an asset of a synthesised CDK app; {} if there is none."""
    key = location.get("Key") if isinstance(location, dict) else None
    folders = (stack.source.parent, stack.source.parent.parent)
    files = [folder / f"asset.{key}" for folder in folders if isinstance(key, str)]
    return next((load(file) for file in files if file.is_file()), {})
