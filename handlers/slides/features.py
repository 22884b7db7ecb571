"""Features: what of a straightened page is compared, as one unit vector."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Vector = NDArray[np.float32]

GRID = (48, 27)
"""Cells of the low-resolution luminance, across and down."""
CELLS = (12, 6)
"""Cells of the gradient histograms, across and down."""
BINS = 8
"""Directions of a gradient histogram, over half a turn."""


def features(page: Image.Image) -> Vector:
    """Return the page's luminance and edges, light and contrast removed, as a unit vector (float32).

    Args:
        page: an RGB picture of a page seen from straight ahead (`geometry.FLAT`).
    """
    luminance = np.asarray(page.convert("L"), dtype=np.float32)
    parts = [_unit(_tones(page)), _unit(_edges(luminance)), 0.5 * _unit(_colours(page))]
    return _unit(np.concatenate(parts))


def _unit(values: NDArray[np.float32]) -> Vector:
    length = float(np.linalg.norm(values))
    return np.asarray(values / length if length > 1e-6 else values, dtype=np.float32)


def _tones(page: Image.Image) -> Vector:
    """Luminance minus what is usual around it: a reflection or a shadow falls away, text stays."""
    small = np.asarray(page.convert("L").resize(GRID, Image.Resampling.BOX), dtype=np.float32)
    local = small - _around(small, 4)
    spread = np.sqrt(_around(local**2, 6)) + 4.0
    return np.asarray(np.clip(local / spread, -2.5, 2.5), dtype=np.float32).ravel()


def _around(values: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Return the mean over a square of 2 * reach + 1 cells, with the border repeated."""
    for axis in (0, 1):
        padded = np.pad(values, [(reach + 1, reach) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        sums = np.cumsum(padded, axis=axis, dtype=np.float64)
        ends = np.take(sums, range(2 * reach + 1, sums.shape[axis]), axis=axis)
        starts = np.take(sums, range(sums.shape[axis] - 2 * reach - 1), axis=axis)
        values = np.asarray((ends - starts) / (2 * reach + 1), dtype=np.float32)
    return values


def _edges(luminance: NDArray[np.float32]) -> Vector:
    """How much edge runs in which direction, cell by cell; the root keeps one bold shape from ruling."""
    down, across = np.gradient(luminance)
    strength = np.hypot(down, across)
    direction = np.floor(np.mod(np.arctan2(down, across), np.pi) / np.pi * BINS).astype(int) % BINS
    rows, columns = luminance.shape
    row = np.arange(rows)[:, None] * CELLS[1] // rows
    column = np.arange(columns)[None, :] * CELLS[0] // columns
    bucket = (row * CELLS[0] + column) * BINS + direction
    sums = np.bincount(bucket.ravel(), strength.ravel(), CELLS[0] * CELLS[1] * BINS)
    return np.sqrt(sums).astype(np.float32)


def _colours(page: Image.Image) -> Vector:
    """Colour against the page's own mean, which carries the lamp's cast."""
    small = np.asarray(page.resize((12, 7), Image.Resampling.BOX), dtype=np.float32)
    chroma = small[..., :2] - small[..., 1:]
    return np.asarray(chroma - np.median(chroma, axis=(0, 1)), dtype=np.float32).ravel()
