"""The drill of a user's own application: every fault that its template allows, against its own monitors."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.deploy.start import shipped
from monitoring.drill import watching
from monitoring.drill.application_result import ApplicationResult, Noticed
from monitoring.drill.breakages import Breakage, breakages
from monitoring.drill.fault import Fault
from monitoring.drill.judge import judge
from monitoring.drill.player import Player, Prepared, resources_of
from monitoring.drill.players import Helper, Players, number_of_players
from monitoring.drill.run import Played, Scene, laid_out, seen_by
from monitoring.drill.stage import SPEED
from monitoring.drill.watching import Seen, Watcher
from monitoring.errors import InputError
from monitoring.local_pipeline import Pipeline, PipelineOptions, start_pipeline
from monitoring.resources.nearest import nearest
from monitoring.testing.project import Folder

ORDINARY = "an ordinary day"


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
        players: how many embedded AWS work side by side; 0: as many as the faults are worth.
    """

    pipeline: PipelineOptions
    inputs: Mapping[str, Any]
    monitors: Folder
    machines: tuple[str, ...] = ()
    delay: int = 720
    tags: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    players: int = 0


class Progress:
    """Watches the drill and says nothing; the command has one that shows progress."""

    def say(self, text: str) -> None:
        """Report the current action."""

    def breaking(self, breakage: Breakage, number: int, count: int) -> None:
        """Report that a fault is being brought about."""

    def judged(self, row: Noticed) -> None:
        """Report that a fault has been judged."""


@dataclass(slots=True)
class _Drill:
    """What the drill of one application holds while it runs."""

    options: ApplicationOptions
    players: Players
    watchers: Sequence[Watcher]
    shipped: Sequence[Watcher]
    watch: Progress
    env: str
    false_alarms: dict[str, None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # the names of all, chosen or not

    def drilled(self, machine: str, value: Any, prepared: Prepared) -> list[Noticed]:
        """Drill one state machine; return its faults in their order."""
        faults = self._chosen(list(breakages(machine, prepared.health)))
        scene = self._scene(self.watchers, prepared.played)
        self._ordinary(scene, prepared.played)
        rows = {}
        played = self.players.play(machine, value, prepared.health, faults)
        for number, (breakage, recording) in enumerate(played, 1):
            self.watch.breaking(breakage, number, len(faults))
            rows[breakage.name] = self._row(scene, machine, breakage, recording)
            self.watch.judged(rows[breakage.name])
        return [rows[fault.name] for fault in faults]

    def _chosen(self, faults: list[Breakage]) -> list[Breakage]:
        """Return the faults that the options name, or all."""
        self.faults += [fault.name for fault in faults]
        return [fault for fault in faults if not self.options.faults or fault.name in self.options.faults]

    def _ordinary(self, scene: Scene, health: Played) -> None:
        """Note the monitors that alert although nothing is broken."""
        seen = self._seen(scene, Fault(ORDINARY, ORDINARY, control=True), health)
        telling = {watcher.key for watcher in scene.watchers if watcher.tells}
        alerting = [each.key for each in seen if each.alert is not None or each.before]
        self.false_alarms.update(dict.fromkeys(key for key in alerting if key in telling))

    def _row(self, scene: Scene, machine: str, breakage: Breakage, recording: Played) -> Noticed:
        fault = breakage.fault
        seen = self._seen(scene, fault, recording)
        result = judge(fault, recording.takes, seen, scene.watchers, any_monitor=True)
        noticed = tuple(seen for seen in result.noticed if seen.key not in self.false_alarms)
        would: tuple[str, ...] = ()
        if not noticed:
            others = self._scene(self.shipped, scene.health)
            seen = self._seen(others, fault, recording)
            other = judge(fault, recording.takes, seen, others.watchers, any_monitor=True)
            would = tuple(seen.key for seen in other.noticed)
        remarks = tuple(sentence for sentence in result.wrong if sentence != "no monitor notices")
        return Noticed(breakage, machine, result.ended, noticed, would, remarks)

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
    with contextlib.ExitStack() as exits:
        pipeline = exits.enter_context(start_pipeline(options.pipeline, watch.say))
        helpers = [
            exits.enter_context(contextlib.closing(Helper(options.pipeline)))
            for _ in range(_players(options, pipeline) - 1)
        ]
        here = Player(pipeline)
        drill = _Drill(options, Players(here, helpers), watchers, shipped_watchers, watch, env)
        for machine in _machines(options, pipeline):
            watch.say(f"running {machine} in health")
            value = _input(options, pipeline, machine)
            prepared = here.prepare(machine, value)
            rows += drill.drilled(machine, value, prepared)
            reached |= {*prepared.health.functions, *prepared.health.resources}
        _refuse_unknown(options.faults, drill.faults)
        known = {*pipeline.deployment.functions, *resources_of(pipeline)} - set(pipeline.forwarders)
        notes = (*pipeline.notes, *_stand_in_notes(pipeline))
    return ApplicationResult(
        tuple(rows),
        tuple(drill.false_alarms),
        tuple(sorted(known - reached)),
        left_out,
        notes,
        time.monotonic() - began,
    )


def _players(options: ApplicationOptions, pipeline: Pipeline) -> int:
    """Return how many players the faults of an application are worth."""
    if options.players:
        return options.players
    faults = 7 * len(pipeline.deployment.functions) + 3 * len(resources_of(pipeline))
    return number_of_players(min(faults, len(options.faults) or faults))


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


def pipeline_options(source: Path, env: str, **more: Any) -> PipelineOptions:
    """Return how the drill deploys an application: waits pass as fast as in the drill of the example."""
    return PipelineOptions(source, environment=default_environment(env), speed=SPEED, **more)
