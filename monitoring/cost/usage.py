"""Compute the usage of one execution from a template: invocations, state transitions and log events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.discovery.machines import definitions_in, resolver
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.stacks import read_stacks
from monitoring.errors import InputError

_EVENTS = {"Task": 5, "Parallel": 4, "Map": 4, "Succeed": 2, "Fail": 1}
"""Log events per state at level ALL: entered, exited, and those of its type; other types have 2."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function of the template: memory in megabytes, time-out in seconds."""

    logical_id: str
    name: str
    memory: int
    timeout: int
    architecture: str
    stack: str
    is_triggered: bool
    is_forwarder: bool


@dataclass(slots=True)
class PathUsage:
    """The usage of one execution of a machine on its longest path.

    Attributes:
        transitions: states entered, including those of branches and inline Map iterations.
        events: log events at level ALL.
        tasks: target of a task (logical id or name of a function, else the resource) -> number of calls.
        path: the names of the states on the outermost path.
    """

    transitions: float = 0
    events: float = 0
    tasks: dict[str, float] = field(default_factory=dict)
    path: tuple[str, ...] = ()

    def add(self, usage: "PathUsage", times: float = 1) -> None:
        """Add the usage of another path, multiplied by `times`."""
        self.transitions += usage.transitions * times
        self.events += usage.events * times
        for name, count in usage.tasks.items():
            self.tasks[name] = self.tasks.get(name, 0) + count * times


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A state machine of the template, and the usage of one execution."""

    logical_id: str
    name: str
    is_express: bool
    log_level: str
    usage: PathUsage


@dataclass(frozen=True, slots=True)
class ApplicationSpec:
    """The functions and state machines of all stacks."""

    functions: tuple[FunctionSpec, ...]
    machines: tuple[MachineSpec, ...]
    notes: tuple[str, ...]


def read_application(path: Path, parameters: Mapping[str, str], items: int) -> ApplicationSpec:
    """Read the functions and state machines of an application.

    Args:
        path: a template, or a folder that contains one.
        parameters: values of its parameters.
        items: the number of items of a Map state.

    Raises:
        InputError: the template cannot be read, or has neither a function nor a state machine.
    """
    functions: list[FunctionSpec] = []
    machines: list[MachineSpec] = []
    stacks = read_stacks(path, parameters=parameters)
    for stack in stacks:
        functions += _functions(stack)
        machines += _machines(stack, items)
    if not functions and not machines:
        raise InputError("describes no function and no state machine", where=str(path))
    return ApplicationSpec(
        tuple(functions), tuple(machines), tuple(note for stack in stacks for note in stack.notes)
    )


def _machines(stack: Stack, items: int) -> Iterator[MachineSpec]:
    resolve = resolver(stack).resolve
    for logical_id, name, definition in definitions_in(stack):
        properties = resolve(dict(stack.resources[logical_id].properties))
        logging = properties.get("LoggingConfiguration")
        yield MachineSpec(
            logical_id,
            name,
            properties.get("StateMachineType") == "EXPRESS",
            str(logging.get("Level") or "OFF") if isinstance(logging, Mapping) else "OFF",
            longest(definition, items),
        )


def _functions(stack: Stack) -> Iterator[FunctionSpec]:
    resolve = resolver(stack).resolve
    forwarders = {
        str(resolve(resource.properties.get("DestinationArn")))
        for resource in stack.of_type("AWS::Logs::SubscriptionFilter")
    }
    triggered = {
        str(resolve(resource.properties.get("FunctionName")))
        for resource in stack.of_type("AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping")
    }
    for resource in stack.of_type("AWS::Lambda::Function"):
        properties = resolve(dict(resource.properties))
        name = str(properties.get("FunctionName") or resource.logical_id)
        names = {name, resource.logical_id}
        yield FunctionSpec(
            resource.logical_id,
            name,
            _number(properties, "MemorySize", 128),
            _number(properties, "Timeout", 3),
            str((properties.get("Architectures") or ["x86_64"])[0]),
            stack.name,
            bool(names & triggered),
            bool(names & forwarders) or _is_ours(resource),
        )


def _is_ours(resource: StackResource) -> bool:
    return str(resource.properties.get("Handler", "")).startswith("monitoring.forwarder")


def _number(properties: Mapping[str, Any], key: str, otherwise: int) -> int:
    try:
        return int(properties.get(key, otherwise))
    except (TypeError, ValueError):
        return otherwise


def longest(definition: Mapping[str, Any], items: int) -> PathUsage:
    """Return the usage of the path with the most state transitions through a definition.

    `Catch` transitions are ignored. A repeated state ends a path, so that a loop counts once.
    """
    states = definition.get("States")
    bodies = {
        str(name): body
        for name, body in (states.items() if isinstance(states, Mapping) else ())
        if isinstance(body, Mapping)
    }
    usages = {name: _of_state(body, items) for name, body in bodies.items()}
    best: dict[str, tuple[float, tuple[str, ...]]] = {}

    def weigh(name: str, visited: frozenset[str]) -> tuple[float, tuple[str, ...]]:
        if name not in bodies or name in visited:
            return 0, ()
        if name in best:
            return best[name]
        following = [weigh(target, visited | {name}) for target in _next(bodies[name])]
        weight, path = max(following, default=(0, ()))
        best[name] = (usages[name].transitions + weight, (name, *path))
        return best[name]

    _, path = weigh(str(definition.get("StartAt")), frozenset())
    usage = PathUsage(path=path)
    for name in path:
        usage.add(usages[name])
    return usage


def _next(state: Mapping[str, Any]) -> Iterator[str]:
    choices = state.get("Choices")
    for rule in choices if isinstance(choices, list) else ():
        if isinstance(rule, Mapping):
            yield str(rule.get("Next"))
    for key in ("Default", "Next"):
        if isinstance(state.get(key), str):
            yield state[key]


def _of_state(state: Mapping[str, Any], items: int) -> PathUsage:
    kind = str(state.get("Type"))
    usage = PathUsage(transitions=1, events=_EVENTS.get(kind, 2))
    if kind == "Task":
        usage.tasks[_target(state)] = 1
    branches = state.get("Branches")
    for branch in branches if isinstance(branches, list) else ():
        if isinstance(branch, Mapping):
            usage.add(longest(branch, items))
    inner = state.get("ItemProcessor") or state.get("Iterator")
    if kind == "Map" and isinstance(inner, Mapping):
        usage.add(longest(inner, items), items)
        usage.events += 2 * items  # of the iteration, or of the child execution
    return usage


def _target(state: Mapping[str, Any]) -> str:
    resource = str(state.get("Resource"))
    if ":states:" not in resource:
        return _plain(resource)
    arguments = state.get("Parameters") or state.get("Arguments")
    payload = arguments if isinstance(arguments, Mapping) else {}
    for key in ("FunctionName", "StateMachineArn"):
        if isinstance(payload.get(key), str):
            return _plain(payload[key])
    return resource


def _plain(text: str) -> str:
    """Return the name of a function, given its ARN, a name with a version, or a placeholder."""
    name = text.partition(":function:")[2] or text
    return name.partition(":")[0].removeprefix("${").removesuffix("}")
