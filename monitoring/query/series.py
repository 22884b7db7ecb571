"""Series: points of one source as arrays, the currency of evaluation, tests of monitors and pictures."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MetricType = Literal["gauge", "count", "rate", "distribution"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The points of one source (metric, host and full tag set), times ascending.

    `times` are whole seconds since the epoch. For `count` and `rate`, `interval` is the length in seconds
    that one point stands for. A `distribution` holds raw values: one time may occur many times.
    For the other types a time occurs once (the last write won).
    """

    metric: str
    tags: tuple[str, ...]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    type: MetricType = "gauge"
    interval: int | None = None
    host: str = ""


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct values, ascending; `np.unique` would import masked arrays, which takes 20 ms."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered
