"""Divide points, spans and logs into batches within the limits of Datadog's intakes.

A batch has its encoded items as a tuple until it is sent, so that a batch that is too large can be halved.
Limits: logs 5 MB and 1,000 entries per request, 1 MB per entry; metrics 3.2 MB; traces 3.2 MB per payload.
All sizes are before compression, so that the division does not depend on how well a batch compresses.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from isal import igzip, isal_zlib

from monitoring.forwarder.protobuf import encode_payload, encode_trace
from monitoring.lines import Point
from monitoring.log_events.codec import encode
from monitoring.log_events.telemetry import Log, LogContext, SpanRecord

Kind = Literal["distributions", "series", "traces", "logs"]

LOG_ENTRIES = 1000
LOG_BYTES = 4_500_000
LOG_ENTRY_BYTES = 990_000
METRIC_BYTES = 3_000_000
TRACE_BYTES = 3_000_000
_COMPRESSION = 1  # isal's level 1 is smaller than zlib's 6 on log text, at a tenth of its time


class Batch(NamedTuple):
    """The content of a request: its kind, its encoded parts and its position.

    Args:
        position: identifies the pieces that the items were read from; it is the same at every attempt.
        start: the index of the first item among the `total` items of this kind at the position.
        counts: the number of items in each part; empty if each part is one item.
        whole: the identity of the batch that was halved into this one, "" if none was.
    """

    kind: Kind
    parts: tuple[bytes, ...]
    position: str
    env: str = ""
    start: int = 0
    total: int = 0
    counts: tuple[int, ...] = ()
    whole: str = ""

    @property
    def items(self) -> int:
        """The number of points, spans or log entries in the batch."""
        return sum(self.counts) if self.counts else len(self.parts)

    @property
    def identity(self) -> str:
        """A digest of the batch's position, not of its content: two equal batches have two identities.

        Its last 40 digits identify the position; batches of other kinds at the position have them too.
        If a batch is the only one of its kind at the position, its identity does not depend on its number of
        items, because the duration of a state may be unknown at another attempt.
        """
        items = self.items
        span = "all" if items == self.total else f"{self.start}-{self.start + items}/{self.total}"
        return _digest(f"{self.kind}\n{span}")[:24] + _digest(self.position)[:40]

    def body(self) -> bytes:
        """Return the request's body before compression."""
        if self.kind == "logs":
            return b"[" + b",".join(self.parts) + b"]"
        if self.kind == "traces":
            return encode_payload(self.parts, self.env)
        return b'{"series":[' + b",".join(self.parts) + b"]}"

    def wire(self) -> tuple[bytes, str]:
        """Return the compressed body and its Content-Encoding."""
        if self.kind == "traces":
            return igzip.compress(self.body(), compresslevel=_COMPRESSION, mtime=0), "gzip"
        return isal_zlib.compress(self.body(), _COMPRESSION), "deflate"

    def halves(self) -> tuple["Batch", "Batch"] | None:
        """Return the batch as two batches, or None if it has a single part."""
        if len(self.parts) < 2:
            return None
        middle, whole = len(self.parts) // 2, self.whole or self.identity
        first = self._replace(parts=self.parts[:middle], counts=self.counts[:middle], whole=whole)
        second = self._replace(parts=self.parts[middle:], counts=self.counts[middle:], whole=whole)
        return first, second._replace(start=self.start + first.items)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def log_batches(logs: Collection[Log], position: str) -> Iterator[Batch]:
    """Yield the log entries in order, in batches within the limits of the logs intake."""
    parts: list[bytes] = []
    size = start = 0
    last: LogContext | None = None
    suffix = b""
    for message, timestamp, context in logs:
        if context is not last:
            last, suffix = context, b',"timestamp":%d' + context.suffix().replace(b"%", b"%%")
        part = b'{"message":' + encode(message) + suffix % timestamp
        if len(part) > LOG_ENTRY_BYTES:
            part = _cut_entry(message, suffix % timestamp)
        size += len(part) + 1
        if size > LOG_BYTES or len(parts) == LOG_ENTRIES:
            yield Batch("logs", tuple(parts), position, "", start, len(logs))
            start += len(parts)
            parts, size = [], len(part) + 1
        parts.append(part)
    if parts:
        yield Batch("logs", tuple(parts), position, "", start, len(logs))


def _cut_entry(message: str, tail: bytes) -> bytes:
    """Truncate an entry over 1 MB and add a note to it, because Datadog would truncate it silently."""
    note = f"… [{len(message)} characters, truncated at Datadog's limit of 1 MB]"
    room = LOG_ENTRY_BYTES - len(tail)
    while len(encode(message)) > room - 200:
        message = message[: len(message) * 3 // 4]
    return b'{"message":' + encode(message + note) + tail


_Parts = Iterable[tuple[bytes, int]]
"""Encoded parts, each with its number of items."""


def _sized(
    kind: Kind, parts: _Parts, limit: int, position: str, total: int, env: str = ""
) -> Iterator[Batch]:
    batch_parts: list[bytes] = []
    counts: list[int] = []
    size = start = 0
    for part, count in parts:
        size += len(part) + 1
        if batch_parts and size > limit:
            yield Batch(kind, tuple(batch_parts), position, env, start, total, tuple(counts))
            start += sum(counts)
            batch_parts, counts, size = [], [], len(part) + 1
        batch_parts.append(part)
        counts.append(count)
    if batch_parts:
        yield Batch(kind, tuple(batch_parts), position, env, start, total, tuple(counts))


def metric_batches(points: Iterable[Point], position: str, native: bool = False) -> Iterator[Batch]:
    """Yield the points as distributions, or, with `native`, counts and gauges as series of their type.

    Datadog keeps only one of several `count` points of the same second and tag set, even from different
    senders, but adds up samples of a distribution. Therefore distributions are the default.
    """
    distributions, series = _grouped(points, native)
    totals = [sum(map(_samples, groups.values())) for groups in (distributions, series)]
    yield from _sized("distributions", _distribution_parts(distributions), METRIC_BYTES, position, totals[0])
    yield from _sized("series", _series_parts(series), METRIC_BYTES, position, totals[1])


def _samples(times: dict[int, list[float]]) -> int:
    return sum(map(len, times.values()))


_Key = tuple[str, tuple[str, ...]]


def _grouped(
    points: Iterable[Point], native: bool
) -> tuple[
    dict[_Key, dict[int, list[float]]], dict[tuple[str, str, tuple[str, ...]], dict[int, list[float]]]
]:
    distributions: dict[_Key, dict[int, list[float]]] = {}
    series: dict[tuple[str, str, tuple[str, ...]], dict[int, list[float]]] = {}
    for metric, value, timestamp, kind, tags in points:
        if native and kind in {"count", "gauge"}:
            times = series.setdefault((kind, metric, tags), {})
        else:
            key = (metric, tags)
            distribution = distributions.get(key)
            times = distribution if distribution is not None else distributions.setdefault(key, {})
        second = int(timestamp)
        values = times.get(second)
        if values is None:
            times[second] = [value]
        else:
            values.append(value)
    return distributions, series


_VALUES = 5_000  # samples per part, so that a batch of a single series can still be halved


def _distribution_parts(groups: dict[_Key, dict[int, list[float]]]) -> _Parts:
    for (metric, tags), times in groups.items():
        for points, count in _chunks(times):
            body = {"metric": metric, "points": points, "tags": tags, "type": "distribution"}
            yield encode(body), count


def _chunks(times: dict[int, list[float]]) -> Iterator[tuple[list[tuple[int, Sequence[float]]], int]]:
    chunk: list[tuple[int, Sequence[float]]] = []
    count = 0
    for second, values in times.items():
        for start in range(0, len(values), _VALUES):
            piece = values[start : start + _VALUES]
            if count + len(piece) > _VALUES:
                yield chunk, count
                chunk, count = [], 0
            chunk.append((second, piece))
            count += len(piece)
    if chunk:
        yield chunk, count


def _series_parts(groups: dict[tuple[str, str, tuple[str, ...]], dict[int, list[float]]]) -> _Parts:
    """Encode series: the sum of the counts of a second, and the last gauge of a second."""
    for (kind, metric, tags), times in groups.items():
        points = [(second, sum(v) if kind == "count" else v[-1]) for second, v in times.items()]
        body = {"metric": metric, "points": points, "tags": tags, "type": kind}
        yield encode(body | {"interval": 1} if kind == "count" else body), _samples(times)


def trace_batches(spans: Collection[SpanRecord], position: str, env: str = "") -> Iterator[Batch]:
    """Yield the spans grouped by trace, in the order of their first span."""
    traces: dict[tuple[str, str], list[SpanRecord]] = {}
    for span in spans:
        traces.setdefault((span.trace_id, span.meta.get("_dd.p.tid", "")), []).append(span)
    parts = (part for trace in traces.values() for part in _trace_parts(trace))
    yield from _sized("traces", parts, TRACE_BYTES, position, len(spans), env)


def _trace_parts(spans: list[SpanRecord]) -> _Parts:
    """Encode a trace, in several parts if it is larger than a request; the intake joins them by trace id."""
    part = encode_trace(spans)
    if len(part) <= TRACE_BYTES or len(spans) == 1:
        yield part, len(spans)
    else:
        middle = len(spans) // 2
        yield from _trace_parts(spans[:middle])
        yield from _trace_parts(spans[middle:])
