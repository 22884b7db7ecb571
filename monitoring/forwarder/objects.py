"""Objects and files of any size as log events, streamed: compressed or not, payloads or lines of text."""

import base64
import binascii
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from isal import igzip_lib

from monitoring.log_events.codec import Payload, decode_payload, encode, load_object

CHUNK = 256 * 1024
LINES = 2_000  # a piece: what is held in memory of a file at once
_LINE_BYTES = 1_000_000
_INFLATED = 256 * 1024 * 1024  # bytes: a subscription payload is at most 1 MB compressed
_PAYLOAD_BYTES = 64 * 1024 * 1024
_EXPORTED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ")
IsalError: type[Exception] = igzip_lib.error  # type: ignore[assignment]
UNREADABLE = (ValueError, TypeError, EOFError, IsalError, zlib.error)
"""What a body that is not what it should be raises."""


class LogPayload(NamedTuple):
    """One subscription payload, and what was wrong with single events of it: (position, reason, content).

    `where` is the file or object that it stands in; empty for a payload that came by itself.
    """

    payload: Payload
    wrong: list[tuple[int, str, str]]
    where: str = ""


class Lines(NamedTuple):
    """Some lines of one source: (text, milliseconds, line from 1); milliseconds 0 where none is written.

    `fields` go into the log entries (`aws.s3`), `group` and `stream` say where the lines were printed, if
    known.
    """

    lines: list[tuple[str, int, int]]
    where: str
    group: str = ""
    stream: str = ""
    owner: str = ""
    kind: str = ""
    fields: tuple[tuple[str, str], ...] = ()


class Refusal(NamedTuple):
    """What cannot be read, and why; `body` is all of it where nothing else holds it, `text` an excerpt."""

    reason: str
    where: str
    text: str = ""
    line: int = 1
    body: str = ""


def subscription_payload(data: Any, where: str, line: int = 0) -> LogPayload | Refusal:
    """The payload of a subscription's `data`, whatever it is about."""
    try:
        return LogPayload(*decode_payload(inflate(base64.b64decode(data))), where if line else "")
    except (*UNREADABLE, binascii.Error) as error:
        return Refusal(f"no subscription payload: {error}", where, str(data)[:80], line or 1)


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


def expand(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The text of a body that may be gzip (of many members) or zstd, told from its first bytes."""
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= 4:
            break
    if head.startswith(b"\x1f\x8b"):
        yield from _gunzip(chain([head], stream))
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        yield from _unzstd(chain([head], stream))
    else:
        yield head
        yield from stream


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    fresh = True
    for chunk in chunks:
        data = chunk
        while data or not (member.eof or member.needs_input):
            if member.eof:
                member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
            fresh = False
            yield bytes(member.decompress(data, CHUNK * 4))
            data = member.unused_data if member.eof else b""
            if member.eof and not data.strip(b"\0"):
                data, fresh = b"", True
                break
    if not member.eof and not fresh:
        raise EOFError("the gzip stream is cut off")


def _unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    try:
        with zstd.ZstdFile(_Readable(chunks)) as reader:  # type: ignore[call-overload]
            while text := reader.read1(CHUNK * 4):  # `read` loses what comes before a fault
                yield text
    except zstd.ZstdError as error:
        raise ValueError(f"not valid zstd: {error}") from None


class _Readable:
    """Give chunks a `read` method, as `ZstdFile` wants it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, none at the end."""
        if not self._held:
            self._held = next(self._chunks, b"")
        data, self._held = (self._held[:size], self._held[size:]) if size >= 0 else (self._held, b"")
        return data


def pieces(chunks: Iterable[bytes], base: Lines) -> Iterator[LogPayload | Lines | Refusal]:
    """The pieces of a body that has been expanded; a fault in its middle comes last, as a refusal.

    Args:
        base: an empty `Lines` that says where the body comes from.
    """
    stream = iter(chunks)
    head = b""
    try:
        for chunk in stream:
            head += chunk
            if len(head) >= 4096:
                break
        marker = _payload_marker(head)
        body = chain([head], stream)
        yield from _payloads(body, marker, base.where) if marker else _texts(body, base)
    except UNREADABLE as error:
        yield Refusal(f"unreadable from here on: {error}", base.where)


def _payload_marker(head: bytes) -> bytes:
    """How each payload of the body begins, or nothing where the body is no run of subscription payloads.

    Firehose writes payloads one behind the other without a newline between them; a quote inside of a
    string is always escaped, so the first key with its brace stands only where a payload begins.
    """
    start = head.lstrip()
    if not start.startswith(b'{"') or b'"messageType"' not in start or b'"logGroup"' not in start:
        return b""
    return start[: start.index(b'"', 2) + 1]


def _payloads(chunks: Iterable[bytes], marker: bytes, where: str) -> Iterator[LogPayload | Refusal]:
    held, searched, number = b"", 1, 0
    for chunk in chunks:
        held += chunk
        while (found := held.find(marker, searched)) > 0:
            number += 1
            yield _payload(held[:found], where, number)
            held, searched = held[found:], 1
        searched = max(1, len(held) - len(marker))
        if len(held) > _PAYLOAD_BYTES:
            raise ValueError(f"a payload of more than {_PAYLOAD_BYTES:,} bytes")
    if held.strip():
        yield _payload(held, where, number + 1)


def _payload(body: bytes, where: str, number: int) -> LogPayload | Refusal:
    try:
        return LogPayload(*decode_payload(body.strip()), where)
    except UNREADABLE as error:
        return Refusal(
            f"no subscription payload: {error}", where, body[:200].decode("utf-8", "replace"), number
        )


def _texts(chunks: Iterable[bytes], base: Lines) -> Iterator[LogPayload | Lines | Refusal]:
    held: list[tuple[str, int, int]] = []
    exported = False
    for number, raw in enumerate(_split(chunks), 1):
        text = raw.decode("utf-8", "replace")
        event = _event_of(text, number, base) if text.startswith(("{", "H4sI")) else None
        if event is not None:
            if held:
                yield _lines(base, held)
                held = []
            yield event
            continue
        stamp = _EXPORTED.match(text)
        exported = exported or (number == 1 and stamp is not None)
        if stamp is not None:
            held.append((text[stamp.end() :], _milliseconds(stamp[1]), number))
        elif exported and held:  # an event of several lines
            before = held[-1]
            held[-1] = (f"{before[0]}\n{text}", before[1], before[2])
        elif text.strip():
            held.append((text, 0, number))
        if len(held) > LINES:
            yield _lines(base, held[:LINES])
            held = held[LINES:]
    if held:
        yield _lines(base, held)


def _lines(base: Lines, held: list[tuple[str, int, int]]) -> Lines:
    return Lines(held, base.where, base.group, base.stream, base.owner, base.kind, base.fields)


def _event_of(text: str, number: int, base: Lines) -> LogPayload | Lines | Refusal | None:
    """What a line stands for that is an event rather than text; base64 of a payload is one too."""
    if text.startswith("{"):
        record = _event_line(text)
        return None if record is None else _of_event(record, number, base)
    piece = subscription_payload(text.strip(), base.where, number)
    return piece if isinstance(piece, LogPayload) else None


def _event_line(text: str) -> dict[str, Any] | None:
    """A line that is a log event with its log group, or a whole payload; None for every other JSON line."""
    if not ('"log_group"' in text or '"logGroup"' in text or '"awslogs"' in text):
        return None
    record = load_object(text)
    if record is None:
        return None
    group = record.get("log_group") or record.get("logGroup")
    whole = isinstance(record.get("logEvents"), list) or isinstance(record.get("awslogs"), dict)
    return record if whole or (isinstance(group, str) and isinstance(record.get("message"), str)) else None


def _of_event(record: dict[str, Any], number: int, base: Lines) -> LogPayload | Lines | Refusal:
    if isinstance(record.get("awslogs"), dict):
        return subscription_payload(record["awslogs"].get("data"), base.where, number)
    if isinstance(record.get("logEvents"), list):
        return LogPayload(*decode_payload(encode(record)), base.where)
    stamp = record.get("timestamp")
    milliseconds = int(stamp) if isinstance(stamp, (int, float)) and 0 < stamp < 1e16 else 0
    group = str(record.get("log_group") or record.get("logGroup"))
    stream = str(record.get("log_stream") or record.get("logStream") or "")
    return Lines([(record["message"], milliseconds, number)], base.where, group, stream, base.owner)


def _milliseconds(text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends; one longer than 1 MB comes in several."""
    held = b""
    for chunk in chunks:
        parts = (held + chunk).split(b"\n")
        held = parts.pop()
        for part in parts:
            yield part.removesuffix(b"\r")
        while len(held) > _LINE_BYTES:
            yield held[:_LINE_BYTES]
            held = held[_LINE_BYTES:]
    if held:
        yield held.removesuffix(b"\r")
