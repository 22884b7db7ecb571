"""Compute the position of a batch: the lines of deliveries that it was read from, equal at every attempt."""

import hashlib
from typing import NamedTuple


class Delivery(NamedTuple):
    """The delivery of the lines after it, such as an S3 object.

    Args:
        identity: equal for all attempts of the delivery, different from every other delivery.
        first: the index of its first line; above 0 if an earlier invocation has read the lines before.
        separate: no batch has items of this and of another delivery, so that the batches of a delivery do not
            depend on the deliveries before it.
    """

    identity: str
    first: int = 0
    separate: bool = False


class Position:
    """The lines of a unit that were read since the last batches.

    The sizes of the pieces are part of the position: with other sizes, as in a newer version of the
    forwarder, the items of the same lines can have another order, because the logs of refused lines follow
    the other logs of their piece, and other lines must not be mistaken for delivered ones.

    Args:
        unit: the identity of the unit, for lines without a `Delivery` before them.
        destination: the destination of the batches and the filters of their items; the same lines for another
            destination are another position.
    """

    def __init__(self, unit: str, destination: str = "") -> None:
        self._destination, self._delivery = destination, unit
        self._next: dict[str, int] = {}
        self._ranges: list[tuple[str, int, list[int]]] = []

    def begin(self, delivery: Delivery) -> None:
        """Count the next lines as lines of this delivery, after those that were counted before."""
        self._delivery = delivery.identity
        self._next.setdefault(delivery.identity, delivery.first)

    def add(self, lines: int) -> None:
        """Count the lines of a piece."""
        start = self._next.get(self._delivery, 0)
        self._next[self._delivery] = start + lines
        if self._ranges and self._ranges[-1][0] == self._delivery:
            self._ranges[-1][2].append(lines)
        else:
            self._ranges.append((self._delivery, start, [lines]))

    def take(self) -> str:
        """Return a digest of the position, and reset it to no lines."""
        text = repr((self._destination, self._ranges))
        self._ranges = []
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
