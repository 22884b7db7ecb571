"""Write lines to standard output, by Datadog's rules of names, tags and values, and count failures.

Grammar of the canonical line:

    line = "MONITORING|" seconds "|" value "|" type "|" metric "|" ["#" tag *("," tag)]
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False  # as typing spells it, without importing typing: the Lambda runtime has not loaded it
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from monitoring.instrumentation.settings import Settings

TYPES = ("count", "gauge", "histogram", "distribution", "check", "timing")
"""The valid types of a line; this package prints `count`, `gauge` and `histogram`."""

MAX_LENGTH = 200  # of a metric name and of a tag, in characters: Datadog's limits
SECONDS_BELOW = 100_000_000_000  # a reader treats larger numbers as milliseconds (the year 5138)
_TAG_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME_DELETES = str.maketrans("", "", f"{_TAG_LETTERS}{_TAG_LETTERS.upper()}0123456789_.")
_TAG_DELETES = str.maketrans("", "", f"{_TAG_LETTERS}0123456789_-:./")
_EXACT = 1 << 53  # up to it an int is a float too

failures: dict[str, int] = {}
"""The number of failures of telemetry in this process, by function."""
_reported: set[tuple[str, str]] = set()


def line_tail(kind: str, metric: object, tags: Iterable[str]) -> str:
    """Return the line after the value: `type|metric|#tags`; the name is normalized, the tags unchanged."""
    joined = ",".join(tags)
    return f"{kind}|{metric_name(metric)}|#{joined}" if joined else f"{kind}|{metric_name(metric)}|"


def metric_name(name: object) -> str:
    """Return the name by Datadog's rules: from its first letter, ASCII, others `_`, at most 200 characters.

    Raises:
        ValueError: the name has no letter.
    """
    text = name if isinstance(name, str) else str(name)
    if text.isascii() and not text.translate(_NAME_DELETES) and text[:1].isalpha():
        return text[:MAX_LENGTH]
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in text.strip())
    name = name.lstrip("0123456789_.")[:MAX_LENGTH]
    if not name:
        raise ValueError(f"metric name {shown(text)} has no letter to start with")
    return name


def tag_text(tag: object) -> str:
    """Return the tag by Datadog's rules: lower case, from its first letter, others `_`, at most 200 long.

    The result may be "".
    """
    text = (tag if isinstance(tag, str) else str(tag)).lower()
    if text.isascii() and not text.translate(_TAG_DELETES) and text[:1].isalpha():
        return text[:MAX_LENGTH]
    text = text.strip()
    start = next((i for i, c in enumerate(text) if c.isalpha()), len(text))
    return "".join(c if c.isalpha() or c.isdecimal() or c in "_-:./" else "_" for c in text[start:])[
        :MAX_LENGTH
    ]


def tag_list(tags: Any) -> list[str]:
    """Return the normalized tags of a list, a mapping (`key: value`), a string or None; drop empty ones."""
    if tags is None:
        return []
    if isinstance(tags, str):
        tags = (tags,)
    elif isinstance(tags, dict):
        tags = [f"{key}:{value}" for key, value in tags.items()]
    elif not hasattr(tags, "__iter__"):
        tags = (tags,)
    return [text for tag in tags if (text := tag_text(tag))]


def value_text(value: Any) -> str:
    """Return the shortest decimal, without an exponent, that reads back as the same value.

    Raises:
        ValueError: the value is NaN, infinite or not a number.
    """
    if type(value) is int and -_EXACT <= value <= _EXACT:
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"value {shown(value)} is not a number") from error
    if number - number != 0:  # NaN or infinite
        raise ValueError(f"value {number} is not finite")
    if isinstance(value, int):
        return str(int(value))
    if number.is_integer() and abs(number) <= _EXACT:
        return str(int(number))
    text = repr(number)
    return _without_exponent(text) if "e" in text else text


def _without_exponent(text: str) -> str:
    from decimal import Decimal

    plain = format(Decimal(text), "f")
    return plain if "." in plain else plain + ".0"  # ".0", so that it is parsed as a float


def shown(value: object, limit: int = 60) -> str:
    """Return the repr of any value for a message, truncated to `limit` characters."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a message must not fail on a broken repr
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def print_point(settings: Settings, now: int, value: str, tail: str) -> None:
    """Write the line or lines of a point, in the format of the settings; `tail` is `type|metric|#tags`."""
    if settings.plain:
        put(f"MONITORING|{now}|{value}|{tail}\n")
        return
    if settings.format != "datadog":
        put(f"MONITORING|{now}|{value}|{tail}\n")
    put(_datadog_line(now, value, tail))


def _datadog_line(now: int, value: str, tail: str) -> str:
    """Return the JSON line for Datadog's Forwarder; normalized tags need no escaping in JSON."""
    _, metric, tags = tail.split("|")
    listed = '["' + tags[1:].replace(",", '","') + '"]' if tags else "[]"
    return f'{{"m":"{metric}","v":{value},"e":{now},"t":{listed}}}\n'


def put(line: str) -> None:
    """Write a line with its newline to the present standard output with a single write.

    The runtime client wraps standard output so that every write passes through two buffers and flushes both,
    which costs more than making the line. If the output is that wrapper, a line that is short enough for an
    atomic write to a pipe is written directly to the file.
    """
    out = sys.stdout
    straight = _straight if out is _wrapper else _straight_below(out)
    if straight is not None:
        data = line.encode()
        if len(data) <= _ATOMIC:
            sent = straight(data)
            if sent == len(data):
                return
            line = data[sent or 0 :].decode("utf-8", "replace")  # the pipe is full: the buffered stream waits
    out.write(line)


_ATOMIC = 4096  # bytes that the kernel writes to a pipe atomically (PIPE_BUF)
_wrapper: Any = None  # the runtime client's wrapper of standard output, once it was seen
_straight: Callable[[bytes], int | None] | None = None  # the write method of the file below it


def _straight_below(out: Any) -> Callable[[bytes], int | None] | None:
    """Return the write method of the file below the runtime client's wrapper; None for other outputs."""
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


def _first_settings() -> Settings:
    global settings  # noqa: PLW0603
    from monitoring.instrumentation.settings import settings

    return settings()


settings: Callable[[], Settings] = _first_settings
"""Return the present settings; their module is imported with the first point or by the decorator."""

_scope: tuple[Settings | None, str] = None, ""


def scope_of(settings: Settings) -> str:
    """Return the joined tags of the environment, for points outside of an invocation."""
    global _scope  # noqa: PLW0603
    if _scope[0] is not settings:
        _scope = settings, ",".join(tag_list(settings.tags))
    return _scope[1]


def failed(where: str, error: BaseException) -> None:
    """Count a failure of telemetry, and print the first one of each kind. Never raises."""
    try:
        kind = type(error).__name__
        failures[where] = failures.get(where, 0) + 1
        if (where, kind) not in _reported:
            from monitoring.instrumentation.runtime import say

            _reported.add((where, kind))
            reason = " ".join(str(error).split())[:200]
            say(f"{where} failed, the handler is not touched: {kind}: {reason}")
        tags = ",".join(tag_list([f"where:{where}", f"error_type:{kind}"]))
        print_point(settings(), int(time.time()), "1", f"count|stepscope.telemetry.failures|#{tags}")
    except Exception:  # noqa: BLE001, S110 - it cannot be reported
        pass


def forget() -> None:
    """Reset the reported failures, for tests."""
    _reported.clear()
    failures.clear()
