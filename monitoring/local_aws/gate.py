"""Check requests before moto's server: reject calls that a role does not allow, or of a broken resource.

Every function has its own credentials; callers with other credentials have all permissions.
"""

import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote

from monitoring.local_aws.authorization import ApiCall, Location, denial, resource_refusal
from monitoring.local_aws.permissions import Permissions
from monitoring.local_aws.refusals import BrokenResources, CallRefusal, denied, response

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_INVALIDATION = re.compile(r"/\d{4}-\d\d-\d\d/distribution/([^/]+)/invalidation(/[^/]+)?")
_SUBRESOURCES = {"tagging", "acl", "policy", "versioning", "lifecycle", "cors", "notification", "website"}
_OF_OBJECTS = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "POST": "PutObject",
    "DELETE": "DeleteObject",
}
_OF_BUCKETS = {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
"""S3's method -> the operation."""
_MOST = 16_000_000
"""The maximum size of a body that is parsed; a larger one is an S3 object, whose name is in the path."""


class Gate:
    """A WSGI application that wraps another one.

    Args:
        application: handles the allowed calls.
        permissions: the roles.
        broken: the resources that reject every call.
        place: the region and account.
    """

    def __init__(
        self, application: Application, permissions: Permissions, broken: BrokenResources, place: Location
    ) -> None:
        self._application = application
        self._permissions = permissions
        self._broken = broken
        self._place = place

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Handle a request."""
        match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        role = self._permissions.role_of(match[1]) if match else ""
        if match and (role or not self._broken.idle) and (call := call_of(environ, match[2])):
            refusal = self._refusal(role, call)
            if refusal:
                return _refused(environ, call.service, refusal, start_response)
        return self._application(environ, start_response)

    def _refusal(self, role: str, call: ApiCall) -> CallRefusal | None:
        message = denial(self._permissions, role, call, self._place) if role else ""
        if message:
            return denied(call.service, message)
        return resource_refusal(self._broken, call, self._place)


def call_of(environ: Environ, signed_for: str) -> ApiCall | None:
    """Return the call of a request, None if it is not checked; the body can be read again afterwards."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return ApiCall(signed_for, target.rpartition(".")[2], _json(_body(environ)))
    path = unquote(environ.get("PATH_INFO", ""))
    if signed_for == "s3":
        return _s3(environ, path)
    if match := _INVOKE.fullmatch(path):
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        return ApiCall("lambda", "Invoke", {"FunctionName": match[1], **query})
    if match := _INVALIDATION.fullmatch(path):
        operation = "GetInvalidation" if match[2] else "CreateInvalidation"
        return ApiCall("cloudfront", operation, {"DistributionId": match[1]})
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(_body(environ).decode("utf-8", "replace")))
        return ApiCall(signed_for, form.get("Action", ""), form) if "Action" in form else None
    return None


def _s3(environ: Environ, path: str) -> ApiCall | None:
    bucket, _, key = path.lstrip("/").partition("/")
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if _SUBRESOURCES & query.keys():
        return None
    method = environ.get("REQUEST_METHOD", "GET")
    if not bucket:
        return ApiCall("s3", "ListBuckets", {})
    if not key and method == "POST":
        return ApiCall("s3", "DeleteObjects", {"Bucket": bucket}) if "delete" in query else None
    operation = (_OF_OBJECTS if key else _OF_BUCKETS).get(method)
    return ApiCall("s3", operation, {"Bucket": bucket, "Key": key}) if operation else None


def _body(environ: Environ) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if not 0 < length <= _MOST:
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _refused(
    environ: Environ, service: str, refusal: CallRefusal, start_response: Callable[..., Any]
) -> list[bytes]:
    """Return the service's error response; the response to HEAD has no body."""
    status, body, headers = response(service, refusal)
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
