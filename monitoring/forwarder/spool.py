"""Where batches wait that could not be delivered: a folder, an S3 prefix, or an SQS queue with S3 for
large ones.

An entry is one JSON object: the compressed body as it would have been sent, scrubbed by then, with its
reason. It never holds a key.
"""

import base64
import contextlib
import hashlib
import json
import os
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from monitoring.errors import InputError
from monitoring.forwarder.aws import Clients, error_code
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.stats import ITEMS
from monitoring.log_events.codec import load_object

MARK = "stepscope.spool"
EVENT = "event"
"""The kind of an entry that is no batch: an event that could not be read, kept whole."""
REST = "rest"
"""The kind of what is left of an object that time did not suffice for."""
Result = Literal["sent", "refused", "later"]
"""The outcome of an entry; `later` where it failed for a reason other than its content."""
_KINDS = {*ITEMS, REST}
_SQS_BYTES = 256_000  # every queue takes as much
_SQS_MOST = 1_048_576  # most queues take as much, those that are older than August 2025 when told to


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch that waits.

    Args:
        digest: the identity of the batch; `whole` is that of the batch that was halved into it, if any.
        handle: where the entry is stored.
        items: the number of points, spans or log entries in it.
    """

    kind: str
    wire: bytes
    encoding: str
    digest: str
    reason: str
    attempts: int = 0
    handle: str = ""
    items: int = 0
    whole: str = ""

    def text(self) -> str:
        """As it is stored."""
        body = base64.b64encode(self.wire).decode()
        fields = {"kind": self.kind, "encoding": self.encoding, "digest": self.digest, "reason": self.reason}
        fields |= {"whole": self.whole} if self.whole else {}
        return json.dumps({MARK: 1, **fields, "attempts": self.attempts, "items": self.items, "body": body})


class TooLargeError(InputError):
    """The entry is larger than the spool takes; its halves may fit."""


def read_entry(text: str, handle: str) -> Entry:
    """Parse a stored entry.

    Raises:
        ValueError: it is none.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or record.get(MARK) != 1 or record.get("kind") not in _KINDS:
        raise ValueError("not an entry of a spool")
    try:
        return Entry(
            str(record["kind"]),
            base64.b64decode(record["body"], validate=True),
            str(record["encoding"]),
            str(record["digest"]),
            str(record["reason"]),
            int(record["attempts"]),
            handle,
            int(record.get("items", 0)),
            str(record.get("whole", "")),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"an entry of a spool without {error}") from None


def event_entry(text: str, reason: str, handle: str = "") -> Entry:
    """Return the entry of an event that could not be read."""
    body = text.encode("utf-8", "replace")
    return Entry(EVENT, body, "identity", hashlib.sha256(body).hexdigest(), reason, handle=handle, items=1)


def _entry(text: str, handle: str) -> Entry:
    """Return the stored entry; what is not an entry becomes one of an event that could not be read."""
    try:
        return read_entry(text, handle)
    except ValueError as error:
        return event_entry(text, str(error), handle)


class Spool(Protocol):
    """Store what a redrive needs; `put` raises where the entry is not safe afterwards.

    It raises `TooLargeError` where the entry does not fit; a divisible one is better divided than put into a
    message of the largest size, which a queue may refuse.
    """

    def put(self, entry: Entry, divisible: bool = False) -> None:
        """Keep an entry."""

    def entries(self) -> Iterator[Entry]:
        """Yield the entries, the oldest first, one at a time."""

    def delete(self, entry: Entry) -> None:
        """Delete an entry that has been delivered."""

    def failed(self, entry: Entry, dead: bool) -> None:
        """Count another failure of the entry, or move it to the dead letters."""


class FolderSpool:
    """One file an entry, readable by its owner only; dead letters in `dead/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, entry: Entry, divisible: bool = False) -> None:
        """Keep an entry; it is on the disk when this returns."""
        self._write(self._folder / _name(entry), entry)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries by age; a file that another redrive removes meanwhile is left out."""
        files: list[tuple[int, Path]] = []
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                files.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(files):
            with contextlib.suppress(FileNotFoundError):
                yield _entry(path.read_text("utf-8", "replace"), str(path))

    def delete(self, entry: Entry) -> None:
        """Remove the file."""
        Path(entry.handle).unlink(missing_ok=True)

    def failed(self, entry: Entry, dead: bool) -> None:
        """Count the attempt in the file, or move it."""
        counted = replace(entry, attempts=entry.attempts + 1)
        if dead:
            self._write(self._dead() / _name(entry), counted)
            self.delete(entry)
        else:
            self._write(Path(entry.handle), counted)

    def _dead(self) -> Path:
        return self._folder / "dead"

    def _write(self, path: Path, entry: Entry) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{path}.{os.getpid()}.{threading.get_ident()}.tmp"
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(entry.text())
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


class S3Spool:
    """One object an entry below a prefix, encrypted with the key of the settings or S3's own; dead letters
    in `dead/`."""

    def __init__(self, place: str, kms_key: str, clients: Clients) -> None:
        self._bucket, _, prefix = place.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/') or 'stepscope-spool'}/"
        self._kms_key, self._clients = kms_key, clients

    def put(self, entry: Entry, divisible: bool = False) -> None:
        """Keep an entry."""
        self.write(self._prefix + _name(entry), entry)

    def write(self, key: str, entry: Entry) -> str:
        """Put one object; its key."""
        secured = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key} if self._kms_key else {}
        body = entry.text().encode()
        self._clients("s3").put_object(
            Bucket=self._bucket, Key=key, Body=body, **(secured or {"ServerSideEncryption": "AES256"})
        )
        return key

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in random order, so that one that always fails does not block the others."""
        pages = self._clients("s3").get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
            items = page.get("Contents", [])
            for item in random.sample(items, len(items)):
                if item["Key"].removeprefix(self._prefix).count("/") == 0:
                    with contextlib.suppress(FileNotFoundError):  # another redrive has sent it meanwhile
                        yield self.read(item["Key"])

    def read(self, key: str) -> Entry:
        """One entry by its key.

        Raises:
            FileNotFoundError: there is no such object.
        """
        try:
            body = self._clients("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except Exception as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                raise FileNotFoundError(key) from None
            raise
        return _entry(body.decode("utf-8", "replace"), key)

    def delete(self, entry: Entry) -> None:
        """Remove the object."""
        self._clients("s3").delete_object(Bucket=self._bucket, Key=entry.handle)

    def failed(self, entry: Entry, dead: bool) -> None:
        """Count the attempt in the object, or move it."""
        counted = replace(entry, attempts=entry.attempts + 1)
        if not dead:
            self.write(entry.handle, counted)
            return
        self.write(f"{self._prefix}dead/{_name(entry)}", counted)
        self.delete(entry)


class SqsSpool:
    """One message an entry; what is too large for a message lies in S3, and the message says where."""

    def __init__(self, queue: str, large: S3Spool | None, clients: Clients) -> None:
        self._queue, self._large, self._clients = queue, large, clients

    def put(self, entry: Entry, divisible: bool = False) -> None:
        """Keep an entry."""
        text = entry.text()
        if len(text) > (_SQS_BYTES if self._large or divisible else _SQS_MOST):
            if self._large is None:
                raise TooLargeError(
                    f"an entry of {len(text):,} bytes is too large for SQS",
                    where="MONITORING_SPOOL_QUEUE",
                    hint="Set MONITORING_SPOOL_BUCKET for large ones",
                )
            # below its own prefix, so that a redrive of the bucket and one of the queue do not meet
            key = self._large.write(f"{self._large._prefix}large/{_name(entry)}", entry)
            text = json.dumps({MARK: 1, "s3": key})
        self._clients("sqs").send_message(QueueUrl=self._queue, MessageBody=text)

    def entries(self) -> Iterator[Entry]:
        """Yield the messages, one at a time, until the queue is empty."""
        while True:
            answer = self._clients("sqs").receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=1, AttributeNames=["ApproximateReceiveCount"]
            )
            messages = answer.get("Messages")
            if not messages:
                return
            yield self.message(messages[0])

    def message(self, message: dict[str, Any]) -> Entry:
        """Return the entry of one message; a message counts its own attempts."""
        entry = self.parse(message["Body"], message["ReceiptHandle"])
        count = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
        return replace(entry, attempts=int(count) - 1)

    def parse(self, body: str, receipt: str) -> Entry:
        """Return the entry of a message's body, fetched from S3 where it is stored there."""
        key = (load_object(body) or {}).get("s3") if MARK in body[:40] else None
        if isinstance(key, str) and self._large is not None:
            with contextlib.suppress(FileNotFoundError):
                return replace(self._large.read(key), handle=json.dumps([receipt, key]))
        return _entry(body, json.dumps([receipt, ""]))

    def delete(self, entry: Entry) -> None:
        """Remove the message, and what it pointed to."""
        receipt, key = json.loads(entry.handle)
        self._clients("sqs").delete_message(QueueUrl=self._queue, ReceiptHandle=receipt)
        if key and self._large is not None:
            self._large.delete(replace(entry, handle=key))

    def failed(self, entry: Entry, dead: bool) -> None:
        """Leave the message to come back, or move it to the dead letters of the bucket.

        Without a bucket the queue's own redrive policy decides when a message is dead.
        """
        if dead and self._large is not None:
            self._large.failed(replace(entry, handle=self._large._prefix + _name(entry)), dead=True)
            self.delete(entry)


def _name(entry: Entry) -> str:
    return f"{entry.kind}-{entry.digest[:40]}.json"


def make_spool(settings: ForwarderSettings, clients: Clients) -> FolderSpool | S3Spool | SqsSpool | None:
    """Return the spool of the settings, or None."""
    bucket = settings.spool_bucket
    large = S3Spool(bucket, settings.spool_kms_key, clients) if bucket else None
    if settings.spool_queue:
        return SqsSpool(settings.spool_queue, large, clients)
    if large is not None:
        return large
    return FolderSpool(Path(settings.spool_folder)) if settings.spool_folder else None
