"""What an event brings, as units of delivery: each can fail and be delivered again without the others.

Subscriptions come directly or through Kinesis; objects are named by S3 itself, SNS, SQS or EventBridge;
SQS also brings spooled batches back; EventBridge brings status changes and the schedule of the redrive.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from monitoring.forwarder.aws import Clients
from monitoring.forwarder.objects import (
    CHUNK,
    UNREADABLE,
    Lines,
    LogPayload,
    Refusal,
    expand,
    pieces,
    subscription_payload,
)
from monitoring.forwarder.positions import Delivery
from monitoring.forwarder.spool import MARK
from monitoring.log_events.codec import Payload, decode_payload, load_object
from monitoring.log_events.status_change import DETAIL_TYPES

VALIDATION_STREAM = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
_PERMANENT = frozenset({"NoSuchKey", "NoSuchBucket", "AccessDenied", "404", "403", "InvalidObjectState"})


class StatusChange(NamedTuple):
    """One status change of an execution: Step Functions', or a durable function's."""

    event: dict[str, Any]


class Spooled(NamedTuple):
    """One spooled batch that a queue brings back: the message's body, and how often it was received."""

    body: str
    receipt: str
    received: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """The request to send what the spool holds."""


class Rest(NamedTuple):
    """What time did not suffice for: an object from its `skip`-th piece on.

    `delivery` identifies the notification, `state` the version of the object that was read.
    """

    bucket: str
    key: str
    skip: int
    delivery: str = ""
    state: str = ""


Piece = Delivery | LogPayload | Lines | StatusChange | Spooled | Redrive | Rest | Refusal


class Unit(NamedTuple):
    """What is delivered, or delivered again, as one.

    `identity` is the same each time; `ack` is the message id that SQS wants to hear of when the unit failed.
    """

    identity: str
    pieces: Iterator[Piece]
    ack: str = ""


class Inputs:
    """Reads events.

    Args:
        clients: boto3's, for S3.
        stop: whether time is up; what is left of an object is then a `Rest`.
    """

    def __init__(self, clients: Clients, stop: Callable[[], bool] = lambda: False) -> None:
        self._clients, self.stop = clients, stop

    def units(self, event: Any) -> Iterator[Unit]:
        """The units of an event, whichever service sent it; what is not known becomes a refusal."""
        records = event.get("Records") if isinstance(event, dict) else None
        source = _event_source(records[0]) if isinstance(records, list) and records else ""
        if source == "aws:sqs":
            for record in records or ():
                yield self._message(record)
        else:
            yield Unit(_identity(event), self._event(event, "event"))

    def _message(self, record: Any) -> Unit:
        """One SQS message: a unit of its own, so that it can fail alone."""
        if not isinstance(record, dict):
            text = json.dumps(record, default=str)
            return Unit(_identity(text), iter([Refusal("the record is no object", "SQS", body=text)]))
        body, name = record.get("body"), str(record.get("messageId") or "")
        attributes = record.get("attributes")
        count = attributes.get("ApproximateReceiveCount", "1") if isinstance(attributes, dict) else "1"
        if isinstance(body, str) and MARK in body[:40]:
            received = int(count) if str(count).isdigit() else 1
            found: Iterator[Piece] = iter([Spooled(body, str(record.get("receiptHandle") or ""), received)])
        else:
            found = self._nested(body, f"SQS message {name}")
        return Unit(_identity([name, body]), found, name)

    def pieces(self, event: Any, where: str) -> Iterator[Piece]:
        """The pieces of one event, units or not; `where` says where it stands."""
        records = event.get("Records") if isinstance(event, dict) else None
        if isinstance(records, list) and records and _event_source(records[0]) == "aws:sqs":
            for record in records:
                yield from self._message(record).pieces
        else:
            yield from self._event(event, where)

    def _event(self, event: Any, where: str, depth: int = 0) -> Iterator[Piece]:
        if not isinstance(event, dict):
            yield Refusal("the event is no object", where, body=json.dumps(event, default=str))
            return
        for matches, read in self._shapes():
            if matches(event):
                yield from read(event, where, depth)
                return
        text = json.dumps(event, default=str)
        yield Refusal("no event of a service that is known here", where, body=text)

    def _shapes(self) -> tuple[tuple[Callable[[Any], bool], Callable[[Any, str, int], Iterator[Piece]]], ...]:
        """How an event is told from the others, and what reads it; the first that matches counts."""
        return (
            (lambda e: isinstance(e.get("awslogs"), dict), self._direct),
            (lambda e: isinstance(e.get("logEvents"), list), self._plain_payload),
            (lambda e: str(e.get("detail-type")) in DETAIL_TYPES, lambda e, _w, _d: iter([StatusChange(e)])),
            (lambda e: e.get("source") == "aws.s3" and "detail" in e, self._eventbridge_object),
            (_is_schedule, lambda _e, _w, _d: iter([Redrive()])),
            (lambda e: e.get("Event") == "s3:TestEvent", lambda _e, _w, _d: iter(())),
            (lambda e: e.get("Type") == "Notification" and "Message" in e, self._notification),
            (lambda e: isinstance(e.get("Records"), list), self._records),
        )

    def _records(self, event: dict[str, Any], where: str, depth: int) -> Iterator[Piece]:
        for record in event["Records"]:
            source = _event_source(record)
            if source == "aws:kinesis":
                data = (
                    record.get("kinesis", {}).get("data") if isinstance(record.get("kinesis"), dict) else None
                )
                yield from subscription(data, f"Kinesis record {record.get('eventID', '')}")
            elif source == "aws:s3":
                yield from self._s3_record(record)
            elif source == "aws:sns" and isinstance(record.get("Sns"), dict):
                yield from self._nested(record["Sns"].get("Message"), "SNS message", depth + 1)
            else:
                text = json.dumps(record, default=str)
                yield Refusal(f"a record of {source or 'no known service'}", where, body=text)

    def _nested(self, body: Any, where: str, depth: int = 0) -> Iterator[Piece]:
        """An event within a message: S3's in SNS in SQS, at the deepest."""
        record = load_object(body) if isinstance(body, str) else None
        if record is None or depth > 3:
            yield Refusal("the message holds no JSON object", where, body=str(body))
        else:
            yield from self._event(record, where, depth + 1)

    def _direct(self, event: dict[str, Any], where: str, _: int) -> Iterator[Piece]:
        yield from subscription(event["awslogs"].get("data"), "awslogs" if where == "event" else where)

    def _plain_payload(self, event: dict[str, Any], where: str, _: int) -> Iterator[Piece]:
        try:
            payload, wrong = decode_payload(json.dumps(event).encode())
        except UNREADABLE as error:
            yield Refusal(f"no subscription payload: {error}", where, body=json.dumps(event, default=str))
            return
        if _wanted(payload):
            yield LogPayload(payload, wrong)

    def _notification(self, event: dict[str, Any], where: str, depth: int) -> Iterator[Piece]:
        yield from self._nested(event.get("Message"), where, depth)

    def _s3_record(self, record: dict[str, Any]) -> Iterator[Piece]:
        try:
            bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        except (KeyError, TypeError, AttributeError):
            text = json.dumps(record, default=str)
            yield Refusal("an S3 record without bucket and key", "S3", body=text)
            return
        delivery = record["s3"]["object"].get("sequencer")
        yield from self.read_object(Rest(bucket, key, 0, str(delivery or "")))

    def _eventbridge_object(self, event: dict[str, Any], where: str, _: int) -> Iterator[Piece]:
        if event.get("detail-type") != "Object Created":
            return
        try:
            bucket, key = event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
        except (KeyError, TypeError):
            yield Refusal("an S3 event without bucket and key", where, body=json.dumps(event, default=str))
            return
        delivery = event["detail"]["object"].get("sequencer")
        yield from self.read_object(Rest(bucket, key, 0, str(delivery or "")))

    def read_object(self, rest: Rest) -> Iterator[Piece]:
        """Read the log events of one object from a piece on, streamed; a missing object is a refusal.

        Raises:
            Exception: S3's other errors: they may pass, so the unit fails and comes again.
        """
        bucket, key, skip = rest.bucket, rest.key, rest.skip
        where = f"s3://{bucket}/{key}"
        try:
            answer = self._clients("s3").get_object(Bucket=bucket, Key=key)
        except Exception as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
            if code not in _PERMANENT:
                raise
            yield Refusal(f"S3 answers {code}", where)
            return
        body, state = answer["Body"], _state(answer)
        if rest.state and rest.state != state:
            body.close()
            yield Refusal("the object was replaced before the rest of it was read", where)
            return
        yield Delivery(f"{where}\n{rest.delivery}\n{state}", skip, separate=True)
        kind = "elb" if "elasticloadbalancing" in key else ""
        base = Lines(
            [], where, stream=_export_stream(key), kind=kind, fields=(("bucket", bucket), ("key", key))
        )
        try:
            found = (piece for piece in pieces(expand(body.iter_chunks(CHUNK)), base) if _is_wanted(piece))
            for number, piece in enumerate(found):
                if number < skip:
                    continue
                if self.stop() and number > skip:
                    yield rest._replace(skip=number, state=state)
                    return
                yield piece
        finally:
            body.close()


def _state(answer: dict[str, Any]) -> str:
    """Identify the object among all that were put under the same key."""
    return " ".join(str(answer.get(name) or "") for name in ("VersionId", "ETag", "LastModified")).strip()


def subscription(data: Any, where: str) -> Iterator[Piece]:
    """A subscription's `data`: base64 of gzip of one payload; control messages are skipped."""
    piece = subscription_payload(data, where)
    if isinstance(piece, Refusal):
        yield piece._replace(body=json.dumps({"awslogs": {"data": data}}, default=str))
    elif _wanted(piece.payload):
        yield piece


def _is_wanted(piece: Piece) -> bool:
    return not isinstance(piece, LogPayload) or _wanted(piece.payload)


def _wanted(payload: Payload) -> bool:
    return payload.messageType != "CONTROL_MESSAGE" and payload.logStream != VALIDATION_STREAM


def _event_source(record: Any) -> str:
    return (
        str(record.get("eventSource") or record.get("EventSource") or "") if isinstance(record, dict) else ""
    )


def _is_schedule(event: dict[str, Any]) -> bool:
    return event.get("detail-type") == "Scheduled Event" or event.get("stepscope") == "redrive"


def _export_stream(key: str) -> str:
    """The stream of a log export's key: `prefix/TASK-ID/STREAM/000000.gz`."""
    parts = key.split("/")
    return parts[-2] if len(parts) > 2 and parts[-1].startswith("0000") else ""


def _identity(event: Any) -> str:
    """The same for the same event: what it says is hashed, not when it came."""
    if isinstance(event, dict) and isinstance(event.get("awslogs"), dict):
        text = str(event["awslogs"].get("data"))
    else:
        text = event if isinstance(event, str) else json.dumps(event, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
