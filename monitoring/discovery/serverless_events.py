"""Convert events of functions and state machines in `serverless.yml` to SAM's events.

https://www.serverless.com/framework/docs/providers/aws/events
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitoring.discovery.serverless_names import get_att, logical_name, normalised, section

Event = dict[str, Any]


@dataclass(slots=True)
class Compiled:
    """The resources that the events of a service need, in addition to its functions.

    Attributes:
        resources: the template's resources, to which APIs and topics are added.
        stage: the deployment's stage.
        prefix: the prefix of names: `SERVICE-STAGE`.
        notes: notes on parts that could not be converted.
        provider: the service's `provider` section.
        buckets: logical id -> bucket of an `s3` event that is not declared as a resource.
        statements: policy statements of the functions' role for queues and streams.
        routes: (kind of API, method, path) of the routes that already have a target.
    """

    resources: dict[str, Any]
    stage: str
    prefix: str
    notes: list[str]
    provider: Mapping[str, Any]
    buckets: dict[str, Any] = field(default_factory=dict)
    statements: list[Any] = field(default_factory=list)
    routes: set[tuple[str, str, str]] = field(default_factory=set)

    def allow(self, actions: list[str], resource: Any) -> None:
        """Allow actions on a resource in the functions' role."""
        self.statements.append({"Effect": "Allow", "Action": actions, "Resource": resource})

    def rest_api(self) -> dict[str, str]:
        """Return a reference to the service's REST API; add the API if it does not exist."""
        if section(self.provider.get("apiGateway")).get("restApiId"):
            note = "provider.apiGateway.restApiId is of another stack: an API of the service's own stands in"
            self.notes.extend([note] if note not in self.notes else [])
        properties = {"Name": f"{self.stage}-{self.prefix.rpartition('-')[0]}", "StageName": self.stage}
        self.resources.setdefault(
            "ApiGatewayRestApi", {"Type": "AWS::Serverless::Api", "Properties": properties}
        )
        return {"Ref": "ApiGatewayRestApi"}

    def http_api(self) -> dict[str, str]:
        """Return a reference to the service's HTTP API; add the API if it does not exist."""
        self.resources.setdefault(
            "HttpApi", {"Type": "AWS::Serverless::HttpApi", "Properties": {"StageName": "$default"}}
        )
        return {"Ref": "HttpApi"}


def function_events(
    key: str, function: Mapping[str, Any], compiled: Compiled, declared: Mapping[str, Any]
) -> dict[str, Event]:
    """Return the events of one function by name, in SAM's format.

    Args:
        key: the function's name in `serverless.yml`.
        function: its section.
        compiled: receives APIs, topics, buckets, statements and notes.
        declared: the service's own resources, which may contain the bucket of an event.
    """
    events: dict[str, Event] = {}
    listed = function.get("events")
    for number, item in enumerate(listed if isinstance(listed, list) else (), start=1):
        for kind, value in [(item, None)] if isinstance(item, str) else section(item).items():
            made = list(_of_kind(str(kind), value, compiled, declared))
            if not made:
                compiled.notes.append(f"function {key}: an event of type {kind} is left out")
            for part, event in enumerate(made):
                events[f"{normalised(re.sub(r'[^A-Za-z0-9]', '', kind))}{number}{part or ''}"] = event
    return events


def machine_events(key: str, listed: Any, compiled: Compiled) -> dict[str, Event]:
    """Return the events of a state machine by name, in SAM's format."""
    events: dict[str, Event] = {}
    for number, item in enumerate(listed if isinstance(listed, list) else (), start=1):
        for kind, value in section(item).items():
            made = list(_of_kind(kind, value, compiled, {})) if kind in MACHINE_KINDS else []
            if not made:
                compiled.notes.append(f"state machine {key}: an event of type {kind} is left out")
            for part, event in enumerate(made):
                events[f"{normalised(kind)}{number}{part or ''}"] = event
    return events


MACHINE_KINDS = ("http", "schedule", "cloudwatchEvent", "eventBridge")


def invoke_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `EventInvokeConfig` from destinations and retry settings."""
    config: dict[str, Any] = {}
    if settings.get("maximumRetryAttempts") is not None:
        config["MaximumRetryAttempts"] = settings["maximumRetryAttempts"]
    if settings.get("maximumEventAge") is not None:
        config["MaximumEventAgeInSeconds"] = settings["maximumEventAge"]
    destinations = {
        f"On{key[2:]}": {"Type": _destination_type(target), "Destination": _destination(target)}
        for key, target in section(settings.get("destinations")).items()
        if key in ("onSuccess", "onFailure")
    }
    if destinations:
        config["DestinationConfig"] = destinations
    return {"EventInvokeConfig": config} if config else {}


def function_url(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `FunctionUrlConfig` if a function has a URL, else {}."""
    url = settings.get("url")
    if not url:
        return {}
    authorised = section(url).get("authorizer") == "aws_iam"
    return {"FunctionUrlConfig": {"AuthType": "AWS_IAM" if authorised else "NONE"}}


def _destination(target: Any) -> Any:
    if isinstance(target, Mapping):
        return target.get("arn", target)
    return target if str(target).startswith("arn:") else get_att(logical_name(str(target)))


def _destination_type(target: Any) -> str:
    text = str(target)
    for service, kind in ((":sqs:", "SQS"), (":sns:", "SNS"), (":event-bus", "EventBridge")):
        if service in text or (isinstance(target, Mapping) and target.get("type") == kind.lower()):
            return kind
    return "Lambda"


def _of_kind(kind: str, value: Any, compiled: Compiled, declared: Mapping[str, Any]) -> Iterator[Event]:
    if kind == "s3":
        yield from _s3(value, compiled, declared)
    elif kind in _KINDS:
        yield from _KINDS[kind](value, compiled)


def _event(kind: str, **properties: Any) -> Event:
    return {"Type": kind, "Properties": {k: v for k, v in properties.items() if v is not None}}


def _route(value: Any) -> tuple[str, str]:
    """Return (method, path) of `GET /orders`, `{method, path}` or `*`."""
    if isinstance(value, str):
        method, _, path = value.strip().partition(" ")
    else:
        method, path = str(section(value).get("method", "any")), str(section(value).get("path", "/"))
    return ("any" if method == "*" else method.lower()), "/" + path.strip().lstrip("/")


def _http(value: Any, compiled: Compiled) -> Iterator[Event]:
    method, path = _route(value)
    if ("http", method, path) in compiled.routes:
        compiled.notes.append(f"{method.upper()} {path} has two targets: the first one gets the requests")
        return
    compiled.routes.add(("http", method, path))
    yield _event("Api", Path=path, Method=method, RestApiId=compiled.rest_api())


def _http_api(value: Any, compiled: Compiled) -> Iterator[Event]:
    method, path = _route(value)
    if path == "/*" or (isinstance(value, str) and value.strip() == "*"):
        yield _event("HttpApi", ApiId=compiled.http_api())
    else:
        yield _event("HttpApi", ApiId=compiled.http_api(), Path=path, Method=method)


def _input(settings: Mapping[str, Any]) -> dict[str, Any]:
    value = settings.get("input")
    text = value if value is None or isinstance(value, str) else _json_text(value)
    transformer = section(settings.get("inputTransformer"))
    return {
        "Input": text,
        "InputPath": settings.get("inputPath"),
        "InputTransformer": {
            "InputPathsMap": transformer.get("inputPathsMap", {}),
            "InputTemplate": transformer.get("inputTemplate", ""),
        }
        if transformer
        else None,
    }


def _json_text(value: Any) -> str:
    return json.dumps(value, default=str)


def _schedule(value: Any, _compiled: Compiled) -> Iterator[Event]:
    settings = section(value) if isinstance(value, Mapping) else {"rate": value}
    rates = settings.get("rate")
    target = {key: part for key, part in _input(settings).items() if key == "Input"}
    for rate in rates if isinstance(rates, list) else [rates]:
        enabled = settings.get("enabled")
        yield _event(
            "Schedule",
            Schedule=rate,
            Enabled=enabled if isinstance(enabled, bool) else None,
            Name=settings.get("name") if not isinstance(rates, list) else None,
            **target,
        )


def _event_bridge(value: Any, compiled: Compiled) -> Iterator[Event]:
    settings = section(value)
    bus = settings.get("eventBus")
    if settings.get("schedule"):
        yield from _schedule({"rate": settings["schedule"], **settings}, compiled)
    pattern = settings.get("pattern") or settings.get("event")
    if pattern:
        target = _input(settings)
        transformer = target.pop("InputTransformer")
        if transformer:
            compiled.notes.append("inputTransformer of an event rule is left out: the whole event is given")
        yield _event("EventBridgeRule", Pattern=pattern, EventBusName=_bus(bus), **target)


def _bus(bus: Any) -> Any:
    return bus.rpartition("/")[2] if isinstance(bus, str) else bus


def _sns(value: Any, compiled: Compiled) -> Iterator[Event]:
    settings = section(value) if isinstance(value, Mapping) else {}
    topic: Any = settings.get("arn") if settings else value
    if not settings and isinstance(value, Mapping):
        topic = value
    name = settings.get("topicName") if settings else value
    if not (isinstance(topic, Mapping) or str(topic).startswith("arn:")):
        logical_id = f"SNSTopic{normalised(re.sub(r'[^A-Za-z0-9]', '', str(name)))}"
        compiled.resources.setdefault(
            logical_id, {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": str(name)}}
        )
        topic = {"Ref": logical_id}
    yield _event("SNS", Topic=topic, FilterPolicy=settings.get("filterPolicy"))


_BATCHES = {
    "batchSize": "BatchSize",
    "batchWindow": "MaximumBatchingWindowInSeconds",
    "maximumBatchingWindow": "MaximumBatchingWindowInSeconds",
    "bisectBatchOnFunctionError": "BisectBatchOnFunctionError",
    "maximumRecordAgeInSeconds": "MaximumRecordAgeInSeconds",
    "maximumRetryAttempts": "MaximumRetryAttempts",
    "parallelizationFactor": "ParallelizationFactor",
    "tumblingWindowInSeconds": "TumblingWindowInSeconds",
    "enabled": "Enabled",
}


def _mapping(settings: Mapping[str, Any]) -> dict[str, Any]:
    properties = {target: settings[source] for source, target in _BATCHES.items() if source in settings}
    if settings.get("functionResponseType"):
        properties["FunctionResponseTypes"] = [settings["functionResponseType"]]
    patterns = settings.get("filterPatterns")
    if isinstance(patterns, list):
        properties["FilterCriteria"] = {"Filters": [{"Pattern": _json_text(item)} for item in patterns]}
    return properties


def _sqs(value: Any, compiled: Compiled) -> Iterator[Event]:
    settings = section(value) if isinstance(value, Mapping) and "arn" in value else {"arn": value}
    compiled.allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], settings["arn"])
    yield _event("SQS", Queue=settings["arn"], **_mapping(settings))


def _stream(value: Any, compiled: Compiled) -> Iterator[Event]:
    settings = section(value) if isinstance(value, Mapping) and "arn" in value else {"arn": value}
    arn, declared = settings["arn"], settings.get("type")
    is_table = declared == "dynamodb" or (declared is None and re.search("dynamodb|StreamArn", str(arn)))
    kind = "DynamoDB" if is_table else "Kinesis"
    service = kind.lower()
    actions = ["GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"]
    compiled.allow([f"{service}:{action}" for action in actions], arn)
    position = settings.get("startingPosition", "TRIM_HORIZON")
    yield _event(kind, Stream=arn, StartingPosition=position, **_mapping(settings))


def _log_events(value: Any, _compiled: Compiled) -> Iterator[Event]:
    settings = section(value) if isinstance(value, Mapping) else {"logGroup": value}
    yield _event(
        "CloudWatchLogs", LogGroupName=settings.get("logGroup"), FilterPattern=settings.get("filter", "")
    )


def _iot(value: Any, _compiled: Compiled) -> Iterator[Event]:
    yield _event("IoTRule", Sql=section(value).get("sql"))


def _s3(value: Any, compiled: Compiled, declared: Mapping[str, Any]) -> Iterator[Event]:
    settings = section(value) if isinstance(value, Mapping) and "bucket" in value else {"bucket": value}
    bucket = settings["bucket"]
    logical_id = _bucket(bucket, settings, compiled, declared)
    rules = [
        {"Name": key, "Value": text}
        for rule in settings.get("rules") or ()
        for key, text in section(rule).items()
    ]
    yield _event(
        "S3",
        Bucket={"Ref": logical_id},
        Events=settings.get("event", "s3:ObjectCreated:*"),
        Filter={"S3Key": {"Rules": rules}} if rules else None,
    )


def _bucket(bucket: Any, settings: Mapping[str, Any], compiled: Compiled, declared: Mapping[str, Any]) -> str:
    """Return the logical id of an event's bucket; add a bucket that the template does not declare."""
    if isinstance(bucket, Mapping) and str(bucket.get("Ref")) in declared:
        return str(bucket["Ref"])
    for logical_id, body in declared.items():
        properties = section(section(body).get("Properties"))
        if section(body).get("Type") == "AWS::S3::Bucket" and properties.get("BucketName") == bucket:
            return logical_id
    configured = section(section(compiled.provider.get("s3")).get(str(bucket)))
    name: Any = configured.get("name", bucket)
    words = re.sub(r"[^A-Za-z0-9]", "", str(bucket) if isinstance(bucket, str) else "Events")
    logical_id = f"S3Bucket{normalised(words)}"
    compiled.buckets[logical_id] = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    if settings.get("existing"):
        compiled.notes.append(f"bucket {name!r} exists already: {logical_id} stands in for it")
    return logical_id


_KINDS: dict[str, Callable[[Any, Compiled], Iterator[Event]]] = {
    "http": _http,
    "httpApi": _http_api,
    "schedule": _schedule,
    "eventBridge": _event_bridge,
    "cloudwatchEvent": _event_bridge,
    "sns": _sns,
    "sqs": _sqs,
    "stream": _stream,
    "cloudwatchLog": _log_events,
    "iot": _iot,
}
