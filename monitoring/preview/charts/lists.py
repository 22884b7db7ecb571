"""Draw lists of logs, events, spans and monitors: rows of text with a state, as a picture or as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from monitoring.preview import svg
from monitoring.preview.charts.shapes import Frame, label, notice, rect
from monitoring.preview.theme import Theme

HEAD = 22.0
ROW = 21.0
PAD = 10.0

GOOD = frozenset({"ok", "success", "resolved"})
WARN = frozenset({"warn", "warning", "unknown"})
BAD = frozenset({"error", "err", "critical", "crit", "emergency", "emerg", "alert", "fatal", "breached"})
INFO = frozenset({"info", "notice", "information", "user_update"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and its width in pixels; columns with 0 share the remaining width.

    If there is too little space, columns with the highest `spare` are left out first; those with 0 never.
    """

    name: str
    width: float = 0.0
    right: bool = False
    spare: int = 0


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row: its cells, its state (the colour of its edge), and the index of the cell in this colour."""

    cells: tuple[str, ...]
    state: str = ""
    coloured: int = -1


@dataclass(frozen=True, slots=True)
class Listing:
    """Columns, rows, and the text for an empty list; `more` is the number of rows left out."""

    columns: tuple[Column, ...]
    entries: tuple[ListRow, ...]
    empty: str
    more: int = 0


def shade(state: str, theme: Theme) -> str:
    """Return the colour of a log status, an event type, or the state of a monitor or an SLO."""
    name = state.lower()
    for names, colour in ((GOOD, theme.good), (WARN, theme.warn), (BAD, theme.bad), (INFO, theme.link)):
        if name in names:
            return colour
    return theme.muted


def as_picture(frame: Frame, listing: Listing) -> str:
    """Draw as many rows as fit, one line each."""
    if not listing.entries:
        return notice(frame, listing.empty)
    theme = frame.theme
    listing = fitting(listing, frame.width - 2 * PAD - 8)
    places = _places(listing.columns, frame.width - 2 * PAD - 8)
    parts = [
        _cell(column.name, place, 15, theme.muted, column.right, 11)
        for column, place in zip(listing.columns, places, strict=True)
    ]
    room = max(1, int((frame.height - HEAD - 6) // ROW))
    shown = listing.entries[:room]
    for line, entry in enumerate(shown):
        y = HEAD + ROW * line
        parts.append(rect(PAD, y, frame.width - 2 * PAD, 1, theme.grid))
        parts.append(rect(PAD, y + 3, 3, ROW - 5, shade(entry.state, theme), rx=1))
        for index, (words, column, place) in enumerate(
            zip(entry.cells, listing.columns, places, strict=False)
        ):
            ink = shade(entry.state, theme) if index == entry.coloured else theme.ink
            parts.append(_cell(words, place, y + 15, ink, column.right, 12))
    more = len(listing.entries) - len(shown) + listing.more
    if more:
        parts.append(label(f"{more} more", frame.width - PAD, frame.height - 3, theme.muted, "end"))
    return "".join(parts)


LEAST = 130.0
"""The minimum width of a column that shares the remaining width."""


def fitting(listing: Listing, room: float) -> Listing:
    """Return the listing, without optional columns if the others would not fit."""
    kept = list(range(len(listing.columns)))

    def wide() -> float:
        return sum(listing.columns[at].width or LEAST for at in kept)

    for at in sorted(kept, key=lambda at: -listing.columns[at].spare):
        if listing.columns[at].spare and wide() > room:
            kept.remove(at)
    if len(kept) == len(listing.columns):
        return listing
    entries = tuple(
        ListRow(
            tuple(entry.cells[at] for at in kept),
            entry.state,
            kept.index(entry.coloured) if entry.coloured in kept else -1,
        )
        for entry in listing.entries
    )
    return Listing(tuple(listing.columns[at] for at in kept), entries, listing.empty, listing.more)


Place = tuple[float, float]


def _places(columns: Sequence[Column], room: float) -> list[Place]:
    """Return (left, width) of every column; fixed columns take at most two thirds of the width."""
    fixed = sum(column.width for column in columns)
    flexible = sum(not column.width for column in columns)
    squeeze = min(1.0, (room * (0.62 if flexible else 1.0)) / fixed) if fixed else 1.0
    rest = (room - fixed * squeeze) / max(flexible, 1)
    places, left = [], PAD + 8
    for column in columns:
        width = column.width * squeeze or rest
        places.append((left, width))
        left += width
    return places


def _cell(words: str, place: Place, y: float, ink: str, right: bool, size: float) -> str:
    left, width = place
    fitted = svg.fitted(words.split("\n", 1)[0], width - 8, size)
    if right:
        return svg.text(fitted, left + width - 8, y, size=size, fill=ink, text_anchor="end")
    return svg.text(fitted, left, y, size=size, fill=ink)


def as_html(listing: Listing) -> str:
    """Return the rows as a scrollable HTML table that also fits a phone."""
    if not listing.entries:
        return f'<p class="empty">{escape(listing.empty)}</p>'
    heads = "".join(
        f"<th{' class=right' if column.right else ''}>{escape(column.name)}</th>"
        for column in listing.columns
    )
    rows = "".join(_row(column, listing.columns) for column in listing.entries)
    more = f'<p class="empty">{listing.more} more</p>' if listing.more else ""
    return f'<table class="rows"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}'


def _row(entry: ListRow, columns: Sequence[Column]) -> str:
    cells = "".join(
        f"<td{_class(index, entry, column)}>{escape(words)}</td>"
        for index, (words, column) in enumerate(zip(entry.cells, columns, strict=False))
    )
    return f'<tr class="is-{kind_of(entry.state)}">{cells}</tr>'


def _class(index: int, entry: ListRow, column: Column) -> str:
    names = [*(["right"] if column.right else []), *(["ink"] if index == entry.coloured else [])]
    names += ["short"] if column.width else []
    return f' class="{" ".join(names)}"' if names else ""


def kind_of(state: str) -> str:
    """Return the CSS class of a state: good, warn, bad, info or none."""
    name = state.lower()
    kinds = ((GOOD, "good"), (WARN, "warn"), (BAD, "bad"), (INFO, "info"))
    return next((kind for names, kind in kinds if name in names), "none")
