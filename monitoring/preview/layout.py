"""Where each widget goes: twelve columns for an ordered dashboard, free coordinates for a free one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = 12
COLUMN = 112.0
ROW = 84.0
GAP = 10.0
GROUP_HEAD = 34.0
FREE_UNIT = 9.0
DEFAULT_SIZE = {"note": (4, 2), "free_text": (4, 1), "query_value": (2, 2), "group": (12, 1)}
USUAL_SIZE = (4, 2)


@dataclass(frozen=True, slots=True)
class Box:
    """A widget's place in pixels, and in columns and rows for a page that can rearrange them.

    `inside` holds the boxes of a group, relative to the group.
    """

    widget: Mapping[str, Any]
    path: str
    x: float
    y: float
    width: float
    height: float
    columns: int
    inside: tuple["Box", ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """All boxes, and the size of the whole."""

    boxes: tuple[Box, ...]
    width: float
    height: float


def arrange(dashboard: Mapping[str, Any]) -> Layout:
    """The boxes of a dashboard, in reading order."""
    widgets = _objects(dashboard.get("widgets"))
    free = dashboard.get("layout_type") == "free"
    boxes = _free(widgets) if free else _ordered(widgets, "widgets", COLUMNS * COLUMN)
    width = max((box.x + box.width for box in boxes), default=0.0) + GAP
    height = max((box.y + box.height for box in boxes), default=0.0) + GAP
    return Layout(tuple(boxes), max(width, 480.0 if free else COLUMNS * COLUMN + GAP), height)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _definition(widget: Mapping[str, Any]) -> Mapping[str, Any]:
    found = widget.get("definition")
    return found if isinstance(found, Mapping) else {}


def _number(layout: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = layout.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise


def _free(widgets: Sequence[Mapping[str, Any]]) -> list[Box]:
    boxes = []
    for index, widget in enumerate(widgets):
        given = widget.get("layout")
        layout = given if isinstance(given, Mapping) else {}
        x, y = (max(_number(layout, key, 0), 0) * FREE_UNIT + GAP for key in ("x", "y"))
        width = max(_number(layout, "width", 47), 4) * FREE_UNIT
        height = max(_number(layout, "height", 15), 3) * FREE_UNIT
        boxes.append(Box(widget, f"widgets[{index}]", x, y, width, height, 4))
    return sorted(boxes, key=lambda box: (box.y, box.x))


def _ordered(widgets: Sequence[Mapping[str, Any]], path: str, width: float) -> list[Box]:
    """Widgets fall upwards until they meet another one, as Datadog packs them."""
    column = width / COLUMNS
    floor = [0.0] * COLUMNS
    boxes: list[Box] = []
    for index, widget, (x, wide, high) in _placed(widgets):
        box_width = wide * column - GAP
        inside = _inside(widget, f"{path}[{index}]", box_width)
        height = _group_height(inside) if inside is not None else high * ROW - GAP
        top = max(floor[x : x + wide])
        floor[x : x + wide] = [top + height + GAP] * wide
        left = x * column + GAP
        boxes.append(Box(widget, f"{path}[{index}]", left, top + GAP, box_width, height, wide, inside or ()))
    return boxes


def _inside(widget: Mapping[str, Any], path: str, width: float) -> tuple[Box, ...] | None:
    """The boxes of a group's widgets; None for what is no group."""
    definition = _definition(widget)
    if definition.get("type") not in {"group", "powerpack"} or "widgets" not in definition:
        return None
    return tuple(_ordered(_objects(definition["widgets"]), f"{path}.definition.widgets", width - GAP))


def _group_height(inside: Sequence[Box]) -> float:
    return GROUP_HEAD + max((box.y + box.height for box in inside), default=0.0) + GAP


Place = tuple[int, Mapping[str, Any], tuple[int, int, int]]


def _placed(widgets: Sequence[Mapping[str, Any]]) -> list[Place]:
    """(index, widget, (column, columns, rows)) from top to bottom; without a layout, one after the other."""
    places: list[tuple[float, float, Place]] = []
    cursor_x, cursor_y = 0, 0.0
    for index, widget in enumerate(widgets):
        given = widget.get("layout")
        kind = str(_definition(widget).get("type"))
        wide, high = DEFAULT_SIZE.get(kind, USUAL_SIZE)
        if isinstance(given, Mapping):
            wide = int(min(max(_number(given, "width", wide), 1), COLUMNS))
            high = int(min(max(_number(given, "height", high), 1), 60))
            x, y = int(min(max(_number(given, "x", 0), 0), COLUMNS - wide)), _number(given, "y", 0)
        else:
            if cursor_x + wide > COLUMNS:
                cursor_x, cursor_y = 0, cursor_y + 1000.0
            x, y = cursor_x, cursor_y
            cursor_x += wide
        places.append((y, float(x), (index, widget, (x, wide, high))))
    return [place for _, _, place in sorted(places, key=lambda one: one[:2])]
