"""Convert Step Functions log events to points and spans, also if an execution spans several payloads.

Timelines of running executions are kept in memory up to a number of events, or their events are shared with
other execution environments in a table. A payload that is delivered again has the same result again.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Protocol

from monitoring.instrumentation.propagation import context_of_input
from monitoring.lines import Point
from monitoring.log_events.step_events import StepEvent, count_points, tags_of
from monitoring.log_events.telemetry import SpanRecord
from monitoring.log_events.timeline import Run, Timeline

_EVENTS, _EXECUTIONS = 50_000, 2_000  # kept in total; 25 MB at most
_LOW_63 = (1 << 63) - 1
_PREFIX = "aws.states.enhanced."
_NANOSECONDS = 1_000_000  # in a millisecond


class Shared(Protocol):
    """Interface of the store that shares the events of executions that span payloads."""

    def append(self, events: Sequence[StepEvent]) -> list[StepEvent] | None:
        """Append a payload's events of an execution; return the earlier events, or None if that failed."""


class Executions:
    """The timelines of recent executions; the one without events for the longest time is dropped first.

    Args:
        events: the largest number of events in total.
        executions: the largest number of executions.
        shared: shares events with other execution environments; None for memory only.
    """

    def __init__(
        self, events: int = _EVENTS, executions: int = _EXECUTIONS, shared: Shared | None = None
    ) -> None:
        self._timelines: dict[str, Timeline] = {}
        self._traces: dict[str, Trace] = {}
        self._bound = (events, executions)
        self._events = 0
        self._shared = shared

    def take(
        self, events: Iterable[StepEvent], extra: tuple[str, ...] = (), service: str = "", env: str = ""
    ) -> tuple[list[Point], list[SpanRecord]]:
        """Return the points and spans of the events and of the runs that they complete."""
        points: list[Point] = []
        spans: list[SpanRecord] = []
        ordered = sorted(events, key=lambda e: (e.execution, e.id))
        for execution, group in groupby(ordered, attrgetter("execution")):
            execution_events = list(group)
            tags = tags_of(execution) + extra
            timeline, trace = self._earlier(execution, execution_events)
            size = timeline.size
            for event in execution_events:
                points += count_points(event, tags)
                if event.type == "ExecutionStarted":
                    trace.begin(event)
                for run in timeline.feed(event):
                    points += run_points(run, tags)
                    span = trace.span(run, service, env)
                    if span is not None:
                        spans.append(span)
            if self._timelines.get(execution) is timeline:
                self._events += timeline.size - size
        self._forget()
        return points, spans

    def _earlier(self, execution: str, events: list[StepEvent]) -> tuple[Timeline, "Trace"]:
        """Return the execution's timeline and trace before these events, from the table or from memory."""
        before = None
        if self._shared is not None and not _is_complete(events):
            before = self._shared.append([_with_context(event) for event in events])
        if before is None:
            return self._timeline(execution), self._traces[execution]
        timeline, trace = Timeline(execution), Trace(execution)
        for event in before:
            timeline.feed(event)
            if event.type == "ExecutionStarted":
                trace.begin(event)
        return timeline, trace

    def _timeline(self, execution: str) -> Timeline:
        timeline = self._timelines.pop(execution, None) or Timeline(execution)
        self._timelines[execution] = timeline  # the order of the dict is that of the last events
        if execution not in self._traces:
            self._traces[execution] = Trace(execution)
        return timeline

    def _forget(self) -> None:
        events, executions = self._bound
        while len(self._timelines) > 1 and (self._events > events or len(self._timelines) > executions):
            oldest = next(iter(self._timelines))
            self._events -= self._timelines.pop(oldest).size
            del self._traces[oldest]


def _is_complete(events: list[StepEvent]) -> bool:
    """Return whether the events are all of an execution; a failed one can be redriven and get more."""
    is_complete = [event.id for event in events] == list(range(1, len(events) + 1))
    return is_complete and events[-1].type == "ExecutionSucceeded"


def _with_context(event: StepEvent) -> StepEvent:
    """Return the event with the trace context of its input in place of the input, which may be large."""
    context = _context(event) if event.type == "ExecutionStarted" else None
    return event if context is None else event._replace(details={**event.details, "context": context})


def _context(event: StepEvent) -> tuple[str, str, str] | None:
    """Return the trace context of an execution's input (trace id, its upper half, span id), or None."""
    shared = event.details.get("context")
    if (
        isinstance(shared, (list, tuple))
        and len(shared) == 3
        and all(isinstance(part, str) for part in shared)
    ):
        return shared[0], shared[1], shared[2]
    with suppress(Exception):  # an input may hold anything
        context = context_of_input(json.loads(event.text("input") or "null"))
        if context is not None:
            return context.trace_id, context.high, context.span_id
    return None


def run_points(run: Run, tags: tuple[str, ...]) -> list[Point]:
    """Return the points of a finished run; without a duration if its start is unknown."""
    stamp = (run.end or 0) / 1000
    error = (f"error:{run.error.lower()}",) if run.error else ()
    if run.kind == "execution":
        return _duration("execution.execution_time", run, (*tags, f"status:{run.status}"))
    named = (*tags, f"statename:{run.name.lower()}") if run.name else tags
    if run.kind == "state":
        named = (*named, f"statetype:{run.type.lower()}")
        points = _duration("state.duration", run, (*named, f"status:{run.status}"))
        if run.status != "succeeded":
            points.append(Point(_PREFIX + "state.failed", 1.0, stamp, "count", named + error))
        return points
    if run.kind == "iteration" or run.type == "Map":
        return []
    named = (*named, f"resource:{run.resource.lower()}") if run.resource else named
    prefix = _PREFIX + "task.execution.task_"
    points = (
        [Point(prefix + run.status, 1.0, stamp, "count", named + error)] if run.status != "aborted" else []
    )
    if run.start is not None:
        points.append(Point(prefix + "started", 1.0, run.start / 1000, "count", named))
        if run.retry:
            points.append(Point(prefix + "retried", 1.0, run.start / 1000, "count", named))
    return points + _duration("task.execution.task_duration", run, (*named, f"status:{run.status}"))


def _duration(name: str, run: Run, tags: tuple[str, ...]) -> list[Point]:
    if run.duration is None or run.end is None:
        return []
    return [Point(_PREFIX + name, float(run.duration * _NANOSECONDS), run.end / 1000, "distribution", tags)]


class Trace:
    """Compute the ids of an execution's spans as Datadog does, so that functions' spans are their children.

    A redrive has another execution span, a child of the first one, because that was sent when the execution
    ended, and a span cannot be changed after it was sent.
    """

    def __init__(self, execution: str) -> None:
        self.execution = execution
        high, low = halves(execution)
        self.trace_id, self.high = f"{low:016x}", f"{high:x}"
        self.root = f"{halves(execution + '#execution')[0]:016x}"
        self.parent = "0" * 16

    def begin(self, event: StepEvent) -> None:
        """Make the span that the input names (if it was logged) the parent of the execution's span.

        It is the span of a function, or of the state of another execution that started this one, by a task or
        as an item of a Distributed Map.
        """
        context = _context(event)
        if context is not None:
            self.trace_id, self.high, self.parent = context

    def span(self, run: Run, service: str = "", env: str = "") -> SpanRecord | None:
        """Return the span of a finished run; None if its start is unknown or the state's span includes it."""
        if run.start is None or run.end is None:
            return None
        if run.kind == "attempt" and run.retry == 0 and run.status == "succeeded":
            return None  # the state's own span has the id that the function's span names as its parent
        machine = self.execution.split(":")[6] if self.execution.count(":") > 6 else self.execution
        meta = {"_dd.p.tid": self.high, "_dd.origin": "stepfunction", "executionarn": self.execution}
        meta |= {"statemachinename": machine, "status": run.status} | ({"env": env} if env else {})
        meta |= {"state": run.name, "statetype": run.type} if run.kind != "execution" else {}
        meta |= {"redrive_count": str(run.redrive)} if run.redrive else {}
        for key, value in (
            ("resource", run.resource),
            ("error.type", run.error),
            ("error.message", run.cause),
        ):
            if value:
                meta[key] = value[:5000]
        metrics = {"_sampling_priority_v1": 1.0}
        if run.event:
            metrics["event_id"] = float(run.event)  # orders what begins in the same millisecond
        if run.index is not None:
            metrics["map_index"] = float(run.index)
        kind = "" if run.kind == "execution" else f".{run.kind}"
        return SpanRecord(
            trace_id=self.trace_id,
            span_id=self.span_id(run),
            parent_id=self._parent_id(run),
            service=service or machine,
            name=f"aws.stepfunctions{kind}",
            resource=machine if run.kind == "execution" else run.name,
            type="serverless",
            error=0 if run.status == "succeeded" else 1,
            start=run.start * _NANOSECONDS,
            duration=(run.end - run.start if run.end > run.start else 0) * _NANOSECONDS,
            meta={key: value for key, value in meta.items() if value},
            metrics=metrics,
        )

    def span_id(self, run: Run) -> str:
        """Return the id, 16 hex digits; `datadog_lambda` uses a state's id as the parent of spans."""
        if run.kind == "execution":
            return self._hash(f"execution#{run.redrive}") if run.redrive else self.root
        if run.kind == "iteration":
            return self._hash(f"{run.name}#{run.index}#{run.start}#iteration")
        state = run if run.kind == "state" else run.parent
        entered = (state.start if state.entered is None else state.entered) if state else run.start
        base = f"{run.name}#{entered_time(entered or 0)}"
        if run.kind == "state":
            return self._hash(base + (f"#0#{run.redrive}" if run.redrive else ""))
        return self._hash(f"{base}#{run.retry}#{run.redrive}" + ("" if run.retry else "#attempt"))

    def _hash(self, text: str) -> str:
        return f"{halves(f'{self.execution}#{text}')[0]:016x}"

    def _parent_id(self, run: Run) -> str:
        if run.kind == "execution" and not run.redrive:
            return self.parent
        return self.span_id(run.parent) if run.parent is not None else self.root


def entered_time(milliseconds: int) -> str:
    """Format a time as `State.EnteredTime` of the context object: `2026-11-23T10:00:00.123Z`."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def halves(text: str) -> tuple[int, int]:
    """Return the two halves of the SHA-256 of a text, 63 bits each, never 0."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    high, low = (int.from_bytes(digest[i : i + 8], "big") & _LOW_63 for i in (0, 8))
    return high or 1, low or 1
