"""Parse and format durations and times of monitor tests: `90s`, `12m`, `1h30m`, `2026-03-01T00:00:00Z`."""

import re
from datetime import UTC, datetime

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+|0")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")

HINT = "write a length like 30s, 12m, 1h30m or 2d"
LONGEST_DAYS = 400
"""Days that a case may last: a monitor is evaluated 576,000 times then, which takes seconds to minutes."""


def hint_for(text: str) -> str:
    """Return what to write instead of a length that `parse_duration` refuses."""
    lengths = [part.strip() for part in text.split("..")]
    if all(_DURATION.fullmatch(length) for length in lengths) and not all(map(_is_short, lengths)):
        return f"a case lasts {LONGEST_DAYS}d at most"
    return HINT


def _is_short(text: str) -> bool:
    return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text)) <= LONGEST_DAYS * 86_400


def parse_duration(text: str) -> int | None:
    """Parse a duration to seconds; return None if `text` is not one, or longer than `LONGEST_DAYS`."""
    if not _DURATION.fullmatch(text.strip()) or not _is_short(text):
        return None
    seconds = sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))
    return int(seconds) if seconds == int(seconds) else None


def parse_moment(text: str) -> int | None:
    """Parse an ISO 8601 time (UTC without an offset) or epoch seconds to seconds since the epoch."""
    text = text.strip()
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp())


def show_duration(seconds: float) -> str:
    """Format seconds in the notation of tests: `1h30m` for 5400."""
    seconds = int(seconds)
    if seconds == 0:
        return "0m"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts)


def show_moment(epoch: float) -> str:
    """`2026-03-01T00:12:00Z`."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
