"""Record takes: the telemetry of each real execution, with times from its start in state machine time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.drill.lane import Lane, Run
from monitoring.drill.stage import FORWARDER, SPEED
from monitoring.local_aws.cloudwatch import columns
from monitoring.local_aws.invocation import Invoked
from monitoring.local_aws.samples import (
    Clock,
    Key,
    asynchronous_samples,
    execution_samples,
    invocation_samples,
)
from monitoring.query.series import MetricType, Series

Floats = NDArray[np.float64]
PIPELINE = "orders-"
"""The prefix that replaces a lane's prefix in names, so that all lanes look like one pipeline."""


class PointKey(NamedTuple):
    """One source of points in the embedded Datadog."""

    metric: str
    tags: tuple[str, ...]
    type: MetricType
    interval: int | None


Points = Mapping[PointKey, tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Take:
    """The telemetry of one execution, or of a time in which none was started.

    Attributes:
        status: its final status; RUNNING if it never ends.
        error: the error's name.
        samples: samples of CloudWatch metrics; times in seconds from the start.
        points: points from the forwarder; times in seconds from the start.
        own: points about the forwarder itself; times in seconds from the start.
    """

    status: str = ""
    error: str = ""
    samples: Mapping[Key, tuple[Floats, Floats]] = field(default_factory=dict)
    points: Points = field(default_factory=dict)
    own: Points = field(default_factory=dict)


def takes(
    lane: Lane, calls: Sequence[Invoked], series: Sequence[Series], dropped: Mapping[str, int]
) -> list[Take]:
    """Return the takes of a lane.

    Args:
        lane: a lane whose executions have ended and whose events are delivered.
        calls: the invocations in the embedded AWS.
        series: the series in the embedded Datadog.
        dropped: function -> number of dropped asynchronous events.
    """
    invoked = [call for call in calls if call.function.startswith(lane.prefix)]
    emitted = [line for line in series if any(lane.prefix in tag for tag in line.tags)]
    shared = [line for line in series if f"functionname:{lane.forwarder}" in line.tags]
    names = Names(
        lambda tags: _dimensions(tags, lane.prefix), lambda tags: _renamed(tags, lane.prefix), lane.events
    )
    return takes_of(lane.runs, invoked, (emitted, shared), names, dropped)


class Names(NamedTuple):
    """Functions that rewrite the tags of samples and points, and the numbers of asynchronous events.

    `aside` are functions outside the executions: state machine time runs `speed` times faster than real time
    also while they work.
    """

    dimensions: Callable[[tuple[str, ...]], tuple[str, ...]]
    tags: Callable[[tuple[str, ...]], tuple[str, ...]]
    events: Mapping[str, int]
    aside: frozenset[str] = frozenset()
    speed: float = SPEED


def takes_of(
    runs: Sequence[Run],
    calls: Sequence[Invoked],
    series: tuple[Sequence[Series], Sequence[Series]],
    names: Names,
    dropped: Mapping[str, int],
    until: float = np.inf,
) -> list[Take]:
    """Return the take of each execution: the calls and points from its start to the next one's start.

    Args:
        runs: the executions, in order.
        calls: the calls of their functions.
        series: the points of the executions, and the points about the forwarder.
        names: rewrites the tags.
        dropped: function -> number of dropped asynchronous events.
        until: the end of the last execution's time, in seconds since the epoch.
    """
    recorded = []
    for at, run in enumerate(runs):
        last = at + 1 == len(runs)
        end = int(runs[at + 1].began) if not last else until
        if run.status == "RUNNING":
            end = run.until  # it is stopped then, which is not part of the fault
        sent = (names.events if last else {}, dropped)
        inside = [call for call in calls if run.began <= call.began < end]
        recorded.append(_take(run, end, inside, series, sent, names))
    return recorded


def _take(
    run: Run,
    end: float,
    calls: Sequence[Invoked],
    series: tuple[Sequence[Series], Sequence[Series]],
    sent: tuple[Mapping[str, int], Mapping[str, int]],
    names: Names,
) -> Take:
    clock = clock_of(run, [call for call in calls if call.function not in names.aside], names.speed)
    samples = [*execution_samples(run.state_machine, run.history, clock), *invocation_samples(calls, clock)]
    for function, count in sent[0].items():
        samples += asynchronous_samples(function, count, sent[1].get(function, 0), 0.0)
    renamed = (
        (Key(key.namespace, key.metric, names.dimensions(key.tags)), at, value) for key, at, value in samples
    )
    return Take(
        run.status,
        run.error,
        columns(renamed),
        dict(_points(series[0], run, end, clock, names)),
        dict(_points(series[1], run, end, clock, names)),
    )


def clock_of(run: Run, calls: Iterable[Invoked], speed: float = SPEED) -> Clock:
    """Return the clock of an execution: real time while a handler works, else `speed` times faster."""
    busy = sorted(
        (call.began - (call.init_ms or 0.0) / 1000, call.began + call.duration_ms / 1000)
        for call in calls
        if not call.throttled
    )
    last = max((_seconds(event["timestamp"]) for event in run.history), default=run.began)
    real, passed = [run.began], [0.0]

    def advance(to: float, pace: float) -> None:
        to = max(to, real[-1])
        passed.append(passed[-1] + (to - real[-1]) * pace)
        real.append(to)

    for begin, end in busy:
        advance(begin, speed)
        advance(end, 1.0)
    advance(last, speed)
    return lambda moment: float(np.interp(moment, real, passed))


def _seconds(moment: object) -> float:
    return float(moment.timestamp()) if hasattr(moment, "timestamp") else float(str(moment))


MACHINE_TAGS = ("expected:hourly",)
"""AWS tags of the state machine, which Datadog adds to its metrics."""


def _dimensions(tags: tuple[str, ...], prefix: str) -> tuple[str, ...]:
    machine = any(tag.startswith("statemachinearn:") for tag in tags)
    return _renamed((*tags, *MACHINE_TAGS) if machine else tags, prefix)


def _renamed(tags: Iterable[str], prefix: str) -> tuple[str, ...]:
    return tuple(
        sorted(tag.replace(prefix, PIPELINE).replace(FORWARDER, f"{PIPELINE}forwarder") for tag in tags)
    )


def _points(
    series: Iterable[Series], run: Run, end: float, clock: Clock, names: Names
) -> Iterator[tuple[PointKey, tuple[Floats, Floats]]]:
    """Yield the points of one run, from the second of its start to the start of the next run."""
    for line in series:
        chosen = (line.times >= int(run.began)) & (line.times < end)
        if chosen.any():
            offsets = np.array([clock(float(moment)) for moment in line.times[chosen]])
            key = PointKey(line.metric, names.tags(line.tags), line.type, line.interval)
            yield key, (offsets, line.values[chosen].astype(np.float64))
