"""Emit points with `count`, `gauge`, `histogram` and `timer`, and limit the number of tag sets."""

from __future__ import annotations

import time
from contextlib import suppress

from monitoring.instrumentation import output, spans
from monitoring.instrumentation.output import failed, line_tail, print_point, scope_of, tag_list, value_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

OVERFLOW = "tag:other"
"""The tag of points whose tags were replaced by the limit of tag sets."""

_tails: dict[Any, str] = {}  # (type, metric, tags as passed, scope) -> the line after the value
_MAX_TAILS = 4096
_EXACT = 1 << 53  # smaller integers are exact as floats


def count(metric: str, value: float = 1, tags: Any = None) -> None:
    """Add `value` to a count. Tags: a list of `key:value`, or a mapping. Never raises."""
    emit("count", metric, value, tags)


def gauge(metric: str, value: float, tags: Any = None) -> None:
    """Set a gauge; the last value of a second is kept. Never raises."""
    emit("gauge", metric, value, tags)


def histogram(metric: str, value: float, tags: Any = None) -> None:
    """Add a value to a distribution, for its average, maximum and percentiles. Never raises."""
    emit("histogram", metric, value, tags)


def emit(kind: str, metric: str, value: float, tags: Any = None) -> None:
    """Print a point with its tags and those of the running invocation, if any. Never raises."""
    try:
        variable = spans.variable
        span = variable.get() if variable is not None else None
        if span is None:
            span = spans.anywhere()
        if span is not None and (call := span.call) is not None:
            scope, chosen = call.scope, call.settings
        else:
            chosen = output.settings()
            scope = scope_of(chosen)
        try:  # cached for equal arguments
            tail = _tails[kind, metric, tuple(tags) if type(tags) is list else tags, scope]
        except (KeyError, TypeError):
            tail = _tail(kind, metric, tags, scope, chosen.tag_limit)
        text = f"{value}" if type(value) is int and -_EXACT < value < _EXACT else value_text(value)
        print_point(chosen, int(time.time()), text, tail)
    except Exception as error:  # noqa: BLE001 - telemetry never raises in the caller
        failed(kind, error)


def _tail(kind: str, metric: str, tags: Any, scope: str, limit: int) -> str:
    """Return the line after the value; it is cached if the tags are a sequence."""
    admitted = guarded(metric, tag_list(tags), limit)
    tail = line_tail(kind, metric, [*admitted, scope] if scope else admitted)
    if tags is None or type(tags) is list or type(tags) is tuple:
        if len(_tails) >= _MAX_TAILS:
            _tails.clear()
        with suppress(TypeError):  # a tag that cannot be hashed
            _tails[kind, metric, tuple(tags) if type(tags) is list else tags, scope] = tail
    return tail


class _TagSets:
    """The tag sets of a metric in this process; Datadog bills each of them as a custom metric."""

    __slots__ = ("folded", "sets", "values")

    def __init__(self) -> None:
        self.sets: set[tuple[str, ...]] = set()
        self.folded: set[tuple[str, ...]] = set()
        self.values: dict[str, set[str]] = {}


_tag_sets: dict[str, _TagSets] = {}


def guarded(metric: str, tags: Sequence[str], limit: int) -> Sequence[str]:
    """Return the tags, or replacements for them once the metric has `limit` tag sets in this process.

    Beyond the limit, the key with the most values gets the value `other`, and `tag:other` is added; after as
    many of these sets again, `tag:other` is the only tag. A limit of 0 disables this.
    """
    if not tags or not limit:
        return tags
    tag_sets = _tag_sets.setdefault(metric, _TagSets())
    tag_set = tuple(tags)
    if tag_set in tag_sets.sets:
        return tags
    if len(tag_sets.sets) < limit:
        tag_sets.sets.add(tag_set)
        for tag in tag_set:
            key, _, value = tag.partition(":")
            tag_sets.values.setdefault(key, set()).add(value)
        return tags
    return _folded(metric, tag_sets, tag_set, limit)


def _folded(metric: str, tag_sets: _TagSets, tags: tuple[str, ...], limit: int) -> tuple[str, ...]:
    if not tag_sets.folded:
        from monitoring.instrumentation.runtime import say

        say(
            f"{metric} has had {limit} different tag sets in this process: further ones become {OVERFLOW}. "
            "Tag with values that repeat, or raise MONITORING_TAG_LIMIT"
        )
    keys = [tag.partition(":")[0] for tag in tags]
    widest = max(keys, key=lambda key: len(tag_sets.values.get(key, ())))
    folded = (
        *(f"{key}:other" if key == widest else tag for key, tag in zip(keys, tags, strict=True)),
        OVERFLOW,
    )
    if folded not in tag_sets.folded:
        if len(tag_sets.folded) >= limit:
            return (OVERFLOW,)
        tag_sets.folded.add(folded)
    return folded


class timer:  # noqa: N801 - used as a function: `with timer("build.time"):`
    """Time a block (`with timer("build.time"):`) or a function (`@timer("build.time")`), async ones too.

    It prints a histogram point in milliseconds at the end, also after an exception; so does `elapsed_ms`.
    """

    __slots__ = ("_began", "elapsed_ms", "metric", "tags")

    def __init__(self, metric: str, tags: Any = None) -> None:
        self.metric, self.tags = metric, tags
        self.elapsed_ms = 0.0

    def __enter__(self) -> timer:
        self._began = time.perf_counter_ns()
        return self

    def __exit__(self, *error: object) -> None:
        self.elapsed_ms = round(max(0, time.perf_counter_ns() - self._began) / 1_000_000, 3)
        emit("histogram", self.metric, self.elapsed_ms, self.tags)

    def __call__(self, function: Function) -> Function:
        """Decorate a function: each call is timed separately."""
        wrapped: Function = spans.around(function, lambda: timer(self.metric, self.tags))
        return wrapped


def forget() -> None:
    """Reset the tag sets and caches, for tests."""
    _tails.clear()
    _tag_sets.clear()
