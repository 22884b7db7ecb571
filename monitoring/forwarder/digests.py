"""Which batches have been accepted already: in memory, and in DynamoDB where a table is set.

The batches of one position (a payload's logs, metrics and spans) are known together: the table is read once
before the first of them is sent, and written once when the last of them is settled, or before anything waits.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from monitoring.forwarder.aws import Clients

RECORD = 24
"""Where the end of a batch's identity begins that names its position; the beginning names the batch there."""
_LIMIT = 20_000
_MOST = 8  # digests that wait to be written: large positions have many batches


class Delivered(Protocol):
    """The memory of accepted batches, by their identities."""

    failures: int

    def near(self, digest: str) -> bool:
        """Return whether this process has seen the batch accepted."""

    def add(self, digest: str) -> None:
        """Remember in this process that the batch was accepted."""

    def accepted(self, record: str) -> Collection[str]:
        """Return the beginnings of the identities of a position's batches that any process has saved."""

    def save(self, digests: Iterable[str]) -> None:
        """Remember for every process that batches of one position were accepted."""


class InMemory:
    """Digests of accepted batches for as long as this process lives; the oldest go first."""

    failures = 0  # nothing here can fail

    def __init__(self, limit: int = _LIMIT) -> None:
        self._known: dict[str, None] = {}
        self._limit = limit
        self._lock = threading.Lock()

    def near(self, digest: str) -> bool:
        """Return whether the batch was accepted before."""
        return digest in self._known

    def add(self, digest: str) -> None:
        """Remember that the batch was accepted."""
        with self._lock:
            self._known[digest] = None
            if len(self._known) > self._limit:
                del self._known[next(iter(self._known))]

    def accepted(self, record: str) -> Collection[str]:
        """Return nothing: no other process is heard of."""
        return ()

    def save(self, digests: Iterable[str]) -> None:
        """Do nothing, as `accepted`."""


class InDynamoDb(InMemory):
    """The same beyond the life of one process: an item for each position, with the beginnings of its digests.

    All functions that share a table share its digests: what one has spooled another may redrive.

    A table that cannot be reached is no reason to hold telemetry back: the batch is sent, and may then
    arrive twice.

    Args:
        table: has the key `id` and the time to live `expiration`.
        seconds: how long an item is kept.
        clients: gives boto3 clients.
        clock: seconds since the epoch.
    """

    def __init__(
        self, table: str, seconds: int, clients: Clients, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._table, self._seconds, self._clients, self._clock = table, seconds, clients, clock
        self.failures = 0

    def accepted(self, record: str) -> Collection[str]:
        """Return the beginnings of the identities that any process has saved of a position."""
        try:
            answer = self._client().get_item(TableName=self._table, Key=_key(record), ConsistentRead=True)
            item = answer.get("Item", {})
            lives = int(item.get("expiration", {}).get("N", 0)) > self._clock()
            return frozenset(item["batches"]["SS"]) if lives else ()
        except Exception:  # noqa: BLE001 - see the class
            self.failures += 1
            return ()

    def save(self, digests: Iterable[str]) -> None:
        """Write the batches of one position to its item."""
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
    """The batches of one position on their way: one read, one write.

    What is accepted is written when no batch is under way any more, or at once where one has to wait; so a
    process that dies forgets no more than what Datadog took while others of the position were being sent.
    """

    def __init__(self, memory: Delivered) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._before: Collection[str] | None = None
        self._waiting: list[str] = []
        self._under_way = 0

    def begin(self) -> None:
        """Begin a batch, or the making of batches."""
        with self._lock:
            self._under_way += 1

    def end(self) -> None:
        """End it; the last one writes what was accepted."""
        with self._lock:
            self._under_way -= 1
            last = not self._under_way
        if last:
            self.save()

    def __enter__(self) -> "Position":
        """Begin a part of the position."""
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.end()

    def known(self, digest: str) -> bool:
        """Return whether the batch was accepted before."""
        if self._memory.near(digest):
            return True
        with self._lock:
            if self._before is None:
                self._before = self._memory.accepted(digest[RECORD:])
        return digest[:RECORD] in self._before

    def remember(self, digest: str) -> None:
        """Remember that the batch was accepted."""
        self._memory.add(digest)
        with self._lock:
            self._waiting.append(digest)
            full = len(self._waiting) >= _MOST
        if full:
            self.save()

    def save(self) -> None:
        """Write what was accepted and is not written yet."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if waiting:
            self._memory.save(waiting)
