"""Draw states as coloured blocks: the status of a check, numbers of monitors by state."""

from collections.abc import Mapping, Sequence

from monitoring.preview import svg
from monitoring.preview.charts.lists import shade
from monitoring.preview.charts.shapes import Frame, rect

WHITE = "#ffffff"


def one_state(frame: Frame, state: str, under: str) -> str:
    """Draw one state over the whole widget, and a line of text under it."""
    size = min(frame.height * 0.3, 34.0)
    while size > 12 and svg.width_of(state, size) > frame.width - 24:
        size *= 0.92
    back = rect(0, 0, frame.width, frame.height, filled(state, frame))
    middle, y = frame.width / 2, frame.height / 2
    style = {"fill": WHITE, "text_anchor": "middle"}
    first = svg.text(state, middle, y + size * 0.2, size=round(size), font_weight=600, **style)
    second = svg.text(svg.fitted(under, frame.width - 20, 11), middle, y + size * 0.2 + 20, size=11, **style)
    return back + first + (second if frame.height > 54 else "")


def filled(state: str, frame: Frame) -> str:
    """Return the background colour for white text."""
    return frame.theme.badges.get(state.lower(), frame.theme.badges[""])


def counts(frame: Frame, numbers: Mapping[str, int], *, background: bool = True) -> str:
    """Draw a block for each state with its count."""
    shown = list(numbers.items())
    wide = (frame.width - 12) / max(len(shown), 1)
    parts = []
    size = min(frame.height * 0.42, 30.0)
    for index, (state, count) in enumerate(shown):
        left = 6 + wide * index
        state_of = state if count else ""
        ink = WHITE if background else shade(state_of, frame.theme)
        if background:
            parts.append(rect(left + 2, 6, wide - 4, frame.height - 12, filled(state_of, frame), rx=4))
        middle, y = left + wide / 2, frame.height / 2
        style = {"fill": ink, "text_anchor": "middle"}
        parts.append(
            svg.text(str(count), middle, y + size * 0.18, size=round(size), font_weight=600, **style)
        )
        parts.append(
            svg.text(svg.fitted(state, wide - 8, 11), middle, y + size * 0.18 + 16, size=11, **style)
        )
    return "".join(parts)


def ordered(states: Sequence[str], order: Sequence[str]) -> dict[str, int]:
    """Return state -> number of occurrences, in the given order."""
    return {name: states.count(name) for name in order}
