"""The point: what one MONITORING line carries."""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    """One value of one metric at one time.

    `timestamp` is in seconds since the epoch, `type` one of `monitoring.lines.TYPES`, a tag `key:value` or
    a bare word.
    """

    metric: str
    value: float
    timestamp: float
    type: str = "count"
    tags: tuple[str, ...] = ()
