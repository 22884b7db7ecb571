"""The MONITORING line: one point written as one line of text, and the rules of names, tags and values.

Reading lines back lives in `monitoring.reading`, the point in `monitoring.point`; their names are offered
here too (`parse_line`, `read_line`, `Point`), loaded when first asked for: a function that only prints never
pays for them.

Grammar of the canonical line:

    line = "MONITORING|" seconds "|" value "|" type "|" metric "|" ["#" tag *("," tag)]
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing spells it, without importing typing: the Lambda runtime has not loaded it
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from monitoring.point import Point
    from monitoring.reading import Reading, Refused, parse_line, read_line

TYPES = ("count", "gauge", "histogram", "distribution", "check", "timing")
"""The types that a line may carry; `count`, `gauge` and `histogram` are the ones that we print."""

MAX_LENGTH = 200  # of a metric name and of a tag, in characters: Datadog's limits
SECONDS_BELOW = 100_000_000_000  # from here on a reader takes a time for milliseconds (5138 as a year)
_TAG_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME_DELETES = str.maketrans("", "", f"{_TAG_LETTERS}{_TAG_LETTERS.upper()}0123456789_.")
_TAG_DELETES = str.maketrans("", "", f"{_TAG_LETTERS}0123456789_-:./")

__all__ = [
    "TYPES",
    "Point",
    "Reading",
    "Refused",
    "format_point",
    "line_tail",
    "metric_name",
    "parse_line",
    "read_line",
    "tag_list",
    "tag_text",
    "value_text",
]


def format_point(point: Point) -> str:
    """The canonical line of a point, without a newline.

    Names and tags are normalised by Datadog's rules; the time is cut to whole seconds.

    Raises:
        ValueError: no line can carry it: NaN or an infinity, a name without a letter, an unknown type, a time
            that is not in seconds.
    """
    if point.type not in TYPES:
        raise ValueError(f"type {point.type!r} is none of {', '.join(TYPES)}")
    tail = line_tail(point.type, point.metric, tag_list(point.tags))
    return f"MONITORING|{_seconds_text(point.timestamp)}|{value_text(point.value)}|{tail}"


def line_tail(kind: str, metric: object, tags: Iterable[str]) -> str:
    """What follows the value: `type|metric|#tags`, with the name normalised and the tags as given."""
    joined = ",".join(tags)
    return f"{kind}|{metric_name(metric)}|#{joined}" if joined else f"{kind}|{metric_name(metric)}|"


def metric_name(name: object) -> str:
    """The name as Datadog keeps it: from its first letter on, ASCII, others `_`, at most 200 characters.

    Raises:
        ValueError: no letter in it.
    """
    text = name if isinstance(name, str) else str(name)
    if text.isascii() and not text.translate(_NAME_DELETES) and text[:1].isalpha():
        return text[:MAX_LENGTH]
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in text.strip())
    kept = kept.lstrip("0123456789_.")[:MAX_LENGTH]
    if not kept:
        raise ValueError(f"metric name {shown(text)} has no letter to start with")
    return kept


def tag_text(tag: object) -> str:
    """The tag as Datadog keeps it: lower case, from its first letter on, others `_`, at most 200 characters.

    The empty text where nothing is left.
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
    """The normalised tags of a list, a mapping (`key: value`), one text or None, without those left empty."""
    if tags is None:
        return []
    if isinstance(tags, str):
        tags = (tags,)
    elif isinstance(tags, dict):
        tags = [f"{key}:{value}" for key, value in tags.items()]
    elif not hasattr(tags, "__iter__"):
        tags = (tags,)
    return [kept for tag in tags if (kept := tag_text(tag))]


def value_text(value: Any) -> str:
    """The shortest decimal, without an exponent, that reads back as the same value.

    Raises:
        ValueError: NaN, an infinity, or nothing that is a number.
    """
    if type(value) is int and -(1 << 53) <= value <= 1 << 53:
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"value {shown(value)} is not a number that a line can carry") from error
    if number - number != 0:  # NaN and the infinities
        raise ValueError(f"value {number} is not finite")
    if isinstance(value, int):
        return str(int(value))
    if number.is_integer() and abs(number) <= 1 << 53:
        return str(int(number))
    text = repr(number)
    return _without_exponent(text) if "e" in text else text


def _seconds_text(timestamp: Any) -> str:
    try:
        seconds = int(timestamp)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"time {shown(timestamp)} is not a number of seconds since the epoch") from error
    if not 0 <= seconds < SECONDS_BELOW:
        raise ValueError(f"time {shown(timestamp)} is not in seconds since the epoch")
    return str(seconds)


def _without_exponent(text: str) -> str:
    from decimal import Decimal

    plain = format(Decimal(text), "f")
    return plain if "." in plain else plain + ".0"  # ".0" keeps it a float when it is read back


def shown(value: object, limit: int = 60) -> str:
    """A value for a message: its repr, cut to `limit` characters, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a message must not fail on a broken repr
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"


_ELSEWHERE = {
    "Point": "point",
    "Reading": "reading",
    "Refused": "reading",
    "parse_line": "reading",
    "read_line": "reading",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module 'monitoring.lines' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"monitoring.{_ELSEWHERE[name]}"), name)
    return value
