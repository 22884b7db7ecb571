"""Read executions from log events (JSON lines), a history of the API, the local database, or a replay.

Lines may be Step Functions' own log events, or events of CloudWatch Logs with one as `message`; other lines
are ignored. A history is one or several pages of GetExecutionHistory, concatenated or in a list, or only the
list of its events. Duplicate events count once, and their order does not matter.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from monitoring.errors import InputError
from monitoring.log_events.step_events import StepEvent, history_events, is_step_event, read_step_event
from monitoring.log_events.telemetry import Span
from monitoring.log_events.timeline import Kind, Run, timeline

if TYPE_CHECKING:
    from monitoring.store.parquet_spans import ReplayedSpans

_FILES = ("log_events.jsonl", "datadog.duckdb")
"""The files that `stepscope demo --keep` writes to a folder, in the order in which they are tried."""

_MILLISECOND = 1_000_000  # nanoseconds


@dataclass(slots=True)
class Execution:
    """An execution: its tree of runs, and the parts that are known to be missing.

    `events` is the number of events, None if the execution was read from spans; `gaps` are the ids of missing
    events; `truncated` is the number of truncated inputs and outputs. `pages` is the number of pages of
    GetExecutionHistory; `more_pages` is true if every page has a `nextToken`, so that the last one is
    missing.
    """

    arn: str
    root: Run
    events: int | None = None
    gaps: list[int] = field(default_factory=list)
    truncated: int = 0
    pages: int = 0
    more_pages: bool = False

    @property
    def name(self) -> str:
        """The execution's name, from its ARN."""
        parts = self.arn.split(":")
        return parts[7] if len(parts) > 7 else self.arn

    @property
    def state_machine(self) -> str:
        """The name of the state machine."""
        parts = self.arn.split(":")
        return parts[6] if len(parts) > 6 else ""


def read_executions(data: "Path | ReplayedSpans") -> list[Execution]:
    """Read the executions in a file, a folder or the spans of a replay, sorted by start time.

    Raises:
        InputError: the file does not exist, or contains no execution.
    """
    spans = replayed_spans(data)
    executions = _of_file(_file(cast(Path, data))) if spans is None else executions_of_spans(spans.spans())
    if not executions:
        raise InputError(
            "the file contains no executions",
            where=str(data),
            hint="give Step Functions' log events, pages of GetExecutionHistory, or datadog.duckdb",
        )
    return sorted(
        executions, key=lambda execution: (execution.root.start or execution.root.end or 0, execution.arn)
    )


def choose(executions: list[Execution], name: str) -> Execution:
    """Return the execution with an ARN or a name, or the only one whose name begins with `name`.

    Raises:
        InputError: no execution matches, or several do.
    """
    exact = [execution for execution in executions if name in {execution.arn, execution.name}]
    matches = exact or [execution for execution in executions if execution.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    names = [execution.name for execution in executions]
    if matches:
        listed = ", ".join(execution.arn for execution in matches[:5])
        raise InputError(f"{name!r} matches {len(matches)} executions: {listed}", hint="give the whole ARN")
    similar = get_close_matches(name, names, 3) or names[:5]
    raise InputError(f"there is no execution {name!r}", hint=f"there are: {', '.join(similar)}")


def _file(path: Path) -> Path:
    if path.is_dir():
        inside = next((path / name for name in _FILES if (path / name).is_file()), None)
        if inside is None:
            raise InputError(
                f"neither {' nor '.join(_FILES)} is in this folder",
                where=str(path),
                hint="give the file itself with --data, or keep one: stepscope demo --keep DIR",
            )
        return inside
    if not path.is_file():
        raise InputError("there is no such file", where=str(path))
    return path


def _of_file(path: Path) -> list[Execution]:
    if path.suffix == ".duckdb":
        return _of_database(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as failed:
        raise InputError(f"it cannot be read: {failed.strerror}", where=str(path)) from failed
    if pages := _pages(text, path):
        return _of_pages(pages, path)
    return _of_events(event for line in text.splitlines() for event in _events_of_line(line))


_Page = dict[str, Any]
_BLANK = re.compile(r"[\s,]*")
_BEGIN = re.compile(r'\[\s*\{|\{\s*"(?:events|nextToken|executionArn)"\s*:')
_decoder = json.JSONDecoder()


def _pages(text: str, path: Path) -> list[_Page]:
    """Return the pages of GetExecutionHistory in a text; an empty list if it is something else.

    Raises:
        InputError: the text begins as a history, but is not valid JSON to its end.
    """
    pages: list[_Page] = []
    at = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    while at < len(text):
        try:
            document, end = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            if not pages and not _BEGIN.match(text, at):
                return []
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            if isinstance(error, json.JSONDecodeError):
                line, column = error.lineno, error.colno
            raise InputError(
                "this history is not valid JSON from here on: is the file cut off?",
                where=f"{path}:{line}:{column}",
                hint="export it again: aws stepfunctions get-execution-history --execution-arn …",
            ) from None
        more = _pages_of(document)
        if not more:
            return []
        pages += more
        at = _BLANK.match(text, end).end()  # type: ignore[union-attr]  # it matches the empty text
    return pages


def _pages_of(document: Any) -> list[_Page]:
    """Return the pages of one document: a page, a list of pages, or a list of events."""
    if isinstance(document, dict):
        return [document] if isinstance(document.get("events"), list) else []
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        return []
    if document and all(isinstance(page.get("events"), list) for page in document):
        return document
    is_history = document and all("timestamp" in event and "type" in event for event in document)
    return [{"events": document}] if is_history else []


def _of_pages(pages: list[_Page], path: Path) -> list[Execution]:
    """Read the pages of one execution's history, in any order; a page may occur twice."""
    distinct = {json.dumps(page["events"], sort_keys=True): page for page in pages}
    arn = next((str(page["executionArn"]) for page in pages if page.get("executionArn")), path.stem)
    events = [event for page in pages for event in page["events"]]
    if all(isinstance(event, dict) and "message" in event for event in events):  # aws logs filter-log-events
        return _of_events(step for event in events for step in _steps_of(event))
    try:
        steps = list(history_events(arn, [_with_time(event) for event in events]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as wrong:
        raise InputError(
            "this is not a history of an execution: an event lacks id, type, timestamp or previousEventId, "
            "or one of them is not as GetExecutionHistory writes it",
            where=str(path),
        ) from wrong
    kinds: dict[int, tuple[str, int]] = {}
    for step in steps:
        if kinds.setdefault(step.id, (step.type, step.time)) != (step.type, step.time):
            raise InputError(
                f"these are histories of several executions: event {step.id} is here twice, and differs",
                where=str(path),
                hint="Give each execution's history in a file of its own.",
            )
    executions = _of_events(steps)
    for execution in executions:
        execution.pages = len(distinct)
        execution.more_pages = all(page.get("nextToken") for page in distinct.values())
    return executions


def _with_time(event: dict[str, Any]) -> dict[str, Any]:
    """Convert an ISO 8601 timestamp, as the AWS CLI prints it, to a datetime, as boto3 returns it."""
    stamp = event["timestamp"]
    return {**event, "timestamp": datetime.fromisoformat(stamp)} if isinstance(stamp, str) else event


def _events_of_line(line: str) -> Iterator[StepEvent]:
    try:
        yield from _steps_of(json.loads(line))
    except (ValueError, RecursionError):
        return


def _steps_of(record: Any) -> Iterator[StepEvent]:
    """Yield the Step Functions event of a record, which is the record itself or its `message`."""
    try:
        if isinstance(record, dict) and isinstance(record.get("message"), str) and not is_step_event(record):
            record = json.loads(record["message"])
    except (ValueError, RecursionError):
        return
    if isinstance(record, dict) and is_step_event(record):
        event = read_step_event(record)
        if isinstance(event, StepEvent):
            yield event


def _of_events(events: Iterable[StepEvent]) -> list[Execution]:
    by_execution: dict[str, dict[int, StepEvent]] = {}
    for event in events:
        by_execution.setdefault(event.execution, {})[event.id] = event
    return [_of_one(arn, own) for arn, own in by_execution.items()]


def _of_one(arn: str, events: dict[int, StepEvent]) -> Execution:
    gaps = sorted(set(range(1, max(events) + 1)) - set(events))
    cut = sum(_is_cut(event, note) for event in events.values() for note in ("inputDetails", "outputDetails"))
    return Execution(arn, timeline(events.values()).execution, len(events), gaps, cut)


def _is_cut(event: StepEvent, note: str) -> bool:
    note_value = event.details.get(note)
    return isinstance(note_value, dict) and note_value.get("truncated") is True


# -- the database


def _of_database(path: Path) -> list[Execution]:
    from monitoring.store import Store

    with Store.open(path, read_only=True) as store:
        return executions_of_spans(store.spans())


def replayed_spans(data: "str | Path | ReplayedSpans") -> "ReplayedSpans | None":
    """Return the spans of a replay's folder or `s3://` prefix; None where the data are others.

    Raises:
        InputError: S3 cannot be listed, or holds no spans below the prefix.
    """
    if not isinstance(data, str | Path):
        return data
    in_s3 = str(data).startswith("s3://")
    if not in_s3 and next(Path(data).glob("spans/day=*/*.parquet"), None) is None:
        return None
    from monitoring.store.parquet_spans import ReplayedSpans

    return ReplayedSpans(data)


def executions_of_spans(spans: Iterable[Span]) -> list[Execution]:
    """Return the executions in spans; spans of functions are ignored."""
    by_execution: dict[str, list[Span]] = {}
    for span in spans:
        if not span["name"].startswith("aws.stepfunctions"):
            continue
        if arn := span["meta"].get("executionarn"):
            by_execution.setdefault(arn, []).append(span)
    return [Execution(arn, _tree(arn, own)) for arn, own in by_execution.items()]


def _tree(arn: str, spans: list[Span]) -> Run:
    """Build the tree of runs from spans; if the execution's own span is missing, add a root run."""
    runs = {span["span_id"]: _run(span) for span in spans}
    roots = (run for run in runs.values() if run.kind == "execution")
    root = min(roots, key=lambda run: run.redrive, default=None)
    if root is None:
        ends = [run.end for run in runs.values() if run.end is not None]
        root = Run("execution", arn, start=None, end=max(ends, default=None), status="running")
    for span in spans:
        run = runs[span["span_id"]]
        if run is not root:
            run.parent = runs.get(span["parent_id"], root)
            run.parent.children.append(run)
    for run in (root, *runs.values()):
        attempts = sorted((child for child in run.children if child.kind == "attempt"), key=_began)
        for number, attempt in enumerate(attempts):
            attempt.retry = number
    return root


def _began(run: Run) -> int:
    return run.start or 0


def _run(span: Span) -> Run:
    meta, metrics = span["meta"], span["metrics"]
    kind = span["name"].removeprefix("aws.stepfunctions").lstrip(".") or "execution"
    start = span["start"] // _MILLISECOND
    index = metrics.get("map_index")
    redrive = int(meta.get("redrive_count") or 0)
    running = meta.get("status") == "running"
    return Run(
        kind=cast(Kind, kind),
        name=meta.get("state", f"redrive {redrive}" if redrive else span["resource"]),
        type=meta.get("statetype", ""),
        start=start,
        end=None if running else start + span["duration"] // _MILLISECOND,
        status=meta.get("status", "failed" if span["error"] else "succeeded"),
        error=meta.get("error.type", ""),
        cause=meta.get("error.message", ""),
        index=None if index is None else int(index),
        redrive=redrive,
        resource=meta.get("resource", ""),
        event=int(metrics.get("event_id") or 0),
    )
