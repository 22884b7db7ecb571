"""Find outliers among the groups of a query with DBSCAN and MAD, as described on Datadog's outlier page.

Each group is a point whose coordinates are its buckets in the window. The constant that normalises is not
published: `eps` is the tolerance times the median distance to the median series, and a deviation is counted
in median absolute deviations, as they are.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError

FEWEST_GROUPS = 3
"""The smallest number of groups for which outliers are computed."""

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]


def outliers(matrix: Matrix, method: str, tolerance: float, percentage: float = 20.0) -> Flags:
    """Return which rows (groups) of `matrix` (groups x buckets, NaN for no value) are outliers.

    `method` is dbscan, scaleddbscan, mad or scaledmad; `percentage` is the share of points that makes a group
    an outlier under MAD.

    Raises:
        InputError: another method.
    """
    name = method.lower()
    if name not in _METHODS:
        raise InputError(f"no outlier algorithm {method!r}", hint=f"one of {', '.join(_METHODS)}")
    if len(matrix) < FEWEST_GROUPS or not matrix.shape[1]:
        return np.zeros(len(matrix), dtype=np.bool_)
    filled = _fill(matrix)
    if name.startswith("scaled"):
        filled = _scale(filled)
    return _METHODS[name](filled, tolerance, percentage)


def _fill(matrix: Matrix) -> Matrix:
    """Fill missing values with the median of their bucket, so that a gap alone does not make an outlier."""
    known = ~np.isnan(matrix)
    columns = matrix[:, known.any(axis=0)]
    medians = np.nanmedian(columns, axis=0)
    return np.where(np.isnan(columns), medians, columns)


def _scale(matrix: Matrix) -> Matrix:
    """Divide each bucket by its median, so that proportional differences are not outliers."""
    medians = np.median(matrix, axis=0)
    return np.asarray(matrix / np.where(medians == 0, 1.0, np.abs(medians)))


def _dbscan(matrix: Matrix, tolerance: float, percentage: float) -> Flags:
    """Return the groups outside the largest cluster, in which neighbours have a distance of at most eps."""
    distance = np.linalg.norm(matrix[:, None, :] - matrix[None, :, :], axis=2)
    to_median = np.linalg.norm(matrix - np.median(matrix, axis=0), axis=1)
    eps = tolerance * float(np.median(to_median))
    labels = _components(distance <= max(eps, np.finfo(float).eps))
    sizes = np.bincount(labels)
    return np.asarray(labels != int(sizes.argmax()))


def _components(near: Flags) -> NDArray[np.int64]:
    labels = np.full(len(near), -1, dtype=np.int64)
    for start in range(len(near)):
        label, todo = int(labels.max()) + 1, [start]
        while todo:
            row = todo.pop()
            if labels[row] < 0:
                labels[row] = label
                todo.extend(np.flatnonzero(near[row] & (labels < 0)).tolist())
    return labels


def _mad(matrix: Matrix, tolerance: float, percentage: float) -> Flags:
    """Return the share of a group's points that are more than `tolerance` deviations from the median."""
    centre = np.median(matrix)
    deviations = np.abs(matrix - centre)
    odd = deviations > tolerance * np.median(deviations)
    return np.asarray(odd.mean(axis=1) * 100 >= percentage)


_METHODS: dict[str, Callable[[Matrix, float, float], Flags]] = {
    "dbscan": _dbscan,
    "scaleddbscan": _dbscan,
    "mad": _mad,
    "scaledmad": _mad,
}
