"""Query the log lines of an execution: count and sort them, and select a page, with errors first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from monitoring.preview.charts.lists import kind_of
from monitoring.store import Store, rows

PAGE = 500
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FEW = 24
"""Up to this number, marks are searched one by one; more are compared with the request ids of a line."""
# The position of a line: events are sorted by id, whatever their timestamps.
_LINES = r"""
    SELECT rowid, time, status,
        regexp_extract(message, '"execution_arn":\s*"([^"]+)"', 1) AS arn,
        TRY_CAST(regexp_extract(message, '^\s*[{{]\s*"id":\s*"?(\d+)', 1) AS BIGINT) AS event
    FROM logs WHERE time >= $start AND time < $end AND ({any_mark} OR len($ids) > 0 AND list_has_any(
        $ids, regexp_extract_all(message || CAST(attributes AS VARCHAR), '{uuid}')))
    ORDER BY time, rowid"""
_MARK = "contains(message, $mark{0}) OR contains(CAST(attributes AS VARCHAR), $mark{0})"
_PAGE = "SELECT rowid, * FROM logs WHERE rowid IN (SELECT unnest($ids))"
Log = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lines:
    """A page of log lines.

    Attributes:
        logs: the lines of the page.
        total: the number of all lines.
        errors: the number of error lines among all.
    """

    logs: Sequence[Log]
    total: int
    errors: int


def lines_of(
    store: Store, marks: Iterable[str], start: float, end: float, page: int = 1, *, in_time: bool = False
) -> Lines:
    """Return a page of the log lines in `[start, end)` seconds that contain one of the marks.

    If there are several pages, errors come first, unless `in_time` is set.
    """
    texts = sorted(set(marks) - {""})
    ids = [text for text in texts if re.fullmatch(_UUID, text)] if len(texts) > _FEW else []
    single = [text for text in texts if text not in set(ids)]
    values: dict[str, Any] = {"ids": ids, "start": int(start * 1000), "end": int(end * 1000)}
    values |= {f"mark{number}": text for number, text in enumerate(single)}
    any_mark = " OR ".join(_MARK.format(number) for number in range(len(single))) or "false"
    with store.reading() as cursor:
        places = in_order(cursor.execute(_LINES.format(any_mark=any_mark, uuid=_UUID), values).fetchall())
        errors = [place for place in places if kind_of(str(place[2])) == "bad"]
        if len(places) > PAGE and not in_time:
            chosen = {place[0] for place in errors}
            places = [*errors, *(place for place in places if place[0] not in chosen)]
        shown = places[(page - 1) * PAGE : page * PAGE]
        logs = _read(cursor, [place[0] for place in shown])
    return Lines(logs, len(places), len(errors))


def _read(cursor: duckdb.DuckDBPyConnection, ids: Sequence[int]) -> list[Log]:
    logs = {row[0]: rows.to_log(row[1:]) for row in cursor.execute(_PAGE, {"ids": list(ids)}).fetchall()}
    return [logs[place] for place in ids]


Place = tuple[int, int, str, str, int | None]
"""(row id, milliseconds, status, ARN of the execution whose event it is or "", event id)."""


def in_order(places: Sequence[Place]) -> list[Place]:
    """Return lines sorted by time, with the events of each execution sorted by id.

    An event never precedes one with a lower id: its time counts as at least the time of that one.
    """
    latest: dict[str, int] = {}
    moments: dict[int, tuple[int, int]] = {}
    for row, time, _, arn, event in sorted(places, key=lambda place: place[4] or 0):
        if arn and event is not None:
            latest[arn] = max(time, latest.get(arn, 0))
            moments[row] = (latest[arn], event)
    return sorted(places, key=lambda place: (*moments.get(place[0], (place[1], 0)), place[0]))


def marks_of(spans: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the texts that identify log lines of a trace: trace id, ARNs of executions, request ids."""
    marks: set[str] = set()
    for span in spans:
        meta = span.get("meta") or {}
        marks.add(str(span["trace_id"]))
        marks |= {str(meta[key]) for key in ("request_id", "executionarn") if meta.get(key)}
    return marks
