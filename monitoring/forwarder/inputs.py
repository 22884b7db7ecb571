"""What an event brings, as units of delivery: each can fail and be delivered again without the others."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isal import igzip_lib

from monitoring.platform.codec import Payload, decode_payload
from monitoring.platform.status_change import DETAIL_TYPE

IsalError: type[Exception] = igzip_lib.error  # type: ignore[assignment]
VALIDATION_STREAM = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
_INFLATED = 256 * 1024 * 1024  # bytes: a subscription payload is at most 1 MB compressed


@dataclass(frozen=True, slots=True)
class LogPayload:
    """One subscription payload."""

    payload: Payload
    wrong: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One `Step Functions Execution Status Change`."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What cannot be read, and why."""

    reason: str
    where: str
    text: str = ""


Piece = LogPayload | StatusChange | Refusal


@dataclass(frozen=True, slots=True)
class Unit:
    """What is delivered, or delivered again, as one; `identity` is the same each time."""

    identity: str
    pieces: Iterator[Piece]
    ack: str = ""


def units(event: Any) -> Iterator[Unit]:
    """The units of an event, whichever service sent it; what is not known becomes a refusal."""
    if not isinstance(event, dict):
        yield Unit("unknown", iter([Refusal("the event is no object", "event", repr(event)[:200])]))
    elif isinstance(event.get("awslogs"), dict):
        data = event["awslogs"].get("data")
        yield Unit(_identity(data), subscription(data, "awslogs"))
    elif event.get("detail-type") == DETAIL_TYPE:
        yield Unit(str(event.get("id")), iter([StatusChange(event)]))
    else:
        known = ", ".join(sorted(map(str, event)))[:200]
        yield Unit("unknown", iter([Refusal("no event of a service that is known here", "event", known)]))


def subscription(data: Any, where: str) -> Iterator[Piece]:
    """A subscription's `data`: base64 of gzip of one payload."""
    try:
        body = inflate(base64.b64decode(data))
        payload, wrong = decode_payload(body)
    except (ValueError, TypeError, IsalError, EOFError) as error:
        yield Refusal(f"no subscription payload: {error}", where, str(data)[:80])
        return
    if payload.messageType == "CONTROL_MESSAGE" or payload.logStream == VALIDATION_STREAM:
        return
    yield LogPayload(payload, wrong)


def inflate(body: bytes) -> bytes:
    """Gzip as text, at most 256 MB of it; anything else as it is."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    stream = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    text = stream.decompress(body, _INFLATED)
    if not stream.eof:
        raise ValueError(
            "the gzip stream is cut off" if stream.needs_input else "it inflates to more than 256 MB"
        )
    return bytes(text)


def _identity(data: Any) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else repr(data).encode()).hexdigest()[:32]
