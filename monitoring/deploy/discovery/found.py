"""What a template describes, as far as monitoring cares, and the tags under which Datadog will know it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.values import dataclass

DEFAULT_TIMEOUT = 3
DEFAULT_MEMORY = 128


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function; `name` may hold `*` for what only the deployment knows. Seconds and MB."""

    name: str
    timeout: int = DEFAULT_TIMEOUT
    memory: int = DEFAULT_MEMORY
    streams: tuple[str, ...] = ()
    asynchronous: bool = False
    dead_letters: bool = False

    @property
    def scope(self) -> str:
        """The tag filter of `aws.lambda.*` metrics: tag values are lower-cased at intake."""
        return f"functionname:{_wild(self.name)}"


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A state machine; `timeout` is the definition's TimeoutSeconds, 0 where there is none."""

    name: str
    express: bool = False
    timeout: int = 0
    states: tuple[str, ...] = ()
    family: str = "service_integration"

    @property
    def scope(self) -> str:
        """The tag filter of `aws.states.*` metrics."""
        return f"statemachinearn:*:statemachine:{_wild(self.name)}"


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that one source describes."""

    source: str
    functions: tuple[Function, ...] = ()
    state_machines: tuple[StateMachine, ...] = ()


def _wild(name: str) -> str:
    return re.sub(r"\*+", "*", name).lower()


def state_machine(name: str, definition: Mapping[str, Any], *, express: bool = False) -> StateMachine:
    """A state machine from its definition in Amazon States Language."""
    seconds = definition.get("TimeoutSeconds", 0)
    resources = [str(state.get("Resource", "")) for _, state in _states(definition)]
    direct = any(":lambda:" in resource and ":states:::" not in resource for resource in resources)
    return StateMachine(
        name=name,
        express=express,
        timeout=seconds if isinstance(seconds, int) else 0,
        states=tuple(state for state, _ in _states(definition)),
        family="lambda_function" if direct else "service_integration",
    )


def _states(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in (definition.get("States") or {}).items():
        if not isinstance(state, dict):
            continue
        yield name, state
        inner = [*(state.get("Branches") or []), state.get("Iterator"), state.get("ItemProcessor")]
        for part in inner:
            if isinstance(part, dict):
                yield from _states(part)


def functions_called(definition: Mapping[str, Any]) -> Iterator[str]:
    """The names of the Lambda functions that a definition names by ARN or by name."""
    for _, state in _states(definition):
        parameters = state.get("Parameters") or state.get("Arguments") or {}
        named = parameters.get("FunctionName", "") if isinstance(parameters, dict) else ""
        for text in (state.get("Resource", ""), named):
            if isinstance(text, str) and (text is named or ":function:" in text):
                name = text.rpartition(":function:")[2].partition(":")[0]
                if name and "${" not in name:
                    yield name
