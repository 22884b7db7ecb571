"""Run the drill: record the healthy pipeline and the faults (in parallel), and evaluate the monitors."""

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
"""The lane whose executions are copied as healthy traffic."""
SIDE_BY_SIDE = 6
"""The number of lanes that run in parallel: they spend most of their time waiting."""
DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """The options of the drill.

    Attributes:
        faults: the faults, in this order.
        monitors: the folder of the monitors; `env` is the environment of stepscope.toml and the `env` tag.
        any_monitor: whether an alert of any monitor counts as detection.
        delay: seconds until a point of CloudWatch is in Datadog.
        tags: additional tags of every metric.
        keep: the folder for the embedded Datadog's database.
    """

    faults: tuple[Fault, ...]
    monitors: Folder
    any_monitor: bool = False
    delay: int = 720
    tags: tuple[str, ...] = ()
    keep: Path | None = None
    complete: bool = True


class DrillWatcher:
    """A watcher that prints nothing; the command has a subclass that shows progress."""

    def say(self, text: str) -> None:
        """Report the current action."""

    def started(self, fault: Fault) -> None:
        """Report that a fault is being injected."""

    def ended(self, outcome: FaultResult) -> None:
        """Report that a fault has been judged."""


@dataclass(frozen=True, slots=True)
class Played:
    """The takes of a lane, and its functions' time-outs (seconds) and memory (megabytes)."""

    takes: list[Take] = field(default_factory=list)
    functions: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """The common data of all faults: the monitors, and the recording of the healthy pipeline."""

    watchers: Sequence[Watcher]
    health: Played
    env: str = "prod"
    tags: tuple[str, ...] = ()
    any_monitor: bool = False

    @property
    def wanted(self) -> frozenset[str]:
        """The metrics that monitors query."""
        return frozenset(name for watcher in self.watchers for name in watcher.metrics)

    @property
    def common(self) -> tuple[str, ...]:
        """Tags of every CloudWatch metric."""
        place = ("region:us-east-1", "account_id:123456789012", "aws_account:123456789012")
        return (*place, f"env:{self.env}", "service:orders", *self.tags)


def run_drill(options: DrillOptions, watch: DrillWatcher | None = None) -> DrillResult:
    """Run the drill and return its result.

    Raises:
        InputError: a monitor cannot be read, or the folder to keep cannot be used.
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
    """Run the healthy lane's executions in sequence, and wait for their telemetry."""
    lane = Lane(stage, HEALTHY)
    lane.deploy()
    for _ in range(3):
        stage.aws.drain(DRAIN_SECONDS)
        lane.run()
    return _played(stage, [lane])[0]


def _in_batches(stage: Stage, faults: Sequence[Fault], watch: DrillWatcher) -> Iterator[tuple[Fault, Played]]:
    """Yield each fault with its recording; the next batch runs while one is judged."""
    batches = [faults[at : at + SIDE_BY_SIDE] for at in range(0, len(faults), SIDE_BY_SIDE)]
    with ThreadPoolExecutor(1, "drill") as ahead:
        coming = deque([ahead.submit(play, stage, batches[0], watch)])
        for at, batch in enumerate(batches):
            done = coming.popleft().result()
            coming.extend(ahead.submit(play, stage, after, watch) for after in batches[at + 1 : at + 2])
            yield from zip(batch, done, strict=True)


def play(stage: Stage, faults: Sequence[Fault], watch: DrillWatcher) -> list[Played]:
    """Inject faults in parallel, and wait until all telemetry has arrived."""
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
    """The data of one fault in Datadog: its points, the tags of each metric, and the last second."""

    source: SeriesSource
    tags: Mapping[str, frozenset[str]]
    end: int


def judged(scene: Scene, fault: Fault, played: Played) -> FaultResult:
    """Copy a fault's takes along the simulated time line, evaluate every monitor, and judge the result."""
    laid = laid_out(scene, fault, played, scene.wanted)
    seen = seen_by(scene.watchers, laid)
    outcome = judge(fault, played.takes, seen, scene.watchers, scene.any_monitor)
    queried = asked_for(scene.watchers, laid)
    wrong = tuple(
        why_unnoticed(scene.watchers, laid, queried) if sentence == UNNOTICED else sentence
        for sentence in outcome.wrong
    )
    return replace(outcome, asked=queried, wrong=wrong)


def why_unnoticed(watchers: Sequence[Watcher], laid: Laid, queried: Mapping[tuple[str, str], bool]) -> str:
    """Return the sentence that no monitor detects a fault, with the reason if none can.

    Args:
        watchers: the monitors.
        laid: the data.
        queried: (monitor, tag of its scope) -> whether a series of its metric has the tag.
    """
    looking = [watcher.key for watcher in watchers if watcher.tells and watcher.metrics & laid.tags.keys()]
    if not looking:
        return f"{UNNOTICED}: none asks for a metric that has points here"
    absent = {key: tag for (key, tag), carried in queried.items() if not carried}
    if not all(key in absent for key in looking):
        return UNNOTICED
    some = ", ".join(f"{key} for {absent[key]}" for key in looking[:3])
    more = f" and {len(looking) - 3} more" if len(looking) > 3 else ""
    return f"no monitor can notice: each asks for a tag that no point carries here ({some}{more})"


def laid_out(scene: Scene, fault: Fault, played: Played, metrics: frozenset[str]) -> Laid:
    """Copy a fault's takes along the simulated time line, with only the given `metrics`."""
    placed = layout.slots(scene.health.takes, played.takes, fault)
    functions = {**scene.health.functions, **played.functions}
    series = layout.series(placed, fault, scene.common, metrics, functions)
    end = layout.ONSET + 60 * (fault.minutes + fault.watch)
    tags: dict[str, set[str]] = {}
    for line in series:
        tags.setdefault(line.metric, set()).update(line.tags)
    return Laid(SeriesSource(series), {metric: frozenset(texts) for metric, texts in tags.items()}, end)


def seen_by(watchers: Sequence[Watcher], laid: Laid) -> list[Seen]:
    """Return the evaluation of each monitor that queries a metric with points."""
    looking = [watcher for watcher in watchers if watcher.metrics & laid.tags.keys()]
    return [watching.watch(watcher, laid.source, layout.ONSET, laid.end) for watcher in looking]


def asked_for(watchers: Sequence[Watcher], laid: Laid) -> dict[tuple[str, str], bool]:
    """Return (monitor, exact tag of its scope) -> whether a series of its metric has the tag."""
    queried: dict[tuple[str, str], bool] = {}
    for watcher in watchers:
        for metric, tag in watching.scoped(watcher):
            if metric in laid.tags:
                queried[watcher.key, tag] = queried.get((watcher.key, tag), False) or tag in laid.tags[metric]
    return queried
