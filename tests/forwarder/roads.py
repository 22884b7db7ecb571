"""The roads to the forwarder for tests: events as each service sends them, and the stores behind them.

Every service is a stand-in that keeps what the real one promises: ids of deliveries, ETags, at least once.
"""

import base64
import gzip
import hashlib
import io
import itertools
import json
import time
from collections import Counter

from monitoring.forwarder.forwarder import Forwarder, World
from monitoring.forwarder.settings import ForwarderSettings

NOW = int(time.time())
_numbers = itertools.count(1)  # of deliveries: AWS never gives the same twice


class Bucket:
    """S3: `put` and the two calls that the forwarder makes of it."""

    def __init__(self):
        self.objects = {}

    def put(self, key, body):
        self.objects[key] = (body, next(_numbers))

    def get_object(self, Bucket, Key):
        body, number = self.objects[Key]
        tag = hashlib.md5(body).hexdigest()
        return {"Body": _Body(body), "ETag": f'"{tag}"', "LastModified": number}


class _Body(io.BytesIO):
    def iter_chunks(self, size):
        return iter(lambda: self.read(size), b"")


def payload(messages, stream="2026/11/23/[$LATEST]0", number=0):
    """One subscription payload; with a number, the ids of its log events are its own."""
    events = [
        {"id": f"{number:028d}{i:028d}", "timestamp": NOW * 1000, "message": m}
        for i, m in enumerate(messages)
    ]
    return {
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/law",
        "logStream": stream, "subscriptionFilters": ["all"], "logEvents": events,
    }  # fmt: skip


def packed(messages, number=0):
    text = json.dumps(payload(messages, number=number))
    return base64.b64encode(gzip.compress(text.encode(), 1, mtime=0)).decode()


def _s3_record(key):
    return {
        "eventSource": "aws:s3",
        "s3": {"bucket": {"name": "b"}, "object": {"key": key, "sequencer": f"{next(_numbers):016X}"}},
    }


def _sqs(*bodies):
    return {
        "Records": [
            {
                "eventSource": "aws:sqs", "messageId": f"m-{next(_numbers)}", "receiptHandle": "r", "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
            }
            for body in bodies
        ]
    }  # fmt: skip


def _object(bucket, body):
    key = f"logs/{next(_numbers)}"
    bucket.put(key, body)
    return key


def _text(messages):
    return "".join(f"{m}\n" for m in messages).encode()


def chunked(messages, parts):
    """The messages in so many runs, some of them empty."""
    size = -(-len(messages) // parts) or 1
    return [messages[i * size : (i + 1) * size] for i in range(parts)]


def direct(bucket, messages, parts):
    return {"awslogs": {"data": packed(messages, next(_numbers))}}


def kinesis(bucket, messages, parts):
    return {"Records": [stream_record(packed(run)) for run in chunked(messages, parts)]}


def stream_record(data):
    """One record of Kinesis as Lambda gets it; `data` in base64."""
    number = f"{next(_numbers):056d}"
    content = {"kinesisSchemaVersion": "1.0", "partitionKey": "p", "sequenceNumber": number, "data": data}
    source = {"eventSource": "aws:kinesis", "eventName": "aws:kinesis:record", "awsRegion": "eu-west-1"}
    return {**source, "eventID": f"shardId-000000000000:{number}", "kinesis": content}


def firehose(bucket, messages, parts):
    body = b"".join(json.dumps(payload(run)).encode() for run in chunked(messages, parts) if run)
    return {"Records": [_s3_record(_object(bucket, gzip.compress(body, 1)))]}


def s3(bucket, messages, parts):
    return {"Records": [_s3_record(_object(bucket, _text(run))) for run in chunked(messages, parts)]}


def sns(bucket, messages, parts):
    message = json.dumps(s3(bucket, messages, parts))
    return {
        "Records": [
            {"EventSource": "aws:sns", "Sns": {"MessageId": f"s{next(_numbers)}", "Message": message}}
        ]
    }


def sqs_objects(bucket, messages, parts):
    return _sqs(*(json.dumps(s3(bucket, run, 1)) for run in chunked(messages, parts)))


def sqs_payloads(bucket, messages, parts):
    return _sqs(*(json.dumps({"awslogs": {"data": packed(run)}}) for run in chunked(messages, parts)))


def eventbridge(bucket, messages, parts):
    detail = {"bucket": {"name": "b"}, "object": {"key": _object(bucket, gzip.compress(_text(messages), 1))}}
    head = {"id": f"e{next(_numbers)}", "source": "aws.s3", "detail-type": "Object Created"}
    return head | {"detail": detail}


def sqs_lines(bucket, messages, parts):
    return _sqs(*(_text(run).decode() for run in chunked(messages, parts)))


def kafka(bucket, messages, parts):
    records = [
        {
            "topic": "logs",
            "partition": 0,
            "offset": next(_numbers),
            "timestamp": NOW * 1000,
            "value": packed(run),
        }
        for run in chunked(messages, parts)
    ]
    return {"eventSource": "aws:kafka", "records": {"logs-0": records}}


def pipe(bucket, messages, parts):
    return [
        {"eventSource": "aws:kinesis", "eventID": f"shardId-0:{next(_numbers)}", "data": packed(run)}
        for run in chunked(messages, parts)
    ]


def transformation(bucket, messages, parts):
    head = {
        "invocationId": f"i{next(_numbers)}",
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:1:deliverystream/l",
    }
    records = [{"recordId": f"{next(_numbers)}", "data": packed(run)} for run in chunked(messages, parts)]
    return head | {"region": "eu-west-1", "records": records}


ROADS = {
    "direct": direct, "Kinesis": kinesis, "Firehose": firehose, "S3": s3, "SNS": sns, "EventBridge": eventbridge,
    "SQS with objects": sqs_objects, "SQS with payloads": sqs_payloads, "SQS with lines": sqs_lines,
    "MSK": kafka, "EventBridge Pipes": pipe, "Firehose transformation": transformation,
}  # fmt: skip


class Clock:
    """Time that passes only by sleeping, on top of the real one: waits cost nothing."""

    def __init__(self):
        self.slept = 0.0

    def sleep(self, seconds):
        self.slept += seconds

    def __call__(self):
        return time.monotonic() + self.slept


def forwarder(url, bucket=None, clients=None, **environ):
    base = {"DD_URL": url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false"}
    clock = Clock()
    world = World(
        clients=clients or (lambda _: bucket), monotonic=clock, sleep=clock.sleep, chance=lambda: 0.0
    )
    return Forwarder(ForwarderSettings.from_env(base | environ), "eu-west-1", world)


def stored(intake):
    """What the intake holds: (kind, what it is) -> how often."""
    found = Counter()
    for metric, _, value, tags in intake.points():
        own = ",".join(tag for tag in tags if tag.startswith("zone:"))
        found["points", metric, own] += value
    for entry in intake.logs():
        found["logs", entry["message"].strip(), ""] += 1
    for span in intake.spans():
        found["spans", span["resource"], ""] += 1
    return found
