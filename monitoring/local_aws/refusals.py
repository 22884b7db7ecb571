"""How AWS refuses a call: its codes, HTTP statuses and sentences by service, and resources that refuse here.

Sources: the services' pages "Common errors" and the errors of each operation, for example
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html,
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html.
"""

import json
import threading
from collections.abc import Iterable
from typing import Literal, NamedTuple
from xml.sax.saxutils import escape

Kind = Literal["denies", "throttles", "gone"]
KINDS: tuple[Kind, ...] = ("denies", "throttles", "gone")


class CallRefusal(NamedTuple):
    """The error that refuses a call.

    Attributes:
        code: the error code that clients of the SDKs see.
        status: the HTTP status.
        message: the error message; `{name}` is the resource's name.
        type: the shape's name that a service with JSON sends where it is not the code.
    """

    code: str
    status: int
    message: str
    type: str = ""


_DENIED = CallRefusal("AccessDeniedException", 400, "")
_RATE = "Rate exceeded"
REFUSALS: dict[str, dict[Kind, CallRefusal]] = {
    "dynamodb": {
        "denies": _DENIED,
        "throttles": CallRefusal(
            "ProvisionedThroughputExceededException",
            400,
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing "
            "your provisioning level with the UpdateTable API.",
        ),
        "gone": CallRefusal("ResourceNotFoundException", 400, "Requested resource not found"),
    },
    "sqs": {
        "denies": CallRefusal("AccessDenied", 403, "", "AccessDeniedException"),
        "throttles": CallRefusal("RequestThrottled", 403, "Request is throttled."),
        "gone": CallRefusal(
            "AWS.SimpleQueueService.NonExistentQueue",
            400,
            "The specified queue does not exist.",
            "QueueDoesNotExist",
        ),
    },
    "sns": {
        "denies": CallRefusal("AuthorizationError", 403, ""),
        "throttles": CallRefusal("Throttling", 400, _RATE),
        "gone": CallRefusal("NotFound", 404, "Topic does not exist"),
    },
    "s3": {
        "denies": CallRefusal("AccessDenied", 403, ""),
        "throttles": CallRefusal("SlowDown", 503, "Please reduce your request rate."),
        "gone": CallRefusal("NoSuchBucket", 404, "The specified bucket does not exist"),
    },
    "kinesis": {
        "denies": _DENIED,
        "throttles": CallRefusal(
            "ProvisionedThroughputExceededException", 400, "Rate exceeded for a shard in stream {name}."
        ),
        "gone": CallRefusal("ResourceNotFoundException", 400, "Stream {name} not found."),
    },
    "lambda": {"denies": _DENIED._replace(status=403)},
    "cloudfront": {"denies": CallRefusal("AccessDenied", 403, "")},
}
"""Service -> how it refuses. A service that has no row says AccessDeniedException with the status 400."""
_XML = {"s3", "sns", "cloudfront"}
_REASONS = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 503: "Slow Down"}


def denied(service: str, message: str) -> CallRefusal:
    """Return the refusal of a caller who may not do it, with IAM's sentence."""
    row = REFUSALS.get(service, {}).get("denies", _DENIED)
    return row._replace(message=message)


def response(service: str, refusal: CallRefusal) -> tuple[str, bytes, list[tuple[str, str]]]:
    """Return the status line, body and headers of a refusal as the service writes it."""
    code, status, message, kind = refusal
    line = f"{status} {_REASONS[status]}"
    if service in _XML:
        detail = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        if service == "s3":
            return line, f"<Error>{detail}</Error>".encode(), [("Content-Type", "application/xml")]
        error = f"<Error><Type>Sender</Type>{detail}</Error>"
        body = f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
        return line, body.encode(), [("Content-Type", "text/xml")]
    data = json.dumps({"__type": kind or code, "Message": message, "message": message}).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", kind or code)]
    if kind:
        headers.append(("x-amzn-query-error", f"{code};Sender"))
    return line, data, headers


class BrokenResources:
    """The tables, queues, topics, buckets and streams of one embedded AWS that refuse every call.

    Thread-safe. `called` holds the resources of all calls since `watch` was called, None before it; `refused`
    those that have refused a call since they were broken.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._broken: dict[str, Kind] = {}
        self.called: set[str] | None = None
        self.refused: set[str] = set()

    @property
    def idle(self) -> bool:
        """Return whether no call has to be looked at."""
        return not self._broken and self.called is None

    def watch(self) -> None:
        """Note the resources of all calls from now on."""
        self.called = set()

    def break_(self, arn: str, kind: Kind) -> None:
        """Let a resource refuse every call: by its ARN, objects and indexes in it included."""
        with self._lock:
            self._broken[arn] = kind
            self.refused.discard(arn)

    def mend(self, arn: str) -> None:
        """Let a resource answer again."""
        with self._lock:
            self._broken.pop(arn, None)

    def refusal(self, arns: Iterable[tuple[str, str]]) -> CallRefusal | None:
        """Return how a call is refused, None where it is not.

        Args:
            arns: (action, ARN) of everything that the call asks for.
        """
        with self._lock:
            broken = dict(self._broken)
        for action, arn in arns:
            if self.called is not None and arn:
                self.called.add(arn)
            base = next((base for base in broken if arn == base or arn.startswith(f"{base}/")), "")
            if base:
                self.refused.add(base)
                return _of_resource(base, arn, action, broken[base])
        return None


def _of_resource(base: str, arn: str, action: str, kind: Kind) -> CallRefusal:
    row = REFUSALS[base.split(":")[2]][kind]
    if kind == "denies":
        message = (
            f"User is not authorized to perform: {action} on resource: {arn} with an explicit deny in a "
            "resource-based policy"
        )
        return row._replace(message=message)
    return row._replace(message=row.message.format(name=base.rpartition(":")[2].rpartition("/")[2]))
