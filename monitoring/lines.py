"""Write MONITORING lines with `format_point`, and parse every variant of them with `read_line`.

Grammar of the canonical line:

    line = "MONITORING|" seconds "|" value "|" type "|" metric "|" ["#" tag *("," tag)]

Grammar of what is parsed:

    text    = *(anything record)                      ; a prefix before the word, two lines glued together
    record  = "MONITORING|" time "|" value "|" type "|" metric ["|" [tags] *("|" blank)]
    time    = number                                  ; s, ms, µs or ns, distinguished by magnitude
    tags    = ["#"] tag *("," ["#"] tag)
    tag     = key (":" | "=") value | word
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from monitoring.instrumentation.output import (
    SECONDS_BELOW,
    TYPES,
    line_tail,
    metric_name,
    shown,
    tag_list,
    tag_text,
    value_text,
)

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

_CANONICAL = re.compile(
    r"MONITORING\|(\d{9,10})\|(-?\d{1,15}(\.\d+)?)\|(count|gauge|histogram|distribution)"
    r"\|([A-Za-z][A-Za-z0-9_.]*)\|(?:#([^|#=,\s]+(?:,[^|#=,\s]+)*))?\n?",
    re.ASCII,
)
_WORD = "MONITORING|"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_UNITS_OF_TIME = ((SECONDS_BELOW, 1), (10**14, 10**3), (10**17, 10**6), (float("inf"), 10**9))
_CLOUDWATCH_UNITS = frozenset(
    f"{prefix}{unit}{suffix}"
    for prefix in ("", "kilo", "mega", "giga", "tera")
    for unit in ("bytes", "bits")
    for suffix in ("", "/second")
) | {"seconds", "milliseconds", "microseconds", "percent", "count", "count/second", "none"}


class Point(NamedTuple):
    """A value of a metric at a time.

    `timestamp` is in seconds since the epoch, `type` one of `TYPES`, a tag `key:value` or a bare word.
    """

    metric: str
    value: float
    timestamp: float
    type: str = "count"
    tags: tuple[str, ...] = ()


class Refused(NamedTuple):
    """A record that is not a valid point: the reason, the text from `start` to `end`, and how to fix it."""

    reason: str
    start: int
    end: int
    text: str
    hint: str = ""


class Reading(NamedTuple):
    """The result of parsing a text: its points, and the records that are not valid points."""

    points: list[Point]
    refused: list[Refused]


class _Field(NamedTuple):
    text: str
    start: int

    def stripped(self) -> _Field:
        lead = len(self.text) - len(self.text.lstrip())
        return _Field(self.text.strip(), self.start + lead)

    def refuse(self, reason: str, hint: str) -> Refused:
        return Refused(reason, self.start, self.start + len(self.text), self.text, hint)


def format_point(point: Point) -> str:
    """Return the canonical line of a point, without a newline.

    Names and tags are normalised by Datadog's rules; the time is cut to whole seconds.

    Raises:
        ValueError: the value is NaN or infinite, the name has no letter, the type is unknown, or the time is
            not in seconds.
    """
    if point.type not in TYPES:
        raise ValueError(f"type {point.type!r} is not one of {', '.join(TYPES)}")
    tail = line_tail(point.type, point.metric, tag_list(point.tags))
    return f"MONITORING|{_seconds_text(point.timestamp)}|{value_text(point.value)}|{tail}"


def _seconds_text(timestamp: Any) -> str:
    try:
        seconds = int(timestamp)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"time {shown(timestamp)} is not a number of seconds since the epoch") from error
    if not 0 <= seconds < SECONDS_BELOW:
        raise ValueError(f"time {shown(timestamp)} is not in seconds since the epoch")
    return str(seconds)


def parse_line(text: str) -> list[Point]:
    """Return the points of a log line, or [] for any other text; `read_line` also returns the errors."""
    match = _CANONICAL.fullmatch(text)
    if match:
        return [_canonical_point(match)]
    return read_line(text).points if _WORD in text else []


def read_line(text: str) -> Reading:
    """Return the points of a log line, and the records that look like a point and are not valid.

    It accepts any text and never raises. A text without `MONITORING|` has no points. Of a JSON object only
    the `message` of Lambda's log envelope is parsed: offsets then count from the start of that message.
    """
    match = _CANONICAL.fullmatch(text)
    if match:
        return Reading([_canonical_point(match)], [])
    reading = Reading([], [])
    if _WORD in text:
        message = _message(text)
        for record in _records(message):
            _read_record(record, reading)
    return reading


def _canonical_point(match: re.Match[str]) -> Point:
    seconds, value, fraction, kind, metric, tags = match.groups()
    number = float(value) if fraction else int(value)
    return Point(metric, number, int(seconds), kind, tuple(tags.split(",")) if tags else ())


def _message(text: str) -> str:
    """Return the text itself; for a JSON object the message of Lambda's log envelope, or "".

    A metric line that is quoted in a trace line or a structured log is not a point.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return text
    message = body.get("message") if isinstance(body, dict) and "level" in body else None
    return message if isinstance(message, str) else ""


def _records(text: str) -> list[_Field]:
    """Split the text into records: from each `MONITORING|` to the next one, or to the end of its line."""
    starts = [match.start() for match in re.finditer(re.escape(_WORD), text)]
    ends = [*starts[1:], len(text)]
    return [_Field(text[start:end].splitlines()[0], start) for start, end in zip(starts, ends, strict=False)]


def _fields(record: _Field) -> list[_Field]:
    """Return the fields after `MONITORING|`, each with its offset in the text."""
    fields, offset = [], record.start
    for part in record.text.split("|"):
        fields.append(_Field(part, offset).stripped())
        offset += len(part) + 1
    return fields[1:]


def _read_record(record: _Field, reading: Reading) -> None:
    outcome = _point(record, _fields(record))
    if isinstance(outcome, Point):
        reading.points.append(outcome)
    else:
        reading.refused.append(outcome)


def _point(record: _Field, fields: list[_Field]) -> Point | Refused:
    refused = _shape(record, fields)
    if refused is not None:
        return refused
    time, value, kind, metric = fields[:4]
    seconds, number = _seconds(time), _number(value, "the value")
    for outcome in (seconds, number, _type(kind), _metric(metric)):
        if isinstance(outcome, Refused):
            return outcome
    assert not isinstance(seconds, Refused)  # noqa: S101 - for the type checker
    assert not isinstance(number, Refused)  # noqa: S101
    return Point(
        metric.text, number, seconds, kind.text.lower(), _tags(fields[4].text if len(fields) > 4 else "")
    )


_FORM = "MONITORING|<seconds>|<value>|<type>|<metric.name>|#<tag1:value,tag2>"


def _shape(record: _Field, fields: list[_Field]) -> Refused | None:
    """Return an error for a wrong number of fields or another `MONITORING|` format; None for none."""
    if len(fields) > 2 and fields[1].text.lower() in _CLOUDWATCH_UNITS:
        return record.refuse(
            "the MONITORING format of early Powertools (value|unit|name|namespace), not Datadog's",
            f"Print {_FORM}",
        )
    if len(fields) < 4:
        return record.refuse(f"{len(fields)} fields after MONITORING, expected at least 4", f"Print {_FORM}")
    extra = next((field for field in fields[5:] if field.text), None)
    if extra is not None:
        return extra.refuse("a field after the tags", "A name or tag cannot contain '|': write '_' instead.")
    return None


def _seconds(field: _Field) -> float | Refused:
    number = _number(field, "the time")
    if isinstance(number, Refused) or number < 0:
        return field.refuse(
            "the time is not a number of seconds since the epoch", "Write whole seconds: 1700000000"
        )
    unit = next(unit for limit, unit in _UNITS_OF_TIME if number < limit)
    if isinstance(number, int) and number % unit == 0:
        return number // unit
    return int(number / unit) if float(number / unit).is_integer() else number / unit


def _number(field: _Field, subject: str) -> float | Refused:
    if not _NUMBER.fullmatch(field.text):
        return field.refuse(f"{subject} is not a number", "Write a plain decimal, without a unit: 12 or 0.5")
    if len(field.text) <= 300 and field.text.lstrip("+-").isdecimal():
        return int(field.text)
    number = float(field.text)
    if number - number != 0:
        return field.refuse(f"{subject} is too large for a number", "Write a value below 1.8e308.")
    return number


def _type(field: _Field) -> Refused | None:
    if field.text.lower() in TYPES:
        return None
    return field.refuse("the type is not one of Datadog's", f"Write one of {', '.join(TYPES)}")


def _metric(field: _Field) -> Refused | None:
    if field.text[:1].isalpha():
        return None
    return field.refuse(
        "the metric name does not start with a letter", "Write a name such as slides.identified"
    )


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag for part in text.split(",") if (tag := _tag(part)))


def _tag(part: str) -> str:
    """Return a tag without its `#`; `key=value` becomes `key:value`."""
    tag = part.strip().lstrip("#").strip()
    return tag.replace("=", ":", 1) if "=" in tag and ":" not in tag else tag
