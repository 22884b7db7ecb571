"""What is appended at once: points of many sources as columns, and how a batch stands in the journal."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from monitoring.series import Series


class Source(NamedTuple):
    """What a series is, without its points: one metric, host and full tag set.

    `tags` are normalised, sorted, without the host. `type` is "" where the sender did not say.
    """

    metric: str
    host: str
    tags: tuple[str, ...]
    type: str
    interval: int | None


@dataclass(slots=True)
class Batch:
    """Points of many sources: `lengths[i]` of the times and values belong to `sources[i]`, one after
    another.
    """

    sources: list[Source] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, series: Iterable[Series]) -> Self:
        """The batch of whole `Series`."""
        batch = cls()
        for one in series:
            source = Source(one.metric, one.host, tuple(sorted(one.tags)), one.type, one.interval)
            batch.sources.append(source)
            batch.lengths.append(len(one.times))
            batch.times.extend(one.times.tolist())
            batch.values.extend(one.values.tolist())
        return batch

    def add(self, source: Source, times: Sequence[float], values: Sequence[float]) -> None:
        """Append one source's points."""
        self.sources.append(source)
        self.lengths.append(len(times))
        self.times.extend(times)
        self.values.extend(values)


class Columns(NamedTuple):
    """Points with their series ids, and the series that had not been stored so."""

    ids: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    series: list[tuple[int, Source]]


_LENGTHS = struct.Struct("<II")


def encode(columns: Columns) -> bytes:
    """The bytes of a batch in the journal: new series as JSON, then the three columns as they lie in
    memory.
    """
    head = orjson.dumps([(ident, tuple(source)) for ident, source in columns.series])
    parts = (columns.ids, columns.times, columns.values)
    return b"".join((_LENGTHS.pack(len(head), len(columns.ids)), head, *(part.tobytes() for part in parts)))


def decode(payload: bytes) -> Columns:
    """What `encode` wrote."""
    head, count = _LENGTHS.unpack_from(payload)
    at = _LENGTHS.size + head
    ids = np.frombuffer(payload, np.int32, count, at)
    times = np.frombuffer(payload, np.int64, count, at + 4 * count)
    values = np.frombuffer(payload, np.float64, count, at + 12 * count)
    series = [(ident, _source(row)) for ident, row in orjson.loads(payload[_LENGTHS.size : at])]
    return Columns(ids, times, values, series)


def _source(row: list[Any]) -> Source:
    metric, host, tags, kind, interval = row
    return Source(metric, host, tuple(tags), kind, interval)
