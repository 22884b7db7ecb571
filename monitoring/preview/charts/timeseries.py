"""Draw time series: lines, areas, bars and overlays, with markers and a legend."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.preview import svg
from monitoring.preview.charts.names import values_only
from monitoring.preview.charts.shapes import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Canvas,
    Frame,
    Line,
    Marker,
    Moment,
    axes,
    canvas,
    colour,
    line,
    notice,
    rect,
)
from monitoring.preview.scales import format_value

DASHES = {"dashed": "6 4", "dotted": "2 3"}
WIDTHS = {"thin": 1.0, "normal": 1.6, "thick": 2.6}
LEGEND_ROW = 15.0
MOST_IN_LEGEND = 4
LEAST_PLOT = 104.0
"""The minimum height of a plot with a legend."""


def timeseries(
    frame: Frame,
    lines: Sequence[Line],
    markers: Sequence[Marker] = (),
    bounds: tuple[float | None, float | None] = (None, None),
    moments: Sequence[Moment] = (),
    *,
    from_zero: bool = True,
) -> str:
    """Draw the lines over the frame's time; areas and bars of one widget are stacked.

    `bounds` widen the value axis to at least these values; `moments` are marked across the graph.
    """
    if not any(np.isfinite(line.values).any() for line in lines):
        return notice(frame, "No data in this time")
    shown = _in_legend(frame, len(lines))
    stacked = _stacks(lines)
    reach = [value for _, low, high in stacked for value in (_least(low), _most(high))]
    reach += [value for value in bounds if value is not None]
    reach += [value for line in markers for value in (line.low, line.high)]
    unit = next((line.unit for line in lines if line.unit), "")
    plot = canvas(frame.shorter(shown * LEGEND_ROW), reach, from_zero=from_zero, unit=unit)
    drawn = [_draw(plot, line, low, high, index) for index, (line, low, high) in enumerate(stacked)]
    over = [*_moments(plot, moments), *_markers(plot, markers, unit)]
    return axes(plot, unit) + "".join(drawn) + "".join(over) + _legend(frame, lines[:shown], len(lines))


def _in_legend(frame: Frame, count: int) -> int:
    """Return the number of lines in the legend: 0 for a single line; limited by the height of the plot."""
    room = int((frame.height - LEAST_PLOT) // LEGEND_ROW)
    return max(0, min(count, MOST_IN_LEGEND, room)) if count > 1 else 0


def _least(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else float("nan")


def _most(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("nan")


Stack = tuple[Line, NDArray[np.float64], NDArray[np.float64]]


def _stacks(lines: Sequence[Line]) -> list[Stack]:
    """Return (line, lower edge, upper edge): areas and bars are stacked, lines are not."""
    below: dict[tuple[str, int], float] = {}
    stacks: list[Stack] = []
    for series in lines:
        if series.style.display not in {"area", "bars"}:
            stacks.append((series, series.values, series.values))
            continue
        keys = [(series.style.display, int(moment)) for moment in series.times]
        low = np.array([below.get(key, 0.0) for key in keys])
        values = np.nan_to_num(series.values)
        below.update(zip(keys, (low + values).tolist(), strict=True))
        stacks.append((series, low, low + values))
    return stacks


def _draw(plot: Canvas, line: Line, low: NDArray[np.float64], high: NDArray[np.float64], index: int) -> str:
    name = svg.title(line.name)
    shade = colour(line.style.palette, index)
    if line.style.display == "bars":
        return svg.group([name, _bars(plot, line, low, high, shade)], data_line=index)
    if line.style.display == "area":
        return svg.group([name, *_area(plot, line, low, high, shade)], data_line=index)
    return svg.group([name, *_strokes(plot, line, high, shade)], data_line=index)


def _bars(plot: Canvas, line: Line, low: NDArray[np.float64], high: NDArray[np.float64], shade: str) -> str:
    slot = max(plot.x(plot.x.low + line.interval) - plot.x(plot.x.low), 1.0)
    wide = max(slot * 0.82, 0.8)
    bars = []
    for moment, bottom, top, value in zip(line.times, low, high, line.values, strict=True):
        x = plot.x(float(moment))
        if not np.isfinite(value) or x > plot.right:
            continue
        ends = sorted((plot.y(float(bottom)), plot.y(float(top))))
        bars.append(rect(max(x, LEFT), ends[0], min(wide, plot.right - x), ends[1] - ends[0], shade))
    return "".join(bars)


def _pieces(line: Line, values: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return the index ranges without a gap: a missing value, or more than three intervals between points."""
    there = np.flatnonzero(np.isfinite(values))
    if not there.size:
        return []
    gaps = np.flatnonzero((np.diff(there) > 1) | (np.diff(line.times[there]) > 3 * max(line.interval, 1)))
    return np.split(there, gaps + 1)


def _path(plot: Canvas, line: Line, values: NDArray[np.float64], piece: NDArray[np.int64]) -> list[str]:
    return [f"{plot.x(float(line.times[i])):.1f} {plot.y(float(values[i])):.1f}" for i in piece]


def _strokes(plot: Canvas, line: Line, values: NDArray[np.float64], shade: str) -> list[str]:
    parts = []
    width = WIDTHS.get(line.style.line_width, 1.6)
    for piece in _pieces(line, values):
        points = _path(plot, line, values, piece)
        if len(points) == 1:  # a single point would be a line without length
            x, y = points[0].split()
            parts.append(svg.tag("circle", cx=x, cy=y, r=2.8, fill=shade))
            continue
        parts.append(
            svg.tag(
                "path",
                d="M" + "L".join(points),
                fill="none",
                stroke=shade,
                stroke_width=width,
                stroke_dasharray=DASHES.get(line.style.line_type),
                stroke_linejoin="round",
            )
        )
    return parts


def _area(
    plot: Canvas, line: Line, low: NDArray[np.float64], high: NDArray[np.float64], shade: str
) -> list[str]:
    parts = []
    for piece in _pieces(line, line.values):
        top, bottom = _path(plot, line, high, piece), _path(plot, line, low, piece)[::-1]
        parts.append(svg.tag("path", d="M" + "L".join(top + bottom) + "Z", fill=shade, fill_opacity=0.45))
    return parts + _strokes(plot, line, np.where(np.isfinite(line.values), high, np.nan), shade)


def _moments(plot: Canvas, moments: Sequence[Moment]) -> list[str]:
    """Draw events as lines across the graph; a title that has no room beside its line is a tooltip only."""
    shade, bottom = plot.frame.theme.link, plot.frame.height - BOTTOM
    inside = [moment for moment in moments if plot.frame.start <= moment.time <= plot.frame.end]
    inside.sort(key=lambda moment: moment.time)
    places = [plot.x(moment.time) for moment in inside]
    drawn = []
    for moment, x, limit in zip(inside, places, [*places[1:], plot.right], strict=False):
        parts = [svg.title(moment.title), line(x, TOP, x, bottom, shade, stroke_dasharray="2 3")]
        parts.append(svg.tag("path", d=f"M{x - 4:.1f} {TOP - 6:.0f}h8l-4 7z", fill=shade))
        if x + 10 + svg.width_of(moment.title, 10) <= limit:
            halo = {"stroke": plot.frame.theme.panel, "stroke_width": 3, "paint_order": "stroke"}
            parts.append(svg.text(moment.title, x + 5, TOP + 5, size=10, fill=shade, **halo))
        drawn.append(svg.group(parts, data_event=int(moment.time)))
    return drawn


def _markers(plot: Canvas, markers: Sequence[Marker], unit: str) -> list[str]:
    """Draw the markers; where two labels would overlap, the second one is at the left."""
    heights: list[float] = []
    drawn = []
    for marker in markers:
        y = plot.y(marker.high)
        left = any(abs(y - other) < LABEL for other in heights)
        heights += [] if left else [y]
        drawn.append(_marker(plot, marker, unit, left))
    return drawn


LABEL = 12.0
"""The height of a marker's label."""


def _marker(plot: Canvas, marker: Marker, unit: str, left: bool) -> str:
    theme = plot.frame.theme
    kind, _, dash = marker.kind.partition(" ")
    shade = {"error": theme.bad, "warning": theme.warn, "ok": theme.good}.get(kind, theme.muted)
    low, high = (plot.y(min(max(value, plot.y.low), plot.y.high)) for value in (marker.low, marker.high))
    words = marker.label or ("" if marker.low != marker.high else format_value(marker.low, unit))
    above = high - 4 if high - 4 >= TOP + 8 else high + 11  # under a line at the top
    place, anchor = (LEFT + 4, "start") if left else (plot.right - 4, "end")
    halo = {"stroke": theme.panel, "stroke_width": 3, "paint_order": "stroke", "stroke_linejoin": "round"}
    caption = svg.text(words, place, above, size=10, fill=shade, text_anchor=anchor, **halo)
    if marker.low != marker.high:
        return rect(LEFT, high, plot.right - LEFT, low - high, shade, fill_opacity=0.12) + caption
    dashes = None if dash in {"bold", "solid"} else DASHES["dashed"]
    return line(LEFT, low, plot.right, low, shade, stroke_width=1.4, stroke_dasharray=dashes) + caption


def _legend(frame: Frame, lines: Sequence[Line], count: int) -> str:
    parts = []
    right, top = frame.width - RIGHT, frame.height - len(lines) * LEGEND_ROW
    names = values_only([series.name for series in lines])
    for index, series in enumerate(lines):
        y = top + LEGEND_ROW * index + 10
        more = f"  (+{count - len(lines)} more)" if index == len(lines) - 1 and count > len(lines) else ""
        last = series.values[np.isfinite(series.values)]
        value = format_value(float(last[-1]) if last.size else None, series.unit)
        name = svg.fitted(names[index], right - LEFT - 84, 11) + more
        parts.append(rect(LEFT, y - 8, 9, 9, colour(series.style.palette, index), rx=2))
        parts.append(svg.text(name, LEFT + 14, y, size=11, fill=frame.theme.muted))
        parts.append(svg.text(value, right, y, size=11, fill=frame.theme.ink, text_anchor="end"))
    return "".join(parts)
