"""Weeks and months of the calendar, in UTC."""

from datetime import UTC, datetime, timedelta


def calendar_start(end: int, unit: str) -> int:
    """When the week (from Monday) or the month began that holds the last second before `end`."""
    day = datetime.fromtimestamp(end - 1, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    back = day.weekday() if unit == "week" else day.day - 1
    return int((day - timedelta(days=back)).timestamp())
