"""The demo from the first process to the last: sets the stage, runs the scenarios, balances the books."""

import json
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.demo.accounting import balance
from monitoring.demo.findings import metrics, never_started, spans_of, state_entered, steps, told
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
"""How often the progress is brought up to date."""
START_SECONDS = 10.0
"""Real seconds that a photo's event may take to start an execution."""
EXECUTION_SECONDS = 240.0
"""Real seconds after which an execution that still runs is a fault of the demo."""
DRAIN_SECONDS = 120.0
"""Real seconds that the last lines may take on a machine that is busy with something else."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How to run: waits `speed` times as fast, what to `keep`, and where the embedded Datadog listens.

    `template` is a changed copy of the example's template, to be deployed in its place.
    """

    keep: Path | None = None
    speed: float = 15.0
    port: int = 0
    template: Path | None = None


class DemoWatcher:
    """A watcher that says nothing; the command has one that shows progress."""

    def say(self, text: str) -> None:
        """Report the current action."""

    def started(self, scenario: Scenario) -> None:
        """Report that an execution has started."""

    def entered(self, name: str, state: str) -> None:
        """Report that the execution of that name has entered a state."""

    def ended(self, execution: DemoExecution) -> None:
        """Report that an execution has ended."""


@dataclass(slots=True)
class _Show:
    """Hold what the scenarios have reached; `trouble` is what ended one too early.

    Attributes:
        scenarios: all of them, in the order in which they are told.
        arns: the execution of each scenario that has one, by the scenario's name.
        described: answers of DescribeExecution, by the scenario's name.
    """

    scenarios: tuple[Scenario, ...]
    arns: dict[str, str] = field(default_factory=dict)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: list[BaseException] = field(default_factory=list)

    def scenario_of(self, execution: str) -> str:
        """Return the scenario of an execution's name; "" where it is of none."""
        return next((name for name, arn in self.arns.items() if arn.endswith(f":{execution}")), "")


Lanes = tuple[tuple[Scenario, ...], ...]


def run_demo(options: DemoOptions, watch: DemoWatcher | None = None, lanes: Lanes = LANES) -> DemoResult:
    """Run the demo and say what came of it.

    Args:
        options: how to run.
        watch: is told what happens.
        lanes: what runs between the first scenario and the outage.

    Raises:
        InputError: nothing can be kept where it is asked for, a port is in use, a database is broken, or the
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
    """Return the folder for the database, which has to be writable and empty.

    Raises:
        InputError: it cannot, or has.
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
    if FIRST.name not in show.arns:  # what starts no execution now does so for no other photo
        return show
    _run_lanes(stage, lanes, show, watch)
    stage.aws.drain(DRAIN_SECONDS)
    with stage.datadog.outage():
        _run_lanes(stage, ((OUTAGE,),), show, watch)
        stage.aws.drain(DRAIN_SECONDS)
    _afterwards(stage)
    return show


def _afterwards(stage: Stage) -> None:
    """Fire the template's schedules; then deliver a second time what was delivered last.

    The forwarder's redrive sends what the outage has left in the spool. A delivery may come twice, as
    CloudWatch Logs and Lambda say: a new environment remembers nothing, so that the table of digests has to.
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


def _follow(stage: Stage, seen: int, show: _Show, watch: DemoWatcher) -> int:
    """Tells which states were entered in the log events after the first `seen`; how many there are now."""
    events = stage.aws.log_events()
    for event in events[seen:]:
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
    """Return the execution that a photo's arrival has started since a moment; "" where none starts."""
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
    return told(scenario, show.described[scenario.name], stage.aws.history(show.arns[scenario.name]))


def _result(stage: Stage, show: _Show, began: float, undelivered: Sequence[Undelivered]) -> DemoResult:
    executions = tuple(_execution(stage, scenario, show) for scenario in show.scenarios)
    store = stage.datadog.store
    shown = executions[0]
    lost = dict.fromkeys(
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
        problems=(*stage.aws.refusals(), *lost),
    )


def _reason(error: str) -> str:
    """Return the message of a function's error, which is JSON where the function itself has failed."""
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
