"""The position of a batch: which pieces of which deliveries it was read from, the same at every attempt."""

import hashlib
from typing import NamedTuple


class Delivery(NamedTuple):
    """The delivery that the pieces after it come from, such as an S3 object.

    Args:
        identity: equal for all attempts to deliver it, different for every other delivery.
        first: the ordinal of its first piece; not 0 where an earlier invocation has read a part of it.
        separate: no batch holds items of it and of another delivery, so that the batches of a delivery do not
            depend on what was read before it.
    """

    identity: str
    first: int = 0
    separate: bool = False


class Position:
    """The pieces of a unit that were read since the last batches were made.

    Args:
        unit: the identity of the unit, for pieces that no `Delivery` precedes.
        destination: where the batches go and which items they hold; the same pieces for another destination
            are another position.
    """

    def __init__(self, unit: str, destination: str = "") -> None:
        self._destination, self._delivery = destination, unit
        self._next: dict[str, int] = {}
        self._ranges: list[tuple[str, int, int]] = []

    def begin(self, delivery: Delivery) -> None:
        """Count the pieces that follow as pieces of this delivery, from where its count stands."""
        self._delivery = delivery.identity
        self._next.setdefault(delivery.identity, delivery.first)

    def add(self) -> None:
        """Count one piece."""
        ordinal = self._next.get(self._delivery, 0)
        self._next[self._delivery] = ordinal + 1
        delivery, first, _ = self._ranges[-1] if self._ranges else ("", 0, 0)
        if delivery == self._delivery:
            self._ranges[-1] = (delivery, first, ordinal + 1)
        else:
            self._ranges.append((self._delivery, ordinal, ordinal + 1))

    def take(self) -> str:
        """Return a digest of the position, and continue with no pieces."""
        text = repr((self._destination, self._ranges))
        self._ranges = []
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
