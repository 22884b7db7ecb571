"""Define the pieces of events, files and objects, which the forwarder converts to telemetry."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from monitoring.forwarder.positions import Delivery
from monitoring.log_events.codec import Payload, Wrong

Line = tuple[str, int, int]
"""A line or log event: text, milliseconds since the epoch (0 if unknown), number in its source from 1."""

LINES = 2_000
"""The largest number of lines of a piece, which bounds the memory for a file."""

INNER = frozenset(" \t}")
"""First characters of lines within a pretty-printed object: no piece ends before them, up to 2 * LINES."""

SIZE = 4_000_000
"""Number of characters from which on no line is added to a piece."""


class LogPayload(NamedTuple):
    """A subscription payload, and its events that are malformed.

    `where` is the file or object that contains it; "" for a payload that is the event itself.
    """

    payload: Payload
    wrong: list[Wrong]
    where: str = ""


class LinePiece(NamedTuple):
    """Lines of a source.

    `fields` are added to the log entries (`aws.s3`); `group`, `stream` and `owner` identify the log stream,
    if known. `milliseconds` is the time of lines without one.
    """

    lines: list[Line]
    where: str
    group: str = ""
    stream: str = ""
    owner: str = ""
    kind: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    milliseconds: int = 0


class StatusChange(NamedTuple):
    """A status change event of Step Functions or of a durable execution."""

    event: dict[str, Any]


class Refusal(NamedTuple):
    """Content that cannot be read, with the reason.

    Args:
        text: the content or an excerpt, for a log entry.
        body: an event with the content; it is spooled, because no other copy of it exists.
        whole: no part of the file or object can be read.
        again: it may be readable later, so the unit must be delivered again.
    """

    reason: str
    where: str
    text: str = ""
    line: int = 1
    body: str = ""
    whole: bool = False
    again: bool = False


class Skipped(NamedTuple):
    """Content without telemetry, such as the notification of a deleted object."""

    reason: str
    where: str


class Spooled(NamedTuple):
    """A spooled batch from a queue: the message's body, receipt handle, and how often it was received."""

    body: str
    receipt: str
    received: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """The request to send the entries of the spool."""


class Rest(NamedTuple):
    """The rest of an object after its first `skip` lines, for which the invocation had no time left.

    `delivery` identifies the notification, `state` the version of the object that was read.
    """

    bucket: str
    key: str
    skip: int
    delivery: str = ""
    state: str = ""


Piece = Delivery | LogPayload | LinePiece | StatusChange | Spooled | Redrive | Rest | Refusal | Skipped


def count_lines(piece: Piece) -> int:
    """Return the number of lines or log events of the piece; 1 for a piece without any."""
    if isinstance(piece, LinePiece):
        return len(piece.lines) or 1
    if isinstance(piece, LogPayload):
        return len(piece.payload.logEvents) or 1
    return 1


class Unit(NamedTuple):
    """Pieces that are delivered, and delivered again, together.

    `identity` is the same at each delivery; `ack` is the message id or sequence number that is reported to
    SQS or Kinesis if the unit failed. Units of a `stream` are sent in parallel.
    """

    identity: str
    pieces: Iterator[Piece]
    ack: str = ""
    stream: bool = False
