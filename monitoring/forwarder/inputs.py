"""Parse events into units of delivery; each unit can fail and be delivered again without the others.

Subscription payloads come directly or through streams; notifications of S3 objects from S3, SNS, SQS or
EventBridge; spooled batches from SQS; status changes and the schedule of the redrive from EventBridge.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus

from monitoring.forwarder.aws import Clients, error_code
from monitoring.forwarder.bodies import read_body
from monitoring.forwarder.decoding import CHUNK
from monitoring.forwarder.pieces import (
    LinePiece,
    Piece,
    Redrive,
    Refusal,
    Rest,
    Skipped,
    Spooled,
    Unit,
    count_lines,
)
from monitoring.forwarder.positions import Delivery
from monitoring.forwarder.shapes import CONTENT, ContentShapes, event_source
from monitoring.forwarder.spool import MARK

_FIRST_KEYS = frozenset(
    {"version", "id", "detail-type", "source", "account", "detail", "stepscope", "Service", "Event", "Type"}
)
_GONE = {
    "NoSuchKey": "the object does not exist any more",
    "404": "the object does not exist any more",
    "NoSuchBucket": "the bucket does not exist",
    "InvalidObjectState": "the object is archived: restore it, then send its event again",
}
"""S3's error codes for which a retry is useless, and their meaning."""
_DENIED = "allow s3:GetObject on it, and kms:Decrypt on the key that it is encrypted with"
_GROUP = 500_000
"""The largest unit of a stream's records, in characters of base64."""
_TEST_OBJECTS = ("aws-logs-write-test", "ELBAccessLogTestFile", "ConfigWritabilityCheckFile")


class Inputs(ContentShapes):
    """Parse events.

    Args:
        clients: returns the boto3 client of a service.
        stop: returns whether time is up; the rest of an object is then a `Rest`.
    """

    first_keys = ContentShapes.first_keys | _FIRST_KEYS

    def __init__(self, clients: Clients, stop: Callable[[], bool] = lambda: False) -> None:
        self._clients, self.stop = clients, stop

    def units(self, event: Any) -> Iterator[Unit]:
        """Yield the units of an event of any service; an unknown event becomes a refusal."""
        records = event.get("Records") if isinstance(event, dict) else event
        if isinstance(records, list) and records and event_source(records[0]) == "aws:sqs":
            for record in records:
                yield self._message(record)
        elif isinstance(records, list) and all(map(_is_stream_record, records)) and records:
            for group in _groups(records):
                names = [[record["eventID"], record["kinesis"]["data"]] for record in group]
                pieces = self.pieces({"Records": group}, "event")
                yield Unit(identity(names), pieces, group[0]["kinesis"]["sequenceNumber"], stream=True)
        else:
            yield Unit(identity(event), self.pieces(event, "event"))

    def pieces(self, event: Any, where: str) -> Iterator[Piece]:
        """Yield the pieces of an event; `where` is its source, for messages."""
        base = LinePiece([], where)
        parts: Iterator[Piece] | None = None
        if isinstance(event, dict):
            parts = self.event(event, base)
        elif isinstance(event, list) and event:
            read = self.choose("", event[0], {}, base)
            parts = read(iter(event)) if read is not None else None
        if parts is None:
            yield Refusal("not an event of a known service", where, body=json.dumps(event, default=str))
        else:
            yield from parts

    def event(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece] | None:
        """Return the pieces of an event, or None if it is unknown."""
        if record.get("source") == "aws.s3" and isinstance(record.get("detail"), dict):
            return self._eventbridge_object(record, base)
        if record.get("detail-type") == "Scheduled Event" or record.get("stepscope") == "redrive":
            return iter([Redrive()])
        if (failed := failed_event(record)) is not None:
            return self.event(failed, base)
        if record.get("Event") == "s3:TestEvent":
            return iter([Skipped("the test event of a bucket's notifications", base.where)])
        if record.get("Type") == "Notification" and "Message" in record:
            return self._nested(record["Message"], base.where)
        return super().event(record, base)

    def record(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece] | None:
        """Return the pieces of a record of an event, or None if it is unknown."""
        source = event_source(record)
        if source == "aws:s3":
            return self._s3_record(record, base)
        if source == "aws:sqs":
            return self._message(record).pieces
        if source == "aws:sns" and isinstance(record.get("Sns"), dict):
            return self._nested(record["Sns"].get("Message"), "SNS message")
        if "Body" in record and "ReceiptHandle" in record:  # what `aws sqs receive-message` prints
            return self._nested(record["Body"], f"SQS message {record.get('MessageId', '')}")
        return super().record(record, base)

    def _message(self, record: Any) -> Unit:
        """Return the unit of an SQS message, so that it can fail alone."""
        if not isinstance(record, dict):
            text = json.dumps(record, default=str)
            return Unit(identity(text), iter([Refusal("the record is not an object", "SQS", body=text)]))
        body, name = record.get("body"), str(record.get("messageId") or "")
        attributes = record.get("attributes")
        count = attributes.get("ApproximateReceiveCount", "1") if isinstance(attributes, dict) else "1"
        if isinstance(body, str) and MARK in body[:40]:
            received = int(count) if str(count).isdigit() else 1
            pieces: Iterator[Piece] = iter([Spooled(body, str(record.get("receiptHandle") or ""), received)])
        else:
            pieces = self._nested(body, f"SQS message {name}")
        return Unit(identity([name, body]), pieces, name)

    def _nested(self, body: Any, where: str) -> Iterator[Piece]:
        """Yield the pieces of a message: an event, such as S3's in SNS in SQS, or lines."""
        text = body if isinstance(body, str) else json.dumps(body, default=str)
        return read_body([text.encode("utf-8", "replace")], LinePiece([], where), self)

    def _s3_record(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece]:
        name = str(record.get("eventName") or "ObjectCreated")
        try:
            bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
            sequencer = str(record["s3"]["object"].get("sequencer") or "")
        except (KeyError, TypeError, AttributeError):
            text = json.dumps(record, default=str)
            yield Refusal("an S3 record without bucket and key", base.where, body=text)
            return
        if "ObjectCreated" in name or "ObjectRestore:Completed" in name:
            yield from self.read_object(Rest(bucket, key, 0, sequencer))
        else:
            yield Skipped(f"{name} creates no object", f"s3://{bucket}/{key}")

    def _eventbridge_object(self, event: dict[str, Any], base: LinePiece) -> Iterator[Piece]:
        kind, detail = str(event.get("detail-type")), event["detail"]
        try:
            bucket, key = detail["bucket"]["name"], detail["object"]["key"]
            sequencer = str(detail["object"].get("sequencer") or "")
        except (KeyError, TypeError, AttributeError):
            text = json.dumps(event, default=str)
            yield Refusal("an S3 event without bucket and key", base.where, body=text)
            return
        if kind in ("Object Created", "Object Restore Completed"):
            yield from self.read_object(Rest(bucket, key, 0, sequencer))
        else:
            yield Skipped(f"{kind} creates no object", f"s3://{bucket}/{key}")

    def read_object(self, rest: Rest) -> Iterator[Piece]:
        """Yield the pieces of an object, streamed, after its first `rest.skip` lines.

        If S3 does not return the object, it is a refusal, so that the next objects are read; unless the
        object does not exist any more, the unit must be delivered again.
        """
        bucket, key, skip = rest.bucket, rest.key, rest.skip
        where = f"s3://{bucket}/{key}"
        if key.rpartition("/")[2] in _TEST_OBJECTS:
            yield Skipped("an object that AWS tests a delivery with", where)
            return
        try:
            response = self._clients("s3").get_object(Bucket=bucket, Key=key)
        except Exception as error:  # noqa: BLE001 - with any error, the next objects are still read
            yield Delivery(where, separate=True)
            yield _unavailable(error, where)
            return
        body, state = response["Body"], _state(response)
        if rest.state and rest.state != state:
            body.close()
            yield Refusal("the object was replaced before the rest of it was read", where)
            return
        yield Delivery(f"{where}\n{rest.delivery}\n{state}", skip, separate=True)
        kind = "elb" if "elasticloadbalancing" in key else ""
        base = LinePiece(
            [], where, stream=_export_stream(key), kind=kind, fields=(("bucket", bucket), ("key", key))
        )
        try:
            end = 0
            for piece in read_body(body.iter_chunks(CHUNK), base, CONTENT):
                start, end = end, end + count_lines(piece)
                if end <= skip:
                    continue
                if self.stop() and start > skip:
                    yield rest._replace(skip=start, state=state)
                    return
                yield _without_lines(piece, skip - start)
        except Exception as error:  # noqa: BLE001 - as above
            yield _unavailable(error, where)
        finally:
            body.close()


def _is_stream_record(record: Any) -> bool:
    """Return whether it is a Kinesis record whose failure can be reported by its sequence number."""
    kinesis = record.get("kinesis") if event_source(record) == "aws:kinesis" else None
    texts = (
        (kinesis.get("data"), kinesis.get("sequenceNumber"), record.get("eventID"))
        if isinstance(kinesis, dict)
        else (None,)
    )
    return all(isinstance(text, str) for text in texts)


def _groups(records: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield consecutive records in groups, so that small ones share requests to Datadog.

    Lambda retries from the first failed record on, which is the first of its group: the groups after it are
    the same as before, and so are their positions.
    """
    group: list[dict[str, Any]] = []
    size = 0
    for record in records:
        size += len(record["kinesis"]["data"])
        if group and size > _GROUP:
            yield group
            group, size = [], len(record["kinesis"]["data"])
        group.append(record)
    yield group


def _without_lines(piece: Piece, count: int) -> Piece:
    """Return the piece without its first lines, if it has lines and the count is positive."""
    return piece._replace(lines=piece.lines[count:]) if count > 0 and isinstance(piece, LinePiece) else piece


def _unavailable(error: Exception, where: str) -> Refusal:
    """Return the refusal of an object that S3 does not return, with the reason."""
    code = error_code(error)
    if code in _GONE:
        return Refusal(f"S3 answers {code}: {_GONE[code]}", where, whole=True)
    hint = _DENIED if code in ("AccessDenied", "403") else str(error)
    if type(error).__name__ == "NoCredentialsError":
        hint = "there are no AWS credentials: set AWS_PROFILE, or run `aws configure`"
    reason = f"S3 answers {code}: {hint}" if code else f"S3 cannot be read: {hint}"
    return Refusal(reason, where, whole=True, again=True)


def failed_event(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return the event in a record of an on-failure destination of Lambda, or None for anything else."""
    payload = event.get("requestPayload")
    return payload if isinstance(payload, dict) and "requestContext" in event else None


def _state(response: dict[str, Any]) -> str:
    """Return a text that identifies the version of an object."""
    return " ".join(str(response.get(name) or "") for name in ("VersionId", "ETag", "LastModified")).strip()


def _export_stream(key: str) -> str:
    """Return the stream of a log export's key: `prefix/TASK-ID/STREAM/000000.gz`."""
    parts = key.split("/")
    return parts[-2] if len(parts) > 2 and parts[-1].startswith("0000") else ""


def identity(event: Any) -> str:
    """Return a digest of an event's content, the same for every delivery of the event."""
    if isinstance(event, dict):  # Firehose gives another `invocationId` at each attempt
        event = {key: value for key, value in event.items() if key != "invocationId"}
    if isinstance(event, dict) and isinstance(event.get("awslogs"), dict):
        text = str(event["awslogs"].get("data"))
    else:
        text = event if isinstance(event, str) else json.dumps(event, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def answer(event: Any) -> dict[str, Any] | None:
    """Return the response that Firehose expects, or None for an event of another service.

    A transformation returns each record unchanged, so that the stream delivers it to its destination.
    """
    records = event.get("records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        return None
    if "requestId" in event and "deliveryStreamArn" not in event:
        return {"requestId": event["requestId"], "timestamp": event.get("timestamp")}
    if not all(isinstance(record, dict) and "recordId" in record for record in records):
        return None
    contents = ("data", "kafkaRecordValue")
    return {
        "records": [
            {"recordId": record["recordId"], "result": "Ok"}
            | {name: record[name] for name in contents if name in record}
            for record in records
        ]
    }
