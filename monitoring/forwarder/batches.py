"""Points, spans and logs as batches within the limits of Datadog's intakes.

A batch keeps its encoded items apart until it is sent, so that one that is too large can be halved.
Limits: logs 5 MB and 1,000 entries a request, 1 MB an entry; metrics 3.2 MB; the trace agent's own 3.2 MB
a payload. All sizes here are before compression, so that no answer depends on how well a batch compresses.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
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
    """One request: what kind, its encoded items, and the unit of delivery that it came from."""

    kind: Kind
    parts: tuple[bytes, ...]
    unit: str
    env: str = ""

    def body(self) -> bytes:
        """The request's body before compression."""
        if self.kind == "logs":
            return b"[" + b",".join(self.parts) + b"]"
        if self.kind == "traces":
            return encode_payload(self.parts, self.env)
        return b'{"series":[' + b",".join(self.parts) + b"]}"

    def wire(self) -> tuple[bytes, str]:
        """The compressed body, and its Content-Encoding."""
        if self.kind == "traces":
            return igzip.compress(self.body(), compresslevel=_COMPRESSION, mtime=0), "gzip"
        return isal_zlib.compress(self.body(), _COMPRESSION), "deflate"

    def halves(self) -> tuple["Batch", "Batch"] | None:
        """The batch as two, or None where it is a single item."""
        if len(self.parts) < 2:
            return None
        middle = len(self.parts) // 2
        return (
            Batch(self.kind, self.parts[:middle], self.unit, self.env),
            Batch(self.kind, self.parts[middle:], self.unit, self.env),
        )


def digest(kind: str, unit: str, wire: bytes) -> str:
    """What tells a batch from every other: equal points of two payloads are two batches, so the unit
    counts too."""
    return hashlib.sha256(f"{kind}\n{unit}\n".encode() + wire).hexdigest()


def log_batches(logs: Iterable[Log], unit: str) -> Iterator[Batch]:
    """The entries in their order, as the logs intake takes them."""
    parts: list[bytes] = []
    size = 0
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
            yield Batch("logs", tuple(parts), unit)
            parts, size = [], len(part) + 1
        parts.append(part)
    if parts:
        yield Batch("logs", tuple(parts), unit)


def _cut_entry(message: str, tail: bytes) -> bytes:
    """An entry over 1 MB, cut by us and said so, rather than by Datadog in silence."""
    note = f"… [{len(message)} characters, cut at Datadog's limit of 1 MB]"
    room = LOG_ENTRY_BYTES - len(tail)
    while len(encode(message)) > room - 200:
        message = message[: len(message) * 3 // 4]
    return b'{"message":' + encode(message + note) + tail


def _sized(kind: Kind, parts: Iterable[bytes], limit: int, unit: str, env: str = "") -> Iterator[Batch]:
    held: list[bytes] = []
    size = 0
    for part in parts:
        size += len(part) + 1
        if held and size > limit:
            yield Batch(kind, tuple(held), unit, env)
            held, size = [], len(part) + 1
        held.append(part)
    if held:
        yield Batch(kind, tuple(held), unit, env)


def metric_batches(points: Iterable[Point], unit: str, native: bool = False) -> Iterator[Batch]:
    """The points as distributions; with `native`, counts and gauges as series of their own type.

    Two `count` points of one second and one tag set overwrite each other at Datadog, whoever sends them;
    samples of a distribution add up. That is why distributions are the default.
    """
    distributions, series = _grouped(points, native)
    yield from _sized("distributions", _distribution_parts(distributions), METRIC_BYTES, unit)
    yield from _sized("series", _series_parts(series), METRIC_BYTES, unit)


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
            found = distributions.get(key)
            times = found if found is not None else distributions.setdefault(key, {})
        second = int(timestamp)
        values = times.get(second)
        if values is None:
            times[second] = [value]
        else:
            values.append(value)
    return distributions, series


_VALUES = 5_000  # samples a part, so that one busy series still splits


def _distribution_parts(groups: dict[_Key, dict[int, list[float]]]) -> Iterator[bytes]:
    for (metric, tags), times in groups.items():
        for points in _chunks(times):
            yield encode({"metric": metric, "points": points, "tags": tags, "type": "distribution"})


def _chunks(times: dict[int, list[float]]) -> Iterator[list[tuple[int, Sequence[float]]]]:
    held: list[tuple[int, Sequence[float]]] = []
    count = 0
    for second, values in times.items():
        for start in range(0, len(values), _VALUES):
            piece = values[start : start + _VALUES]
            if held and count + len(piece) > _VALUES:
                yield held
                held, count = [], 0
            held.append((second, piece))
            count += len(piece)
    if held:
        yield held


def _series_parts(groups: dict[tuple[str, str, tuple[str, ...]], dict[int, list[float]]]) -> Iterator[bytes]:
    """Counts of one second summed, the last gauge of it kept: what the MONITORING line says of itself."""
    for (kind, metric, tags), times in groups.items():
        points = [(second, sum(v) if kind == "count" else v[-1]) for second, v in times.items()]
        body = {"metric": metric, "points": points, "tags": tags, "type": kind}
        yield encode(body | {"interval": 1} if kind == "count" else body)


def trace_batches(spans: Iterable[SpanRecord], unit: str, env: str = "") -> Iterator[Batch]:
    """The spans grouped by trace, in the order of their first span."""
    traces: dict[tuple[str, str], list[SpanRecord]] = {}
    for span in spans:
        traces.setdefault((span.trace_id, span.meta.get("_dd.p.tid", "")), []).append(span)
    yield from _sized("traces", map(encode_trace, traces.values()), TRACE_BYTES, unit, env)
