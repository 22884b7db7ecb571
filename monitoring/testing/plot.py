"""Draw a plot of a monitor's values, thresholds and states for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.monitor.states import State

_BLOCKS = " ▁▂▃▄▅▆▇█"
HEIGHT = 6
_LETTERS = {
    State.OK: "·",
    State.WARN: "W",
    State.ALERT: "A",
    State.NO_DATA: "?",
    State.UNKNOWN: "u",
    None: " ",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """Describe a plot: one column for each evaluation; None and NaN are gaps; `mark` is a column."""

    values: Sequence[float | None]
    states: Sequence[State | None]
    labels: tuple[str, str]
    mark: int
    limits: tuple[tuple[str, float], ...] = ()


def draw(plot: Plot) -> list[str]:
    """Draw the lines of the plot: values with an axis, states, the mark, and the first and last time."""
    known = [value for value in plot.values if value is not None]
    if not known:
        return [f"{'':>10}  (no value in any of these windows)", *_foot(plot)]
    low = min([0.0, *known, *(limit for _, limit in plot.limits)])
    high = max([0.0, *known, *(limit for _, limit in plot.limits)])
    high = high if high > low else low + 1.0
    names = {_row(limit, low, high): f"{name} {limit:g}" for name, limit in plot.limits}
    lines = []
    for row in range(HEIGHT - 1, -1, -1):
        edge = f"{high:.4g}" if row == HEIGHT - 1 else f"{low:.4g}" if row == 0 else ""
        body = "".join(_cell(value, row, low, high, "┄" if row in names else " ") for value in plot.values)
        lines.append(f"{edge:>10} ┤{body}{' ' + names[row] if row in names else ''}")
    return [*lines, *_foot(plot)]


def _row(value: float, low: float, high: float) -> int:
    return min(HEIGHT - 1, int((value - low) / (high - low) * HEIGHT))


def _cell(value: float | None, row: int, low: float, high: float, blank: str) -> str:
    if value is None:
        return blank
    filled = (value - low) / (high - low) * HEIGHT - row
    if filled <= 0:
        return "▁" if row == 0 and value == low else blank
    return _BLOCKS[min(8, max(1, round(filled * 8)))]


def _foot(plot: Plot) -> list[str]:
    """States by letter, the mark, and the first and last moment."""
    first, last = plot.labels
    width = len(plot.values)
    states = "".join(_LETTERS[state] for state in plot.states)
    return [
        f"{'state':>10}  {states}",
        f"{'':>10}  {' ' * plot.mark}↑",
        f"{'':>10}  {first}{last:>{max(1, width - len(first))}}",
    ]
