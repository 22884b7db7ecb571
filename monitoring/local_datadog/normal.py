"""Names and tags as Datadog stores them, and the source that a payload's series is."""

import re
from collections.abc import Iterable

from monitoring.store import Source

_NAME = re.compile(r"[^A-Za-z0-9_.]+")
_TAG = re.compile(r"[^\w\-:./]+")
_LIMIT = 200
_CACHED = 200_000
_NameAndTags = tuple[str, str, tuple[str, ...], str, int | None]


def metric_name(name: str) -> str | None:
    """The name with `_` for what a name may not hold, cut to 200 characters; None where no letter begins
    it.
    """
    if not name or not (name[0].isascii() and name[0].isalpha()):
        return None
    return _NAME.sub("_", name)[:_LIMIT]


def tag(text: str) -> str:
    """The tag lower-cased, with `_` for what a tag may not hold, cut to 200 characters; "" where nothing is
    left.
    """
    lowered = _TAG.sub("_", text.strip().lower())
    while lowered and not lowered[0].isalpha():
        lowered = lowered[1:]
    return lowered[:_LIMIT].rstrip("_")


def tags(given: Iterable[str]) -> tuple[str, ...]:
    """The set of tags, normalised and sorted."""
    return tuple(sorted({clean for one in given if (clean := tag(one))}))


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
    if (name := metric_name(metric)) is None:
        return None
    clean = tags(given)
    if not host:
        host = next((one[5:] for one in clean if one.startswith("host:")), "")
    return Source(name, host, tuple(one for one in clean if one != f"host:{host}"), kind, interval)
