"""Pool the values of distributions in DuckDB, by group and bucket, in bounded memory.

What comes to Python is a row for each cell (a group in a bucket). For a percentile the values are counted in
the bins of a sketch, which finds the bin that holds the rank; up to `MOST_REFINED` values, a second scan
reads the values of that bin and the answer is exact. DuckDB's own quantile functions would hold every value.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, cast

import duckdb
import numpy as np
from numpy.typing import NDArray

from monitoring.query.distribution import GAMMA, share_of

if TYPE_CHECKING:
    from monitoring.query.grid import Grid
    from monitoring.query.nodes import Metric
    from monitoring.query.sources import Floats, Members

Rows = dict[str, NDArray[np.generic]]
Parameters = list[list[int]]
_AGGREGATES = {
    "avg": "avg(value)",
    "sum": "sum(value)",
    "min": "min(value)",
    "max": "max(value)",
    "count": "CAST(count(*) AS DOUBLE)",
    "stddev": "stddev_pop(value)",
}
_SMALLEST, _ABOVE = 1e-9, 2_000
MOST_BINS = 5_000_000
"""Bins that one scan counts; a query of more groups and buckets is answered in several."""
_MIDDLE = f"sign(bin) * CASE WHEN bin = 0 THEN 0 ELSE exp((abs(bin) - {_ABOVE}) * {log(GAMMA)!r}) END"
MOST_REFINED = 5_000_000
"""Values up to which percentiles are exact; of more, the answer is the middle of the bin, within 1/128."""
_BINS = 300
"""Bins of a cell, roughly: values over two orders of magnitude."""
_KEY = (
    f"CASE WHEN value >= {_SMALLEST} THEN CAST(ln(value) * {1 / log(GAMMA)!r} AS INTEGER) + {_ABOVE}"
    f" WHEN value <= -{_SMALLEST} THEN -{_ABOVE} - CAST(ln(-value) * {1 / log(GAMMA)!r} AS INTEGER)"
    " ELSE 0 END"
)
"""The bin of a value: as `in_bins` has it, ascending with the value, 0 for what a sketch holds as zero."""


def pool(
    cursor: duckdb.DuckDBPyConnection,
    points: Callable[[int, float], str],
    node: "Metric",
    members: "Members",
    grid: "Grid",
    until: float,
) -> "Floats":
    """Return `values[group, bucket]` of a distribution, NaN where there is none.

    Args:
        cursor: runs the SQL.
        points: gives the SQL of the points in `[start, end)`: time, value, and series_id where not all
            series are in one group.
        node: the query, for its aggregator or threshold.
        members: which series are in which groups.
        grid: uniform buckets.
        until: points from then on do not count.
    """
    result = np.full(members.groups * len(grid), np.nan)
    groups, parameters = _groups(members)
    reduced = _percentile if _value(node) is None else _aggregated
    for first, last in _slices(members.groups, len(grid), whole=reduced is _aggregated):
        begin, end = int(grid.edges[first]), min(until, float(grid.edges[last]))
        cell = f"grp * {len(grid)} + {first} + CAST(floor((time - {begin}) / {grid.step}) AS INTEGER)"
        cells = f"(SELECT {cell} AS cell, value FROM {groups.format(points=points(begin, end))})"  # noqa: S608
        rows = reduced(cursor, cells, node, parameters)
        result[rows["cell"].astype(np.int64)] = rows["value"]
    return result.reshape(members.groups, len(grid))


def _groups(members: "Members") -> tuple[str, list[list[int]]]:
    """Return the SQL that gives each of the points its group, with a place for them, and its parameters."""
    if members.together:
        return "(SELECT 0::BIGINT AS grp, time, value FROM {points})", []
    keys = np.array([origin.key for origin in members.origins], np.int64)
    owners = "(SELECT unnest(?::BIGINT[]) AS series_id, unnest(?::BIGINT[]) AS grp)"
    return (
        f"(SELECT grp, time, value FROM {{points}} JOIN {owners} USING (series_id))",  # noqa: S608 - no values in it
        [keys[members.origin].tolist(), members.owner.tolist()],
    )


def _slices(groups: int, buckets: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Split the buckets, so that no scan counts more bins than `MOST_BINS`."""
    width = buckets if whole else max(1, MOST_BINS // (groups * _BINS))
    return pairwise([*range(0, buckets, width), buckets])


def _value(node: "Metric") -> str | None:
    """Return the SQL that reduces the values of a cell; None for percentiles."""
    if node.threshold is not None:
        operator = {"==": "="}.get(node.threshold.operator, node.threshold.operator)
        return f"CAST(count(*) FILTER (value {operator} {float(node.threshold.value)!r}) AS DOUBLE)"
    return _AGGREGATES.get(node.aggregator or "avg")


def _aggregated(cursor: duckdb.DuckDBPyConnection, cells: str, node: "Metric", values: Parameters) -> Rows:
    query = f"SELECT cell, {_value(node)} AS value FROM {cells} GROUP BY cell"  # noqa: S608 - a table of ours
    return cast("Rows", cursor.execute(query, values).fetchnumpy())


def _percentile(cursor: duckdb.DuckDBPyConnection, cells: str, node: "Metric", values: Parameters) -> Rows:
    counted = f"SELECT cell, {_KEY} AS bin, count(*) AS n FROM {cells} GROUP BY cell, bin"  # noqa: S608
    rank = f"CAST(floor({share_of(node)!r} * (total - 1) + 1e-9) AS BIGINT)"
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE ranked AS"  # noqa: S608
        f" SELECT cell, bin, total, {rank} - below AS rank, {_MIDDLE} AS middle FROM ("
        "SELECT *, sum(n) OVER (PARTITION BY cell) AS total,"
        f" sum(n) OVER (PARTITION BY cell ORDER BY bin) - n AS below FROM ({counted}))"
        f" WHERE below <= {rank} AND {rank} < below + n",
        values,
    )
    (count,) = cursor.execute("SELECT coalesce(sum(total), 0) FROM ranked").fetchall()[0]
    if count > MOST_REFINED:
        return cast("Rows", cursor.execute("SELECT cell, middle AS value FROM ranked").fetchnumpy())
    # Comparing with the ends of the bin, a little wider, is cheaper than the bin of every value.
    near = f"abs(value - middle) <= abs(middle) * 0.01 + {_SMALLEST}"
    query = (
        "SELECT cell, value FROM (SELECT *, sum(n) OVER (PARTITION BY cell ORDER BY value) AS upto"  # noqa: S608
        f" FROM (SELECT cell, value, rank, count(*) AS n FROM {cells} JOIN ranked USING (cell)"
        f" WHERE {near} AND {_KEY} = bin GROUP BY cell, value, rank)) WHERE upto > rank AND upto - n <= rank"
    )
    return cast("Rows", cursor.execute(query, values).fetchnumpy())
