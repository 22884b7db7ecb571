"""The drill from first to last: the healthy pipeline, the faults side by side, the monitors over them."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitoring.drill import layout, watching
from monitoring.drill.fault import Fault
from monitoring.drill.judge import UNNOTICED, DrillResult, FaultResult, judge
from monitoring.drill.lane import Lane
from monitoring.drill.recordings import Take, takes
from monitoring.drill.stage import Stage, set_up
from monitoring.drill.watching import Seen, Watcher
from monitoring.query.sources import SeriesSource
from monitoring.testing.project import Folder

HEALTHY = "healthy"
"""The lane whose executions are copied as ordinary traffic."""
SIDE_BY_SIDE = 6
"""Lanes that run at once: most of their time is spent waiting."""
DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """How to drill.

    Attributes:
        faults: which, in this order.
        monitors: their folder; `env` is the environment of stepscope.toml, and the tag of every metric.
        any_monitor: a fault is noticed if any monitor alerts in time.
        delay: seconds until a point of CloudWatch is in Datadog.
        tags: further tags of every metric.
        keep: a folder for the embedded Datadog's database.
    """

    faults: tuple[Fault, ...]
    monitors: Folder
    any_monitor: bool = False
    delay: int = 720
    tags: tuple[str, ...] = ()
    keep: Path | None = None
    complete: bool = True


class DrillWatcher:
    """Watches the drill and says nothing; the command has one that shows progress."""

    def say(self, text: str) -> None:
        """Report the current action."""

    def started(self, fault: Fault) -> None:
        """Report that a fault is being injected."""

    def ended(self, outcome: FaultResult) -> None:
        """Report that a fault has been judged."""


@dataclass(frozen=True, slots=True)
class Played:
    """Hold what was really run: the recordings of a copy, and its functions' seconds and megabytes."""

    takes: list[Take] = field(default_factory=list)
    functions: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """Hold what all faults share: the monitors, and the recording of the healthy pipeline."""

    watchers: Sequence[Watcher]
    health: Played
    env: str = "prod"
    tags: tuple[str, ...] = ()
    any_monitor: bool = False

    @property
    def wanted(self) -> frozenset[str]:
        """The metrics that some monitor looks at."""
        return frozenset(name for watcher in self.watchers for name in watcher.metrics)

    @property
    def common(self) -> tuple[str, ...]:
        """Tags of every metric of CloudWatch."""
        place = ("region:us-east-1", "account_id:123456789012", "aws_account:123456789012")
        return (*place, f"env:{self.env}", "service:orders", *self.tags)


def run_drill(options: DrillOptions, watch: DrillWatcher | None = None) -> DrillResult:
    """Drill, and say what came of it.

    Raises:
        InputError: monitors that cannot be read, or nothing can be kept where it is asked for.
    """
    watch = watch or DrillWatcher()
    began = time.monotonic()
    watchers, left_out = watching.load(options.monitors, options.delay)
    env = options.monitors.env or "prod"
    outcomes: list[FaultResult] = []
    with set_up(env, options.keep, options.tags) as stage:
        watch.say("running the healthy pipeline")
        scene = Scene(watchers, play_health(stage), env, options.tags, options.any_monitor)
        for fault, played in _in_batches(stage, options.faults, watch):
            outcomes.append(judged(scene, fault, played))
            watch.ended(outcomes[-1])
    return DrillResult(tuple(outcomes), tuple(watchers), left_out, options.complete, time.monotonic() - began)


def play_health(stage: Stage) -> Played:
    """Run the healthy copy's executions in sequence, and wait for what follows from them."""
    lane = Lane(stage, HEALTHY)
    lane.deploy()
    for _ in range(3):
        stage.aws.drain(DRAIN_SECONDS)
        lane.run()
    return _played(stage, [lane])[0]


def _in_batches(stage: Stage, faults: Sequence[Fault], watch: DrillWatcher) -> Iterator[tuple[Fault, Played]]:
    """Each fault as it was played; the next ones are played while one is judged."""
    batches = [faults[at : at + SIDE_BY_SIDE] for at in range(0, len(faults), SIDE_BY_SIDE)]
    with ThreadPoolExecutor(1, "drill") as ahead:
        coming = deque([ahead.submit(play, stage, batches[0], watch)])
        for at, batch in enumerate(batches):
            done = coming.popleft().result()
            coming.extend(ahead.submit(play, stage, after, watch) for after in batches[at + 1 : at + 2])
            yield from zip(batch, done, strict=True)


def play(stage: Stage, faults: Sequence[Fault], watch: DrillWatcher) -> list[Played]:
    """Brings faults about at the same time, and waits until everything that they said has arrived."""
    lanes = [Lane(stage, fault.name) for fault in faults]

    def bring_about(lane: Lane, fault: Fault) -> None:
        if fault.run:
            watch.started(fault)
            if fault.forwarder:
                lane.own_forwarder()
            lane.deploy()
            fault.run(lane)

    with ThreadPoolExecutor(SIDE_BY_SIDE, "lane") as pool:
        list(pool.map(bring_about, lanes, faults))
    return _played(stage, lanes)


def _played(stage: Stage, lanes: Sequence[Lane]) -> list[Played]:
    stage.aws.drain(DRAIN_SECONDS)
    calls, series = stage.aws.invocations(), stage.datadog.store.series()
    dropped: Counter[str] = Counter()
    for delivery in stage.aws.deliveries().undelivered:
        dropped[delivery.function.rpartition(":")[2]] += delivery.events
    return [
        Played(takes(lane, calls, series, dropped), layout.functions_of(lane.settings, lane.prefix))
        for lane in lanes
    ]


@dataclass(frozen=True, slots=True)
class Laid:
    """Hold what Datadog knows of one fault: its points, the tags of each metric, and the last second."""

    source: SeriesSource
    tags: Mapping[str, frozenset[str]]
    end: int


def judged(scene: Scene, fault: Fault, played: Played) -> FaultResult:
    """Lays a fault out on the simulated clock, and lets every monitor look at it."""
    laid = laid_out(scene, fault, played, scene.wanted)
    seen = seen_by(scene.watchers, laid)
    outcome = judge(fault, played.takes, seen, scene.watchers, scene.any_monitor)
    asked = asked_for(scene.watchers, laid)
    wrong = tuple(
        why_unnoticed(scene.watchers, laid, asked) if sentence == UNNOTICED else sentence
        for sentence in outcome.wrong
    )
    return replace(outcome, asked=asked, wrong=wrong)


def why_unnoticed(watchers: Sequence[Watcher], laid: Laid, asked: Mapping[tuple[str, str], bool]) -> str:
    """Return that no monitor notices a fault, and why none can where that is so.

    Args:
        watchers: the monitors.
        laid: what they look at.
        asked: of each monitor and tag in its scopes, whether a series carries the tag.
    """
    looking = [watcher.key for watcher in watchers if watcher.tells and watcher.metrics & laid.tags.keys()]
    if not looking:
        return f"{UNNOTICED}: none asks for a metric that has points here"
    absent = {key: tag for (key, tag), carried in asked.items() if not carried}
    if not all(key in absent for key in looking):
        return UNNOTICED
    some = ", ".join(f"{key} for {absent[key]}" for key in looking[:3])
    more = f" and {len(looking) - 3} more" if len(looking) > 3 else ""
    return f"no monitor can notice: each asks for a tag that no point carries here ({some}{more})"


def laid_out(scene: Scene, fault: Fault, played: Played, wanted: frozenset[str]) -> Laid:
    """Lay a fault out on the simulated clock, with the metrics that are `wanted`."""
    placed = layout.slots(scene.health.takes, played.takes, fault)
    functions = {**scene.health.functions, **played.functions}
    series = layout.series(placed, fault, scene.common, wanted, functions)
    end = layout.ONSET + 60 * (fault.minutes + fault.watch)
    tags: dict[str, set[str]] = {}
    for line in series:
        tags.setdefault(line.metric, set()).update(line.tags)
    return Laid(SeriesSource(series), {metric: frozenset(texts) for metric, texts in tags.items()}, end)


def seen_by(watchers: Sequence[Watcher], laid: Laid) -> list[Seen]:
    """Return what each monitor did that looks at a metric which has points."""
    looking = [watcher for watcher in watchers if watcher.metrics & laid.tags.keys()]
    return [watching.watch(watcher, laid.source, layout.ONSET, laid.end) for watcher in looking]


def asked_for(watchers: Sequence[Watcher], laid: Laid) -> dict[tuple[str, str], bool]:
    """Return (monitor, tag) of each exact tag in a scope, and whether a series of its metric carries it."""
    asked: dict[tuple[str, str], bool] = {}
    for watcher in watchers:
        for metric, tag in watching.scoped(watcher):
            if metric in laid.tags:
                asked[watcher.key, tag] = asked.get((watcher.key, tag), False) or tag in laid.tags[metric]
    return asked
