"""Files and standard input as units: whole events as AWS sends them, exported logs, payloads, or lines."""

import os
import stat
import sys
import uuid
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from monitoring.errors import InputError
from monitoring.forwarder.inputs import Inputs, Piece, Unit
from monitoring.forwarder.objects import CHUNK, UNREADABLE, Lines, Refusal, expand, pieces
from monitoring.log_events.codec import decode

_WHOLE = 32 * 1024 * 1024  # bytes: an event is at most 6 MB; a larger file is read line by line
_EVENT_KEYS = frozenset({"awslogs", "Records", "detail-type", "events", "stepscope"})


def file_unit(name: str, inputs: Inputs, group: str = "") -> Unit:
    """The unit of one file, or of standard input as `-`.

    Args:
        group: the log group that plain lines are taken to come from.

    Raises:
        InputError: the file cannot be opened.
    """
    base = Lines([], name, group=group)
    if name == "-":
        return Unit(_stdin_identity(), _pieces(_chunks(sys.stdin.buffer), inputs, base))
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed when its last chunk is read
    except OSError as error:
        raise InputError(
            error.strerror or "cannot be read", where=name, hint="Name a file that can be read"
        ) from None
    identity = f"{Path(name).resolve()}:{_state(file.fileno())}"
    return Unit(identity, _pieces(_chunks(file), inputs, base))


def _state(descriptor: int) -> str:
    """Identify a file and its content."""
    about = os.fstat(descriptor)
    return f"{about.st_dev}:{about.st_ino}:{about.st_size}:{about.st_mtime_ns}"


def _stdin_identity() -> str:
    """Identify standard input: the file and its offset, or, for a pipe, this run alone."""
    try:
        descriptor = sys.stdin.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return f"stdin:{_state(descriptor)}:{os.lseek(descriptor, 0, os.SEEK_CUR)}"
    except (OSError, ValueError):
        pass
    return f"stdin:{uuid.uuid4().hex}"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK):
            yield chunk
    except OSError as error:
        raise ValueError(f"the file cannot be read on: {error.strerror or error}") from None
    finally:
        file.close()


def _pieces(chunks: Iterable[bytes], inputs: Inputs, base: Lines) -> Iterator[Piece]:
    held: list[bytes] = []
    size = 0
    stream = expand(chunks)
    try:
        for chunk in stream:
            held.append(chunk)
            size += len(chunk)
            if size > _WHOLE or not b"".join(held[:1]).lstrip().startswith((b"{", b"[")):
                break
        else:
            events = _events(b"".join(held))
            if events is not None:
                for event in events:
                    yield from _event(event, inputs, base)
                return
    except UNREADABLE as error:
        yield from pieces(held, base)
        yield Refusal(f"unreadable from here on: {error}", base.where)
        return
    yield from pieces(chain(held, stream), base)


def _events(body: bytes) -> list[dict[str, Any]] | None:
    """The events that the whole file is: one, or a JSON list of them; None for anything else."""
    try:
        found = decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    events = found if isinstance(found, list) else [found]
    known = events and all(isinstance(event, dict) and _EVENT_KEYS & event.keys() for event in events)
    return events if known else None


def _event(event: dict[str, Any], inputs: Inputs, base: Lines) -> Iterator[Piece]:
    """What an event brings; `events` is the answer of CloudWatch Logs' own commands."""
    if not isinstance(event.get("events"), list):
        yield from inputs.pieces(event, base.where)
        return
    for number, item in enumerate(event["events"], 1):
        message, stamp = (item.get("message"), item.get("timestamp")) if isinstance(item, dict) else (None, 0)
        if not isinstance(message, str):
            yield Refusal("the event has no message", base.where, str(item)[:200], number)
            continue
        stream = str(item.get("logStreamName") or base.stream)
        milliseconds = int(stamp) if isinstance(stamp, (int, float)) and 0 < stamp < 1e16 else 0
        yield Lines([(message, milliseconds, number)], base.where, base.group, stream)
