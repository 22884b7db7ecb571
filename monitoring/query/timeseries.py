"""Hold an expression's intermediate result: one row of values for each group, over shared times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitoring.query.series import distinct
from monitoring.query.sources import Floats, Times

Group = tuple[str, ...]
"""The values of the grouped keys, in the order of the keys; a source without a key has `N/A`."""

NOT_THERE = "N/A"


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """`values[group, time]`, NaN where there is no value.

    `times` are the starts of buckets of `step` seconds, ascending; buckets in which nothing has a point may
    be left out. `counted`: made with as_count or as_rate, so that missing points are zeros in arithmetic.
    `smooth`: missing points are interpolated by default_zero. `guessed`: some value was interpolated between
    sources.
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
        kept = np.flatnonzero(np.isfinite(self.values).any(axis=1)) if self.values.size else np.empty(0, int)
        return self if len(kept) == len(self.groups) else self.picked(kept)

    def picked(self, rows: Sequence[int] | Times) -> "Lines":
        """Return some of the lines, in that order."""
        return replace(
            self,
            groups=tuple(self.groups[row] for row in rows),
            values=self.values[np.asarray(rows, dtype=int)],
        )

    def tags(self, row: int) -> tuple[str, ...]:
        """`key:value` of one group."""
        return tuple(f"{key}:{value}" for key, value in zip(self.keys, self.groups[row], strict=True))

    def at(self, times: Times) -> "Lines":
        """Return the lines at other times: NaN where there was no bucket."""
        if len(times) == len(self.times) and np.array_equal(times, self.times):
            return self
        values = np.full((len(self.groups), len(times)), np.nan)
        place = np.searchsorted(times, self.times)
        fits = place < len(times)
        fits[fits] = times[place[fits]] == self.times[fits]
        values[:, place[fits]] = self.values[:, fits]
        return replace(self, times=times, values=values)


def empty(keys: tuple[str, ...], times: Times, step: int) -> Lines:
    """No lines at all."""
    return Lines(keys, (), times, np.empty((0, len(times))), step)


def aggregate_rows(values: Floats, owner: Times, groups: int, aggregator: str) -> Floats:
    """Rows of the same owner as one row; missing values take no part.

    Args:
        values: one row a source.
        owner: the group of each row, 0 to `groups` - 1, every group at least once.
        groups: how many there are.
        aggregator: avg, sum, min, max or count.
    """
    if groups == len(values) and aggregator != "count":
        return values[np.argsort(owner, kind="stable")]
    order = np.argsort(owner, kind="stable")
    ordered = values[order]
    first = np.searchsorted(owner[order], np.arange(groups))
    if aggregator in {"min", "max"}:
        return (np.fmin if aggregator == "min" else np.fmax).reduceat(ordered, first, axis=0)
    there = np.isfinite(ordered)
    counts = np.add.reduceat(there, first, axis=0, dtype=np.int64).astype(np.float64)
    counts[counts == 0] = np.nan
    if aggregator == "count":
        return counts
    sums = np.add.reduceat(np.where(there, ordered, 0.0), first, axis=0)
    return np.where(np.isnan(counts), np.nan, sums if aggregator == "sum" else sums / counts)


def joined(left: Lines, right: Lines, shared: bool) -> tuple[Lines, Lines] | None:
    """Both sides with the same groups and times, in order; None if their keys do not go together.

    Equal keys join on equal values; an ungrouped side goes with every group of the other; a group that one
    side lacks is left out. With `shared`, the side with fewer keys goes with every group that agrees on them.
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


def _spread(few: Lines, many: Lines) -> tuple[Lines, Lines]:
    order = [many.keys.index(key) for key in few.keys]
    places = {group: row for row, group in enumerate(few.groups)}
    pairs = [
        (places[part], row)
        for row, group in enumerate(many.groups)
        if (part := tuple(group[at] for at in order)) in places
    ]
    kept = many.picked([row for _, row in pairs])
    spread = few.picked([row for row, _ in pairs])
    return replace(spread, keys=many.keys, groups=kept.groups), kept


def _same_times(left: Lines, right: Lines) -> tuple[Lines, Lines]:
    """Both at the same times: all of them if the buckets are alike, else those of the wider buckets."""
    if len(left.times) == len(right.times) and np.array_equal(left.times, right.times):
        return left, right
    if left.step == right.step:
        times = distinct(np.concatenate([left.times, right.times]))
    else:
        times = left.times if left.step > right.step else right.times
    return left.at(times), right.at(times)
