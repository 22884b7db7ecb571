"""`serverless.yml`, with the Step Functions plugin's section, files that it takes in, and plain resources."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.discovery.cloudformation import read_template
from monitoring.discovery.found import Activity, Found, LambdaFunction, StateMachine, state_machine, together
from monitoring.discovery.templates import definition_of
from monitoring.discovery.values import Values
from monitoring.discovery.variables import MISSING, Variables

DEFAULT_TIMEOUT = 6
DEFAULT_SIZE = 1024
STREAMS = {"stream": "kinesis", "msk": "kafka", "kafka": "kafka"}
ASYNCHRONOUS = {"s3", "sns", "schedule", "eventBridge", "cloudwatchEvent", "cloudwatchLog", "iot"}

_VARIABLE = re.compile(r"\$\{([^${}]+)\}")


class Service:
    """The values of a service's configuration; what only the deployment knows stays a variable."""

    def __init__(self, config: Mapping[str, Any], folder: Path) -> None:
        self._variables = Variables(config, folder, unknown=_no_file)

    def get(self, value: Any) -> Any:
        """Return the value with its variables resolved and files included; unknown variables stay."""
        return self._variables.resolve(value)

    def text(self, value: Any) -> str:
        """Return the value as text; what only the deployment knows becomes `*`."""
        known = Values().text(self.get(value))
        while (text := _VARIABLE.sub("*", known)) != known:
            known = text
        return known

    def number(self, value: Any, otherwise: int) -> int:
        """Return a whole number; the default where nothing is given, 0 where only the deployment knows it."""
        return otherwise if value is None else Values().number(self.text(value), 0)

    def section(self, value: Any) -> dict[str, Mapping[str, Any]]:
        """Return an object of objects, which may be spread over a list of objects and files."""
        found = self.get(value)
        parts = found if isinstance(found, list) else [found]
        return {
            str(key): one
            for part in parts
            if isinstance(part, Mapping)
            for key, one in part.items()
            if isinstance(one, Mapping)
        }


def _no_file(expression: str) -> Any:
    """Return {} for a file that is code or is not here; let every other variable stay."""
    return {} if expression.startswith("file(") else MISSING


def read_serverless(config: Mapping[str, Any], path: Path) -> Found:
    """Read the functions, state machines and activities of a service and its `resources`."""
    service = Service(config, path.parent)
    given = service.get(config.get("provider"))
    provider = given if isinstance(given, Mapping) else {}
    name = config.get("service")
    prefix = service.text(name.get("name") if isinstance(name, Mapping) else name)
    prefix = f"{prefix}-{service.text('${sls:stage}')}"
    steps = service.get(config.get("stepFunctions"))
    steps = steps if isinstance(steps, Mapping) else {}
    mine = Found(
        str(path),
        tuple(
            _function(service, f"{prefix}-{key}", one, provider)
            for key, one in service.section(config.get("functions")).items()
        ),
        tuple(
            _state_machine(service, key, one)
            for key, one in service.section(steps.get("stateMachines")).items()
        ),
        tuple(_activities(service, steps.get("activities"))),
    )
    return together(str(path), [mine, *_resources(service, config, path)])


def _resources(service: Service, config: Mapping[str, Any], path: Path) -> Iterator[Found]:
    """Plain CloudFormation beside the functions; a list of several is usual."""
    found = service.get(config.get("resources"))
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, Mapping) and isinstance(one.get("Resources"), Mapping):
            yield read_template(one, path)


def _function(
    service: Service, name: str, given: Mapping[str, Any], provider: Mapping[str, Any]
) -> LambdaFunction:
    events = given.get("events")
    kinds = dict(kind for one in (events if isinstance(events, list) else ()) for kind in _kinds(one))
    return LambdaFunction(
        name=service.text(given["name"]) if given.get("name") else name,
        timeout=service.number(given.get("timeout", provider.get("timeout")), DEFAULT_TIMEOUT),
        memory=service.number(given.get("memorySize", provider.get("memorySize")), DEFAULT_SIZE),
        streams=tuple(sorted({_stream(kind, one) for kind, one in kinds.items() if kind in STREAMS})),
        asynchronous=bool(ASYNCHRONOUS & set(kinds)) or "destinations" in given,
        dead_letters="onError" in given or "deadLetter" in given,
    )


def _kinds(event: Any) -> list[tuple[str, Any]]:
    return (
        [(str(key), one) for key, one in event.items()]
        if isinstance(event, Mapping)
        else [(str(event), None)]
    )


def _stream(kind: str, given: Any) -> str:
    return "dynamodb" if kind == "stream" and "dynamodb" in str(given) else STREAMS[kind]


def _state_machine(service: Service, key: str, given: Mapping[str, Any]) -> StateMachine:
    definition = definition_of(given.get("definition"), substitutions=given.get("definitionSubstitutions"))
    if given.get("name"):
        name = service.text(given["name"])
    else:  # CloudFormation makes one of the logical name, in which the plugin writes out dashes
        logical = given.get("id") or f"{key}StepFunctionsStateMachine"
        name = f"{str(logical).replace('-', 'Dash').replace('_', 'Underscore')}-*"
    return state_machine(name, definition, express=given.get("type") == "EXPRESS")


def _activities(service: Service, given: Any) -> Iterator[Activity]:
    for one in given if isinstance(given, list) else ():
        name = one.get("name") if isinstance(one, Mapping) else one
        yield Activity(service.text(name))
