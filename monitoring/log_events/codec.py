"""Decode and encode JSON with msgspec, or with the standard library for input that msgspec rejects."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

decode = msgspec.json.decode
encode = msgspec.json.encode


_LATEST = 10**15  # milliseconds: Datadog rejects the whole batch for a later time


class Event(msgspec.Struct, gc=False):
    """A log event of a subscription payload; `timestamp` is in milliseconds since the epoch.

    `extractedFields` has `@aws.account` and `@aws.region` of a centralized event.
    """

    id: str = ""
    timestamp: Annotated[int, msgspec.Meta(ge=0, lt=_LATEST)] = 0
    message: str = ""
    extractedFields: dict[str, Any] | None = None  # noqa: N815 - AWS's name


class Payload(msgspec.Struct):
    """A subscription payload, which CloudWatch Logs sends to Lambda, Kinesis and Firehose."""

    messageType: str = ""  # noqa: N815 - AWS's names
    owner: str = ""
    logGroup: str = ""  # noqa: N815
    logStream: str = ""  # noqa: N815
    logEvents: list[Event] = []  # noqa: N815 - msgspec copies the default


_payload = msgspec.json.Decoder(Payload).decode


Wrong = tuple[int, str]
"""A malformed log event: its index, and the reason."""


def decode_payload(body: bytes) -> tuple[Payload, list[Wrong]]:
    """Return the payload with all events, and the reasons for those that are malformed.

    Raises:
        ValueError: the body is not a JSON object with log events.
    """
    try:
        return _payload(body), []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _lenient(body)


def _lenient(body: bytes) -> tuple[Payload, list[Wrong]]:
    record = json.loads(body.decode("utf-8", "replace"))
    if not isinstance(record, dict) or not isinstance(record.get("logEvents", []), list):
        raise ValueError("the payload is not an object with a list of logEvents")
    events, reasons = [], []
    for item in record.get("logEvents", []):
        event, reason = _event(item)
        events.append(event)
        reasons.append(reason)
    head = {key: str(record.get(key) or "") for key in ("messageType", "owner", "logGroup", "logStream")}
    return Payload(**head, logEvents=events), [refusal for refusal in enumerate(reasons) if refusal[1]]


def _event(item: Any) -> tuple[Event, str]:
    """Return an event with the content of the item, and the reason if the item is malformed, else ""."""
    if not isinstance(item, dict):
        return Event(message=_json(item)), "the event is not an object"
    message, timestamp, reason = item.get("message"), item.get("timestamp"), ""
    if not isinstance(message, str):
        reason = "the event has no message" if message is None else "the event's message is not a text"
        message = _json(item if message is None else message)
    if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)) or not 0 <= timestamp < _LATEST:
        reason = reason or "the event's timestamp is not a number of milliseconds"
    fields = item.get("extractedFields")
    fields = fields if isinstance(fields, dict) else None
    return Event(str(item.get("id") or ""), milliseconds(timestamp), _utf8(message), fields), reason


def milliseconds(value: Any) -> int:
    """Return a timestamp in milliseconds since the epoch, from milliseconds or ISO 8601 (UTC); else 0."""
    if isinstance(value, str):
        if "-" in value:
            return _iso(value)
        try:
            value = float(value)
        except ValueError:
            return 0
    valid = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < _LATEST
    return int(value) if valid else 0


def _iso(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
        return max(0, round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))
    except (ValueError, OverflowError):
        return 0


def _json(value: Any) -> str:
    return _utf8(json.dumps(value, ensure_ascii=False))


def _utf8(text: str) -> str:
    """Replace lone surrogates in the text, which cannot be encoded again."""
    return text.encode("utf-8", "replace").decode()


def load_json(text: str) -> Any:
    """Parse a text as JSON, or return None; `NaN` and lone surrogates are accepted."""
    try:
        return decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:
            return json.loads(_utf8(json.dumps(json.loads(text), ensure_ascii=False)))
        except (ValueError, RecursionError):
            return None


def load_object(text: str) -> dict[str, Any] | None:
    """Parse a text as a JSON object, or return None."""
    record = load_json(text)
    return record if isinstance(record, dict) else None
