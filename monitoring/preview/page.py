"""Render a dashboard as HTML: the same drawings in a responsive grid, in light or dark colours."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from monitoring.preview import notes, states, svg
from monitoring.preview.charts import lists
from monitoring.preview.charts.legend import as_table, readings
from monitoring.preview.charts.shapes import Frame, Line
from monitoring.preview.drawing import Drawing, own_time, time_label
from monitoring.preview.errors import UndrawableError
from monitoring.preview.failures import record
from monitoring.preview.layout import COLUMNS, Box, Layout, arrange
from monitoring.preview.links import custom_links, shown_links
from monitoring.preview.picture import BARE, GROUP_COLOURS, NOTE_COLOURS, SAMPLED, TITLE, title_of
from monitoring.preview.theme import BADGES, PAGE, style_sheet
from monitoring.preview.widgets import LISTINGS, broken_query, draw, lines_of
from monitoring.query import QueryError

POLICY = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "img-src": "data:",
    "form-action": "'none'",
    "base-uri": "'none'",
}
"""The content security policy of a page in a file: no scripts, no requests, no external resources."""
META = (
    '<meta http-equiv="Content-Security-Policy" content="'
    + "; ".join(f"{name} {value}" for name, value in POLICY.items())
    + '"><meta name="referrer" content="no-referrer">'
)
STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def document(title: str, body: str, *, head: str = "", script: str = "", policy: str = "") -> str:
    """Return a complete HTML page without external resources; `policy` is its first tag."""
    return (
        (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">{policy}'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
            f"<title>{escape(title)}</title><style>{style_sheet()}{STYLE}</style>{head}</head>"
            f"<body>{body}{f'<script>{script}</script>' if script else ''}</body></html>"
        )
        .encode(errors="replace")
        .decode()
    )  # JSON can hold half of a surrogate pair, which UTF-8 cannot


def dashboard_page(dashboard: Mapping[str, Any], drawing: Drawing) -> str:
    """Return the dashboard as one self-contained HTML file."""
    title = str(dashboard.get("title") or "Untitled")
    values = [
        f"${variable.name}: {', '.join(variable.chosen)}" for variable in drawing.data.variables.values()
    ]
    values += [SAMPLED] if drawing.data.facts.sampled else []
    chosen = f'<span class="values">{escape("   ".join(values))}</span>'
    head = f'<header class="top"><h1>{escape(title)}</h1>{chosen}</header>'
    return document(title, f"{head}<main>{dashboard_grid(dashboard, drawing)}</main>", policy=META)


def dashboard_grid(dashboard: Mapping[str, Any], drawing: Drawing) -> str:
    """Return only the HTML of the widgets."""
    layout = arrange(dashboard)
    if dashboard.get("layout_type") != "free":
        return _grid(layout.boxes, drawing)
    inside = "".join(widget(box, drawing, _share(box, layout)) for box in layout.boxes)
    size = f"aspect-ratio:{layout.width:.0f}/{layout.height:.0f};max-width:{layout.width * 1.25:.0f}px"
    return f'<div class="free" style="{size}">{inside}</div>'


def _share(box: Box, layout: Layout) -> str:
    """Return the position on a free board in percent, because a board is as wide as the window."""
    across, down = 100 / layout.width, 100 / layout.height
    return (
        f"left:{box.x * across:.2f}%;top:{box.y * down:.2f}%;"
        f"width:{box.width * across:.2f}%;height:{box.height * down:.2f}%;--natural:{box.width:.0f}"
    )


def _grid(boxes: Iterable[Box], drawing: Drawing, columns: int = COLUMNS) -> str:
    usual = "" if columns == COLUMNS else f' style="grid-template-columns:repeat({columns},minmax(0,1fr))"'
    return f'<div class="grid"{usual}>{"".join(widget(box, drawing, _cell(box)) for box in boxes)}</div>'


def _cell(box: Box) -> str:
    column, columns, row, rows = box.cell or (1, 1, 1, 1)
    return f"grid-column:{column}/span {columns};grid-row:{row}/span {rows}"


def widget(box: Box, drawing: Drawing, place: str) -> str:
    """Return a widget as an element; `place` is the style of its position."""
    definition = box.widget.get("definition")
    if not isinstance(definition, Mapping):
        return ""
    try:
        return _widget(box, definition, drawing, place)
    except Exception as error:  # noqa: BLE001 - whatever it holds, its neighbours have to be drawn
        words = escape(record(drawing.failures, definition, error))
        return f'<section class="widget" style="{place}"><p class="empty">{words}</p></section>'


def _widget(box: Box, definition: Mapping[str, Any], drawing: Drawing, place: str) -> str:
    kind = str(definition.get("type"))
    if box.inside:
        return _group(box, definition, drawing, place)
    if kind == "note":
        return _note(definition, drawing, place)
    title = "" if kind in BARE else title_of(definition, drawing)
    high = max(box.height - TITLE, 60) if box.cell else box.height - (TITLE if title else 0)
    if kind in LISTINGS or _listed_monitors(kind, definition):
        inside = f'<div class="scroll" tabindex="0" style="height:{max(high, 60):.0f}px">'
        rows = f"{inside}{_rows(kind, definition, drawing)}</div>"
        return _section(box, kind, title, drawing, rows, place)
    with_values = kind == "timeseries" and (bool(box.cell) or high > _LEGEND_ROOM * 4)
    if with_values and not box.cell:
        high -= _LEGEND_ROOM
    frame = Frame(box.width, high, PAGE, drawing.data.start, drawing.data.end)
    phone = kind not in SIDEWAYS
    picture = pictures(frame, lambda room: draw(room, definition, drawing), title or kind, phone=phone)
    if with_values:
        picture = chart(picture, frame, definition, drawing)
    return _section(box, kind, title, drawing, picture, place)


def _listed_monitors(kind: str, definition: Mapping[str, Any]) -> bool:
    return kind == "manage_status" and definition.get("display_format") != "counts"


_LEGEND_ROOM = 22.0
"""The height of a legend on a free board in pixels; a graph of less than four times this has none."""
PHONE = 400.0
"""The width of a drawing for a phone in pixels; a drawing that is not much wider is used for both."""


def pictures(frame: Frame, drawn: Callable[[Frame], str], label: str, *, phone: bool = True) -> str:
    """Return the drawing as SVG; a wide one also in the width of a phone, so that its text is legible."""

    def picture(room: Frame, looks: str | None) -> str:
        view = f"0 0 {room.width:.0f} {room.height:.0f}"
        marks = {"viewBox": view, "role": "img", "aria_label": label, "font_family": svg.FONT}
        return svg.tag("svg", drawn(room), **{"class": looks}, **marks)

    if frame.width <= PHONE * 1.3 or not phone:
        return picture(frame, None)
    narrow = replace(frame, width=PHONE, height=min(max(frame.height, 120.0), 300.0))
    return picture(frame, "desk") + picture(narrow, "phone")


def chart(picture: str, frame: Frame, definition: Mapping[str, Any], drawing: Drawing) -> str:
    """Return a drawn time series with its legend, and with its values if the page has a script."""
    own = own_time(definition, drawing).data
    room = replace(frame, start=own.start, end=own.end)
    return with_legend(picture, room, lines_of(definition, drawing), scripted=drawing.scripted)


def with_legend(picture: str, frame: Frame, lines: Sequence[Line], *, scripted: bool) -> str:
    """Return a drawing of lines with their legend; `scripted` adds their values for the page's script."""
    if not lines:
        return picture
    values = f' data-chart="{escape(readings(frame, lines), quote=True)}"' if scripted else ""
    return f'<div class="chart"{values}>{picture}{as_table(lines)}</div>'


_SCHEME = re.compile(r"\s*(?!https?:)[a-zA-Z][\w+.-]*:")
"""Matches addresses with another scheme than HTTP's, such as `javascript:`, which are not shown."""
SIDEWAYS = frozenset({"query_table"})
"""Wide widgets with columns, which scroll horizontally on a phone."""
ROWS = {**LISTINGS, "manage_status": states.monitor_list}
BESIDE = frozenset({"query_value", "alert_value", "check_status", "free_text"})
"""Small widgets that are legible at half of a phone's width."""


def _section(box: Box, kind: str, title: str, drawing: Drawing, inner: str, place: str) -> str:
    """Return a widget's frame and title around its content."""
    definition = box.widget["definition"]
    span = time_label(definition, drawing)
    label = f'<span class="span">{escape(span)}</span>' if span else ""
    level = "" if box.path.count("widgets[") > 1 else ' aria-level="2"'  # below a group's, or the page's own
    heading = f'<h3 title="{escape(title, quote=True)}"{level}>{label}{escape(title)}</h3>' if title else ""
    looks = " small" if box.cell and box.cell[1] <= 3 and kind in BESIDE else ""
    looks += " free_text" if kind == "free_text" else ""
    marks = f'data-path="{escape(box.path)}" data-type="{escape(kind)}"'
    opening = f'<section class="widget{looks}" tabindex="0" {marks} style="{place}">'
    return f"{opening}{heading}{_links(definition, drawing)}{inner}</section>"


def _links(definition: Mapping[str, Any], drawing: Drawing) -> str:
    """Return a widget's custom links as an expandable list; "" if it has none."""
    rows = "".join(
        f'<li><a href="{escape(address, quote=True)}">{escape(label)}</a></li>'
        for label, address in custom_links(definition, drawing)
        if not _SCHEME.match(address)
    )
    return f'<details class="links"><summary>Links</summary><ul>{rows}</ul></details>' if rows else ""


def _rows(kind: str, definition: Mapping[str, Any], drawing: Drawing) -> str:
    """Return a list as an HTML table, or the reason why there is none."""
    frame = Frame(400, 120, PAGE)
    within = own_time(definition, drawing)
    try:
        above = _counts(definition, within) if kind == "manage_status" else ""
        return above + lists.as_html(ROWS[kind](definition, within))
    except UndrawableError as error:
        return f'<p class="empty">{escape(str(error))}</p>'
    except QueryError as error:
        return svg.tag("svg", broken_query(frame, error), viewBox="0 0 400 120", role="img")


def _counts(definition: Mapping[str, Any], drawing: Drawing) -> str:
    """Return the numbers of monitors by state, as blocks above their list."""
    counts = states.monitor_counts(definition, drawing)
    blocks = ""
    as_text = definition.get("color_preference") == "text"
    for name, count in counts.items():
        state = name if count else ""
        look = f"color:{lists.shade(state, PAGE)}" if as_text else f"background:{BADGES[state.lower()]}"
        blocks += f'<span style="{look}"><b>{count}</b>{name}</span>'
    text = " text" if as_text else ""
    return f'<div class="counts{text}">{blocks}</div>' if blocks else ""


def _note(definition: Mapping[str, Any], drawing: Drawing, place: str) -> str:
    colour = NOTE_COLOURS.get(str(definition.get("background_color")), "var(--edge)")
    text = notes.as_html(shown_links(str(definition.get("content") or ""), drawing.address))
    marks = f'class="widget note" tabindex="0" style="{place};border-left-color:{colour}"'
    return f"<section {marks}>{text}</section>"


def _group(box: Box, definition: Mapping[str, Any], drawing: Drawing, place: str) -> str:
    colour = GROUP_COLOURS.get(str(definition.get("background_color")), GROUP_COLOURS["gray"])
    title = escape(title_of(definition, drawing))
    heading = f'<h2 style="background:{colour}">{title}</h2>'
    inside = _grid(box.inside, drawing, box.columns)
    return f'<section class="group" style="{place}">{heading}{inside}</section>'
