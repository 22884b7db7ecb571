"""What is remembered from one payload to the next, so that one fact in two lines is counted once."""

from collections.abc import Hashable

_LIMIT = 10_000


class Memory:
    """Remembers where a fact was seen first; bounded, the oldest goes first.

    A fact counts again for the place that counted it: a payload that is delivered again has to give the same
    points again, because the first attempt may not have arrived.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._seen: dict[Hashable, str] = {}
        self._limit = limit

    def first(self, fact: Hashable, place: str) -> bool:
        """Whether the fact is new, or was first seen at this very place."""
        known = self._seen.setdefault(fact, place)
        if len(self._seen) > self._limit:
            del self._seen[next(iter(self._seen))]
        return known == place
