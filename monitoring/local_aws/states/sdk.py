"""Calls of AWS's API as Step Functions makes them: names of fields, what becomes of values, errors."""

import functools
import re
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.model import OperationModel, Shape

from monitoring.local_aws.refusals import CallRefusal
from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import FatalError, StateFailedError
from monitoring.local_aws.states.resources import (
    BOTO_NAMES,
    OptimizedIntegration,
    TaskResource,
    pascal_service,
)


class SdkCall(NamedTuple):
    """An operation of a service, and how its errors are told."""

    service: str
    method: str
    model: OperationModel
    describe: Callable[[str, str, int, dict[str, Any]], tuple[str, str]]
    optimized: bool


@functools.cache
def _loader() -> Any:
    return botocore.session.get_session()


@functools.cache
def boto_name(package: str) -> str | None:
    """Return boto3's name of a package of the SDK for Java, or None if there is none."""
    names = _loader().get_available_services()
    same = next((name for name in names if name.replace("-", "") == package.replace("-", "")), None)
    return BOTO_NAMES.get(package) or same


@functools.cache
def _model(service: str) -> Any:
    return _loader().get_service_model(service)


def operation_of(service: str, action: str) -> OperationModel | None:
    """Return the model of an operation, or None if the service has none of that name."""
    name = action[:1].upper() + action[1:]
    model = _model(service)
    operation = next(
        (candidate for candidate in model.operation_names if candidate.lower() == name.lower()), None
    )
    return model.operation_model(operation) if operation else None


def call_of(resource: TaskResource) -> SdkCall | None:
    """Return the call that a resource of an integration names, or None if there is no such operation."""
    integration = resource.integration
    service = integration.api or resource.service if integration else boto_name(resource.service.lower())
    known = service is not None and service in _loader().get_available_services()
    model = operation_of(str(service), resource.action) if known else None
    if model is None or service is None:
        return None
    method = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", model.name).lower()
    describe = (
        functools.partial(_optimized_error, integration)
        if integration
        else functools.partial(_sdk_error, service)
    )
    return SdkCall(service, method, model, describe, integration is not None)


def known_call(resource: TaskResource) -> SdkCall:
    """Return the call that a resource of a validated definition names."""
    call = call_of(resource)
    if call is None:
        raise FatalError(f"The resource provided {resource.arn} is not recognized.")
    return call


# -- errors


def _optimized_error(
    integration: OptimizedIntegration, code: str, message: str, status: int, metadata: dict[str, Any]
) -> tuple[str, str]:
    shape = metadata.get("Shape") or integration.generic
    name = shape if shape.endswith("Exception") else f"{shape}Exception"
    cause = (
        f"{message} (Service: {integration.service}; Status Code: {status}; Error Code: {code}; "
        f"Request ID: {metadata.get('RequestId', '')}; Proxy: null)"
    )
    return f"{integration.error}.{name}", cause


def _sdk_error(
    service: str, code: str, message: str, status: int, metadata: dict[str, Any]
) -> tuple[str, str]:
    prefix = pascal_service(_model(service).service_id)
    shape = metadata.get("Shape") or prefix
    parts = [f"Service: {prefix}", f"Status Code: {status}", f"Request ID: {metadata.get('RequestId', '')}"]
    if service == "s3":
        parts.append(f"Extended Request ID: {metadata.get('HostId', metadata.get('RequestId', ''))}")
    attempts = " (SDK Attempt Count: 1)" if service == "stepfunctions" else ""
    name = shape if shape.endswith("Exception") else f"{shape}Exception"
    return f"{prefix}.{name}", f"{message} ({', '.join(parts)}){attempts}"


def failure_of(call: SdkCall, failed: Exception) -> Exception:
    """Return the failure of a task for an exception of a client."""
    if isinstance(failed, ClientError):
        response: dict[str, Any] = dict(failed.response)
        error, metadata = response.get("Error", {}), dict(response.get("ResponseMetadata", {}))
        status = int(metadata.get("HTTPStatusCode", 400))
        if status >= 500 or error.get("Code") in {"501", "NotImplemented"}:  # moto raises NotImplementedError
            return FatalError(
                f"The embedded AWS has no {call.service}:{call.model.name}: moto does not implement it"
            )
        metadata["Shape"] = type(failed).__name__ if type(failed) is not ClientError else ""
        return StateFailedError(
            *call.describe(error.get("Code", ""), error.get("Message", ""), status, metadata)
        )
    if isinstance(failed, ParamValidationError):
        return _refused(call, str(failed))
    if isinstance(failed, HTTPClientError):
        host = re.search(r'URL: "?(?:\w+://)?([^/":]+)', str(failed))
        return unreachable(call, host[1] if host else call.service)
    if isinstance(failed, BotoCoreError):
        return StateFailedError(f"{_prefix(call)}.SdkClientException", str(failed))
    return FatalError(f"{call.service}:{call.model.name} cannot be called: the embedded AWS failed on it")


def refusal_of(call: SdkCall, refusal: CallRefusal) -> StateFailedError:
    """Return the failure of a call that a resource refuses; an error that the service models has its name.

    Amazon S3's AccessDenied is told as S3Exception, although newer models have a shape of that name.
    """
    model: Any = call.model.service_model  # its stubs say that error codes are numbers
    shape = (
        None if refusal.code == "AccessDenied" else model.shape_for_error_code(refusal.type or refusal.code)
    )
    metadata = {"RequestId": str(uuid.uuid4()), "Shape": shape.name if shape else ""}
    return StateFailedError(*call.describe(refusal.code, refusal.message, refusal.status, metadata))


def _prefix(call: SdkCall) -> str:
    return call.describe("", "", 0, {})[0].partition(".")[0]


def unreachable(call: SdkCall, host: str) -> StateFailedError:
    """Return the failure of a call whose host does not exist."""
    return StateFailedError(
        f"{_prefix(call)}.SdkClientException",
        f"Unable to execute HTTP request: {host}: Name or service not known",
    )


def _refused(call: SdkCall, report: str) -> Exception:
    """Return the failure of a call whose parameters the API would refuse."""
    missing = re.findall(
        r'Missing required parameter in input(?:\.\S+)?: "(\w+)"|Missing required parameter in \S+: "(\w+)"',
        report,
    )
    if missing:
        fields = [first or second for first, second in missing]
        details = "; ".join(
            f"Value null at '{field[:1].lower()}{field[1:]}' failed to satisfy constraint: "
            "Member must not be null"
            for field in fields
        )
        count = f"{len(fields)} validation error{'s' if len(fields) > 1 else ''} detected"
        return StateFailedError(*call.describe("ValidationException", f"{count}: {details}", 400, {}))
    name = re.search(r"(?:for|length for|value for) parameter (\S+?)[,:]", report)
    return StateFailedError(
        *call.describe(
            "ValidationException",
            f"1 validation error detected: Value at '{name[1] if name else 'input'}' failed to satisfy "
            "constraint",
            400,
            {},
        )
    )


# -- parameters

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a STRING"),
    "character": ((str,), "a STRING"),
    "integer": ((int,), "an INTEGER"),
    "long": ((int,), "a LONG"),
    "float": ((int, float), "a FLOAT"),
    "double": ((int, float), "a DOUBLE"),
    "boolean": ((bool,), "a BOOLEAN"),
    "structure": ((dict,), "a JSON object"),
    "map": ((dict,), "a JSON object"),
    "list": ((list,), "an ARRAY"),
}


def request_of(call: SdkCall, parameters: Any) -> dict[str, Any]:
    """Return the parameters of a task as the API names and takes them.

    Raises:
        FatalError: a field that the API does not have, or a value of the wrong type.
    """
    problems: list[str] = []
    shape = call.model.input_shape
    request = {} if shape is None else _request(parameters, shape, "", problems)
    if problems:
        shown = text.dumps(parameters)
        raise FatalError(
            f"The Parameters '{shown}' could not be used to start the Task: [{', '.join(problems)}]"
        )
    return request if isinstance(request, dict) else {}


def _request(value: Any, shape: Shape, field: str, problems: list[str]) -> Any:
    kind = shape.type_name
    if kind == "blob":
        return value.encode() if isinstance(value, str) else text.dumps(value).encode()
    if kind == "string" and isinstance(value, dict | list):
        return text.dumps(value)
    accepted, expected = _KINDS.get(kind, ((object,), ""))
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind not in {"boolean", "timestamp"}):
        problems.append(f"The value for the field '{field}' must be {expected}")
        return value
    if kind in {"structure", "list", "map"}:
        return _request_parts(value, shape, field, problems)
    return value


def _request_parts(value: Any, shape: Any, field: str, problems: list[str]) -> Any:
    if isinstance(value, list):
        return [_request(inner, shape.member, field, problems) for inner in value]
    if shape.type_name == "map":
        return {
            key: _request(inner, shape.value, key, problems)
            for key, inner in value.items()
            if inner is not None
        }
    return _request_members(value, shape, problems)


def _request_members(value: dict[str, Any], shape: Any, problems: list[str]) -> dict[str, Any]:
    names = {name.lower(): name for name in shape.members}
    members: dict[str, Any] = {}
    for key, inner in value.items():
        name = names.get(key.lower())
        if name is None:
            problems.append(f"The field '{key}' is not supported by Step Functions")
        elif inner is not None:
            members[name] = _request(inner, shape.members[name], key, problems)
    return members


# -- results


def pascal_member(name: str) -> str:
    """Return the SDK for Java's name of a member: `MD5OfBody` is Md5OfBody, `executionArn` ExecutionArn."""
    run = re.match(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]+(?![a-z])", name)
    head = name[: run.end()].capitalize() if run else name[:1].upper()
    return head + name[len(head) :]


def result_of(call: SdkCall, response: dict[str, Any]) -> dict[str, Any]:
    """Return the response of a call as the result of a task, with the SDK for Java's names of members."""
    metadata = response.pop("ResponseMetadata", {})
    shape = call.model.output_shape
    name = _first_upper if call.optimized else pascal_member
    result: dict[str, Any] = {} if shape is None else _result(response, shape, name, call.optimized)
    return result | (http_metadata(metadata) if call.optimized and call.service != "events" else {})


def _first_upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _result(value: Any, shape: Any, name: Callable[[str], str], milliseconds: bool) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {
            name(key): _result(inner, shape.members[key], name, milliseconds)
            for key, inner in value.items()
            if key in shape.members
        }
    if kind == "list" and isinstance(value, list):
        return [_result(inner, shape.member, name, milliseconds) for inner in value]
    if kind == "map" and isinstance(value, dict):
        return {key: _result(inner, shape.value, name, milliseconds) for key, inner in value.items()}
    if kind == "timestamp" and milliseconds and hasattr(value, "timestamp"):
        return round(value.timestamp() * 1000)
    return text.plain(value)


def http_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return SdkHttpMetadata and SdkResponseMetadata of an optimized integration's result."""
    headers = {str(key): str(value) for key, value in metadata.get("HTTPHeaders", {}).items()}
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {key: [value] for key, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": metadata.get("HTTPStatusCode", 200),
        },
        "SdkResponseMetadata": {"RequestId": metadata.get("RequestId", "")},
    }
