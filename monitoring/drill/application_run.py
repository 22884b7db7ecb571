"""The drill of a user's own application: every fault that its template allows, against its own monitors."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monitoring.deploy.start import shipped
from monitoring.drill import watching
from monitoring.drill.application import (
    HANG_SECONDS,
    SLOW_SECONDS,
    Bench,
    Break,
    aborted,
    broken_handler,
    changed,
    never_started,
    stuck,
    timed_out,
)
from monitoring.drill.fault import Fault
from monitoring.drill.judge import judge
from monitoring.drill.lane import Run
from monitoring.drill.recordings import Names, Take, takes_of
from monitoring.drill.run import DRAIN_SECONDS, Played, Scene, laid_out, seen_by
from monitoring.drill.stage import SPEED
from monitoring.drill.watching import Seen, Watcher
from monitoring.errors import InputError
from monitoring.local_pipeline import Pipeline, PipelineOptions, start_pipeline
from monitoring.local_pipeline.forwarding import FORWARDER, STATES_FORWARDER
from monitoring.resources.nearest import nearest
from monitoring.testing.project import Folder

HEALTHY_RUNS = 3
WITHIN = 60
"""Minutes within which a fault has to be noticed."""
ORDINARY = "an ordinary day"
BATCH = 6
"""Faults that are brought about while the ones before them are judged."""
CAUSE = 400
"""Characters of a cause in a message."""


@dataclass(frozen=True, slots=True)
class ApplicationOptions:
    """How to drill an application.

    Attributes:
        pipeline: the template, and how it is deployed.
        inputs: logical id or name of a state machine -> its input; "" for those that have none of their own.
        monitors: the monitors that are drilled.
        machines: the state machines that are drilled; none are all of them.
        delay: seconds until a point of CloudWatch is in Datadog.
        tags: further tags of every metric.
        faults: the names of the faults to bring about (`Pay/raises`); none are all of them.
    """

    pipeline: PipelineOptions
    inputs: Mapping[str, Any]
    monitors: Folder
    machines: tuple[str, ...] = ()
    delay: int = 720
    tags: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Breakage:
    """One fault of the application: what is broken in which resource, and how it is brought about."""

    kind: str
    target: str
    how: str
    bring_about: Break
    rate: float = 1.0

    @property
    def name(self) -> str:
        """Return the name that reports use."""
        return f"{self.target}/{self.kind}"

    @property
    def fault(self) -> Fault:
        """Return it as the judge takes it: any monitor of the project may notice."""
        return Fault(self.name, self.how, {"any": WITHIN}, rate=self.rate)


@dataclass(frozen=True, slots=True)
class Noticed:
    """One fault, and who noticed.

    Attributes:
        machine: the state machine in which it was brought about.
        ended: how its executions ended.
        noticed: what the project's monitors did, the quickest first.
        would: the shipped monitors that notice, where none of the project's does.
        remarks: why a monitor does not notice although it looks at it.
    """

    breakage: Breakage
    machine: str
    ended: tuple[str, ...]
    noticed: tuple[Seen, ...]
    would: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return the row as JSON's values."""
        first = self.noticed[0] if self.noticed else None
        return {
            "name": self.breakage.name,
            "target": self.breakage.target,
            "how": self.breakage.how,
            "machine": self.machine,
            "executions": list(self.ended),
            "noticed_by": [seen.key for seen in self.noticed],
            "minutes": first.alert if first else None,
            "told": sorted({handle for seen in self.noticed for handle in seen.handles}),
            "shipped_monitors_that_would": list(self.would),
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True, slots=True)
class ApplicationResult:
    """The whole drill of an application.

    Attributes:
        false_alarms: monitors that alert on an ordinary day.
        not_reached: functions that no drilled execution calls, so that nothing was broken in them.
        left_out: monitors that cannot be drilled, with the reason.
        notes: what was assumed, and what stood in for what does not run here.
    """

    faults: tuple[Noticed, ...]
    false_alarms: tuple[str, ...]
    not_reached: tuple[str, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float

    @property
    def unnoticed(self) -> tuple[str, ...]:
        """Return the names of the faults that no monitor notices."""
        return tuple(row.breakage.name for row in self.faults if not row.noticed)

    @property
    def fine(self) -> bool:
        """Return whether every fault is noticed, and nothing alerts in vain."""
        return not self.unnoticed and not self.false_alarms

    def as_data(self) -> dict[str, Any]:
        """Return the result as JSON's values."""
        return {
            "faults": [row.as_data() for row in self.faults],
            "unnoticed": list(self.unnoticed),
            "false_alarms": list(self.false_alarms),
            "not_reached": list(self.not_reached),
            "not_drilled": dict(self.left_out),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 1),
            "fine": self.fine,
        }


def breakages(bench: Bench, reached: Mapping[str, str]) -> Iterator[Breakage]:
    """Yield what can be broken in a state machine and in the functions that its executions call.

    Args:
        bench: a state machine whose executions are healthy.
        reached: logical id -> name of the functions.
    """
    results = bench.results()
    for target, name in reached.items():
        hang, slow = HANG_SECONDS, SLOW_SECONDS
        rows: tuple[tuple[str, str, Break], ...] = (
            ("raises", "its handler raises an exception", broken_handler(name, "raises")),
            ("times-out", "its handler never returns", broken_handler(name, "times-out", timeout=hang)),
            ("out-of-memory", "its handler eats its memory", broken_handler(name, "out-of-memory")),
            ("throttled", "its reserved concurrency is 0", changed(name, reserved_concurrency=0)),
            (
                "not-importable",
                "its module is not in its code",
                changed(name, handler="not_deployed.handler"),
            ),
            ("slow", "it takes nine tenths of its time-out", broken_handler(name, "slow", timeout=slow)),
            (
                "claims-falsely",
                "it returns what a healthy call returned, and does nothing",
                broken_handler(name, "claims-falsely", results.get(name)),
            ),
        )
        for kind, how, bring_about in rows:
            if kind != "claims-falsely" or name in results:
                yield Breakage(kind, target, how, bring_about)
    yield Breakage("times-out", bench.machine, "executions take longer than their time-out", timed_out)
    if not bench.express:
        yield Breakage("aborted", bench.machine, "somebody stops every execution", aborted)
        yield Breakage("stuck", bench.machine, "executions wait for what never comes", stuck)
    yield Breakage("never-started", bench.machine, "no execution is started", never_started, rate=0)


DURATIONS = {"aws.lambda.enhanced.duration", "aws.lambda.enhanced.billed_duration", "stepscope.duration"}
"""Metrics of the log that say how long a call took."""


def stretched(take: Take, factors: Mapping[str, float]) -> Take:
    """Return a recording in which the calls of functions take as long as their own time-outs allow.

    A fault cuts a time-out of minutes to seconds, so that a drill does not last for hours.
    """
    tags = {f"functionname:{name.lower()}": factor for name, factor in factors.items() if factor > 1}
    if not tags:
        return take

    def factor_of(metric: bool, of: tuple[str, ...]) -> float:
        return next((tags[tag] for tag in of if tag in tags), 1.0) if metric else 1.0

    samples = {
        key: (times, values * factor_of(key.metric == "Duration", key.tags))
        for key, (times, values) in take.samples.items()
    }
    points = {
        key: (times, values * factor_of(key.metric in DURATIONS, key.tags))
        for key, (times, values) in take.points.items()
    }
    return replace(take, samples=samples, points=points)


class Progress:
    """Watches the drill and says nothing; the command has one that shows progress."""

    def say(self, text: str) -> None:
        """Report the current action."""

    def breaking(self, breakage: Breakage, number: int, count: int) -> None:
        """Report that a fault is being brought about."""

    def judged(self, row: Noticed) -> None:
        """Report that a fault has been judged."""


_Recorded = tuple[Breakage | None, Bench, float]
"""A fault (None: health), the executions that came of it, and when they were over."""


@dataclass(slots=True)
class _Drill:
    """What the drill of one application holds while it runs."""

    options: ApplicationOptions
    pipeline: Pipeline
    watchers: Sequence[Watcher]
    shipped: Sequence[Watcher]
    watch: Progress
    env: str
    false_alarms: dict[str, None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # the names of all, chosen or not

    def drilled(self, bench: Bench) -> tuple[list[Noticed], set[str]]:
        """Drill one state machine; return its faults, and the logical ids of the functions it reaches."""
        self.watch.say(f"running {bench.machine} in health")
        begin = time.time()
        for _ in range(HEALTHY_RUNS + 1):
            bench.run()
        self._insist_on_health(bench)
        first, bench.runs = bench.runs[0], bench.runs[1:]  # without the cold starts
        by_name = {name: target for target, name in self.pipeline.deployment.functions.items()}
        called = {call.function for call in self.pipeline.aws.invocations() if call.began >= first.began}
        reached = {by_name[name]: name for name in by_name if name in called}
        faults = self._chosen(list(breakages(bench, reached)))
        self.pipeline.aws.drain(DRAIN_SECONDS)
        ((_, health),) = self._played([(None, self._copy(bench), time.time())], begin)
        scene = self._scene(self.watchers, health)
        self._ordinary(scene, health)
        rows = []
        for batch in self._batches(bench, faults):
            for breakage, recording in self._played(batch, begin):
                if breakage is not None:
                    rows.append(self._row(scene, bench, breakage, recording))
                    self.watch.judged(rows[-1])
        return rows, set(reached)

    def _chosen(self, faults: list[Breakage]) -> list[Breakage]:
        """Return the faults that the options name, or all."""
        self.faults += [fault.name for fault in faults]
        return [fault for fault in faults if not self.options.faults or fault.name in self.options.faults]

    def _batches(self, bench: Bench, faults: Sequence[Breakage]) -> Iterator[list[_Recorded]]:
        """Yield faults as they were brought about; the next ones are, while these are judged."""
        parts = [list(enumerate(faults, 1))[at : at + BATCH] for at in range(0, len(faults), BATCH)]

        def bring_about(part: list[tuple[int, Breakage]]) -> list[_Recorded]:
            recorded: list[_Recorded] = []
            for number, breakage in part:
                self.watch.breaking(breakage, number, len(faults))
                bench.clear()
                breakage.bring_about(bench)
                recorded.append((breakage, self._copy(bench), time.time()))
            self.pipeline.aws.drain(DRAIN_SECONDS)
            return recorded

        with ThreadPoolExecutor(1, "drill") as ahead:
            coming = [ahead.submit(bring_about, part) for part in parts]
            try:
                for future in coming:
                    yield future.result()
            finally:
                for future in coming:
                    future.cancel()

    def _copy(self, bench: Bench) -> Bench:
        return Bench(bench.pipeline, bench.machine, bench.value, list(bench.runs), dict(bench.stretched))

    def _insist_on_health(self, bench: Bench) -> None:
        wrong = next((run for run in bench.runs if run.status != "SUCCEEDED"), None)
        if wrong is not None:
            cause = _cause_of(wrong)
            raise InputError(
                f"{bench.machine} does not succeed before anything is broken: {wrong.status} {wrong.error}"
                + (f": {cause[:CAUSE]}" if cause else ""),
                hint="Correct it, or give an input that succeeds: --input FILE, --input MACHINE=FILE.",
            )

    def _played(self, recorded: Iterable[_Recorded], begin: float) -> list[tuple[Breakage | None, Played]]:
        """Return each fault with its recording."""
        own = {FORWARDER, STATES_FORWARDER, *(self._forwarder_names())}
        calls = [
            call
            for call in self.pipeline.aws.invocations()
            if call.function not in own and call.began >= begin
        ]
        series = self.pipeline.datadog.store.series(start=int(begin))
        about_itself = [one for one in series if any(f"functionname:{name}" in one.tags for name in own)]
        theirs = [one for one in series if not any(f"functionname:{name}" in one.tags for name in own)]
        dropped: Counter[str] = Counter()
        for lost in self.pipeline.aws.deliveries().undelivered:
            dropped[lost.function.rpartition(":")[2]] += lost.events
        names = Names(lambda tags: tuple(sorted(tags)), lambda tags: tuple(sorted(tags)), {})
        settings = self._settings()
        return [
            (
                breakage,
                Played(
                    [
                        stretched(take, bench.stretched)
                        for take in takes_of(bench.runs, calls, (theirs, about_itself), names, dropped, until)
                    ],
                    settings,
                ),
            )
            for breakage, bench, until in recorded
        ]

    def _forwarder_names(self) -> list[str]:
        functions = self.pipeline.deployment.functions
        return [functions[name] for name in self.pipeline.forwarders if name in functions]

    def _settings(self) -> dict[str, tuple[int, int]]:
        listed = self.pipeline.aws.client("lambda").list_functions()["Functions"]
        return {
            function["FunctionName"]: (function["Timeout"], function["MemorySize"]) for function in listed
        }

    def _ordinary(self, scene: Scene, health: Played) -> None:
        """Note the monitors that alert although nothing is broken."""
        seen = self._seen(scene, Fault(ORDINARY, ORDINARY, control=True), health)
        telling = {watcher.key for watcher in scene.watchers if watcher.tells}
        alerting = [each.key for each in seen if each.alert is not None or each.before]
        self.false_alarms.update(dict.fromkeys(key for key in alerting if key in telling))

    def _row(self, scene: Scene, bench: Bench, breakage: Breakage, recording: Played) -> Noticed:
        result = judge(
            breakage.fault,
            recording.takes,
            self._seen(scene, breakage.fault, recording),
            scene.watchers,
            any_monitor=True,
        )
        noticed = tuple(seen for seen in result.noticed if seen.key not in self.false_alarms)
        would: tuple[str, ...] = ()
        if not noticed:
            others = self._scene(self.shipped, scene.health)
            fault = breakage.fault
            seen = self._seen(others, fault, recording)
            other = judge(fault, recording.takes, seen, others.watchers, any_monitor=True)
            would = tuple(seen.key for seen in other.noticed)
        remarks = tuple(sentence for sentence in result.wrong if sentence != "no monitor notices")
        return Noticed(breakage, bench.machine, result.ended, noticed, would, remarks)

    def _seen(self, scene: Scene, fault: Fault, played: Played) -> list[Seen]:
        return seen_by(scene.watchers, laid_out(scene, fault, played, scene.wanted))

    def _scene(self, watchers: Sequence[Watcher], health: Played) -> Scene:
        service = self.options.pipeline.environment.get("DD_SERVICE", "")
        tags = (*self.options.tags, *((f"service:{service}",) if service else ()))
        return Scene(watchers, health, self.env, tags, True)


def drill_application(options: ApplicationOptions, watch: Progress | None = None) -> ApplicationResult:
    """Drill an application: deploy it here, break it in every way, and see which of its monitors notice.

    Raises:
        InputError: the template or the monitors cannot be read, there is no state machine, a name is the one
            of no fault, or an execution does not succeed before anything is broken.
    """
    watch = watch or Progress()
    began = time.monotonic()
    env = options.monitors.env or "prod"
    watchers, left_out = _watchers(options.monitors, options.delay)
    shipped_watchers, _ = watching.load(Folder(shipped("monitors"), env), options.delay)
    rows: list[Noticed] = []
    reached: set[str] = set()
    with start_pipeline(options.pipeline, watch.say) as pipeline:
        drill = _Drill(options, pipeline, watchers, shipped_watchers, watch, env)
        for machine in _machines(options, pipeline):
            found, functions = drill.drilled(Bench(pipeline, machine, _input(options, pipeline, machine)))
            rows += found
            reached |= functions
        _refuse_unknown(options.faults, drill.faults)
        functions = set(pipeline.deployment.functions) - set(pipeline.forwarders)
        notes = (*pipeline.notes, *_stand_in_notes(pipeline))
    return ApplicationResult(
        tuple(rows),
        tuple(drill.false_alarms),
        tuple(sorted(functions - reached)),
        left_out,
        notes,
        time.monotonic() - began,
    )


def _refuse_unknown(chosen: Sequence[str], faults: Sequence[str]) -> None:
    """Raise InputError where a name is the one of no fault of the application."""
    for name in chosen:
        if name not in faults:
            near = nearest(name, faults)
            hint = f"Did you mean {near}?" if near else f"There are {', '.join(faults)}."
            raise InputError(f"{name} is not a fault of this application", hint=hint)


def _watchers(folder: Folder, delay: int) -> tuple[list[Watcher], Mapping[str, str]]:
    """Return the project's monitors; a project without any has none that notices."""
    return watching.load(folder, delay) if folder.path.is_dir() and folder.keys() else ([], {})


def _stand_in_notes(pipeline: Pipeline) -> Iterator[str]:
    for stand_in in pipeline.deployment.stand_ins:
        if not stand_in.quiet:
            yield f"not run here: {stand_in.logical_id} ({stand_in.type}); in its place: {stand_in.what}"


def _machines(options: ApplicationOptions, pipeline: Pipeline) -> list[str]:
    """Return the logical ids of the state machines to drill.

    Raises:
        InputError: there is none, or one is named that there is not.
    """
    by_arn = {arn: name for name, arn in pipeline.deployment.state_machines.items()}
    if not by_arn:
        raise InputError("the template has no state machine to drill", where=str(options.pipeline.source))
    named = [by_arn[pipeline.deployment.state_machine(name)] for name in options.machines]
    for name in options.inputs:
        if name:
            pipeline.deployment.state_machine(name)
    return named or list(by_arn.values())


def _input(options: ApplicationOptions, pipeline: Pipeline, machine: str) -> Any:
    name = pipeline.deployment.state_machines[machine].rpartition(":")[2]
    for key in (machine, name, ""):
        if key in options.inputs:
            return options.inputs[key]
    return {}


def default_environment(env: str) -> dict[str, str]:
    """Return the variables of functions that do not set them: the environment that monitors ask for."""
    return {"DD_ENV": env or "prod"}


def _cause_of(run: Run) -> str:
    """Return the cause with which an execution ended; "" where it has none."""
    details = run.history[-1].get("executionFailedEventDetails", {}) if run.history else {}
    return str(details.get("cause") or "")


def pipeline_options(source: Path, env: str, **more: Any) -> PipelineOptions:
    """Return how the drill deploys an application: waits pass as fast as in the drill of the example."""
    return PipelineOptions(source, environment=default_environment(env), speed=SPEED, **more)
