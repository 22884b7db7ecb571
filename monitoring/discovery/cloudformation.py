"""CloudFormation, SAM and CDK templates."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.discovery.found import (
    DEFAULT_MEMORY,
    DEFAULT_TIMEOUT,
    Activity,
    Found,
    LambdaFunction,
    StateMachine,
    activities_used,
    together,
)
from monitoring.discovery.found import state_machine as from_definition
from monitoring.discovery.templates import definition_file, definition_of, expanded, load
from monitoring.discovery.values import Values

FUNCTIONS = {"AWS::Lambda::Function", "AWS::Serverless::Function"}
STATE_MACHINES = {"AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine"}
NESTED = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
"""Type of a nested stack -> the property that may name a template on the disk."""

STREAMS = {"Kinesis": "kinesis", "DynamoDB": "dynamodb", "MSK": "kafka", "SelfManagedKafka": "kafka"}
STREAMS |= {"DocumentDB": "documentdb"}
ASYNCHRONOUS = {"S3", "SNS", "EventBridgeRule", "CloudWatchEvent", "Schedule", "ScheduleV2", "IoTRule"}
ASYNCHRONOUS |= {"CloudWatchLogs"}
CALLERS = re.compile(r"(s3|sns|events|logs(\..+)?|iot|ses|config|codecommit)\.amazonaws\.com(\.cn)?")
"""Principals that call a function without waiting for it:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html."""

Resources = Mapping[str, Mapping[str, Any]]
Skip = Callable[[str, Mapping[str, Any]], bool]
_LONGEST_NAME = 64
_CUT_NAME = 24


@dataclass(frozen=True, slots=True)
class Template:
    """One template, where it lies, and the name of its stack, if that is known."""

    resources: Resources
    values: Values
    path: Path
    stack: str = "*"

    def name(self, logical: str, given: Any) -> str:
        """Return the explicit name, or the one that CloudFormation makes: stack, logical name, random suffix.

        It shortens both where all of it would be longer than 64 characters.
        """
        if given is not None:
            return self.values.text(given)
        if self.stack == "*":
            return f"*-{logical}-*" if len(logical) <= _CUT_NAME else f"*-{logical[:_CUT_NAME]}*"
        if len(self.stack) + len(logical) + 14 <= _LONGEST_NAME:
            return f"{self.stack}-{logical}-*"
        return f"{self.stack[:_CUT_NAME]}*-{logical[:_CUT_NAME]}*"


def read_template(
    content: Mapping[str, Any],
    path: Path,
    *,
    stack: str = "*",
    given: Mapping[str, str] | None = None,
    skip: Skip = lambda *_: False,
    above: tuple[Path, ...] = (),
) -> Found:
    """Read the functions, state machines and activities of a template, nested stacks included.

    Args:
        content: the template.
        path: its file; definitions and nested templates are looked for beside it.
        stack: the name of the stack, if it is known.
        given: values of parameters; others have their defaults.
        skip: says of a logical name and its resource whether it is none of the team's own.
        above: the templates that this one is nested in.
    """
    parameters = {
        name: str(one["Default"])
        for name, one in _object(content, "Parameters").items()
        if isinstance(one, Mapping) and "Default" in one
    }
    values = Values({**parameters, **(given or {})}, _object(content, "Mappings"))
    every = expanded(_object(content, "Resources"))
    resources = {name: one for name, one in every.items() if not skip(name, one)}
    template = Template(resources, values, path, stack)
    mine = Found(
        str(path),
        tuple(_functions(template, _object(_object(content, "Globals"), "Function"))),
        tuple(_state_machines(template)),
        tuple(_activities(template)),
    )
    nested = _nested(template, (*above, path.resolve()))
    return _without_the_unnamed(together(str(path), [mine, *nested]), template)


def _object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = parent.get(key)
    return found if isinstance(found, Mapping) else {}


def _properties(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(resource, "Properties")


def _of_types(template: Template, types: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, one in template.resources.items():
        if str(one.get("Type")) in types:
            yield name, _properties(one)


def _without_the_unnamed(found: Found, template: Template) -> Found:
    """Leave out what is named `*`, which would be watched together with everything else, and report it."""
    logical = [
        name
        for name, given in _of_types(template, FUNCTIONS | STATE_MACHINES)
        if template.name(name, _given_name(given)) == "*"
    ]
    return Found(
        found.source,
        tuple(one for one in found.functions if one.name != "*"),
        tuple(one for one in found.state_machines if one.name != "*"),
        tuple(one for one in found.activities if one.name != "*"),
        (*found.unnamed, *logical),
    )


def _given_name(given: Mapping[str, Any]) -> Any:
    return next((given[key] for key in ("FunctionName", "Name", "StateMachineName") if key in given), None)


def _functions(template: Template, defaults: Mapping[str, Any]) -> Iterator[LambdaFunction]:
    streams, called = _mapped_streams(template), set(_called_asynchronously(template))
    for logical, own in _of_types(template, FUNCTIONS):
        given = {**defaults, **own}
        events = given.get("Events")
        kinds = [str(one.get("Type")) for one in events.values()] if isinstance(events, Mapping) else []
        number = template.values.number
        yield LambdaFunction(
            name=template.name(logical, given.get("FunctionName")),
            timeout=number(given.get("Timeout"), DEFAULT_TIMEOUT),
            memory=number(given.get("MemorySize"), DEFAULT_MEMORY),
            streams=tuple(sorted({STREAMS[k] for k in kinds if k in STREAMS} | streams.get(logical, set()))),
            asynchronous=bool(ASYNCHRONOUS & set(kinds)) or "EventInvokeConfig" in given or logical in called,
            dead_letters="DeadLetterConfig" in given or "DeadLetterQueue" in given,
        )


def _target(value: Any) -> str:
    """Return the logical name in a `Ref` or `Fn::GetAtt` to a function; "" for anything else."""
    if not isinstance(value, Mapping):
        return ""
    attribute = value.get("Fn::GetAtt")
    named = attribute[0] if isinstance(attribute, list) and attribute else attribute
    return str(value.get("Ref") or named or "").partition(".")[0]


def _called_asynchronously(template: Template) -> Iterator[str]:
    """Yield the functions that others may call without waiting, or whose asynchronous calls are set up."""
    for _, given in _of_types(template, {"AWS::Lambda::Permission"}):
        if CALLERS.fullmatch(template.values.text(given.get("Principal"))):
            yield _target(given.get("FunctionName"))
    for _, given in _of_types(template, {"AWS::Lambda::EventInvokeConfig"}):
        yield _target(given.get("FunctionName"))


def _mapped_streams(template: Template) -> dict[str, set[str]]:
    """Logical name of a function -> the streams that event source mappings connect to it."""
    found: dict[str, set[str]] = {}
    for _, given in _of_types(template, {"AWS::Lambda::EventSourceMapping"}):
        logical = _target(given.get("FunctionName"))
        if logical and "StartingPosition" in given:
            found.setdefault(logical, set()).add(_stream(given))
    return found


def _stream(given: Mapping[str, Any]) -> str:
    arn = str(given.get("EventSourceArn", ""))
    if "Topics" in given:
        return "kafka"
    return "dynamodb" if "dynamodb" in arn.lower() or "StreamArn" in arn else "kinesis"


def _state_machines(template: Template) -> Iterator[StateMachine]:
    for logical, given in _of_types(template, STATE_MACHINES):
        kind = template.values.text(given.get("Type", given.get("StateMachineType", "STANDARD")))
        named = _given_name(given)
        # A state machine's generated name has no stack in front of it.
        name = template.values.text(named) if named is not None else f"{logical}-*"
        yield from_definition(name, _definition(template, given), express=kind == "EXPRESS")


def _definition(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """Inline, in a file beside the template, or in an asset of a synthesised CDK app."""
    inline = next((given[key] for key in ("Definition", "DefinitionString") if key in given), None)
    file = None if inline is not None else definition_file(template.path.parent, given)
    value = inline if file is None else file.read_text(encoding="utf-8", errors="replace")
    if value is None:
        return {}
    return definition_of(value, template.values, given.get("DefinitionSubstitutions"))


def _activities(template: Template) -> Iterator[Activity]:
    for _, given in _of_types(template, {"AWS::StepFunctions::Activity"}):
        yield Activity(template.values.text(given.get("Name")))
    for _, given in _of_types(template, STATE_MACHINES):
        yield from map(Activity, activities_used(_definition(template, given)))


def _nested(template: Template, above: tuple[Path, ...]) -> Iterator[Found]:
    """Nested stacks whose templates lie on the disk, with the parameters that they are given."""
    for type_, key in NESTED.items():
        for _, given in _of_types(template, {type_}):
            named = given.get(key)
            path = template.path.parent / named if isinstance(named, str) else None
            if path is None or not path.is_file() or path.resolve() in above:
                continue
            values = {name: template.values.text(one) for name, one in _object(given, "Parameters").items()}
            yield read_template(load(path), path, given=values, above=above)
