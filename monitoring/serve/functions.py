"""Query the functions in a store: numbers and spans of their invocations."""

from dataclasses import dataclass

from monitoring.log_events.telemetry import Span
from monitoring.store import Store, rows

INVOCATION = "aws.lambda"
_FIGURES = """
    SELECT resource, count(*), count(*) FILTER (error > 0), quantile_cont(duration, 0.5),
        quantile_cont(duration, 0.95)
    FROM spans WHERE name = $name AND time >= $start AND time < $end GROUP BY resource ORDER BY resource"""
_CALLS = """
    SELECT * FROM spans WHERE name = $name AND lower(resource) = lower($function)
        AND time >= $start AND time < $end AND (NOT $failed OR error > 0) ORDER BY start DESC LIMIT $most"""


@dataclass(frozen=True, slots=True)
class Calls:
    """A function's invocations: number, failed ones, median and p95 of durations in nanoseconds."""

    name: str
    count: int
    failed: int
    middle: float
    high: float


def functions_of(store: Store, start: int, end: int) -> list[Calls]:
    """Return the functions that were invoked in `[start, end)` seconds, sorted by name."""
    with store.reading() as cursor:
        values = {"name": INVOCATION, "start": start, "end": end}
        return [Calls(*row) for row in cursor.execute(_FIGURES, values).fetchall()]


def calls_of(
    store: Store, function: str, start: int, end: int, most: int, *, failed: bool = False
) -> list[Span]:
    """Return at most `most` invocations of a function, the newest first; with `failed`, only failed ones."""
    values = {
        "name": INVOCATION,
        "function": function,
        "start": start,
        "end": end,
        "failed": failed,
        "most": most,
    }
    with store.reading() as cursor:
        return [rows.to_span(row) for row in cursor.execute(_CALLS, values).fetchall()]
