"""Evaluate log and event monitors over records: a count, a cardinality or a number by facets.

Source: the log monitor page. Nothing that matches in the window counts as no data; with a count that is 0,
unless the options say otherwise.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitoring.errors import InputError
from monitoring.monitor.codes import EvaluationResults, Index, Values
from monitoring.monitor.rolling import reduce_points
from monitoring.monitor.search import Record, compile_search
from monitoring.query import ProcessMonitor, SearchMonitor


def count_records(
    query: SearchMonitor, records: Sequence[Record], starts: Index, ends: Index
) -> dict[tuple[str, ...], EvaluationResults]:
    """Return the value of each evaluation by the tags of the group.

    Raises:
        InputError: a search or an aggregation that cannot be evaluated here.
    """
    method = _method(query)
    matches = compile_search(query.search)
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in sorted(records, key=lambda item: item.time):
        if matches(record):
            for tags in _groups(query.by, record):
                groups.setdefault(tags, []).append(record)
    return {tags: _found(query, method, members, starts, ends) for tags, members in groups.items()}


def _method(query: SearchMonitor) -> str:
    """Return the aggregation: `p95` for `pc95`, and `p50` for `median`."""
    if query.others:
        parts = ", ".join(f".{name}()" for name, _ in query.others)
        hint = "leave it out to count every record: which issue is new, only Datadog knows"
        raise InputError(f"{parts} of a search cannot be evaluated offline", hint=hint)
    method_name = query.rollup[0] if query.rollup else "count"
    method = (
        "p50"
        if method_name == "median"
        else f"p{method_name[2:]}"
        if method_name.startswith("pc")
        else method_name
    )
    if method not in _METHODS and method[0] != "p":
        hint = f"{', '.join(_METHODS)}, median and percentiles can be"
        raise InputError(f"rollup({method_name!r}) cannot be evaluated offline", hint=hint)
    return method


def _groups(by: tuple[str, ...], record: Record) -> list[tuple[str, ...]]:
    """Yield the groups of a record; none if it lacks a facet."""
    groups: list[tuple[str, ...]] = [()]
    for facet in by:
        values = [str(value) for value in record.values(facet)]
        groups = [(*tags, f"{facet}:{value}") for tags in groups for value in values]
    return groups


def _found(
    query: SearchMonitor, method: str, records: list[Record], starts: Index, ends: Index
) -> EvaluationResults:
    times = np.array([record.time for record in records], dtype=np.int64)
    facet = query.rollup[1] if len(query.rollup) > 1 else ""
    if method not in {"count", "cardinality"}:
        return _measured(method, facet, records, starts, ends)
    result = EvaluationResults(*reduce_points(times, np.ones(len(times)), starts, ends, "count"))
    if method == "count":
        return result
    low, high = times.searchsorted(starts), times.searchsorted(ends)
    return replace(result, values=_cardinality(records, facet, low, high))


def _cardinality(records: list[Record], facet: str, low: Index, high: Index) -> Values:
    seen = [[str(value) for value in record.values(facet)] for record in records]
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    sizes = [float(len({value for values in seen[a:b] for value in values})) for a, b in pairs]
    return np.where(high > low, np.array(sizes), np.nan)


_METHODS = ("count", "cardinality", "avg", "sum", "min", "max")


def _measured(
    method: str, facet: str, records: list[Record], starts: Index, ends: Index
) -> EvaluationResults:
    """Return avg, sum, min, max or a percentile of a numeric attribute."""
    pairs = [(record.time, value) for record in records for value in record.values(facet)]
    numbers = [(time, float(value)) for time, value in pairs if isinstance(value, int | float)]
    times = np.array([time for time, _ in numbers], dtype=np.int64)
    return EvaluationResults(
        *reduce_points(times, np.array([value for _, value in numbers]), starts, ends, method)
    )


def as_search(node: ProcessMonitor) -> SearchMonitor:
    """Return the search whose value is the number of processes: of different `process` attributes."""
    over = " ".join(tag for tag in node.over if tag != "*")
    return SearchMonitor(
        "processes",
        f"{node.search} {over}".strip(),
        (),
        ("cardinality", "process"),
        node.by,
        node.window,
        node.operator,
        node.threshold,
    )


def processes(records: Sequence[Record]) -> list[Record]:
    """Return records that have a `process`: the host and pid of each, or its command line without a pid."""
    matching = []
    for record in records:
        host = next((str(value) for value in record.values("host")), "")
        pid = next((str(value) for value in record.values("pid")), record.message)
        matching.append(replace(record, attributes={**record.attributes, "process": f"{host}/{pid}"}))
    return matching
