"""Define a batch, the points of many sources in columns, and its encoding in the journal."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitoring.query.series import Series
from monitoring.store.schema import MOST_INTERVAL


class SeriesIdentity(NamedTuple):
    """Identify a series: one metric, host and full tag set.

    `tags` are normalised and sorted, without the host. `type` is "" if the sender gave none.
    """

    metric: str
    host: str
    tags: tuple[str, ...]
    type: str
    interval: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Points of many sources: `lengths[i]` of the times and values belong to `sources[i]`, one after another.

    `times` are in seconds and may have fractions.
    """

    sources: list[SeriesIdentity]
    lengths: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, series: Iterable[Series]) -> Self:
        """Return the batch of all points of some series."""
        lines = list(series)
        return cls(
            [
                SeriesIdentity(line.metric, line.host, tuple(sorted(line.tags)), line.type, line.interval)
                for line in lines
            ],
            np.array([len(line.times) for line in lines], np.int64),
            np.concatenate([np.empty(0), *(line.times for line in lines)]),
            np.concatenate([np.empty(0), *(line.values for line in lines)]),
        )

    def only(self, mask: NDArray[np.bool_]) -> Self:
        """Return a batch of the points for which `mask` (one flag per point) is true."""
        owners = np.repeat(np.arange(len(self.sources)), self.lengths)[mask]
        lengths = np.bincount(owners, minlength=len(self.sources))
        return replace(self, lengths=lengths, times=self.times[mask], values=self.values[mask])


class Columns(NamedTuple):
    """Points with their series ids, and the series (id, identity) that are new or have changed."""

    ids: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    series: list[tuple[int, SeriesIdentity]]


_LENGTHS = struct.Struct("<II")


def encode(columns: Columns) -> bytes:
    """Encode a batch for the journal: new series as JSON, then the bytes of the three columns."""
    head = msgspec.json.encode([(ident, tuple(source)) for ident, source in columns.series])
    parts = (columns.ids, columns.times, columns.values)
    return b"".join((_LENGTHS.pack(len(head), len(columns.ids)), head, *(part.tobytes() for part in parts)))


def decode(payload: bytes) -> Columns:
    """Decode what `encode` wrote."""
    head, count = _LENGTHS.unpack_from(payload)
    at = _LENGTHS.size + head
    ids = np.frombuffer(payload, np.int32, count, at)
    times = np.frombuffer(payload, np.int64, count, at + 4 * count)
    values = np.frombuffer(payload, np.float64, count, at + 12 * count)
    series = [(ident, _source(row)) for ident, row in msgspec.json.decode(payload[_LENGTHS.size : at])]
    return Columns(ids, times, values, series)


def _source(row: list[Any]) -> SeriesIdentity:
    metric, host, tags, kind, interval = row
    return SeriesIdentity(metric, host, tuple(tags), kind, valid_interval(interval))


def valid_interval(seconds: float | None) -> int | None:
    """Return an interval in whole seconds; None if it is missing or outside the column's range."""
    return int(seconds) if seconds and 1 <= seconds <= MOST_INTERVAL else None
