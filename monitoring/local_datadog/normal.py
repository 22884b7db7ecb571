"""Names and tags as Datadog stores them, and the source that a payload's series is."""

from collections.abc import Iterable

from monitoring.lines import metric_name, tag_text
from monitoring.store import SeriesIdentity

_CACHED = 200_000
_Key = tuple[object, ...]


def tags(given: Iterable[str]) -> tuple[str, ...]:
    """Return the set of tags, normalized and sorted."""
    return tuple(sorted({clean for one in given if (clean := tag_text(one))}))


class Sources:
    """Cache a payload's description of a series -> `SeriesIdentity`: senders repeat it with every payload.

    The key is what was sent, tags as the very bytes: they need not be read to be found again.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, SeriesIdentity | None] = {}
        self.get = self._known.get

    def learn(self, key: _Key, found: SeriesIdentity | None) -> SeriesIdentity | None:
        """Remember, and give it back; None is a series that cannot be one."""
        if len(self._known) >= _CACHED:
            self._known.clear()
        self._known[key] = found
        return found


def source(
    metric: str, host: str, given: Iterable[str], kind: str, interval: int | None
) -> SeriesIdentity | None:
    """Return the source of a payload's series; None where the name is not valid."""
    try:
        name = metric_name(metric)
    except ValueError:
        return None
    clean = tags(given)
    if not host:
        host = next((one[5:] for one in clean if one.startswith("host:")), "")
    return SeriesIdentity(name, host, tuple(one for one in clean if one != f"host:{host}"), kind, interval)
