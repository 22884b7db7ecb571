"""Which batches have been accepted already: in memory, and in DynamoDB where a table is set."""

import threading
from typing import Any

_LIMIT = 20_000


class InMemory:
    """Digests of accepted batches for as long as this process lives; the oldest go first."""

    failures = 0  # nothing here can fail

    def __init__(self, limit: int = _LIMIT) -> None:
        self._known: dict[str, None] = {}
        self._limit = limit
        self._lock = threading.Lock()

    def known(self, digest: str) -> bool:
        """Return whether the batch was accepted before."""
        return digest in self._known

    def remember(self, digest: str) -> None:
        """Remember that the batch was accepted."""
        with self._lock:
            self._known[digest] = None
            if len(self._known) > self._limit:
                del self._known[next(iter(self._known))]


class InDynamoDb:
    """The same beyond the life of one process, in the table and form of Powertools' idempotency.

    All functions that share a table share its digests: what one has spooled another may redrive.

    A table that cannot be reached is no reason to hold telemetry back: the batch is sent, and may then
    arrive twice.
    """

    def __init__(self, table: str, seconds: int) -> None:
        self._table, self._seconds = table, seconds
        self._near = InMemory()
        self._layer: Any = None
        self._lock = threading.Lock()
        self.failures = 0

    def known(self, digest: str) -> bool:
        """Return whether the batch was accepted before, by whichever process."""
        return self._near.known(digest) or self._ask(digest)

    def remember(self, digest: str) -> None:
        """Remember that the batch was accepted."""
        self._near.remember(digest)
        try:
            self._store().save_success(data={"digest": digest}, result={})
        except Exception:  # noqa: BLE001 - see the class
            self.failures += 1

    def _ask(self, digest: str) -> bool:
        from aws_lambda_powertools.utilities.idempotency.exceptions import (
            IdempotencyItemNotFoundError,
        )

        try:
            record = self._store().get_record(data={"digest": digest})
        except IdempotencyItemNotFoundError:
            return False
        except Exception:  # noqa: BLE001 - see the class
            self.failures += 1
            return False
        return bool(record.status == "COMPLETED")

    def _store(self) -> Any:
        with self._lock:
            if self._layer is None:
                from aws_lambda_powertools.utilities.idempotency import (
                    DynamoDBPersistenceLayer,
                    IdempotencyConfig,
                )

                layer = DynamoDBPersistenceLayer(table_name=self._table)
                config = IdempotencyConfig(expires_after_seconds=self._seconds, hash_function="sha256")
                layer.configure(config, key_prefix="stepscope.forwarder")
                self._layer = layer
            return self._layer
