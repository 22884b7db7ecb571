"""Read files and standard input as units: events of AWS, logs in several formats, lines."""

import os
import stat
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from monitoring.errors import InputError
from monitoring.forwarder.bodies import read_body
from monitoring.forwarder.decoding import CHUNK
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.pieces import LinePiece, Unit

Advance = Callable[[int], object]
"""Called with the number of bytes that were read."""


def file_unit(name: str, inputs: Inputs, group: str = "", advance: Advance = lambda _: None) -> Unit:
    """Return the unit of one file, or of standard input as `-`.

    Args:
        group: the log group of plain lines.

    Raises:
        InputError: the file cannot be opened.
    """
    base = LinePiece([], name, group=group)
    if name == "-":
        return Unit(_stdin_identity(), read_body(_chunks(sys.stdin.buffer, -1, advance), base, inputs))
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed when its last chunk is read
    except OSError as error:
        folder = isinstance(error, IsADirectoryError)
        hint = "Name the files in it" if folder else "Name a file that can be read"
        raise InputError(error.strerror or "cannot be read", where=name, hint=hint) from None
    status = os.fstat(file.fileno())
    size = status.st_size if stat.S_ISREG(status.st_mode) and status.st_size else -1
    identity = f"{Path(name).resolve()}:{_state(status)}"
    return Unit(identity, read_body(_chunks(file, size, advance), base, inputs))


def _state(status: os.stat_result) -> str:
    """Return a text that identifies a file and its content."""
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _stdin_identity() -> str:
    """Identify standard input by its file and offset; for a pipe, return a random identity."""
    try:
        descriptor = sys.stdin.fileno()
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return f"stdin:{_state(status)}:{os.lseek(descriptor, 0, os.SEEK_CUR)}"
    except (OSError, ValueError):
        pass
    return f"stdin:{uuid.uuid4().hex}"


def _chunks(file: BinaryIO, size: int, advance: Advance) -> Iterator[bytes]:
    """Yield the content of a file up to its size at opening, so that a growing file has an end."""
    try:
        while size and (chunk := file.read(CHUNK if size < 0 else min(CHUNK, size))):
            size -= len(chunk) if size > 0 else 0
            advance(len(chunk))
            yield chunk
    except OSError as error:
        raise ValueError(f"the rest of the file cannot be read: {error.strerror or error}") from None
    finally:
        file.close()
