"""CloudFormation, SAM and CDK templates."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitoring.deploy.discovery.found import DEFAULT_MEMORY, DEFAULT_TIMEOUT, Found, Function, StateMachine
from monitoring.deploy.discovery.found import state_machine as from_definition
from monitoring.deploy.discovery.templates import definition_of, number_of, text_of

FUNCTIONS = {"AWS::Lambda::Function", "AWS::Serverless::Function"}
STATE_MACHINES = {"AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine"}
STREAMS = {"Kinesis": "kinesis", "DynamoDB": "dynamodb", "MSK": "kafka", "SelfManagedKafka": "kafka"}
ASYNCHRONOUS = {"S3", "SNS", "EventBridgeRule", "CloudWatchEvent", "Schedule", "ScheduleV2", "IoTRule"}


def read_template(template: Mapping[str, Any], path: Path) -> Found:
    """The functions and state machines among a template's resources."""
    resources = {
        name: one for name, one in _object(template, "Resources").items() if isinstance(one, Mapping)
    }
    defaults = _object(_object(template, "Globals"), "Function")
    parameters = {
        name: str(one["Default"])
        for name, one in _object(template, "Parameters").items()
        if isinstance(one, Mapping) and "Default" in one
    }
    mapped = dict(_mappings(resources))
    return Found(
        str(path),
        tuple(
            _function(name, {**defaults, **_properties(one)}, parameters, mapped.get(name, ()))
            for name, one in resources.items()
            if one.get("Type") in FUNCTIONS
        ),
        tuple(
            _state_machine(name, _properties(one), parameters, path.parent)
            for name, one in resources.items()
            if one.get("Type") in STATE_MACHINES
        ),
    )


def _object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = parent.get(key)
    return found if isinstance(found, Mapping) else {}


def _properties(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(resource, "Properties")


def _name(logical: str, given: Any, parameters: Mapping[str, str]) -> str:
    """The name given, or the one that CloudFormation makes: stack, logical name, and something random."""
    return text_of(given, parameters) if given is not None else f"*-{logical}-*"


def _function(
    logical: str, given: Mapping[str, Any], parameters: Mapping[str, str], mapped: tuple[str, ...]
) -> Function:
    events = given.get("Events")
    kinds = [str(one.get("Type")) for one in events.values()] if isinstance(events, Mapping) else []
    streams = {STREAMS[kind] for kind in kinds if kind in STREAMS} | set(mapped)
    return Function(
        name=_name(logical, given.get("FunctionName"), parameters),
        timeout=number_of(given.get("Timeout"), DEFAULT_TIMEOUT, parameters),
        memory=number_of(given.get("MemorySize"), DEFAULT_MEMORY, parameters),
        streams=tuple(sorted(streams)),
        asynchronous=bool(ASYNCHRONOUS & set(kinds)) or "EventInvokeConfig" in given,
        dead_letters="DeadLetterConfig" in given or "DeadLetterQueue" in given,
    )


def _mappings(resources: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Logical name of a function -> the streams that event source mappings connect to it."""
    found: dict[str, set[str]] = {}
    for one in resources.values():
        given = _properties(one)
        if one.get("Type") != "AWS::Lambda::EventSourceMapping" or "StartingPosition" not in given:
            continue
        target = given.get("FunctionName")
        logical = target.get("Ref") if isinstance(target, Mapping) else None
        attribute = target.get("Fn::GetAtt") if isinstance(target, Mapping) else None
        logical = logical or (attribute[0] if isinstance(attribute, list) else None)
        if logical:
            found.setdefault(str(logical), set()).add(_stream(given))
    yield from ((name, tuple(sorted(kinds))) for name, kinds in found.items())


def _stream(given: Mapping[str, Any]) -> str:
    arn = str(given.get("EventSourceArn", ""))
    if "Topics" in given:
        return "kafka"
    return "dynamodb" if "dynamodb" in arn.lower() or "StreamArn" in arn else "kinesis"


def _state_machine(
    logical: str, given: Mapping[str, Any], parameters: Mapping[str, str], folder: Path
) -> StateMachine:
    inline = next((given[key] for key in ("Definition", "DefinitionString") if key in given), None)
    definition = definition_of(inline, folder, given.get("DefinitionUri"))
    name_key = "Name" if "Name" in given else "StateMachineName"
    express = given.get("Type", given.get("StateMachineType")) == "EXPRESS"
    named = _name(logical, given.get(name_key), parameters)
    # A state machine's generated name has no stack in front of it.
    name = named if given.get(name_key) is not None else f"{logical}-*"
    return from_definition(name, definition, express=express)
