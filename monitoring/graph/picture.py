"""Draw a state machine as SVG: states in layers, Map and Parallel as frames around their inner states."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from monitoring.graph.definition import MISSING, TERMINAL, Edge, Node, StateGraph
from monitoring.graph.figures import Figures, StateFigure
from monitoring.graph.layers import GraphLayout, Link, Size, place
from monitoring.graph.notes import Note, Notes
from monitoring.preview import svg
from monitoring.preview.theme import DARK, LIGHT, Theme

NAME_SIZE, SMALL = 13, 11
"""Font sizes in pixels: of state names, and of details, figures and labels."""
MARGIN, PAD = 18.0, 10.0
_NAME_ROOM, _LABEL_ROOM = 190.0, 170.0
_LINE, _SMALL_LINE = 17.0, 14.0
_START, _END = "\0start", "\0end"
_DOT = 14.0

TYPE_COLORS = {
    "Task": "#3578d4",
    "Choice": "#a5670f",
    "Map": "#7d4fc4",
    "Parallel": "#7d4fc4",
    "Wait": "#5d6776",
    "Pass": "#5d6776",
    "Succeed": "#187548",
    "Fail": "#c53030",
    MISSING: "#c53030",
}
STATUS_COLORS = {"succeeded": "#187548", "failed": "#c53030", "caught": "#a5670f", "running": "#3578d4"}
CHANGE_COLORS = {"added": "#187548", "removed": "#c53030", "changed": "#a5670f"}


@dataclass(frozen=True, slots=True)
class Look:
    """The options of a drawing.

    Attributes:
        theme: the colours; None includes both themes, and the reader's system selects one.
        figures: figures of executions; with figures, states that no execution entered are pale.
        changes: state -> added, removed or changed.
        notes: state -> its notes.
        critical: the states of the critical path, drawn with a thicker outline.
        links: state -> address of its link.
        title: the title for screen readers.
    """

    theme: Theme | None = None
    figures: Figures | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    notes: Notes = field(default_factory=dict)
    critical: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    title: str = "State machine"


@dataclass(frozen=True, slots=True)
class _Box:
    """A state with its lines of text, its size, and the layouts of its inner graphs with their offsets."""

    node: Node
    names: Sequence[str]
    details: Sequence[Note]
    size: Size
    inner: "Sequence[tuple[_Part, float, float]]" = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """The layout of one graph: the machine, a branch or an iteration."""

    boxes: Mapping[str, _Box]
    edges: Sequence[Edge]
    labels: Sequence[Sequence[str]]
    placed: GraphLayout


def as_svg(graph: StateGraph, look: Look | None = None) -> str:
    """Return the graph as SVG; the class of its root element is `state-machine-graph`.

    Each state is a group with the classes `state`, its type and its status, and its name in `data-state`.
    """
    look = look or Look()
    part = _part(graph, look, is_root=True)
    width = part.placed.size.width + 2 * MARGIN
    height = part.placed.size.height + 2 * MARGIN
    body = svg.group(_drawn(part, look), MARGIN, MARGIN)
    arrows = "".join(_arrow(name) for name in ("edge", "taken"))
    return svg.tag(
        "svg",
        svg.title(look.title),
        f"<style>{_style(look.theme)}</style>",
        f"<defs>{arrows}</defs>",
        svg.tag("rect", width="100%", height="100%", **{"class": "page"}),
        body,
        xmlns="http://www.w3.org/2000/svg",
        width=round(width),
        height=round(height),
        viewBox=f"0 0 {round(width)} {round(height)}",
        font_family=svg.FONT,
        role="group" if look.links else "img",  # links inside role "img" are not accessible
        aria_label=look.title,
        **{"class": "state-machine-graph"},
    )


# -- layout


def _part(graph: StateGraph, look: Look, *, is_root: bool = False) -> _Part:
    boxes = {node.name: _box(node, look) for node in graph.nodes}
    sizes = {name: box.size for name, box in boxes.items()}
    edges = list(graph.edges)
    first = graph.start if graph.start in boxes else next(iter(boxes), "")
    if is_root and boxes:
        sizes = {_START: Size(_DOT, _DOT), **sizes, _END: Size(_DOT, _DOT)}
        edges.insert(0, Edge(_START, first))
        last = [node for node in graph.nodes if node.ends and node.type not in TERMINAL]
        edges += [Edge(node.name, _END) for node in last]
        if not last:
            del sizes[_END]
    labels = [_label_lines(edge, look) for edge in edges]
    links = [
        Link(
            edge.source,
            edge.target,
            _text_size(lines, SMALL, _SMALL_LINE) if lines else None,
            bundled=edge.kind == "catch" or edge.target == _END,
        )
        for edge, lines in zip(edges, labels, strict=True)
    ]
    placed = place(sizes, links, _START if is_root else first)
    return _Part(boxes, edges, labels, placed)


def _label_lines(edge: Edge, look: Look) -> list[str]:
    lines = _wrapped(edge.label, _LABEL_ROOM, SMALL) if edge.label and edge.source != edge.target else []
    figures = look.figures
    if figures is not None and figures.executions > 1:
        times = figures.followed.get((edge.source, edge.target), 0)
        source = figures.states.get(edge.source)
        if times and source is not None and edge.kind in {"choice", "default", "catch"}:
            lines.append(f"{times}× ({100 * times / source.entered:.0f}%)")
    return lines


def _wrapped(text: str, room: float, size: float) -> list[str]:
    """Wrap a text to a width in pixels; words that are too long are broken, nothing is cut off."""
    words: list[str] = []
    for word in text.split():
        rest = word
        while svg.width_of(rest, size) > room:
            cut = _break(rest, room, size)
            words.append(rest[:cut])
            rest = rest[cut:]
        words.append(rest)
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and svg.width_of(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _break(word: str, room: float, size: float) -> int:
    """Return the index at which to break a word: before a capital, after punctuation, or at the width."""
    fits = max(1, next((at for at in range(len(word), 0, -1) if svg.width_of(word[:at], size) <= room), 1))
    for at in range(fits, fits // 2, -1):
        if at < len(word) and (
            (word[at].isupper() and not word[at - 1].isupper()) or not word[at - 1].isalnum()
        ):
            return at
    return fits


def _text_size(lines: Sequence[str], size: float, line: float) -> Size:
    return Size(max((svg.width_of(text, size) for text in lines), default=0) + 6, line * len(lines))


def _box(node: Node, look: Look) -> _Box:
    names = _wrapped(node.name, _NAME_ROOM, NAME_SIZE) or [""]
    details = [
        Note(line, note.tone)
        for note in _details(node, look)
        for line in _wrapped(note.text, _NAME_ROOM, SMALL)
    ]
    name = _text_size(names, NAME_SIZE, _LINE)
    detail = _text_size([note.text for note in details], SMALL, _SMALL_LINE)
    width = max(name.width, detail.width, 70.0) + 2 * PAD
    height = name.height + detail.height + 2 * PAD - 4
    if not node.inner:
        return _Box(node, names, details, Size(width, height))
    parts, left = [], PAD
    tallest = 0.0
    for inner in node.inner:
        part = _part(inner, look)
        parts.append((part, left, height))
        left += part.placed.size.width + PAD
        tallest = max(tallest, part.placed.size.height)
    return _Box(node, names, details, Size(max(width, left), height + tallest + PAD), parts)


def _details(node: Node, look: Look) -> Iterator[Note]:
    """Yield the lines below a state's name: type and detail, figures, errors, notes."""
    yield Note(f"{node.type or '?'}{': ' if node.detail else ''}{node.detail}")
    figure = _figure(node, look)
    if figure is not None and look.figures is not None:
        yield Note(figure.text(look.figures.executions))
        yield from (Note(error) for error in figure.errors)
    yield from look.notes.get(node.name, ())


def _figure(node: Node, look: Look) -> StateFigure | None:
    return look.figures.states.get(node.name) if look.figures is not None else None


# -- drawing


def _drawn(part: _Part, look: Look) -> Iterable[str]:
    """Yield the SVG of edges, then states, then labels, so that later elements are in front."""
    for edge, route, join in zip(part.edges, part.placed.routes, part.placed.joins, strict=True):
        yield _edge(edge, route, look, join)
    for name, box in part.boxes.items():
        x, y = part.placed.boxes[name]
        yield _state(box, x, y, look)
    for key in (_START, _END):
        if key in part.placed.boxes:
            x, y = part.placed.boxes[key]
            shape = {"class": "dot" if key == _START else "dot end"}
            yield svg.tag("circle", cx=x + _DOT / 2, cy=y + _DOT / 2, r=_DOT / 2 - 1, **shape)
    for edge, lines, place_ in zip(part.edges, part.labels, part.placed.labels, strict=True):
        if lines and place_ is not None:
            yield _label(edge, lines, place_)


def _edge(edge: Edge, route: Sequence[tuple[float, float]], look: Look, join: int | None) -> str:
    """Return an edge; an edge that joins an earlier route ends there, unless an execution took it."""
    used = look.figures is not None and _taken(edge, look.figures)
    full = used or join is None
    kind = f"edge {edge.kind}{' taken' if used else ''}"
    return svg.tag(
        "path",
        svg.title(f"{_shown(edge.source)} → {_shown(edge.target)}{': ' + edge.label if edge.label else ''}"),
        d=_path(route if full else route[:join]),
        marker_end=f"url(#{'taken' if used else 'edge'}-arrow)" if full else None,
        data_source=_shown(edge.source),
        data_target=_shown(edge.target),
        **{"class": kind},
    )


def _shown(key: str) -> str:
    return {_START: "start", _END: "end"}.get(key, key)


def _taken(edge: Edge, figures: Figures) -> bool:
    if edge.source == _START:
        return figures.executions > 0
    source = figures.states.get(edge.source)
    if edge.target == _END:
        return source is not None and source.entered > source.running and source.status != "failed"
    return (edge.source, edge.target) in figures.followed


def _path(route: Sequence[tuple[float, float]]) -> str:
    """Return an SVG path along the route with rounded corners."""
    parts = [f"M{route[0][0]:.1f} {route[0][1]:.1f}"]
    for at in range(1, len(route) - 1):
        (x0, y0), (x, y), (x1, y1) = route[at - 1], route[at], route[at + 1]
        before, after = _toward(x, y, x0, y0), _toward(x, y, x1, y1)
        parts.append(f"L{before[0]:.1f} {before[1]:.1f}Q{x:.1f} {y:.1f} {after[0]:.1f} {after[1]:.1f}")
    parts.append(f"L{route[-1][0]:.1f} {route[-1][1]:.1f}")
    return "".join(parts)


def _toward(x: float, y: float, to_x: float, to_y: float, radius: float = 7.0) -> tuple[float, float]:
    length = max(((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5, 1e-6)
    part = min(radius, length / 2) / length
    return x + (to_x - x) * part, y + (to_y - y) * part


def _state(box: _Box, x: float, y: float, look: Look) -> str:
    node, figure = box.node, _figure(box.node, look)
    status = figure.status if figure is not None else "untaken" if look.figures is not None else ""
    change = look.changes.get(node.name, "")
    critical = "critical" if node.name in look.critical else ""
    names = ("state", node.type.lower(), status, change, critical, "group" if box.inner else "")
    classes = " ".join(filter(None, names))
    color = CHANGE_COLORS.get(change) or STATUS_COLORS.get(status) or TYPE_COLORS.get(node.type, "#5d6776")
    shape = svg.tag(
        "rect",
        width=box.size.width,
        height=box.size.height,
        rx=18 if node.type == "Choice" else 6,
        stroke=color,
        stroke_width=4 if critical else 2.5 if status in {"failed", "running"} or change else 1.5,
        stroke_dasharray="6 4" if box.inner else "3 3" if node.type == MISSING else None,
    )
    middle = box.size.width / 2
    texts = [
        svg.text(
            line, middle, PAD + 11 + at * _LINE, size=NAME_SIZE, text_anchor="middle", **{"class": "name"}
        )
        for at, line in enumerate(box.names)
    ]
    below = PAD + 9 + len(box.names) * _LINE
    texts += [
        svg.text(
            note.text,
            middle,
            below + at * _SMALL_LINE,
            size=SMALL,
            text_anchor="middle",
            **{"class": f"detail {note.tone}".strip()},
        )
        for at, note in enumerate(box.details)
    ]
    inner = [svg.group(_drawn(part, look), left, top) for part, left, top in box.inner]
    tip = svg.title(f"{node.name} ({node.type})")
    drawn = svg.group(
        [tip, shape, *texts, *inner], x, y, data_state=node.name, data_type=node.type, **{"class": classes}
    )
    address = look.links.get(node.name)
    return f'<a href="{escape(address, quote=True)}">{drawn}</a>' if address else drawn


def _label(edge: Edge, lines: Sequence[str], at: tuple[float, float]) -> str:
    x, y = at
    size = _text_size(lines, SMALL, _SMALL_LINE)
    back = svg.tag("rect", x=x, y=y, width=size.width, height=size.height, **{"class": "label-back"})
    texts = [
        svg.text(line, x + size.width / 2, y + 11 + number * _SMALL_LINE, size=SMALL, text_anchor="middle")
        for number, line in enumerate(lines)
    ]
    return svg.group([back, *texts], 0, 0, **{"class": f"label {edge.kind}"})


def _arrow(name: str) -> str:
    shape = svg.tag("path", d="M0 0L8 4L0 8Z", **{"class": f"{name}-head"})
    return (
        f'<marker id="{name}-arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto">{shape}</marker>'
    )


def _style(theme: Theme | None) -> str:
    if theme is not None:
        return _rules(theme)
    return f"{_rules(LIGHT)}@media (prefers-color-scheme: dark){{{_rules(DARK)}}}"


def _rules(theme: Theme) -> str:
    return (
        f".state-machine-graph .page{{fill:{theme.page}}}"
        f".state-machine-graph .state>rect{{fill:{theme.panel}}}"
        f".state-machine-graph .name{{fill:{theme.ink};font-weight:600}}"
        f".state-machine-graph .detail{{fill:{theme.muted}}}"
        f".state-machine-graph .detail.good{{fill:{theme.good}}}"
        f".state-machine-graph .detail.warning{{fill:{theme.warn}}}"
        f".state-machine-graph .detail.bad,.state-machine-graph .missing .detail{{fill:{theme.bad}}}"
        f".state-machine-graph .label text{{fill:{theme.ink}}}"
        f".state-machine-graph .label-back{{fill:{theme.page}}}"
        f".state-machine-graph .group .label-back{{fill:{theme.panel}}}"
        f".state-machine-graph .edge{{fill:none;stroke:{theme.muted};stroke-width:1.3}}"
        f".state-machine-graph .catch{{stroke-dasharray:4 3}}"
        f".state-machine-graph .label.catch text{{fill:{theme.bad}}}"
        f".state-machine-graph .edge.taken{{stroke:{theme.good};stroke-width:2.4}}"
        f".state-machine-graph .edge-head{{fill:{theme.muted}}}"
        f".state-machine-graph .taken-head{{fill:{theme.good}}}"
        f".state-machine-graph .untaken{{opacity:.5}}"
        f".state-machine-graph .dot{{fill:{theme.ink}}}"
        f".state-machine-graph .dot.end{{fill:{theme.page};stroke:{theme.ink};stroke-width:3}}"
    )
