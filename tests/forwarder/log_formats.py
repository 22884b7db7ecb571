"""The same log events in every form that AWS's tools, a console, a shell or a stream gives them."""

import base64
import bz2
import csv
import gzip
import io
import json
import lzma
import sys
from datetime import UTC, datetime

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GROUP = "/aws/lambda/carts"
OWNER = "111122223333"
STREAM = "2026/11/23/[$LATEST]0a1b2c3d4e5f60718293a4b5c6d7e8f9"
NOON = 1_795_435_200_000
REQUEST = "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36"
SPAN = {
    "trace_id": "0fa1b2c3d4e5f607", "span_id": "00000000000000aa", "parent_id": "0", "service": "carts",
    "resource": "r", "name": "aws.lambda", "error": 0, "start": 1, "duration": 2, "meta": {}, "metrics": {}, "type": "",
}  # fmt: skip
MESSAGES = (
    f"START RequestId: {REQUEST} Version: $LATEST",
    f"MONITORING|{NOON // 1000}|3|count|carts.added|#kind:new",
    f'{{"m":"carts.total","v":12.5,"e":{NOON // 1000},"t":["kind:new"]}}',
    'plain, with "quotes", commas and ümlauts → 購物車',
    json.dumps(
        {"level": "INFO", "message": "a JSON log", "items": [1, 2, {"a": None}]}, separators=(",", ":")
    ),
    "Traceback (most recent call last):\n  File \"app.py\", line 3\nKeyError: 'cart'",
    json.dumps({"traces": [[SPAN]]}, separators=(",", ":")),
    f"END RequestId: {REQUEST}",
    f"REPORT RequestId: {REQUEST}\tDuration: 2.50 ms\tBilled Duration: 3 ms\tMemory Size: 512 MB\tMax Memory Used: 95 MB",
)


def events(rounds=1):
    """(milliseconds, message), a second apart."""
    return [(NOON + 1000 * i, message) for i, message in enumerate(MESSAGES * rounds)]


def _iso(stamp, form="milliseconds"):
    return datetime.fromtimestamp(stamp / 1000, UTC).isoformat(timespec=form)


def _lines(found, prefix):
    return "".join(f"{prefix(stamp)} {message}\n" for stamp, message in found)


def _pretty(message):
    try:
        return "\n" + json.dumps(json.loads(message), indent=4)
    except ValueError:
        return message


def _page(found, indent=None, **more):
    rows = [
        {
            "logStreamName": STREAM,
            "timestamp": stamp,
            "message": f"{message}\n",
            "ingestionTime": stamp + 9,
            "eventId": "1",
        }
        for stamp, message in found
    ]
    return json.dumps({"events": rows, "searchedLogStreams": [], **more}, indent=indent)


def _insights(found):
    return [
        {
            "@timestamp": _iso(stamp)[:23].replace("T", " "),
            "@message": message,
            "@logStream": STREAM,
            "@log": f"{OWNER}:{GROUP}",
        }
        for stamp, message in found
    ]


def _csv(rows, delimiter=","):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def payload(found, indent=None, order=1):
    head = {"messageType": "DATA_MESSAGE", "owner": OWNER, "logGroup": GROUP, "logStream": STREAM}
    rows = [
        {"id": str(i), "timestamp": stamp, "message": message} for i, (stamp, message) in enumerate(found)
    ]
    body = head | {"subscriptionFilters": ["f"], "logEvents": rows}
    return json.dumps(dict(list(body.items())[::order]), indent=indent)


def packed(found):
    return base64.b64encode(gzip.compress(payload(found).encode())).decode()


def _halves(found):
    return found[: len(found) // 2], found[len(found) // 2 :]


FORMS = {
    "aws logs tail": lambda e: _lines(e, lambda t: f"{_iso(t, 'microseconds')} {STREAM}"),
    "aws logs tail, colored": lambda e: _lines(
        e, lambda t: f"\x1b[32m{_iso(t, 'microseconds')}\x1b[0m \x1b[36m{STREAM}\x1b[0m"
    ),
    "aws logs tail --format short": lambda e: _lines(e, lambda t: _iso(t, "seconds")[:19]),
    "aws logs tail --format json": lambda e: "".join(f"{_iso(t, 'auto')} {STREAM} {_pretty(m)}\n" for t, m in e),
    "sam logs": lambda e: _lines(e, lambda t: f"{STREAM} {_iso(t, 'microseconds')[:26]}"),
    "an export to S3": lambda e: _lines(e, lambda t: f"{_iso(t)[:23]}Z"),
    "filter-log-events": lambda e: _page(e, 4),
    "filter-log-events, compact": _page,
    "filter-log-events, sorted keys": lambda e: json.dumps(json.loads(_page(e)), indent=2, sort_keys=True),
    "filter-log-events, pages": lambda e: "\n".join(_page(half, 4, nextToken="t") for half in _halves(e)),
    "filter-log-events, compact pages": lambda e: "".join(map(_page, _halves(e))),
    "get-log-events": lambda e: json.dumps(
        {"nextForwardToken": "f/1", "events": [{"timestamp": t, "message": m} for t, m in e], "nextBackwardToken": "b/1"}
    ),
    "--query events": lambda e: json.dumps(json.loads(_page(e))["events"], indent=4),
    "filter-log-events --output text": lambda e: "".join(
        f"EVENTS\t{'3' * 56}\t{t + 9}\t{STREAM}\t{m}\n\t{t}\n" for t, m in e
    ) + f"SEARCHEDLOGSTREAMS\tTrue\t{STREAM}\n",
    "get-log-events --output text": lambda e: f"b/{'3' * 56}\tf/{'3' * 56}\n" + "".join(
        f"EVENTS\t{t + 9}\t{m}\t{t}\n" for t, m in e
    ),
    "--query 'events[].[timestamp,message]' --output text": lambda e: "".join(f"{t}\t{m}\n" for t, m in e),
    "start-live-tail, JSON": lambda e: "".join(
        json.dumps({"logStreamName": STREAM, "logGroupIdentifier": f"{OWNER}:{GROUP}", "message": m, "timestamp": t}) + "\n"
        for t, m in e
    ),
    "get-query-results": lambda e: json.dumps(
        {
            "queryLanguage": "CWLI",
            "results": [[{"field": k, "value": v} for k, v in row.items()] for row in _insights(e)],
            "statistics": {"recordsMatched": 1.0}, "status": "Complete",
        }, indent=4,
    ),
    "Logs Insights, JSON": lambda e: json.dumps(_insights(e)),
    "Logs Insights, CSV": lambda e: _csv(_insights(e)),
    "Logs Insights, CSV that Excel has saved": lambda e: _csv(_insights(e), ";"),
    "the console, CSV": lambda e: _csv([{"timestamp": t, "message": m} for t, m in e]),
    "one event a line": lambda e: "".join(
        json.dumps({"id": "x", "log_group": GROUP, "log_stream": STREAM, "timestamp": t, "message": m}) + "\n" for t, m in e
    ),
    "Lambda to S3": lambda e: "".join(json.dumps({"timestamp": t, "message": m, "log-group": GROUP}) + "\n" for t, m in e),
    "a payload": payload,
    "a payload, pretty": lambda e: payload(e, 2),
    "a payload, backwards": lambda e: payload(e, order=-1),
    "payloads, as Firehose writes them": lambda e: "".join(map(payload, _halves(e))),
    "payloads in base64, by line": lambda e: "\n".join(map(packed, _halves(e))) + "\n",
    "a Lambda event": lambda e: json.dumps({"awslogs": {"data": packed(e)}}),
    "a Kinesis event": lambda e: json.dumps(
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": packed(half)}} for half in _halves(e)]}
    ),
    "kinesis get-records": lambda e: json.dumps(
        {"Records": [{"SequenceNumber": "1", "Data": packed(e), "PartitionKey": "p"}], "MillisBehindLatest": 0}
    ),
    "a Kafka event": lambda e: json.dumps(
        {"eventSource": "aws:kafka", "records": {"t-0": [{"topic": "t", "partition": 0, "value": packed(e)}]}}
    ),
    "a Firehose transformation": lambda e: json.dumps(
        {"invocationId": "i", "deliveryStreamArn": "a", "records": [{"recordId": "1", "data": packed(half)} for half in _halves(e)]}
    ),
    "Firehose over HTTP": lambda e: json.dumps({"requestId": "r", "timestamp": 1, "records": [{"data": packed(e)}]}),
    "a Firehose error object": lambda e: json.dumps(
        {"attemptsMade": 4, "arrivalTimestamp": NOON, "errorCode": "x", "rawData": packed(e)}
    ) + "\n",
    "SQS": lambda e: json.dumps({"Records": [{"eventSource": "aws:sqs", "body": json.dumps({"awslogs": {"data": packed(e)}})}]}),
    "sqs receive-message": lambda e: json.dumps(
        {"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps({"awslogs": {"data": packed(e)}})}]}
    ),
    "EventBridge Pipes": lambda e: json.dumps(
        [{"eventSource": "aws:kinesis", "partitionKey": "p", "data": packed(half)} for half in _halves(e)]
    ),
}  # fmt: skip

TEXTS = {
    "UTF-8": str.encode,
    "UTF-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16 LE with a mark": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "UTF-16 BE with a mark": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
}

PACKINGS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip twice": lambda body: gzip.compress(gzip.compress(body)),
    "gzip in members, a newline between": lambda body: (
        gzip.compress(body[: len(body) // 2]) + b"\n" + gzip.compress(body[len(body) // 2 :])
    ),
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "gzip in base64": lambda body: base64.encodebytes(gzip.compress(body)),
    "gzip in one line of base64": lambda body: base64.b64encode(gzip.compress(body)),
}
