"""Printing points: `count`, `gauge`, `histogram`; one write a line, and no failure reaches the caller."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

from monitoring.instrumentation import spans
from monitoring.lines import line_tail, tag_list, value_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from monitoring.instrumentation.settings import Settings

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
        variable = spans.variable
        span = variable.get() if variable is not None else None
        if span is None:
            span = spans.anywhere()
        if span is not None and span.call is not None:
            labels = span.call.labels
            scope, chosen = labels.scope, labels.settings
        else:
            chosen = _settings()
            scope = chosen.scope
        try:  # what repeats is looked up, not made again
            tail = _tails[kind, metric, tuple(tags) if type(tags) is list else tags, scope]
        except (KeyError, TypeError):
            tail = _tail(kind, metric, tags, scope)
        text = str(value) if type(value) is int and -_EXACT < value < _EXACT else value_text(value)
        if chosen.plain:
            put(f"MONITORING|{int(time.time())}|{text}|{tail}\n")
        else:
            print_point(chosen, text, tail)
    except Exception as error:  # noqa: BLE001 - telemetry never changes what the caller does
        failed(kind, error)


def print_point(chosen: Settings, value: str, tail: str) -> None:
    """Write the line or lines of one point, in the format asked for: `tail` is `type|metric|#tags`."""
    now = int(time.time())
    if chosen.format != "datadog":
        put(f"MONITORING|{now}|{value}|{tail}\n")
    if not chosen.plain:
        put(datadog_line(now, value, tail) + "\n")


def put(line: str) -> None:
    """Write one line, its newline included, to the standard output of this moment, in one piece.

    The runtime client wraps standard output so that every write passes through two buffers and is flushed
    out of both, which costs more than the line. Below that very wrapper, where both buffers are empty, a
    line that the kernel takes as a whole goes straight to the file.
    """
    out = sys.stdout
    straight = _straight if out is _wrapper else _straight_below(out)
    if straight is not None:
        data = line.encode()
        if len(data) <= _WHOLE:
            sent = straight(data)
            if sent == len(data):
                return
            line = data[sent or 0 :].decode("utf-8", "replace")  # full for now: the buffers can wait
    out.write(line)


_WHOLE = 4096  # bytes that the kernel never divides on their way into a pipe
_wrapper: Any = None  # of the runtime client, once it has been seen
_straight: Callable[[bytes], int | None] | None = None  # writes to the file below it


def _straight_below(out: Any) -> Callable[[bytes], int | None] | None:
    """The write of the unbuffered file below the runtime client's wrapper; None for any other output."""
    global _wrapper, _straight  # noqa: PLW0603
    if type(out).__name__ != "Unbuffered" or not type(out).__module__.startswith("awslambdaric"):
        return None
    from io import FileIO, TextIOWrapper

    stream = out.stream
    _wrapper, _straight = out, None
    if type(stream) is TextIOWrapper and stream.encoding.lower() == "utf-8":
        file = getattr(stream.buffer, "raw", stream.buffer)
        _straight = file.write if type(file) is FileIO else None
    return _straight


def datadog_line(now: int, value: str, tail: str) -> str:
    """The JSON line that Datadog's own Forwarder reads; tags hold nothing that JSON would escape."""
    _, metric, tags = tail.split("|")
    listed = '["' + tags[1:].replace(",", '","') + '"]' if tags else "[]"
    return f'{{"m":"{metric}","v":{value},"e":{now},"t":{listed}}}'


def _first_settings() -> Settings:
    """The settings of this moment; their module is loaded with the first point, or with the decorator."""
    global _settings  # noqa: PLW0603
    from monitoring.instrumentation.settings import settings

    _settings = settings
    return settings()


_settings: Callable[[], Settings] = _first_settings


def _tail(kind: str, metric: str, tags: Any, scope: str) -> str:
    """What follows the value; kept for tags in a sequence: a program prints the same ones again."""
    from monitoring.instrumentation.tag_guard import guarded

    kept = guarded(metric, tag_list(tags), _settings().tag_limit)
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
        print_point(_settings(), "1", f"count|stepscope.telemetry.failures|#{tags}")
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
