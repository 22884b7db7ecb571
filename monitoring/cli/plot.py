"""Draw time series as text: one plot with an axis of time and one of values, and a legend below it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import NamedTuple

from monitoring.terminal import Part, room, table

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille character: 4 rows of 2 dots."""
COLORS = ("cyan", "yellow", "green", "magenta", "red", "blue", "white", "bright_black")
MARKS = "abcdefgh"
"""The letters of the lines if there are no colours."""
MOST = len(COLORS)
"""Lines of one plot; of more, those with the highest means are drawn."""
HEIGHT, _WIDEST = 10, 100


class PlotLine(NamedTuple):
    """A series of a plot: seconds since the epoch, ascending, and a value for each; NaN leaves a gap."""

    name: str
    times: Sequence[float]
    values: Sequence[float]

    @property
    def points(self) -> list[float]:
        """Return the values that are not NaN."""
        return [value for value in self.values if isfinite(value)]


def plot(lines: Sequence[PlotLine], start: float, end: float, *, colored: bool) -> list[list[Part]]:
    """Return a plot of the lines over `[start, end]` with its legend, as lines of parts.

    Args:
        lines: in the order of the legend.
        start: seconds since the epoch, where the axis begins, whether or not a point is there.
        end: where the axis ends.
        colored: lines are dots in colours; else, where there are several, letters.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return [["no points"]]
    most = sorted(drawn, key=lambda line: -sum(line.points) / len(line.points))[:MOST]
    drawn = [line for line in drawn if line in most]
    low, high = _bounds([value for line in drawn for value in line.points])
    margin = max(len(number(low)), len(number(high)))
    width = max(20, min(_WIDEST, room() - margin - 6))
    letters = len(drawn) > 1 and not colored
    cells = _cells(drawn, (start, end), (low, high), width, letters=letters)
    rows = [_row(cells[at], _label(at, low, high), margin) for at in range(HEIGHT)]
    axis: list[list[Part]] = [
        [" " * margin + " └" + "─" * width],
        [" " * (margin + 2) + _times(start, end, width)],
    ]
    legend = _legend(drawn, len(lines), letters=letters)
    return [*(["  ", *line] for line in (*rows, *axis)), [], *legend]


def number(value: float) -> str:
    """Format a value with five significant digits, large ones with k, M, G, T."""
    for bound, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= bound:
            return f"{value / (1e3 if unit == 'k' else bound):.4g}{unit}"
    return f"{value:.5g}"


Cell = tuple[str, str]
"""The character of a place and its colour."""


def _cells(
    lines: Sequence[PlotLine],
    times: tuple[float, float],
    values: tuple[float, float],
    width: int,
    *,
    letters: bool,
) -> list[list[Cell]]:
    """Return the characters of the plot; where lines meet, the later one is seen, with the dots of both."""
    dots = [[0] * width for _ in range(HEIGHT)]
    cells: list[list[Cell]] = [[(" ", "")] * width for _ in range(HEIGHT)]
    for at, line in enumerate(lines):
        for x, y in _dots_of(line, times, values, width):
            dots[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            sign = MARKS[at] if letters else chr(0x2800 + dots[y // 4][x // 2])
            cells[y // 4][x // 2] = (sign, COLORS[at])
    return cells


def _dots_of(
    line: PlotLine, times: tuple[float, float], values: tuple[float, float], width: int
) -> list[tuple[int, int]]:
    dots: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    for time, value in zip(line.times, line.values, strict=True):
        if not isfinite(value):
            before = None
            continue
        current = _place(time, *times, 2 * width), 4 * HEIGHT - 1 - _place(value, *values, 4 * HEIGHT)
        dots += _between(before, current)
        before = current
    return dots


def _row(cells: Sequence[Cell], label: str, margin: int) -> list[Part]:
    """Return one row of a plot; neighbours of one colour are one part."""
    line: list[Part] = [f"{label:>{margin}} ┤"]
    text, color = "", ""
    for sign, other in cells:
        if other != color and text:
            line.append((text, color))
            text = ""
        text, color = text + sign, other
    return [*line, (text.rstrip(), color)]


def _legend(drawn: Sequence[PlotLine], total: int, *, letters: bool) -> list[list[Part]]:
    rows: list[list[Part]] = [["", "", "min", "max", "avg", "last"]]
    for at, line in enumerate(drawn):
        points = line.points
        figures = (min(points), max(points), sum(points) / len(points), points[-1])
        rows.append([(MARKS[at] if letters else "━", COLORS[at]), line.name, *map(number, figures)])
    lines = table(rows, right={2, 3, 4, 5}, indent=2)
    more = total - len(drawn)
    if more:
        lines.append([f"  and {more} more, lower or without points"])
    return lines


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _label(row: int, low: float, high: float) -> str:
    return number(high) if row == 0 else number(low) if row == HEIGHT - 1 else ""


def _place(value: float, low: float, high: float, count: int) -> int:
    """Return which of `count` places between the bounds a value has."""
    if high <= low:
        return 0
    return min(count - 1, max(0, round((value - low) / (high - low) * (count - 1))))


def _between(before: tuple[int, int] | None, current: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the dots from the point before, exclusive, to this one."""
    if before is None:
        return [current]
    count = max(abs(current[0] - before[0]), abs(current[1] - before[1]), 1)
    return [
        (
            before[0] + round((current[0] - before[0]) * at / count),
            before[1] + round((current[1] - before[1]) * at / count),
        )
        for at in range(1, count + 1)
    ]


def _times(start: float, end: float, width: int) -> str:
    """Return both ends of the axis of time, in UTC; with dates where it is a day or longer."""
    form = "%H:%M:%S" if end - start < 86400 else "%Y-%m-%d %H:%M"
    first, last = (datetime.fromtimestamp(moment, UTC).strftime(form) for moment in (start, end))
    return first + last.rjust(max(len(last) + 1, width - len(first)))
