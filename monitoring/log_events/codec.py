"""JSON in and out of the forwarder: msgspec where speed decides, the standard library where it refuses."""

import json
from typing import Annotated, Any

import msgspec

decode = msgspec.json.decode
encode = msgspec.json.encode


_LATEST = 10**15  # milliseconds: a time beyond it would cost a whole batch its answer of 202


class Event(msgspec.Struct, gc=False):
    """One log event as a subscription delivers it; `timestamp` is in milliseconds.

    `extractedFields` holds `@aws.account` and `@aws.region` of an event that was centralised.
    """

    id: str = ""
    timestamp: Annotated[int, msgspec.Meta(ge=0, lt=_LATEST)] = 0
    message: str = ""
    extractedFields: dict[str, Any] | None = None  # noqa: N815 - AWS's name


class Payload(msgspec.Struct):
    """One subscription payload: what CloudWatch Logs sends to Lambda, Kinesis and Firehose."""

    messageType: str = ""  # noqa: N815 - AWS's names
    owner: str = ""
    logGroup: str = ""  # noqa: N815
    logStream: str = ""  # noqa: N815
    logEvents: list[Event] = []  # noqa: N815 - msgspec copies the default


_payload = msgspec.json.Decoder(Payload).decode


Wrong = tuple[int, str, str]
"""A log event that could not be read: its position, the reason and the content."""


def decode_payload(body: bytes) -> tuple[Payload, list[Wrong]]:
    """The payload, and the single events of it that could not be read.

    Raises:
        ValueError: the body is no JSON object with log events.
    """
    try:
        return _payload(body), []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _lenient(body)


def _lenient(body: bytes) -> tuple[Payload, list[Wrong]]:
    """As `decode_payload`, event by event: one bad event costs itself."""
    record = json.loads(body.decode("utf-8", "replace"))
    if not isinstance(record, dict) or not isinstance(record.get("logEvents", []), list):
        raise ValueError("the payload is no object with a list of logEvents")
    wrong: list[Wrong] = []
    events: list[Event] = []
    for position, item in enumerate(record.get("logEvents", [])):
        event = _event(item)
        if isinstance(event, Event):
            events.append(event)
        else:
            wrong.append((position, *event))
    head = {key: str(record.get(key) or "") for key in ("messageType", "owner", "logGroup", "logStream")}
    return Payload(**head, logEvents=events), wrong


def _event(item: Any) -> Event | tuple[str, str]:
    """Return the event, or the reason why it cannot be read and its content."""
    if not isinstance(item, dict) or "message" not in item:
        reason = "the event has no message" if isinstance(item, dict) else "the event is not an object"
        return reason, _utf8(json.dumps(item, ensure_ascii=False))
    message, timestamp = item["message"], item.get("timestamp")
    if not isinstance(message, str):
        return "the event's message is not a text", _utf8(json.dumps(message, ensure_ascii=False))
    if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)) or not 0 <= timestamp < _LATEST:
        return "the event's timestamp is not a number of milliseconds", _utf8(message)
    fields = item.get("extractedFields")
    fields = fields if isinstance(fields, dict) else None
    return Event(str(item.get("id") or ""), int(timestamp), _utf8(message), fields)


def _utf8(text: str) -> str:
    """The text with lone surrogates replaced: they cannot be encoded again."""
    return text.encode("utf-8", "replace").decode()


def load_json(text: str) -> Any:
    """Return the JSON value that the whole text is, or None; `NaN` and lone surrogates are accepted."""
    try:
        return decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:
            return json.loads(_utf8(json.dumps(json.loads(text), ensure_ascii=False)))
        except (ValueError, RecursionError):
            return None


def load_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that the whole text is, or None."""
    record = load_json(text)
    return record if isinstance(record, dict) else None
