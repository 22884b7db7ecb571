"""Map in distributed mode: a Map Run, whose items are executions of their own."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.branches import MODES, cancel, items_of, selected
from monitoring.local_aws.states.errors import FatalError, StateFailedError
from monitoring.local_aws.states.expressions import expression_of
from monitoring.local_aws.states.history import Frame, now
from monitoring.local_aws.states.interpreter import StateRun
from monitoring.local_aws.states.items import read_items
from monitoring.local_aws.states.jsonpath import is_number
from monitoring.local_aws.states.limits import tolerance
from monitoring.local_aws.states.results import write_results

if TYPE_CHECKING:
    from datetime import datetime

MAX_CHILDREN = 1000
"""The most child executions that run at a time here; AWS runs ten times as many."""
DEFAULT_BATCH_BYTES = text.MAX_BYTES


class MapRun:
    """One Map Run: its settings, its counters and its child executions."""

    def __init__(self, run: StateRun, concurrency: int, tolerated: tuple[int | None, float | None]) -> None:
        machine = run.execution.state_machine_arn
        label = run.fields.get("Label") or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{machine}/{run.state.name}"))
        self.name = str(uuid.uuid4())
        self.label = label
        self.arn = f"{machine.replace(':stateMachine:', ':mapRun:')}/{label}:{self.name}"
        self.execution_arn = run.execution.arn
        self.state_machine_arn = f"{machine}/{label}"
        self.max_concurrency = concurrency
        self.tolerated_count, self.tolerated_percentage = tolerated
        self.status = "RUNNING"
        self.started = now()
        self.stopped: datetime | None = None
        self.items = dict.fromkeys(("succeeded", "failed", "timedOut", "aborted", "running"), 0)
        self.executions = dict(self.items)
        self.total_items = self.total_executions = 0
        self.written = 0
        self.children: list[Any] = []
        self.redrive_count = 0

    def count(self, status: str, items: int) -> None:
        """Count a child execution that has ended, with its items."""
        name = {"SUCCEEDED": "succeeded", "FAILED": "failed", "TIMED_OUT": "timedOut"}.get(status, "aborted")
        self.executions[name] += 1
        self.items[name] += items

    def redrive(self) -> None:
        """Begin again with what has not succeeded."""
        self.redrive_count += 1
        self.status, self.stopped = "RUNNING", None
        for counted in (self.items, self.executions):
            counted.update(failed=0, timedOut=0, aborted=0)
        self.children = [child for child in self.children if child.status == "SUCCEEDED"]
        self.total_executions = len(self.children)

    def exceeded(self) -> bool:
        """Return whether more has failed than is tolerated."""
        failed = self.items["failed"] + self.items["timedOut"] + self.items["aborted"]
        if not failed:
            return False
        if self.tolerated_count is None and self.tolerated_percentage is None:
            return True
        over_count = self.tolerated_count is not None and failed > self.tolerated_count
        percentage = 100 * failed / max(1, self.total_items)
        return over_count or (
            self.tolerated_percentage is not None and percentage > self.tolerated_percentage
        )

    def end(self, status: str) -> None:
        """Note how the run ended."""
        self.status, self.stopped = status, now()

    def describe(self) -> dict[str, Any]:
        """Return DescribeMapRun."""
        return {
            "mapRunArn": self.arn,
            "executionArn": self.execution_arn,
            "status": self.status,
            "startDate": self.started,
            **({"stopDate": self.stopped} if self.stopped else {}),
            "maxConcurrency": self.max_concurrency,
            "toleratedFailurePercentage": float(self.tolerated_percentage or 0),
            "toleratedFailureCount": self.tolerated_count or 0,
            "itemCounts": self._counts(self.items, self.total_items),
            "executionCounts": self._counts(self.executions, self.total_executions),
            "redriveCount": self.redrive_count,
        }

    def _counts(self, counted: dict[str, int], total: int) -> dict[str, int]:
        ended = sum(counted.values())
        return {
            **counted,
            "pending": max(0, total - ended),
            "resultsWritten": self.written,
            "total": total,
            "failuresNotRedrivable": 0,
            "pendingRedrive": 0,
        }


async def map_run(run: StateRun, value: Any, concurrency: int) -> Any:
    """Run a Distributed Map and return its result."""
    read = "ItemReader" in run.fields
    items = [] if read else items_of(run, value)
    this = _begun(run, value, concurrency, len(items))
    try:
        if read:
            items = await read_items(run, value)
        try:
            await _children(run, this, items, value)
        except StateFailedError:
            if "ResultWriter" in run.fields:
                await write_results(run, this, value)
            raise
        written = await write_results(run, this, value) if "ResultWriter" in run.fields else None
    except StateFailedError as failed:
        this.end("FAILED")
        reasons = (("error", failed.error), ("cause", failed.cause))
        run.frame.add("MapRunFailed", {key: part for key, part in reasons if part})
        raise
    finally:
        if this.status == "RUNNING":
            this.end("ABORTED")
    this.end("SUCCEEDED")
    succeeded = run.frame.add("MapRunSucceeded", aside=True)
    run.frame.add("MapStateSucceeded", aside=True, previous=succeeded)
    if (
        run.execution.machine.start_at == run.state.name
    ):  # as all recordings but two have it, whatever the reason
        run.frame.previous = succeeded
    return [run.done[index] for index in sorted(run.done)] if written is None else written


def _begun(run: StateRun, value: Any, concurrency: int, length: int) -> MapRun:
    """Return the Map Run of this attempt: a new one, or the one that is redriven."""
    if run.redriven and run.map_run is not None:
        this: MapRun = run.map_run
        this.redrive()
        run.frame.add("MapRunRedriven", {"mapRunArn": this.arn, "redriveCount": this.redrive_count})
        return this
    run.frame.add("MapStateStarted", {"length": length})
    this = run.map_run = MapRun(run, concurrency, tolerance(run, value))
    run.execution.service.map_runs[this.arn] = this
    run.frame.add("MapRunStarted", {"mapRunArn": this.arn})
    return this


async def _children(run: StateRun, this: MapRun, items: list[Any], value: Any) -> None:
    """Run a child execution for each item or batch, and keep the outputs of those that succeed."""
    frame = run.frame.inner(run.frame.previous)
    arguments = _batches(run, value, _arguments(run, frame, items, value))
    this.total_items = len(items)
    running: dict[asyncio.Task[Any], tuple[int, int, Any]] = {}
    most = min(this.max_concurrency or MAX_CHILDREN, MAX_CHILDREN)
    number = 0
    try:
        while True:
            while len(running) < most and (item := next(arguments, None)) is not None:
                argument, count = item
                if number in run.done:
                    number += 1
                    continue
                child = run.execution.service.start_item(run, this, argument)
                this.total_executions += 1
                running[asyncio.create_task(child.wait())] = (number, count, child)
                number += 1
            if not running:
                break
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                index, count, child = running.pop(task)
                this.count(child.status, count)
                if child.status == "SUCCEEDED":
                    run.done[index] = child.output
            if this.exceeded():
                raise StateFailedError(
                    "States.ExceedToleratedFailureThreshold",
                    "The specified tolerated failure threshold was exceeded",
                )
            most = min(this.max_concurrency or MAX_CHILDREN, MAX_CHILDREN)
    finally:
        for _, count, child in running.values():
            child.stop(None, None)
            this.count("ABORTED", count)
        await cancel(list(running))


def _arguments(run: StateRun, frame: Frame, items: list[Any], value: Any) -> Iterator[Any]:
    for index, item in enumerate(items):
        yield selected(run, frame, item, index, value)


def _batches(run: StateRun, value: Any, arguments: Iterator[Any]) -> Iterator[tuple[Any, int]]:
    """Return the inputs of child executions with the number of items in each."""
    batcher = run.fields.get("ItemBatcher")
    if batcher is None:
        for argument in arguments:
            yield argument, 1
        return
    most = _limit(run, batcher, "MaxItemsPerBatch", value)
    most_bytes = _limit(run, batcher, "MaxInputBytesPerBatch", value) or DEFAULT_BATCH_BYTES
    common: dict[str, Any] = {}
    if "BatchInput" in batcher:
        fixed = batcher["BatchInput"]
        jsonata = run.state.jsonata
        common["BatchInput"] = (
            run.query.evaluate(fixed, "ItemBatcher/BatchInput")
            if jsonata
            else run.query.template(fixed, value)
        )
    empty = len(text.dumps({**common, "Items": []}).encode())
    batch: list[Any] = []
    size = empty
    for argument in arguments:
        more = len(text.dumps(argument).encode()) + 1
        if batch and ((most and len(batch) >= most) or size + more > most_bytes):
            yield {**common, "Items": batch}, len(batch)
            batch, size = [], empty
        batch.append(argument)
        size += more
    if batch:
        yield {**common, "Items": batch}, len(batch)


def _limit(run: StateRun, batcher: dict[str, Any], name: str, value: Any) -> int:
    limit = batcher.get(name, 0)
    if expression_of(limit) is not None:
        limit = run.query.typed(limit, f"ItemBatcher/{name}", "number", (int, float))
    path = batcher.get(f"{name}Path")
    if path is not None:
        limit = run.query.path(path, value)
    if not is_number(limit) or limit < 0 or limit != int(limit):
        raise FatalError(f"{name} must be a positive integer, but was: {text.dumps(limit)}")
    return int(limit)


MODES[True] = map_run
