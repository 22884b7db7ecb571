"""Tell what the role of a function allows, and which action a call of an AWS client needs."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from monitoring.discovery.iam import (
    ACTIONS,
    MANAGED,
    Document,
    Request,
    denial,
    holders,
    inline_policies,
    statements,
)
from monitoring.lint.templates.application import Application, TemplateResource, text_list

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

_TRANSFERS = {
    "upload_file": "s3:PutObject",
    "upload_fileobj": "s3:PutObject",
    "download_file": "s3:GetObject",
    "download_fileobj": "s3:GetObject",
}
"""Methods of boto3's S3 client that call operations of other names -> the action that they need."""

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
    prefix = PREFIXES.get(service)
    if prefix is None or method in _NOT_ACTIONS:
        return ""
    if service == "s3" and method in _TRANSFERS:
        return _TRANSFERS[method]
    operation = "".join(word.capitalize() for word in method.split("_"))
    actions = ACTIONS.get((prefix, operation))
    if actions is not None:
        return f"{prefix}:{actions[0]}" if actions else ""
    return f"{prefix}:{operation}" if method in _CERTAIN.get(service, {method}) else ""


def by_resources(application: Application) -> set[str]:
    """Return the services to which a policy of a resource may give access, too."""
    return {_RESOURCE_POLICIES[item.raw.type] for item in application.of_type(*_RESOURCE_POLICIES)}


class RolePolicies(NamedTuple):
    """Hold the policies of a role, all of them readable, and its permissions boundary where it is known."""

    documents: tuple[Document, ...]
    boundary: Document | None = None

    def allow(self, action: str) -> bool:
        """Return whether they allow an action, on some resource."""
        return not denial(self.documents, self.boundary, Request(action))


def policies_of(application: Application, function: TemplateResource) -> RolePolicies | None:
    """Return the policies of a function's role; None where not all of them are known."""
    role = _role(application, function)
    documents = tuple(_documents(application, role)) if role else (None,)
    if role is None or not all(map(_is_readable, documents)):
        return None
    boundary = _managed(application, role.properties.get("PermissionsBoundary"))
    return RolePolicies(documents, boundary if _is_readable(boundary) else None)


def _role(application: Application, function: TemplateResource) -> TemplateResource | None:
    name = function.properties.get("Role")
    roles = [role for role in application.of_type("AWS::IAM::Role") if name in role.names("RoleName")]
    return roles[0] if len(roles) == 1 else None


def _documents(application: Application, role: TemplateResource) -> Iterator[Any]:
    """Yield the role's policy documents; None for one that is not in the template."""
    for _, document in inline_policies(role.properties):
        yield document
    managed = role.properties.get("ManagedPolicyArns") or []
    for arn in managed if isinstance(managed, list) else [None]:
        yield _managed(application, arn)
    names = role.names("RoleName")
    for item in application.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        if names & set(holders(item.properties)):
            yield item.properties.get("PolicyDocument")


def _managed(application: Application, arn: Any) -> Any:
    """Return the document of a managed policy: the template's own, one of AWS's usual ones, or None."""
    if not isinstance(arn, str):
        return None
    for item in application.of_type("AWS::IAM::ManagedPolicy"):
        if item.logical_id == arn:
            return item.properties.get("PolicyDocument")
    return MANAGED.get(arn.rpartition("/")[2])


def _is_readable(document: Any) -> bool:
    """Return whether all that a document allows and denies can be told from the template."""
    if not isinstance(document, Mapping) or document.get("Statement") is None:
        return False
    entries = document["Statement"]
    listed = entries if isinstance(entries, list) else [entries]
    return len(listed) == len(list(statements(document))) and all(map(_is_plain, statements(document)))


def _is_plain(statement: Mapping[str, Any]) -> bool:
    named = statement.get("Action", statement.get("NotAction"))
    return isinstance(named, str) or (isinstance(named, list) and len(text_list(named)) == len(named))
