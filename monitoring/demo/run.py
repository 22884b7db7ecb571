"""Run the demo: start and deploy everything, run the scenarios, and compare the telemetry."""

import json
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.demo.accounting import balance
from monitoring.demo.findings import execution_result, metrics, never_started, spans_of, state_entered, steps
from monitoring.demo.result import DemoExecution, DemoResult
from monitoring.demo.scenarios import FIRST, LANES, OUTAGE, Scenario
from monitoring.demo.stage import Stage, set_up, template_of_the_example
from monitoring.errors import InputError
from monitoring.local_aws import Undelivered
from monitoring.local_aws.cloudwatch import MINUTE
from monitoring.local_pipeline.integration import Integration
from monitoring.log_events.telemetry import LogEvent
from monitoring.store import Store

DATABASE, LOG_EVENTS = "datadog.duckdb", "log_events.jsonl"
LOOK_SECONDS = 0.2
"""Seconds between two updates of the progress."""
START_SECONDS = 10.0
"""The longest time between a photo's event and the start of its execution, in real seconds."""
EXECUTION_SECONDS = 240.0
"""The longest duration of an execution, in real seconds; a longer one is an error of the demo."""
DRAIN_SECONDS = 120.0
"""The longest wait for the last log lines, in real seconds, on a busy machine."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options: the speed of waits, the folder to `keep`, and the port of the embedded Datadog.

    `template` is a changed copy of the example's template, which is deployed instead.
    """

    keep: Path | None = None
    speed: float = 15.0
    port: int = 0
    template: Path | None = None


class DemoWatcher:
    """A watcher that prints nothing; the command has a subclass that shows progress."""

    def say(self, text: str) -> None:
        """Report the current action."""

    def started(self, scenario: Scenario) -> None:
        """Report that an execution has started."""

    def entered(self, name: str, state: str) -> None:
        """Report that the execution `name` has entered a state."""

    def ended(self, execution: DemoExecution) -> None:
        """Report that an execution has ended."""


@dataclass(slots=True)
class _Show:
    """The state of the scenarios; `trouble` has the exceptions that ended one early.

    Attributes:
        scenarios: all scenarios, in the order of the report.
        arns: scenario name -> ARN of its execution.
        described: scenario name -> response of DescribeExecution.
    """

    scenarios: tuple[Scenario, ...]
    arns: dict[str, str] = field(default_factory=dict)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: list[BaseException] = field(default_factory=list)

    def scenario_of(self, execution: str) -> str:
        """Return the scenario of an execution name; "" if there is none."""
        return next((name for name, arn in self.arns.items() if arn.endswith(f":{execution}")), "")


Lanes = tuple[tuple[Scenario, ...], ...]


def run_demo(options: DemoOptions, watch: DemoWatcher | None = None, lanes: Lanes = LANES) -> DemoResult:
    """Run the demo and return its result.

    Args:
        options: the options of the demo.
        watch: receives the progress.
        lanes: groups of scenarios that run in parallel between the first scenario and the outage.

    Raises:
        InputError: the folder to keep cannot be used, a port is in use, the database is damaged, or the
            template cannot be deployed.
    """
    watch = watch or DemoWatcher()
    began = time.monotonic()
    template = options.template or template_of_the_example()
    with tempfile.TemporaryDirectory(prefix="stepscope-demo-") as temporary:
        folder = _keep(options.keep) if options.keep else Path(temporary)
        with set_up(template, folder / DATABASE, options.speed, options.port, watch.say) as stage:
            show = _perform(stage, lanes, watch)
            watch.say("waiting for the last lines to arrive in Datadog")
            deliveries = stage.aws.drain(DRAIN_SECONDS)
            result = _result(stage, show, began, deliveries.undelivered)
            if options.keep:
                integration = Integration(stage.pipeline, ("env:demo", "service:slides"))
                integration.publish(time.time() + MINUTE)
                _write_events(folder / LOG_EVENTS, stage.aws.log_events())
    return result


def _keep(folder: Path) -> Path:
    """Return the folder for the database, which must be writable and must not contain one with data.

    Raises:
        InputError: the folder cannot be written, or its database contains data.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOG_EVENTS).open("a").close()
    except OSError as error:
        hint = "Give a folder that you may write."
        raise InputError(
            f"nothing can be kept here ({error.strerror})", where=str(folder), hint=hint
        ) from error
    database = folder / DATABASE
    if database.exists():
        with Store.open(database) as store:
            if store.metrics() or store.spans() or store.logs():
                hint = (
                    "Give another folder, or remove the file: the demo counts what it finds in its database."
                )
                raise InputError("the database has data in it already", where=str(database), hint=hint)
    return folder


def _perform(stage: Stage, lanes: Lanes, watch: DemoWatcher) -> _Show:
    """Run the first scenario, then all groups in parallel, then the last in an outage of Datadog."""
    show = _Show((FIRST, *(scenario for lane in lanes for scenario in lane), OUTAGE))
    watch.say("running the pipeline")
    _run_lanes(stage, ((FIRST,),), show, watch)
    if FIRST.name not in show.arns:  # the first photo started no execution, so no other photo will
        return show
    _run_lanes(stage, lanes, show, watch)
    stage.aws.drain(DRAIN_SECONDS)
    with stage.datadog.outage():
        _run_lanes(stage, ((OUTAGE,),), show, watch)
        stage.aws.drain(DRAIN_SECONDS)
    _afterwards(stage)
    return show


def _afterwards(stage: Stage) -> None:
    """Fire the template's schedules, then repeat the last delivery to the forwarder.

    The forwarder's redrive schedule sends the batches that the outage has left in the spool. CloudWatch Logs
    and Lambda may deliver an event twice; a new environment can detect this only by the table of digests.
    """
    for schedule in stage.aws.schedules():
        stage.aws.fire_schedule(schedule.name)
    stage.aws.drain(DRAIN_SECONDS)
    stage.aws.reload_code()
    stage.aws.deliver_again()


def _run_lanes(stage: Stage, lanes: Lanes, show: _Show, watch: DemoWatcher) -> None:
    threads = [
        threading.Thread(target=_lane, args=(stage, lane, show, watch), name=lane[0].name, daemon=True)
        for lane in lanes
    ]
    seen = len(stage.aws.log_events())
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(LOOK_SECONDS)
        seen = _follow(stage, seen, show, watch)
    if show.trouble:
        raise show.trouble[0]


def _follow(stage: Stage, count: int, show: _Show, watch: DemoWatcher) -> int:
    """Report the states entered in the log events after the first `count`; return the number of events."""
    events = stage.aws.log_events()
    for event in events[count:]:
        if entered := state_entered(event):
            watch.entered(show.scenario_of(entered[0]), entered[1])
    return len(events)


def _lane(stage: Stage, lane: tuple[Scenario, ...], show: _Show, watch: DemoWatcher) -> None:
    try:
        for scenario in lane:
            watch.started(scenario)
            stage.send(scenario)
            if arn := execution_of(stage, scenario):
                show.arns[scenario.name] = arn
                show.described[scenario.name] = stage.aws.wait(arn, EXECUTION_SECONDS)
            watch.ended(_execution(stage, scenario, show))
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for the lanes
        show.trouble.append(error)


def execution_of(stage: Stage, scenario: Scenario, since: float = 0.0) -> str:
    """Return the ARN of the execution that a photo has started since a moment; "" if none starts in time."""
    for _ in range(round(START_SECONDS / LOOK_SECONDS)):
        for described, _ in stage.aws.host.executions_since(since):
            event = json.loads(described["input"])
            started = described["startDate"].timestamp() >= since
            if started and event["detail"]["object"]["key"] == scenario.key:
                return str(described["executionArn"])
        time.sleep(LOOK_SECONDS)
    return ""


def _execution(stage: Stage, scenario: Scenario, show: _Show) -> DemoExecution:
    if scenario.name not in show.arns:
        return never_started(scenario)
    history = stage.aws.history(show.arns[scenario.name])
    return execution_result(scenario, show.described[scenario.name], history)


def _result(stage: Stage, show: _Show, began: float, undelivered: Sequence[Undelivered]) -> DemoResult:
    executions = tuple(_execution(stage, scenario, show) for scenario in show.scenarios)
    store = stage.datadog.store
    shown = executions[0]
    failures = dict.fromkeys(
        f"{item.function.rpartition(':')[2]} did not take what came from {item.source}: {_reason(item.error)}"
        for item in undelivered
    )
    return DemoResult(
        executions=executions,
        steps=steps(store, stage.functions),
        metrics=metrics(store),
        accounting=balance(stage.aws.log_events(), store, stage.unsubscribed, len(show.arns)),
        spans_of=shown.name,
        spans=spans_of(store, shown.arn),
        seconds=round(time.monotonic() - began, 1),
        problems=(*stage.aws.refusals(), *failures),
    )


def _reason(error: str) -> str:
    """Return the message of an error; the error of a function is JSON with `errorMessage`."""
    try:
        answer = json.loads(error)
    except ValueError:
        return error
    return str(answer.get("errorMessage", error)) if isinstance(answer, dict) else error


def _write_events(path: Path, events: list[LogEvent]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for event in events:
            row = {
                "log_group": event.log_group,
                "log_stream": event.log_stream,
                "timestamp": event.timestamp,
                "message": event.message,
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
