"""Draw heat maps, distributions, scatter plots, treemaps and sunbursts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.preview import svg
from monitoring.preview.charts.shapes import (
    BOTTOM,
    LEFT,
    RIGHT,
    Frame,
    Line,
    Row,
    axes,
    canvas,
    colour,
    label,
    line,
    notice,
    rect,
)
from monitoring.preview.scales import Scale, format_value, value_ticks

BANDS = 16


def heatmap(frame: Frame, lines: Sequence[Line]) -> str:
    """Draw the number of series in each range of values over time; darker means more."""
    values = [value for series in lines for value in series.values if np.isfinite(value)]
    if not values:
        return notice(frame, "No data in this time")
    unit = next((series.unit for series in lines if series.unit), "")
    plot = canvas(frame, values, unit=unit)
    edges = np.linspace(plot.y.low, plot.y.high, BANDS + 1)
    cells: dict[tuple[int, int], int] = {}
    for series in lines:
        there = np.isfinite(series.values)
        bands = np.clip(np.searchsorted(edges, series.values[there], side="right") - 1, 0, BANDS - 1)
        for moment, band in zip(series.times[there].tolist(), bands.tolist(), strict=True):
            cells[moment, band] = cells.get((moment, band), 0) + 1
    wide = max(plot.x(frame.start + max(series.interval for series in lines)) - LEFT, 1.5)
    most = max(cells.values())
    drawn, dark = [], colour("dog_classic", 0)
    for (moment, band), count in cells.items():
        x, top = plot.x(moment), plot.y(float(edges[band + 1]))
        height = plot.y(float(edges[band])) - top
        depth = 0.15 + 0.85 * count / most
        drawn.append(rect(x, top, min(wide, plot.right - x), height, dark, fill_opacity=depth))
    return axes(plot, unit) + "".join(drawn)


def distribution(frame: Frame, values: NDArray[np.float64], unit: str) -> str:
    """Draw a histogram of values, with p50, p95 and p99."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return notice(frame, "No data in this time")
    low, high = float(finite.min()), float(finite.max())
    if high - low < abs(high) * 1e-9:  # nearly equal values: bars around one value
        low, high = low - max(abs(low), 1.0) * 0.05, high + max(abs(high), 1.0) * 0.05
    counts, edges = np.histogram(finite, bins=min(40, max(8, int(frame.width // 16))), range=(low, high))
    ticks = value_ticks(0, float(counts.max()), 3)
    y = Scale(0, ticks[-1], frame.height - BOTTOM, 18)
    x = Scale(float(edges[0]), float(edges[-1]), LEFT, frame.width - RIGHT)
    parts = [
        line(LEFT, y(tick), frame.width - RIGHT, y(tick), frame.theme.grid)
        + label(format_value(tick), LEFT - 6, y(tick) + 3.5, frame.theme.muted, "end")
        for tick in ticks
    ]
    shade = colour("dog_classic", 0)
    parts += [
        rect(x(left), y(count), x(right) - x(left) - 1, y(0) - y(count), shade)
        for count, left, right in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    parts += [
        label(format_value(tick, unit), x(tick), frame.height - 5, frame.theme.muted, "middle")
        for tick in value_ticks(x.low, x.high, max(2, int(frame.width // 110)), unit)[1:-1]
    ]
    for share in (50, 95, 99):
        at = x(float(np.percentile(finite, share)))
        parts.append(line(at, 14, at, frame.height - BOTTOM, frame.theme.muted, stroke_dasharray="3 3"))
        parts.append(label(f"p{share}", at, 10, frame.theme.muted, "middle"))
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Dot:
    """One group of a scatter plot."""

    name: str
    x: float
    y: float


def scatter(frame: Frame, dots: Sequence[Dot], x_name: str, y_name: str) -> str:
    """Draw one point per group, by two values."""
    if not dots:
        return notice(frame, "No data in this time")
    x_ticks = value_ticks(*_reach([point.x for point in dots]), max(2, int(frame.width // 90)))
    y_ticks = value_ticks(*_reach([point.y for point in dots]), max(2, int(frame.height // 44)))
    x = Scale(x_ticks[0], x_ticks[-1], LEFT, frame.width - RIGHT)
    y = Scale(y_ticks[0], y_ticks[-1], frame.height - BOTTOM - 12, 12)
    theme = frame.theme
    parts = [
        line(LEFT, y(tick), frame.width - RIGHT, y(tick), theme.grid)
        + label(format_value(tick), LEFT - 6, y(tick) + 3.5, theme.muted, "end")
        for tick in y_ticks
    ]
    bottom = frame.height - BOTTOM
    parts += [label(format_value(tick), x(tick), bottom, theme.muted, "middle") for tick in x_ticks[:-1]]
    parts.append(label(x_name, frame.width - RIGHT, frame.height - 5, theme.muted, "end"))
    parts.append(label(y_name, LEFT, 9, theme.muted))
    for index, point in enumerate(dots):
        shade = colour("dog_classic", index)
        dot = svg.title(point.name)
        parts.append(
            svg.tag("circle", dot, cx=x(point.x), cy=y(point.y), r=4.5, fill=shade, fill_opacity=0.75)
        )
    return "".join(parts)


def dots(frame: Frame, points: Sequence[tuple[str, int, float]], unit: str = "") -> str:
    """Draw (group, seconds, value) points over time."""
    if not points:
        return notice(frame, "No data in this time")
    plot = canvas(frame, [value for _, _, value in points], unit=unit)
    shades = {name: index for index, name in enumerate(dict.fromkeys(name for name, _, _ in points))}
    parts = [
        svg.tag(
            "circle",
            svg.title(name) if name else "",
            cx=plot.x(moment),
            cy=plot.y(value),
            r=2.6,
            fill=colour("dog_classic", shades[name]),
            fill_opacity=0.7,
        )
        for name, moment, value in points
    ]
    return axes(plot, unit) + "".join(parts)


def _reach(values: Sequence[float]) -> tuple[float, float]:
    return min(*values, 0.0), max(*values, 0.0)


def treemap(frame: Frame, rows: Sequence[Row]) -> str:
    """Draw groups as areas in proportion to their values."""
    sizes = [(row, row.values[0]) for row in rows if row.values[0] and row.values[0] > 0]
    if not sizes:
        return notice(frame, "No data in this time")
    parts = []
    ordered = sorted(((row, float(value or 0)) for row, value in sizes), key=lambda entry: -entry[1])
    room = (4.0, 4.0, frame.width - 8, frame.height - 8)
    for index, (row, x, y, width, height) in enumerate(_slices(ordered, room)):
        shade = colour("cool", index)
        words = f"{row.name}  {format_value(row.values[0], row.unit)}"
        parts.append(rect(x, y, width - 2, height - 2, shade, rx=3))
        if height > 18:
            parts.append(svg.text(svg.fitted(words, width - 12, 11), x + 6, y + 15, size=11, fill="#ffffff"))
    return "".join(parts)


Room = tuple[float, float, float, float]


def _slices(ordered: Sequence[tuple[Row, float]], room: Room) -> list[tuple[Row, float, float, float, float]]:
    """Divide the values into two halves as equal as possible, and the longer side in the same ratio."""
    x, y, width, height = room
    if len(ordered) == 1:
        return [(ordered[0][0], x, y, width, height)]
    total = sum(value for _, value in ordered)
    half, cut = ordered[0][1], 1
    while cut < len(ordered) - 1 and half + ordered[cut][1] <= total / 2:
        half += ordered[cut][1]
        cut += 1
    share = half / total
    if width >= height:
        first, second = (x, y, width * share, height), (x + width * share, y, width * (1 - share), height)
    else:
        first, second = (x, y, width, height * share), (x, y + height * share, width, height * (1 - share))
    return _slices(ordered[:cut], first) + _slices(ordered[cut:], second)


def sunburst(frame: Frame, rows: Sequence[Row]) -> str:
    """Draw groups as a ring in proportion to their values, with their names beside it."""
    sizes = [(row, float(row.values[0])) for row in rows if row.values[0] and row.values[0] > 0]
    if not sizes:
        return notice(frame, "No data in this time")
    total = sum(value for _, value in sizes)
    radius = min(frame.width * 0.28, frame.height / 2 - 8)
    middle = (radius + 12, frame.height / 2)
    parts, angle = [], -math.pi / 2
    for index, (row, value) in enumerate(sizes):
        turn = min(value / total * 2 * math.pi, 2 * math.pi - 1e-4)
        parts.append(_ring(middle, radius, angle, turn, colour("dog_classic", index), row.name))
        angle += turn
    left = 2 * radius + 28
    for index, (row, value) in enumerate(sizes[: max(1, int(frame.height // 18))]):
        words = f"{row.name}  {format_value(value, row.unit)} ({value / total:.0%})"
        parts.append(rect(left, 8 + 18 * index, 9, 9, colour("dog_classic", index), rx=2))
        fitted = svg.fitted(words, frame.width - left - 22, 11)
        parts.append(svg.text(fitted, left + 14, 17 + 18 * index, size=11, fill=frame.theme.ink))
    return "".join(parts)


def _ring(
    middle: tuple[float, float], radius: float, angle: float, turn: float, shade: str, name: str
) -> str:
    x, y = middle
    if turn > math.pi * 1.999:  # an arc that ends where it starts is not drawn
        halves = (angle, angle + turn / 2)
        return "".join(_ring(middle, radius, start, turn / 2, shade, name) for start in halves)

    def at(distance: float, turned: float) -> str:
        return f"{x + distance * math.cos(turned):.1f} {y + distance * math.sin(turned):.1f}"

    large = int(turn > math.pi)
    inner = radius * 0.55
    d = (
        f"M{at(radius, angle)}A{radius:.1f} {radius:.1f} 0 {large} 1 {at(radius, angle + turn)}"
        f"L{at(inner, angle + turn)}A{inner:.1f} {inner:.1f} 0 {large} 0 {at(inner, angle)}Z"
    )
    return svg.tag("path", svg.title(name), d=d, fill=shade, stroke_width=1)
