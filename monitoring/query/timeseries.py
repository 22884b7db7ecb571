"""Represent the intermediate result of an expression: a row of values per group over common times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitoring.query.series import distinct
from monitoring.query.sources import Floats, Times

Group = tuple[str, ...]
"""The values of the grouping keys, in their order; `N/A` for a source without a key."""

NOT_THERE = "N/A"


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """`values[group, time]`, NaN for no value.

    `times` are the sorted starts of buckets of `step` seconds; buckets without points may be omitted.
    `counted`: as_count or as_rate, so that missing points are zeros in arithmetic. `smooth`: default_zero
    interpolates missing points. `guessed`: some value was interpolated between sources.
    """

    keys: tuple[str, ...]
    groups: tuple[Group, ...]
    times: Times
    values: Floats
    step: int
    counted: bool = False
    smooth: bool = True
    guessed: bool = False

    def mapped(self, values: Floats) -> "Lines":
        """Return the same lines with other values."""
        return replace(self, values=values)

    def present(self) -> "Lines":
        """Return the lines that have a value."""
        has_value = (
            np.flatnonzero(np.isfinite(self.values).any(axis=1)) if self.values.size else np.empty(0, int)
        )
        return self if len(has_value) == len(self.groups) else self.picked(has_value)

    def picked(self, rows: Sequence[int] | Times) -> "Lines":
        """Return the lines of some rows, in this order."""
        return replace(
            self,
            groups=tuple(self.groups[row] for row in rows),
            values=self.values[np.asarray(rows, dtype=int)],
        )

    def tags(self, row: int) -> tuple[str, ...]:
        """Return the tags (`key:value`) of a group."""
        return tuple(f"{key}:{value}" for key, value in zip(self.keys, self.groups[row], strict=True))

    def at(self, times: Times) -> "Lines":
        """Return the lines at other times; NaN for times without a bucket."""
        if len(times) == len(self.times) and np.array_equal(times, self.times):
            return self
        values = np.full((len(self.groups), len(times)), np.nan)
        indexes = np.searchsorted(times, self.times)
        fits = indexes < len(times)
        fits[fits] = times[indexes[fits]] == self.times[fits]
        values[:, indexes[fits]] = self.values[:, fits]
        return replace(self, times=times, values=values)


def empty(keys: tuple[str, ...], times: Times, step: int) -> Lines:
    """Return `Lines` without any lines."""
    return Lines(keys, (), times, np.empty((0, len(times))), step)


def aggregate_rows(values: Floats, owner: Times, groups: int, aggregator: str) -> Floats:
    """Aggregate the rows of each group to a row; missing values are ignored.

    Args:
        values: a row per source.
        owner: the group of each row, 0 to `groups` - 1, every group at least once.
        groups: the number of groups.
        aggregator: avg, sum, min, max or count.
    """
    if groups == len(values) and aggregator != "count":
        return values[np.argsort(owner, kind="stable")]
    order = np.argsort(owner, kind="stable")
    ordered = values[order]
    first = np.searchsorted(owner[order], np.arange(groups))
    if aggregator in {"min", "max"}:
        return (np.fmin if aggregator == "min" else np.fmax).reduceat(ordered, first, axis=0)
    has_value = np.isfinite(ordered)
    counts = np.add.reduceat(has_value, first, axis=0, dtype=np.int64).astype(np.float64)
    counts[counts == 0] = np.nan
    if aggregator == "count":
        return counts
    sums = np.add.reduceat(np.where(has_value, ordered, 0.0), first, axis=0)
    return np.where(np.isnan(counts), np.nan, sums if aggregator == "sum" else sums / counts)


def joined(left: Lines, right: Lines, shared: bool) -> tuple[Lines, Lines] | None:
    """Return both sides with the same groups and times, in order; None if their keys cannot be joined.

    Sides with equal keys are joined by equal values; an ungrouped side is joined with every group; a group
    of one side only is omitted. With `shared`, a side with fewer keys is joined with every group that agrees.
    """
    left, right = _same_times(left, right)
    if set(left.keys) == set(right.keys):
        return _paired(left, right)
    if not left.keys or not right.keys or (shared and _subset(left, right)):
        if len(left.keys) < len(right.keys):
            spread = _spread(left, right)
            return spread[0], spread[1]
        spread = _spread(right, left)
        return spread[1], spread[0]
    return None


def _subset(left: Lines, right: Lines) -> bool:
    return set(left.keys) <= set(right.keys) or set(right.keys) <= set(left.keys)


def _paired(left: Lines, right: Lines) -> tuple[Lines, Lines]:
    order = [right.keys.index(key) for key in left.keys]
    places = {tuple(group[at] for at in order): row for row, group in enumerate(right.groups)}
    pairs = [(row, places[group]) for row, group in enumerate(left.groups) if group in places]
    right_rows = right.picked([at for _, at in pairs])
    return left.picked([row for row, _ in pairs]), replace(
        right_rows, keys=left.keys, groups=tuple(left.groups[row] for row, _ in pairs)
    )


def _spread(left: Lines, right: Lines) -> tuple[Lines, Lines]:
    order = [right.keys.index(key) for key in left.keys]
    places = {group: row for row, group in enumerate(left.groups)}
    pairs = [
        (places[part], row)
        for row, group in enumerate(right.groups)
        if (part := tuple(group[at] for at in order)) in places
    ]
    matching = right.picked([row for _, row in pairs])
    spread = left.picked([row for row, _ in pairs])
    return replace(spread, keys=right.keys, groups=matching.groups), matching


def _same_times(left: Lines, right: Lines) -> tuple[Lines, Lines]:
    """Return both sides at the same times: all for equal buckets, otherwise those of the wider buckets."""
    if len(left.times) == len(right.times) and np.array_equal(left.times, right.times):
        return left, right
    if left.step == right.step:
        times = distinct(np.concatenate([left.times, right.times]))
    else:
        times = left.times if left.step > right.step else right.times
    return left.at(times), right.at(times)
