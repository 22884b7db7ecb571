"""Drill a user's application: inject every fault that its template allows, and evaluate its monitors."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monitoring.deploy.start import shipped
from monitoring.drill import watching
from monitoring.drill.application_result import ApplicationResult, Noticed
from monitoring.drill.breakages import Breakage, breakages
from monitoring.drill.jury import Jury
from monitoring.drill.player import Part, Player, resources_of
from monitoring.drill.players import Helper, number_of_players, play
from monitoring.drill.run import Played
from monitoring.drill.stage import SPEED
from monitoring.drill.watching import Watcher
from monitoring.errors import InputError
from monitoring.local_pipeline import Pipeline, PipelineOptions, start_pipeline
from monitoring.resources.nearest import nearest
from monitoring.testing.project import Folder


@dataclass(frozen=True, slots=True)
class ApplicationOptions:
    """The options of the drill of an application.

    Attributes:
        pipeline: the template, and how it is deployed.
        inputs: logical id or name of a state machine -> its input; "" is the default.
        monitors: the monitors to drill.
        machines: the state machines to drill; empty means all.
        delay: seconds until a point of CloudWatch is in Datadog.
        tags: additional tags of every metric.
        faults: the names of the faults to inject (`Pay/raises`); empty means all.
        players: the number of embedded AWS processes in parallel; 0 chooses it by the number of faults.
    """

    pipeline: PipelineOptions
    inputs: Mapping[str, Any]
    monitors: Folder
    machines: tuple[str, ...] = ()
    delay: int = 720
    tags: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    players: int = 0

    @property
    def env(self) -> str:
        """The value of the `env` tag of metrics."""
        return self.monitors.env or "prod"


class Progress:
    """A watcher that prints nothing; the command has a subclass that shows progress."""

    def say(self, text: str) -> None:
        """Report the current action."""

    def breaking(self, breakage: Breakage, number: int, count: int) -> None:
        """Report that a fault is being injected."""

    def judged(self, row: Noticed) -> None:
        """Report that a fault has been judged."""


@dataclass(slots=True)
class _Drill:
    """The state of the drill of one application."""

    options: ApplicationOptions
    here: Player
    helpers: Sequence[Helper]
    watchers: Sequence[Watcher]
    shipped: Sequence[Watcher]
    watch: Progress
    false_alarms: dict[str, None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # the names of all, chosen or not
    reached: set[str] = field(default_factory=set)  # logical ids
    notes: list[str] = field(default_factory=list)

    def drilled(self, inputs: Mapping[str, Any]) -> list[Noticed]:
        """Drill state machines by their inputs; skip one that does not succeed without a fault.

        Raises:
            InputError: no state machine succeeds.
        """
        rows: list[Noticed] = []
        refusals = []
        for machine, value in inputs.items():
            try:
                rows += self._drilled(machine, value)
            except InputError as refused:
                refusals.append(refused)
        if refusals and len(refusals) == len(inputs):
            raise refusals[0]
        self.notes += [f"not drilled: {refused.message}" for refused in refusals]
        return rows

    def _drilled(self, machine: str, value: Any) -> list[Noticed]:
        """Drill one state machine; return the results of its faults in order."""
        self.watch.say(f"running {machine} in health")
        health, played = self.here.prepare(machine, value)
        self.reached |= {*health.functions, *health.resources}
        if health.unlucky:
            self.notes.append(
                f"{health.unlucky} executions of {machine} failed with nothing broken, and were run again"
            )
        faults = self._chosen(list(breakages(machine, health)))
        rows = {}
        part = Part(machine, value, health, self._jury(played))
        for number, (breakage, verdict) in enumerate(play(self.here, self.helpers, part, faults), 1):
            self.watch.breaking(breakage, number, len(faults))
            rows[breakage.name] = Noticed(breakage, machine, *verdict)
            self.watch.judged(rows[breakage.name])
        return [rows[fault.name] for fault in faults]

    def _chosen(self, faults: list[Breakage]) -> list[Breakage]:
        """Return the faults named in the options, or all faults."""
        self.faults += [fault.name for fault in faults]
        return [fault for fault in faults if not self.options.faults or fault.name in self.options.faults]

    def _jury(self, health: Played) -> Jury:
        """Return the jury, with the monitors that alert without a fault excluded."""
        service = self.options.pipeline.environment.get("DD_SERVICE", "")
        tags = (*self.options.tags, *((f"service:{service}",) if service else ()))
        jury = Jury(self.watchers, self.shipped, health, self.options.env, tags)
        self.false_alarms.update(dict.fromkeys(jury.alerting()))
        return replace(jury, false_alarms=frozenset(self.false_alarms))


def drill_application(options: ApplicationOptions, watch: Progress | None = None) -> ApplicationResult:
    """Drill an application: deploy it locally, inject faults, and report which of its monitors detect them.

    Raises:
        InputError: the template or the monitors cannot be read, there is no state machine, a fault name is
            unknown, or an execution does not succeed without a fault.
    """
    watch = watch or Progress()
    began = time.monotonic()
    watchers, left_out = _watchers(options.monitors, options.delay)
    shipped_watchers = _others(watchers, Folder(shipped("monitors"), options.env), options.delay)
    with contextlib.ExitStack() as exits:
        pipeline = exits.enter_context(start_pipeline(options.pipeline, watch.say))
        helpers = [
            exits.enter_context(contextlib.closing(Helper(options.pipeline)))
            for _ in range(_players(options, pipeline) - 1)
        ]
        drill = _Drill(options, Player(pipeline), helpers, watchers, shipped_watchers, watch)
        rows = drill.drilled({name: _input(options, pipeline, name) for name in _machines(options, pipeline)})
        refuse_unknown(options.faults, drill.faults)
        known = {*pipeline.deployment.functions, *resources_of(pipeline)} - set(pipeline.forwarders)
        notes = (*pipeline.notes, *_stand_in_notes(pipeline), *drill.notes)
    return ApplicationResult(
        tuple(rows),
        tuple(drill.false_alarms),
        tuple(sorted(known - drill.reached)),
        left_out,
        notes,
        time.monotonic() - began,
    )


def _players(options: ApplicationOptions, pipeline: Pipeline) -> int:
    """Return the number of parallel players for an application."""
    if options.players:
        return options.players
    faults = 7 * len(pipeline.deployment.functions) + 3 * len(resources_of(pipeline))
    return number_of_players(min(faults, len(options.faults) or faults))


def refuse_unknown(chosen: Sequence[str], faults: Sequence[str]) -> None:
    """Check the names of faults.

    Raises:
        InputError: a name is not a fault of the application.
    """
    for name in chosen:
        if name not in faults:
            near = nearest(name, faults)
            hint = f"Did you mean {near}?" if near else f"There are {', '.join(faults)}."
            raise InputError(f"{name} is not a fault of this application", hint=hint)


def _watchers(folder: Folder, delay: int) -> tuple[list[Watcher], Mapping[str, str]]:
    """Return the project's monitors, and those left out with the reason; both may be empty."""
    return watching.load(folder, delay) if folder.path.is_dir() and folder.keys() else ([], {})


def _others(watchers: Sequence[Watcher], shipped: Folder, delay: int) -> list[Watcher]:
    """Return the shipped monitors that the project does not have."""
    known = [(watcher.monitor.query, watcher.monitor.options, watcher.members) for watcher in watchers]
    return [
        watcher
        for watcher in watching.load(shipped, delay)[0]
        if (watcher.monitor.query, watcher.monitor.options, watcher.members) not in known
    ]


def _stand_in_notes(pipeline: Pipeline) -> Iterator[str]:
    for stand_in in pipeline.deployment.stand_ins:
        if not stand_in.quiet:
            yield f"not run here: {stand_in.logical_id} ({stand_in.type}); in its place: {stand_in.what}"


def _machines(options: ApplicationOptions, pipeline: Pipeline) -> list[str]:
    """Return the logical ids of the state machines to drill.

    Raises:
        InputError: the template has no state machine, or not the named one.
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
    """Return default environment variables of functions, with the `env` of the monitors."""
    return {"DD_ENV": env or "prod"}


def pipeline_options(source: Path, env: str, **more: Any) -> PipelineOptions:
    """Return the options with which the drill deploys an application, with the drill's speed of waits."""
    return PipelineOptions(source, environment=default_environment(env), speed=SPEED, **more)
