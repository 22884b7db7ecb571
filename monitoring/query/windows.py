"""Parse evaluation windows of monitors (`last_5m`, `current_1d`, `5m` in chains) and comparisons."""

import re
from typing import Any, Literal, cast

from monitoring.query.cursor import COMPARISON, NAME, Cursor
from monitoring.query.formatter import format_number
from monitoring.query.monitor_nodes import UNIT_SECONDS, Operator, Window

_WINDOW = re.compile(r"(last|next|current)_(\d+)(mo|[mhdw])(?!\w)")
_WRITTEN = re.compile(r"[\w.]+")
_LENGTH = re.compile(r"(\d+)(mo|[mhdw])\Z")
_LONGEST = 730 * 3600
_NAMES = {
    "min": "m",
    "mins": "m",
    "minutes": "m",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "s": "m",
}

_Tense = Literal["last", "next", "current"]
_Unit = Literal["m", "h", "d", "w", "mo"]


def parse_window(cursor: Cursor) -> Window:
    """window = ("last" | "next" | "current") "_" digits ("m" | "h" | "d" | "w" | "mo"), at most 730 hours"""
    match = _WINDOW.match(cursor.text, cursor.position)
    written = _WRITTEN.match(cursor.text, cursor.position)
    if match is None:
        if written is None:
            cursor.unexpected("the evaluation window", ("last_5m", "next_1w", "current_1d"))
        raise cursor.error(
            f"'{written.group()}' is not an evaluation window",
            *written.span(),
            ("last_5m", "last_4h", "last_1d", "last_1w", "last_1mo", "current_1d", "next_1w"),
            _guess(written.group()),
        )
    window = Window(
        cast(_Tense, match.group(1)),
        int(match.group(2)),
        cast(_Unit, match.group(3)),
        start=match.start(),
        end=match.end(),
    )
    _check_length(cursor, window)
    cursor.position = match.end()
    cursor.skip()
    return window


def _check_length(cursor: Cursor, window: Window) -> None:
    if window.tense == "current" and (window.count, window.unit) not in {(1, "h"), (1, "d"), (1, "mo")}:
        raise cursor.error(
            "a cumulative window is the current hour, day or month",
            window.start,
            window.end,
            ("current_1h", "current_1d", "current_1mo"),
        )
    if window.count < 1:
        raise cursor.error("the evaluation window is empty", window.start, window.end, ("at least 1 minute",))
    longest = 4 * _LONGEST if window.tense == "next" else _LONGEST
    if window.seconds > longest:
        raise cursor.error(
            "the evaluation window is longer than a month (730 hours)",
            window.start,
            window.end,
            (),
            "last_1mo",
        )


def _guess(written: str) -> str:
    match = re.match(r"(?:last_?|)(\d+)_?([a-z]+)?", written)
    if not match:
        return "last_5m"
    unit = match.group(2) or "m"
    count = max(1, int(match.group(1)) // 60) if unit == "s" else int(match.group(1))
    return f"last_{count}{_NAMES.get(unit, unit if unit in UNIT_SECONDS else 'm')}"


def length(cursor: Cursor, text: str, start: int, tense: _Tense = "last") -> Window:
    """Parse a quoted window length: "5m", or one of the current hour, day or month: "1d"."""
    match = _LENGTH.match(text.strip())
    if match is None or int(match.group(1)) < 1:
        end = start + len(text) + 2
        raise cursor.error(f"'{text}' is not a length of time", start, end, ('"5m"', '"1h"', '"1d"'))
    window = Window(
        tense, int(match.group(1)), cast(_Unit, match.group(2)), start=start, end=start + len(text) + 2
    )
    if tense == "current":
        _check_length(cursor, window)
    if window.seconds > 90 * 86400:
        raise cursor.error("the window is longer than 90 days", window.start, window.end)
    return window


def format_window(window: Window) -> str:
    """Format a window as `last_5m`."""
    return f"{window.tense}_{window.count}{window.unit}"


def comparison(cursor: Cursor) -> tuple[Operator, float | None]:
    """comparison = ("<" | "<=" | ">" | ">=" | "==" | "!=") (number | "threshold")"""
    sign = cursor.match(COMPARISON)
    if sign is None:
        if cursor.looking_at("="):
            cursor.unexpected("the query of the monitor", ("'=='",))
        cursor.unexpected("the query of the monitor", ("a comparison (> 1)",))
    operator = cast(Operator, sign.group())
    if (word := NAME.match(cursor.text, cursor.position)) and word.group() == "threshold":
        cursor.position = word.end()
        cursor.skip()
        return operator, None
    return operator, cursor.number("the threshold")


def format_comparison(monitor: Any) -> str:
    """Format a comparison as `> 5`; return "" if the threshold is in the options."""
    if monitor.operator is None:
        return ""
    threshold = "threshold" if monitor.threshold is None else format_number(monitor.threshold)
    return f" {monitor.operator} {threshold}"
