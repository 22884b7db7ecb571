"""The guard against tag explosion: every tag set of a metric is a custom metric that Datadog bills."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OVERFLOW = "tag:other"
"""Marks the points whose tags were folded together."""


class _Seen:
    """What a metric has carried in this process."""

    __slots__ = ("folded", "sets", "values")

    def __init__(self) -> None:
        self.sets: set[tuple[str, ...]] = set()
        self.folded: set[tuple[str, ...]] = set()
        self.values: dict[str, set[str]] = {}


_seen: dict[str, _Seen] = {}


def guarded(metric: str, tags: Sequence[str], limit: int) -> Sequence[str]:
    """The tags, or what is left of them once the metric has had `limit` tag sets in this process.

    Past the limit, the key with the most values gets the value `other`, and `tag:other` is added; past as
    many folded sets again, `tag:other` stands alone. A limit of 0 switches the guard off.
    """
    if not tags or not limit:
        return tags
    seen = _seen.setdefault(metric, _Seen())
    wanted = tuple(tags)
    if wanted in seen.sets:
        return tags
    if len(seen.sets) < limit:
        seen.sets.add(wanted)
        for tag in wanted:
            key, _, value = tag.partition(":")
            seen.values.setdefault(key, set()).add(value)
        return tags
    return _folded(metric, seen, wanted, limit)


def _folded(metric: str, seen: _Seen, tags: tuple[str, ...], limit: int) -> tuple[str, ...]:
    if not seen.folded:
        from monitoring.instrumentation.metrics import say

        say(
            f"{metric} has had {limit} different tag sets in this process: further ones become {OVERFLOW}. "
            "Tag with values that repeat, or raise MONITORING_TAG_LIMIT"
        )
    keys = [tag.partition(":")[0] for tag in tags]
    widest = max(keys, key=lambda key: len(seen.values.get(key, ())))
    folded = (
        *(f"{key}:other" if key == widest else tag for key, tag in zip(keys, tags, strict=True)),
        OVERFLOW,
    )
    if folded not in seen.folded:
        if len(seen.folded) >= limit:
            return (OVERFLOW,)
        seen.folded.add(folded)
    return folded


def forget() -> None:
    """Begin anew, as in a new process: for tests."""
    _seen.clear()
