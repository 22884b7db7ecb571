"""Geometry of a page in a photo: where its screen hangs, and the page seen from straight ahead."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Corners = NDArray[np.float64]
"""Four points (4, 2) as x and y in pixels: top left, top right, bottom right, bottom left."""

CANVAS = 0.03
"""Width of the screen's canvas around the page, in parts of the page's width."""
FLAT = (192, 108)
"""Width and height of a page that has been straightened."""
SMALLEST, WIDEST = 60, 4
"""The shortest side in pixels and the ratio of the sides at which a photo can show a page."""
PARTS = 24
"""Bright areas that are looked at; the screen is not the twenty-fifth."""
LOOK = 160
"""Width in pixels at which the screen is searched for."""


def homography(source: Corners, target: Corners) -> tuple[float, ...]:
    """Return the eight coefficients of Pillow's PERSPECTIVE, which maps output points to input points."""
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows, float), np.array(values, float)))


def straighten(photo: Image.Image) -> Image.Image | None:
    """Return the page in the photo as an RGB picture of `FLAT` size; None where no screen is visible."""
    corners = find_screen(photo)
    if corners is None:
        return None
    width, height = FLAT
    margin = CANVAS * width
    canvas = np.array(
        [
            [-margin, -margin],
            [width + margin, -margin],
            [width + margin, height + margin],
            [-margin, height + margin],
        ]
    )
    # Pillow samples single pixels: without a blur of the scale that is lost, text would turn into speckles.
    scale = float(np.linalg.norm(corners[1] - corners[0])) / width
    soft = photo.filter(ImageFilter.GaussianBlur(max(0.0, scale - 1) * 0.5))
    return soft.transform(
        FLAT, Image.Transform.PERSPECTIVE, homography(corners, canvas), Image.Resampling.BILINEAR
    )


def find_screen(photo: Image.Image) -> Corners | None:
    """Return the corners of the brightest large area in the photo; None where there is none."""
    if min(photo.size) < SMALLEST or max(photo.size) > WIDEST * min(photo.size):
        return None
    height = round(photo.height * LOOK / photo.width)
    small = (
        photo.convert("L").resize((LOOK, height), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1.2))
    )
    luminance = np.asarray(small, dtype=np.float64)
    area = _filled(_largest(luminance > _threshold(luminance)))
    if area.mean() < 0.06:
        return None
    rows, columns = np.nonzero(area)
    points = np.stack([columns + 0.5, rows + 0.5], axis=1)
    corners = _quadrilateral(points)
    if _area(corners) < 0.03 * luminance.size:
        return None
    return corners * [photo.width / LOOK, photo.height / height]


def _area(corners: Corners) -> float:
    """Return the area of a quadrilateral, negative where its corners run the other way round."""
    (x1, y1), (x2, y2) = corners[2] - corners[0], corners[3] - corners[1]
    return float(x1 * y2 - x2 * y1) / 2


def _threshold(luminance: NDArray[np.float64]) -> float:
    """Otsu's threshold: the one that parts dark from bright with the least spread on both sides."""
    counts, edges = np.histogram(luminance, bins=64)
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    split = (below > 0) & (above > 0)
    if not split.any():
        return float(edges[-1])  # one tone all over: nothing is brighter than the rest
    low, high = np.maximum(below, 1), np.maximum(above, 1)
    apart = np.where(split, below * above * (sums / low - (sums[-1] - sums) / high) ** 2, -1.0)
    return float(edges[int(np.argmax(apart)) + 1])


def _grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part of the mask."""
    left, best = mask.copy(), np.zeros_like(mask)
    for _ in range(PARTS):
        if left.sum() <= best.sum():
            break
        part = np.zeros_like(mask)
        part.flat[int(np.argmax(left))] = True
        size = 0
        while size != (size := int(part.sum())):
            for _ in range(8):
                part = _grow(part) & mask
        best = part if size > best.sum() else best
        left &= ~part
    return best


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the holes of the mask: a dark page is a hole in its bright canvas."""
    outside = np.pad(~mask, 1, constant_values=True)
    return np.asarray(~_from_border(outside)[1:-1, 1:-1], dtype=np.bool_)


def _from_border(free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what of `free` is connected to the top left corner."""
    part = np.zeros_like(free)
    part[0, 0] = True
    size = 0
    while size != (size := int(part.sum())):
        for _ in range(8):
            part = _grow(part) & free
    return part


def _quadrilateral(points: Corners) -> Corners:
    """Return the four points farthest out along the diagonals, each moved to where its two sides meet."""
    x, y = points[:, 0], points[:, 1]
    ends = [np.argmin(x + y), np.argmax(x - y), np.argmax(x + y), np.argmin(x - y)]
    rough = points[ends]
    sides = [_side(points, rough[n], rough[(n + 1) % 4]) for n in range(4)]
    corners = [_meet(sides[n - 1], sides[n]) for n in range(4)]
    return np.array(
        [new if np.linalg.norm(new - old) < 12 else old for new, old in zip(corners, rough, strict=True)]
    )


def _side(points: Corners, start: Corners, end: Corners) -> tuple[Corners, Corners]:
    """Return a line (point, direction) along the rim between two corners, by the rim's median distance."""
    direction = (end - start) / max(1e-9, float(np.linalg.norm(end - start)))
    normal = np.array([direction[1], -direction[0]])  # outwards: the corners run clockwise on the screen
    along, out = (points - start) @ direction, (points - start) @ normal
    length = max(1.0, float(np.linalg.norm(end - start)))
    bins = np.clip((along / length * 24).astype(int), -1, 24)
    rim = np.array(
        [[(n + 0.5) / 24 * length, out[bins == n].max()] for n in range(2, 22) if (bins == n).any()]
    )
    if len(rim) < 6:
        return start, direction
    near = rim[np.abs(rim[:, 1] - np.median(rim[:, 1])) < 3]
    slope, offset = np.polyfit(near[:, 0], near[:, 1], 1) if len(near) > 4 else (0.0, 0.0)
    return start + normal * offset, direction + normal * slope


def _meet(one: tuple[Corners, Corners], other: tuple[Corners, Corners]) -> Corners:
    """Where two lines cross; the start of the second where they run side by side."""
    matrix = np.stack([one[1], -other[1]], axis=1)
    if abs(np.linalg.det(matrix)) < 1e-6:
        return other[0]
    step = np.linalg.solve(matrix, other[0] - one[0])
    return np.asarray(one[0] + step[0] * one[1])
