"""Remember which batches Datadog has accepted: in memory, and in DynamoDB if a table is set.

The batches of a position (a payload's logs, metrics and spans) share an item: the table is read once before
the first of them is sent, and written when the last one has an outcome or before a batch waits for a retry.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from monitoring.forwarder.aws import Clients

RECORD = 24
"""Index in a batch's identity: the digits before it identify the batch, those after it its position."""
_LIMIT = 20_000
_MOST = 8  # accepted digests that are buffered before they are written


class Delivered(Protocol):
    """Interface of the memory of accepted batches, by their identities."""

    failures: int

    def near(self, digest: str) -> bool:
        """Return whether the batch was accepted in this process."""

    def add(self, digest: str) -> None:
        """Remember in this process that the batch was accepted."""

    def accepted(self, record: str) -> Collection[str]:
        """Return the first `RECORD` digits of the identities that any process has saved for a position."""

    def save(self, digests: Iterable[str]) -> None:
        """Save, for all processes, that batches of a position were accepted."""


class InMemory:
    """Remember accepted batches in this process; beyond `limit` the oldest are dropped."""

    failures = 0  # memory cannot fail

    def __init__(self, limit: int = _LIMIT) -> None:
        self._digests: dict[str, None] = {}
        self._limit = limit
        self._lock = threading.Lock()

    def near(self, digest: str) -> bool:
        """Return whether the batch was accepted before."""
        return digest in self._digests

    def add(self, digest: str) -> None:
        """Remember that the batch was accepted."""
        with self._lock:
            self._digests[digest] = None
            if len(self._digests) > self._limit:
                del self._digests[next(iter(self._digests))]

    def accepted(self, record: str) -> Collection[str]:
        """Return (): batches of other processes are not known."""
        return ()

    def save(self, digests: Iterable[str]) -> None:
        """Do nothing: other processes cannot be informed."""


class InDynamoDb(InMemory):
    """Remember accepted batches in a DynamoDB table: an item per position, with the first digits of digests.

    Functions can share a table, so that one can redrive what another has spooled. If the table cannot be
    reached, a batch is sent nevertheless, and may arrive twice.

    Args:
        table: its partition key is `id` and its time-to-live attribute `expiration`.
        seconds: how long an item is kept.
        clients: returns the boto3 client of a service.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self, table: str, seconds: int, clients: Clients, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._table, self._seconds, self._clients, self._clock = table, seconds, clients, clock
        self.failures = 0

    def accepted(self, record: str) -> Collection[str]:
        """Return the first digits of the identities that any process has saved for a position."""
        try:
            response = self._client().get_item(TableName=self._table, Key=_key(record), ConsistentRead=True)
            item = response.get("Item", {})
            is_valid = int(item.get("expiration", {}).get("N", 0)) > self._clock()
            return frozenset(item["batches"]["SS"]) if is_valid else ()
        except Exception:  # noqa: BLE001 - see the class
            self.failures += 1
            return ()

    def save(self, digests: Iterable[str]) -> None:
        """Add the batches of a position to its item."""
        names = list(digests)
        try:
            self._client().update_item(
                TableName=self._table,
                Key=_key(names[0][RECORD:]),
                UpdateExpression="ADD #batches :batches SET #until = :until",
                ExpressionAttributeNames={"#batches": "batches", "#until": "expiration"},
                ExpressionAttributeValues={
                    ":batches": {"SS": [name[:RECORD] for name in names]},
                    ":until": {"N": str(int(self._clock()) + self._seconds)},
                },
            )
        except Exception:  # noqa: BLE001 - see the class
            self.failures += 1

    def _client(self) -> Any:
        return self._clients("dynamodb")


def _key(record: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": f"stepscope.forwarder#{record}"}}


class Position:
    """The batches of a position while they are sent: one read and one write of the memory.

    Accepted batches are written when no batch of the position is being sent any more, or before one waits for
    a retry. So a killed process forgets only batches accepted while others of the position were being sent.
    """

    def __init__(self, memory: Delivered) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._accepted: Collection[str] | None = None
        self._unsaved: list[str] = []
        self._active = 0

    def begin(self) -> None:
        """Note that a batch is being made or sent."""
        with self._lock:
            self._active += 1

    def end(self) -> None:
        """Note that a batch has an outcome; the last one saves the accepted batches."""
        with self._lock:
            self._active -= 1
            last = not self._active
        if last:
            self.save()

    def __enter__(self) -> "Position":
        """Call `begin`."""
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """Call `end`."""
        self.end()

    def known(self, digest: str) -> bool:
        """Return whether the batch was accepted before."""
        if self._memory.near(digest):
            return True
        with self._lock:
            if self._accepted is None:
                self._accepted = self._memory.accepted(digest[RECORD:])
        return digest[:RECORD] in self._accepted

    def remember(self, digest: str) -> None:
        """Remember that the batch was accepted."""
        self._memory.add(digest)
        with self._lock:
            self._unsaved.append(digest)
            full = len(self._unsaved) >= _MOST
        if full:
            self.save()

    def save(self) -> None:
        """Save the accepted batches that are not saved yet."""
        with self._lock:
            digests, self._unsaved = self._unsaved, []
        if digests:
            self._memory.save(digests)
