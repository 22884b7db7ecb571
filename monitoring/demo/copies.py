"""Copy recorded executions with other times and other ids."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitoring.demo.recorded import Recording
from monitoring.local_aws.samples import Key
from monitoring.query.series import MetricType, Series
from monitoring.resources.catalogue import known_metrics

Floats = NDArray[np.float64]
_IDS = ("trace_id", "span_id", "parent_id")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EVENT_TIME = re.compile(r'(?<="event_timestamp":")\d+')
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?=[.,Z+])")
_SECONDS = {"nanosecond": 1e-9, "microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0}
_EDGE = 3600.0


Source = Key | tuple[str, str, tuple[str, ...]]
"""The key of a CloudWatch metric, or (metric, type, tags) of points."""


class Reel(NamedTuple):
    """All points and samples of a recording as columns; rows of `sources[n]` begin at `bounds[n]`."""

    sources: tuple[Source, ...]
    bounds: tuple[int, ...]
    offsets: Floats
    values: Floats
    units: Floats


def reel_of(recording: Recording) -> Reel:
    """Return the columns of a recording; `units` are the values' time units in seconds, or 0."""
    parts: list[tuple[Source, float, list[tuple[float, float]]]] = [
        ((recorded.metric, recorded.type, recorded.tags), _unit_of(recorded.metric), recorded.points)
        for recorded in recording.points
    ]
    parts += [
        (
            Key(recorded.namespace, recorded.metric, recorded.tags),
            1e-3 if recorded.metric.endswith(("Duration", "Time")) else 0.0,
            recorded.samples,
        )
        for recorded in recording.samples
    ]
    rows = np.array([row for _, _, points in parts for row in points], np.float64).reshape(-1, 2)
    units = np.array([unit for _, unit, points in parts for _ in points], np.float64)
    sizes = [0, *(len(points) for _, _, points in parts)]
    bounds = tuple(int(bound) for bound in np.cumsum(sizes))
    return Reel(tuple(source for source, _, _ in parts), bounds, rows[:, 0], rows[:, 1], units)


@dataclass(slots=True)
class Tape:
    """Collect the telemetry of many copies, by source."""

    spans: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    _reels: dict[str, Reel] = field(default_factory=dict)
    _copied: dict[str, list[Floats]] = field(default_factory=lambda: defaultdict(list))

    def reel(self, recording: Recording) -> Reel:
        """Return the columns of a recording from a cache."""
        if recording.name not in self._reels:
            self._reels[recording.name] = reel_of(recording)
        return self._reels[recording.name]

    def add(self, recording: Recording, times: Floats, values: Floats) -> None:
        """Add a copy's columns: seconds since the epoch, and values."""
        self._copied[recording.name].append(np.column_stack([times, values]))

    def samples(self) -> dict[Key, tuple[Floats, Floats]]:
        """Return the times and values of each metric of CloudWatch."""
        rows = {source: rows for source, rows in self._joined().items() if isinstance(source, Key)}
        return {key: (pairs[:, 0], pairs[:, 1]) for key, pairs in rows.items()}

    def series(self) -> list[Series]:
        """Return the points as series; only a distribution keeps several values of one second."""
        joined = self._joined().items()
        return [_series(*source, rows) for source, rows in joined if not isinstance(source, Key)]

    def _joined(self) -> dict[Source, Floats]:
        parts: dict[Source, list[Floats]] = defaultdict(list)
        for name, copies in self._copied.items():
            reel, rows = self._reels[name], np.stack(copies)
            for source, start, end in zip(reel.sources, reel.bounds[:-1], reel.bounds[1:], strict=True):
                parts[source].append(rows[:, start:end].reshape(-1, 2))
        return {source: np.concatenate(parts_of) for source, parts_of in parts.items()}


def _series(metric: str, kind: str, tags: tuple[str, ...], rows: Floats) -> Series:
    times = np.floor(rows[:, 0]).astype(np.int64)
    order = np.argsort(times, kind="stable")
    times, values = times[order], rows[order, 1]
    if kind != "distribution":
        last = np.append(times[1:] != times[:-1], True)
        times, values = times[last], values[last]
    return Series(metric, tags, times, values, cast("MetricType", kind or "gauge"))


@dataclass(frozen=True)
class Copy:
    """A copy of a recorded execution at another time.

    Attributes:
        recording: the recorded execution.
        moment: the start of the copy, in seconds since the epoch.
        name: the execution name of the copy.
        chance: the random generator of its ids.
        stretch: the factor by which durations other than waits are multiplied.
    """

    recording: Recording
    moment: float
    name: str
    chance: np.random.Generator
    stretch: float = 1.0

    def add_to(self, tape: Tape) -> None:
        """Add all of the copy's telemetry to a tape."""
        reel = tape.reel(self.recording)
        lasted = self._at(reel.offsets) - self._at(reel.offsets - reel.values * reel.units)
        values = np.where(
            reel.units > 0, np.maximum(lasted, 0.0) / np.where(reel.units > 0, reel.units, 1.0), reel.values
        )
        tape.add(self.recording, self.moment + self._at(reel.offsets), values)
        records = self._renamed()
        mask = int(self.chance.integers(1, 1 << 62))
        spans, logs = records["spans"], records["logs"]
        starts = self._moved([span["start"] / 1e9 for span in spans])
        ends = self._moved([(span["start"] + span["duration"]) / 1e9 for span in spans])
        tape.spans += [_span(*parts, mask) for parts in zip(spans, starts, ends, strict=True)]
        times = self._moved([log["timestamp"] / 1000 for log in logs])
        tape.logs += [self._log(log, moment) for log, moment in zip(logs, times, strict=True)]

    def _at(self, offsets: Any) -> Floats:
        """Convert seconds of the recording to seconds of the copy; waits keep their length."""
        before, after = self._knots
        return np.asarray(np.interp(offsets, before, after), np.float64)

    @cached_property
    def _knots(self) -> tuple[Floats, Floats]:
        waits = [
            (span["start"] / 1e9, (span["start"] + span["duration"]) / 1e9)
            for span in self.recording.spans
            if span["meta"].get("statetype") == "Wait"
        ]
        before, after = [-_EDGE, 0.0], [-_EDGE, 0.0]
        for start, end in sorted(waits):
            after += [after[-1] + (start - before[-1]) * self.stretch]
            after += [after[-1] + end - start]
            before += [start, end]
        before.append(before[-1] + _EDGE)
        after.append(after[-1] + _EDGE * self.stretch)
        return np.array(before), np.array(after)

    def _renamed(self) -> dict[str, list[dict[str, Any]]]:
        """Return spans and logs with the execution name and request ids replaced in all texts."""
        old = self.recording.arn.rpartition(":")[2]
        mask = int.from_bytes(self.chance.bytes(16))
        text = msgspec.json.encode({"spans": self.recording.spans, "logs": self.recording.logs}).decode()
        text = _UUID.sub(lambda match: _other_uuid(match[0], mask), text.replace(old, self.name))
        records: dict[str, list[dict[str, Any]]] = msgspec.json.decode(text)
        return records

    def _moved(self, offsets: list[float]) -> list[float]:
        """Convert offsets in seconds to seconds since the epoch."""
        moments: list[float] = (self.moment + self._at(offsets)).tolist()
        return moments

    def _log(self, log: Mapping[str, Any], moment: float) -> dict[str, Any]:
        message = _EVENT_TIME.sub(lambda match: str(self._event_time(match[0])), log["message"])
        message = _MOMENT.sub(lambda match: self._written(match[0]), message)
        return {**log, "message": message, "timestamp": int(moment * 1000)}

    def _event_time(self, text: str) -> int:
        offset = int(text) / 1000 - self.recording.start
        return int((self.moment + float(self._at(offset))) * 1000)

    def _written(self, text: str) -> str:
        """Return a timestamp of a log line, shifted to the time of the copy."""
        written = datetime.fromisoformat(text).replace(tzinfo=UTC)
        offset = written.timestamp() - self.recording.start
        moved = datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(self.moment + float(self._at(offset))))
        return moved.strftime(f"%Y-%m-%d{text[10]}%H:%M:%S")


def _span(span: Mapping[str, Any], start: float, end: float, mask: int) -> dict[str, Any]:
    """Return a span with another start and end (seconds since the epoch) and other ids."""
    ids = {key: _other_id(span[key], mask) for key in _IDS}
    return {**span, **ids, "start": int(start * 1e9), "duration": max(0, int((end - start) * 1e9))}


def _other_uuid(text: str, mask: int) -> str:
    changed = f"{int(text.replace('-', ''), 16) ^ mask:032x}"
    return "-".join((changed[:8], changed[8:12], changed[12:16], changed[16:20], changed[20:]))


def _other_id(text: str, mask: int) -> str:
    number = int(text or "0", 16)
    return f"{number ^ mask:016x}" if number else text


def _unit_of(metric: str) -> float:
    """Return the length of a metric's time unit in seconds; 0 if it is not a duration."""
    return _units().get(metric, 0.0)


@cache
def _units() -> dict[str, float]:
    return {name: _SECONDS[facts.unit] for name, facts in known_metrics().items() if facts.unit in _SECONDS}
