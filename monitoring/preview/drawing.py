"""Define the context of a widget's drawing, and read the keys that all widget types share."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitoring.preview.calendar import calendar_start
from monitoring.preview.charts.shapes import Frame
from monitoring.preview.data import Data, Request
from monitoring.preview.failures import Failure
from monitoring.preview.monitors import Monitors

Definition = Mapping[str, Any]

LIVE = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_592_000, "y": 31_536_000}
"""The units of `live_span` (`15m`, `4h`, `1mo`), in seconds."""
UNITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000, "year": 31_536_000}
CALENDAR = {"week_to_date": "week", "month_to_date": "month"}


@dataclass(frozen=True, slots=True)
class Drawing:
    """The context of a drawing: data, monitors, and the widgets to mark.

    `failures` collects the widgets whose drawing raised an exception. `address` returns the address of a
    resource's page, by kind and key. `scripted` adds the data of graphs for the page's script.
    """

    data: Data
    monitors: Monitors = field(default_factory=Monitors)
    marked: frozenset[str] = frozenset()
    failures: list[Failure] = field(default_factory=list)
    address: Callable[[str, str], str] = lambda kind, key: (
        f"{key}.html" if kind == "dashboard" else f"#{kind}-{key}"
    )
    scripted: bool = False

    def within(self, start: int, end: int) -> "Drawing":
        """Return the same drawing over another time range."""
        return replace(self, data=replace(self.data, start=start, end=end))


Draw = Callable[[Frame, Definition, Drawing], str]


def identity(definition: Definition) -> str:
    """Return a widget's definition as text for comparisons; for a group, without its widgets."""
    own = {key: value for key, value in definition.items() if key != "widgets"}
    return json.dumps(own, sort_keys=True, default=str)


def requests_of(definition: Definition) -> list[Request]:
    """Return a widget's requests, whether they are a list or named."""
    requests = definition.get("requests")
    listed = list(requests.values()) if isinstance(requests, Mapping) else requests
    return [request for request in listed if isinstance(request, Mapping)] if isinstance(listed, list) else []


_MILLISECONDS = 10**11
"""Larger timestamps are in milliseconds: in seconds they would be after the year 5000."""


def own_time(definition: Definition, drawing: Drawing) -> Drawing:
    """Return the drawing over the widget's own time range."""
    return drawing.within(*own_range(definition, drawing.data.start, drawing.data.end))


def own_range(definition: Definition, start: int, end: int) -> tuple[int, int]:
    """Return the widget's own time range (`time` in any of its forms), or the given one if it has none."""
    definition_time = definition.get("time")
    time = definition_time if isinstance(definition_time, Mapping) else {}
    if time.get("type") == "fixed" and _is_number(time.get("from")) and _is_number(time.get("to")):
        first, last = _epoch_seconds(time["from"]), _epoch_seconds(time["to"])
        return (first, last) if first < last else (start, end)
    if time.get("type") == "live" and time.get("unit") in UNITS and _is_number(time.get("value")):
        return end - int(time["value"]) * UNITS[time["unit"]], end
    span = str(time.get("live_span") or "")
    if span in CALENDAR:
        return calendar_start(end, CALENDAR[span]), end
    number = span.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = span[len(number) :]
    if number.isdigit() and int(number) and unit in LIVE:
        return end - int(number) * LIVE[unit], end
    return start, end


def _epoch_seconds(value: float) -> int:
    """Return seconds; Datadog's model of the API says seconds in one place and milliseconds in another."""
    return int(value / 1000 if value > _MILLISECONDS else value)


def time_label(definition: Definition, drawing: Drawing) -> str:
    """Return the label of a widget's own time range, such as `1 h`; "" if it is the dashboard's."""
    range_data = own_time(definition, drawing).data
    if (range_data.start, range_data.end) == (drawing.data.start, drawing.data.end) or not definition.get(
        "time"
    ):
        return ""
    seconds = range_data.end - range_data.start
    words = (("d", 86_400), ("h", 3600), ("min", 60))
    return next((f"{seconds // size} {name}" for name, size in words if seconds >= size), f"{seconds} s")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
