"""Draw a time series as text: a chart of a few rows, or a sparkline of one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille character: 4 rows of 2 dots."""
_BARS = "▁▂▃▄▅▆▇█"


def chart(
    times: Sequence[float],
    values: Sequence[float],
    *,
    width: int = 64,
    height: int = 8,
    threshold: float | None = None,
    mark: float | None = None,
) -> list[str]:
    """Draw a time series as text, the newest point at the right.

    Args:
        times: seconds since the epoch, ascending.
        values: one a time; NaN leaves a gap.
        width: characters between the axes.
        height: rows.
        threshold: a value to draw a level line at.
        mark: a time to point at below the axis.

    Returns:
        The rows; one that says so where there is no point.
    """
    points = [(time, value) for time, value in zip(times, values, strict=True) if isfinite(value)]
    if not points:
        return ["no points"]
    low, high = _bounds([value for _, value in points], threshold)
    start, end = min(times), max(times)
    canvas = [[0] * width for _ in range(height)]
    before: tuple[int, int] | None = None
    for time, value in zip(times, values, strict=True):
        if not isfinite(value):
            before = None
            continue
        here = _place(time, start, end, 2 * width), 4 * height - 1 - _place(value, low, high, 4 * height)
        for x, y in _between(before, here):
            canvas[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
        before = here
    level = None if threshold is None else (4 * height - 1 - _place(threshold, low, high, 4 * height)) // 4
    return [*_rows(canvas, low, high, level), *_axis(start, end, width, _margin(low, high), mark)]


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """Return values as one row of bars, a space for a gap; values that share a bar become their mean."""
    groups = _shares(values, width)
    known = [value for value in groups if isfinite(value)]
    if not known:
        return "no points"
    low, high = min(known), max(known)
    return "".join(" " if not isfinite(value) else _BARS[_place(value, low, high, 8)] for value in groups)


def number(value: float) -> str:
    """Format a value with five significant digits, large ones with k, M, G, T."""
    for bound, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= bound:
            return f"{value / (1e3 if unit == 'k' else bound):.4g}{unit}"
    return f"{value:.5g}"


def _bounds(values: Sequence[float], threshold: float | None) -> tuple[float, float]:
    wanted = [*values, *([] if threshold is None else [threshold])]
    low, high = min(wanted), max(wanted)
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _place(value: float, low: float, high: float, count: int) -> int:
    """Return which of `count` places between the bounds a value has."""
    if high <= low:
        return 0
    return min(count - 1, max(0, round((value - low) / (high - low) * (count - 1))))


def _between(before: tuple[int, int] | None, here: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the dots from the point before, exclusive, to this one."""
    if before is None:
        return [here]
    count = max(abs(here[0] - before[0]), abs(here[1] - before[1]), 1)
    return [
        (
            before[0] + round((here[0] - before[0]) * at / count),
            before[1] + round((here[1] - before[1]) * at / count),
        )
        for at in range(1, count + 1)
    ]


def _margin(low: float, high: float) -> int:
    return max(len(number(low)), len(number(high)))


def _rows(canvas: list[list[int]], low: float, high: float, level: int | None) -> list[str]:
    margin, last = _margin(low, high), len(canvas) - 1
    rows = []
    for at, cells in enumerate(canvas):
        label = number(high) if at == 0 else number(low) if at == last else ""
        blank = "╌" if at == level else " "
        line = "".join(chr(0x2800 + cell) if cell else blank for cell in cells)
        rows.append(f"{label:>{margin}} ┤{line}".rstrip())
    return rows


def _axis(start: float, end: float, width: int, margin: int, mark: float | None) -> list[str]:
    first, last = _clock(start, end), _clock(end, start)
    line = list("─" * width)
    if mark is not None and start <= mark <= end:
        line[_place(mark, start, end, width)] = "▲"
    return [
        " " * margin + " └" + "".join(line),
        " " * (margin + 2) + first + last.rjust(max(len(last) + 1, width - len(first))),
    ]


def _clock(time: float, other: float) -> str:
    """Format the time of day in UTC, with the date where the window is longer than a day."""
    at = datetime.fromtimestamp(time, UTC)
    return at.strftime("%H:%M:%S" if abs(time - other) < 86400 else "%Y-%m-%d %H:%M")


def _shares(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    shares = []
    for at in range(width):
        part = [
            value
            for value in values[at * len(values) // width : (at + 1) * len(values) // width]
            if isfinite(value)
        ]
        shares.append(sum(part) / len(part) if part else float("nan"))
    return shares
