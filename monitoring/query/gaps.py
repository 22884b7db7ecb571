"""Fill the empty buckets between and after points: linear, last, zero."""

import numpy as np

from monitoring.query.sources import Floats, Times

LIMIT = 300
"""Seconds after a point for which values are interpolated, unless fill() has another limit."""


def filled(
    values: Floats,
    times: Times,
    method: str,
    limit: float,
    *,
    long_gaps: bool = True,
    earlier: Floats | None = None,
) -> Floats:
    """Return the rows with empty buckets filled, at most `limit` seconds after the preceding point.

    Without `long_gaps`, a gap between two points that are further apart remains empty. The points before an
    empty bucket are those of `earlier`, if it is given, otherwise those of `values`.

    "linear" interpolates to the next point, or repeats the last point if there is none. Buckets before the
    first point remain empty. "null" fills nothing.
    """
    if method == "null" or not values.size:
        return values
    has_value = np.isfinite(values)
    preceding = values if earlier is None else earlier
    before = _preceding(np.isfinite(preceding))
    rows, columns = np.nonzero(~has_value & (before >= 0))
    last = before[rows, columns]
    near = times[columns] - times[last] <= limit
    if not long_gaps:
        after = _following(has_value)[rows, columns]
        closed = after < values.shape[1]
        near &= ~closed | (times[np.where(closed, after, 0)] - times[last] <= limit)
    rows, columns, last = rows[near], columns[near], last[near]
    result = values.copy()
    result[rows, columns] = _values(preceding, times, has_value, method, rows, columns, last)
    return result


def _values(
    values: Floats, times: Times, has_value: np.ndarray, method: str, rows: Times, columns: Times, last: Times
) -> Floats:
    if method == "zero":
        return np.zeros(len(rows))
    start = values[rows, last]
    if method == "last":
        return start
    after = _following(has_value)[rows, columns]
    has_next = after < values.shape[1]
    following = np.where(has_next, after, last)
    span = np.where(has_next, times[following] - times[last], 1)
    share = (times[columns] - times[last]) / span
    return start + (values[rows, following] - start) * share


def _preceding(has_value: np.ndarray) -> Times:
    """Return the column of the last point before each column; -1 if there is none."""
    columns = np.where(has_value, np.arange(has_value.shape[1]), -1)
    last = np.maximum.accumulate(columns, axis=1)
    return np.concatenate([np.full((len(last), 1), -1), last[:, :-1]], axis=1)


def _following(has_value: np.ndarray) -> Times:
    """Return the column of the first point at or after each column; the number of columns if none."""
    width = has_value.shape[1]
    columns = np.where(has_value, np.arange(width), width)
    return np.minimum.accumulate(columns[:, ::-1], axis=1)[:, ::-1]
