"""Compute calendar weeks and months, in UTC."""

from datetime import UTC, datetime, timedelta


def calendar_start(end: int, unit: str) -> int:
    """Return the start of the week (from Monday) or month that contains the last second before `end`."""
    day = datetime.fromtimestamp(end - 1, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    back = day.weekday() if unit == "week" else day.day - 1
    return int((day - timedelta(days=back)).timestamp())
