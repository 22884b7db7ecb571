"""Patches of moto's Step Functions: nothing comes after the end, and a dead Map or Parallel takes all along.

When an iteration or a branch fails, the rest is aborted: an event for each state and each iteration that was
open, all pointing at the event that failed, as AWS writes them.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from monitoring.local_aws.clock import Clock
from monitoring.local_aws.moto_patches.patch import Host, Patch

_ASL = "moto.stepfunctions.parser.asl"
_ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}
_ABORTABLE = {"Task", "Wait", "Map", "Parallel"}


def _manager_init(original: Any, host: Host) -> Any:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.clock = Clock(host.speed, host.work_speed)
        self.gate = threading.RLock()
        self.ended = False
        self.containers = {}  # event id of a Map's start -> its environment, None once it is dead

    return init


def _add_event(original: Any, _: Host) -> Any:
    def add_event(
        self: Any,
        context: Any,
        event_type: Any,
        event_details: Any = None,
        timestamp: Any = None,
        update_source_event_id: bool = True,
    ) -> int:
        with self.gate:
            kind = event_type.value
            if kind == "MapIterationStarted" and self.containers.get(context.source_event_id, self) is None:
                context.closed = True  # its Map died before it began
            if self.ended or getattr(context, "closed", False):
                return int(context.last_published_event_id)
            self.ended = kind in _ENDS
            number: int = original(
                self, context, event_type, event_details, timestamp, update_source_event_id
            )
            if kind == "MapIterationFailed":
                _kill_map(self, number)
            return number

    return add_event


def _kill_map(manager: Any, failed: int) -> None:
    """The first iteration that fails takes the others along, at once."""
    parents = {event["id"]: event["previousEventId"] for event in manager._history_event_list}
    while failed and failed not in manager.containers:
        failed = parents.get(failed, 0)
    environment = manager.containers.get(failed)
    if environment is not None:
        manager.containers[failed] = None
        _close_inner(environment)
        _abort(environment, failed)


def _close(frame: Any) -> None:
    """What runs on in a frame that was closed, or in one within it, writes no more events."""
    frame.event_history_context.closed = True
    _close_inner(frame)


def _close_inner(environment: Any) -> None:
    for inner in list(environment._frames):
        _close(inner)


def _close_frame(original: Any, _: Host) -> Any:
    def close_frame(self: Any, frame: Any) -> None:
        with self.event_manager.gate:
            killed = getattr(frame.event_history_context, "closed", False)
            _close(frame)
        if killed:
            self.delete_frame(frame)  # what comes next does not follow upon what was killed
        else:
            original(self, frame)

    return close_frame


def _open_frame(original: Any, _: Host) -> Any:
    def open_frame(self: Any, event_history_context: Any = None) -> Any:
        frame = original(self, event_history_context)
        if getattr(self.event_history_context, "closed", False):
            frame.event_history_context.closed = True
        return frame

    return open_frame


def _map_body(original: Any, _: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        env.event_manager.containers[env.event_history_context.source_event_id] = env
        original(self, env)

    return _eval_body


def _parallel_body(original: Any, _: Host) -> Any:
    def _eval_body(self: Any, env: Any) -> None:
        from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
            FailureEventException,
        )

        root = env.event_history_context.source_event_id
        try:
            original(self, env)
        except FailureEventException:
            with env.event_manager.gate:
                _close_inner(env)
                _abort(env, root)
            raise

    return _eval_body


def _abort(env: Any, root: int) -> None:
    """Writes what is aborted within the Map or Parallel whose inner events descend from `root`."""
    from moto.stepfunctions.parser.api import HistoryEventType
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext

    manager = env.event_manager
    within = Within(manager._history_event_list, root)
    if within.failing is None:
        return
    env.event_history_context.source_event_id = within.failing
    for kind, details in within.aborted():
        manager.add_event(EventHistoryContext(within.failing), HistoryEventType(f"{kind}Aborted"), details)


class Within:
    """The events below one event of a history: which states and iterations are open, and which failed."""

    def __init__(self, events: list[Any], root: int) -> None:
        self._parents = {event["id"]: event["previousEventId"] for event in events}
        self._open: dict[int, tuple[str, Any]] = {}
        self.failing: int | None = None
        for event in events:
            if root in self._above(event["id"]):
                self._take(event, event["type"].value)

    def aborted(self) -> Iterator[tuple[str, Any]]:
        """`TaskState`, `MapIteration`, … and the event's details: iteration by iteration, then the rest."""
        iterations = [number for number, (kind, _) in self._open.items() if kind == "MapIteration"]
        for iteration in iterations:
            for number, found in list(self._open.items()):
                if number != iteration and iteration in self._above(number):
                    yield found
                    del self._open[number]
            details = self._open.pop(iteration)[1]
            yield "MapIteration", {"mapIterationAbortedEventDetails": details}
        yield from self._open.values()

    def _take(self, event: Any, kind: str) -> None:
        number = event["id"]
        if kind == "MapIterationStarted":
            self._open[number] = ("MapIteration", event["mapIterationStartedEventDetails"])
        elif kind.startswith("MapIteration"):
            if kind == "MapIterationFailed":
                self.failing = event["previousEventId"]
            self._leave(number, "MapIteration")
        elif kind.endswith("StateEntered"):
            if kind.removesuffix("StateEntered") in _ABORTABLE:
                self._open[number] = (kind.removesuffix("Entered"), None)
            self.failing = number if kind == "FailStateEntered" else self.failing
        elif kind.endswith("StateExited"):
            self._leave(number, kind.removesuffix("Exited"))
        elif kind.endswith(("Failed", "TimedOut")):
            self.failing = number

    def _leave(self, number: int, kind: str) -> None:
        with suppress(StopIteration):
            del self._open[
                next(n for n in self._above(number) if n in self._open and self._open[n][0] == kind)
            ]

    def _above(self, number: int) -> Iterator[int]:
        while number := self._parents.get(number, 0):
            yield number


def _error_name(original: Any, _: Host) -> Any:
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName

    def error_name(error_name: str | None) -> Any:
        known = error_name is not None and error_name.startswith("States.")
        return StatesErrorName.from_name(error_name) if known else original(error_name)

    return error_name


PATCHES = (
    Patch(
        f"{_ASL}.eval.event.event_manager:EventManager.__init__",
        "an execution needs a clock, and a gate that closes when it has ended",
        _manager_init,
    ),
    Patch(
        f"{_ASL}.eval.event.event_manager:EventManager.add_event",
        "moto goes on writing after the end: a handler that was timed out and returns later adds "
        "TaskSucceeded to an execution that has failed",
        _add_event,
        ("self", "context", "event_type", "event_details", "timestamp", "update_source_event_id"),
    ),
    Patch(
        f"{_ASL}.eval.environment:Environment.close_frame",
        "what runs on in a frame that was left writes events into whatever came after it",
        _close_frame,
        ("self", "frame"),
    ),
    *(
        Patch(
            f"{_ASL}.component.state.exec.{where}:CustomErrorName",
            "within a Map or Parallel moto turns States.Timeout into States.Runtime, which no Catch takes",
            _error_name,
        )
        for where in ("state_map.iteration.iteration_worker", "state_parallel.branches_decl")
    ),
    Patch(
        f"{_ASL}.component.state.exec.state_map.iteration.inline_iteration_component"
        ":InlineIterationComponent._eval_body",
        "when an iteration fails, moto lets the others go on and succeed, and tells nothing of the aborted",
        _map_body,
        ("self", "env"),
    ),
    Patch(
        f"{_ASL}.component.state.exec.state_parallel.branches_decl:BranchesDecl._eval_body",
        "when a branch fails, moto writes no event of what is aborted in the others",
        _parallel_body,
        ("self", "env"),
    ),
    *(
        Patch(
            f"{_ASL}.eval.environment:Environment.{name}",
            "what begins in a frame that was left must not write either",
            _open_frame,
            ("self", "event_history_context"),
        )
        for name in ("open_frame", "open_inner_frame")
    ),
)
