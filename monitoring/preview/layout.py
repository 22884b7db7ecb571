"""Compute the layout: twelve columns for an ordered dashboard, coordinates for a free one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

COLUMNS = 12
COLUMN = 112.0
ROW = 84.0
GAP = 10.0
GROUP_HEAD = 34.0
FREE_UNIT = 9.0
FARTHEST = 1000
"""The largest coordinate: a picture with a widget beyond it would need gigabytes."""
DEFAULT_SIZE = {"note": (4, 2), "free_text": (4, 1), "query_value": (2, 2), "group": (12, 1)}
USUAL_SIZE = (4, 2)


@dataclass(frozen=True, slots=True)
class Box:
    """A widget's position in pixels, and in columns and rows for a responsive page.

    `cell` is (first column, columns, first row, rows), counted from 1; None on a free board. `inside` has
    the boxes of a group, relative to the group, and `columns` is the number of its columns.
    """

    widget: Mapping[str, Any]
    path: str
    x: float
    y: float
    width: float
    height: float
    cell: tuple[int, int, int, int] | None = None
    inside: tuple["Box", ...] = ()
    columns: int = COLUMNS


@dataclass(frozen=True, slots=True)
class Layout:
    """All boxes, and the total size."""

    boxes: tuple[Box, ...]
    width: float
    height: float


def arrange(dashboard: Mapping[str, Any]) -> Layout:
    """Return the boxes of a dashboard, in reading order."""
    widgets = _objects(dashboard.get("widgets"))
    free = dashboard.get("layout_type") == "free"
    boxes = _free(widgets) if free else _ordered(widgets, "widgets", COLUMNS * COLUMN, COLUMNS)
    width = max((box.x + box.width for box in boxes), default=0.0) + GAP
    height = max((box.y + box.height for box in boxes), default=0.0) + GAP
    return Layout(tuple(boxes), max(width, 480.0 if free else COLUMNS * COLUMN + GAP), height)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _definition(widget: Mapping[str, Any]) -> Mapping[str, Any]:
    definition = widget.get("definition")
    return definition if isinstance(definition, Mapping) else {}


def _number(layout: Mapping[str, Any], key: str, otherwise: float) -> float:
    """Return a coordinate or size, at most `FARTHEST`; `otherwise` if it is not a number."""
    value = layout.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return otherwise
    number = float(max(min(value, FARTHEST), -FARTHEST))  # an integer may be too large for a float
    return otherwise if math.isnan(number) else number


def _free(widgets: Sequence[Mapping[str, Any]]) -> list[Box]:
    boxes = []
    for index, widget in enumerate(widgets):
        position = widget.get("layout")
        layout = position if isinstance(position, Mapping) else {}
        x, y = (max(_number(layout, key, 0), 0) * FREE_UNIT + GAP for key in ("x", "y"))
        width = max(_number(layout, "width", 47), 4) * FREE_UNIT
        height = max(_number(layout, "height", 15), 3) * FREE_UNIT
        boxes.append(Box(widget, f"widgets[{index}]", x, y, width, height))
    return sorted(boxes, key=lambda box: (box.y, box.x))


def _ordered(widgets: Sequence[Mapping[str, Any]], path: str, width: float, columns: int) -> list[Box]:
    """Move widgets up until they touch another one, as Datadog does."""
    column = width / columns
    floor, rows = [0.0] * columns, [1] * columns
    boxes: list[Box] = []
    half = 0
    for index, cell in _placed(widgets, columns):
        if cell.half > half:
            half, floor, rows = cell.half, [max(floor)] * columns, [max(rows)] * columns
        here, span = f"{path}[{index}]", slice(cell.x, cell.x + cell.wide)
        box_width = cell.wide * column - GAP
        inner, inside = _inside(widgets[index], here, box_width, cell.wide)
        height = _group_height(inside) if inside is not None else cell.high * ROW - GAP
        high = _bottom(inside) if inside is not None else cell.high
        top, row = max(floor[span]), max(rows[span])
        floor[span], rows[span] = [top + height + GAP] * cell.wide, [row + high] * cell.wide
        place = (cell.x + 1, cell.wide, row, high)
        left = cell.x * column + GAP
        boxes.append(
            Box(widgets[index], here, left, top + GAP, box_width, height, place, inside or (), inner)
        )
    return boxes


def _inside(
    widget: Mapping[str, Any], path: str, width: float, columns: int
) -> tuple[int, tuple[Box, ...] | None]:
    """Return the number of columns of a group, and its boxes; None for other widgets."""
    definition = _definition(widget)
    if definition.get("type") not in {"group", "powerpack"} or "widgets" not in definition:
        return columns, None
    widgets = _objects(definition["widgets"])
    columns = min(max([columns, *(_right(part) for part in widgets)]), COLUMNS)
    return columns, tuple(_ordered(widgets, f"{path}.definition.widgets", width - GAP, columns))


def _right(widget: Mapping[str, Any]) -> int:
    layout = widget.get("layout")
    return int(_number(layout, "x", 0) + _number(layout, "width", 0)) if isinstance(layout, Mapping) else 0


def _group_height(inside: Sequence[Box]) -> float:
    return GROUP_HEAD + max((box.y + box.height for box in inside), default=0.0) + GAP


def _bottom(inside: Sequence[Box]) -> int:
    """Return the number of rows of a group: those of its widgets, and one for its title."""
    return max((box.cell[2] + box.cell[3] for box in inside if box.cell), default=1)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A widget's position in the dashboard: the half, and columns and rows in it."""

    half: int
    y: float
    x: int
    wide: int
    high: int

    def overlaps(self, other: "_Cell") -> bool:
        return (
            self.half == other.half
            and self.x < other.x + other.wide
            and other.x < self.x + self.wide
            and self.y < other.y + other.high
            and other.y < self.y + self.high
        )


def _placed(widgets: Sequence[Mapping[str, Any]], columns: int) -> list[tuple[int, _Cell]]:
    """Return (index, position) from top to bottom; widgets without a layout follow one another.

    `is_column_break` starts the second half: on the right on a wide screen, below on a narrow one. Stored
    positions may overlap (y may be 0 in the middle of the list): then the later widget is put below.
    """
    cells: list[_Cell] = []
    half, floor = 0, [0.0] * columns
    for widget in widgets:
        layout = widget.get("layout")
        if isinstance(layout, Mapping) and layout.get("is_column_break") is True:
            half, floor = half + 1, [0.0] * columns
        wide, high = DEFAULT_SIZE.get(str(_definition(widget).get("type")), USUAL_SIZE)
        wide = min(wide, columns)
        if isinstance(layout, Mapping):
            cell = _given(layout, half, (wide, high), columns)
            if any(cell.overlaps(other) for other in cells):
                cell = replace(cell, y=max(floor[cell.x : cell.x + cell.wide]))
        else:
            cell = _next(cells[-1] if cells else None, floor, half, (wide, high))
        span = slice(cell.x, cell.x + cell.wide)
        floor[span] = [max(cell.y + cell.high, *floor[span], 0.0)] * cell.wide
        cells.append(cell)
    return sorted(enumerate(cells), key=lambda item: (item[1].half, item[1].y, item[1].x))


def _given(layout: Mapping[str, Any], half: int, usual: tuple[int, int], columns: int) -> _Cell:
    wide = int(min(max(_number(layout, "width", usual[0]), 1), columns))
    high = int(min(max(_number(layout, "height", usual[1]), 1), 60))
    x = int(min(max(_number(layout, "x", 0), 0), columns - wide))
    return _Cell(half, _number(layout, "y", 0), x, wide, high)


def _next(before: _Cell | None, floor: Sequence[float], half: int, size: tuple[int, int]) -> _Cell:
    """Return the position beside the preceding widget if there is space, else in a new row."""
    x = before.x + before.wide if before else len(floor)
    if before is None or x + size[0] > len(floor):
        return _Cell(half, max(floor), 0, *size)
    return _Cell(half, before.y, x, *size)
