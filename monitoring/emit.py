"""Printing points: `count`, `gauge`, `histogram`; one write a line, and no failure reaches the caller."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

from monitoring import current
from monitoring.environment import settings
from monitoring.lines import line_tail, tag_list, value_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from monitoring.environment import Settings

_tails: dict[Any, str] = {}  # (type, metric, tags as given, scope) -> what follows the value
_TAILS_KEPT = 4096
_EXACT = 1 << 53  # below it an int is a float too, and needs no further look
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
        variable = current.variable
        span = variable.get() if variable is not None else None
        if span is None:
            span = current.anywhere()
        if span is not None and span.call is not None:
            scope, chosen = span.call.scope, span.call.settings
        else:
            scope, chosen = scope_of(()), settings()
        try:  # what repeats is looked up, not made again
            tail = _tails[kind, metric, tuple(tags) if type(tags) is list else tags, scope]
        except (KeyError, TypeError):
            tail = _tail(kind, metric, tags, scope)
        text = str(value) if type(value) is int and -_EXACT < value < _EXACT else value_text(value)
        if chosen.plain:
            sys.stdout.write(f"MONITORING|{int(time.time())}|{text}|{tail}\n")
        else:
            print_point(chosen, text, tail)
    except Exception as error:  # noqa: BLE001 - telemetry never changes what the caller does
        failed(kind, error)


def print_point(chosen: Settings, value: str, tail: str) -> None:
    """Write the line or lines of one point, in the format asked for: `tail` is `type|metric|#tags`."""
    now = int(time.time())
    if chosen.format != "datadog":
        sys.stdout.write(f"MONITORING|{now}|{value}|{tail}\n")
    if not chosen.plain:
        sys.stdout.write(datadog_line(now, value, tail) + "\n")


def datadog_line(now: int, value: str, tail: str) -> str:
    """The JSON line that Datadog's own Forwarder reads; tags hold nothing that JSON would escape."""
    _, metric, tags = tail.split("|")
    listed = '["' + tags[1:].replace(",", '","') + '"]' if tags else "[]"
    return f'{{"m":"{metric}","v":{value},"e":{now},"t":{listed}}}'


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


def _tail(kind: str, metric: str, tags: Any, scope: str) -> str:
    """What follows the value; kept for tags in a sequence: a program prints the same ones again."""
    from monitoring.tag_guard import guarded

    kept = guarded(metric, tag_list(tags), settings().tag_limit)
    tail = line_tail(kind, metric, [*kept, scope] if scope else kept)
    if tags is None or type(tags) is list or type(tags) is tuple:
        if len(_tails) >= _TAILS_KEPT:
            _tails.clear()
        with suppress(TypeError):  # a tag that cannot be hashed
            _tails[kind, metric, tuple(tags) if type(tags) is list else tags, scope] = tail
    return tail


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
    with suppress(Exception):  # a closed stderr is no reason to fail either
        sys.stderr.write(f"monitoring: {text}\n")


def forget() -> None:
    """Say again what has been said once, and fold tags anew: for tests."""
    _told.clear()
    _tails.clear()
    failures.clear()
