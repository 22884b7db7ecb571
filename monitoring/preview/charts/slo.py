"""Draw an SLO: status, target and error budget by window, and good and bad events over time."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitoring.preview import svg
from monitoring.preview.charts.shapes import Frame, label, line, rect
from monitoring.preview.objectives import ObjectiveWindow
from monitoring.preview.scales import format_value, plain, time_ticks
from monitoring.preview.theme import Theme
from monitoring.slo import slo_state

CARD = 104.0
HISTORY = 74.0


def objective(
    frame: Frame, seen: Sequence[ObjectiveWindow], *, budget: bool, history: bool, unit: str = ""
) -> str:
    """Draw a card for each window, side by side, and below, if there is room, the history of the first one.

    Args:
        frame: where it goes.
        seen: the objective over its windows.
        budget: whether to show the remaining error budget.
        history: whether to draw good and bad events over time.
        unit: the unit of the budget: "" for events, "second" for uptime.
    """
    under = history and frame.height >= CARD + HISTORY - 10
    height = min(frame.height, CARD + 26) if under else frame.height
    wide = frame.width / max(len(seen), 1)
    cards = [
        svg.group([_card(replace(frame, width=wide, height=height), shown, budget, unit)], wide * index)
        for index, shown in enumerate(seen)
    ]
    rules = [
        line(wide * index, 10, wide * index, height - 8, frame.theme.grid) for index in range(1, len(seen))
    ]
    if not under:
        return "".join([*cards, *rules])
    place = replace(frame, height=frame.height - height)
    return "".join([*cards, *rules, svg.group([_history(place, seen[0])], 0, height)])


def colour_of(seen: ObjectiveWindow, theme: Theme) -> str:
    """Return green, yellow or red, by target and warning; grey if there are no data."""
    if seen.target is None:
        return theme.ink
    shades = {"ok": theme.good, "warning": theme.warn, "breached": theme.bad, "no_data": theme.muted}
    return shades[slo_state(seen.sli, seen.target, seen.warning)]


def status_words(seen: ObjectiveWindow) -> str:
    """Return the SLI with as many decimals as are significant."""
    if seen.sli is None:
        return "No data"
    digits = max(seen.history.precision(seen.history.overall), 2 if seen.sli > 99 else 1)
    cut = np.floor(seen.sli * 10**digits + 1e-9) / 10**digits  # 99.996 % is not 100 %
    return f"{cut:.{digits}f}".rstrip("0").rstrip(".") + " %"


def budget_words(seen: ObjectiveWindow, unit: str) -> str:
    """Return the error budget as text: `62 % left · 310 events`, or the amount by which it is exceeded."""
    if seen.budget is None or seen.left is None:
        return "no error budget is known"
    amount = abs(seen.left)
    shown = format_value(amount, unit) if unit else f"{format_value(round(amount, 1))} events"
    if seen.left < 0:
        return f"overspent by {shown} ({plain(seen.budget)} %)"
    return f"{plain(round(seen.budget, 1))} % left · {shown}"


def _card(frame: Frame, seen: ObjectiveWindow, budget: bool, unit: str) -> str:
    theme, room = frame.theme, frame.width - 24
    middle = frame.width / 2
    words = status_words(seen)
    size = min(34.0, max(frame.height - 62, 14) * 0.8)
    while size > 13 and svg.width_of(words, size) > room:
        size *= 0.92
    style = {"text_anchor": "middle"}
    target = f"Target {plain(seen.target)} %" if seen.target is not None else "No target"
    small = frame.height < 84
    parts = [svg.text(svg.fitted(seen.title, room), middle, 18, size=12, fill=theme.muted, **style)]
    y = 26 + size
    fill = colour_of(seen, theme)
    parts.append(svg.text(words, middle, y, size=round(size), fill=fill, font_weight=600, **style))
    if not small or not budget:
        parts.append(svg.text(target, middle, y + 17, size=11, fill=theme.muted, **style))
        y += 17
    if budget and seen.budget is not None:
        parts.append(_budget(frame, seen, y + 10, unit))
    return "".join(parts)


def _budget(frame: Frame, seen: ObjectiveWindow, y: float, unit: str) -> str:
    theme, room = frame.theme, min(frame.width - 32, 220.0)
    left = (frame.width - room) / 2
    share = min(max((seen.budget or 0.0) / 100, 0.0), 1.0)
    words = svg.fitted(budget_words(seen, unit), frame.width - 16, 11)
    style = {"size": 11, "fill": theme.ink, "text_anchor": "middle"}
    back = rect(left, y, room, 5, theme.grid, rx=2.5)
    bar = rect(left, y, room * share, 5, colour_of(seen, theme), rx=2.5)
    return back + bar + svg.text(words, frame.width / 2, y + 19, **style)


def _history(frame: Frame, seen: ObjectiveWindow) -> str:
    """Draw the share of good events in each bucket as a bar: bad in red on top, corrected time hatched."""
    theme, history = frame.theme, seen.history
    left, right, top, bottom = 14.0, frame.width - 14, 6.0, frame.height - 20
    span = max(history.end - history.start, 1)

    def x(moment: float) -> float:
        return left + (min(max(moment, history.start), history.end) - history.start) / span * (right - left)

    parts = [rect(left, top, right - left, bottom - top, theme.grid, fill_opacity=0.5)]
    good, total = history.overall.numerator, history.overall.denominator
    for moment, up, every in zip(history.times.tolist(), good.tolist(), total.tolist(), strict=True):
        if not every:
            continue
        start, end = x(moment), x(moment + history.interval)
        wide = max(end - start - (1 if end - start > 3 else 0), 0.8)
        failed = (bottom - top) * min(max(1 - up / every, 0.0), 1.0)
        if 0 < failed < 3:
            failed = 3.0  # a single failure among thousands must be visible
        parts.append(rect(start, top + failed, wide, bottom - top - failed, theme.good, fill_opacity=0.75))
        if failed:
            parts.append(rect(start, top, wide, failed, theme.bad))
    for start_, end_ in history.corrections:
        parts.append(rect(x(start_), top, max(x(end_) - x(start_), 1), bottom - top, theme.muted))
    for moment, words in time_ticks(history.start, history.end, max(2, int(frame.width // 90))):
        at = min(max(x(moment), left + 14), right - 16)
        parts.append(label(words, at, frame.height - 6, theme.muted, "middle"))
    return "".join(parts)
