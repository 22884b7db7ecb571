"""Metric payloads of the three intakes, read into a `Batch`.

A payload that is not of its shape is refused whole, as Datadog does, so that its sender learns it. What
Datadog takes and then ignores (points too old or too new, names that cannot be names) is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from monitoring.local_datadog.normal import Sources
from monitoring.local_datadog.replies import ApiError
from monitoring.store import Batch

NEWEST = 600
OLDEST = 3600
HISTORICAL = 15 * 31 * 86400
_V2_TYPES = {0: "", 1: "count", 2: "rate", 3: "gauge", None: ""}
_V1_TYPES = {"count", "gauge", "rate"}
_GO_TYPES = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}
_MODEL = "models.MetricPayload"

Dropped = dict[str, int]


@dataclass(slots=True)
class Reader:
    """Reads payloads at a moment; `historical` takes points up to 15 months old, distributions excepted."""

    sources: Sources
    historical: bool = False

    def v1(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """The body of /api/v1/series."""
        return self._read(body, now, _v1_series, HISTORICAL if self.historical else OLDEST)

    def v2(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """The body of /api/v2/series."""
        return self._read(body, now, _v2_series, HISTORICAL if self.historical else OLDEST)

    def distributions(self, body: bytes, now: float) -> tuple[Batch, Dropped]:
        """The body of /api/v1/distribution_points."""
        return self._read(body, now, _distribution, OLDEST)

    def _read(self, body: bytes, now: float, read: "_ReadSeries", oldest: float) -> tuple[Batch, Dropped]:
        batch = Batch()
        dropped = dict.fromkeys(("name", "too_old", "too_new"), 0)
        try:
            for series in _series_of(body):
                key, times, values = read(series)
                source = self.sources.get(*key)
                if source is None:
                    dropped["name"] += len(times)
                    continue
                if times and not (now - oldest <= min(times) and max(times) <= now + NEWEST):
                    times, values = _within(times, values, now, oldest, dropped)
                batch.add(source, times, values)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _unexpected(f"{type(error).__name__}: {error}") from error
        return batch, dropped


_Key = tuple[str, str, tuple[str, ...], str, int | None]
_ReadSeries = Callable[[dict[str, Any]], tuple[_Key, list[float], list[float]]]


def _series_of(body: bytes) -> list[dict[str, Any]]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unexpected(str(error)) from error
    if not isinstance(payload, dict):
        kind = _GO_TYPES.get(type(payload), "null")
        raise _unexpected(f"json: cannot unmarshal {kind} into Go value of type {_MODEL}")
    series = payload.get("series") or []
    if not isinstance(series, list):
        kind = _GO_TYPES.get(type(series), "object")
        raise _unexpected(f"json: cannot unmarshal {kind} into Go struct field MetricPayload.series")
    return series


def _unexpected(detail: str) -> ApiError:
    return ApiError(400, f"Payload is not in the expected format: {detail}", plain=True)


def _v1_series(series: dict[str, Any]) -> tuple[_Key, list[float], list[float]]:
    kind = series.get("type") or ""
    points = series["points"]
    tags = series.get("tags") or ()
    if series.get("device"):
        tags = [*tags, f"device:{series['device']}"]
    interval = int(series.get("interval") or 0) or None
    key = (
        series["metric"],
        series.get("host") or "",
        tuple(tags),
        kind if kind in _V1_TYPES else "",
        interval,
    )
    return key, [time + 0.0 for time, _ in points], [value + 0.0 for _, value in points]


def _v2_series(series: dict[str, Any]) -> tuple[_Key, list[float], list[float]]:
    points = series["points"]
    tags = series.get("tags") or []
    host = ""
    for resource in series.get("resources") or ():
        if resource.get("type") == "host":
            host = resource["name"]
        else:
            tags = [*tags, f"{resource['type']}:{resource['name']}"]
    interval = int(series.get("interval") or 0) or None
    key = (series["metric"], host, tuple(tags), _V2_TYPES[series.get("type")], interval)
    return key, [point["timestamp"] + 0.0 for point in points], [point["value"] + 0.0 for point in points]


def _distribution(series: dict[str, Any]) -> tuple[_Key, list[float], list[float]]:
    points = series["points"]
    key = (series["metric"], series.get("host") or "", tuple(series.get("tags") or ()), "distribution", None)
    times = [time + 0.0 for time, values in points for _ in values]
    return key, times, [value + 0.0 for value in chain.from_iterable(values for _, values in points)]


def _within(
    times: list[float], values: list[float], now: float, oldest: float, dropped: Dropped
) -> tuple[list[float], list[float]]:
    """The points that Datadog keeps: at most 10 minutes ahead and an hour old."""
    kept = [
        (time, value)
        for time, value in zip(times, values, strict=True)
        if now - oldest <= time <= now + NEWEST
    ]
    dropped["too_new"] += sum(time > now + NEWEST for time in times)
    dropped["too_old"] += sum(time < now - oldest for time in times)
    return [time for time, _ in kept], [value for _, value in kept]
