"""layout: widgets of an ordered dashboard that overlap or reach over its 12 columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.resources.sites import Widget

RULE = Rule("layout", "warning", "Widgets overlap, or reach over the 12 columns.", ("dashboard",))

_COLUMNS = 12
_KEYS = ("x", "y", "width", "height")
_WHOLE = frozenset({int, bool})


def check(subject: Subject) -> Iterator[Problem]:
    """Find widgets that overlap an earlier one of their group, or are too far to the right.

    `is_column_break` starts the right half of a wide screen: rows are counted from 0 again there. Datadog
    stores 0 as the row of widgets that it moves below others, so only an overlap further down is somebody's.
    """
    if subject.body.get("layout_type") != "ordered":
        return
    groups: dict[tuple[Sequence[Any], int], list[tuple[Widget, Mapping[str, int]]]] = {}
    half = 0
    for widget in subject.widgets:
        layout = widget.layout
        if layout is not None and _WHOLE.issuperset(map(type, map(layout.get, _KEYS))):
            half += layout.get("is_column_break") is True
            groups.setdefault((widget.pointer[:-2], half), []).append((widget, layout))
    for members in groups.values():
        yield from _group(members)


def _group(members: list[tuple[Widget, Mapping[str, int]]]) -> Iterator[Problem]:
    for index, (widget, layout) in enumerate(members):
        place = (*widget.pointer[:-1], "layout")
        right = layout["x"] + layout["width"]
        if right > _COLUMNS:
            yield Problem(place, f"the widget ends at column {right} of {_COLUMNS}. Make it narrower")
        for other, beside in members[:index]:
            if layout["y"] and _overlap(layout, beside):
                text = f"the widget overlaps widget {other.pointer[-2]} of the same group. Move one"
                yield Problem(place, text)
                break


def _overlap(first: Mapping[str, int], other: Mapping[str, int]) -> bool:
    beside = first["x"] >= other["x"] + other["width"] or other["x"] >= first["x"] + first["width"]
    return (
        not beside and first["y"] < other["y"] + other["height"] and other["y"] < first["y"] + first["height"]
    )
