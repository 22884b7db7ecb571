"""Names and tags as Datadog stores them, and the source that a payload's series is."""

from collections.abc import Iterable

from monitoring.lines import metric_name, tag_text
from monitoring.store import Source

_CACHED = 200_000
_NameAndTags = tuple[str, str, tuple[str, ...], str, int | None]


def tags(given: Iterable[str]) -> tuple[str, ...]:
    """The set of tags, normalised and sorted."""
    return tuple(sorted({clean for one in given if (clean := tag_text(one))}))


class Sources:
    """Raw names and tags -> `Source`, remembered: a sender repeats the same ones with every payload."""

    def __init__(self) -> None:
        self._known: dict[_NameAndTags, Source | None] = {}

    def get(
        self, metric: str, host: str, given: tuple[str, ...], kind: str, interval: int | None
    ) -> Source | None:
        """The source; None where the name cannot be one."""
        key = (metric, host, given, kind, interval)
        try:
            return self._known[key]
        except KeyError:
            if len(self._known) >= _CACHED:
                self._known.clear()
            source = self._known[key] = _source(key)
            return source


def _source(key: _NameAndTags) -> Source | None:
    metric, host, given, kind, interval = key
    try:
        name = metric_name(metric)
    except ValueError:
        return None
    clean = tags(given)
    if not host:
        host = next((one[5:] for one in clean if one.startswith("host:")), "")
    return Source(name, host, tuple(one for one in clean if one != f"host:{host}"), kind, interval)
