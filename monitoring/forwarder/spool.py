"""Store batches that could not be delivered: in a folder, an S3 prefix, or an SQS queue with S3 for large
ones.
An entry is a JSON object with the compressed body of the request, which is already scrubbed, and the reason.
It has no API key.
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
"""The kind of an entry that is an event that could not be read, not a batch."""
REST = "rest"
"""The kind of an entry that is the rest of an object for which there was no time left."""
Result = Literal["sent", "refused", "later"]
"""The outcome of an entry; `later` if it failed for a reason other than its content."""
_KINDS = {*ITEMS, REST}
_SQS_BYTES = 256_000  # the largest message of every queue
_SQS_MOST = 1_048_576  # the largest message of queues since August 2025, and of older ones if configured


@dataclass(frozen=True, slots=True)
class Entry:
    """A spooled batch, event or rest of an object.

    Args:
        digest: the identity of the batch; `whole` is that of the batch that was halved into it, "" if none.
        handle: identifies the stored entry: a path, a key or a receipt handle.
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
        """Return the entry as the JSON text that is stored."""
        body = base64.b64encode(self.wire).decode()
        fields = {"kind": self.kind, "encoding": self.encoding, "digest": self.digest, "reason": self.reason}
        fields |= {"whole": self.whole} if self.whole else {}
        return json.dumps({MARK: 1, **fields, "attempts": self.attempts, "items": self.items, "body": body})


class TooLargeError(InputError):
    """Raised if an entry is too large for the spool; its halves may fit."""


def read_entry(text: str, handle: str) -> Entry:
    """Parse a stored entry.

    Raises:
        ValueError: the text is not an entry.
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
    """Parse a stored entry; a text that is not an entry becomes one of an event that could not be read."""
    try:
        return read_entry(text, handle)
    except ValueError as error:
        return event_entry(text, str(error), handle)


class Spool(Protocol):
    """Interface of a spool; `put` raises an exception if the entry could not be stored.

    It raises `TooLargeError` if the entry does not fit. For a divisible entry the limit is lower, because a
    queue may reject a message of the largest size.
    """

    def put(self, entry: Entry, divisible: bool = False) -> None:
        """Store an entry."""

    def entries(self) -> Iterator[Entry]:
        """Yield the entries, the oldest first, one at a time."""

    def delete(self, entry: Entry) -> None:
        """Delete an entry that has been delivered."""

    def failed(self, entry: Entry, dead: bool) -> None:
        """Count another failure of the entry, or move it to the dead letters."""


class FolderSpool:
    """Store each entry in a file, readable by its owner only; dead letters are in `dead/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, entry: Entry, divisible: bool = False) -> None:
        """Store an entry; it is synced to the disk when this returns."""
        self._write(self._folder / _name(entry), entry)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries by age; a file that another redrive removes in the meantime is skipped."""
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
    """Store each entry in an object below a prefix, encrypted with the KMS key of the settings or with S3's
    key; dead letters are in `dead/`."""

    def __init__(self, address: str, kms_key: str, clients: Clients) -> None:
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/') or 'stepscope-spool'}/"
        self._kms_key, self._clients = kms_key, clients

    def put(self, entry: Entry, divisible: bool = False) -> None:
        """Keep an entry."""
        self.write(self._prefix + _name(entry), entry)

    def write(self, key: str, entry: Entry) -> str:
        """Write an object, and return its key."""
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key} if self._kms_key else {}
        )
        body = entry.text().encode()
        self._clients("s3").put_object(
            Bucket=self._bucket, Key=key, Body=body, **(encryption or {"ServerSideEncryption": "AES256"})
        )
        return key

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in random order, so that one that always fails does not block the others."""
        pages = self._clients("s3").get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
            items = page.get("Contents", [])
            for item in random.sample(items, len(items)):
                if item["Key"].removeprefix(self._prefix).count("/") == 0:
                    with contextlib.suppress(FileNotFoundError):  # another redrive has sent it
                        yield self.read(item["Key"])

    def read(self, key: str) -> Entry:
        """Return the entry with a key.

        Raises:
            FileNotFoundError: the object does not exist.
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
    """Send each entry as a message; an entry that is too large is in S3, and the message has its key."""

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
            # below `large/`, so that a redrive of the bucket does not read entries of the queue
            key = self._large.write(f"{self._large._prefix}large/{_name(entry)}", entry)
            text = json.dumps({MARK: 1, "s3": key})
        self._clients("sqs").send_message(QueueUrl=self._queue, MessageBody=text)

    def entries(self) -> Iterator[Entry]:
        """Yield the messages, one at a time, until the queue is empty."""
        while True:
            response = self._clients("sqs").receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=1, AttributeNames=["ApproximateReceiveCount"]
            )
            messages = response.get("Messages")
            if not messages:
                return
            yield self.message(messages[0])

    def message(self, message: dict[str, Any]) -> Entry:
        """Return the entry of a message; SQS counts its attempts."""
        entry = self.parse(message["Body"], message["ReceiptHandle"])
        count = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
        return replace(entry, attempts=int(count) - 1)

    def parse(self, body: str, receipt: str) -> Entry:
        """Return the entry of a message's body; fetch it from S3 if it is stored there."""
        key = (load_object(body) or {}).get("s3") if MARK in body[:40] else None
        if isinstance(key, str) and self._large is not None:
            with contextlib.suppress(FileNotFoundError):
                return replace(self._large.read(key), handle=json.dumps([receipt, key]))
        return _entry(body, json.dumps([receipt, ""]))

    def delete(self, entry: Entry) -> None:
        """Delete the message, and the object that it refers to."""
        receipt, key = json.loads(entry.handle)
        self._clients("sqs").delete_message(QueueUrl=self._queue, ReceiptHandle=receipt)
        if key and self._large is not None:
            self._large.delete(replace(entry, handle=key))

    def failed(self, entry: Entry, dead: bool) -> None:
        """Leave the message in the queue, or move it to the dead letters of the bucket.

        Without a bucket, the queue's redrive policy moves it to the dead-letter queue.
        """
        if dead and self._large is not None:
            self._large.failed(replace(entry, handle=self._large._prefix + _name(entry)), dead=True)
            self.delete(entry)


def _name(entry: Entry) -> str:
    return f"{entry.kind}-{entry.digest[:40]}.json"


def make_spool(settings: ForwarderSettings, clients: Clients) -> FolderSpool | S3Spool | SqsSpool | None:
    """Return the spool that the settings configure, or None."""
    bucket = settings.spool_bucket
    large = S3Spool(bucket, settings.spool_kms_key, clients) if bucket else None
    if settings.spool_queue:
        return SqsSpool(settings.spool_queue, large, clients)
    if large is not None:
        return large
    return FolderSpool(Path(settings.spool_folder)) if settings.spool_folder else None
