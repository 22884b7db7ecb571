"""Compute with time intervals: sorted pairs `(start, end)` of seconds that neither touch nor overlap."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Interval = tuple[int, int]
Spans = tuple[Interval, ...]


def union(spans: Iterable[Interval]) -> Spans:
    """Return the union of the spans as intervals; empty spans are dropped."""
    intervals: list[Interval] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if intervals and start <= intervals[-1][1]:
            intervals[-1] = (intervals[-1][0], max(intervals[-1][1], end))
        else:
            intervals.append((start, end))
    return tuple(intervals)


def within(spans: Iterable[Interval], start: int, end: int) -> Spans:
    """Return the parts of the intervals between `start` and `end`."""
    return union((max(begin, start), min(two, end)) for begin, two in spans)


def without(spans: Spans, removed: Spans) -> Spans:
    """Return the time of `spans` that no interval of `removed` covers."""
    intervals: list[Interval] = []
    for start, end in spans:
        at = start
        for low, high in within(removed, start, end):
            intervals.append((at, low))
            at = high
        intervals.append((at, end))
    return union(intervals)


def elapsed(spans: Spans, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the number of seconds of the spans before each time, an array of the length of `times`."""
    if not spans:
        return np.zeros(len(times))
    edges = np.array(spans, np.float64)
    lengths = edges[:, 1] - edges[:, 0]
    at_ends = np.cumsum(lengths)
    return np.interp(times, edges.ravel(), np.column_stack([at_ends - lengths, at_ends]).ravel())


def covered(spans: Spans, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many seconds of each bucket, between neighbouring edges, the spans cover."""
    return np.diff(elapsed(spans, edges))


def runs(flags: NDArray[np.bool_], starts: NDArray[np.int64], seconds: int) -> Spans:
    """Return the intervals of the slices whose flag is set, each `seconds` long from its start."""
    return union((start, start + seconds) for start in starts[flags].tolist())
