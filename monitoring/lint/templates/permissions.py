"""Tell what the role of a function allows, and which action a call of an AWS client needs."""

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.lint.templates.application import Application, TemplateResource, text_list

_MANAGED = {
    "AWSLambdaBasicExecutionRole": (),
    "AWSLambdaVPCAccessExecutionRole": (),
    "AWSXRayDaemonWriteAccess": (),
    "AWSXrayWriteOnlyAccess": (),
    "AWSLambdaDynamoDBExecutionRole": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
    "AWSLambdaSQSQueueExecutionRole": ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
}
"""AWS's policies whose content is known here, without logs, traces and network interfaces."""

PREFIXES = {
    "codebuild": "codebuild",
    "cloudfront": "cloudfront",
    "comprehend": "comprehend",
    "dynamodb": "dynamodb",
    "events": "events",
    "firehose": "firehose",
    "kinesis": "kinesis",
    "lambda": "lambda",
    "rekognition": "rekognition",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "ses": "ses",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
    "stepfunctions": "states",
    "textract": "textract",
    "translate": "translate",
}
"""boto3's name of a service -> that of its actions; of others nothing is said."""

ACTIONS = {
    "lambda.invoke": "lambda:InvokeFunction",
    "s3.head_object": "s3:GetObject",
    "s3.list_objects": "s3:ListBucket",
    "s3.list_objects_v2": "s3:ListBucket",
    "s3.head_bucket": "s3:ListBucket",
    "s3.upload_file": "s3:PutObject",
    "s3.upload_fileobj": "s3:PutObject",
    "s3.download_file": "s3:GetObject",
    "s3.download_fileobj": "s3:GetObject",
}
"""Calls whose action has another name. https://docs.aws.amazon.com/service-authorization/latest/reference/"""

_CERTAIN = {
    "s3": {"get_object", "put_object", "delete_object"},
    "lambda": set(),
    "sns": {"publish"},
    "sqs": {"send_message", "receive_message", "delete_message"},
    "events": {"put_events"},
    "ses": {"send_email", "send_raw_email"},
}
"""Services of which only these calls have an action of the same name."""

_NOT_ACTIONS = {"can_paginate", "close", "exceptions", "generate_presigned_post", "generate_presigned_url"}
_NOT_ACTIONS |= {"get_paginator", "get_waiter", "meta"}

_RESOURCE_POLICIES = {
    "AWS::S3::BucketPolicy": "s3",
    "AWS::SNS::TopicPolicy": "sns",
    "AWS::SQS::QueuePolicy": "sqs",
    "AWS::SecretsManager::ResourcePolicy": "secretsmanager",
    "AWS::Events::EventBusPolicy": "events",
}
"""Policies of resources, which may allow what the role does not."""


def action_of(service: str, method: str) -> str:
    """Return the action that a call needs; "" where it is not certain."""
    call = f"{service}.{method}"
    if call in ACTIONS:
        return ACTIONS[call]
    prefix = PREFIXES.get(service)
    if prefix is None or method in _NOT_ACTIONS or method not in _CERTAIN.get(service, {method}):
        return ""
    return f"{prefix}:{''.join(word.capitalize() for word in method.split('_'))}"


def by_resources(application: Application) -> set[str]:
    """Return the services to which a policy of a resource may give access, too."""
    return {_RESOURCE_POLICIES[item.raw.type] for item in application.of_type(*_RESOURCE_POLICIES)}


def allowed(application: Application, function: TemplateResource) -> list[str] | None:
    """Return the actions, with wildcards, that a function's role allows; None where not all is known."""
    name = function.properties.get("Role")
    roles = [role for role in application.of_type("AWS::IAM::Role") if name in role.names("RoleName")]
    if len(roles) != 1:
        return None
    actions: list[str] = []
    for document in _documents(application, roles[0]):
        part = _actions(document)
        if part is None:
            return None
        actions += part
    return actions


def allows(actions: list[str], action: str) -> bool:
    """Return whether one of the actions means this one."""
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in actions)


def _documents(application: Application, role: TemplateResource) -> Iterator[Any]:
    """Yield the role's policy documents; None for one that is not in the template."""
    policies = role.properties.get("Policies") or []
    for policy in policies if isinstance(policies, list) else [None]:
        yield policy.get("PolicyDocument") if isinstance(policy, Mapping) else None
    names = role.names("RoleName")
    own = {item.logical_id: item for item in application.of_type("AWS::IAM::ManagedPolicy")}
    managed = role.properties.get("ManagedPolicyArns") or []
    for arn in managed if isinstance(managed, list) else [None]:
        if isinstance(arn, str) and arn in own:
            yield own[arn].properties.get("PolicyDocument")
        else:
            actions = _MANAGED.get(arn.rpartition("/")[2]) if isinstance(arn, str) else None
            statement = {"Effect": "Allow", "Action": list(actions or ())}
            yield None if actions is None else {"Statement": [statement]}
    for item in application.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        holders = item.properties.get("Roles", [item.properties.get("RoleName")])
        if names & set(text_list(holders)):
            yield item.properties.get("PolicyDocument")


def _actions(document: Any) -> list[str] | None:
    """Return the actions that a policy document allows; None where it cannot be read."""
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    actions: list[str] = []
    for statement in [statements] if isinstance(statements, Mapping) else statements or [None]:
        if not isinstance(statement, Mapping) or "NotAction" in statement:
            return None
        named = statement.get("Action")
        if not isinstance(named, str | list) or (
            isinstance(named, list) and len(text_list(named)) < len(named)
        ):
            return None
        if statement.get("Effect") == "Allow":
            actions += text_list(named)
    return actions
