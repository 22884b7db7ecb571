"""Compute a layered layout: each box is on a layer below its predecessors, and edges do not cross boxes.

Sugiyama's method: back edges are reversed, the layer of a box is the length of the longest path to it, an
edge over several layers passes through one point on each, a label is a box on its own layer between the two
ends (so that it covers nothing), and barycentres order each layer. https://doi.org/10.1109/TSMC.1981.4308636
"""

import itertools
from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

COLUMN_GAP, LAYER_GAP = 26.0, 32.0
"""Pixels between two boxes of a layer, and between two layers."""
_STUB = 9.0
"""Length in pixels of the vertical part of an edge below a box, so that the box does not cover an arrow head
at its lower side."""
_SWEEPS = 12
_ASIDE_WEIGHT, _SHARED_WEIGHT = 0.01, 0.0001
"""Weights of shared routes and of the edges to them; boxes have weight 1, so that routes are moved first."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a box, in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two boxes by their keys; `label` is the size of its text, None without one.

    All `bundled` links to the same box share one route to it.
    """

    source: str
    target: str
    label: Size | None = None
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class GraphLayout:
    """A layout in pixels: upper left corners of boxes, routes of links, corners of labels, the total size.

    A route is a polyline from the source to the target. `joins` has, for each route, the number of points
    after which it continues on an earlier route; None if it does not.
    """

    boxes: Mapping[str, tuple[float, float]]
    routes: Sequence[Sequence[tuple[float, float]]]
    labels: Sequence[tuple[float, float] | None]
    size: Size
    joins: Sequence[int | None] = ()


@dataclass(slots=True)
class _Cell:
    """A box, or a point of an edge over several layers; `x` is its centre in pixels.

    `shared`: the point is on the shared route of several edges; edges that join do not bend the route.
    `aside`: the point is on an edge to such a route; it does not move the boxes next to it.
    """

    key: str
    size: Size
    layer: int
    x: float = 0.0
    above: "list[_Cell]" = field(default_factory=list)
    below: "list[_Cell]" = field(default_factory=list)
    shared: bool = False
    aside: bool = False


def place(sizes: Mapping[str, Size], links: Sequence[Link], start: str) -> GraphLayout:
    """Compute the layout, with layers from top to bottom.

    Args:
        sizes: the size of each box by key; their order decides between equal positions.
        links: edges between these boxes; a link from a box to itself is drawn beside the box.
        start: the key of the box on the first layer.
    """
    forward = _forward(list(sizes), links, start)
    ranks = _ranks(list(sizes), [pair for pair in forward if pair is not None], start)
    cells = {key: _Cell(key, size, 2 * ranks[key]) for key, size in sizes.items()}
    layers: dict[int, list[_Cell]] = {}
    for cell in cells.values():
        layers.setdefault(cell.layer, []).append(cell)
    ways = _Ways(cells, layers)
    chains = [
        ways.chain(number, link, pair) if pair is not None else [cells[link.source]]
        for number, (link, pair) in enumerate(zip(links, forward, strict=True))
    ]
    ordered = [layers[layer] for layer in sorted(layers)]
    _order(ordered)
    _columns(ordered)
    return _placed(cells, ordered, links, chains, forward)


def _forward(keys: list[str], links: Sequence[Link], start: str) -> list[tuple[str, str] | None]:
    """Return (upper box, lower box) of each link: back edges are reversed; None for a loop on one box."""
    below: dict[str, list[str]] = {key: [] for key in keys}
    for link in links:
        if link.source != link.target:
            below[link.source].append(link.target)
    back: set[tuple[str, str]] = set()
    state: dict[str, int] = {}
    for root in [start, *keys]:
        if root not in below or state.get(root):
            continue
        stack = [(root, iter(below[root]))]
        state[root] = 1
        while stack:
            key, targets = stack[-1]
            for target in targets:
                if state.get(target) == 1:
                    back.add((key, target))
                elif not state.get(target):
                    state[target] = 1
                    stack.append((target, iter(below[target])))
                    break
            else:
                state[key] = 2
                stack.pop()
    return [
        None
        if link.source == link.target
        else (link.target, link.source)
        if (link.source, link.target) in back
        else (link.source, link.target)
        for link in links
    ]


def _ranks(keys: list[str], pairs: Sequence[tuple[str, str]], start: str) -> dict[str, int]:
    """Return the length of the longest path to each box."""
    above: dict[str, list[str]] = {key: [] for key in keys}
    pending = dict.fromkeys(keys, 0)
    for upper, lower in pairs:
        above[lower].append(upper)
        pending[lower] += 1
    ranks: dict[str, int] = {}
    below: dict[str, list[str]] = {key: [] for key in keys}
    for upper, lower in pairs:
        below[upper].append(lower)
    ready = [key for key in keys if not pending[key]]
    while ready:
        key = ready.pop(0)
        ranks[key] = max((ranks[upper] + 1 for upper in above[key]), default=0 if key == start else 1)
        for lower in below[key]:
            pending[lower] -= 1
            if not pending[lower]:
                ready.append(lower)
    return ranks


class _Ways:
    """Add the cells of edges to the layers between their ends."""

    def __init__(self, cells: Mapping[str, _Cell], layers: dict[int, list[_Cell]]) -> None:
        self._cells, self._layers = cells, layers
        self._shared: dict[tuple[str, int], _Cell] = {}
        self._joined: set[tuple[int, int]] = set()

    def chain(self, number: int, link: Link, pair: tuple[str, str]) -> list[_Cell]:
        """Return the cells from the upper to the lower end; the label is the cell after the upper end."""
        upper, lower = self._cells[pair[0]], self._cells[pair[1]]
        bundled = link.bundled and pair[1] == link.target
        chain = [upper]
        for layer in range(upper.layer + 1, lower.layer):
            first = layer == upper.layer + 1
            if bundled and not first:
                chain.append(self._shared_cell(lower.key, layer))
            else:
                size = link.label if first and link.label is not None else Size(2.0, 0.0)
                cell = self._cell(f"\0{number}:{layer}", size, layer)
                cell.aside = bundled
                chain.append(cell)
        chain.append(lower)
        for above, below in itertools.pairwise(chain):
            self._join(above, below)
        return chain

    def _shared_cell(self, target: str, layer: int) -> _Cell:
        cell = self._shared.get((target, layer))
        if cell is None:
            cell = self._shared[target, layer] = self._cell(f"\0to {target}:{layer}", Size(2.0, 0.0), layer)
            cell.shared = True
        return cell

    def _cell(self, key: str, size: Size, layer: int) -> _Cell:
        cell = _Cell(key, size, layer)
        self._layers.setdefault(layer, []).append(cell)
        return cell

    def _join(self, above: _Cell, below: _Cell) -> None:
        """Connect two cells; cells of a shared route are connected only once."""
        if (id(above), id(below)) not in self._joined:
            self._joined.add((id(above), id(below)))
            above.below.append(below)
            below.above.append(above)


def _order(layers: list[list[_Cell]]) -> None:
    """Order each layer by barycentres, down and up in turn; keep the order with the fewest crossings."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            index = {id(cell): at for at, cell in enumerate(layer)}
            positions = {
                id(cell): _barycentre(cell.above if down else cell.below, index[id(cell)]) for cell in layer
            }
            layer.sort(key=lambda cell: (positions[id(cell)], index[id(cell)]))
            for at, cell in enumerate(layer):
                cell.x = float(at)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
        if not fewest:
            break
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _barycentre(neighbours: list[_Cell], otherwise: float) -> float:
    if not neighbours:
        return otherwise
    return sum(cell.x for cell in neighbours) / len(neighbours)


def _crossings(layers: list[list[_Cell]]) -> int:
    """Count the pairs of crossing edges; set `x` of each cell to its index, which `_barycentre` reads."""
    total = 0
    for layer in layers:
        for at, cell in enumerate(layer):
            cell.x = float(at)
    for layer in layers:
        ends = [sorted(other.x for other in cell.below) for cell in layer]
        before: list[float] = []
        for x in itertools.chain.from_iterable(ends):
            total += len(before) - bisect_right(before, x)
            insort(before, x)
    return total


def _columns(layers: list[list[_Cell]]) -> None:
    """Compute the centre of each cell: near its neighbours above and below, without overlaps on its layer."""
    for layer in layers:
        left = 0.0
        for cell in layer:
            cell.x = left + cell.size.width / 2
            left += cell.size.width + COLUMN_GAP
    for sweep in range(3 * _SWEEPS):
        down = sweep % 2 == 0
        routes = sweep >= 2 * _SWEEPS  # from here on the shared routes alone move, beside boxes that stay
        if sweep == 2 * _SWEEPS:
            _draw_in(layers)
        for layer in layers if down else reversed(layers):
            _settle(layer, [cell.x if routes and not cell.shared else _target(cell, down) for cell in layer])
    for layer in layers:
        if not any(cell.size.height for cell in layer):  # layers of points: the boxes have moved since
            _settle(layer, [_approach(cell) for cell in layer])


def _approach(cell: _Cell) -> float:
    """Return the x at which an edge goes vertically to the box below, or to its shared route."""
    boxes = [other.x for other in cell.below if not other.shared]
    return median(boxes) if boxes else _target(cell, down=True)


def _draw_in(layers: list[list[_Cell]]) -> None:
    """Move shared routes to the middle of the boxes; `_settle` then moves them only as far as necessary."""
    for layer in layers:
        others = [cell.x for cell in layer if not cell.shared]
        for cell in layer if others else ():
            cell.x = cell.x if not cell.shared else sum(others) / len(others)


def _target(cell: _Cell, down: bool) -> float:
    """Return the x that a cell would have without overlaps: the median of its neighbours."""
    neighbours = (cell.above if down else cell.below) or cell.below or cell.above
    if cell.shared:
        neighbours = [other for other in neighbours if other.shared]
    elif cell.aside:
        neighbours = cell.above
    else:
        alone = [other for other in neighbours if not other.shared]
        neighbours = [other for other in alone if not other.aside] or alone or neighbours
    return median(other.x for other in neighbours) if neighbours else cell.x


@dataclass(slots=True)
class _CellBlock:
    """Adjacent cells; `edges` is the weighted sum of the left edges of the block that its cells prefer."""

    cells: list[_Cell]
    width: float
    weight: float
    edges: float

    @property
    def left(self) -> float:
        """Return the weighted mean of the preferred left edges."""
        return self.edges / self.weight

    def append(self, other: "_CellBlock") -> None:
        """Append the block to the right: its preferred edges are shifted left by the width of this block."""
        self.edges += other.edges - other.weight * self.width
        self.weight += other.weight
        self.width += other.width
        self.cells += other.cells


def _settle(layer: list[_Cell], targets: list[float]) -> None:
    """Move the cells as near to their target centres as their order and widths allow.

    Cells that would overlap form a block, which is placed at the weighted mean of their targets.
    """
    blocks: list[_CellBlock] = []
    for cell, x in zip(layer, targets, strict=True):
        weight = _SHARED_WEIGHT if cell.shared else _ASIDE_WEIGHT if cell.aside else 1.0
        edge = weight * (x - cell.size.width / 2)
        blocks.append(_CellBlock([cell], cell.size.width + COLUMN_GAP, weight, edge))
        while len(blocks) > 1 and blocks[-2].left + blocks[-2].width > blocks[-1].left + 1e-9:
            last = blocks.pop()
            blocks[-1].append(last)
    for block in blocks:
        edge = block.left
        for cell in block.cells:
            cell.x = edge + cell.size.width / 2
            edge += cell.size.width + COLUMN_GAP


def _placed(
    cells: Mapping[str, _Cell],
    layers: list[list[_Cell]],
    links: Sequence[Link],
    chains: Sequence[list[_Cell]],
    forward: Sequence[tuple[str, str] | None],
) -> GraphLayout:
    tops: dict[int, float] = {}
    bottoms: dict[int, float] = {}
    y = 0.0
    for layer in layers:
        number = layer[0].layer
        height = max(cell.size.height for cell in layer)
        tops[number], bottoms[number] = y, y + height
        y += height + (LAYER_GAP if number % 2 == 0 or height else LAYER_GAP / 3)
    left = min((cell.x - cell.size.width / 2 for layer in layers for cell in layer), default=0.0)
    loops = {link.source for link, pair in zip(links, forward, strict=True) if pair is None}
    right = max(
        (
            cell.x + cell.size.width / 2 + (COLUMN_GAP if cell.key in loops else 0)
            for layer in layers
            for cell in layer
        ),
        default=0.0,
    )
    boxes = {key: (cell.x - cell.size.width / 2 - left, tops[cell.layer]) for key, cell in cells.items()}
    routes, labels, joins = [], [], []
    passed: set[int] = set()
    for link, chain, pair in zip(links, chains, forward, strict=True):
        route = _loop(chain[0], tops, left) if pair is None else _route(chain, tops, bottoms, left)
        turned = pair is not None and pair[0] != link.source
        routes.append(route[::-1] if turned else route)
        labels.append(_label(link, chain, tops, left) if pair is not None else None)
        joins.append(_join(chain, routes[-1], tops, left, passed))
    height = max(bottoms.values(), default=0.0)
    return GraphLayout(boxes, routes, labels, Size(right - left, height), joins)


def _join(
    chain: list[_Cell],
    route: Sequence[tuple[float, float]],
    tops: Mapping[int, float],
    left: float,
    passed: set[int],
) -> int | None:
    """Return the number of points after which an edge joins a shared route that is already drawn, or None."""
    shared = [cell for cell in chain if cell.shared]
    drawn = bool(shared) and id(shared[0]) in passed
    passed.update(map(id, shared))
    if not drawn:
        return None
    point = (shared[0].x - left, tops[shared[0].layer])
    return route.index(point) + 1 if point in route else None


def _label(
    link: Link, chain: list[_Cell], tops: Mapping[int, float], left: float
) -> tuple[float, float] | None:
    if link.label is None or len(chain) < 3:
        return None
    cell = chain[1]
    return cell.x - cell.size.width / 2 - left, tops[cell.layer]


def _loop(cell: _Cell, tops: Mapping[int, float], left: float) -> list[tuple[float, float]]:
    side, top = cell.x + cell.size.width / 2 - left, tops[cell.layer]
    high, low = top + cell.size.height * 0.3, top + cell.size.height * 0.7
    return [(side, low), (side + 14, low), (side + 14, high), (side, high)]


def _route(
    chain: list[_Cell], tops: Mapping[int, float], bottoms: Mapping[int, float], left: float
) -> list[tuple[float, float]]:
    """Return the points of an edge: vertical inside each layer, slanted only between two layers."""
    first, last = chain[0], chain[-1]
    points = [(_spread(first, chain[1], first.below) - left, tops[first.layer] + first.size.height)]
    points.append((points[0][0], bottoms[first.layer] + _STUB))
    for cell in chain[1:-1]:
        points += [(cell.x - left, tops[cell.layer]), (cell.x - left, bottoms[cell.layer])]
    points.append((_spread(last, chain[-2], last.above) - left, tops[last.layer]))
    return [point for at, point in enumerate(points) if not at or point != points[at - 1]]


def _spread(cell: _Cell, neighbour: _Cell, side: list[_Cell]) -> float:
    """Return the x at which an edge ends on a box: edges are spread in the order of their other ends."""
    if len(side) < 2:
        return cell.x
    ordered = sorted(side, key=lambda other: other.x)
    at = next(index for index, other in enumerate(ordered) if other is neighbour)
    room = min(cell.size.width * 0.7, 22.0 * (len(side) - 1))
    return cell.x - room / 2 + room * at / (len(side) - 1)
