"""Run an application until it is stopped: serve its pages, evaluate its monitors, and watch its files."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitoring.deploy.apply import apply_plan
from monitoring.deploy.session import open_session
from monitoring.discovery.stacks import read_stacks
from monitoring.errors import InputError
from monitoring.local_pipeline import Pipeline, PipelineOptions, start_pipeline
from monitoring.local_pipeline.definitions import record_definitions
from monitoring.local_pipeline.integration import Integration
from monitoring.local_pipeline.pipeline import environment_of
from monitoring.resources.own_metrics import catalogue_path, read_own_metrics
from monitoring.serve import Stop
from monitoring.serve.pages import page_routes
from monitoring.serve.sinks import Sink
from monitoring.serve.watch import Watch
from monitoring.up.changes import Stamps, stamps
from monitoring.up.pages import run_routes
from monitoring.up.recorded import MetricsRecord

LOOK_SECONDS = 1.0
"""Seconds between two checks of the files."""
_LATE = 5
"""Seconds after the full minute at which monitors are evaluated, as in `serve`."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """Options of `stepscope up`: the pipeline, and the folder of its dashboards and monitors (None: none).

    With `record`, the metrics that functions emit are written to the project's catalogue.
    """

    pipeline: PipelineOptions
    project: Path | None = None
    schedules: bool = True
    record: bool = False


@dataclass(slots=True)
class _Up:
    """The running application, and its periodic work."""

    options: UpOptions
    pipeline: Pipeline
    say: Callable[[str], None]
    watch: Watch
    integration: Integration
    metrics: MetricsRecord | None = None
    templates: Stamps = field(default_factory=dict)
    code: Stamps = field(default_factory=dict)
    minute: int = 0

    def look(self) -> None:
        """Deploy changed files, and evaluate the monitors once a minute."""
        self.reload()
        now = int(time.time()) - _LATE
        if now // 60 > self.minute:
            self.minute = now // 60
            self.integration.publish()
            self.watch.look()
            if self.metrics is not None:
                self.metrics.look()

    def reload(self) -> None:
        """Deploy the files that have changed since the last call."""
        folders = [path for stack in self.pipeline.stacks for path in stack.code.values() if path.is_dir()]
        templates, code = stamps(self.pipeline.stacks, folders)
        before = self.templates, self.code
        self.templates, self.code = templates, code
        if not before[0] and not before[1]:
            return
        if changed := _changed(before[0], templates):
            self.say(f"{changed} changed: deploying again")
            self._deploy_again()
        elif changed := _changed(before[1], code):
            self.say(f"{changed} changed: functions restart")
            self.pipeline.aws.reload_code()

    def _deploy_again(self) -> None:
        options = self.options.pipeline
        try:
            stacks = read_stacks(options.source, parameters=options.parameters, name=options.stack)
            self.pipeline.deployment = self.pipeline.aws.deploy(
                stacks,
                environment=environment_of(options, stacks, self.pipeline.datadog.url),
                answers=options.answers,
                previous=self.pipeline.deployment,
            )
        except InputError as error:
            self.say(f"not deployed: {error}")
            return
        self.pipeline.stacks = stacks
        record_definitions(self.pipeline.aws, self.pipeline.datadog.store)
        self.pipeline.aws.reload_code()


def _changed(before: Stamps, after: Stamps) -> str:
    paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if not paths:
        return ""
    return paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"


def run_up(
    options: UpOptions,
    sinks: Sequence[Sink],
    say: Callable[[str], None],
    stop: Stop,
    ready: Callable[[Pipeline], None] = lambda _: None,
) -> None:
    """Deploy the application, and keep it up until `stop` is set.

    Args:
        options: the application and how to run it.
        sinks: receive the monitors' notifications.
        say: prints a line on the terminal.
        stop: ends the run when it is set.
        ready: called with the pipeline once everything is deployed.

    Raises:
        InputError: the template cannot be read or deployed, a port is in use, or the project's files
            cannot be read; at the end, the catalogue of metrics cannot be merged or written.
    """
    if options.record and options.project:
        read_own_metrics(catalogue_path(options.project.resolve()))
    running: list[Pipeline] = []
    pages = replace(
        options.pipeline,
        pages=lambda store: [
            *page_routes(store, options.project),
            *run_routes(lambda: running[0] if running else None),
        ],
    )
    with start_pipeline(pages, say) as pipeline:
        running.append(pipeline)
        if options.project is not None:
            _apply(pipeline, options.project, say)
        if options.schedules:
            pipeline.aws.start_schedules()
        tags = tuple(
            f"{key.removeprefix('DD_').lower()}:{value}"
            for key, value in options.pipeline.environment.items()
            if key in {"DD_ENV", "DD_SERVICE", "DD_VERSION"}
        )
        up = _Up(
            options,
            pipeline,
            say,
            Watch(pipeline.datadog.store, sinks, say),
            Integration(pipeline, tags, until=int(time.time()) // 60 * 60),
            MetricsRecord(options.project, pipeline.aws, say) if options.record and options.project else None,
        )
        ready(pipeline)
        up.look()
        while not stop.wait(LOOK_SECONDS):
            up.look()
        if up.metrics is not None:
            up.metrics.end()


def _apply(pipeline: Pipeline, project: Path, say: Callable[[str], None]) -> None:
    """Apply the project's dashboards, monitors, SLOs and downtimes to the embedded Datadog."""
    if not any((project / folder).is_dir() for folder in ("dashboards", "monitors", "slos", "downtimes")):
        return
    address = {**os.environ, "DD_URL": pipeline.datadog.url, "DD_API_KEY": "local", "DD_APP_KEY": "local"}
    session = open_session(project, "", address)
    applied = apply_plan(session.client, session.project, session.plan, session.desired, session.actual)
    for step, reason in applied.failed:
        say(f"{step.kind} {step.key} was not applied: {reason}")
    if applied.done:
        say(f"applied {len(applied.done)} dashboards, monitors, SLOs and downtimes of {project}")
