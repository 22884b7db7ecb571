"""One execution's timeline out of its log events: which states ran when, in which attempts, and how they
ended.

Events are fed as they come and each gives what it completes, so that a forwarder can emit a state as soon
as it has ended, and a reader of a whole history gets the whole tree. Both ends of a state may come in either
order; what has no beginning (log levels below ALL, a gap) is closed without a duration.
"""

import re
from collections.abc import Iterable
from dataclasses import field
from typing import Literal

from monitoring.log_events.step_events import EXECUTION_ENDED, StepEvent
from monitoring.values import dataclass

_ATTEMPT = re.compile(
    r"(?:Lambda(?:Function)|Task|Activity)"
    r"(Scheduled|Started|Submitted|Succeeded|Failed|TimedOut|ScheduleFailed|StartFailed|SubmitFailed)"
)
_ATTEMPT_STATUS = {"Succeeded": "succeeded", "TimedOut": "timed_out"}

Kind = Literal["execution", "state", "iteration", "attempt"]


@dataclass(slots=True, eq=False)
class Run:
    """One stretch of an execution: itself, a state, an iteration of a Map, or an attempt of a Task.

    Times are milliseconds since the epoch; `start` is None where the beginning was not logged, `end` while
    it runs. `status` is `running`, `succeeded`, `failed`, `timed_out` or `aborted`; a state that ended in
    an error is `failed` even where a Catch went on from there, which `caught` says.
    """

    kind: Kind
    name: str
    type: str = ""
    start: int | None = None
    end: int | None = None
    status: str = "running"
    error: str = ""
    cause: str = ""
    caught: bool = False
    index: int | None = None
    retry: int = 0
    redrive: int = 0
    resource: str = ""
    parent: "Run | None" = None
    children: "list[Run]" = field(default_factory=list)
    event: int = 0

    @property
    def duration(self) -> int | None:
        """Milliseconds from start to end, where both are known."""
        return None if self.start is None or self.end is None else max(0, self.end - self.start)

    def up(self, kind: Kind, name: str = "") -> "Run | None":
        """The run itself or the nearest around it of that kind, and of that name where one is given."""
        run: Run | None = self
        while run is not None and (run.kind != kind or (name and run.name != name)):
            run = run.parent
        return run


class Timeline:
    """The runs of one execution; `feed` takes its events, in any order, each as often as it comes."""

    def __init__(self, execution: str) -> None:
        self.execution = Run("execution", execution)
        self.size = 0  # events held, so that a keeper of many can bound them
        self._at: dict[int, Run] = {0: self.execution}  # event id -> the innermost open run after it
        self._done: dict[int, list[Run]] = {}
        self._open: dict[int, Run] = {}  # event id of the beginning -> run
        self._orphans: dict[str, list[Run]] = {}  # states that ended before they began

    def feed(self, event: StepEvent) -> list[Run]:
        """The runs that the event completes; the same again for an event that was fed before."""
        known = self._done.get(event.id)
        if known is None:
            self.size += 1
            self._at.setdefault(event.id, self._at.get(event.previous, self.execution))
            known = self._done[event.id] = self._take(event)
        return known

    def _take(self, event: StepEvent) -> list[Run]:
        if event.type.startswith("Execution"):
            return self._execution_event(event)
        if event.type.endswith("StateEntered"):
            return self._entered(event)
        if event.type.endswith("StateExited"):
            return self._exited(event)
        attempt = _ATTEMPT.fullmatch(event.type)
        if attempt:
            return self._attempt_event(event, attempt[1])
        if event.type.startswith("MapIteration"):
            return self._iteration_event(event)
        return self._within_state(event)

    # the execution

    def _execution_event(self, event: StepEvent) -> list[Run]:
        run = self.execution
        if event.type == "ExecutionStarted":
            run.start, run.event = event.time, event.id
            return [run] if run.end is not None else []
        if event.type == "ExecutionRedriven":
            run.status, run.end, run.redrive = "running", None, max(run.redrive + 1, event.redrive)
            return []
        status = EXECUTION_ENDED.get(event.type)
        if status is None:
            return []
        failing = self._at.get(event.previous)
        closed = []
        whole = self.size >= event.id and status != "succeeded"  # else an end may have gone to another reader
        for open_run in sorted(self._open.values(), key=lambda r: -r.event):
            on_the_way = failing is not None and _inside(failing, open_run)
            if whole or (on_the_way and status != "succeeded"):
                ended = status if on_the_way else "aborted"
                closed.append(self._close(open_run, event.time, ended, event if on_the_way else None))
        run.end, run.status = event.time, status
        run.error, run.cause = event.text("error"), event.text("cause")
        return [*closed, run] if run.start is not None else closed

    # states

    def _entered(self, event: StepEvent) -> list[Run]:
        around = self._at[event.id]
        parent = around.up("iteration") if around.kind == "iteration" else around
        parent = self._scope(parent or self.execution)
        kind = event.type.removesuffix("StateEntered")
        run = Run("state", event.text("name"), kind, event.time, parent=parent, event=event.id)
        run.redrive = event.redrive
        orphan = next((o for o in self._orphans.get(run.name, []) if o.event > event.id), None)
        if orphan is not None and self._heard(event.id, orphan.event):
            self._orphans[run.name].remove(orphan)
            orphan.start, orphan.type = event.time, kind
            return [orphan]
        parent.children.append(run)
        self._open[event.id] = self._at[event.id] = run
        return []

    def _scope(self, run: Run) -> Run:
        """Where a state begins: in an iteration, a Parallel, or the execution; never in a state that is no
        container."""
        here: Run = run
        while here.parent is not None and not (
            here.kind == "iteration" or (here.kind == "state" and here.type in {"Parallel", "Map"})
        ):
            here = here.parent
        return here

    def _exited(self, event: StepEvent) -> list[Run]:
        name = event.text("name")
        run = self._at[event.id].up("state", name)
        if run is None or run.end is not None:
            run = next(
                (r for r in reversed(self._open.values()) if r.kind == "state" and r.name == name), None
            )
            if run is not None and not self._heard(run.event, event.id):
                run = None  # in a loop, it could be the end of another round
        if run is None:
            kind = event.type.removesuffix("StateExited")
            orphan = Run("state", name, kind, None, event.time, "succeeded", event=event.id)
            self._orphans.setdefault(name, []).append(orphan)
            return []
        failed = run.status != "running"
        ended = {"running": "aborted"}  # what had failed has killed the rest
        closed = [
            self._close(r, event.time, ended.get(r.status, r.status)) for r in self._inner(run, event.id)
        ]
        run.caught = failed
        closed.append(self._close(run, event.time, run.status if failed else "succeeded"))
        self._at[event.id] = run.parent or self.execution
        return closed

    def _heard(self, first: int, last: int) -> bool:
        """Whether every event between two ids was fed."""
        return all(between in self._done for between in range(first + 1, last))

    def _within_state(self, event: StepEvent) -> list[Run]:
        """MapStateStarted, ParallelStateFailed, EvaluationFailed…: about a state that goes on or is left
        later."""
        named = re.match(r"(Map|Parallel)(?:State|Run)", event.type)
        run: Run | None = self._at[event.id]
        if named:
            while run is not None and not (run.kind == "state" and run.type == named[1]):
                run = run.parent
        elif event.type == "EvaluationFailed":
            run = run.up("state", event.text("state")) if run else None
        if run is None:
            return []
        self._at[event.id] = run
        if event.type.endswith("Failed") and run.kind == "state":
            run.status = "failed"
            run.error, run.cause = event.text("error") or run.error, event.text("cause") or run.cause
        elif event.type.endswith("StateSucceeded"):
            run.status = "running"  # until it is left
        elif event.type.endswith("StateStarted") and run.status == "failed":
            run.status, run.retry = "running", run.retry + 1  # a Map or Parallel is tried again
        return []

    # iterations and attempts

    def _iteration_event(self, event: StepEvent) -> list[Run]:
        name, index = event.text("name"), event.details.get("index")
        index = index if isinstance(index, int) else None
        if event.type == "MapIterationStarted":
            around = self._at[event.id]
            parent = around.up("state", name) or around
            run = Run("iteration", name, "Map", event.time, index=index, parent=parent, event=event.id)
            parent.children.append(run)
            self._open[event.id] = self._at[event.id] = run
            return []
        found = (
            r for r in self._open.values() if r.kind == "iteration" and (r.name, r.index) == (name, index)
        )
        run_or_none = next(found, None)
        if run_or_none is None:
            return []
        status = {"Succeeded": "succeeded", "Failed": "failed"}.get(event.type[12:], "aborted")
        closed = [self._close(r, event.time, status) for r in self._inner(run_or_none, event.id)]
        state = self._at[event.id] = run_or_none.parent or self.execution
        if status == "failed":
            state.status = "failed"  # unless it is tried again, or tolerates it
        return [*closed, self._close(run_or_none, event.time, status)]

    def _attempt_event(self, event: StepEvent, what: str) -> list[Run]:
        state = self._at[event.id].up("state")
        if what == "Scheduled":
            retry = sum(child.kind == "attempt" for child in state.children) if state else 0
            resource = event.text("resource")
            kind = event.text("resourceType")
            run = Run(
                "attempt", state.name if state else "", "Task", event.time, parent=state or self.execution
            )
            run.event, run.retry, run.redrive = event.id, retry, event.redrive
            run.resource = f"{kind}:{resource}" if kind and ":" not in resource else resource
            (run.parent or self.execution).children.append(run)
            if state:
                state.status, state.error, state.cause = "running", "", ""  # tried again
            self._open[event.id] = self._at[event.id] = run
            return []
        open_run = self._at[event.id].up("attempt")
        if what in {"Started", "Submitted"}:
            return []
        status = _ATTEMPT_STATUS.get(what, "failed")
        if open_run is None or open_run.end is not None:  # its beginning was not logged
            open_run = Run("attempt", state.name if state else "", "Task", parent=state, event=event.id)
        self._at[event.id] = state or self.execution
        closed = self._close(open_run, event.time, status, event)
        if state is not None and status != "succeeded":
            state.status, state.error, state.cause = status, closed.error, closed.cause
        return [closed]

    # endings

    def _inner(self, around: Run, end: int) -> list[Run]:
        """What is open inside a run that ends with an event; not what may have ended in a gap before."""
        inner = [r for r in self._open.values() if r is not around and _inside(r, around)]
        return sorted((r for r in inner if self._heard(r.event, end)), key=lambda r: -r.event)

    def _close(self, run: Run, time: int, status: str, event: StepEvent | None = None) -> Run:
        self._open.pop(run.event, None)
        run.end, run.status = time, status
        if event is not None and status != "succeeded":
            run.error, run.cause = event.text("error") or run.error, event.text("cause") or run.cause
        return run


def _inside(run: Run, around: Run) -> bool:
    here: Run | None = run
    while here is not None and here is not around:
        here = here.parent
    return here is not None


def timeline(events: Iterable[StepEvent]) -> Timeline:
    """The timeline of one execution's events, in whatever order they are given.

    Raises:
        ValueError: there are no events.
    """
    ordered = sorted(events, key=lambda event: event.id)
    if not ordered:
        raise ValueError("an execution without events has no timeline")
    found = Timeline(ordered[0].execution)
    for event in ordered:
        found.feed(event)
    return found
