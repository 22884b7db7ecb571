"""Printing points: `count`, `gauge`, `histogram`; one write a line, and no failure reaches the caller."""

from __future__ import annotations

import sys
import time

from monitoring import current
from monitoring.environment import settings
from monitoring.lines import line_tail, tag_list, value_text
from monitoring.tag_guard import guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.environment import Settings

_tails: dict[Any, str] = {}  # (type, metric, tags as given, scope) -> what follows the value
_TAILS_KEPT = 4096
_told: set[tuple[str, str]] = set()
failures: dict[str, int] = {}
"""How often telemetry itself failed in this process, by where; the handler never notices."""


def count(metric: str, value: float = 1, tags: Any = None) -> None:
    """Add `value` to a count. Tags: a list of `key:value`, or a mapping. Never raises."""
    emit("count", metric, value, tags)


def gauge(metric: str, value: float, tags: Any = None) -> None:
    """Set a gauge: of the values of one second the last one stays. Never raises."""
    emit("gauge", metric, value, tags)


def histogram(metric: str, value: float, tags: Any = None) -> None:
    """Add one value to a distribution: average, maximum and percentiles are made of them. Never raises."""
    emit("histogram", metric, value, tags)


def emit(kind: str, metric: str, value: float, tags: Any = None) -> None:
    """Print one point of the running call, or of none; its tags are followed by those of the call."""
    try:
        span = current.anywhere()
        call = span.call if span is not None else None
        scope = call.scope if call is not None else scope_of(())
        if tags is None or type(tags) is list or type(tags) is tuple:
            tail = _known_tail(kind, metric, tuple(tags) if tags else (), scope)
        else:
            tail = _tail(kind, metric, tags, scope)
        print_point(settings() if call is None else call.settings, value_text(value), tail)
    except Exception as error:  # noqa: BLE001 - telemetry never changes what the caller does
        failed(kind, error)


def print_point(chosen: Settings, value: str, tail: str) -> None:
    """Write the line or lines of one point: `tail` is `type|metric|#tags`."""
    now = int(time.time())
    if chosen.monitoring_lines:
        sys.stdout.write(f"MONITORING|{now}|{value}|{tail}\n")
    if chosen.datadog_lines:
        sys.stdout.write(datadog_line(now, value, tail))


def datadog_line(now: int, value: str, tail: str) -> str:
    """The JSON line that Datadog's own Forwarder reads; tags hold nothing that JSON would escape."""
    _, metric, tags = tail.split("|")
    listed = f'["{tags[1:].replace(",", chr(34) + "," + chr(34))}"]' if tags else "[]"
    return f'{{"m":"{metric}","v":{value},"e":{now},"t":{listed}}}\n'


def scope_of(tags: tuple[Any, ...]) -> str:
    """The tags that every point of a call carries: of `@monitored` and of the environment, normalised."""
    given = (tags, settings().tags)
    if given == ((), ()):
        return ""
    try:
        scope = _scopes.get(given)
    except TypeError:
        return ",".join(tag_list([*tags, *given[1]]))
    if scope is None:
        scope = _scopes[given] = ",".join(tag_list([*tags, *given[1]]))
    return scope


_scopes: dict[Any, str] = {}


def _known_tail(kind: str, metric: str, tags: tuple[Any, ...], scope: str) -> str:
    """`_tail` for tags that are a sequence: kept, because a program prints the same ones again and again."""
    key = (kind, metric, tags, scope)
    try:
        tail = _tails.get(key)
    except TypeError:  # a tag that cannot be hashed
        return _tail(kind, metric, tags, scope)
    if tail is None:
        tail = _tail(kind, metric, tags, scope)
        if len(_tails) >= _TAILS_KEPT:
            _tails.clear()
        _tails[key] = tail
    return tail


def _tail(kind: str, metric: str, tags: Any, scope: str) -> str:
    kept = guarded(metric, tag_list(tags), settings().tag_limit)
    return line_tail(kind, metric, [*kept, scope] if scope else kept)


def failed(where: str, error: BaseException) -> None:
    """Count a failure of telemetry, and say it once: never raises."""
    try:
        kind = type(error).__name__
        failures[where] = failures.get(where, 0) + 1
        if (where, kind) not in _told:
            _told.add((where, kind))
            say(f"{where} failed, the handler is not touched: {kind}: {' '.join(str(error).split())[:200]}")
        tags = ",".join(tag_list([f"where:{where}", f"error_type:{kind}"]))
        print_point(settings(), "1", f"count|stepscope.telemetry.failures|#{tags}")
    except Exception:  # noqa: BLE001, S110 - nobody is left to tell
        pass


def say(text: str) -> None:
    """One short line for the person who reads the log."""
    try:  # noqa: SIM105 - suppress would be the one import of contextlib here
        sys.stderr.write(f"monitoring: {text}\n")
    except Exception:  # noqa: BLE001, S110 - a closed stderr is no reason to fail either
        pass
