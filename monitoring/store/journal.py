"""Keep a write-ahead journal, so that acknowledged data survives a crash of the process.

A record is appended with `write` before the intake answers; from then on the operating system has it, and
killing this process loses nothing. There are two files: while the records of one are committed to the
database, new ones go to the other; then the first is truncated. A record that was only partly written was
never acknowledged: its checksum does not match, and the replay of its file stops there.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct("<4sBQII")
_MAGIC = b"SSJ1"
_TURN_AT = 4 << 20


class Record(NamedTuple):
    """An appended record: its sequence number, the kind of its payload, and the payload."""

    seq: int
    kind: int
    payload: bytes


class Journal:
    """Two append-only files beside the database, `<name>.journal` and `<name>.journal2`."""

    def __init__(self, database: Path, *, sync: bool = False) -> None:
        self._paths = paths(database)
        self._sync = sync
        self._files = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600) for path in self._paths]
        self._sizes = [os.fstat(file).st_size for file in self._files]
        self._active = 0
        self.seq = 0

    def append(self, kind: int, payload: bytes) -> int:
        """Write a record and return its sequence number.

        Raises:
            OSError: the disk is full or cannot be written; the file is as it was before.
        """
        seq = self.seq + 1
        record = _HEADER.pack(_MAGIC, kind, seq, len(payload), _checksum(kind, seq, payload)) + payload
        file, size = self._files[self._active], self._sizes[self._active]
        try:
            _write_all(file, record)
            if self._sync:
                os.fdatasync(file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, size)
            raise
        self._sizes[self._active] = size + len(record)
        self.seq = seq
        return seq

    def turn(self) -> None:
        """Switch to the other file if the active one is larger than 4 MiB and the other one is empty."""
        other = 1 - self._active
        if self._sizes[self._active] > _TURN_AT and not self._sizes[other]:
            self._active = other

    def committed(self, seq: int) -> None:
        """Truncate the files whose records are all in the database, which has everything up to `seq`."""
        for index in (0, 1):
            if self._sizes[index] and (index != self._active or seq == self.seq):
                os.ftruncate(self._files[index], 0)
                self._sizes[index] = 0

    def close(self, *, remove: bool) -> None:
        """Close the files; `remove`: delete them, because all of their records are in the database."""
        for file, path in zip(self._files, self._paths, strict=True):
            os.close(file)
            if remove:
                path.unlink(missing_ok=True)


def paths(database: Path) -> tuple[Path, Path]:
    """Return the two files of a database's journal."""
    return (database.with_name(database.name + ".journal"), database.with_name(database.name + ".journal2"))


def replay(database: Path, after: int) -> Iterator[Record]:
    """Yield the records with a sequence number above `after`, in order."""
    records = [record for path in paths(database) if path.exists() for record in read(path.read_bytes())]
    yield from sorted(record for record in records if record.seq > after)


def read(data: bytes) -> Iterator[Record]:
    """Yield the records of a journal file's content, up to the first that is incomplete or damaged."""
    at = 0
    while at + _HEADER.size <= len(data):
        magic, kind, seq, length, checksum = _HEADER.unpack_from(data, at)
        payload = data[at + _HEADER.size : at + _HEADER.size + length]
        if magic != _MAGIC or len(payload) < length or _checksum(kind, seq, payload) != checksum:
            return
        yield Record(seq, kind, payload)
        at += _HEADER.size + length


def _checksum(kind: int, seq: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<BQ", kind, seq)))


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
