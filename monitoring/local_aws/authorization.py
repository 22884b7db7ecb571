"""Determine the IAM actions and resources of a call of AWS's API, with a table of services.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.discovery.iam import ACTIONS, Request
from monitoring.local_aws.permissions import Permissions
from monitoring.local_aws.refusals import BrokenResources, CallRefusal

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call of AWS's API: boto3's name of the service, the operation, its parameters."""

    service: str
    operation: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Location:
    """The region and account that ARNs name."""

    region: str
    account: str

    def arn(self, service: str, rest: str) -> str:
        """Return an ARN in this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


def _table(call: ApiCall, place: Location) -> list[str]:
    """Return the tables of a call; a batch or transaction may have several."""
    parameters = call.parameters
    names = [parameters.get("TableName")]
    items = parameters.get("RequestItems")
    names += list(items) if isinstance(items, Mapping) else []
    for entry in parameters.get("TransactItems") or ():
        names += [part.get("TableName") for part in entry.values() if isinstance(part, Mapping)]
    tables = [
        str(name) if str(name).startswith("arn:") else place.arn("dynamodb", f"table/{name}")
        for name in names
        if name
    ]
    index = parameters.get("IndexName")
    return [f"{table}/index/{index}" for table in tables] if index else tables


def _named(key: str, kind: str) -> Callable[[ApiCall, Location], list[str]]:
    """Return a reader of a parameter that is a name or an ARN; `kind` comes before a name."""

    def read(call: ApiCall, place: Location) -> list[str]:
        name = call.parameters.get(key)
        if not name:
            return []
        text = str(name)
        return [text if text.startswith("arn:") else place.arn(call.service, f"{kind}{text.lstrip('/')}")]

    return read


def _arn_only(key: str) -> Callable[[ApiCall, Location], list[str]]:
    """Return a reader of a parameter that may be an ARN; the ARN cannot be derived from its name."""

    def read(call: ApiCall, _: Location) -> list[str]:
        name = str(call.parameters.get(key))
        return [name] if name.startswith("arn:") else []

    return read


def _function(call: ApiCall, place: Location) -> list[str]:
    """Return the function, with its qualifier: named by name, partial ARN or ARN."""
    name = str(call.parameters.get("FunctionName") or "").rpartition("function:")[2]
    qualifier = call.parameters.get("Qualifier")
    return [place.arn("lambda", f"function:{name}" + (f":{qualifier}" if qualifier else ""))] if name else []


def _queue(call: ApiCall, place: Location) -> list[str]:
    url = str(call.parameters.get("QueueUrl") or call.parameters.get("QueueName") or "")
    return [place.arn("sqs", url.rpartition("/")[2])] if url else []


def _bucket(call: ApiCall, _: Location) -> list[str]:
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    if not bucket:
        return []
    return [f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"]


def _machine(call: ApiCall, _: Location) -> list[str]:
    keys = ("stateMachineArn", "executionArn", "activityArn", "mapRunArn")
    return [str(call.parameters[key]) for key in keys if call.parameters.get(key)][:1]


def _topic(call: ApiCall, _: Location) -> list[str]:
    return [str(call.parameters[key]) for key in ("TopicArn", "TargetArn") if call.parameters.get(key)][:1]


def _project(call: ApiCall, place: Location) -> list[str]:
    ids = call.parameters.get("ids") or call.parameters.get("names") or ()
    names = [call.parameters.get("projectName"), *(str(build).partition(":")[0] for build in ids)]
    return [place.arn("codebuild", f"project/{name}") for name in names if name]


def _buses(call: ApiCall, place: Location) -> list[str]:
    entries = call.parameters.get("Entries") or ()
    names = {str(entry.get("EventBusName") or "default").rpartition("/")[2] for entry in entries}
    return [place.arn("events", f"event-bus/{name}") for name in sorted(names)]


def _distribution(call: ApiCall, place: Location) -> list[str]:
    name = call.parameters.get("DistributionId")
    return [f"arn:aws:cloudfront::{place.account}:distribution/{name}"] if name else []


_RESOURCES: dict[str, Callable[[ApiCall, Location], list[str]]] = {
    "cloudfront": _distribution,
    "codebuild": _project,
    "dynamodb": _table,
    "events": _buses,
    "kinesis": _named("StreamName", "stream/"),
    "kms": _arn_only("KeyId"),
    "lambda": _function,
    "s3": _bucket,
    "secretsmanager": _arn_only("SecretId"),
    "sns": _topic,
    "sqs": _queue,
    "ssm": _named("Name", "parameter/"),
    "states": _machine,
}
"""Prefix of the actions -> function that returns the resources of a call; other services are not checked."""

_PREFIXES = {"stepfunctions": "states"}
"""boto3's name of a service -> the prefix of its actions, if it differs."""

_FREE = {("sts", "GetCallerIdentity")}


def requests_of(call: ApiCall, place: Location, context: Mapping[str, str]) -> list[Request]:
    """Return the requests of a call: an action on each of its resources; [] for a service without checks."""
    prefix = _PREFIXES.get(call.service, call.service)
    resources = _RESOURCES.get(prefix)
    if resources is None or (prefix, call.operation) in _FREE:
        return []
    actions = ACTIONS.get((prefix, call.operation), (call.operation,))
    arns = resources(ApiCall(prefix, call.operation, call.parameters), place) or [""]
    if (prefix, call.operation) == ("s3", "DeleteObjects"):
        arns = [f"{arn}/*" for arn in arns]
    return [Request(f"{prefix}:{action}", arn, context) for action in actions for arn in arns]


def denial(
    permissions: Permissions, role: str, call: ApiCall, place: Location, session: str = "session"
) -> str:
    """Return AWS's message if a role may not make a call; "" if it may."""
    if not permissions.knows(role):
        return ""
    context = {
        "aws:requestedregion": place.region,
        "aws:principalaccount": place.account,
        "aws:securetransport": "true",
    }
    for request in requests_of(call, place, context):
        reason = permissions.denial(role, request)
        if reason:
            user = f"arn:aws:sts::{place.account}:assumed-role/{role}/{session}"
            message = (
                f"User: {user} is not authorized to perform: {request.action} "
                f"on resource: {request.resource or '*'} {reason}"
            )
            permissions.record(message)
            return message
    return ""


def resource_refusal(broken: BrokenResources, call: ApiCall, place: Location) -> CallRefusal | None:
    """Return the error of a broken resource; None if none of the call's resources is broken."""
    if broken.idle:
        return None
    return broken.refusal((request.action, request.resource) for request in requests_of(call, place, {}))
