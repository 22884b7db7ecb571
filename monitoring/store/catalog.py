"""Keep the catalog of all series: their ids, and the latest second that is stored for each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.store.batch import Batch, Columns, SeriesIdentity
from monitoring.store.schema import LATEST

DISTRIBUTION: Final = "distribution"
_Key = tuple[str, str, tuple[str, ...], bool]


def _key(source: SeriesIdentity) -> _Key:
    return (source.metric, source.host, source.tags, source.type == DISTRIBUTION)


class Catalog:
    """All series of the database, in memory, so that the ids of a batch need no query."""

    def __init__(self) -> None:
        self._ids: dict[SeriesIdentity, int] = {}
        self._current: dict[_Key, tuple[int, SeriesIdentity]] = {}
        self._metrics: dict[str, dict[int, SeriesIdentity]] = {}
        self._owed: list[tuple[int, SeriesIdentity]] = []
        self._last = np.full(1024, np.iinfo(np.int64).min, np.int64)

    def __len__(self) -> int:
        return len(self._current)

    def learn(self, ident: int, source: SeriesIdentity) -> None:
        """Add a series that was read from the database or the journal."""
        if (old := self._current.get(_key(source))) is not None:
            self._ids.pop(old[1], None)
        self._current[_key(source)] = (ident, source)
        self._ids[source] = ident
        self._metrics.setdefault(source.metric, {})[ident] = source
        while ident >= len(self._last):
            self._last = np.concatenate((self._last, np.full_like(self._last, np.iinfo(np.int64).min)))

    def sources(self, metric: str) -> dict[int, SeriesIdentity]:
        """Return the series of a metric by their ids."""
        return dict(self._metrics.get(metric, {}))

    def columns(self, batch: Batch) -> Columns:
        """Return the batch with series ids; times are rounded to seconds, non-finite values are dropped.

        Raises:
            InputError: a time is negative or too large to be in seconds since the epoch.
        """
        ids_by_identity = self._ids
        ids = [ids_by_identity.get(source) for source in batch.sources]
        for index, ident in enumerate(ids):
            if ident is None:
                ids[index] = self._enter(batch.sources[index])
        times = np.rint(batch.times)
        if len(times) and not (times.min() >= 0 and times.max() < LATEST):
            raise InputError("a point's time is not in seconds since the epoch")
        repeated = np.repeat(np.asarray(ids, np.int32), batch.lengths)
        values = batch.values
        if not (finite := np.isfinite(values)).all():
            repeated, times, values = repeated[finite], times[finite], values[finite]
        return Columns(repeated, times.astype(np.int64), values, list(self._owed))

    def said(self) -> None:
        """Note that the journal has the last columns, so that their new series are not written again."""
        self._owed.clear()

    def _enter(self, source: SeriesIdentity) -> int:
        if (ident := self._ids.get(source)) is not None:
            return ident
        current = self._current.get(_key(source))
        ident = current[0] if current else len(self._current)
        self.learn(ident, source)
        self._owed.append((ident, source))
        return ident

    def saw(self, ids: NDArray[np.int32], times: NDArray[np.int64]) -> None:
        """Update the latest stored second of each series from these stored points."""
        np.maximum.at(self._last, ids, times)

    def maybe_stored(self, ids: NDArray[np.int32], times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which points may be stored already: those not later than the latest one of their series."""
        return times <= self._last[ids]
