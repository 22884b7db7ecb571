"""What JSON documents and records of AWS hold: payloads, log events, records of streams, CloudTrail."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from monitoring.forwarder.bodies import payload_piece, read_body
from monitoring.forwarder.decoding import UNREADABLE, decode_base64, inflate
from monitoring.forwarder.documents import Read
from monitoring.forwarder.pieces import Lines, Piece, Refusal, StatusChange
from monitoring.forwarder.rows import is_insights_row, is_page_row, milliseconds, pieces_of, rows_of
from monitoring.log_events.codec import decode_payload, encode
from monitoring.log_events.status_change import DETAIL_TYPES

_BESIDE = {
    "events": {"searchedLogStreams", "nextToken", "nextForwardToken", "nextBackwardToken"},
    "results": {"queryLanguage", "statistics", "status", "encryptionKey", "nextToken"},
    "Records": {"NextShardIterator", "MillisBehindLatest", "ChildShards"},
    "records": {
        *("invocationId", "deliveryStreamArn", "sourceKinesisStreamArn", "sourceMSKArn", "region"),
        *("requestId", "timestamp"),
    },
    "Messages": set[str](),
    "Events": {"NextToken"},
}
"""The lists of log events and records, and the keys that stand beside them in AWS's answers and events.

With any other key the document is an application's own.
"""

_FIRST_KEYS = (
    frozenset(_BESIDE)
    | frozenset().union(*_BESIDE.values()) - {"timestamp", "status", "region"}
    | {
        *("awslogs", "messageType", "subscriptionFilters", "logEvents", "eventSource", "eventSourceArn"),
        *(
            "bootstrapServers",
            "logRecord",
            "@timestamp",
            "@message",
            "attemptsMade",
            "rawData",
            "ResponseMetadata",
        ),
    }
)

_DATA = (
    ("data", {"recordId", "eventSource", "partitionKey", "messageID", "approximateArrivalTimestamp"}),
    ("kafkaRecordValue", {"recordId"}),
    ("value", {"topic"}),
    ("rawData", {"attemptsMade", "errorCode"}),
    ("Data", {"SequenceNumber", "PartitionKey"}),
)
"""The key of a record's base64 content, and the keys of which one has to stand beside it."""

_TIMES = ("approximateArrivalTimestamp", "ApproximateArrivalTimestamp", "arrivalTimestamp", "timestamp")
_SECONDS = 1e11  # a smaller number is a time in seconds


class ContentShapes:
    """Documents and records whose content is telemetry, so that nothing has to be fetched for it.

    An object or a record may hold nothing else: what a log says must not make the forwarder read or send
    anything.
    """

    first_keys: frozenset[str] = frozenset(_FIRST_KEYS)

    def event(self, record: dict[str, Any], base: Lines) -> Iterator[Piece] | None:
        """Return the pieces of a document, or None where it is not known."""
        for matches, read in _WHOLE:
            if matches(record):
                return read(record, base)
        return self._lists(record, base) or self.record(record, base)

    def _lists(self, record: dict[str, Any], base: Lines) -> Iterator[Piece] | None:
        """Return the pieces of a document that is known by a list in it."""
        if isinstance(record.get("records"), dict):  # of Kafka, by topic and partition
            topics = record["records"].values()
            return self._each(chain.from_iterable(i if isinstance(i, list) else [i] for i in topics), base)
        head: dict[str, Any] = {}
        for key, value in record.items():
            if key in _BESIDE and isinstance(value, list):
                if not value and record.keys() <= {key, *_BESIDE[key]}:
                    return iter(())
                read = self.choose(key, value[0], head, base) if value else None
                if read is not None:
                    return read(iter(value))
                if any(isinstance(item, dict) and self.record(item, base) for item in value):
                    return self._each(iter(value), base)
            head[key] = value
        return None

    def choose(self, key: str, first: Any, head: dict[str, Any], base: Lines) -> Read | None:
        """Return what reads the list under a key, or None; by its first element and what precedes it."""
        if key and (key not in _BESIDE or head.keys() - _BESIDE[key]):
            return None
        rows = (key in ("events", "") and is_page_row(first)) or (
            key in ("results", "") and is_insights_row(first)
        )
        if rows or (not key and isinstance(first, str)):
            return lambda items: pieces_of(rows_of(items), base)
        if isinstance(first, dict) and key not in ("events", "results"):
            known = self.record(first, base) or (None if key else self.event(first, base))
            return None if known is None else lambda items: self._each(items, base)
        return None

    def _each(self, items: Iterator[Any], base: Lines) -> Iterator[Piece]:
        for item in items:
            found = None
            if isinstance(item, dict):
                found = self.record(item, base) or self.event(item, base)
            if found is None:
                reason = f"a record of {event_source(item) or 'no known service'}"
                yield Refusal(reason, base.where, body=json.dumps(item, default=str))
            else:
                yield from found

    def record(self, record: dict[str, Any], base: Lines) -> Iterator[Piece] | None:
        """Return the pieces of one record of a list, or None where it is not known."""
        source = event_source(record)
        kinesis = record.get("kinesis")
        if source == "aws:kinesis":
            inner = kinesis if isinstance(kinesis, dict) else record
            return _data(inner.get("data"), f"Kinesis record {record.get('eventID', '')}", _time(inner))
        for key, beside in _DATA:
            if key in record and (record.keys() & beside or len(record) == 1):
                return _data(record[key], _place(record, base), _time(record))
        if isinstance(record.get("CloudTrailEvent"), str):
            return _trail(record["CloudTrailEvent"], record.get("EventTime"), base)
        if "eventName" in record and "eventTime" in record and source and not source.startswith("aws:"):
            return _trail(encode(record).decode(), record["eventTime"], base)
        return None


CONTENT = ContentShapes()


def event_source(record: Any) -> str:
    """Return the service that a record is of, in its own words."""
    return (
        str(record.get("eventSource") or record.get("EventSource") or "") if isinstance(record, dict) else ""
    )


def subscription(data: Any, where: str) -> Iterator[Piece]:
    """Yield the payload of a subscription's `data`: base64 of gzip of JSON."""
    try:
        yield payload_piece(*decode_payload(inflate(decode_base64(data))), "")
    except UNREADABLE as error:
        body = json.dumps({"awslogs": {"data": data}}, default=str)
        yield Refusal(f"not a subscription payload: {error}", where, body=body)


def _direct(record: dict[str, Any], base: Lines) -> Iterator[Piece]:
    return subscription(record["awslogs"].get("data"), base.where)


def _payload(record: dict[str, Any], base: Lines) -> Iterator[Piece]:
    try:
        yield payload_piece(*decode_payload(json.dumps(record).encode()), base.where)
    except UNREADABLE as error:
        yield Refusal(f"not a subscription payload: {error}", base.where, body=json.dumps(record))


_WHOLE: tuple[tuple[Callable[[Any], bool], Callable[[Any, Lines], Iterator[Piece]]], ...] = (
    (lambda e: isinstance(e.get("awslogs"), dict), _direct),
    (lambda e: isinstance(e.get("logEvents"), list), _payload),
    (lambda e: str(e.get("detail-type")) in DETAIL_TYPES, lambda e, _: iter([StatusChange(e)])),
    (
        lambda e: isinstance(e.get("logRecord"), dict),
        lambda e, base: pieces_of(rows_of([e["logRecord"]]), base),
    ),
)
"""How a document is told from the others, and what reads it; the first that matches counts."""


def _data(data: Any, where: str, when: int) -> Iterator[Piece]:
    """Yield the content of a record, which is a payload, a document or lines of its own."""
    if not isinstance(data, str):
        yield from pieces_of(rows_of([{"message": data, "timestamp": when}]), Lines([], where))
        return
    try:
        found = read_body([decode_base64(data)], Lines([], where, milliseconds=when), CONTENT)
    except ValueError as error:
        found = iter([Refusal(f"not a subscription payload: {error}", where)])
    first = next(found, None)
    if isinstance(first, Refusal):
        yield Refusal(first.reason, where, body=json.dumps({"records": [{"data": data}]}))
    elif first is not None:
        yield from chain([first], found)


def _place(record: dict[str, Any], base: Lines) -> str:
    if "topic" in record:
        return f"Kafka {record['topic']}-{record.get('partition')} offset {record.get('offset')}"
    return f"{base.where} record {record.get('recordId', '')}".strip()


def _trail(message: str, when: Any, base: Lines) -> Iterator[Piece]:
    yield Lines([(message, milliseconds(when), 1)], base.where, kind="cloudtrail", fields=base.fields)


def _time(record: dict[str, Any]) -> int:
    value = next((record[name] for name in _TIMES if name in record), 0)
    seconds = isinstance(value, (int, float)) and value < _SECONDS
    return milliseconds(value * 1000 if seconds else value)
