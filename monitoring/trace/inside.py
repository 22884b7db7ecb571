"""Read the calls inside an execution's states: invocations, their spans, and log lines of failed ones."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from monitoring.log_events.telemetry import Span
from monitoring.log_events.timeline import Run
from monitoring.trace.read import Execution, replayed_spans

if TYPE_CHECKING:
    from monitoring.store import Store
    from monitoring.store.parquet_spans import ReplayedSpans

DATABASE = "datadog.duckdb"
MOST_LINES = 5
"""The number of log lines that are shown for a failed call."""
_STEP_FUNCTIONS = "aws.stepfunctions"
_ERRORS = {"error", "critical", "alert", "emergency"}
_MILLISECOND = 1_000_000  # nanoseconds
_BEFORE, _AFTER = 5, 60
"""Seconds before and after an execution in which its log lines are searched."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line: milliseconds since the epoch, its status, its text."""

    time: int
    status: str
    message: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function's invocation, or a call inside it; `depth` is the nesting level below the state.

    `start` is in milliseconds since the epoch, `duration` in milliseconds. `logs` are the log lines of a
    failed invocation with an error status, or its last lines if there is none; `more` counts the other lines.
    """

    depth: int
    name: str
    resource: str
    start: int
    duration: int
    failed: bool
    error: str = ""
    message: str = ""
    logs: Sequence[LogLine] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Inside:
    """The calls inside each run of an execution, in order of time."""

    calls: Mapping[int, Sequence[Call]] = field(default_factory=dict)
    """By the `id()` of the run."""

    def of(self, *runs: Run) -> list[Call]:
        """Return the calls of these runs."""
        return [call for run in runs for call in self.calls.get(id(run), ())]


def read_inside(data: "Path | ReplayedSpans", execution: Execution) -> Inside:
    """Read the calls inside an execution from a database; return an empty result if there is no database.

    Args:
        data: the database, a folder with one or with a replay, or the spans of a replay.
        execution: the execution, read from this database or from log events in the same folder.
    """
    if (spans := replayed_spans(data)) is not None:
        return _inside(spans, execution)
    path = cast(Path, data)
    database = path / DATABASE if path.is_dir() else path
    if database.suffix != ".duckdb" or not database.is_file():
        return Inside()
    from monitoring.store import Store

    with Store.open(database, read_only=True) as store:
        return _inside(store, execution)


def _inside(store: "Store | ReplayedSpans", execution: Execution) -> Inside:
    spans = _spans_of(store, execution.arn)
    return Inside(_Reader(store, execution, spans).calls()) if spans else Inside()


def _spans_of(store: "Store | ReplayedSpans", arn: str) -> list[Span]:
    traces = {
        str(span["trace_id"])
        for span in store.spans(name=_STEP_FUNCTIONS)
        if span["meta"].get("executionarn") == arn
    }
    return [span for trace in sorted(traces) for span in store.spans(trace_id=trace)]


class _Reader:
    """Find the calls of each run of one execution."""

    def __init__(self, store: "Store | ReplayedSpans", execution: Execution, spans: Sequence[Span]) -> None:
        self._store, self._execution = store, execution
        self._below: dict[str, list[Span]] = {}
        for span in spans:
            self._below.setdefault(str(span["parent_id"]), []).append(span)
        own = [span for span in spans if span["meta"].get("executionarn") == execution.arn]
        self._ids = {_key_of(span): str(span["span_id"]) for span in own if _is_step(span)}
        ids = {str(span["span_id"]) for span in spans}
        self._lost = [span for span in spans if str(span["parent_id"]) not in ids and not _is_step(span)]
        starts = [int(span["start"]) for span in spans]
        ends = [int(span["start"]) + int(span["duration"]) for span in spans]
        self._from, self._to = min(starts) / 1e9 - _BEFORE, max(ends) / 1e9 + _AFTER

    def calls(self) -> dict[int, list[Call]]:
        """Return the calls by the `id()` of the run; a call without a state belongs to the execution."""
        root = self._execution.root
        inside = {id(root): [call for span in self._lost for call in self._walk(span, 0)]}
        for run in _runs(root):
            span_id = self._ids.get((run.kind, run.event))
            below = self._below.get(span_id, []) if span_id else []
            calls = [call for span in below if not _is_step(span) for call in self._walk(span, 0)]
            inside[id(run)] = inside.get(id(run), []) + calls
        return inside

    def _walk(self, span: Span, depth: int) -> Iterator[Call]:
        meta = span["meta"]
        failed = bool(span["error"])
        logs, more = self._logs(str(meta.get("request_id") or "")) if failed else ([], 0)
        yield Call(
            depth,
            str(span["name"]),
            str(span["resource"]),
            int(span["start"]) // _MILLISECOND,
            int(span["duration"]) // _MILLISECOND,
            failed,
            str(meta.get("error.type") or ""),
            str(meta.get("error.message") or meta.get("error.msg") or ""),
            logs,
            more,
        )
        for child in self._below.get(str(span["span_id"]), []):
            if not _is_step(child):
                yield from self._walk(child, depth + 1)

    @cached_property
    def _lines(self) -> list[tuple[LogLine, str]]:
        """The log lines in the time range of the execution, each with its JSON text (all attributes)."""
        return [
            (
                LogLine(int(log["timestamp"]), str(log["status"]), str(log["message"])),
                json.dumps(log, ensure_ascii=False, default=str),
            )
            for log in self._store.logs(start=self._from, end=self._to)
        ]

    def _logs(self, request: str) -> tuple[list[LogLine], int]:
        """Return the first error lines of an invocation, and the number of lines left out."""
        if not request:
            return [], 0
        logs = [line for line, text in self._lines if request in text]
        errors = [log for log in logs if log.status in _ERRORS]
        shown = errors[:MOST_LINES] if errors else logs[-MOST_LINES:]
        return shown, len(errors or logs) - len(shown)


def _is_step(span: Span) -> bool:
    return str(span["name"]).startswith(_STEP_FUNCTIONS)


def _key_of(span: Span) -> tuple[str, int]:
    kind = str(span["name"]).removeprefix(_STEP_FUNCTIONS).lstrip(".") or "execution"
    return kind, int(span["metrics"].get("event_id") or 0)


def _runs(run: Run) -> Iterator[Run]:
    for child in run.children:
        yield child
        yield from _runs(child)


def call_data(call: Call, origin: int | None) -> dict[str, Any]:
    """Return a call as `--json` prints it; times in milliseconds."""
    return {
        "depth": call.depth,
        "name": call.name,
        "resource": call.resource,
        "start": call.start,
        "offset_ms": None if origin is None else call.start - origin,
        "duration_ms": call.duration,
        "status": "failed" if call.failed else "succeeded",
        "error": call.error,
        "message": call.message,
        "logs": [{"time": log.time, "status": log.status, "message": log.message} for log in call.logs],
        "more_logs": call.more,
    }
