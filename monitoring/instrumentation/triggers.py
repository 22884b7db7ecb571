"""Determine what invoked the function: the source of an event, its resource, and the times of its records.

There are three tables: sources by a field of the event (`_BY_FIELD`), sources by the name in a record
(`_BY_RECORD`), and the fields of the resource and the times of each source (`_DETAILS`). The events are those
of AWS's documentation.
"""

from __future__ import annotations

from monitoring.instrumentation.step_functions import CONTEXT_FIELDS, context_parts, plain, step_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from monitoring.instrumentation.step_functions import Identity

    Details = tuple[str, str, Any, Any]

NAMES = (
    "s3",
    "dynamodb",
    "kinesis",
    "sns",
    "ses",
    "cognito",
    "cloudformation",
    "cloudwatch-logs",
    "eventbridge",
    "codecommit",
    "config",
    "alexa",
    "lex",
    "api-gateway",
    "iot",
    "cloudfront",
    "sqs",
    "alb",
    "function-url",
    "kafka",
    "firehose",
    "step-functions",
    "unknown",
)
"""All names that `trigger_of` returns."""

DATADOG_NAMES = {
    "step-functions": "states",
    "alb": "application-load-balancer",
    "function-url": "lambda-function-url",
}
"""Datadog's names of event sources that differ from those of `NAMES`."""


class Trigger:
    """The source of an event.

    `resource` is the name of the bucket, queue, table and so on, and `arn` its ARN; "" if the event has none.
    `oldest` and `newest` are the times of the first and the last record, in seconds since the epoch, or None.
    `records` is the number of records, 0 for an event that is not a batch.
    """

    __slots__ = ("arn", "name", "newest", "oldest", "records", "resource")

    def __init__(self, name: str, details: Details = ("", "", None, None), records: int = 0) -> None:
        self.name = name
        self.resource, self.arn, self.oldest, self.newest = details
        self.records = records


UNKNOWN = Trigger("unknown")
CARRYING = Trigger("unknown")
"""An unknown source, of an event with fields that may have a trace context."""
_CARRIERS = frozenset({"headers", "_datadog"})


def trigger_of(event: Any) -> str:
    """Return the name of the source of an event, one of `NAMES`, or `unknown`. Never raises."""
    return describe(event).name


def describe(event: Any) -> Trigger:
    """Return the source of an event with its resource and times. Never raises."""
    try:
        event = plain(event)
        parts = context_parts(event)
        return read_trigger(event) if parts is None else of_state_machine(step_of(parts))
    except Exception:  # noqa: BLE001 - an event may be anything, with any behaviour
        return UNKNOWN


def of_state_machine(step: Identity | None) -> Trigger:
    """Return the trigger of an event with a context object; `step` is None if that is malformed."""
    return Trigger("step-functions", ("" if step is None else step.state_machine, "", None, None))


def read_trigger(event: Any) -> Trigger:
    """Return the source of a plain event without a context object. Never raises."""
    try:
        name, records = _source(event)
        if name == "unknown":
            return CARRYING if type(event) is dict and not _CARRIERS.isdisjoint(event) else UNKNOWN
    except Exception:  # noqa: BLE001
        return UNKNOWN
    try:
        first, last = (records[0], records[-1]) if records else (event, event)
        return Trigger(name, _details(name, event, first, last), len(records))
    except Exception:  # noqa: BLE001 - a field is missing: the name is still known
        return Trigger(name)


def _source(event: Any) -> tuple[str, Any]:
    """Return the name of an event's source, and its records."""
    if isinstance(event, dict):
        for field, decide in _BY_FIELD:
            if field in event:
                name, records = decide(event)
                if name:
                    return name, records
    elif isinstance(event, list):
        name, records = _by_records(event)
        if name:
            return name, records
    return "unknown", ()


def _by_records(records: Any) -> tuple[str, Any]:
    first = records[0] if isinstance(records, list) and records else None
    if not isinstance(first, dict):
        return "", ()
    if "cf" in first:
        return "cloudfront", records
    source = first.get("eventSource") or first.get("EventSource")
    return (_BY_RECORD.get(source, "") if isinstance(source, str) else ""), records


_BY_RECORD = {
    "aws:s3": "s3",
    "aws:dynamodb": "dynamodb",
    "aws:kinesis": "kinesis",
    "aws:sns": "sns",
    "aws:ses": "ses",
    "aws:sqs": "sqs",
    "aws:codecommit": "codecommit",
    "aws:kafka": "kafka",
    "SelfManagedKafka": "kafka",
}


def _records(event: Any) -> tuple[str, Any]:
    return _by_records(event["Records"])


def _kafka(event: Any) -> tuple[str, Any]:
    """Return the records of Kafka, which groups them by partition."""
    if _BY_RECORD.get(event["eventSource"]) != "kafka":
        return "", ()
    parts = event.get("records")
    return "kafka", [record for part in parts.values() for record in part] if isinstance(parts, dict) else ()


def _request_context(event: Any) -> tuple[str, Any]:
    """Return which of four HTTP sources it is; a function URL differs from an HTTP API only by its domain."""
    context = event["requestContext"]
    if not isinstance(context, dict):
        return "", ()
    if "elb" in context:
        return "alb", ()
    domain = context.get("domainName")
    if isinstance(domain, str) and ".lambda-url." in domain:
        return "function-url", ()
    known = any(field in context for field in ("apiId", "stage", "routeKey", "connectionId", "resourcePath"))
    return ("api-gateway" if known else ""), ()


def _bot(event: Any) -> tuple[str, Any]:
    lex = any(field in event for field in ("currentIntent", "sessionState", "invocationSource"))
    return ("lex" if lex else ""), ()


def _request(event: Any) -> tuple[str, Any]:
    """Recognize an Alexa skill: a request with a type, and a session or a device context."""
    request = event["request"]
    skill = isinstance(request, dict) and "type" in request and ("session" in event or "context" in event)
    return ("alexa" if skill else ""), ()


def _smart_home(event: Any) -> tuple[str, Any]:
    """Recognize an Alexa smart home directive, payload version 3 (in `directive`) or 2."""
    body = event.get("directive", event)
    header = body.get("header") if isinstance(body, dict) else None
    namespace = header.get("namespace") if isinstance(header, dict) else None
    return ("alexa" if isinstance(namespace, str) and namespace.startswith("Alexa") else ""), ()


_IOT_EVENTS = (
    "THING_EVENT",
    "THING_TYPE_EVENT",
    "THING_GROUP_EVENT",
    "THING_GROUP_MEMBERSHIP_EVENT",
    "THING_GROUP_HIERARCHY_EVENT",
    "THING_TYPE_ASSOCIATION_EVENT",
    "JOB",
    "JOB_EXECUTION",
)


def _registry(event: Any) -> tuple[str, Any]:
    """Recognize events of IoT: of the registry, of jobs, and of connections (which have a client id)."""
    kind = event["eventType"]
    own = kind in _IOT_EVENTS or (kind in {"connected", "disconnected", "subscribed", "unsubscribed"})
    return ("iot" if own and (kind in _IOT_EVENTS or "clientId" in event) else ""), ()


def _with(name: str, *fields: str) -> Callable[[Any], tuple[str, Any]]:
    """Return a function that returns the source `name` if the event also has all of `fields`."""

    def decide(event: Any) -> tuple[str, Any]:
        return (name if all(field in event for field in fields) else ""), ()

    return decide


def _firehose(event: Any) -> tuple[str, Any]:
    return "firehose", event.get("records") or ()


_BY_FIELD: tuple[tuple[str, Callable[[Any], tuple[str, Any]]], ...] = (
    ("Records", _records),
    ("requestContext", _request_context),
    ("detail-type", _with("eventbridge", "source")),
    ("awslogs", _with("cloudwatch-logs")),
    ("eventSource", _kafka),
    ("deliveryStreamArn", _firehose),
    ("triggerSource", _with("cognito", "userPoolId")),
    ("identityPoolId", _with("cognito", "datasetName")),
    ("StackId", _with("cloudformation", "RequestType")),
    ("transformId", _with("cloudformation", "fragment")),
    ("invokingEvent", _with("config")),
    ("bot", _bot),
    ("request", _request),
    ("directive", _smart_home),
    ("header", _smart_home),
    ("methodArn", _with("api-gateway", "type")),
    ("routeArn", _with("api-gateway", "type")),
    ("getObjectContext", _with("s3")),
    ("invocationSchemaVersion", _with("s3", "tasks")),
    ("iot_topic", _with("iot")),
    ("clickType", _with("iot", "serialNumber")),
    ("deviceEvent", _with("iot", "deviceInfo")),
    ("eventType", _registry),
    ("protocolData", _with("iot", "protocols")),
    ("claimCertificateId", _with("iot", "templateArn")),
    ("Event", lambda event: ("s3" if event["Event"] == "s3:TestEvent" else "", ())),
)


FIELDS = frozenset({*(field for field, _ in _BY_FIELD), *CONTEXT_FIELDS, *_CARRIERS})
"""An object without any of these fields has no known source."""


def _details(name: str, event: Any, first: Any, last: Any) -> Details:
    resource, arn, sent = _DETAILS[name]
    place = (arn(first) or arn(event)) if arn else ""
    named = resource(first, place)
    if sent is None:
        return named, place, None, None
    oldest = _time(sent(first))
    return named, place, oldest, oldest if last is first else _time(sent(last))


def _time(seconds: float | None) -> float | None:
    """Return a time between 1970 and the year 5138; None for any other, and for NaN."""
    return seconds if seconds is not None and 0 < seconds < 1e11 else None


def _at(*path: str) -> Callable[[Any], Any]:
    """Return a function that returns the value at a path of keys, or None."""

    def get(record: Any) -> Any:
        for key in path:
            record = record.get(key) if isinstance(record, dict) else None
        return record

    return get


def _text(*path: str) -> Callable[[Any], str]:
    at = _at(*path)

    def get(record: Any) -> str:
        value = at(record)
        return value if isinstance(value, str) else ""

    return get


def _iso(*path: str) -> Callable[[Any], float | None]:
    at = _text(*path)
    return lambda record: iso_seconds(at(record))


def _epoch(unit: int, *path: str) -> Callable[[Any], float | None]:
    """Return a function that reads a number or its text, in seconds (unit 1) or milliseconds (1000)."""
    at = _at(*path)

    def get(record: Any) -> float | None:
        value = at(record)
        return None if value is None or isinstance(value, bool) else float(value) / unit

    return get


def _last(separator: str, index: int = -1) -> Callable[[Any, str], str]:
    """Return a function that returns a part of the ARN."""

    def name(_: Any, arn: str) -> str:
        parts = arn.split(separator)
        return parts[index] if len(parts) > abs(index) - (index < 0) else ""

    return name


def _of(at: Callable[[Any], str]) -> Callable[[Any, str], str]:
    return lambda record, _: at(record)


def _stack(event: Any, arn: str) -> str:
    return _last("/", 1)(event, arn) if arn else _text("transformId")(event)


def _domain(record: Any, _: str) -> str:
    recipients = _at("ses", "receipt", "recipients")(record)
    return str(recipients[0]).rpartition("@")[2] if recipients else ""


def _rule_or_source(event: Any, _: str) -> str:
    resources = event.get("resources")
    rule = resources[0] if isinstance(resources, list) and resources else ""
    return rule.partition(":rule/")[2] if isinstance(rule, str) and ":rule/" in rule else str(event["source"])


def _api(event: Any, _: str) -> str:
    context = event.get("requestContext")
    if not isinstance(context, dict):
        return str(event.get("methodArn") or event.get("routeArn")).split(":")[-1].split("/")[0]
    return "/".join(str(context[field]) for field in ("apiId", "stage") if context.get(field))


def _api_time(event: Any) -> float | None:
    context = event.get("requestContext")
    if not isinstance(context, dict):
        return None
    milliseconds = context.get("requestTimeEpoch") or context.get("timeEpoch")
    return None if milliseconds is None else float(milliseconds) / 1000


def _log_group(event: Any, _: str) -> str:
    """Return the log group's name; only the beginning of the data is decompressed."""
    import zlib
    from binascii import a2b_base64

    head = zlib.decompressobj(31).decompress(a2b_base64(event["awslogs"]["data"][:2048]), 1024)
    return head.partition(b'"logGroup":"')[2].partition(b'"')[0].decode("utf-8", "replace")


def _config_time(event: Any) -> float | None:
    from json import loads

    return iso_seconds(_text("notificationCreationTime")(loads(event["invokingEvent"])))


def _bucket(record: Any, arn: str) -> str:
    named = _text("s3", "bucket", "name")(record) or _text("Bucket")(record)
    return named or arn.rpartition(":")[2] or _bucket_of_task(record)


def _bucket_of_task(event: Any) -> str:
    tasks = event.get("tasks")
    return (
        str(tasks[0].get("s3BucketArn", "")).rpartition(":")[2] if isinstance(tasks, list) and tasks else ""
    )


def _thing(event: Any, _: str) -> str:
    return next(
        (str(event[f]) for f in ("iot_topic", "thingName", "clientId", "serialNumber") if event.get(f)), ""
    )


_DETAILS: dict[str, tuple[Callable[[Any, str], str], Any, Any]] = {
    # source: (name of the resource, from the record and its ARN; the ARN; the record's time)
    "s3": (_bucket, _text("s3", "bucket", "arn"), _iso("eventTime")),
    "dynamodb": (
        _last("/", 1),
        _text("eventSourceARN"),
        _epoch(1, "dynamodb", "ApproximateCreationDateTime"),
    ),
    "kinesis": (_last("/", 1), _text("eventSourceARN"), _epoch(1, "kinesis", "approximateArrivalTimestamp")),
    "sns": (_last(":"), _text("Sns", "TopicArn"), _iso("Sns", "Timestamp")),
    "ses": (_domain, None, _iso("ses", "mail", "timestamp")),
    "cognito": (lambda e, _: str(e.get("userPoolId") or e.get("identityPoolId")), None, None),
    "cloudformation": (_stack, _text("StackId"), None),
    "cloudwatch-logs": (_log_group, None, None),
    "eventbridge": (_rule_or_source, None, _iso("time")),
    "codecommit": (_last(":"), _text("eventSourceARN"), _iso("eventTime")),
    "config": (_of(_text("configRuleName")), _text("configRuleArn"), _config_time),
    "alexa": (_of(_text("session", "application", "applicationId")), None, _iso("request", "timestamp")),
    "lex": (_of(_text("bot", "name")), None, None),
    "api-gateway": (_api, None, _api_time),
    "iot": (_thing, None, None),
    "cloudfront": (_of(_text("cf", "config", "distributionId")), None, None),
    "sqs": (_last(":"), _text("eventSourceARN"), _epoch(1000, "attributes", "SentTimestamp")),
    "alb": (_last("/", 1), _text("requestContext", "elb", "targetGroupArn"), None),
    "function-url": (_of(_text("requestContext", "apiId")), None, _api_time),
    "kafka": (_of(_text("topic")), None, _epoch(1000, "timestamp")),
    "firehose": (_last("/", 1), _text("deliveryStreamArn"), _epoch(1000, "approximateArrivalTimestamp")),
}


def iso_seconds(text: str) -> float | None:
    """Parse `2026-11-23T10:00:00.123Z` to seconds since the epoch; return None for any other text.

    It does not use datetime, which the runtime client has not imported. Offsets such as `+01:00` are applied.
    """
    try:
        year, month, day = int(text[0:4]), int(text[5:7]), int(text[8:10])
        whole = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
        rest = text[19:].rstrip("Zz")
        sign_at = max(rest.find("+"), rest.find("-"))
        fraction, offset = (rest, "") if sign_at < 0 else (rest[:sign_at], rest[sign_at:])
    except (ValueError, TypeError):
        return None
    # Days from 1970-01-01 by the civil calendar, the year beginning in March (so that a leap day comes last).
    shifted = year - (month <= 2)
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400
    days += (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 719469
    try:
        return days * 86400 + whole + (float("0" + fraction) if fraction else 0) - _offset(offset)
    except ValueError:
        return None


def _offset(text: str) -> int:
    if not text:
        return 0
    digits = text[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60
    return -seconds if text[0] == "-" else seconds
