"""Patches of moto's Step Functions: requests go to the embedded AWS's own, `monitoring.local_aws.states`."""

import json
import uuid
from datetime import datetime
from typing import Any

from monitoring.local_aws.moto_patches.patch import Host, Patch
from monitoring.local_aws.states.errors import ApiError


def _call_action(_: Any, host: Host) -> Any:
    def call_action(self: Any) -> tuple[int, dict[str, str], str]:
        status, headers = (
            200,
            {"x-amzn-requestid": str(uuid.uuid4()), "Content-Type": "application/x-amz-json-1.0"},
        )
        try:
            parameters = json.loads(self.body or "{}")
            content = host.answer_states(self._get_action(), parameters)
        except ApiError as refused:
            status, content = 400, {"__type": refused.kind, "message": refused.message}
            headers["x-amzn-errortype"] = refused.kind
        return status, headers, json.dumps(content, default=_epoch, ensure_ascii=False)

    return call_action


def _epoch(value: Any) -> float:
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    raise TypeError(type(value).__name__)


def _create_from_cloudformation(original: Any, host: Host) -> Any:
    def create(
        cls: Any,
        resource_name: str,
        /,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **more: Any,
    ) -> Any:
        made = original.__func__(cls, resource_name, cloudformation_json, account_id, region_name, **more)
        host.answer_states("CreateStateMachine", _settings(made.name, cloudformation_json["Properties"]))
        return made

    return classmethod(create)


def _delete_from_cloudformation(original: Any, host: Host) -> Any:
    def delete(cls: Any, resource_name: str, *rest: Any, **more: Any) -> Any:
        host.answer_states("DeleteStateMachine", {"stateMachineArn": resource_name})
        return original.__func__(cls, resource_name, *rest, **more)

    return classmethod(delete)


def _settings(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of CreateStateMachine for a resource of a template."""
    definition = properties.get("DefinitionString") or json.dumps(properties.get("Definition") or {})
    for key, value in (properties.get("DefinitionSubstitutions") or {}).items():
        definition = definition.replace(f"${{{key}}}", str(value))
    settings = {
        "name": name,
        "definition": definition,
        "roleArn": properties.get("RoleArn"),
        "type": properties.get("StateMachineType"),
        "tags": [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags") or ()],
    }
    for key in ("LoggingConfiguration", "TracingConfiguration"):
        if properties.get(key):
            settings[f"{key[:1].lower()}{key[1:]}"] = _camel(properties[key])
    return settings


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"{key[:1].lower()}{key[1:]}": _camel(inner) for key, inner in value.items()}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value


PATCHES = (
    Patch(
        "moto.stepfunctions.responses:StepFunctionResponse.call_action",
        "moto's interpreter gives wrong results without a word; the embedded AWS has one of its own",
        _call_action,
        ("self",),
    ),
    Patch(
        "moto.stepfunctions.models:StateMachine.create_from_cloudformation_json",
        "a state machine of a template has to be deployed to the embedded AWS's own Step Functions",
        _create_from_cloudformation,
    ),
    Patch(
        "moto.stepfunctions.models:StateMachine.delete_from_cloudformation_json",
        "a state machine of a stack that is deleted has to go from the embedded AWS's own Step Functions",
        _delete_from_cloudformation,
    ),
)
