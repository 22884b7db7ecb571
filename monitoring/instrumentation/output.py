"""Write lines to standard output, by Datadog's rules of names, tags and values; count what fails.

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
"""The types that a line may carry; `count`, `gauge` and `histogram` are the ones that we print."""

MAX_LENGTH = 200  # of a metric name and of a tag, in characters: Datadog's limits
SECONDS_BELOW = 100_000_000_000  # from here on a reader takes a time for milliseconds (5138 as a year)
_TAG_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME_DELETES = str.maketrans("", "", f"{_TAG_LETTERS}{_TAG_LETTERS.upper()}0123456789_.")
_TAG_DELETES = str.maketrans("", "", f"{_TAG_LETTERS}0123456789_-:./")
_EXACT = 1 << 53  # up to it an int is a float too

failures: dict[str, int] = {}
"""How often telemetry itself failed in this process, by where; the handler never notices."""
_reported: set[tuple[str, str]] = set()


def line_tail(kind: str, metric: object, tags: Iterable[str]) -> str:
    """Return what follows the value: `type|metric|#tags`, with the name normalised and the tags unchanged."""
    joined = ",".join(tags)
    return f"{kind}|{metric_name(metric)}|#{joined}" if joined else f"{kind}|{metric_name(metric)}|"


def metric_name(name: object) -> str:
    """Return the name as Datadog keeps it: from its first letter, ASCII, others `_`, at most 200 characters.

    Raises:
        ValueError: no letter in it.
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
    """Return the tag as Datadog keeps it: lower case, from its first letter, others `_`, at most 200 long.

    It may be empty.
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
    """Return the normalised tags of a list, a mapping (`key: value`), a text or None, without empty ones."""
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
        ValueError: NaN, an infinity, or not a number.
    """
    if type(value) is int and -_EXACT <= value <= _EXACT:
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"value {shown(value)} is not a number that a line can carry") from error
    if number - number != 0:  # NaN and the infinities
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
    return plain if "." in plain else plain + ".0"  # ".0" keeps it a float when it is read back


def shown(value: object, limit: int = 60) -> str:
    """Return a value for a message: its repr, cut to `limit` characters, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a message must not fail on a broken repr
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def print_point(chosen: Settings, now: int, value: str, tail: str) -> None:
    """Write the line or lines of one point, in the format of the settings: `tail` is `type|metric|#tags`."""
    if chosen.plain:
        put(f"MONITORING|{now}|{value}|{tail}\n")
        return
    if chosen.format != "datadog":
        put(f"MONITORING|{now}|{value}|{tail}\n")
    put(_datadog_line(now, value, tail))


def _datadog_line(now: int, value: str, tail: str) -> str:
    """Return the JSON line that Datadog's own Forwarder reads; tags hold nothing that JSON would escape."""
    _, metric, tags = tail.split("|")
    listed = '["' + tags[1:].replace(",", '","') + '"]' if tags else "[]"
    return f'{{"m":"{metric}","v":{value},"e":{now},"t":{listed}}}\n'


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
    """Return the write of the unbuffered file below the runtime client's wrapper; None for other output."""
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
"""The settings of this moment; their module is loaded with the first point, or with the decorator."""

_scope: tuple[Settings | None, str] = None, ""


def scope_of(chosen: Settings) -> str:
    """Return the tags of the environment, joined, as points outside an invocation carry them."""
    global _scope  # noqa: PLW0603
    if _scope[0] is not chosen:
        _scope = chosen, ",".join(tag_list(chosen.tags))
    return _scope[1]


def failed(where: str, error: BaseException) -> None:
    """Count a failure of telemetry, and report each kind once: never raises."""
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
    except Exception:  # noqa: BLE001, S110 - nobody is left to tell
        pass


def forget() -> None:
    """Report anew what has been reported once: for tests."""
    _reported.clear()
    failures.clear()
