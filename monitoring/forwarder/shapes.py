"""Recognize AWS's JSON documents and records: payloads, log events, stream records, CloudTrail."""

import json
from collections.abc import Iterator, Set
from itertools import chain
from typing import Any

from monitoring.forwarder.bodies import payload_piece, read_body
from monitoring.forwarder.decoding import UNREADABLE, decode_base64, inflate
from monitoring.forwarder.documents import Read
from monitoring.forwarder.pieces import LinePiece, Piece, Refusal, StatusChange
from monitoring.forwarder.rows import Row, is_insights_row, is_page_row, pieces_of, read_row, rows_of
from monitoring.log_events.codec import decode_payload, encode, milliseconds
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
"""Keys of lists of log events and records -> the other keys of the response or event that contains the list.

A document with any other key is an application's.
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
"""The key of a record's base64 content, and keys of which the record must have at least one."""

_TIMES = ("approximateArrivalTimestamp", "ApproximateArrivalTimestamp", "arrivalTimestamp", "timestamp")
_SECONDS = 1e11  # a smaller number is a time in seconds


class LogShapes:
    """Recognize documents that may be between the lines of a log: payloads, and pages of log events.

    Other events are lines of the log, because functions often print the event that they were invoked with.
    """

    first_keys: frozenset[str] = frozenset(_FIRST_KEYS)

    @property
    def log(self) -> "LogShapes":
        """The shapes of documents that may be between the lines of a log."""
        return LOG

    def event(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece] | None:
        """Return the pieces of a document, or None where it is not known."""
        if isinstance(record.get("awslogs"), dict):
            return subscription(record["awslogs"].get("data"), base.where)
        if isinstance(record.get("logEvents"), list):
            return _payload(record, base)
        head: dict[str, Any] = {}
        for key, value in record.items():
            if key in _BESIDE and isinstance(value, list):
                entries = self._list(key, value, head, record.keys() - {key}, base)
                if entries is not None:
                    return entries
            head[key] = value
        return None

    def _list(
        self, key: str, items: list[Any], head: dict[str, Any], beside: Set[str], base: LinePiece
    ) -> Iterator[Piece] | None:
        if not items:  # a page without events; an object without other keys is ambiguous
            return iter(()) if beside and beside <= _BESIDE[key] else None
        read = self.choose(key, items[0], head, base)
        return read(iter(items)) if read is not None else None

    def choose(self, key: str, first: Any, head: dict[str, Any], base: LinePiece) -> Read | None:
        """Return what reads the list under a key, or None; by its first element and what precedes it."""
        if key and (key not in _BESIDE or head.keys() - _BESIDE[key]):
            return None
        page = key in ("events", "") and is_page_row(first)
        insights = key in ("results", "") and is_insights_row(first)
        if page or insights or (not key and isinstance(first, str)):
            return lambda items: pieces_of(rows_of(items), base)
        return None


class ContentShapes(LogShapes):
    """Recognize documents and records that contain telemetry themselves.

    The content of an object or a record may be nothing else: it must not cause the forwarder to fetch other
    objects or to redrive.
    """

    def event(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece] | None:
        """Return the pieces of a document, or None where it is not known."""
        if str(record.get("detail-type")) in DETAIL_TYPES:
            return iter([StatusChange(record)])
        if isinstance(record.get("logRecord"), dict):
            return pieces_of(rows_of([record["logRecord"]]), base)
        if isinstance(record.get("records"), dict):  # of Kafka, by topic and partition
            topics = record["records"].values()
            return self._each(chain.from_iterable(i if isinstance(i, list) else [i] for i in topics), base)
        return super().event(record, base) or self.record(record, base)

    def _list(
        self, key: str, items: list[Any], head: dict[str, Any], beside: Set[str], base: LinePiece
    ) -> Iterator[Piece] | None:
        if key == "Records" and not items and not beside:
            return iter(())
        entries = super()._list(key, items, head, beside, base)
        if entries is None and any(isinstance(item, dict) and self.record(item, base) for item in items):
            return self._each(iter(items), base)
        return entries

    def choose(self, key: str, first: Any, head: dict[str, Any], base: LinePiece) -> Read | None:
        """Return what reads the list under a key, or None; by its first element and what precedes it."""
        read = super().choose(key, first, head, base)
        if read is not None or not isinstance(first, dict) or key in ("events", "results"):
            return read
        if key and (key not in _BESIDE or head.keys() - _BESIDE[key]):
            return None
        if _trail(first, 1) is not None:
            return lambda items: self._trails(items, base)
        pieces = self.record(first, base) or (None if key else self.event(first, base))
        return None if pieces is None else lambda items: self._each(items, base)

    def _each(self, items: Iterator[Any], base: LinePiece) -> Iterator[Piece]:
        for item in items:
            entries = None
            if isinstance(item, dict):
                entries = self.record(item, base) or self.event(item, base)
            if entries is None:
                reason = f"a record of {event_source(item) or 'no known service'}"
                yield Refusal(reason, base.where, body=json.dumps(item, default=str))
            else:
                yield from entries

    def _trails(self, items: Iterator[Any], base: LinePiece) -> Iterator[Piece]:
        rows = (_trail(item, place) or read_row(item, place) for place, item in enumerate(items, 1))
        return pieces_of(rows, base._replace(kind="cloudtrail"))

    def record(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece] | None:
        """Return the pieces of one record of a list, or None where it is not known."""
        kinesis = record.get("kinesis")
        if event_source(record) == "aws:kinesis":
            inner = kinesis if isinstance(kinesis, dict) else record
            return _data(inner.get("data"), f"Kinesis record {record.get('eventID', '')}", _time(inner))
        for key, beside in _DATA:
            if key in record and (record.keys() & beside or len(record) == 1):
                return _data(record[key], _place(record, base), _time(record))
        return self._trails(iter([record]), base) if _trail(record, 1) is not None else None


LOG = LogShapes()
CONTENT = ContentShapes()


def event_source(record: Any) -> str:
    """Return the `eventSource` of a record, "" without one."""
    return (
        str(record.get("eventSource") or record.get("EventSource") or "") if isinstance(record, dict) else ""
    )


def subscription(data: Any, where: str) -> Iterator[Piece]:
    """Yield the payload in a subscription's `data`, which is base64 of gzip of JSON."""
    try:
        yield payload_piece(*decode_payload(inflate(decode_base64(data))), "")
    except UNREADABLE as error:
        body = json.dumps({"awslogs": {"data": data}}, default=str)
        yield Refusal(f"not a subscription payload: {error}", where, body=body)


def _payload(record: dict[str, Any], base: LinePiece) -> Iterator[Piece]:
    try:
        yield payload_piece(*decode_payload(json.dumps(record).encode()), base.where)
    except UNREADABLE as error:
        yield Refusal(f"not a subscription payload: {error}", base.where, body=json.dumps(record))


def _data(data: Any, where: str, when: int) -> Iterator[Piece]:
    """Yield the pieces of a record's content, which is a payload, a document or lines."""
    if data is None:  # a tombstone of Kafka
        return
    if not isinstance(data, str):
        yield from pieces_of(rows_of([{"message": data, "timestamp": when}]), LinePiece([], where))
        return
    try:
        entries = read_body([decode_base64(data)], LinePiece([], where, milliseconds=when), CONTENT)
    except ValueError as error:
        entries = iter([Refusal(f"not a subscription payload: {error}", where)])
    first = next(entries, None)
    if isinstance(first, Refusal):
        yield Refusal(first.reason, where, body=json.dumps({"records": [{"data": data}]}))
    elif first is not None:
        yield from chain([first], entries)


def _place(record: dict[str, Any], base: LinePiece) -> str:
    if "topic" in record:
        return f"Kafka {record['topic']}-{record.get('partition')} offset {record.get('offset')}"
    return f"{base.where} record {record.get('recordId', '')}".strip()


def _trail(record: Any, number: int) -> Row | None:
    """Return the row of a CloudTrail record, delivered or printed by `lookup-events`; None if not one."""
    if not isinstance(record, dict):
        return None
    if isinstance(record.get("CloudTrailEvent"), str):
        return "", "", "", record["CloudTrailEvent"], _moment(record.get("EventTime")), number
    source = event_source(record)
    if not source or source.startswith("aws:") or not {"eventName", "eventTime"} <= record.keys():
        return None
    return "", "", "", encode(record).decode(), _moment(record["eventTime"]), number


def _time(record: dict[str, Any]) -> int:
    return _moment(next((record[name] for name in _TIMES if name in record), 0))


def _moment(value: Any) -> int:
    seconds = isinstance(value, (int, float)) and value < _SECONDS
    return milliseconds(value * 1000 if seconds else value)
