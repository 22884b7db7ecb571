"""The demo from the first process to the last: sets the stage, runs the scenarios, balances the books."""

import json
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.demo.accounting import balance
from monitoring.demo.findings import metrics, spans_of, state_entered, steps, told
from monitoring.demo.integration import integrate
from monitoring.demo.result import DemoExecution, DemoResult
from monitoring.demo.scenarios import FIRST, LANES, SCENARIOS, Scenario
from monitoring.demo.stage import STATE_MACHINE, Stage, set_up
from monitoring.errors import InputError
from monitoring.log_events.telemetry import LogEvent
from monitoring.store import Store

DATABASE, LOG_EVENTS = "datadog.duckdb", "log_events.jsonl"
LOOK_SECONDS = 0.2
"""How often the progress is brought up to date."""
EXECUTION_SECONDS = 240.0
"""Real seconds after which an execution that still runs is a fault of the demo."""
DRAIN_SECONDS = 120.0
"""Real seconds that the last lines may take on a machine that is busy with something else."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How to run: waits `speed` times as fast, what to `keep`, and where the embedded Datadog listens."""

    keep: Path | None = None
    speed: float = 15.0
    port: int = 0


class Silent:
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
    """Hold what the copies have reached; `trouble` is what ended one too early."""

    arns: dict[str, str] = field(default_factory=dict)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: list[BaseException] = field(default_factory=list)


def run_demo(options: DemoOptions, watch: Silent | None = None) -> DemoResult:
    """Run the demo and say what came of it.

    Raises:
        InputError: nothing can be kept where it is asked for, a port is in use, or a database is broken.
    """
    watch = watch or Silent()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stepscope-demo-") as temporary:
        folder = _keep(options.keep) if options.keep else Path(temporary)
        with set_up(folder / DATABASE, options.speed, options.port, watch.say) as stage:
            show = _perform(stage, watch)
            watch.say("waiting for the last lines to arrive in Datadog")
            deliveries = stage.aws.drain(DRAIN_SECONDS)
            result = _result(stage, show, began)
            if options.keep:
                integrate(stage, show.described)
                _write_events(folder / LOG_EVENTS, stage.aws.log_events())
            if deliveries.undelivered:
                raise RuntimeError(f"not delivered to the forwarder: {deliveries.undelivered[0]}")
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


def _perform(stage: Stage, watch: Silent) -> _Show:
    """Run the first scenario, then all groups in parallel; return when the last has ended."""
    show = _Show()
    watch.say("running the pipeline")
    seen = 0
    for lanes in (((FIRST,),), LANES):
        threads = [
            threading.Thread(target=_lane, args=(stage, lane, show, watch), name=lane[0].name, daemon=True)
            for lane in lanes
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(LOOK_SECONDS)
            seen = _follow(stage, seen, watch)
        if show.trouble:
            raise show.trouble[0]
    return show


def _follow(stage: Stage, seen: int, watch: Silent) -> int:
    """Tells which states were entered in the log events after the first `seen`; how many there are now."""
    events = stage.aws.log_events()
    for event in events[seen:]:
        if entered := state_entered(event):
            watch.entered(*entered)
    return len(events)


def _lane(stage: Stage, lane: tuple[Scenario, ...], show: _Show, watch: Silent) -> None:
    try:
        for scenario in lane:
            watch.started(scenario)
            arn = stage.aws.start(STATE_MACHINE, photo_event(scenario), name=scenario.name)
            show.arns[scenario.name] = arn
            show.described[scenario.name] = stage.aws.wait(arn, EXECUTION_SECONDS)
            watch.ended(_execution(stage, scenario, show))
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits for the lanes
        show.trouble.append(error)


def photo_event(scenario: Scenario) -> dict[str, Any]:
    """Return the event that EventBridge sends for a new S3 object."""
    detail = {"bucket": {"name": "slides-photos"}, "object": {"key": scenario.key}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def _execution(stage: Stage, scenario: Scenario, show: _Show) -> DemoExecution:
    return told(scenario, show.described[scenario.name], stage.aws.history(show.arns[scenario.name]))


def _result(stage: Stage, show: _Show, began: float) -> DemoResult:
    executions = tuple(_execution(stage, scenario, show) for scenario in SCENARIOS)
    store = stage.datadog.store
    shown = executions[0]
    return DemoResult(
        executions=executions,
        steps=steps(store, stage.functions),
        metrics=metrics(store),
        accounting=balance(stage.aws.log_events(), store, stage.unsubscribed),
        spans_of=shown.name,
        spans=spans_of(store, shown.arn),
        seconds=round(time.monotonic() - began, 1),
    )


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
