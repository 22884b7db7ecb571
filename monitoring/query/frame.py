"""Define the frame of an evaluation: its source, window and buckets."""

from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

from monitoring.query.errors import QueryError
from monitoring.query.grid import CALENDAR, Grid, calendar_grid, default_interval, grid_between
from monitoring.query.nodes import Metric, Placed
from monitoring.query.sources import Source
from monitoring.query.switches import Switches
from monitoring.query.timeseries import Lines

MOST_BUCKETS, MOST_OCCUPIED = 5_000_000, 100_000_000
"""The largest number of buckets of an evaluation: of all, and if only those with a point are kept."""
FARTHEST = 10 * 366 * 86400
"""The largest number of seconds that a query can look back."""


@dataclass(frozen=True, slots=True)
class EvaluationFrame:
    """The parameters of an evaluation of an expression.

    `until`: points at or after it are ignored. `closed`: see `grid_between`. `limited`: widen intervals that
    have too many buckets. `occupied`: return only buckets with a point.
    """

    source: Source
    start: float
    end: float
    interval: int
    switches: Switches
    text: str
    until: float = float("inf")
    closed: bool = True
    limited: bool = True
    occupied: bool = False
    memo: dict[Any, Lines] = field(default_factory=dict)

    def between(self, start: float, end: float) -> "EvaluationFrame":
        """Return the frame over another window, in buckets of the same size."""
        return replace(self, start=start, end=end, occupied=False)

    def shifted(self, seconds: int, node: Placed) -> "EvaluationFrame":
        """Return the frame moved back in time.

        Raises:
            QueryError: the shift is more than ten years.
        """
        if seconds > FARTHEST:
            raise self.error("a query looks back ten years at most", node)
        return replace(
            self,
            start=self.start - seconds,
            end=self.end - seconds,
            until=self.until - seconds,
        )

    def grid(self, metric: Metric | None = None) -> Grid:
        """Return the buckets: the frame's, or those of a metric query's rollup."""
        rollup = metric.modifier("rollup") if metric else None
        step = self.interval
        for argument in rollup.arguments if rollup else ():
            if isinstance(argument, float | int):
                step = self.widened(int(argument))
            elif argument in CALENDAR:
                zone = str(rollup.arguments[-1]) if rollup and len(rollup.arguments) > 2 else "UTC"
                return calendar_grid(self.start, self.end, argument, self.zone(zone, rollup or Placed()))
        most = MOST_OCCUPIED if self.occupied else MOST_BUCKETS
        if (self.end - self.start) / step > most:
            message = f"buckets of {step} s are too fine for {self.end - self.start:.0f} s"
            raise self.error(message, metric or Placed(), "a longer interval, or a shorter window")
        return grid_between(self.start, self.end, step, self.closed)

    def widened(self, step: int) -> int:
        """Return the step, or the smallest interval of the ladder without too many buckets."""
        if not self.limited:
            return step
        return max(step, default_interval(self.end - self.start, self.switches.most_points))

    def zone(self, name: str, node: Placed) -> tzinfo:
        """Return the time zone of that name."""
        if name.upper() == "UTC":
            return UTC
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise self.error(
                f"there is no time zone '{name}'", node, "an IANA name, such as 'Europe/Berlin'"
            ) from None

    def error(self, message: str, node: Placed, suggestion: str = "") -> QueryError:
        """Return an error at a node."""
        return QueryError(self.text, message, node.start, node.end, suggestion=suggestion)
