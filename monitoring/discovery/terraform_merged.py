"""Merge Terraform resources that are properties in CloudFormation, such as the targets of a rule."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from monitoring.discovery.stack import StackResource
from monitoring.discovery.terraform_module import Root
from monitoring.discovery.terraform_properties import Properties, blocks_of, converted, first, listed


class Resource(Protocol):
    """The interface of a resource, from a configuration or from a plan."""

    @property
    def address(self) -> str:
        """The address in Terraform."""

    @property
    def type(self) -> str:
        """The type in Terraform."""

    @property
    def logical_id(self) -> str:
        """The logical id in the stack."""

    def values(self) -> dict[str, Any]:
        """Return its attributes and blocks."""


_TARGET: Properties = {
    "input": "Input",
    "input_path": "InputPath",
    "role_arn": "RoleArn",
    "arn": "Arn",
    "target_id": "Id",
    "input_transformer": (
        "InputTransformer",
        first({"input_paths": "InputPathsMap", "input_template": "InputTemplate"}),
    ),
    "dead_letter_config": ("DeadLetterConfig", first({"arn": "Arn"})),
}
"""The properties of an event target in its rule."""

_NOTIFICATIONS: Properties = {
    "lambda_function": (
        "LambdaConfigurations", lambda blocks: _notifications(blocks, "lambda_function_arn", "Function")
    ),
    "queue": ("QueueConfigurations", lambda blocks: _notifications(blocks, "queue_arn", "Queue")),
    "topic": ("TopicConfigurations", lambda blocks: _notifications(blocks, "topic_arn", "Topic")),
    "eventbridge": ("EventBridgeConfiguration", lambda on: {"EventBridgeEnabled": True} if on else None),
}  # fmt: skip


def _notifications(blocks: Any, source: str, target: str) -> list[dict[str, Any]]:
    """Return one notification for each event, because CloudFormation's notifications have one event."""
    made = []
    for block in blocks_of(blocks):
        rules = [
            {"Name": kind, "Value": block[f"filter_{kind}"]}
            for kind in ("prefix", "suffix")
            if block.get(f"filter_{kind}")
        ]
        for event in listed(block.get("events") or []):
            filters = {"Filter": {"S3Key": {"Rules": rules}}} if rules else {}
            made.append({"Event": event, target: block.get(source), **filters})
    return made


_INTEGRATION: Properties = {
    "type": "Type",
    "uri": "Uri",
    "credentials": "Credentials",
    "integration_http_method": "IntegrationHttpMethod",
    "passthrough_behavior": "PassthroughBehavior",
    "request_parameters": "RequestParameters",
    "request_templates": "RequestTemplates",
}
_INTEGRATION_RESPONSE: Properties = {
    "status_code": "StatusCode",
    "selection_pattern": "SelectionPattern",
    "response_parameters": "ResponseParameters",
    "response_templates": "ResponseTemplates",
}
"""The responses of a REST API's integration, which are separate resources in Terraform."""


class Addition(NamedTuple):
    """A property that one resource adds to another.

    Attributes:
        type: the type of the other resource.
        target: a reference to it, its name, or properties that identify it.
        property: the property; lists and objects are extended.
        value: the added value.
    """

    type: str
    target: Any
    property: str
    value: Any


def _event_target(instance: Resource, values: Mapping[str, Any]) -> Iterator[Addition]:
    target = {"Id": instance.logical_id[:64], **converted(values, _TARGET)}
    yield Addition("AWS::Events::Rule", values.get("rule"), "Targets", [target])


def _notification(_: Resource, values: Mapping[str, Any]) -> Iterator[Addition]:
    notified = converted(values, _NOTIFICATIONS)
    yield Addition("AWS::S3::Bucket", values.get("bucket"), "NotificationConfiguration", notified)


def _attachment(_: Resource, values: Mapping[str, Any]) -> Iterator[Addition]:
    policy = values.get("policy_arn")
    for role in [values.get("role"), *listed(values.get("roles") or [])]:
        if role is None:
            continue
        if isinstance(policy, Mapping) and "Ref" in policy:
            yield Addition("AWS::IAM::ManagedPolicy", policy, "Roles", [role])
        else:
            yield Addition("AWS::IAM::Role", role, "ManagedPolicyArns", [policy])


def _integration(_: Resource, values: Mapping[str, Any]) -> Iterator[Addition]:
    yield Addition("AWS::ApiGateway::Method", _method(values), "Integration", converted(values, _INTEGRATION))


def _integration_response(_: Resource, values: Mapping[str, Any]) -> Iterator[Addition]:
    response = {"IntegrationResponses": [converted(values, _INTEGRATION_RESPONSE)]}
    yield Addition("AWS::ApiGateway::Method", _method(values), "Integration", response)


def _method(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the properties that identify the method of an integration."""
    names = {"rest_api_id": "RestApiId", "resource_id": "ResourceId", "http_method": "HttpMethod"}
    return {key: values.get(name) for name, key in names.items()}


MERGED: Mapping[str, Callable[[Resource, Mapping[str, Any]], Iterator[Addition]]] = {
    "aws_api_gateway_integration": _integration,
    "aws_api_gateway_integration_response": _integration_response,
    "aws_cloudwatch_event_target": _event_target,
    "aws_iam_policy_attachment": _attachment,
    "aws_iam_role_policy_attachment": _attachment,
    "aws_s3_bucket_notification": _notification,
}
"""Terraform's type -> function that yields its additions to other resources."""

_NAMES = {
    "AWS::Events::Rule": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
}


def merge(
    instance: Resource, values: Mapping[str, Any], resources: dict[str, StackResource], root: Root
) -> None:
    """Add a resource's properties to the CloudFormation resources that have them, or note that none has."""
    for addition in MERGED[instance.type](instance, values):
        resource = next((item for item in resources.values() if _is_target(item, addition)), None)
        if resource is None:
            target = json.dumps(addition.target, default=str)
            root.note(f"{instance.address} is left out: {target} is not of this configuration")
            continue
        before = resource.properties.get(addition.property)
        properties = {**resource.properties, addition.property: _joined(before, addition.value)}
        resources[resource.logical_id] = replace(resource, properties=properties)


def _is_target(resource: StackResource, addition: Addition) -> bool:
    if resource.type != addition.type or not addition.target:
        return False
    if addition.target == {"Ref": resource.logical_id}:
        return True
    if addition.type in _NAMES:
        return bool(addition.target == resource.properties.get(_NAMES[addition.type]))
    return all(resource.properties.get(key) == value for key, value in addition.target.items())


def _joined(before: Any, added: Any) -> Any:
    """Concatenate lists and merge objects; otherwise return the added value."""
    if isinstance(before, list) and isinstance(added, list):
        return [*before, *added]
    if isinstance(before, Mapping) and isinstance(added, Mapping):
        return {**before, **{key: _joined(before.get(key), value) for key, value in added.items()}}
    return added
