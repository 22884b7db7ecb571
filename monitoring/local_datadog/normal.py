"""Normalize names and tags as Datadog does, and identify the series of payloads."""

from collections.abc import Iterable

from monitoring.lines import metric_name, tag_text
from monitoring.store import SeriesIdentity

_CACHED = 200_000
_Key = tuple[object, ...]


def tags(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the set of tags, normalized and sorted."""
    return tuple(sorted({clean for text in texts if (clean := tag_text(text))}))


class Sources:
    """Cache description of a series -> `SeriesIdentity`, because senders repeat it with every payload.

    The key has the tags as raw bytes, so that a lookup does not decode them.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, SeriesIdentity | None] = {}
        self.get = self._known.get

    def learn(self, key: _Key, identity: SeriesIdentity | None) -> SeriesIdentity | None:
        """Add an identity and return it; None marks an invalid series."""
        if len(self._known) >= _CACHED:
            self._known.clear()
        self._known[key] = identity
        return identity


def source(
    metric: str, host: str, texts: Iterable[str], kind: str, interval: int | None
) -> SeriesIdentity | None:
    """Return the identity of a payload's series; None if the name is not valid."""
    try:
        name = metric_name(metric)
    except ValueError:
        return None
    clean = tags(texts)
    if not host:
        host = next((tag[5:] for tag in clean if tag.startswith("host:")), "")
    return SeriesIdentity(name, host, tuple(tag for tag in clean if tag != f"host:{host}"), kind, interval)
