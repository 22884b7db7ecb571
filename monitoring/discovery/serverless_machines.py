"""Convert the Step Functions plugin's section of `serverless.yml` to SAM's state machines.

https://www.serverless.com/plugins/serverless-step-functions
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.discovery.serverless_events import Compiled, machine_events
from monitoring.discovery.serverless_names import (
    get_att,
    logical_name,
    machine_name,
    normalised,
    objects,
    section,
)
from monitoring.discovery.templates import parse_definition

_INTEGRATION = re.compile(r"arn:[\w-]+:states:[\w-]*:[\w-]*:(aws-sdk:)?([\w-]+):(\w+)")
_ACTIONS = {
    "lambda:invoke": ["lambda:InvokeFunction"],
    "states:startExecution": ["states:StartExecution", "states:DescribeExecution", "states:StopExecution"],
    "dynamodb:getItem": ["dynamodb:GetItem"],
    "s3:listObjectsV2": ["s3:ListBucket"],
    "http:invoke": ["states:InvokeHTTPEndpoint", "events:RetrieveConnectionCredentials"],
}
_ONE_FOR_ALL = {"sfn": "states", "eventbridge": "events", "cloudwatchlogs": "logs", "sesv2": "ses"}
"""The SDK's name of a service -> the service prefix of its IAM actions, if they differ."""


def state_machines(
    config: Mapping[str, Any],
    functions: Mapping[str, Any],
    compiled: Compiled,
    declared: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the state machines and activities of the plugin's section, with their roles, by logical id.

    Args:
        config: the service, with resolved variables.
        functions: its functions; a definition may use their names in `serverless.yml`.
        compiled: receives APIs and notes.
        declared: the service's own resources.
    """
    steps = section(config.get("stepFunctions"))
    resources: dict[str, Any] = {}
    for key, machine in objects(steps.get("stateMachines")).items():
        logical_id = machine_name(key, machine)
        definition = machine.get("definition")
        if isinstance(definition, str):
            definition = parse_definition(definition, f"state machine {key}")
        definition = _renamed(definition, functions)
        if not isinstance(definition, Mapping) or "States" not in definition:
            compiled.notes.append(f"state machine {key} has no definition and is left out")
            continue
        resources[logical_id] = _state_machine(key, machine, definition, compiled)
        properties = resources[logical_id]["Properties"]
        properties["Role"] = _role(machine, logical_id, definition, resources, declared)
    activities = steps.get("activities")
    for activity in activities if isinstance(activities, list) else ():
        name = section(activity).get("name") if isinstance(activity, Mapping) else activity
        resources[f"{normalised(name)}StepFunctionsActivity"] = {
            "Type": "AWS::StepFunctions::Activity",
            "Properties": {"Name": str(name)},
        }
    return resources


def _state_machine(
    key: str, machine: Mapping[str, Any], definition: Any, compiled: Compiled
) -> dict[str, Any]:
    properties: dict[str, Any] = {"Definition": definition, "Type": machine.get("type", "STANDARD")}
    if machine.get("name"):
        properties["Name"] = str(machine["name"])
    if machine.get("loggingConfig"):
        properties["Logging"] = _logging(section(machine["loggingConfig"]))
    if section(machine.get("tracingConfig")).get("enabled"):
        properties["Tracing"] = {"Enabled": True}
    if tags := section(machine.get("tags")):
        properties["Tags"] = {name: str(value) for name, value in tags.items()}
    if triggers := machine_events(key, machine.get("events"), compiled):
        properties["Events"] = triggers
    return {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": properties,
        **({"DependsOn": machine["dependsOn"]} if machine.get("dependsOn") else {}),
    }


def _logging(settings: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Level": settings.get("level", "OFF"),
        "IncludeExecutionData": settings.get("includeExecutionData", False),
    }
    destinations = settings.get("destinations")
    if isinstance(destinations, list):
        config["Destinations"] = [
            {"CloudWatchLogsLogGroup": {"LogGroupArn": destination}} for destination in destinations
        ]
    return config


def _renamed(value: Any, functions: Mapping[str, Any]) -> Any:
    """Return a definition with the names of functions replaced by their logical ids."""
    if isinstance(value, list):
        return [_renamed(item, functions) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Ref" and argument in functions:
            return {"Ref": logical_name(str(argument))}
        if name == "Fn::GetAtt":
            parts = argument if isinstance(argument, list) else str(argument).split(".", 1)
            if parts and parts[0] in functions:
                return {"Fn::GetAtt": [logical_name(str(parts[0])), *parts[1:]]}
        if name == "Fn::Sub" and isinstance(argument, str):
            return {name: re.sub(r"\$\{(\w[\w-]*)(\.\w+)?\}", lambda m: _in_text(m, functions), argument)}
    return {key: _renamed(item, functions) for key, item in value.items()}


def _in_text(match: re.Match[str], functions: Mapping[str, Any]) -> str:
    name = logical_name(match[1]) if match[1] in functions else match[1]
    return f"${{{name}{match[2] or ''}}}"


def _role(
    machine: Mapping[str, Any],
    logical_id: str,
    definition: Any,
    resources: dict[str, Any],
    declared: Mapping[str, Any],
) -> Any:
    """Return the role of a state machine: the configured one, or one that allows the actions of its tasks."""
    role = machine.get("role")
    if isinstance(role, str):
        return get_att(role) if role in declared else role
    if isinstance(role, Mapping):
        return role
    own = machine.get("iamRoleStatements")
    statements = list(own) if isinstance(own, list) else []
    if machine.get("inheritIamRoleStatements", True) or not statements:
        statements += [
            {"Effect": "Allow", "Action": actions, "Resource": "*"} for actions in _actions(definition)
        ]
    if machine.get("loggingConfig"):
        statements.append({"Effect": "Allow", "Action": ["logs:*"], "Resource": "*"})
    name = f"{logical_id}Role"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    properties: dict[str, Any] = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
    }
    if statements:
        document = {"Version": "2012-10-17", "Statement": statements}
        properties["Policies"] = [{"PolicyName": "statemachine", "PolicyDocument": document}]
    resources[name] = {"Type": "AWS::IAM::Role", "Properties": properties}
    return get_att(name)


def _actions(definition: Any) -> list[list[str]]:
    """Return the distinct IAM actions of a definition's tasks."""
    calls: dict[str, list[str]] = {}
    for resource in _resources(definition):
        match = _INTEGRATION.search(resource) if isinstance(resource, str) else None
        if match is None:
            calls["lambda:invoke"] = ["lambda:InvokeFunction"]
            continue
        service, call = _ONE_FOR_ALL.get(match[2], match[2]), match[3]
        default = [f"{service}:{call[:1].upper()}{call[1:]}"]
        calls[f"{service}:{call}"] = _ACTIONS.get(f"{service}:{call}", default)
    return list(calls.values())


def _resources(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        if value.get("Type") == "Task" and "Resource" in value:
            yield value["Resource"]
        for item in value.values():
            yield from _resources(item)
    elif isinstance(value, list):
        for item in value:
            yield from _resources(item)
