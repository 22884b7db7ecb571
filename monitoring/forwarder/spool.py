"""Where batches wait that could not be delivered: a folder, an S3 prefix, or an SQS queue with S3 for
large ones.

An entry is one JSON object: the compressed body as it would have been sent, scrubbed by then, with its
reason. It never holds a key.
"""

import base64
import contextlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from monitoring.errors import InputError
from monitoring.forwarder.aws import Clients
from monitoring.forwarder.settings import Settings

MARK = "stepscope.spool"
_SQS_BYTES = 256_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch that waits; `handle` is how its spool finds it again."""

    kind: str
    wire: bytes
    encoding: str
    digest: str
    reason: str
    attempts: int = 0
    handle: str = ""

    def text(self) -> str:
        """As it is stored."""
        body = base64.b64encode(self.wire).decode()
        fields = {"kind": self.kind, "encoding": self.encoding, "digest": self.digest, "reason": self.reason}
        return json.dumps({MARK: 1, **fields, "attempts": self.attempts, "body": body})


def read_entry(text: str, handle: str) -> Entry:
    """An entry from what was stored.

    Raises:
        ValueError: it is none.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or record.get(MARK) != 1:
        raise ValueError("no entry of a spool")
    try:
        return Entry(
            str(record["kind"]),
            base64.b64decode(record["body"], validate=True),
            str(record["encoding"]),
            str(record["digest"]),
            str(record["reason"]),
            int(record["attempts"]),
            handle,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"an entry of a spool without {error}") from None


class Spool(Protocol):
    """What a redrive needs; `put` raises where the entry is not safe afterwards."""

    def put(self, entry: Entry) -> None:
        """Keep an entry."""

    def entries(self) -> Iterator[Entry]:
        """The entries, the oldest first, one at a time."""

    def delete(self, entry: Entry) -> None:
        """The entry has been delivered."""

    def failed(self, entry: Entry, dead: bool) -> None:
        """The entry failed once more: count that, or move it to the dead letters."""


class FolderSpool:
    """One file an entry, readable by its owner only; dead letters in `dead/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, entry: Entry) -> None:
        """Keep an entry; it is on the disk when this returns."""
        self._write(self._folder / _name(entry), entry)

    def entries(self) -> Iterator[Entry]:
        """The entries by age; a file that is none goes to the dead letters."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name)):
            try:
                yield read_entry(path.read_text(), str(path))
            except ValueError:
                self._dead().mkdir(parents=True, exist_ok=True)
                path.replace(self._dead() / path.name)

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

    def put(self, entry: Entry) -> None:
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
        """The entries, as S3 lists them."""
        pages = self._clients("s3").get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
            for item in page.get("Contents", ()):
                if item["Key"].removeprefix(self._prefix).count("/") == 0:
                    with contextlib.suppress(ValueError):
                        yield self.read(item["Key"])

    def read(self, key: str) -> Entry:
        """One entry by its key."""
        body = self._clients("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return read_entry(body.decode(), key)

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

    def put(self, entry: Entry) -> None:
        """Keep an entry."""
        text = entry.text()
        if len(text) > _SQS_BYTES:
            if self._large is None:
                raise InputError(
                    f"an entry of {len(text):,} bytes is too large for SQS",
                    where="MONITORING_SPOOL_QUEUE",
                    hint="Set MONITORING_SPOOL_BUCKET for large ones",
                )
            # below its own prefix, so that a redrive of the bucket and one of the queue do not meet
            key = self._large.write(f"{self._large._prefix}large/{_name(entry)}", entry)
            text = json.dumps({MARK: 1, "s3": key})
        self._clients("sqs").send_message(QueueUrl=self._queue, MessageBody=text)

    def entries(self) -> Iterator[Entry]:
        """The messages, one at a time, until the queue gives none."""
        while True:
            found = self._clients("sqs").receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=1, AttributeNames=["ApproximateReceiveCount"]
            )
            messages = found.get("Messages")
            if not messages:
                return
            with contextlib.suppress(ValueError):
                yield self.message(messages[0])

    def message(self, message: dict[str, Any]) -> Entry:
        """The entry of one message; a message counts its own attempts.

        Raises:
            ValueError: it is none.
        """
        entry = self.parse(message["Body"], message["ReceiptHandle"])
        count = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
        return replace(entry, attempts=int(count) - 1)

    def parse(self, body: str, receipt: str) -> Entry:
        """The entry of a message's body, fetched from S3 where it lies there.

        Raises:
            ValueError: it is none.
        """
        record = json.loads(body)
        if isinstance(record, dict) and isinstance(record.get("s3"), str) and self._large is not None:
            return replace(self._large.read(record["s3"]), handle=json.dumps([receipt, record["s3"]]))
        return read_entry(body, json.dumps([receipt, ""]))

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


def make_spool(settings: Settings, clients: Clients) -> FolderSpool | S3Spool | SqsSpool | None:
    """The spool of the settings, or None."""
    bucket = settings.spool_bucket
    large = S3Spool(bucket, settings.spool_kms_key, clients) if bucket else None
    if settings.spool_queue:
        return SqsSpool(settings.spool_queue, large, clients)
    if large is not None:
        return large
    return FolderSpool(Path(settings.spool_folder)) if settings.spool_folder else None
