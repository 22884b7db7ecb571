"""Define the values of all charts, and the plot area with its axes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitoring.preview import svg
from monitoring.preview.scales import Scale, format_value, time_ticks, value_ticks
from monitoring.preview.theme import PALETTES, Theme

LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 8.0, 20.0


@dataclass(frozen=True, slots=True)
class Style:
    """The style of a widget's request: `line`, `area`, `bars` or `overlay`, and Datadog's style options."""

    display: str = "line"
    palette: str = "dog_classic"
    line_type: str = "solid"
    line_width: str = "normal"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A time series: seconds since the epoch, and values (NaN if missing)."""

    name: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    interval: int = 60
    unit: str = ""
    style: Style = Style()


@dataclass(frozen=True, slots=True)
class Row:
    """A group and its value, or its values for the columns of a table."""

    name: str
    values: tuple[float | None, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A horizontal line or band of a time series; `low` and `high` are equal for a line."""

    low: float
    high: float
    label: str = ""
    kind: str = "error dashed"


@dataclass(frozen=True, slots=True)
class Moment:
    """An event on a time axis, in seconds since the epoch."""

    time: float
    title: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of a picture: size in pixels, colours, and time range in seconds since the epoch."""

    width: float
    height: float
    theme: Theme
    start: float = 0.0
    end: float = 1.0

    def shorter(self, by: float) -> "Frame":
        """Return the same frame with a smaller height."""
        return replace(self, height=self.height - by)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A plot area: scales from time and value to pixels, and the values at which the grid is drawn."""

    frame: Frame
    x: Scale
    y: Scale
    ticks: tuple[float, ...] = ()

    @property
    def right(self) -> float:
        """The x of the right end of the plot, in pixels."""
        return self.frame.width - RIGHT


def canvas(frame: Frame, values: Sequence[float], *, from_zero: bool = True, unit: str = "") -> Canvas:
    """Return a plot area for the values; `from_zero` includes zero."""
    finite = [value for value in values if np.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if from_zero or low == high:
        low, high = min(low, 0.0), max(high, 0.0)
    tick_count = max(2, int((frame.height - TOP - BOTTOM) // 34))
    ticks = value_ticks(low, high if high > low else low + 1, tick_count, unit)
    x = Scale(frame.start, frame.end, LEFT, frame.width - RIGHT)
    return Canvas(frame, x, Scale(ticks[0], ticks[-1], frame.height - BOTTOM, TOP), tuple(ticks))


def axes(plot: Canvas, unit: str = "") -> str:
    """Draw grid lines, value labels, and times along the bottom."""
    theme = plot.frame.theme
    parts = []
    for tick in plot.ticks:
        y = plot.y(tick)
        parts.append(line(LEFT, y, plot.right, y, theme.grid))
        parts.append(label(format_value(tick, unit), LEFT - 6, y + 3.5, theme.muted, "end"))
    return "".join(parts) + time_axis(plot)


def time_axis(plot: Canvas) -> str:
    """Draw labels of round times, inside the picture."""
    frame = plot.frame
    parts = []
    for moment, words in time_ticks(frame.start, frame.end, max(2, int((frame.width - LEFT) // 70))):
        x = min(plot.x(moment), frame.width - svg.width_of(words, 10) / 2 - 1)
        style = {"fill": frame.theme.muted, "text_anchor": "middle", "data_t": int(moment)}
        parts.append(svg.text(words, x, frame.height - 5, size=10, **style))
    return "".join(parts)


def label(words: str, x: float, y: float, shade: str, anchor: str = "start") -> str:
    """Draw a small text at an axis or a mark."""
    return svg.text(words, x, y, size=10, fill=shade, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, shade: str, **attributes: object) -> str:
    """Draw a straight line."""
    ends = {"x1": float(x1), "y1": float(y1), "x2": float(x2), "y2": float(y2)}
    return svg.tag("line", **ends, stroke=shade, **attributes)


def rect(x: float, y: float, width: float, height: float, fill: str, **attributes: object) -> str:
    """Draw a filled rectangle; a negative extent counts as zero."""
    sides = {"width": max(float(width), 0.0), "height": max(float(height), 0.0)}
    return svg.tag("rect", x=float(x), y=float(y), fill=fill, **sides, **attributes)


def colour(palette: str, index: int) -> str:
    """Return the index-th colour of a palette, cyclically; an unknown palette is the classic one."""
    colours = PALETTES.get(palette, PALETTES["dog_classic"])
    return colours[index % len(colours)]


def notice(frame: Frame, words: str) -> str:
    """Draw a sentence in the middle of an empty widget."""
    lines = svg.wrapped(words, frame.width - 32, 12)[: max(1, int(frame.height // 17))]
    top = frame.height / 2 - (len(lines) - 1) * 8 + 4
    style = {"fill": frame.theme.muted, "text_anchor": "middle"}
    return "".join(svg.text(text, frame.width / 2, top + 16 * row, **style) for row, text in enumerate(lines))
