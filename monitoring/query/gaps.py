"""Empty buckets between and after points: linear, last, zero."""

import numpy as np

from monitoring.query.sources import Floats, Times

LIMIT = 300
"""Seconds after a real point for which it is interpolated, unless fill says otherwise."""


def filled(
    values: Floats,
    times: Times,
    method: str,
    limit: float,
    *,
    long_gaps: bool = True,
    earlier: Floats | None = None,
) -> Floats:
    """Rows with their empty buckets filled, at most `limit` seconds after the point before.

    Without `long_gaps`, a gap between two points that are further apart than that is left empty. The points
    before an empty bucket are those of `earlier`, where it is given, else those of `values`.

    "linear" goes straight to the next point, and stays level where there is none. Buckets before the first
    point stay empty. "null" fills nothing.
    """
    if method == "null" or not values.size:
        return values
    there = np.isfinite(values)
    known = values if earlier is None else earlier
    before = _preceding(np.isfinite(known))
    rows, columns = np.nonzero(~there & (before >= 0))
    last = before[rows, columns]
    near = times[columns] - times[last] <= limit
    if not long_gaps:
        after = _following(there)[rows, columns]
        closed = after < values.shape[1]
        near &= ~closed | (times[np.where(closed, after, 0)] - times[last] <= limit)
    rows, columns, last = rows[near], columns[near], last[near]
    result = values.copy()
    result[rows, columns] = _values(known, times, there, method, rows, columns, last)
    return result


def _values(
    values: Floats, times: Times, there: np.ndarray, method: str, rows: Times, columns: Times, last: Times
) -> Floats:
    if method == "zero":
        return np.zeros(len(rows))
    start = values[rows, last]
    if method == "last":
        return start
    after = _following(there)[rows, columns]
    known = after < values.shape[1]
    following = np.where(known, after, last)
    span = np.where(known, times[following] - times[last], 1)
    share = (times[columns] - times[last]) / span
    return start + (values[rows, following] - start) * share


def _preceding(there: np.ndarray) -> Times:
    """Return the column of the last point before each place; -1 where there is none."""
    place = np.where(there, np.arange(there.shape[1]), -1)
    last = np.maximum.accumulate(place, axis=1)
    return np.concatenate([np.full((len(last), 1), -1), last[:, :-1]], axis=1)


def _following(there: np.ndarray) -> Times:
    """Return the column of each place's next point, itself included; the number of columns where none is."""
    width = there.shape[1]
    place = np.where(there, np.arange(width), width)
    return np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
