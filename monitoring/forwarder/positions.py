"""The position of a batch: which lines of which deliveries it was read from, the same at every attempt."""

import hashlib
from typing import NamedTuple


class Delivery(NamedTuple):
    """The delivery that the lines after it come from, such as an S3 object.

    Args:
        identity: equal for all attempts to deliver it, different for every other delivery.
        first: the ordinal of its first line; not 0 where an earlier invocation has read a part of it.
        separate: no batch holds items of it and of another delivery, so that the batches of a delivery do not
            depend on what was read before it.
    """

    identity: str
    first: int = 0
    separate: bool = False


class Position:
    """The lines of a unit that were read since the last batches were made.

    The lines are named with the pieces in which they are read. An attempt that reads larger pieces, as a
    newer version of the forwarder may, must not take other lines for delivered ones; nor are the items of the
    same lines in the same order then: the logs of refused lines follow the other logs of their piece.

    Args:
        unit: the identity of the unit, for lines that no `Delivery` precedes.
        destination: where the batches go and which items they hold; the same lines for another destination
            are another position.
    """

    def __init__(self, unit: str, destination: str = "") -> None:
        self._destination, self._delivery = destination, unit
        self._next: dict[str, int] = {}
        self._ranges: list[tuple[str, int, list[int]]] = []

    def begin(self, delivery: Delivery) -> None:
        """Count the lines that follow as lines of this delivery, from where its count stands."""
        self._delivery = delivery.identity
        self._next.setdefault(delivery.identity, delivery.first)

    def add(self, lines: int) -> None:
        """Count the lines of one piece."""
        start = self._next.get(self._delivery, 0)
        self._next[self._delivery] = start + lines
        if self._ranges and self._ranges[-1][0] == self._delivery:
            self._ranges[-1][2].append(lines)
        else:
            self._ranges.append((self._delivery, start, [lines]))

    def take(self) -> str:
        """Return a digest of the position, and continue with no lines."""
        text = repr((self._destination, self._ranges))
        self._ranges = []
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
