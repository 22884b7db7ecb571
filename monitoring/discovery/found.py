"""Define the discovered resources of a template, and their tags in Datadog."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_TIMEOUT = 3
DEFAULT_MEMORY = 128
LONGEST_EXPRESS = 300
"""The maximum duration of an Express execution in seconds, whatever its definition says."""


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """A Lambda function; `name` has `*` for parts that are known only after deployment.

    Time-out in seconds, memory in MB; 0 means unknown.
    """

    name: str
    timeout: int = DEFAULT_TIMEOUT
    memory: int = DEFAULT_MEMORY
    streams: tuple[str, ...] = ()
    asynchronous: bool = False
    dead_letters: bool = False
    busy: bool = False
    """Return whether an API or a load balancer invokes it: of many invocations a few may fail."""

    @property
    def scope(self) -> str:
        """The tag filter of `aws.lambda.*` metrics: tag values are lower-cased at intake."""
        return f"functionname:{_wild(self.name)}"


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A state machine; `timeout` is the definition's TimeoutSeconds, 0 if there is none.

    For an Express state machine it is at most 300 seconds.
    """

    name: str
    express: bool = False
    timeout: int = 0
    states: tuple[str, ...] = ()
    family: str = "service_integration"

    @property
    def busy(self) -> bool:
        """Return whether many short executions are expected, of which a few may fail."""
        return self.express

    @property
    def scope(self) -> str:
        """The tag filter of `aws.states.*` metrics."""
        return f"statemachinearn:*:statemachine:{_wild(self.name)}"


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity, which is polled by workers outside of AWS."""

    name: str

    @property
    def scope(self) -> str:
        """The tag filter of `aws.states.activities_*` metrics."""
        return f"activityarn:*:activity:{_wild(self.name)}"


@dataclass(frozen=True, slots=True)
class DiscoveredResources:
    """The resources of one source.

    `unnamed` are the logical ids of resources whose whole name is known only after deployment.
    """

    source: str
    functions: tuple[LambdaFunction, ...] = ()
    state_machines: tuple[StateMachine, ...] = ()
    activities: tuple[Activity, ...] = ()
    unnamed: tuple[str, ...] = ()


def together(source: str, parts: Iterable[DiscoveredResources]) -> DiscoveredResources:
    """Merge resources; of two with the same name keep one, with the shorter time-out."""
    parts = list(parts)
    functions: dict[str, LambdaFunction] = {}
    for function in (item for part in parts for item in part.functions):
        earlier = functions.setdefault(function.name, function)
        if 0 < function.timeout < earlier.timeout or not earlier.timeout:
            functions[function.name] = function
    machines = {item.name: item for part in parts for item in part.state_machines}
    activities = {item.name: item for part in parts for item in part.activities}
    unnamed = dict.fromkeys(name for part in parts for name in part.unnamed)
    return DiscoveredResources(
        source,
        tuple(functions.values()),
        tuple(machines.values()),
        tuple(activities.values()),
        tuple(unnamed),
    )


def _wild(name: str) -> str:
    """Return a name as in Datadog's tags (lower case); names of variables do not change."""
    return _VARIABLE.sub(lambda match: match[1] or match[0].lower(), re.sub(r"\*+", "*", name))


_VARIABLE = re.compile(r"(\$\{var:[\w-]+)|[^$]+|\$")


def state_machine(name: str, definition: Mapping[str, Any], *, express: bool = False) -> StateMachine:
    """Read a state machine from its definition in Amazon States Language."""
    states = list(_states(definition))
    seconds = str(definition.get("TimeoutSeconds", 0))
    timeout = int(seconds) if seconds.isdecimal() else 0
    return StateMachine(
        name=name,
        express=express,
        timeout=min(timeout or LONGEST_EXPRESS, LONGEST_EXPRESS) if express else timeout,
        states=tuple(state for state, _ in states),
        family="lambda_function"
        if any(_calls_directly(fields) for _, fields in states)
        else "service_integration",
    )


def _calls_directly(state: Mapping[str, Any]) -> bool:
    """Return whether a task's resource is the function's ARN, not a service integration."""
    resource = state.get("Resource")
    if isinstance(resource, Mapping):  # `!GetAtt Function.Arn`
        return True
    text = str(resource or "")
    return state.get("Type") == "Task" and ":states:" not in text


def _states(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    states = definition.get("States")
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, dict):
            continue
        yield name, state
        branches = state.get("Branches")
        inner = [*(branches if isinstance(branches, list) else ()), state.get("Iterator")]
        for part in (*inner, state.get("ItemProcessor")):
            if isinstance(part, dict):
                yield from _states(part)


_FUNCTION = re.compile(r"(?:.*:function:)?([A-Za-z0-9_-]+)(?::[\w$-]+)?")
_ACTIVITY = re.compile(r".*:states:[^:]*:[^:]*:activity:([^:${*]+)")


def functions_called(definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the Lambda functions in a definition, given by ARN or by name."""
    for _, state in _states(definition):
        parameters = state.get("Parameters") or state.get("Arguments") or {}
        named = parameters.get("FunctionName") if isinstance(parameters, dict) else None
        resource = state.get("Resource")
        for text in (resource if ":function:" in str(resource) else None, named):
            match = _FUNCTION.fullmatch(text) if isinstance(text, str) else None
            if match:
                yield match[1]


def activities_used(definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the activities in a definition, given by ARN."""
    for _, state in _states(definition):
        match = _ACTIVITY.fullmatch(str(state.get("Resource")))
        if match:
            yield match[1]
