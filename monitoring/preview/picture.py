"""Draw a dashboard as one picture, as SVG or PNG, without a browser."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from monitoring.preview import svg
from monitoring.preview.charts.shapes import Frame, notice, rect
from monitoring.preview.data import Data
from monitoring.preview.drawing import Drawing, identity, time_label
from monitoring.preview.failures import record
from monitoring.preview.layout import GAP, GROUP_HEAD, Box, Layout, arrange
from monitoring.preview.monitors import Monitors
from monitoring.preview.theme import LIGHT, Theme
from monitoring.preview.variables import put_in, variables_of
from monitoring.preview.widgets import draw

TITLE = 26.0
SAMPLED = "Sample data: nothing here was measured"
HEAD = 58.0
BARE = frozenset({"note", "free_text", "image", "iframe"})
"""Widget types without a title line."""

GROUP_COLOURS = {
    "vivid_blue": "#3374cd",
    "vivid_purple": "#7d4fc4",
    "vivid_pink": "#c04b77",
    "vivid_orange": "#ac622e",
    "vivid_yellow": "#9f691a",
    "vivid_green": "#238370",
    "blue": "#5476a3",
    "purple": "#7a6aa5",
    "pink": "#98667d",
    "orange": "#956b4d",
    "yellow": "#817448",
    "green": "#4b7f6f",
    "gray": "#6b7280",
    "white": "#6d757f",
}
NOTE_COLOURS = {
    "yellow": "#b7791f",
    "blue": "#3578d4",
    "pink": "#c94f7c",
    "green": "#2ca58d",
    "purple": "#7d4fc4",
}


def as_svg(
    dashboard: Mapping[str, Any],
    data: Data,
    theme: Theme = LIGHT,
    monitors: Monitors | None = None,
    progress: Callable[[], None] = lambda: None,
) -> str:
    """Return the dashboard over these data as an SVG file; `progress` is called after each widget."""
    return picture_of(dashboard, prepared(dashboard, data, monitors), theme, progress)


def picture_of(
    dashboard: Mapping[str, Any], drawing: Drawing, theme: Theme, progress: Callable[[], None] = lambda: None
) -> str:
    """Return the dashboard as an SVG file; `progress` is called after each widget.

    Widgets whose `identity` is in `drawing.marked` get a frame.
    """
    layout = arrange(dashboard)
    parts = [_header(dashboard, drawing, layout, theme)]
    for box in layout.boxes:
        parts.append(svg.group([panel(box, drawing, theme)], box.x, box.y + HEAD))
        progress()
    return svg.document("".join(parts), layout.width, layout.height + HEAD, theme.page)


def as_png(picture: str, scale: float = 1.0) -> bytes:
    """Return an SVG file as PNG, with packaged fonts, because a build machine often has none."""
    import fontpkg_arimo as sans  # its letters are as wide as Arial's, which `svg.width_of` estimates
    import fontpkg_roboto_mono as mono
    import resvg_py

    png: bytes = resvg_py.svg_to_bytes(
        svg_string=picture,
        zoom=scale,
        font_files=[str(path) for font in (sans, mono) for path in (font.ROOT / "files").glob("*.ttf")],
        font_family=sans.FAMILY,
        sans_serif_family=sans.FAMILY,
        monospace_family=mono.FAMILY,
    )
    return png


def prepared(
    dashboard: Mapping[str, Any],
    data: Data,
    monitors: Monitors | None = None,
    chosen: Mapping[str, list[str]] | None = None,
) -> Drawing:
    """Return the data with the dashboard's template variables filled in."""
    variables = variables_of(dashboard, chosen or {})
    return Drawing(replace(data, variables=variables), monitors or Monitors())


def panel(box: Box, drawing: Drawing, theme: Theme) -> str:
    """Draw a widget with its frame and title, at the origin."""
    definition = _definition(box)
    try:
        return _panel(box, definition, drawing, theme)
    except Exception as error:  # noqa: BLE001 - whatever it holds, its neighbours have to be drawn
        words = record(drawing.failures, definition, error)
        back = rect(0, 0, box.width, box.height, theme.panel, stroke=theme.edge, rx=4)
        return back + notice(Frame(box.width, box.height, theme), words)


def _panel(box: Box, definition: Mapping[str, Any], drawing: Drawing, theme: Theme) -> str:
    inside = _group if box.inside else _widget
    mark = identity(definition) in drawing.marked
    size = (1.5, 1.5, box.width - 3, box.height - 3)
    frame = rect(*size, "none", stroke=theme.link, stroke_width=3, rx=4, data_mark="changed") if mark else ""
    return inside(box, definition, drawing, theme) + frame


def _widget(box: Box, definition: Mapping[str, Any], drawing: Drawing, theme: Theme) -> str:
    kind = str(definition.get("type"))
    title = "" if kind in BARE else title_of(definition, drawing)
    head = TITLE if title else 0.0
    frame = Frame(box.width, box.height - head, theme, drawing.data.start, drawing.data.end)
    back = rect(0, 0, box.width, box.height, theme.panel, stroke=theme.edge, rx=4)
    if kind == "free_text":
        back = ""
    if kind == "note":
        stripe = NOTE_COLOURS.get(str(definition.get("background_color")))
        back += rect(0, 0, 3, box.height, stripe, rx=1) if stripe else ""
    span = time_label(definition, drawing)
    words = svg.fitted(title, box.width - 24 - (svg.width_of(span, 11) + 8 if span else 0), 13)
    shown = svg.text(words, 12, 18, size=13, font_weight=600, fill=theme.ink) if title else ""
    style = {"size": 11, "fill": theme.muted, "text_anchor": "end"}
    shown += svg.text(span, box.width - 12, 18, **style) if title and span else ""
    return back + svg.group([draw(frame, definition, drawing)], 0, head) + shown


def title_of(definition: Mapping[str, Any], drawing: Drawing) -> str:
    """Return the widget's title with template variables filled in."""
    return put_in(str(definition.get("title") or ""), drawing.data.variables)


def _definition(box: Box) -> Mapping[str, Any]:
    definition = box.widget.get("definition")
    return definition if isinstance(definition, Mapping) else {}


def _group(box: Box, definition: Mapping[str, Any], drawing: Drawing, theme: Theme) -> str:
    shade = GROUP_COLOURS.get(str(definition.get("background_color")), GROUP_COLOURS["gray"])
    title = svg.fitted(title_of(definition, drawing), box.width - 24, 14)
    back = rect(0, 0, box.width, box.height, theme.panel, stroke=theme.edge, rx=4, fill_opacity=0.55)
    head = rect(0, 0, box.width, GROUP_HEAD - 4, shade, rx=4)
    words = svg.text(title, 12, 20, size=14, font_weight=600, fill="#ffffff")
    inside = (
        svg.group([panel(part, drawing, theme)], part.x, part.y + GROUP_HEAD - 4) for part in box.inside
    )
    return back + head + words + "".join(inside)


def _header(dashboard: Mapping[str, Any], drawing: Drawing, layout: Layout, theme: Theme) -> str:
    title = svg.fitted(str(dashboard.get("title") or "Untitled"), layout.width - 24, 20)
    values = [
        f"${variable.name}: {', '.join(variable.chosen)}" for variable in drawing.data.variables.values()
    ]
    values += [SAMPLED] if drawing.data.facts.sampled else []
    under = svg.fitted("   ".join(values), layout.width - 24)
    first = svg.text(title, GAP, 28, size=20, font_weight=600, fill=theme.ink)
    return first + svg.text(under, GAP, 48, fill=theme.muted)


def side_by_side(before: str | None, after: str, theme: Theme) -> str:
    """Return two SVG files side by side, headed `before` and `after`; None: the dashboard is new."""
    pictures = [("before", before), ("after", after)] if before else [("new", after)]
    parts, x, height = [], 0.0, 0.0
    for name, picture in pictures:
        wide, high = _size(picture or "")
        label = svg.text(name, x + GAP, 22, size=16, font_weight=600, fill=theme.muted)
        parts.append(label + svg.group([picture or ""], x, 30))
        x, height = x + wide + 2 * GAP, max(height, high + 30)
    return svg.document("".join(parts), x - 2 * GAP, height, theme.page)


def _size(picture: str) -> tuple[float, float]:
    match = re.search(r'width="(\d+)" height="(\d+)" viewBox', picture)
    return (float(match[1]), float(match[2])) if match else (0.0, 0.0)
