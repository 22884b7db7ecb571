"""IAM policies: which documents a role has, and whether they allow an action on a resource.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

Judged are the identity-based policies of a role and its permissions boundary. Policies of resources and of
organisations are not. A condition on a key or with an operator that is not known here holds where it allows,
and does not where it denies.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_OPERATORS = {
    "StringEquals": (False, False),
    "StringEqualsIgnoreCase": (False, True),
    "StringLike": (True, False),
    "ArnEquals": (True, False),
    "ArnLike": (True, False),
    "Bool": (False, True),
}
"""Condition operator, without `Not` and `IfExists` -> whether it takes wildcards, whether it ignores case."""


def _allowing(*actions: str) -> Document:
    return {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_XRAY = ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSampling*")
_NETWORK = (
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
)  # fmt: skip
_TABLE_STREAM = (
    "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"
)  # fmt: skip
_STREAM = (
    "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
    "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard",
)  # fmt: skip
_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
MANAGED: Mapping[str, Document] = {
    "AWSLambdaBasicExecutionRole": _allowing(*_LOGS),
    "AWSLambdaDynamoDBExecutionRole": _allowing(*_LOGS, *_TABLE_STREAM),
    "AWSLambdaKinesisExecutionRole": _allowing(*_LOGS, *_STREAM),
    "AWSLambdaRole": _allowing("lambda:InvokeFunction"),
    "AWSLambdaSQSQueueExecutionRole": _allowing(*_LOGS, *_QUEUE),
    "AWSLambdaVPCAccessExecutionRole": _allowing(*_LOGS, *_NETWORK),
    "AWSXRayDaemonWriteAccess": _allowing(*_XRAY),
    "AWSXrayWriteOnlyAccess": _allowing(*_XRAY),
}
"""The policies of AWS that functions have most, by name: their content is known without a copy of all."""

ACTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("lambda", "Invoke"): ("InvokeFunction",),
    ("lambda", "InvokeAsync"): ("InvokeFunction",),
    ("s3", "HeadObject"): ("GetObject",),
    ("s3", "HeadBucket"): ("ListBucket",),
    ("s3", "ListObjects"): ("ListBucket",),
    ("s3", "ListObjectsV2"): ("ListBucket",),
    ("s3", "ListBuckets"): ("ListAllMyBuckets",),
    ("s3", "DeleteObjects"): ("DeleteObject",),
    ("s3", "CopyObject"): ("PutObject",),
    ("s3", "CreateMultipartUpload"): ("PutObject",),
    ("s3", "UploadPart"): ("PutObject",),
    ("s3", "CompleteMultipartUpload"): ("PutObject",),
    ("sqs", "SendMessageBatch"): ("SendMessage",),
    ("sqs", "DeleteMessageBatch"): ("DeleteMessage",),
    ("sns", "PublishBatch"): ("Publish",),
    ("dynamodb", "TransactWriteItems"): (),
    ("dynamodb", "TransactGetItems"): ("GetItem",),
}
"""Operations whose actions have other names, by the actions' prefix; () are not judged.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what a role asks for: `service:Action`, an ARN, and condition keys in lower case.

    The ARN is "" where it is not known here; a statement is about it then if it allows, or is about all.
    """

    action: str
    resource: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


def denial(documents: Iterable[Document | None], boundary: Document | None, request: Request) -> str:
    """Return why a role may not do what it asks for, in IAM's words; "" where it may.

    Args:
        documents: the role's policies; None is one whose content is not known, which may allow everything.
        boundary: its permissions boundary; None is none, or one whose content is not known.
        request: what it asks for.
    """
    effects = {effect for document in documents for effect in _effects(document, request)}
    if "Deny" in effects:
        return "with an explicit deny in an identity-based policy"
    if "Allow" not in effects:
        return f"because no identity-based policy allows the {request.action} action"
    limits = set(_effects(boundary, request))
    if "Deny" in limits:
        return "with an explicit deny in a permissions boundary"
    return "" if "Allow" in limits else f"because no permissions boundary allows the {request.action} action"


def _effects(document: Document | None, request: Request) -> Iterator[str]:
    """Yield the effect of each statement that is about the request; a document not known allows."""
    if document is None:
        yield "Allow"
        return
    for statement in statements(document):
        if applies(statement, request):
            yield "Deny" if statement.get("Effect") == "Deny" else "Allow"


def inline_policies(properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and document of the policies in a role's properties; ("", None) for one not readable."""
    policies = properties.get("Policies") or []
    for policy in policies if isinstance(policies, list) else [None]:
        if isinstance(policy, Mapping):
            yield str(policy.get("PolicyName")), policy.get("PolicyDocument")
        else:
            yield "", None


def holders(properties: Mapping[str, Any]) -> list[str]:
    """Return the roles that a policy of its own names: `Roles`, or a role policy's `RoleName`."""
    roles = properties.get("Roles", properties.get("RoleName"))
    listed = roles if isinstance(roles, list) else [roles]
    return [str(role).rpartition("/")[2] for role in listed if isinstance(role, str)]


def statements(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy document, which may be a single one."""
    entries = document.get("Statement") if isinstance(document, Mapping) else None
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, Mapping):
            yield entry


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Return whether a statement is about the request."""
    if not _selects(statement, "Action", request.action.lower(), request, fold=True):
        return False
    if request.resource:
        if not _selects(statement, "Resource", request.resource, request):
            return False
    elif statement.get("Effect") == "Deny" and statement.get("Resource") not in ("*", ["*"]):
        return False
    condition = statement.get("Condition")
    if not isinstance(condition, Mapping):
        return True
    outcomes = [
        _condition(str(operator), str(key), values, request.context)
        for operator, keys in condition.items()
        if isinstance(keys, Mapping)
        for key, values in keys.items()
    ]
    if False in outcomes:
        return False
    return None not in outcomes or statement.get("Effect") != "Deny"


def _selects(
    statement: Mapping[str, Any], element: str, value: str, request: Request, *, fold: bool = False
) -> bool:
    """Return whether an element of a statement, or its `Not…`, selects a value; without it, nothing is."""
    excluded = statement.get(f"Not{element}")
    if excluded is not None:
        return not _any(excluded, value, request.context, fold=fold)
    return _any(statement.get(element), value, request.context, fold=fold)


def _any(patterns: Any, value: str, context: Mapping[str, str], *, fold: bool = False) -> bool:
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        if not isinstance(pattern, str):
            continue
        text = _VARIABLE.sub(lambda match: context.get(match[1].lower(), match[0]), pattern)
        if _pattern(text.lower() if fold else text).fullmatch(value):
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """Return IAM's wildcards as a regular expression: `*` any text, `?` one character."""
    parts = [{"*": ".*", "?": "."}.get(character, re.escape(character)) for character in text]
    return re.compile("".join(parts), re.DOTALL)


def _condition(operator: str, key: str, values: Any, context: Mapping[str, str]) -> bool | None:
    """Return whether a condition holds; None where it is not known, its key or its operator."""
    name = operator.rpartition(":")[2].removesuffix("IfExists")
    rule, present = _OPERATORS.get(name.replace("Not", "")), context.get(key.lower())
    if rule is None or present is None:
        return None
    wildcards, fold = rule
    texts = [str(value) for value in (values if isinstance(values, list) else [values])]
    if fold:
        present, texts = present.lower(), [text.lower() for text in texts]
    holds = any(_pattern(text).fullmatch(present) if wildcards else text == present for text in texts)
    return holds != ("Not" in name)
