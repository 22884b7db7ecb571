"""A stack: the resources of one application as CloudFormation, whatever tool they were written for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from monitoring.errors import InputError

_IN_TEXT = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class StackResource:
    """A resource of a stack; its properties may contain intrinsic functions.

    `retained`: whether it is kept when the stack is deleted.
    """

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    condition: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    retained: bool = False

    def references(self) -> set[str]:
        """Return the logical ids that the properties refer to, and those in DependsOn."""
        return {*self.depends_on, *referenced(self.properties)}


@dataclass(frozen=True, slots=True)
class Stack:
    """The resources of one application before deployment.

    Attributes:
        name: the stack's name.
        source: its file or folder.
        resources: logical id -> resource.
        parameters: the value of each parameter: text, or a list for the list types.
        mappings: the template's `Mappings`.
        conditions: the template's `Conditions`.
        outputs: the template's `Outputs`, unresolved values by name.
        code: logical id of a function or layer -> the folder, file or archive of its code.
        notes: assumptions and parts that could not be read, as sentences.
        assumed: the parameters without a value, for which a value is assumed.
    """

    name: str
    source: Path
    resources: Mapping[str, StackResource]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    assumed: frozenset[str] = frozenset()

    def of_type(self, *types: str) -> list[StackResource]:
        """Return the resources of these types, in the order of the template."""
        return [resource for resource in self.resources.values() if resource.type in types]

    def in_order(self, left_out: Iterable[str] = ()) -> list[StackResource]:
        """Return the resources in an order in which each comes after those that it refers to.

        Args:
            left_out: logical ids of resources whose condition is false.

        Raises:
            InputError: references are circular.
        """
        absent = set(left_out)
        names = [name for name in self.resources if name not in absent]
        graph = {}
        for name in names:
            references = self.resources[name].references()
            graph[name] = [other for other in names if other != name and other in references]
        try:
            return [self.resources[name] for name in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            raise InputError(
                f"resources depend on each other in a circle: {' -> '.join(error.args[1])}",
                where=str(self.source),
                hint="CloudFormation refuses this as a circular dependency, too",
            ) from None


def referenced(value: Any) -> Iterator[str]:
    """Yield the logical ids in `Ref`, `Fn::GetAtt` and `Fn::Sub` of a value."""
    if isinstance(value, list):
        for item in value:
            yield from referenced(item)
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key == "Ref" and isinstance(item, str):
            yield item
        elif key == "Fn::GetAtt":
            yield str(item[0] if isinstance(item, list) and item else item).partition(".")[0]
        elif key == "Fn::Sub":
            text, *own = item if isinstance(item, list) and item else [item]
            names = {name for variables in own if isinstance(variables, Mapping) for name in variables}
            yield from (name for name in _IN_TEXT.findall(str(text)) if name not in names)
            yield from referenced(own)
        else:
            yield from referenced(item)
