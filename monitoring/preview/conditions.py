"""Evaluate conditional formats and markers."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monitoring.preview.charts.shapes import Marker
from monitoring.preview.charts.values import Paint
from monitoring.preview.theme import Theme, conditional

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_NUMBER = r"(-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_LINE = re.compile(rf"\s*y\s*(?P<op>[<>]?=?)\s*{_NUMBER}\s*", re.IGNORECASE)
_BAND = re.compile(rf"\s*{_NUMBER}\s*<=?\s*y\s*<=?\s*{_NUMBER}\s*", re.IGNORECASE)


def painter(formats: Any, theme: Theme) -> Paint:
    """Return a function from a value to the colours of the first conditional format that matches it."""
    rules = [rule for rule in formats if isinstance(rule, Mapping)] if isinstance(formats, list) else []

    def paint(value: float | None) -> tuple[str, str]:
        for rule in rules:
            compare = COMPARE.get(str(rule.get("comparator")))
            if value is not None and compare and compare(value, float(rule.get("value") or 0)):
                return conditional(str(rule.get("palette")), theme)
        return theme.panel, theme.ink

    return paint


def markers(definitions: Any) -> list[Marker]:
    """Convert `y = 5`, `y > 5` and `2 < y < 5` to lines and bands; others are left out."""
    markers_drawn = []
    for definition in definitions if isinstance(definitions, list) else []:
        text = str(definition.get("value")) if isinstance(definition, Mapping) else ""
        label, kind = (
            (str(definition.get(key) or "") for key in ("label", "display_type")) if text else ("", "")
        )
        if band := _BAND.fullmatch(text):
            markers_drawn.append(Marker(float(band[1]), float(band[2]), label, kind or "ok"))
        elif line := _LINE.fullmatch(text):
            markers_drawn.append(Marker(float(line[2]), float(line[2]), label, kind or "error dashed"))
    return markers_drawn


def bounds(axis: Any) -> tuple[float | None, float | None]:
    """Return the minimum and the maximum that a widget's value axis has to include."""
    options = axis if isinstance(axis, Mapping) else {}
    return _bound(options.get("min")), _bound(options.get("max"))


def _bound(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None  # `auto`


def formats_of(requests: Sequence[Mapping[str, Any]]) -> Any:
    """Return a widget's conditional formats, from the request or from its first formula."""
    for request in requests:
        if request.get("conditional_formats"):
            return request["conditional_formats"]
        for formula in request.get("formulas") or []:
            if isinstance(formula, Mapping) and formula.get("conditional_formats"):
                return formula["conditional_formats"]
    return []
