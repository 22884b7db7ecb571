"""A layered layout: each box on a layer below those that lead to it, edges through free columns between.

Sugiyama's scheme: edges that go back are turned round, layers are the longest way from the start, an edge
that skips layers goes through one point in each, a label is a box on a layer of its own between its ends (so
that it lies on nothing), and barycentres order the layers. https://doi.org/10.1109/TSMC.1981.4308636
"""

import itertools
from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

COLUMN_GAP, LAYER_GAP = 26.0, 32.0
"""Pixels between two boxes of a layer, and between two layers."""
_STUB = 9.0
"""Pixels that an edge goes straight down from a box, so that the head of an arrow to its lower side is not
under the box."""
_SWEEPS = 12
_ASIDE_WEIGHT, _SHARED_WEIGHT = 0.01, 0.0001
"""How much a shared way, and the way to it, count beside boxes: they give way to them."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a box, in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two boxes by their keys; `label` is the size of its text, None without one.

    Those that are `bundled` and go to one box share one way to it, however many they are.
    """

    source: str
    target: str
    label: Size | None = None
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class GraphLayout:
    """A layout: the left upper corner of every box, the way of every link, where its label lies, the size.

    `routes` go from the end of the source to the end of the target, as points of a polyline. `joins` says
    after how many points a route goes on as an earlier one does; None where it does not.
    """

    boxes: Mapping[str, tuple[float, float]]
    routes: Sequence[Sequence[tuple[float, float]]]
    labels: Sequence[tuple[float, float] | None]
    size: Size
    joins: Sequence[int | None] = ()


@dataclass(slots=True)
class _Cell:
    """A box, or a point that a long edge goes through; `x` is its centre.

    `shared` says that several edges go through the point: their way stays straight where others join it.
    `aside` says that an edge goes from here to such a way: boxes stay straight below one another beside it.
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
    """Lay boxes out in layers from the top.

    Args:
        sizes: the boxes; their order decides where nothing else does.
        links: between boxes that there are; one to itself is drawn beside its box.
        start: the box that the first layer holds.
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
    """Return each link from upper to lower box: those that go back are turned round, None for a loop."""
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
    """Return the longest way from above to each box."""
    above: dict[str, list[str]] = {key: [] for key in keys}
    left = dict.fromkeys(keys, 0)
    for upper, lower in pairs:
        above[lower].append(upper)
        left[lower] += 1
    ranks: dict[str, int] = {}
    below: dict[str, list[str]] = {key: [] for key in keys}
    for upper, lower in pairs:
        below[upper].append(lower)
    ready = [key for key in keys if not left[key]]
    while ready:
        key = ready.pop(0)
        ranks[key] = max((ranks[upper] + 1 for upper in above[key]), default=0 if key == start else 1)
        for lower in below[key]:
            left[lower] -= 1
            if not left[lower]:
                ready.append(lower)
    return ranks


class _Ways:
    """Lays the cells of edges into the layers between their ends."""

    def __init__(self, cells: Mapping[str, _Cell], layers: dict[int, list[_Cell]]) -> None:
        self._cells, self._layers = cells, layers
        self._shared: dict[tuple[str, int], _Cell] = {}
        self._joined: set[tuple[int, int]] = set()

    def chain(self, number: int, link: Link, pair: tuple[str, str]) -> list[_Cell]:
        """Return the cells from the upper to the lower end; the label is the one after the upper end."""
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
        """Join two cells, those of a shared way once."""
        if (id(above), id(below)) not in self._joined:
            self._joined.add((id(above), id(below)))
            above.below.append(below)
            below.above.append(above)


def _order(layers: list[list[_Cell]]) -> None:
    """Order each layer by the barycentres of its neighbours, down and up, and keep the best order."""
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
    for layer, kept in zip(layers, best, strict=True):
        layer[:] = kept


def _barycentre(neighbours: list[_Cell], otherwise: float) -> float:
    if not neighbours:
        return otherwise
    return sum(cell.x for cell in neighbours) / len(neighbours)


def _crossings(layers: list[list[_Cell]]) -> int:
    """Count the pairs of edges that cross; it also numbers the cells, which `_barycentre` reads."""
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
    """Give each cell a centre: near its neighbours, and clear of the ones beside it."""
    for layer in layers:
        left = 0.0
        for cell in layer:
            cell.x = left + cell.size.width / 2
            left += cell.size.width + COLUMN_GAP
    for sweep in range(3 * _SWEEPS):
        down = sweep % 2 == 0
        if sweep == 2 * _SWEEPS:
            _draw_in(layers)
        for layer in layers if down else reversed(layers):
            wanted = [_wanted(cell, down) for cell in layer]
            _settle(layer, wanted)
    for layer in layers:
        if not any(cell.size.height for cell in layer):  # the boxes have moved since
            _settle(layer, [_approach(cell) for cell in layer])


def _approach(cell: _Cell) -> float:
    """Return where an edge goes straight down to the box below, or to the way that it shares."""
    boxes = [other.x for other in cell.below if not other.shared]
    return median(boxes) if boxes else _wanted(cell, down=True)


def _draw_in(layers: list[list[_Cell]]) -> None:
    """Put shared ways among the boxes, out of which they are pushed only as far as they must be."""
    for layer in layers:
        others = [cell.x for cell in layer if not cell.shared]
        for cell in layer if others else ():
            cell.x = cell.x if not cell.shared else sum(others) / len(others)


def _wanted(cell: _Cell, down: bool) -> float:
    neighbours = (cell.above if down else cell.below) or cell.below or cell.above
    if cell.shared:
        neighbours = [other for other in neighbours if other.shared]
    elif cell.aside:
        neighbours = cell.above
    else:
        neighbours = [other for other in neighbours if not other.shared and not other.aside] or neighbours
    return median(other.x for other in neighbours) if neighbours else cell.x


@dataclass(slots=True)
class _CellBlock:
    """Cells that touch; `wishes` is the weighted sum of the block's left edges that its cells ask for."""

    cells: list[_Cell]
    width: float
    weight: float
    wishes: float

    @property
    def left(self) -> float:
        """Return the mean of the left edges that the cells ask for."""
        return self.wishes / self.weight

    def append(self, other: "_CellBlock") -> None:
        """Take in the block to the right: its cells ask for edges further left by this block's width."""
        self.wishes += other.wishes - other.weight * self.width
        self.weight += other.weight
        self.width += other.width
        self.cells += other.cells


def _settle(layer: list[_Cell], wanted: list[float]) -> None:
    """Put the cells as near to where they want to be as their order and widths allow.

    Cells that would overlap form a block, which stands where its cells want to be on the average.
    """
    blocks: list[_CellBlock] = []
    for cell, x in zip(layer, wanted, strict=True):
        weight = _SHARED_WEIGHT if cell.shared else _ASIDE_WEIGHT if cell.aside else 1.0
        wish = weight * (x - cell.size.width / 2)
        blocks.append(_CellBlock([cell], cell.size.width + COLUMN_GAP, weight, wish))
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
    """Return after how many points an edge reaches a shared way that another one has passed before it."""
    shared = [cell for cell in chain if cell.shared]
    known = bool(shared) and id(shared[0]) in passed
    passed.update(map(id, shared))
    if not known:
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
    """Return the points of an edge: straight through each layer, and slanting only between two."""
    first, last = chain[0], chain[-1]
    points = [(_spread(first, chain[1], first.below) - left, tops[first.layer] + first.size.height)]
    points.append((points[0][0], bottoms[first.layer] + _STUB))
    for cell in chain[1:-1]:
        points += [(cell.x - left, tops[cell.layer]), (cell.x - left, bottoms[cell.layer])]
    points.append((_spread(last, chain[-2], last.above) - left, tops[last.layer]))
    return [point for at, point in enumerate(points) if not at or point != points[at - 1]]


def _spread(cell: _Cell, neighbour: _Cell, side: list[_Cell]) -> float:
    """Return where on a box's side an edge ends: several stand apart, in the order of their other ends."""
    if len(side) < 2:
        return cell.x
    ordered = sorted(side, key=lambda other: other.x)
    at = next(index for index, other in enumerate(ordered) if other is neighbour)
    room = min(cell.size.width * 0.7, 22.0 * (len(side) - 1))
    return cell.x - room / 2 + room * at / (len(side) - 1)
