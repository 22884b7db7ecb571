"""Define the pieces of events, files and objects, which the forwarder turns into telemetry."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from monitoring.forwarder.positions import Delivery
from monitoring.log_events.codec import Payload, Wrong

Line = tuple[str, int, int]
"""A line or log event: text, milliseconds (0 where none is known), place in its source from 1."""

LINES = 2_000
"""Lines of one piece at most: what is held in memory of a file at once."""

INNER = frozenset(" \t}")
"""How a line within a pretty-printed object begins: no piece ends before it, up to twice as many lines."""

SIZE = 4_000_000
"""Characters of one piece from which on no line is added."""


class LogPayload(NamedTuple):
    """One subscription payload, and the single events of it that could not be read.

    `where` is the file or object that holds it; empty for a payload that came by itself.
    """

    payload: Payload
    wrong: list[Wrong]
    where: str = ""


class LinePiece(NamedTuple):
    """Some lines of one source.

    `fields` go into the log entries (`aws.s3`); `group`, `stream` and `owner` name the log stream, if known.
    `milliseconds` is the time of what carries none itself.
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
    """One `Step Functions Execution Status Change`."""

    event: dict[str, Any]


class Refusal(NamedTuple):
    """Mark content that cannot be read, with the reason.

    Args:
        text: the content, or an excerpt of it, so that it can be kept as a log entry.
        body: an event that holds all of it, where nobody else has it any more: it is spooled whole.
        whole: nothing at all of the file or object can be read.
        again: it may be readable later, so the unit has to come again.
    """

    reason: str
    where: str
    text: str = ""
    line: int = 1
    body: str = ""
    whole: bool = False
    again: bool = False


class Skipped(NamedTuple):
    """Mark content without telemetry, such as the notification of a deleted object."""

    reason: str
    where: str


class Spooled(NamedTuple):
    """One spooled batch that a queue brings back: the message's body, and how often it was received."""

    body: str
    receipt: str
    received: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """The request to send what the spool holds."""


class Rest(NamedTuple):
    """Mark the rest of an object that the remaining time did not suffice for, after its first `skip` lines.

    `delivery` identifies the notification, `state` the version of the object that was read.
    """

    bucket: str
    key: str
    skip: int
    delivery: str = ""
    state: str = ""


Piece = Delivery | LogPayload | LinePiece | StatusChange | Spooled | Redrive | Rest | Refusal | Skipped


def count_lines(piece: Piece) -> int:
    """Return the number of lines or log events of the piece; 1 for what has none."""
    if isinstance(piece, LinePiece):
        return len(piece.lines) or 1
    if isinstance(piece, LogPayload):
        return len(piece.payload.logEvents) or 1
    return 1


class Unit(NamedTuple):
    """Group what is delivered, and delivered again, as one.

    `identity` is the same each time; `ack` is the message id or sequence number that SQS or Kinesis wants to
    hear of when the unit failed. Units of a `stream` are sent beside each other.
    """

    identity: str
    pieces: Iterator[Piece]
    ack: str = ""
    stream: bool = False
