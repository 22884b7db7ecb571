"""Parse times of command lines: epoch seconds, ISO 8601, `now`, `-4h`."""

import re
from datetime import UTC, datetime

from monitoring.errors import InputError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"-(\d+(?:\.\d+)?)([smhdw])")
_EPOCH = re.compile(r"\d+(?:\.\d+)?")
_MILLISECONDS = 1e11
"""Larger numbers are milliseconds (in seconds, they would be in the year 5138)."""


def moment(text: str, now: float, where: str = "") -> float:
    """Parse a time to seconds since the epoch; 13 digits are milliseconds, a time without a zone is UTC.

    Raises:
        InputError: the text is not a time; `where` is the option.
    """
    written = text.strip()
    if written == "now":
        return now
    if ago := _AGO.fullmatch(written):
        return now - float(ago[1]) * UNITS[ago[2]]
    if _EPOCH.fullmatch(written):
        return float(written) / (1000 if float(written) > _MILLISECONDS else 1)
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        raise InputError(
            f"{text!r} is not a valid time",
            where=where,
            hint="Write epoch seconds, ISO 8601 (2026-03-01T12:00:00Z), now, or -4h.",
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def window(since: str, until: str, now: float) -> tuple[int, int]:
    """Parse the start and the end of a window to integer seconds.

    Raises:
        InputError: one is not a valid time, or the window ends before it starts.
    """
    start, end = int(moment(since, now)), int(moment(until, now))
    if end <= start:
        raise InputError(f"the end ({until}) is before the start ({since})", hint="Exchange --from and --to.")
    return start, end
