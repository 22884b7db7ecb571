"""Build the timeline of an execution from its log events: the runs of states, their attempts and outcomes.

Each event returns the runs that it completes, so that a forwarder can emit a state as soon as it has ended,
and a reader of a whole history gets the whole tree. The two events of a state may come in any order; a state
without a beginning (because of log levels below ALL, or a gap) has no duration.

A redrive is a run within the execution, from ExecutionRedriven to the next end. It does not enter the failed
states again: each continues as another run of the same state, which begins with the redrive. Runs that were
completed before the redrive are unchanged.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from monitoring.log_events.step_events import EXECUTION_ENDED, StepEvent

_ATTEMPT = re.compile(
    r"(?:Lambda(?:Function)|Task|Activity)"
    r"(Scheduled|Started|Submitted|Succeeded|Failed|TimedOut|ScheduleFailed|StartFailed|SubmitFailed)"
)
_ATTEMPT_STATUS = {"Succeeded": "succeeded", "TimedOut": "timed_out"}
_MAP_RUN_STATUS = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Aborted": "aborted",
    "TimedOut": "timed_out",
}

Kind = Literal["execution", "state", "iteration", "attempt"]


@dataclass(slots=True, eq=False)
class Run:
    """A part of an execution: all of it, a redrive, a state, an iteration of a Map, or an attempt of a Task.

    Times are milliseconds since the epoch; `start` is None if the beginning was not logged, `end` is None
    while it runs. `status` is `running`, `succeeded`, `failed`, `timed_out` or `aborted`; a state that ended
    with an error is `failed` even if a Catch handled it, and `caught` is then true. `entered` is the time at
    which the state was entered, which is before `start` if a redrive continues it.
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
    entered: int | None = None

    @property
    def latest(self) -> "Run":
        """Return the last redrive of an execution, or the execution if there is none."""
        redrives = (run for run in self.children if run.kind == "execution")
        return max(redrives, key=lambda run: run.redrive, default=self)

    @property
    def duration(self) -> int | None:
        """The milliseconds from start to end; None if one of them is unknown."""
        return None if self.start is None or self.end is None else max(0, self.end - self.start)

    def up(self, kind: Kind, name: str = "") -> "Run | None":
        """Return the run or its nearest ancestor of a kind, and of a name if given."""
        run: Run | None = self
        while run is not None and (run.kind != kind or (name and run.name != name)):
            run = run.parent
        return run


class Timeline:
    """The runs of an execution; `feed` accepts its events in any order, also repeatedly."""

    def __init__(self, execution: str) -> None:
        self.execution = Run("execution", execution)
        self.size = 0  # the number of events, to limit the total of many timelines
        self._at: dict[int, Run] = {0: self.execution}  # event id -> the innermost open run after it
        self._done: dict[int, list[Run]] = {}
        self._open: dict[int, Run] = {}  # by id()
        self._continued: dict[tuple[int, int], Run] = {}  # (id() of a run, redrive) -> what continues it
        self._failed: dict[str, list[Run]] = {}  # states that a redrive may continue, by name
        self._orphans: dict[str, list[Run]] = {}  # states that ended before they began

    def feed(self, event: StepEvent) -> list[Run]:
        """Return the runs that the event completes; the same again for an event that was fed before."""
        known = self._done.get(event.id)
        if known is None:
            self.size += 1
            around = self._at.get(event.previous, self.execution)
            if event.redrive and not event.type.startswith("Execution"):
                around = self._scope(around) if event.type.endswith("StateEntered") else around
                around = self._continue(around, event.redrive, event.id)
            self._at.setdefault(event.id, around)
            known = self._done[event.id] = self._apply(event)
        return known

    def _apply(self, event: StepEvent) -> list[Run]:
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
        redriven = event.type == "ExecutionRedriven"
        run = self._continue(self.execution, max(event.redrive, redriven), event.id)
        if redriven or event.type == "ExecutionStarted":
            run.start, run.event = event.time, event.id
            late = [run] if run.end is not None else []
            return self._begin_late(run) + late if redriven else late
        status = EXECUTION_ENDED.get(event.type)
        if status is None:
            return []
        failing = self._at.get(event.previous)
        closed = []
        whole = self.size >= event.id and status != "succeeded"  # otherwise another reader may have the end
        opened = [r for r in reversed(self._open.values()) if r.redrive <= event.redrive]
        for open_run in sorted(opened, key=lambda r: -r.event):
            on_the_way = failing is not None and _inside(failing, open_run)
            if open_run.up("iteration") and not self._has_all(open_run.event, event.id):
                on_the_way = False  # it may have ended with its iteration, in a gap
            if whole or (on_the_way and status != "succeeded"):
                ended = status if on_the_way else "aborted"
                closed.append(self._close(open_run, event.time, ended, event if on_the_way else None))
        run.end, run.status = event.time, status
        run.error, run.cause = event.text("error"), event.text("cause")
        return [*closed, run] if run.start is not None else closed

    # redrives

    def _continue(self, run: Run, redrive: int, event: int) -> Run:
        """Return the continuation of a run in a redrive, from an event on; the run if it began there."""
        if run.redrive >= redrive:
            return run
        if run.kind == "execution":
            run = self.execution
        elif run.kind == "attempt" or run.status == "succeeded":
            return self._continue(run.parent or self.execution, redrive, event)
        continued = self._continued.get((id(run), redrive))
        if continued is not None:
            return continued
        if run is self.execution:
            continued = Run("execution", f"redrive {redrive}", parent=run)
        else:
            begin = self._continue(self.execution, redrive, event).start
            around = self._continue(run.parent or self.execution, redrive, event)
            continued = Run(run.kind, run.name, run.type, begin, index=run.index, parent=around)
            continued.entered = run.entered
            self._open[id(continued)] = continued
        continued.redrive, continued.event = redrive, event
        (continued.parent or self.execution).children.append(continued)
        self._continued[id(run), redrive] = continued
        return continued

    def _begin_late(self, redrive: Run) -> list[Run]:
        """Set the start of the runs that were continued before ExecutionRedriven was read; return those that
        are complete then. Failed runs were already returned, and counted, without it."""
        late = [r for r in self._continued.values() if r.redrive == redrive.redrive and r is not redrive]
        for run in late:
            run.start = redrive.start
        known = [run for run in late if run.status == "succeeded"]
        orphans = [o for waiting in self._orphans.values() for o in waiting if o.redrive == redrive.redrive]
        entered = {run.name for run in self._open.values() if run.redrive == redrive.redrive}
        for orphan in orphans:
            if self._has_all(redrive.event, orphan.event) and orphan.name not in entered:
                self._orphans[orphan.name].remove(orphan)
                before = next((r.entered for r in self._failed.get(orphan.name, ())), None)
                orphan.start, orphan.entered, orphan.parent = redrive.start, before, redrive
                redrive.children.append(orphan)
                known.append(orphan)
        return known

    def _recover(self, event: StepEvent, kind: str) -> Run | None:
        """Return the state that ends in a redrive without an event that continues it: one that failed before,
        or one without events before the redrive."""
        name, redrive = event.text("name"), self._continued.get((id(self.execution), event.redrive))
        if redrive is None or redrive.start is None or not self._has_all(redrive.event, event.id):
            return None
        left = (r for r in self._open.values() if r.kind == "state" and r.name == name)
        for failed in (*self._failed.get(name, ()), *left):
            if failed.redrive < event.redrive and (id(failed), event.redrive) not in self._continued:
                return self._continue(failed, event.redrive, event.id)
        run = Run("state", name, kind, redrive.start, parent=redrive, redrive=event.redrive, event=event.id)
        redrive.children.append(run)
        return run

    # states

    def _entered(self, event: StepEvent) -> list[Run]:
        around = self._at[event.id]
        parent = around.up("iteration") if around.kind == "iteration" else around
        parent = self._scope(parent or self.execution)
        kind = event.type.removesuffix("StateEntered")
        run = Run("state", event.text("name"), kind, event.time, parent=parent, event=event.id)
        run.redrive, run.entered = event.redrive, event.time
        orphans = (o for o in self._orphans.get(run.name, []) if o.redrive == event.redrive)
        orphan = next((o for o in orphans if o.event > event.id), None)
        if orphan is not None and self._has_all(event.id, orphan.event):
            self._orphans[run.name].remove(orphan)
            orphan.start, orphan.entered, orphan.type = event.time, event.time, kind
            return [orphan]
        parent.children.append(run)
        self._open[id(run)] = self._at[event.id] = run
        return []

    def _scope(self, run: Run) -> Run:
        """Return the container of a state: an iteration, a Parallel, the execution or its redrive."""
        container: Run = run
        while container.parent is not None and not (
            container.kind in {"iteration", "execution"} or container.type in {"Parallel", "Map"}
        ):
            container = container.parent
        return container

    def _exited(self, event: StepEvent) -> list[Run]:
        name = event.text("name")
        run = self._at[event.id].up("state", name)
        if run is None or run.end is not None:
            key = ("state", name, event.redrive)
            opened = (r for r in reversed(self._open.values()) if (r.kind, r.name, r.redrive) == key)
            run = next(opened, None)
            if run is not None and not self._has_all(run.event, event.id):
                run = None  # in a loop, it could be the end of another pass
        kind = event.type.removesuffix("StateExited")
        run = run or self._recover(event, kind)
        if run is None:
            orphan = Run("state", name, kind, None, event.time, "succeeded", event=event.id)
            orphan.redrive = event.redrive
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

    def _has_all(self, first: int, last: int) -> bool:
        """Return whether every event between two ids was read."""
        return all(between in self._done for between in range(first + 1, last))

    def _within_state(self, event: StepEvent) -> list[Run]:
        """Apply MapStateStarted, ParallelStateFailed and other events that do not end a state."""
        named = re.match(r"(Map|Parallel)(?:State|Run)", event.type)
        run: Run | None = self._at[event.id]
        if named:
            while run is not None and not (run.kind == "state" and run.type == named[1]):
                run = run.parent
        elif event.type == "EvaluationFailed":
            run = run.up("state", event.text("state")) if run else None
        self._at[event.id] = run or self.execution  # not what is within a Map that was not heard of
        if run is None:
            return []
        ended = self._map_run(event, run)
        if event.type.endswith("Failed") and run.kind == "state":
            run.status = "failed"
            run.error, run.cause = event.text("error") or run.error, event.text("cause") or run.cause
        elif event.type.endswith("StateSucceeded"):
            run.status = "running"  # until it is left
        elif event.type.endswith("StateStarted") and run.status == "failed":
            run.status, run.retry = "running", run.retry + 1  # a Map or Parallel is tried again
        return ended

    def _map_run(self, event: StepEvent, state: Run) -> list[Run]:
        """Add another run of a Distributed Map that is retried; its items are children of that run."""
        what = event.type.removeprefix("MapRun")
        if what == "Started" and state.retry:
            run = Run(
                "attempt", state.name, "Map", event.time, retry=state.retry, parent=state, event=event.id
            )
            run.redrive = event.redrive
            state.children.append(run)
            self._open[id(run)] = run
        elif what in _MAP_RUN_STATUS:
            tried = (r for r in self._open.values() if r.kind == "attempt" and r.parent is state)
            return [self._close(run, event.time, _MAP_RUN_STATUS[what], event) for run in list(tried)]
        return []

    # iterations and attempts

    def _iteration_event(self, event: StepEvent) -> list[Run]:
        name, index = event.text("name"), event.details.get("index")
        index = index if isinstance(index, int) else None
        if event.type == "MapIterationStarted":
            around = self._at[event.id]
            parent = around.up("state", name) or around
            run = Run("iteration", name, "Map", event.time, index=index, parent=parent, event=event.id)
            run.redrive = event.redrive
            parent.children.append(run)
            self._open[id(run)] = self._at[event.id] = run
            return []
        key = ("iteration", name, index, event.redrive)
        inner = self._at[event.id].up("iteration", name)
        known = [inner] if inner is not None and inner.index == index else self._open.values()
        iterations = (r for r in known if (r.kind, r.name, r.index, r.redrive) == key and r.end is None)
        run_or_none = next((r for r in iterations if r is inner or self._has_all(r.event, event.id)), None)
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
            self._open[id(run)] = self._at[event.id] = run
            return []
        open_run = self._at[event.id].up("attempt")
        if what in {"Started", "Submitted"}:
            return []
        status = _ATTEMPT_STATUS.get(what, "failed")
        if open_run is None or open_run.end is not None:  # its beginning was not logged
            open_run = Run("attempt", state.name if state else "", "Task", parent=state, event=event.id)
            open_run.redrive = event.redrive
        self._at[event.id] = state or self.execution
        closed = self._close(open_run, event.time, status, event)
        if state is not None and status != "succeeded":
            state.status, state.error, state.cause = status, closed.error, closed.cause
        return [closed]

    # endings

    def _inner(self, around: Run, end: int) -> list[Run]:
        """Yield the open runs inside a run that ends, except those that may have ended in a gap before."""
        inner = [r for r in self._open.values() if r is not around and _inside(r, around)]
        return sorted((r for r in inner if self._has_all(r.event, end)), key=lambda r: -r.event)

    def _close(self, run: Run, time: int, status: str, event: StepEvent | None = None) -> Run:
        self._open.pop(id(run), None)
        run.end, run.status = time, status
        if run.kind == "state" and status != "succeeded" and not run.caught:
            self._failed.setdefault(run.name, []).append(run)
        if event is not None and status != "succeeded":
            run.error, run.cause = event.text("error") or run.error, event.text("cause") or run.cause
        return run


def _inside(run: Run, around: Run) -> bool:
    ancestor: Run | None = run
    while ancestor is not None and ancestor is not around:
        ancestor = ancestor.parent
    return ancestor is not None


def timeline(events: Iterable[StepEvent]) -> Timeline:
    """Build the timeline of an execution from its events, in any order.

    Raises:
        ValueError: there are no events.
    """
    ordered = sorted(events, key=lambda event: event.id)
    if not ordered:
        raise ValueError("an execution without events has no timeline")
    result = Timeline(ordered[0].execution)
    for event in ordered:
        result.feed(event)
    return result
