"""Points and the log lines that carry them."""

from typing import NamedTuple


class Point(NamedTuple):
    """One value of one metric at one time (seconds since the epoch)."""

    metric: str
    value: float
    timestamp: float
    type: str = "count"
    tags: tuple[str, ...] = ()
