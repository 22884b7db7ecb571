"""Copy real executions along a simulated time line: hours of healthy traffic before and after the fault.

Monitors evaluate hours of data, and a drill cannot run for hours. So every execution is run once or a few
times, and its telemetry is copied: healthy executions at the pipeline's usual rate before and after the
fault, faulty ones while the fault lasts. A copy differs only in its timestamps.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.drill.fault import Added, Fault
from monitoring.drill.recordings import PIPELINE, PointKey, Take
from monitoring.local_aws.cloudwatch import published, settings_series
from monitoring.query.series import Series

Floats = NDArray[np.float64]

ONSET = 1772539200
"""2026-03-03T12:00:00Z, a Tuesday: the start of every fault."""
HISTORY_MINUTES = 30 * 60
"""Minutes of healthy traffic before the fault; a monitor may compare with the day before."""
RATE = 2.0
"""Executions a minute of the usual pipeline."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The start times of the copies of a take, in seconds since the epoch."""

    take: Take
    times: Floats
    own: Take | None = None


def slots(healthy: Sequence[Take], faulty: Sequence[Take], fault: Fault) -> list[Slots]:
    """Return the start times of the copies of each take.

    Args:
        healthy: the healthy executions, which are used in turn.
        faulty: the executions with the fault, in order; the last is repeated until the fault ends.
        fault: gives duration, share and rate.
    """
    end = ONSET + 60 * fault.minutes
    before = _moments(ONSET - 60 * HISTORY_MINUTES, ONSET, fault.usual)
    after = _moments(end, end + 60 * fault.watch, fault.usual)
    during = _moments(ONSET, end, fault.rate)
    hit = np.floor((np.arange(len(during)) + 1) * fault.share) > np.floor(
        np.arange(len(during)) * fault.share
    )
    if not faulty:
        hit[:] = False
    well = np.concatenate([before, during[~hit], after])
    ill = during[hit]
    places = [Slots(take, well[at :: len(healthy)]) for at, take in enumerate(healthy)]
    for at, take in enumerate(faulty):
        places.append(Slots(take, ill[at : at + 1] if at + 1 < len(faulty) else ill[at:], healthy[0]))
    return places


def _moments(start: float, end: float, rate: float) -> Floats:
    return np.arange(start, end, 60 / (RATE * rate)) if rate else np.empty(0)


def series(
    placed: Sequence[Slots],
    fault: Fault,
    common: tuple[str, ...],
    metrics: frozenset[str],
    functions: Mapping[str, Any],
) -> list[Series]:
    """Return all series that Datadog has at the end.

    Args:
        placed: the copies.
        fault: gives simulated metrics, and whether the forwarder's own points are those of the fault.
        common: tags of every metric from CloudWatch.
        metrics: the metrics in monitors; others are left out.
        functions: name -> (time-out in seconds, memory in megabytes).
    """
    end = ONSET + 60 * (fault.minutes + fault.watch)
    samples = _tiled((item.times, item.take.samples) for item in placed)
    lines = published(samples, common, metrics)
    start = ONSET - 60 * HISTORY_MINUTES
    lines += [item for item in settings_series(functions, common, start, end) if item.metric in metrics]
    points = _tiled((item.times, _wanted(item, fault, metrics)) for item in placed)
    lines += [_series(key, times, values) for key, (times, values) in points.items()]
    lines += [item for added in fault.added if (item := _added(added, fault, common)).metric in metrics]
    return lines


def _wanted(placed: Slots, fault: Fault, metrics: frozenset[str]) -> dict[PointKey, tuple[Floats, Floats]]:
    """Return the points of a recording that monitors use; the forwarder's own points by the kind of fault."""
    own = placed.take.own
    if placed.own is not None:
        own = {} if fault.forwarder else placed.own.own
    both = {**placed.take.points, **own}
    return {key: column for key, column in both.items() if key.metric in metrics}


def _tiled(
    parts: Iterable[tuple[Floats, Mapping[Any, tuple[Floats, Floats]]]],
) -> dict[Any, tuple[Floats, Floats]]:
    """Return times and values of every key, repeated at each start time."""
    tiles: dict[Any, list[tuple[Floats, Floats]]] = {}
    for moments, columns in parts:
        if not len(moments):
            continue
        for key, (offsets, values) in columns.items():
            times = (moments[:, None] + offsets[None, :]).ravel()
            tiles.setdefault(key, []).append((times, np.tile(values, len(moments))))
    return {
        key: (np.concatenate([times for times, _ in tile]), np.concatenate([values for _, values in tile]))
        for key, tile in tiles.items()
    }


def _series(key: PointKey, times: Floats, values: Floats) -> Series:
    seconds = np.floor(times).astype(np.int64)
    order = np.argsort(seconds, kind="stable")
    seconds, values = seconds[order], values[order]
    if key.type != "distribution":
        last = np.append(seconds[1:] != seconds[:-1], True)
        seconds, values = seconds[last], values[last]
    return Series(key.metric, key.tags, seconds, values, key.type, key.interval)


def _added(added: Added, fault: Fault, common: tuple[str, ...]) -> Series:
    """Return the series of a simulated CloudWatch metric: one point a minute while the fault lasts."""
    times = np.arange(ONSET, ONSET + 60 * fault.minutes, 60, dtype=np.int64)
    tags = tuple(sorted({*common, *added.tags}))
    values = np.full(len(times), added.value)
    return Series(added.metric, tags, times, values, added.type, 60 if added.type == "count" else None)


def functions_of(settings: Mapping[str, tuple[int, int]], prefix: str) -> dict[str, tuple[int, int]]:
    """Return the settings of a lane's functions, by the pipeline's names."""
    return {name.replace(prefix, PIPELINE): value for name, value in settings.items()}
