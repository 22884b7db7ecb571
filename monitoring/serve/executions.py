"""Search executions in a store: finished ones page by page, running ones, and the spans of one.

A finished execution is the span that the forwarder sends at its end. A running execution has no span yet: it
is derived from Step Functions' log events, if the store has them (`MONITORING_LOG_PLATFORM`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from monitoring.forwarder.executions import Trace
from monitoring.log_events.step_events import EXECUTION_ENDED, StepEvent, is_step_event, read_step_event
from monitoring.log_events.telemetry import Span
from monitoring.log_events.timeline import Run, timeline
from monitoring.store import Store, rows

EXECUTION = "aws.stepfunctions"
RUNNING = "running"
STUCK_AFTER = 4 * 3600
"""Seconds without an event after which a running execution is listed as stuck: the window of the monitor
`executions-stuck`."""
MOST_RUNNING = 200
_MILLISECOND = 1_000_000
_ARN = r"""regexp_extract(message, '"execution_arn":\s*"([^"]+)"', 1)"""
_TYPE = r"""regexp_extract(message, '"type":\s*"(\w+)"', 1)"""
_ID = r"""TRY_CAST(regexp_extract(message, '"id":\s*"?(\d+)', 1) AS BIGINT)"""
_IS_EVENT = """contains(message, '"execution_arn"')"""
# The last redrive of an execution has its final status.
_ROOT_ROWS = """
    WITH roots AS (
        SELECT trace_id, coalesce(meta->>'$.executionarn', '') AS arn, resource, start, duration, error,
            lower(coalesce(meta->>'$.status', if(error > 0, 'failed', 'succeeded'))) AS status,
            coalesce(meta->>'$."error.type"', '') AS error_type, service, CAST(meta AS VARCHAR) AS texts
        FROM spans WHERE {roots} AND time >= $start AND time < $end
        QUALIFY row_number() OVER (
            PARTITION BY trace_id, coalesce(meta->>'$.executionarn', span_id) ORDER BY start DESC) = 1)"""
_BY_MACHINE = """{rows}
    SELECT lower(resource), count(*), count(*) FILTER (status <> 'succeeded') FROM roots GROUP BY 1"""
_ENDED = """{rows}
    SELECT *, count(*) OVER () AS matches FROM roots
    WHERE ($machine = '' OR lower(resource) = lower($machine)) AND ($status = '' OR status = $status)
        AND duration >= $shortest AND duration <= $longest
        AND ($text = '' OR contains(lower(texts || ' ' || resource), $text)
            OR (arn <> '' AND arn IN (
                SELECT {arn} FROM logs WHERE {is_event} AND contains(lower(message), $text))))
        AND ($tag = '' OR contains(lower(texts), $tag) OR $tag = '"service":"' || lower(service) || '"')
    ORDER BY {order} LIMIT $most OFFSET $skip"""
_OPEN = f"""
    WITH events AS (
        SELECT {_ARN} AS arn, {_TYPE} AS type, {_ID} AS id, time FROM logs WHERE {_IS_EVENT}),
    ended AS (
        SELECT meta->>'$.executionarn' AS arn, max(start + duration) // 1000000 AS until
        FROM spans WHERE name = '{EXECUTION}' GROUP BY 1)
    SELECT arn FROM events LEFT JOIN ended USING (arn) WHERE arn <> ''
    GROUP BY arn HAVING bool_or(type IN ('ExecutionStarted', 'ExecutionRedriven'))
        AND NOT list_contains($ends, arg_max(type, id)) AND max(time) > coalesce(max(until), -1)
    ORDER BY max(time) DESC LIMIT $most"""  # noqa: S608 - constants of this module
_EVENTS = f"SELECT message FROM logs WHERE {_IS_EVENT} AND {_ARN} IN (SELECT unnest($arns))"  # noqa: S608
_IDS = rf"""
    SELECT DISTINCT {_ID} AS id, {_TYPE} AS type FROM logs
    WHERE time >= $start AND time < $end AND contains(message, $arn) AND {_IS_EVENT} AND {_ARN} = $arn"""  # noqa: S608
ORDERS = {"newest": "start DESC", "oldest": "start", "longest": "duration DESC", "shortest": "duration"}
_ROOTS = {True: f"name = '{EXECUTION}'", False: "ltrim(parent_id, '0') = ''"}


@dataclass(frozen=True, slots=True)
class Search:
    """The filters of a search for executions; "" and None select all.

    Attributes:
        start: the earliest start, in seconds since the epoch.
        end: the end of the time range of starts, in seconds since the epoch.
        machine: the state machine's name.
        status: succeeded, failed, timed_out, aborted, running or stuck.
        text: a text in the name, the error, its cause, or the execution's events (such as its input).
        tag: a tag of the spans, `key:value`: env, version, service.
        shortest: the minimum duration in milliseconds.
        longest: the maximum duration in milliseconds.
        order: one of `ORDERS`.
    """

    start: int
    end: int
    machine: str = ""
    status: str = ""
    text: str = ""
    tag: str = ""
    shortest: int | None = None
    longest: int | None = None
    order: str = "newest"


@dataclass(frozen=True, slots=True)
class Listed:
    """An execution as a row: `key` is part of its address; times in milliseconds.

    `states` are the current states of a running execution; `heard` is the time of its last event.
    """

    key: str
    arn: str
    machine: str
    status: str
    start: int
    duration: int
    error: str = ""
    states: tuple[str, ...] = ()
    heard: int = 0

    @property
    def name(self) -> str:
        """The execution's name."""
        return name_of(self.arn) if self.arn else ""


def name_of(arn: str) -> str:
    """Return the name in an execution's ARN; the ARN of an Express execution has one more part after it."""
    parts = arn.split(":")
    return parts[7] if len(parts) > 7 else parts[-1]


def search_ended(store: Store, search: Search, most: int, skip: int = 0) -> tuple[list[Listed], int]:
    """Return a page of the finished executions of a search, and their total number.

    If the time range has no span of Step Functions, other traces are listed.
    """
    rows_ended = _ended(store, search, most, skip, executions=True)
    if not rows_ended[1] and not _has_executions(store, search):
        return _ended(store, search, most, skip, executions=False)
    return rows_ended


def ended_by_machine(store: Store, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Return how many executions of each state machine ended, and how many of them did not succeed.

    The names are in lower case; executions began in `[start, end)` seconds.
    """
    query = _BY_MACHINE.format(rows=_ROOT_ROWS.format(roots=_ROOTS[True]))
    with store.reading() as cursor:
        counts = cursor.execute(query, {"start": start, "end": end}).fetchall()
    return {str(name): (int(total), int(failed)) for name, total, failed in counts}


def _has_executions(store: Store, search: Search) -> bool:
    query = f"SELECT 1 FROM spans WHERE {_ROOTS[True]} AND time >= ? AND time < ? LIMIT 1"  # noqa: S608
    with store.reading() as cursor:
        return bool(cursor.execute(query, [search.start, search.end]).fetchall())


def missing_events(store: Store, arn: str, start: float, end: float, *, ended: bool) -> list[int]:
    """Return the sorted ids of an execution's events in `[start, end)` seconds that are not in the store.

    The result is empty for a state machine with log level ERROR or FATAL, which does not log entered states.
    For a finished execution (`ended`), a missing final event is included.
    """
    values = {"arn": arn, "start": int(start * 1000), "end": int(end * 1000)}
    with store.reading() as cursor:
        types = {number: str(kind) for number, kind in cursor.execute(_IDS, values).fetchall() if number}
    if not any(kind.endswith("StateEntered") for kind in types.values()):
        return []
    last = max(types)
    open_end = ended and types[last] not in EXECUTION_ENDED
    return sorted(set(range(1, last + 1 + open_end)) - set(types))


def _ended(
    store: Store, search: Search, most: int, skip: int, *, executions: bool
) -> tuple[list[Listed], int]:
    order = ORDERS.get(search.order, ORDERS["newest"])
    root_rows = _ROOT_ROWS.format(roots=_ROOTS[executions])
    query = _ENDED.format(rows=root_rows, arn=_ARN, is_event=_IS_EVENT, order=order)
    key, _, value = search.tag.lower().partition(":")
    values = {
        "start": search.start,
        "end": search.end,
        "machine": search.machine,
        "status": search.status.lower(),
        "text": search.text.lower(),
        "tag": f'"{key}":"{value}"' if key else "",
        "shortest": (search.shortest or 0) * _MILLISECOND,
        "longest": (1 << 62) if search.longest is None else search.longest * _MILLISECOND,
        "most": most,
        "skip": skip,
    }
    with store.reading() as cursor:
        rows_ended = cursor.execute(query, values).fetchall()
        if not rows_ended and skip:
            rows_ended = []
    return [_of_row(row) for row in rows_ended], int(rows_ended[0][-1]) if rows_ended else 0


def _of_row(row: Sequence[Any]) -> Listed:
    trace_id, arn, resource, start, duration, _, status, error = row[:8]
    return Listed(trace_id, arn, resource, status, start // _MILLISECOND, duration // _MILLISECOND, error)


def machines_of(store: Store) -> list[str]:
    """Return the names of the state machines with finished or running executions."""
    query = f"SELECT DISTINCT resource FROM spans WHERE name = '{EXECUTION}' ORDER BY 1"  # noqa: S608
    with store.reading() as cursor:
        names = {str(name) for (name,) in cursor.execute(query).fetchall()}
    return sorted(names | {machine_of(arn) for arn in open_arns(store)})


def machine_of(arn: str) -> str:
    """Return the state machine's name in an execution's ARN, without the label of a Map run."""
    parts = arn.split(":")
    return parts[6].partition("/")[0] if len(parts) > 6 else ""


# -- running


def open_arns(store: Store) -> list[str]:
    """Return the ARNs of the executions without a final event, those with the newest event first."""
    with store.reading() as cursor:
        ends = {"ends": list(EXECUTION_ENDED), "most": MOST_RUNNING}
        return [str(arn) for (arn,) in cursor.execute(_OPEN, ends).fetchall()]


def running(store: Store, search: Search, now: float) -> list[Listed]:
    """Return the running executions of a search, with any start time, the longest running first."""
    events = events_of(store, open_arns(store))
    listed = [_open_row(arn, own, now) for arn, own in events.items()]
    fitting = [row for row in listed if _fits(row, search, events[row.arn])]
    return sorted(fitting, key=lambda row: row.start)


def events_of(store: Store, arns: Sequence[str]) -> dict[str, list[StepEvent]]:
    """Return ARN -> logged events of an execution, in the order of their ids."""
    if not arns:
        return {}
    with store.reading() as cursor:
        messages = cursor.execute(_EVENTS, {"arns": list(arns)}).fetchall()
    events: dict[str, dict[int, StepEvent]] = {}
    for (message,) in messages:
        if (event := _event(message)) is not None:
            events.setdefault(event.execution, {})[event.id] = event
    return {arn: [by_id[number] for number in sorted(by_id)] for arn, by_id in events.items()}


def _event(message: str) -> StepEvent | None:
    try:
        record = msgspec.json.decode(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not is_step_event(record):
        return None
    event = read_step_event(record)
    return event if isinstance(event, StepEvent) else None


def _open_row(arn: str, events: Sequence[StepEvent], now: float) -> Listed:
    root = timeline(events).execution
    heard = max(event.time for event in events)
    start = root.latest.start or min(event.time for event in events)
    states = [run.name for run in walk(root) if run.kind == "state" and run.end is None and _innermost(run)]
    status = "stuck" if now - heard / 1000 > STUCK_AFTER else RUNNING
    age = max(0, int(now * 1000) - start)
    return Listed(arn, arn, machine_of(arn), status, start, age, "", tuple(dict.fromkeys(states)), heard)


def _innermost(run: Run) -> bool:
    return not any(inner.kind == "state" and inner.end is None for inner in walk(run))


def walk(run: Run) -> Iterator[Run]:
    """Yield the runs inside a run, in the order of their start."""
    for child in run.children:
        yield child
        yield from walk(child)


def _fits(row: Listed, search: Search, events: Sequence[StepEvent]) -> bool:
    text = search.text.lower()
    texts = (row.arn, *(str(event.details) for event in events))
    return (
        (not search.machine or row.machine.lower() == search.machine.lower())
        and search.status.lower() in {"", row.status, *({RUNNING} if row.status == "stuck" else ())}
        and (not text or any(text in part.lower() for part in texts))
        and not search.tag
        and row.duration >= (search.shortest or 0)
        and (search.longest is None or row.duration <= search.longest)
    )


# -- one execution


def spans_of(store: Store, key: str, now: float) -> list[Span]:
    """Return the spans of an execution, by trace id or ARN, including the open states of a running one.

    A running state or execution is a span that ends now, with the status `running`.
    """
    if ":" not in key:
        spans = store.spans(trace_id=key)
        arns = {str(span["meta"].get("executionarn") or "") for span in spans} - {""}
    else:
        arns, spans = {key}, _of_arn(store, key)
    open_spans = _open_spans(store, sorted(arns & set(open_arns(store))), now)
    if not spans and open_spans:
        spans = store.spans(trace_id=open_spans[0]["trace_id"])
    known = {span["span_id"] for span in spans}
    return [*spans, *(span for span in open_spans if span["span_id"] not in known)]


def _of_arn(store: Store, arn: str) -> list[Span]:
    query = "SELECT DISTINCT trace_id FROM spans WHERE meta->>'$.executionarn' = ?"
    with store.reading() as cursor:
        traces = [str(trace) for (trace,) in cursor.execute(query, [arn]).fetchall()]
    return [span for trace in traces for span in store.spans(trace_id=trace)]


def _open_spans(store: Store, arns: Sequence[str], now: float) -> list[Span]:
    spans: list[Span] = []
    for arn, events in events_of(store, arns).items():
        trace = Trace(arn)
        root = timeline(events).execution
        for event in events:
            if event.type == "ExecutionStarted":
                trace.begin(event)
        if root.start is None:
            root.start = events[0].time
        for run in (root, *walk(root)):
            if run.end is None:
                record = trace.span(replace(run, end=max(int(now * 1000), run.start or 0)))
                if record is not None:
                    span = msgspec.to_builtins(record)
                    spans.append({**span, "error": 0, "meta": {**span["meta"], "status": RUNNING}})
    return spans


def spans_of_executions(store: Store, trace_ids: Sequence[str]) -> list[Span]:
    """Return the spans of states, attempts and iterations of several executions, without functions."""
    return _of_traces(store, "starts_with(name, $name)", trace_ids)


def spans_with_calls(store: Store, trace_ids: Sequence[str]) -> list[Span]:
    """Return the spans of states, attempts and iterations of several executions, and of function calls."""
    return _of_traces(store, "(starts_with(name, $name) OR name = 'aws.lambda')", trace_ids)


def of_states(spans: Iterable[Span]) -> list[Span]:
    """Return the spans of executions, states, attempts and iterations, without those of functions."""
    return [span for span in spans if str(span["name"]).startswith(EXECUTION)]


def _of_traces(store: Store, condition: str, trace_ids: Sequence[str]) -> list[Span]:
    query = f"SELECT * FROM spans WHERE {condition} AND trace_id IN (SELECT unnest($ids)) ORDER BY start"  # noqa: S608
    with store.reading() as cursor:
        span_rows = cursor.execute(query, {"name": EXECUTION, "ids": list(trace_ids)}).fetchall()
    return [rows.to_span(row) for row in span_rows]


_SHORT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|min|h|d)?\Z")
_UNITS = {"ms": 1, "": 1000, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(text: str) -> int | None:
    """Return a duration such as `500 ms`, `2s`, `3 min` or `4` (seconds) in milliseconds; None for no text.

    Raises:
        ValueError: the text is not a duration.
    """
    words = text.strip()
    if not words:
        return None
    match = _SHORT.match(words)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write 500ms, 2s, 3min or 1h")
    return round(float(match["number"]) * _UNITS[match["unit"] or ""])
