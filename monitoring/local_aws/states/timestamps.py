"""Timestamps of the states language: RFC 3339 with a capital T and Z, any fraction, any offset."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

_PATTERN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))")


class Timestamp(NamedTuple):
    """A moment; compares to the nanosecond."""

    second: datetime
    nanosecond: int

    def epoch(self) -> float:
        """Return the seconds since 1970."""
        return self.second.timestamp() + self.nanosecond / 1e9


def parse_timestamp(text: object) -> Timestamp | None:
    """Return the moment that a text names, or None if it is not a timestamp."""
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    zone = (
        UTC
        if match[4] is None
        else timezone(int(f"{match[4]}1") * timedelta(hours=int(match[5]), minutes=int(match[6])))
    )
    try:
        second = datetime.fromisoformat(match[1] + (match[2] or ":00")).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return Timestamp(second, int((match[3] or "0").ljust(9, "0")))
