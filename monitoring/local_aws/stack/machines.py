"""State machines and activities of a stack, on the embedded Step Functions."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.discovery.stack import StackResource
from monitoring.discovery.templates import definition_file, parse_definition
from monitoring.errors import InputError
from monitoring.local_aws import moto_backends
from monitoring.local_aws.checks import definition_text, refused
from monitoring.local_aws.output import Line
from monitoring.local_aws.stack.functions import STAND_IN_FOLDER, stand_in_settings
from monitoring.local_aws.stack.resource import Deployed, Site, StandIn
from monitoring.local_aws.states.availability import unavailable
from monitoring.local_aws.vended import VALIDATION_MESSAGE, VALIDATION_STREAM


def state_machine(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Deploy a state machine with its own definition, type, role and logging.

    Raises:
        InputError: the definition is not valid; says where.
    """
    name = site.physical_name(resource, properties.get("StateMachineName") or properties.get("Name"))
    definition = _definition(site, resource, properties)
    _stand_in_states(site, resource.logical_id, definition)
    host = site.aws.host
    settings = {
        "name": name,
        "definition": json.dumps(definition),
        "roleArn": str(properties.get("RoleArn") or f"arn:aws:iam::{site.account}:role/local"),
        "type": str(properties.get("StateMachineType") or "STANDARD"),
        "loggingConfiguration": _logging(site, properties.get("LoggingConfiguration") or {}),
    }
    arn = site.arn("states", f"stateMachine:{name}")
    with refused(f"state machine {resource.logical_id}"):
        if resource.logical_id in site.kept and arn in host.states.state_machines:
            host.answer_states("UpdateStateMachine", {**settings, "stateMachineArn": arn})
        else:
            host.answer_states("CreateStateMachine", settings)
    attributes = {"Arn": arn, "Name": name, "StateMachineRevisionId": "1"}
    return Deployed(
        arn,
        lambda attribute: attributes[attribute],
        delete=lambda: host.answer_states("DeleteStateMachine", {"stateMachineArn": arn}),
    )


def _definition(site: Site, resource: StackResource, properties: Mapping[str, Any]) -> dict[str, Any]:
    text = properties.get("DefinitionString", properties.get("Definition"))
    if text is None and (file := definition_file(site.stack.source.parent, properties)):
        text = file.read_text(encoding="utf-8")
    if text is None:
        raise InputError(
            f"state machine {resource.logical_id} has no definition on this disk",
            where=str(site.stack.source),
            hint=next((note for note in site.stack.notes if "definition" in note), ""),
        )
    substitutions = {
        key: _text(value) for key, value in (properties.get("DefinitionSubstitutions") or {}).items()
    }
    text = text if isinstance(text, str) else json.dumps(text)
    if not text.lstrip().startswith("{"):
        text = json.dumps(parse_definition(text, str(site.stack.source)))
    definition: dict[str, Any] = json.loads(definition_text(text, substitutions))
    return definition


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _logging(site: Site, config: Mapping[str, Any]) -> dict[str, Any]:
    arns = [
        str((destination.get("CloudWatchLogsLogGroup") or {}).get("LogGroupArn", ""))
        for destination in config.get("Destinations") or ()
    ]
    for arn in filter(None, arns):
        group = arn.partition(":log-group:")[2].removesuffix(":*")
        if site.aws.create_log_group(group):
            site.aws.host.put_lines(group, VALIDATION_STREAM, [Line(VALIDATION_MESSAGE)])
    return {
        "level": config.get("Level") or "OFF",
        "includeExecutionData": bool(config.get("IncludeExecutionData")),
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}} for arn in arns],
    }


def states_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every state of a definition with its name, those of branches and of Map states too."""
    states = definition.get("States")
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, dict):
            continue
        yield name, state
        inner = [*(state.get("Branches") or ()), state.get("Iterator"), state.get("ItemProcessor")]
        for part in inner:
            if isinstance(part, Mapping):
                yield from states_of(part)


_OF_CALLS = {"Resource", "Credentials"}
_OF_CALLBACKS = _OF_CALLS | {"Parameters", "Arguments", "HeartbeatSeconds", "HeartbeatSecondsPath"}
"""Fields that a function in a task's place has no use for; there is no token for a callback."""


def _stand_in_states(site: Site, machine: str, definition: dict[str, Any]) -> None:
    """Put a function in the place of a task whose service does not run here, or that has an answer."""
    for name, state in states_of(definition):
        arn = state.get("Resource")
        if state.get("Type") != "Task" or not isinstance(arn, str):
            continue
        key = f"{machine}.{name}"
        reason, answered = unavailable(arn), key in site.answers
        if not reason and not answered:
            continue
        what = (
            "the answer that was given for it"
            if answered
            else (f"{reason}; the state fails and says so, unless --answer gives what it returns")
        )
        site.stand_ins.append(StandIn(key, arn, what))
        original = copy.deepcopy(state)
        state.clear()
        left_out = _OF_CALLBACKS if arn.endswith(".waitForTaskToken") else _OF_CALLS
        kept = {key: part for key, part in original.items() if key not in left_out}
        state.update({**kept, "Resource": _answering(site, key, reason)})


def _answering(site: Site, key: str, reason: str) -> str:
    name = "stand-in-" + "".join(c if c.isalnum() else "-" for c in key)[:48]
    answer = site.answers.get(key)
    variables = stand_in_settings(key, reason, answer, answered=key in site.answers)
    site.aws.host.code[name] = (STAND_IN_FOLDER, "Text")
    settings = {
        "FunctionName": name,
        "Role": f"arn:aws:iam::{site.account}:role/local",
        "Handler": "answer.handler",
        "Runtime": "python3.12",
        "Timeout": 10,
        "MemorySize": 128,
        "Environment": {"Variables": variables},
    }
    arn = moto_backends.put_function(site.aws.region, settings)
    site.aws.host.permissions.open(arn)
    return arn


def activity(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create an activity."""
    name = site.physical_name(resource, properties.get("Name"))
    with refused(f"activity {resource.logical_id}"):
        arn = str(site.aws.host.answer_states("CreateActivity", {"name": name})["activityArn"])
    attributes = {"Arn": arn, "Name": name}
    return Deployed(arn, lambda attribute: attributes[attribute])
