"""Draw single values by group: query values, top lists, tables, changes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitoring.preview import svg
from monitoring.preview.charts.names import values_only
from monitoring.preview.charts.shapes import Frame, Row, colour, label, notice, rect
from monitoring.preview.scales import format_value

Paint = Callable[[float | None], tuple[str, str]]
"""Value -> (background colour, text colour), by a widget's conditional formats."""

ROW = 22.0
PAD = 10.0


def query_value(
    frame: Frame,
    value: float | None,
    unit: str,
    paint: Paint,
    precision: int | None = None,
    custom: str = "",
    align: str = "center",
) -> str:
    """Draw one number as large as possible, on the colour of its conditional format."""
    background, ink = paint(value)
    known = value is not None and math.isfinite(value)
    words = format_value(value, unit, precision) + (f" {custom}" if custom and known else "")
    size = min(frame.height * 0.45, 56.0)
    while size > 12 and svg.width_of(words, size) > frame.width - 24:
        size *= 0.92
    back = rect(0, 0, frame.width, frame.height, background)
    shown = svg.text(
        words,
        {"left": 14.0, "right": frame.width - 14}.get(align, frame.width / 2),
        frame.height / 2 + size * 0.36,
        size=round(size),
        fill=ink,
        text_anchor={"left": "start", "right": "end"}.get(align, "middle"),
    )
    return back + shown


def top_list(frame: Frame, rows: Sequence[Row], paint: Paint) -> str:
    """Draw groups by value, the largest first, each over a bar of proportional length."""
    if not rows:
        return notice(frame, "No data in this time")
    most = max((abs(row.values[0] or 0.0) for row in rows), default=0.0) or 1.0
    shown = rows[: _fitting(frame)]
    parts = []
    names = values_only([row.name for row in rows])
    for index, (row, name) in enumerate(zip(shown, names, strict=False)):
        y = 6 + ROW * index
        value = row.values[0]
        background, ink = paint(value)
        bar = colour("dog_classic", 0) if background == frame.theme.panel else background
        length = max((abs(value or 0.0) / most) * (frame.width - 2 * PAD), 1.0)
        parts.append(rect(PAD, y, length, ROW - 4, bar, fill_opacity=0.3, rx=3))
        number = format_value(value, row.unit)
        room = frame.width - 3 * PAD - svg.width_of(number)
        words = svg.text(svg.fitted(name, room), PAD + 6, y + 13, fill=frame.theme.ink)
        parts.append(svg.group([svg.title(row.name), words]))
        style = {"fill": frame.theme.ink if background != frame.theme.panel else ink, "text_anchor": "end"}
        parts.append(svg.text(number, frame.width - PAD, y + 13, font_weight=600, **style))
    return "".join(parts) + _more(frame, len(rows) - len(shown))


def _fitting(frame: Frame, head: float = 0.0) -> int:
    return max(1, int((frame.height - head - 10) // ROW))


def _more(frame: Frame, count: int) -> str:
    if count <= 0:
        return ""
    return label(f"{count} more", frame.width - PAD, frame.height - 3, frame.theme.muted, "end")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, its unit, and the colours of its values."""

    name: str
    unit: str = ""
    paint: Paint | None = None


def table(frame: Frame, keys: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Draw a table: one row for each group, one column for each value."""
    if not rows:
        return notice(frame, "No data in this time")
    first = frame.width * (0.45 if len(columns) > 1 else 0.6)
    wide = (frame.width - first - PAD) / max(len(columns), 1)
    parts = [svg.text(svg.fitted(keys, first - PAD, 11), PAD, 15, size=11, fill=frame.theme.muted)]
    for index, column in enumerate(columns):
        style = {"fill": frame.theme.muted, "text_anchor": "end"}
        name = svg.fitted(column.name, wide - 8, 11)
        parts.append(svg.text(name, first + wide * (index + 1), 15, size=11, **style))
    shown = rows[: _fitting(frame, 18)]
    for line_number, row in enumerate(shown):
        parts.append(_table_row(frame, row, columns, 20 + ROW * line_number, (first, wide)))
    return "".join(parts) + _more(frame, len(rows) - len(shown))


def _table_row(
    frame: Frame, row: Row, columns: Sequence[Column], y: float, widths: tuple[float, float]
) -> str:
    first, wide = widths
    parts = [rect(PAD, y, frame.width - 2 * PAD, 1, frame.theme.grid)]
    parts.append(svg.text(svg.fitted(row.name, first - PAD), PAD, y + 16, fill=frame.theme.ink))
    for index, (column, value) in enumerate(zip(columns, row.values, strict=False)):
        background, ink = column.paint(value) if column.paint else (frame.theme.panel, frame.theme.ink)
        right = first + wide * (index + 1)
        if background != frame.theme.panel:
            parts.append(rect(right - wide + 6, y + 2, wide - 2, ROW - 3, background, rx=3))
        number = svg.fitted(format_value(value, column.unit), wide - 6)
        parts.append(svg.text(number, right, y + 16, fill=ink, text_anchor="end"))
    return "".join(parts)


Moved = tuple[str, float | None, float | None]
"""(group, value before, value now)."""


def change(frame: Frame, rows: Sequence[Moved], unit: str, *, good_up: bool) -> str:
    """Draw what has changed, by how much, and whether the change is good."""
    if not rows:
        return notice(frame, "No data in this time")
    parts = []
    names = values_only([row[0] for row in rows])
    for index, (_, before, now) in enumerate(rows[: _fitting(frame)]):
        name = names[index]
        y = 6 + ROW * index
        words, direction = _movement(before, now, unit)
        shades = {0: frame.theme.muted, 1: frame.theme.good, -1: frame.theme.bad}
        shade = shades[direction if good_up else -direction]
        room = frame.width - 3 * PAD - svg.width_of(words)
        parts.append(svg.text(svg.fitted(name, room), PAD, y + 13, fill=frame.theme.ink))
        parts.append(svg.text(words, frame.width - PAD, y + 13, fill=shade, text_anchor="end"))
    return "".join(parts)


def _movement(before: float | None, now: float | None, unit: str) -> tuple[str, int]:
    """Return a change as text, `12 ▲ 2 (+20 %)`, and its direction (0 if a value is missing)."""
    shown = format_value(now, unit)
    if before is None or now is None or now == before:
        return shown, 0
    up = now > before
    share = f" ({(now - before) / abs(before) * 100:+.0f} %)" if before else ""
    return f"{shown}  {'▲' if up else '▼'} {format_value(abs(now - before), unit)}{share}", 1 if up else -1
