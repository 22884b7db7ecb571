"""Decode metric payloads of the three intakes into a `Batch`.

A payload with an invalid structure is rejected as a whole, as by Datadog. Data that Datadog accepts and then
ignores (points that are too old or too new, invalid names) are counted.
"""

import contextlib
import gc
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np

from monitoring.local_datadog.normal import Sources, source
from monitoring.local_datadog.replies import ApiError
from monitoring.store import Batch, SeriesIdentity
from monitoring.store.batch import valid_interval
from monitoring.store.schema import MOST_INTERVAL

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


_ABSENT = msgspec.Raw(b"null")


class _V1Series(msgspec.Struct, gc=False):
    metric: str
    points: list[tuple[float, float]]
    type: str | None = None
    interval: float | None = None
    host: str | None = None
    device: str | None = None
    tags: msgspec.Raw = _ABSENT


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
    tags: msgspec.Raw = _ABSENT
    resources: msgspec.Raw = _ABSENT


class _Distribution(msgspec.Struct, gc=False):
    metric: str
    points: list[tuple[float, list[float]]]
    host: str | None = None
    tags: msgspec.Raw = _ABSENT


class _V1Payload(msgspec.Struct):
    series: list[_V1Series] | None = None


class _V2Payload(msgspec.Struct):
    series: list[_V2Series] | None = None


class _Distributions(msgspec.Struct):
    series: list[_Distribution] | None = None


_DECODE_V1 = msgspec.json.Decoder(_V1Payload).decode
_DECODE_V2 = msgspec.json.Decoder(_V2Payload).decode
_DECODE_DISTRIBUTIONS = msgspec.json.Decoder(_Distributions).decode
_DECODE_TAGS = msgspec.json.Decoder(tuple[str, ...] | None).decode
_DECODE_RESOURCES = msgspec.json.Decoder(list[_Resource] | None).decode
_Decoded = TypeVar("_Decoded")
_Points = TypeVar("_Points")
_Pair = tuple[float, float]
_Columns = tuple[list[float], list[float]]


@dataclass(slots=True)
class Reader:
    """Decode payloads; `historical` accepts points up to 15 months old, except distributions.

    Tags and resources stay bytes unless their series is new: decoding them took half of the time.
    """

    sources: Sources
    historical: bool = False

    def v1(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """Decode the body of /api/v1/series."""
        with _uncollected():
            return _batch(self._v1(_decoded(_DECODE_V1, body)), _of_pairs, now, self._oldest)

    def v2(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """Decode the body of /api/v2/series."""
        with _uncollected():
            return _batch(self._v2(_decoded(_DECODE_V2, body)), _of_points, now, self._oldest)

    def distributions(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """Decode the body of /api/v1/distribution_points."""
        with _uncollected():
            batch = self._distributions(_decoded(_DECODE_DISTRIBUTIONS, body))
            return _batch(batch, _of_pairs, now, OLDEST)

    @property
    def _oldest(self) -> int:
        return HISTORICAL if self.historical else OLDEST

    def _v1(self, payload: _V1Payload) -> Iterator[tuple[SeriesIdentity | None, list[_Pair]]]:
        get = self.sources.get
        for place, line in enumerate(payload.series or ()):
            key = (line.metric, line.host, line.device, bytes(line.tags), line.type, line.interval)
            identity = get(key, _UNKNOWN)
            if identity is _UNKNOWN:
                identity = self.sources.learn(key, _v1_source(line, place))
            yield identity, line.points  # type: ignore[misc]

    def _v2(self, payload: _V2Payload) -> Iterator[tuple[SeriesIdentity | None, list[_Point]]]:
        get = self.sources.get
        for place, line in enumerate(payload.series or ()):
            key = (line.metric, bytes(line.tags), bytes(line.resources), line.type, line.interval)
            identity = get(key, _UNKNOWN)
            if identity is _UNKNOWN:
                identity = self.sources.learn(key, _v2_source(line, place))
            yield identity, line.points  # type: ignore[misc]

    def _distributions(self, payload: _Distributions) -> Iterator[tuple[SeriesIdentity | None, list[_Pair]]]:
        for place, line in enumerate(payload.series or ()):
            key = (line.metric, line.host, bytes(line.tags))
            identity = self.sources.get(key, _UNKNOWN)
            if identity is _UNKNOWN:
                new = source(line.metric, line.host or "", _tags(line.tags, place), "distribution", None)
                identity = self.sources.learn(key, new)
            pairs = [(time, value) for time, values in line.points for value in values]
            yield identity, pairs  # type: ignore[misc]


_UNKNOWN = object()


def _v1_source(line: _V1Series, place: int) -> SeriesIdentity | None:
    tags = _tags(line.tags, place)
    if line.device:
        tags = (*tags, f"device:{line.device}")
    kind = line.type if line.type in _V1_TYPES else ""
    return source(line.metric, line.host or "", tags, kind or "", _interval(line.interval, place))


def _v2_source(line: _V2Series, place: int) -> SeriesIdentity | None:
    tags, host = _tags(line.tags, place), ""
    where = f"$.series[{place}].resources"
    for resource in _decoded(_DECODE_RESOURCES, bytes(line.resources), where) or ():
        if resource.type == "host":
            host = resource.name or ""
        else:
            tags = (*tags, f"{resource.type}:{resource.name}")
    kind = _V2_TYPES[line.type or 0] if 0 <= (line.type or 0) < len(_V2_TYPES) else ""
    return source(line.metric, host, tags, kind, _interval(line.interval, place))


def _tags(raw: msgspec.Raw, place: int) -> tuple[str, ...]:
    return _decoded(_DECODE_TAGS, bytes(raw), f"$.series[{place}].tags") or ()


def _of_pairs(points: list[_Pair]) -> _Columns:
    return [time for time, _ in points], [value for _, value in points]


def _of_points(points: list[_Point]) -> _Columns:
    return [point.timestamp for point in points], [point.value for point in points]


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Disable the garbage collector: there are no cycles, and it would triple the time for many series."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _interval(seconds: float | None, place: int) -> int | None:
    if seconds and not 0 <= seconds <= MOST_INTERVAL:
        text = f"interval is {seconds:g}: expected 0 to {MOST_INTERVAL} - at `$.series[{place}].interval`"
        raise ApiError(400, f"Payload is not in the expected format: {text}", plain=True)
    return valid_interval(seconds)


def _decoded(decode: Callable[[bytes], _Decoded], body: bytes, where: str = "") -> _Decoded:
    """Decode a body, or the part of a body at `where`."""
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = str(error)
        if where:
            text = text.replace("`$", f"`{where}") if "`$" in text else f"{text} - at `{where}`"
        elif match := re.fullmatch(r"Expected `object`, got `(\w+)`", text):
            text = f"json: cannot unmarshal {_GO_TYPES[match[1]]} into Go value of type models.MetricPayload"
        raise ApiError(400, f"Payload is not in the expected format: {text}", plain=True) from error


def _batch(
    series: Iterable[tuple[SeriesIdentity | None, list[_Points]]],
    split: Callable[[list[_Points]], _Columns],
    now: float,
    oldest: float,
) -> tuple[Batch, Dropped]:
    """Return the points that Datadog keeps (10 minutes ahead to an hour old), and the number of others."""
    sources: list[SeriesIdentity] = []
    lengths: list[int] = []
    points: list[_Points] = []
    unnamed = 0
    for identity, new in series:
        if identity is None:
            unnamed += len(new)
            continue
        sources.append(identity)
        lengths.append(len(new))
        points += new
    times, values = split(points)
    batch = Batch(
        sources, np.array(lengths, np.int64), np.array(times, np.float64), np.array(values, np.float64)
    )
    old, new_ones = batch.times < now - oldest, batch.times > now + NEWEST
    dropped = {"name": unnamed, "too_old": int(old.sum()), "too_new": int(new_ones.sum())}
    if not (dropped["too_old"] or dropped["too_new"]):
        return batch, dropped
    return batch.only(~(old | new_ones)), dropped
