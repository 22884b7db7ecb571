"""An application as the rules see it: functions, state machines with their states, log groups, roles."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from monitoring.lint.model import Edit, Severity
from monitoring.lint.templates.text import Text
from monitoring.resources.document import Pointer

if TYPE_CHECKING:
    from monitoring.discovery.stack import Stack, StackResource


class Spot(NamedTuple):
    """A place in a file; `is_exact` says that the value at the pointer is the one that is meant."""

    text: Text
    pointer: Pointer
    is_exact: bool = True

    def below(self, *steps: str | int) -> "Spot":
        """Return the place of a value inside of this one."""
        return Spot(self.text, (*self.pointer, *steps), self.is_exact) if self.is_exact else self

    def insertion(self, key: str, value: Any) -> Edit | None:
        """Return the edit that adds a key to the object here; None where it cannot be added safely."""
        return self.text.insertion(self.pointer, key, value) if self.is_exact else None

    def replacement(self, value: Any) -> Edit | None:
        """Return the edit that replaces the scalar here; None where it cannot be replaced safely."""
        return self.text.replacement(self.pointer, value) if self.is_exact else None

    def setting(self, key: str, value: Any, values: Mapping[str, Any]) -> Edit | None:
        """Return the edit after which the object here, whose `values` are known, has the key's value."""
        return self.below(key).replacement(value) if key in values else self.insertion(key, value)


class TemplateProblem(NamedTuple):
    """One thing that a rule found in an application: where, what it says, and its safe fix."""

    spot: Spot
    message: str
    fix: Edit | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class TemplateResource:
    """A resource, its intrinsic functions resolved: `!GetAtt Take.Arn` and `!Ref Take` are `Take`.

    Attributes:
        raw: as the stack has it.
        properties: resolved; as written where a function cannot be resolved.
        spot: its place; `properties_spot` that of its properties, if they are written out in the file.
    """

    stack: "Stack"
    raw: "StackResource"
    properties: Mapping[str, Any]
    spot: Spot
    properties_spot: Spot

    @property
    def logical_id(self) -> str:
        """Return the resource's logical id."""
        return self.raw.logical_id

    def names(self, *keys: str) -> set[str]:
        """Return what other resources may call it: its logical id, and its values at `keys`."""
        values = [self.properties.get(key) for key in keys]
        return {self.logical_id, *(value for value in values if isinstance(value, str) and value)}

    def number(self, key: str, default: int | None = None) -> int | None:
        """Return a whole number of the properties; None where only the deployment knows it."""
        value = self.properties.get(key, default)
        text = str(value)
        return int(text) if text.isdecimal() and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class TemplateState:
    """A state of a machine.

    Attributes:
        pointer: its place in the definition.
        is_jsonata: its query language.
        is_caught: a Parallel or Map around it has a `Catch`.
        passes_context: a Map around it puts the context object into its items.
    """

    name: str
    body: Mapping[str, Any]
    pointer: Pointer
    is_jsonata: bool
    is_caught: bool = False
    passes_context: bool = False

    @property
    def resource(self) -> str:
        """Return a Task's `Resource`, or ""."""
        value = self.body.get("Resource")
        return value if isinstance(value, str) else ""

    @property
    def arguments_key(self) -> str:
        """Return the field that holds what a Task passes."""
        return "Arguments" if self.is_jsonata else "Parameters"

    @property
    def arguments(self) -> Any:
        """Return what a Task passes, or None."""
        return self.body.get(self.arguments_key)


@dataclass(frozen=True, slots=True)
class TemplateMachine:
    """A state machine, its definition resolved, and its place; a bare definition has no `resource`."""

    name: str
    definition: Mapping[str, Any]
    spot: Spot
    resource: TemplateResource | None = None

    @property
    def is_express(self) -> bool:
        """Return whether its executions are of the Express type, which end after five minutes."""
        properties = self.resource.properties if self.resource else {}
        return properties.get("StateMachineType") == "EXPRESS"

    def states(self) -> Iterator[TemplateState]:
        """Yield every state, those of branches and Maps too."""
        yield from _states(self.definition, (), _Around())

    def tasks(self) -> Iterator[TemplateState]:
        """Yield every Task."""
        yield from (state for state in self.states() if state.body.get("Type") == "Task")


class _Around(NamedTuple):
    """Hold what the states around a definition say: see `State`."""

    is_jsonata: bool = False
    is_caught: bool = False
    passes_context: bool = False


def _states(definition: Mapping[str, Any], pointer: Pointer, around: _Around) -> Iterator[TemplateState]:
    states = definition.get("States")
    jsonata = _is_jsonata(definition, around.is_jsonata)
    for name, body in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(body, Mapping):
            continue
        place = (*pointer, "States", name)
        own = _is_jsonata(body, jsonata)
        yield TemplateState(str(name), body, place, own, around.is_caught, around.passes_context)
        inner = _Around(
            jsonata,
            around.is_caught or bool(body.get("Catch")),
            around.passes_context or _items_have_context(body),
        )
        for steps, part in _inside(body):
            yield from _states(part, (*place, *steps), inner)


def _is_jsonata(value: Mapping[str, Any], otherwise: bool) -> bool:
    language = value.get("QueryLanguage")
    return otherwise if language is None else language == "JSONata"


def _inside(state: Mapping[str, Any]) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
    """Yield the definitions in a Parallel or a Map."""
    branches = state.get("Branches")
    for index, branch in enumerate(branches if isinstance(branches, list) else ()):
        if isinstance(branch, Mapping):
            yield ("Branches", index), branch
    for key in ("ItemProcessor", "Iterator"):
        if isinstance(part := state.get(key), Mapping):
            yield (key,), part


def _items_have_context(state: Mapping[str, Any]) -> bool:
    batcher = state.get("ItemBatcher")
    parts = [state.get("ItemSelector"), state.get("Parameters") if state.get("Type") == "Map" else None]
    parts.append(batcher.get("BatchInput") if isinstance(batcher, Mapping) else None)
    return any(has_context(part) for part in parts)


_FIELDS = frozenset({"_datadog", "_monitoring", "Execution"})
"""Fields under which `monitoring.context` finds the context object: docs/tracing.md."""
_WHOLE = ("States.JsonMerge($$", "$states.context")


def has_context(value: Any) -> bool:
    """Return whether a payload carries the context object, whole or in the fields that are looked for."""
    if isinstance(value, str):
        return value.strip() == "$$" or any(part in value for part in _WHOLE)
    if isinstance(value, Mapping):
        return any(str(key).removesuffix(".$") in _FIELDS or has_context(part) for key, part in value.items())
    return isinstance(value, list) and any(map(has_context, value))


@dataclass(frozen=True, slots=True)
class Code:
    """A function's Python code: the file of its handler, the handler's name, and the folder's text files."""

    file: Path
    handler: str
    text: Text


@dataclass(frozen=True)
class Application:
    """All that one template describes.

    Attributes:
        path: the template, or the folder that holds it.
        resources: of all its stacks.
        machines: those whose definitions are on this disk.
        codes: logical id of a function -> its Python code, where that is on this disk.
        unread: why no rule is applied; "" where they are.
    """

    path: Path
    resources: tuple[TemplateResource, ...] = ()
    machines: tuple[TemplateMachine, ...] = ()
    codes: Mapping[str, Code] = field(default_factory=dict)

    def of_type(self, *types: str) -> Iterator[TemplateResource]:
        """Yield the resources of these types."""
        return (resource for resource in self.resources if resource.raw.type in types)

    @property
    def functions(self) -> Iterator[TemplateResource]:
        """The Lambda functions."""
        return self.of_type("AWS::Lambda::Function")

    def function(self, name: Any) -> TemplateResource | None:
        """Return the function that an ARN, a name or a reference means, or None."""
        word = plain_name(name)
        return next((item for item in self.functions if word in item.names("FunctionName")), None)

    def is_activity(self, name: str) -> bool:
        """Return whether a Task's resource is an activity."""
        activities = self.of_type("AWS::StepFunctions::Activity")
        return ":activity:" in name or any(name in item.names("Name") for item in activities)


def plain_name(value: Any) -> str:
    """Return a function's name or logical id from its ARN, a qualified name or a placeholder."""
    text = value if isinstance(value, str) else ""
    name = text.partition(":function:")[2] or text
    return name.partition(":")[0].removeprefix("${").removesuffix("}")


def text_list(value: Any) -> list[str]:
    """Return a text, or the texts of a list, as a list."""
    parts: Iterable[Any] = value if isinstance(value, list) else [value]
    return [part for part in parts if isinstance(part, str)]
