"""Draw host maps (hosts as squares by a value) and service maps (services as a call graph)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

from monitoring.preview import svg
from monitoring.preview.charts.shapes import Frame, notice, rect
from monitoring.preview.scales import format_value

STEPS = ("#7fbf8f", "#b5cf6b", "#ecd06f", "#eda13b", "#dd6b2f", "#c0392f")
"""Colours from low to high, as in Datadog's host map by default (green to orange)."""
INK = "#1d2430"


@dataclass(frozen=True, slots=True)
class Node:
    """A host, container or other group of a host map: its parent group, its name, its value."""

    group: str
    name: str
    value: float
    unit: str = ""


def squares(frame: Frame, nodes: Sequence[Node]) -> str:
    """Draw every node as a square, coloured by its value; parent groups are separate, below their name."""
    if not nodes:
        return notice(frame, "No host has a value in this time")
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(node.group, []).append(node)
    values = [node.value for node in nodes]
    low, high = min(values), max(values)
    legend = _legend(frame, low, high, nodes[0].unit)
    across = ceil(sqrt(len(groups) * frame.width / max(frame.height, 1)))
    across = min(max(across, 1), len(groups))
    down = ceil(len(groups) / across)
    wide, high_ = (frame.width - 12) / across, (frame.height - 24) / down
    parts = []
    for place, (name, inside) in enumerate(groups.items()):
        left, top = 6 + wide * (place % across), 4 + high_ * (place // across)
        head = 15.0 if name else 0.0
        if name:
            words = svg.fitted(name, wide - 8, 10)
            parts.append(svg.text(words, left + 2, top + 10, size=10, fill=frame.theme.muted))
        parts += _grid(inside, (left, top + head, wide - 6, high_ - head - 4), (low, high), frame)
    return "".join(parts) + legend


def _grid(
    nodes: Sequence[Node], room: tuple[float, float, float, float], reach: tuple[float, float], frame: Frame
) -> list[str]:
    left, top, wide, high = room
    side = max(sqrt(max(wide, 1) * max(high, 1) / len(nodes)), 4.0)
    across = max(1, floor(wide / side))
    side = min(wide / across, high / ceil(len(nodes) / across))
    while across * 1.0 < len(nodes) and ceil(len(nodes) / across) * wide / across > high:
        across += 1
    side = min(wide / across, max(high / ceil(len(nodes) / across), 4.0), 90.0)
    parts = []
    for index, node in enumerate(nodes):
        x, y = left + side * (index % across), top + side * (index // across)
        tooltip = svg.title(f"{node.name}  {format_value(node.value, node.unit)}")
        fill = step_of(node.value, *reach)
        inside = [tooltip, rect(x, y, side - 2, side - 2, fill, rx=3, stroke=frame.theme.panel)]
        if side > 44:
            words = svg.fitted(node.name.rpartition(":")[2], side - 8, 10)
            inside.append(svg.text(words, x + 4, y + 13, size=10, fill=INK))
            inside.append(svg.text(format_value(node.value, node.unit), x + 4, y + 27, size=11, fill=INK))
        parts.append(svg.tag("g", *inside))
    return parts


def step_of(value: float, low: float, high: float) -> str:
    """Return the colour of a value between the minimum and the maximum."""
    share = (value - low) / (high - low) if high > low else 0.0
    return STEPS[min(int(share * len(STEPS)), len(STEPS) - 1)]


def _legend(frame: Frame, low: float, high: float, unit: str) -> str:
    y, parts = frame.height - 12, []
    first, last = format_value(low, unit), format_value(high, unit)
    left = 10 + svg.width_of(first, 10) + 6
    parts.append(svg.text(first, 10, y + 7, size=10, fill=frame.theme.muted))
    for index, fill in enumerate(STEPS):
        parts.append(rect(left + 14 * index, y, 13, 7, fill))
    parts.append(svg.text(last, left + 14 * len(STEPS) + 5, y + 7, size=10, fill=frame.theme.muted))
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a service map: the number of its calls, and of the failed ones."""

    name: str
    hits: int
    errors: int


Edges = Mapping[tuple[str, str], int]


def services(frame: Frame, nodes: Sequence[Service], edges: Edges) -> str:
    """Draw services from left to right by their distance from the first caller, connected by arrows."""
    if not nodes:
        return notice(frame, "No span fits in this time")
    columns = _columns([node.name for node in nodes], edges)
    known = {node.name: node for node in nodes}
    wide = frame.width / len(columns)
    places = {
        name: (wide * (column + 0.5), frame.height * (row + 0.5) / len(names))
        for column, names in enumerate(columns)
        for row, name in enumerate(names)
    }
    radius = min(22.0, wide * 0.22, frame.height / (2.9 * max(len(names) for names in columns)))
    parts = [_arrow(frame, places[node], places[two], radius, calls) for (node, two), calls in edges.items()]
    return "".join(parts) + "".join(
        _service(frame, known[name], place, radius, wide) for name, place in places.items()
    )


def _columns(names: Sequence[str], edges: Edges) -> list[list[str]]:
    """Put each service one column right of its last caller; a circular call does not count."""
    depth = dict.fromkeys(names, 0)
    for _ in range(min(len(names), 12)):
        for source, two in edges:
            if source != two and depth[two] <= depth[source] < len(names):
                depth[two] = depth[source] + 1
    order = sorted(set(depth.values()))
    return [[name for name in names if depth[name] == level] for level in order]


def _arrow(
    frame: Frame, start: tuple[float, float], two: tuple[float, float], radius: float, calls: int
) -> str:
    if start == two:
        return ""
    (x1, y1), (x2, y2) = start, two
    long = max(sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2), 1.0)
    dx, dy = (x2 - x1) / long, (y2 - y1) / long
    x1, y1, x2, y2 = x1 + dx * radius, y1 + dy * radius, x2 - dx * (radius + 5), y2 - dy * (radius + 5)
    head = f"M{x2 + dx * 5:.1f} {y2 + dy * 5:.1f}L{x2 - dy * 4:.1f} {y2 + dx * 4:.1f}"
    head += f"L{x2 + dy * 4:.1f} {y2 - dx * 4:.1f}Z"
    shaft = svg.tag(
        "line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=frame.theme.muted, stroke_width=1.4, stroke_opacity=0.7
    )
    return svg.tag("g", svg.title(f"{calls} calls"), shaft, svg.tag("path", d=head, fill=frame.theme.muted))


def _service(frame: Frame, service: Service, place: tuple[float, float], radius: float, room: float) -> str:
    theme, (x, y) = frame.theme, place
    stroke = theme.bad if service.errors else theme.good
    circle = svg.tag("circle", cx=x, cy=y, r=radius, fill=theme.panel, stroke=stroke, stroke_width=3)
    style = {"text_anchor": "middle"}
    hits = svg.text(format_value(float(service.hits)), x, y + 4, size=11, fill=theme.ink, **style)
    name = svg.fitted(service.name, room - 6, 11)
    under = svg.text(name, x, y + radius + 13, size=11, fill=theme.ink, **style)
    tooltip = svg.title(f"{service.name}: {service.hits} spans, {service.errors} with an error")
    return svg.tag("g", tooltip, circle, hits if radius > 9 else "", under)
