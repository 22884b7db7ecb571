"""Draw widgets with states: service checks, summaries of monitors, and one monitor's graph or value."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.errors import InputError
from monitoring.monitor.checks import CheckSeries
from monitoring.preview import svg
from monitoring.preview.charts import status, values
from monitoring.preview.charts.lists import Column, Listing, ListRow, as_picture
from monitoring.preview.charts.names import monitor_name
from monitoring.preview.charts.shapes import Frame, Marker, notice
from monitoring.preview.charts.timeseries import timeseries
from monitoring.preview.conditions import painter
from monitoring.preview.data import short
from monitoring.preview.drawing import Definition, Drawing
from monitoring.preview.errors import UndrawableError
from monitoring.preview.monitors import Summed
from monitoring.preview.variables import as_search

CHECKS = ("OK", "Warning", "Critical", "Unknown")
STATES = ("Alert", "Warn", "No Data", "OK")
COUNTS = 62.0
"""The height of the blocks of counts above a list."""


def check_status(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw the last status of a check, or for a cluster the number of groups in each status."""
    data = drawing.data
    name = str(definition.get("check") or "")
    searches = [as_search(str(item), data.variables) for item in definition.get("tags") or []]
    group = as_search(str(definition.get("group") or ""), data.variables)
    searches = [item for item in [*searches, group] if item and "*" not in item and not item.startswith("$")]
    checks = [
        item
        for item in data.facts.checks(data.start, data.end)
        if item.check == name and {tag.lower() for tag in searches} <= set(item.tags) and len(item.statuses)
    ]
    if not checks:
        return notice(frame, f"The check {name} has sent no result in this time")
    keys = [str(item) for item in definition.get("group_by") or []]
    states = _by_group(checks, keys)
    if definition.get("grouping") == "cluster":
        counted = status.ordered([CHECKS[item] for item in states.values()], CHECKS)
        return status.counts(frame, {key: n for key, n in counted.items() if n or key != "Unknown"})
    latest = max(checks, key=lambda item: int(item.times[-1]))
    return status.one_state(frame, CHECKS[max(states.values())], ", ".join(map(short, latest.tags)) or name)


def _by_group(checks: Sequence[CheckSeries], keys: Sequence[str]) -> dict[tuple[str, ...], int]:
    """Return group -> the worst last status of its sources; without keys, each source is a group."""
    states: dict[tuple[str, ...], int] = {}
    severity = {0: 0, 3: 1, 1: 2, 2: 3}
    for check in checks:
        group = tuple(tag for tag in check.tags if not keys or tag.split(":", 1)[0] in keys)
        last = min(max(int(check.statuses[-1]), 0), 3)
        states[group] = max(states.get(group, 0), last, key=severity.__getitem__)
    return states


def _summed(definition: Definition, drawing: Drawing) -> list[Summed]:
    try:
        search = as_search(str(definition.get("query") or ""), drawing.data.variables)
        rows = drawing.monitors.summary(search)
    except InputError as error:
        raise UndrawableError(str(error)) from None
    if not rows:
        raise UndrawableError("No monitor of this project fits the search.")
    key, _, direction = str(definition.get("sort") or "status,asc").partition(",")
    severity = {name: index for index, name in enumerate(STATES)}
    by_state = key in {"status", "triggered", "group"}
    rows.sort(key=lambda row: row.name.lower(), reverse=key == "name" and direction == "desc")
    return sorted(rows, key=lambda row: severity.get(row.state, 2)) if by_state else rows


def monitor_list(definition: Definition, drawing: Drawing) -> Listing:
    """Return the monitors of a search, the most severe first."""
    rows = _summed(definition, drawing)
    priority = definition.get("show_priority") is True
    columns = (Column("Status", 76), *([Column("Priority", 64)] if priority else []), Column("Monitor"))
    entries = [
        ListRow(
            (row.state, *([row.priority.upper() or "–"] if priority else []), monitor_name(row.name)),
            row.state,
            0,
        )
        for row in rows
    ]
    return Listing(columns, tuple(entries), "")


def monitor_counts(definition: Definition, drawing: Drawing) -> dict[str, int]:
    """Return state -> number of monitors, or of their groups; {} if the widget shows no counts."""
    if definition.get("display_format") == "list":
        return {}
    rows = _summed(definition, drawing)
    groups = definition.get("summary_type") == "groups"
    states = [state for row in rows for state in row.groups] if groups else [row.state for row in rows]
    counted = status.ordered(states, STATES)
    hide = definition.get("hide_zero_counts") is not False
    return {name: count for name, count in counted.items() if count or not hide}


def manage_status(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw a monitor summary: counts, a list, or both."""
    counted = monitor_counts(definition, drawing)
    background = definition.get("color_preference") != "text"
    listed = definition.get("display_format") != "counts"
    if counted and (not listed or frame.height < COUNTS + 66):
        return status.counts(frame, counted, background=background)
    if not counted:
        return as_picture(frame, monitor_list(definition, drawing))
    above = status.counts(frame.shorter(frame.height - COUNTS), counted, background=background)
    below = as_picture(frame.shorter(COUNTS), monitor_list(definition, drawing))
    return above + svg.group([below], 0, COUNTS)


def alert_graph(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw a monitor's query over time, with its thresholds."""
    monitor = drawing.monitors.find(str(definition.get("alert_id")))
    request = {"q": monitor.query, "display_type": "line"}
    names: dict[float, list[str]] = {}
    for name, value in monitor.thresholds:
        names.setdefault(value, []).append(name)
    thresholds = [
        Marker(
            value,
            value,
            f"{_threshold(same)} {value:g}",
            f"{'warning' if 'warning' in same[0] else 'error'} dashed",
        )
        for value, same in names.items()
    ]
    return timeseries(frame, drawing.data.lines(request), thresholds)


def _threshold(names: Sequence[str]) -> str:
    """Return the label of thresholds with the same value, without a recovery threshold among others."""
    plain = [name for name in names if "recovery" not in name]
    return ", ".join(plain or names).replace("_", " ")


def alert_value(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw a monitor's current value on the colour of its state."""
    monitor = drawing.monitors.find(str(definition.get("alert_id")))
    rows = drawing.data.rows({"q": monitor.query}, monitor.aggregator)
    value = rows[0].values[0] if rows else None
    colours = painter(monitor.formats(), frame.theme)
    precision, custom = definition.get("precision"), str(definition.get("unit") or "auto")
    digits = precision if isinstance(precision, int) else None
    unit = rows[0].unit if rows and custom == "auto" else ""
    return values.query_value(
        frame, value, unit, colours, digits, "" if custom == "auto" else custom, _align(definition)
    )


def _align(definition: Mapping[str, Any]) -> str:
    return str(definition.get("text_align") or "center")
