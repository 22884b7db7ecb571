"""Moments as people write them on a command line: epoch seconds, ISO 8601, `now`, `-4h`."""

import re
from datetime import UTC, datetime

from monitoring.errors import InputError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"-(\d+(?:\.\d+)?)([smhdw])")
_EPOCH = re.compile(r"\d+(?:\.\d+)?")


def moment(text: str, now: float) -> int:
    """Whole seconds since the epoch; a time without a zone is UTC.

    Raises:
        InputError: it is none of these.
    """
    if text == "now":
        return int(now)
    if ago := _AGO.fullmatch(text):
        return int(now - float(ago[1]) * UNITS[ago[2]])
    if _EPOCH.fullmatch(text):
        return int(float(text))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no time", hint="Write epoch seconds, ISO 8601 (2026-03-01T12:00:00Z), now, or -4h."
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def window(since: str, until: str, now: float) -> tuple[int, int]:
    """From and to.

    Raises:
        InputError: one is no time, or the window ends before it starts.
    """
    start, end = moment(since, now), moment(until, now)
    if end <= start:
        raise InputError(
            f"the time ends ({until}) before it starts ({since})", hint="Exchange --from and --to."
        )
    return start, end
