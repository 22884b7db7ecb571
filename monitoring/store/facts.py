"""Read the checks, logs, events and spans of a store for monitors and dashboards."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from monitoring.monitor.checks import CheckSeries
from monitoring.monitor.evaluation import Data
from monitoring.monitor.search import Record, span_record
from monitoring.store import Store, rows
from monitoring.store.joined import source_of

_CHECKS = (
    "SELECT name, host, tags, time, status FROM checks WHERE time >= $start AND time < $end"
    " ORDER BY name, host, tags, time"
)
_NEWEST = (
    "SELECT * FROM logs WHERE time >= $start AND time < $end"
    " AND (len($statuses::VARCHAR[]) = 0 OR list_contains($statuses::VARCHAR[], lower(status)))"
    " ORDER BY time DESC LIMIT $most OFFSET $skip"
)
PAGE = 2000
"""Number of logs that `newest_logs` reads at a time."""
FOREVER = 1 << 40
_OF_CHECKS = frozenset({"service check", "composite"})
_OF_RECORDS = frozenset({"log alert", "event-v2 alert", "composite"})


def monitor_data(store: Store, kind: str, start: int) -> Data:
    """Return the data that a monitor of that type is evaluated over, from `start` on."""
    records = logs if kind != "event-v2 alert" else events
    return Data(
        source_of(store),
        checks(store, start) if kind in _OF_CHECKS else (),
        records(store, start) if kind in _OF_RECORDS else (),
    )


def checks(store: Store, start: int, end: int = FOREVER) -> list[CheckSeries]:
    """Return the results of every service check from `start` on, by source, in epoch seconds."""
    groups: dict[tuple[str, tuple[str, ...]], tuple[list[int], list[int]]] = {}
    with store.reading() as cursor:
        for name, host, tags, moment, status in cursor.execute(
            _CHECKS, {"start": start, "end": end}
        ).fetchall():
            all_tags = tuple(sorted({*tags, *([f"host:{host}"] if host else [])}))
            times, statuses = groups.setdefault((name, all_tags), ([], []))
            times.append(moment)
            statuses.append(status)
    return [
        CheckSeries(name, tags, np.array(times, np.int64), np.array(statuses, np.float64))
        for (name, tags), (times, statuses) in groups.items()
    ]


def logs(store: Store, start: int, end: int | None = None) -> list[Record]:
    """Return all logs in [start, end) epoch seconds, the oldest first."""
    return [log_record(log) for log in store.logs(start=start, end=end)]


def newest_logs(
    store: Store,
    start: int,
    end: int,
    test: Callable[[Record], bool],
    most: int,
    statuses: Collection[str] = (),
) -> list[Record]:
    """Return the newest matching logs of `[start, end)`, newest first, reading no more than needed.

    Args:
        store: with the logs.
        start: seconds.
        end: seconds.
        test: whether a log matches.
        most: how many at most.
        statuses: in lower case; only logs of one of these, or of any without.
    """
    records: list[Record] = []
    parameters = {"start": start * 1000, "end": end * 1000, "most": PAGE, "statuses": sorted(statuses)}
    with store.reading() as cursor:
        for skip in range(0, FOREVER, PAGE):
            page = cursor.execute(_NEWEST, {**parameters, "skip": skip}).fetchall()
            records += [record for row in page if test(record := log_record(rows.to_log(row)))]
            if len(page) < PAGE or len(records) >= most:
                break
    return records[:most]


def events(store: Store, start: int, end: int = FOREVER) -> list[Record]:
    """Return the events from `start` on, in time order."""
    in_range = [event for event in store.documents.all("event") if start <= event["date_happened"] < end]
    return sorted((event_record(event) for event in in_range), key=lambda event: event.time)


def spans(store: Store, start: int, end: int) -> list[Record]:
    """Return the spans that started in [start, end) epoch seconds, in that order."""
    return [span_record(span) for span in store.spans(start=start, end=end)]


def log_record(log: Mapping[str, Any]) -> Record:
    """Return a log as a search record, with Datadog's names of the reserved attributes."""
    tags = tuple(tag for tag in str(log["ddtags"]).split(",") if tag)
    reserved = {"service": log["service"], "source": log["ddsource"], "host": log["hostname"]}
    attributes = {**log, **reserved, "status": log["status"]}
    return Record(int(log["timestamp"]) // 1000, str(log["message"]), tags, attributes)


def event_record(event: Mapping[str, Any]) -> Record:
    """Return an event as a search record; its text is the title and the text."""
    text = f"{event['title']}\n{event['text']}"
    optional = ("title", "host", "aggregation_key")
    attributes = {"source": event["source"], "priority": event["priority"], "status": event["alert_type"]}
    attributes |= {name: event[name] for name in optional if event.get(name)}
    return Record(int(event["date_happened"]), text, tuple(event["tags"]), attributes)
