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


def decode_payload(body: bytes) -> tuple[Payload, list[tuple[int, str]]]:
    """The payload, and what was wrong with single events of it: (position, reason).

    Raises:
        ValueError: the body is no JSON object with log events.
    """
    try:
        return _payload(body), []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _lenient(body)


def _lenient(body: bytes) -> tuple[Payload, list[tuple[int, str]]]:
    """As `decode_payload`, event by event: one bad event costs itself."""
    record = json.loads(body.decode("utf-8", "replace"))
    if not isinstance(record, dict) or not isinstance(record.get("logEvents", []), list):
        raise ValueError("the payload is no object with a list of logEvents")
    wrong: list[tuple[int, str]] = []
    events: list[Event] = []
    for position, item in enumerate(record.get("logEvents", [])):
        event = _event(item)
        if isinstance(event, Event):
            events.append(event)
        else:
            wrong.append((position, event))
    head = {key: str(record.get(key) or "") for key in ("messageType", "owner", "logGroup", "logStream")}
    return Payload(**head, logEvents=events), wrong


def _event(item: Any) -> Event | str:
    if not isinstance(item, dict):
        return "the event is no object"
    message, timestamp = item.get("message"), item.get("timestamp")
    if not isinstance(message, str):
        return "the event has no message"
    if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)) or not 0 <= timestamp < _LATEST:
        return "the event's timestamp is no number"
    fields = item.get("extractedFields")
    fields = fields if isinstance(fields, dict) else None
    return Event(str(item.get("id") or ""), int(timestamp), _utf8(message), fields)


def _utf8(text: str) -> str:
    """The text with lone surrogates replaced: they cannot be encoded again."""
    return text.encode("utf-8", "replace").decode()


def load_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that the whole text is, or None; `NaN` and lone surrogates are accepted."""
    try:
        record = decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:
            record = json.loads(_utf8(json.dumps(json.loads(text), ensure_ascii=False)))
        except (ValueError, RecursionError):
            return None
    return record if isinstance(record, dict) else None
