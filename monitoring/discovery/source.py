"""Discover the monitored resources of an application in its stacks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitoring.discovery.found import (
    DEFAULT_MEMORY,
    DEFAULT_TIMEOUT,
    Activity,
    DiscoveredResources,
    LambdaFunction,
    StateMachine,
    activities_used,
    functions_called,
    state_machine,
    together,
)
from monitoring.discovery.intrinsics import Intrinsics
from monitoring.discovery.machines import definition_in, resolver
from monitoring.discovery.naming import Naming, names_of
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.stacks import read_stacks, read_template
from monitoring.discovery.templates import load
from monitoring.errors import InputError

_SINGLETON = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_OF_CDK = re.compile(r"AWS CDK resource provider framework|AWS Lambda handler for .* custom resource")
CALLERS = re.compile(r"(s3|sns|events|logs(\..+)?|iot|ses|config|codecommit)\.amazonaws\.com(\.cn)?")
"""Principals that invoke a function asynchronously:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html."""

WAITING = re.compile(r"(apigateway|elasticloadbalancing|cognito-idp|lex|alexa.*)\.amazonaws\.com(\.cn)?")
"""Principals that invoke a function synchronously for a client: of many invocations a few may fail."""


def discover(path: Path, parameters: Mapping[str, str] | None = None) -> DiscoveredResources:
    """Return the functions, state machines and activities of an application.

    Parts of a name that differ between environments are variables, `orders-${var:stage|dev}`; parts that are
    known only after deployment are `*`.

    Args:
        path: any path that `read_stacks` accepts.
        parameters: values of the template's parameters.

    Raises:
        InputError: the path cannot be read, or contains no such resource.
    """
    stacks = read_stacks(path, parameters=parameters)
    namings = names_of(path, stacks, parameters)
    parts = [part for stack, naming in zip(stacks, namings, strict=True) for part in _parts(stack, naming)]
    application = together(str(path), parts)
    if not application.functions and not application.state_machines:
        where = str(path)
        if application.unnamed:
            names = ", ".join(application.unnamed)
            raise InputError(f"these are named only when they are deployed: {names}", where=where)
        raise InputError("describes no function and no state machine", where=where)
    return application


def _parts(stack: Stack, naming: Naming, above: tuple[Path, ...] = ()) -> Iterator[DiscoveredResources]:
    """Yield the resources of a stack, then those of its nested stacks on this disk."""
    intrinsics = resolver(stack)
    unknown = dict.fromkeys(stack.assumed, "0")
    reader = _Reader(stack, naming, replace(intrinsics, names={**intrinsics.names, **unknown}))
    yield reader.found()
    above = (*above, stack.source.resolve())
    for resource in reader.of_type("AWS::CloudFormation::Stack"):
        location = resource.metadata.get("aws:asset:path") or resource.properties.get("TemplateURL")
        file = stack.source.parent / location if isinstance(location, str) else None
        if file is None or not file.is_file() or file.resolve() in above:
            continue
        content = load(file)
        declared = content.get("Parameters")
        handed = resource.properties.get("Parameters")
        own = {
            str(key): value
            for key, value in (handed.items() if isinstance(handed, Mapping) else ())
            if isinstance(declared, Mapping) and key in declared
        }
        known = {key: reader.plain(value) for key, value in own.items()}
        inner = read_template(
            content, file, values={k: v for k, v in known.items() if v is not None}, name="*"
        )
        symbols = {key: naming.text(value) for key, value in own.items()}
        yield from _parts(inner, Naming(inner, symbols=symbols), above)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Read one stack; a value that cannot be resolved counts as unknown."""

    stack: Stack
    naming: Naming
    intrinsics: Intrinsics

    def found(self) -> DiscoveredResources:
        """Return the resources of the stack itself."""
        machines = [(resource, self._definition(resource)) for resource in self.of_type(_MACHINE)]
        functions = list(self._functions())
        if not any(self.stack.of_type(_FUNCTION)):  # only a definition: take its functions from the calls
            called = dict.fromkeys(name for _, body in machines for name in functions_called(body))
            functions = [("", LambdaFunction(name, timeout=0, memory=0)) for name in called]
        state_machines = [(item.logical_id, self._state_machine(item, body)) for item, body in machines]
        activities = [
            self.naming.of(resource, "Name") for resource in self.of_type("AWS::StepFunctions::Activity")
        ]
        activities += [name for _, body in machines for name in activities_used(body)]
        names = [(logical_id, item.name) for logical_id, item in functions]
        names += [(logical_id, item.name) for logical_id, item in state_machines]
        unnamed = [logical_id for logical_id, name in names if name == "*"]
        return DiscoveredResources(
            str(self.stack.source),
            tuple(item for _, item in functions if item.name != "*"),
            tuple(item for _, item in state_machines if item.name != "*"),
            tuple(Activity(name) for name in dict.fromkeys(activities) if name != "*"),
            tuple(unnamed),
        )

    def of_type(self, *types: str) -> list[StackResource]:
        """Return the resources of these types whose condition is true, without CDK's own."""
        return [
            resource
            for resource in self.stack.of_type(*types)
            if self._holds(resource.condition)
            and not is_cdks_own(resource.logical_id, {"Properties": resource.properties})
        ]

    def plain(self, value: Any) -> Any:
        """Return a resolved value; None if it cannot be resolved."""
        try:
            return self.intrinsics.resolve(value)
        except InputError:
            return None

    def _holds(self, condition: str) -> bool:
        try:
            return not condition or self.intrinsics.holds(condition)
        except InputError:
            return True

    def _number(self, resource: StackResource, key: str, default: int) -> int:
        """Return a whole number: the default if it is missing, 0 if it is known only after deployment."""
        if resource.properties.get(key) is None:
            return default
        text = str(self.naming.text(resource.properties[key], symbols=False))
        return int(text) if text.isdecimal() else 0

    def _functions(self) -> Iterator[tuple[str, LambdaFunction]]:
        streams, callers = self._streams(), self._callers()
        for resource in self.of_type(_FUNCTION):
            own = callers.get(resource.logical_id, set())
            yield (
                resource.logical_id,
                LambdaFunction(
                    name=self.naming.of(resource, "FunctionName"),
                    timeout=self._number(resource, "Timeout", DEFAULT_TIMEOUT),
                    memory=self._number(resource, "MemorySize", DEFAULT_MEMORY),
                    streams=tuple(sorted(streams.get(resource.logical_id, ()))),
                    asynchronous="asynchronous" in own,
                    dead_letters="DeadLetterConfig" in resource.properties,
                    busy="waiting" in own,
                ),
            )

    def _callers(self) -> dict[str, set[str]]:
        """Return logical id of a function -> kinds of its callers: asynchronous, or synchronous clients."""
        callers: dict[str, set[str]] = {}
        for resource in self.of_type("AWS::Lambda::Permission"):
            principal = str(self.plain(resource.properties.get("Principal")))
            for word, pattern in (("asynchronous", CALLERS), ("waiting", WAITING)):
                if pattern.fullmatch(principal):
                    callers.setdefault(self._target(resource), set()).add(word)
        for resource in self.of_type("AWS::Lambda::EventInvokeConfig"):
            callers.setdefault(self._target(resource), set()).add("asynchronous")
        for resource in self.of_type("AWS::Lambda::Url"):
            callers.setdefault(self._target(resource, "TargetFunctionArn"), set()).add("waiting")
        for resource in self.of_type("AWS::Scheduler::Schedule"):
            target = resource.properties.get("Target")
            arn = target.get("Arn") if isinstance(target, Mapping) else None
            callers.setdefault(_named(arn), set()).add("asynchronous")
        return callers

    def _target(self, resource: StackResource, key: str = "FunctionName") -> str:
        """Return the logical id of the function of a resource, also through an alias or version."""
        name = _named(resource.properties.get(key))
        target = self.stack.resources.get(name)
        if target is not None and target.type in {"AWS::Lambda::Alias", "AWS::Lambda::Version"}:
            return _named(target.properties.get("FunctionName"))
        return name

    def _streams(self) -> dict[str, set[str]]:
        """Return logical id of a function -> kinds of the streams of its event source mappings."""
        streams: dict[str, set[str]] = {}
        for resource in self.of_type("AWS::Lambda::EventSourceMapping"):
            if "StartingPosition" in resource.properties:
                streams.setdefault(self._target(resource), set()).add(_stream(resource.properties))
        return streams

    def _state_machine(self, resource: StackResource, definition: Mapping[str, Any]) -> StateMachine:
        properties = resource.properties
        kind = self.plain(properties.get("StateMachineType", properties.get("Type")))
        name = self.naming.of(resource, "StateMachineName", "Name")
        return state_machine(name, definition, express=kind == "EXPRESS")

    def _definition(self, resource: StackResource) -> dict[str, Any]:
        try:
            return definition_in(self.stack, resource, self.intrinsics)
        except InputError:
            return {}


_FUNCTION, _MACHINE = "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"


def _named(value: Any) -> str:
    """Return the logical id in a `Ref` or `Fn::GetAtt`; "" for anything else."""
    if not isinstance(value, Mapping):
        return ""
    attribute = value.get("Fn::GetAtt")
    named = attribute[0] if isinstance(attribute, list) and attribute else attribute
    return str(value.get("Ref") or named or "").partition(".")[0]


def _stream(properties: Mapping[str, Any]) -> str:
    arn = str(properties.get("EventSourceArn", ""))
    if "Topics" in properties:
        return "kafka"
    return "dynamodb" if "dynamodb" in arn.lower() or "StreamArn" in arn else "kinesis"


def is_cdks_own(logical: str, resource: Mapping[str, Any]) -> bool:
    """Return whether a resource belongs to CDK: a singleton, or the helper of a custom resource."""
    inner = resource.get("Properties")
    properties = inner if isinstance(inner, Mapping) else {}
    return (
        _SINGLETON.search(logical) is not None
        or "CustomResourceProvider" in logical
        or str(properties.get("Handler", "")).startswith("framework.")
        or _OF_CDK.match(str(properties.get("Description", ""))) is not None
    )
