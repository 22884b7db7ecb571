"""Format the values of a time series graph: a legend with statistics, and the values under the pointer."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from monitoring.preview.charts.names import values_only
from monitoring.preview.charts.shapes import LEFT, RIGHT, TOP, Frame, Line, colour
from monitoring.preview.scales import BYTES, TIMES, UNITS, format_value

STATISTICS = ("Min", "Max", "Avg", "Sum", "Last")
MOST = 40
"""The maximum number of lines in a legend and under the pointer; the others are counted."""


def statistics(line: Line) -> tuple[str, ...]:
    """Return the `STATISTICS` of a line's finite values, in its unit; a dash each where there is none."""
    values = line.values[np.isfinite(line.values)]
    if not values.size:
        return ("–",) * len(STATISTICS)
    numbers = (values.min(), values.max(), values.mean(), values.sum(), values[-1])
    return tuple(format_value(float(value), line.unit) for value in numbers)


def caption(lines: Sequence[Line]) -> str:
    """Return the number of series, their units, and the width of a bucket."""
    units = ", ".join(dict.fromkeys(_unit(line.unit) for line in lines if line.unit))
    widths = " and ".join(
        TIMES(float(width)) for width in sorted({line.interval for line in lines if line.interval})
    )
    parts = [f"{len(lines)} series", units, f"a value each {widths}" if widths else ""]
    return " · ".join(filter(None, parts))


def _unit(name: str) -> str:
    """Return the name of the unit; for times and bytes the quantity, because each value has its own unit."""
    show = UNITS[name][1] if name in UNITS else None
    return (
        "time" if show is TIMES else "bytes" if show is BYTES else name if name == "percent" else f"{name}s"
    )


def as_table(lines: Sequence[Line]) -> str:
    """Return the lines with their statistics as an expandable HTML table."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Series", *STATISTICS))
    rows = "".join(_row(index, line, name) for index, (line, name) in enumerate(_named(lines)))
    more = f'<p class="muted">{len(lines) - MOST} more</p>' if len(lines) > MOST else ""
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}"
    return f'<details class="legend"><summary>{escape(caption(lines))}</summary><div>{table}</div></details>'


def _row(index: int, line: Line, name: str) -> str:
    mark = f'<i style="background:{colour(line.style.palette, index)}"></i>'
    cells = "".join(f"<td>{text}</td>" for text in statistics(line))
    return f'<tr data-line="{index}"><th scope="row">{mark}<span>{escape(name)}</span></th>{cells}</tr>'


def _named(lines: Sequence[Line]) -> list[tuple[Line, str]]:
    """Return the first `MOST` lines with their names, without the tag keys that all share."""
    return list(zip(lines[:MOST], values_only([line.name for line in lines]), strict=False))


def readings(frame: Frame, lines: Sequence[Line]) -> str:
    """Return the data of the graph for the page's script, as JSON.

    `start` and `end` in seconds; `plot` has the margins in pixels (left, right, top); each line has its name,
    colour, bucket width, times relative to the start, and formatted values.
    """
    body = {
        "start": int(frame.start),
        "end": int(frame.end),
        "plot": [LEFT, RIGHT, TOP],
        "more": max(0, len(lines) - MOST),
        "lines": [
            _reading(line, name, index, int(frame.start)) for index, (line, name) in enumerate(_named(lines))
        ],
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _reading(line: Line, name: str, index: int, start: int) -> dict[str, Any]:
    there = np.flatnonzero(np.isfinite(line.values))
    gaps = np.diff(line.times[there])
    usual = (
        float(np.median(gaps)) if gaps.size else 0.0
    )  # a point a minute in buckets of 20 s is read all along
    return {
        "name": name,
        "colour": colour(line.style.palette, index),
        "width": int(max(line.interval or 60, usual)),
        "times": [int(line.times[at]) - start for at in there],
        "values": [format_value(float(line.values[at]), line.unit) for at in there],
    }
