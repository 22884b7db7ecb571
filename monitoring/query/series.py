"""Define `Series`, the points of a source as arrays."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MetricType = Literal["gauge", "count", "rate", "distribution"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The points of a source (metric, host and full tag set) in the order of their times.

    `times` are integer seconds since the epoch. For `count` and `rate`, `interval` is the period of a point
    in seconds. The values of a `distribution` are raw values, and a time may occur several times; for the
    other types each time occurs once (the last write wins).
    """

    metric: str
    tags: tuple[str, ...]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    type: MetricType = "gauge"
    interval: int | None = None
    host: str = ""


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct values, sorted; `np.unique` would import masked arrays, which takes 20 ms."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered
