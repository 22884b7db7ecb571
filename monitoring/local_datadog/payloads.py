"""Metric payloads of the three intakes, read into a `Batch`.

A payload that is not of its shape is refused whole, as Datadog does, so that its sender learns it. What
Datadog takes and then ignores (points too old or too new, names that cannot be names) is counted.
"""

import contextlib
import gc
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeVar

import msgspec
import numpy as np

from monitoring.local_datadog.normal import Sources
from monitoring.local_datadog.replies import ApiError
from monitoring.store import Batch, Source
from monitoring.values import dataclass

NEWEST = 600
OLDEST = 3600
HISTORICAL = 15 * 31 * 86400
_V1_TYPES = {"count", "gauge", "rate"}
_V2_TYPES = ("", "count", "rate", "gauge")
_GO_TYPES = {
    "str": "string",
    "bool": "bool",
    "int": "number",
    "float": "number",
    "array": "array",
    "null": "null",
}

Dropped = dict[str, int]


class _V1Series(msgspec.Struct, gc=False):
    metric: str
    points: list[tuple[float, float]]
    type: str | None = None
    interval: float | None = None
    host: str | None = None
    device: str | None = None
    tags: tuple[str, ...] | None = None


class _Point(msgspec.Struct, gc=False):
    timestamp: float
    value: float


class _Resource(msgspec.Struct, gc=False):
    type: str | None = None
    name: str | None = None


class _V2Series(msgspec.Struct, gc=False):
    metric: str
    points: list[_Point]
    type: int | None = None
    interval: float | None = None
    tags: tuple[str, ...] | None = None
    resources: list[_Resource] | None = None


class _Distribution(msgspec.Struct, gc=False):
    metric: str
    points: list[tuple[float, list[float]]]
    host: str | None = None
    tags: tuple[str, ...] | None = None


class _V1Payload(msgspec.Struct):
    series: list[_V1Series] | None = None


class _V2Payload(msgspec.Struct):
    series: list[_V2Series] | None = None


class _Distributions(msgspec.Struct):
    series: list[_Distribution] | None = None


_DECODE_V1 = msgspec.json.Decoder(_V1Payload).decode
_DECODE_V2 = msgspec.json.Decoder(_V2Payload).decode
_DECODE_DISTRIBUTIONS = msgspec.json.Decoder(_Distributions).decode
_Payload = TypeVar("_Payload")
_Read = tuple[Source | None, list[float], list[float]]


@dataclass(slots=True)
class Reader:
    """Reads payloads at a moment; `historical` takes points up to 15 months old, distributions excepted."""

    sources: Sources
    historical: bool = False

    def v1(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """The body of /api/v1/series."""
        with _uncollected():
            return _batch(self._v1(_decoded(_DECODE_V1, body)), now, self._oldest)

    def v2(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """The body of /api/v2/series."""
        with _uncollected():
            return _batch(self._v2(_decoded(_DECODE_V2, body)), now, self._oldest)

    def distributions(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """The body of /api/v1/distribution_points."""
        with _uncollected():
            return _batch(self._distributions(_decoded(_DECODE_DISTRIBUTIONS, body)), now, OLDEST)

    @property
    def _oldest(self) -> int:
        return HISTORICAL if self.historical else OLDEST

    def _v1(self, payload: _V1Payload) -> Iterator[_Read]:
        for one in payload.series or ():
            tags = one.tags or ()
            if one.device:
                tags = (*tags, f"device:{one.device}")
            kind = one.type if one.type in _V1_TYPES else ""
            source = self.sources.get(one.metric, one.host or "", tags, kind or "", _interval(one.interval))
            yield source, [time for time, _ in one.points], [value for _, value in one.points]

    def _v2(self, payload: _V2Payload) -> Iterator[_Read]:
        for one in payload.series or ():
            tags, host = one.tags or (), ""
            for resource in one.resources or ():
                if resource.type == "host":
                    host = resource.name or ""
                else:
                    tags = (*tags, f"{resource.type}:{resource.name}")
            kind = _V2_TYPES[one.type or 0] if 0 <= (one.type or 0) < len(_V2_TYPES) else ""
            source = self.sources.get(one.metric, host, tags, kind, _interval(one.interval))
            yield source, [point.timestamp for point in one.points], [point.value for point in one.points]

    def _distributions(self, payload: _Distributions) -> Iterator[_Read]:
        for one in payload.series or ():
            source = self.sources.get(one.metric, one.host or "", one.tags or (), "distribution", None)
            times = [time for time, values in one.points for _ in values]
            yield source, times, list(chain.from_iterable(values for _, values in one.points))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing here makes a cycle, and looking for some trebles the time of a payload of many series."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _interval(given: float | None) -> int | None:
    return int(given) or None if given else None


def _decoded(decode: Callable[[bytes], _Payload], body: bytes) -> _Payload:
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = str(error)
        if found := re.fullmatch(r"Expected `object`, got `(\w+)`", text):
            text = f"json: cannot unmarshal {_GO_TYPES[found[1]]} into Go value of type models.MetricPayload"
        raise ApiError(400, f"Payload is not in the expected format: {text}", plain=True) from error


def _batch(series: Iterator[_Read], now: float, oldest: float) -> tuple[Batch, Dropped]:
    """The points that Datadog keeps (at most 10 minutes ahead, an hour old), and how many it does not."""
    sources: list[Source] = []
    lengths: list[int] = []
    times: list[float] = []
    values: list[float] = []
    unnamed = 0
    for source, new_times, new_values in series:
        if source is None:
            unnamed += len(new_times)
            continue
        sources.append(source)
        lengths.append(len(new_times))
        times += new_times
        values += new_values
    batch = Batch(
        sources, np.array(lengths, np.int64), np.array(times, np.float64), np.array(values, np.float64)
    )
    old, new = batch.times < now - oldest, batch.times > now + NEWEST
    dropped = {"name": unnamed, "too_old": int(old.sum()), "too_new": int(new.sum())}
    return (batch.only(~(old | new)) if dropped["too_old"] or dropped["too_new"] else batch), dropped
