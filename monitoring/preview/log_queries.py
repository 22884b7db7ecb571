"""Convert queries of logs, events, spans and objectives to series, which formulas can use.

Each query becomes a series with a name that no metric has, and a metric query of it. So a formula can combine
logs, objectives and metrics, with all functions, groups and limits of the query language.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitoring.monitor.search import Record
from monitoring.preview.errors import UndrawableError
from monitoring.preview.facts import Facts, search_of
from monitoring.preview.objectives import measured
from monitoring.preview.variables import Variable, as_search
from monitoring.query.distribution import pool
from monitoring.query.grid import Grid, default_interval
from monitoring.query.nodes import Metric, Scope
from monitoring.query.series import MetricType, Series
from monitoring.query.sources import (
    Buckets,
    Floats,
    Members,
    Origin,
    Points,
    PoolingSource,
    SeriesSource,
    Source,
)

MOST = 100_000
"""The maximum number of records per widget; more would take seconds."""
SOURCES = {"logs": "logs", "events": "events", "spans": "spans"}
"""Data source of a query -> the kind of records."""
LEGACY = {"log_query": "logs", "event_query": "events", "apm_query": "spans"}
"""Key of an older request -> the kind of records."""
APM = frozenset({"apm_metrics", "apm_resource_stats"})
PREFIX = "stepscope_counted."
Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QueryContext:
    """The context of a query: time range, template variables and facts."""

    start: int
    end: int
    variables: Mapping[str, Variable]
    facts: Facts


@dataclass(frozen=True, slots=True)
class Counted:
    """A metric query and its series with their `unit`."""

    text: str
    series: tuple[Series, ...]
    unit: str = ""


def counted(query: Query, window: QueryContext, *, scalar: bool) -> Counted:
    """Convert the query of a request into a metric query over series.

    Raises:
        UndrawableError: its data source exists only in Datadog, or has too many records.
        InputError: its search cannot be parsed.
    """
    source = str(query.get("data_source"))
    if source in SOURCES or (window.facts.sampled and isinstance(query.get("compute"), Mapping)):
        return _of_records(SOURCES.get(source, source), query, window, scalar)
    if source in APM:
        return _of_spans(query, window, scalar)
    if source == "slo":
        return _of_objective(query, window, scalar)
    raise UndrawableError(f"Asks for {source}: shown in Datadog only.")


def legacy(request: Query) -> Query | None:
    """Convert a request of the format before formulas (`log_query: {…}`); None if it is not one."""
    for key, kind in LEGACY.items():
        query = request.get(key)
        if isinstance(query, Mapping):
            several = query.get("multi_compute") or [{}]
            compute: Query = query.get("compute") or several[0]
            metric = compute.get("facet")
            return {**query, "data_source": kind, "name": "query1", "compute": {**compute, "metric": metric}}
    return None


# --- counting records


_PERCENTILES = {"median": "p50", "pc75": "p75", "pc90": "p90", "pc95": "p95", "pc98": "p98", "pc99": "p99"}


def _of_records(kind: str, query: Query, window: QueryContext, scalar: bool) -> Counted:
    search = query.get("search")
    text = search.get("query") if isinstance(search, Mapping) else ""
    records = _found(kind, str(text or ""), window)
    compute = query.get("compute")
    how = compute if isinstance(compute, Mapping) else {}
    keys = _group_by(query.get("group_by"))
    aggregation, metric = str(how.get("aggregation") or "count"), str(how.get("metric") or "")
    if aggregation == "cardinality":
        bucket = (window.end - window.start) if scalar else default_interval(window.end - window.start)
        records, aggregation = _first_of_each(records, metric, [key for key, _ in keys], bucket), "count"
    return _series(str(query.get("name")), records, keys, aggregation, metric, whole(window, scalar))


def whole(window: QueryContext, scalar: bool) -> int | None:
    """Return the timestamp of the only value (in the last bucket) for a scalar; None for one per bucket."""
    return window.end - 1 if scalar else None


def _found(kind: str, text: str, window: QueryContext) -> Sequence[Record]:
    test = search_of(text, window.variables)
    records = window.facts.newest(kind, window.start, window.end, test, MOST + 1)
    if len(records) > MOST:
        raise UndrawableError(f"More than {MOST:,} {kind} fit in this time: choose a shorter one.")
    return records


def _group_by(definition: Any) -> list[tuple[str, int]]:
    """Return (facet, limit) of each group-by, which may be a list of groups or one group with fields."""
    if isinstance(definition, Mapping):
        fields = definition.get("fields") or []
        return [(str(item), int(definition.get("limit") or 10)) for item in fields]
    groups = definition if isinstance(definition, list) else []
    return [
        (str(item.get("facet")), int(item.get("limit") or 10))
        if isinstance(item, Mapping)
        else (str(item), 10)
        for item in groups
    ]


def _first_of_each(
    records: Sequence[Record], facet: str, keys: Sequence[str], bucket: int
) -> Sequence[Record]:
    """Return one record per value of a facet, bucket and group; their number is the cardinality."""
    seen: dict[Any, Record] = {}
    for record in records:
        for value in record.values(facet):
            group = tuple(str(record.values(key)[:1]) for key in keys)
            seen.setdefault((record.time // max(bucket, 1), group, str(value)), record)
    return list(seen.values())


def _series(
    name: str,
    records: Sequence[Record],
    keys: Sequence[tuple[str, int]],
    aggregation: str,
    metric: str,
    at: int | None,
) -> Counted:
    """Aggregate records into series; with `at`, into one value per group at that time."""
    groups: dict[tuple[str, ...], list[tuple[int, float]]] = defaultdict(list)
    for record in records:
        values = [1.0] if aggregation == "count" else _numbers(record, metric)
        group = _group(record, keys)
        if group is not None and values:  # a record without the measure is in no group
            groups[group] += [(record.time, value) for value in values]
    kept = _limited(groups, keys)
    summed = aggregation in {"count", "sum"}
    title = PREFIX + re.sub(r"\W", "_", name)
    if at is not None:
        kept = {tags: [(at, _reduced(points, aggregation))] for tags, points in kept.items()}
    series = tuple(_one(title, tags, points, summed and at is None) for tags, points in kept.items())
    by = f" by {{{','.join(_key(key) for key, _ in keys)}}}" if keys else ""
    if at is not None:
        return Counted(f"avg:{title}{{*}}{by}", series)
    reducer = "sum" if summed else _PERCENTILES.get(aggregation, aggregation)
    return Counted(f"{reducer}:{title}{{*}}{by}{'.as_count()' if summed else ''}", series)


def _reduced(points: Sequence[tuple[int, float]], aggregation: str) -> float:
    values = [value for _, value in points]
    if aggregation in _PERCENTILES:
        return float(np.percentile(values, float(_PERCENTILES[aggregation][1:])))
    known = {"avg": sum(values) / len(values), "min": min(values), "max": max(values)}
    return known.get(aggregation, sum(values))


def _numbers(record: Record, facet: str) -> list[float]:
    numbers = []
    for value in record.values(facet):
        try:
            numbers.append(float(value))
        except (TypeError, ValueError):
            continue
    return numbers


def _group(record: Record, keys: Sequence[tuple[str, int]]) -> tuple[str, ...] | None:
    """Return the tags of a record's group; None where it lacks a facet, because such records are left out."""
    values = [record.values(key) for key, _ in keys]
    if not all(values):
        return None
    return tuple(f"{_key(key)}:{_value(value[0])}" for (key, _), value in zip(keys, values, strict=True))


def _key(facet: str) -> str:
    return re.sub(r"[^a-z0-9_./-]", "_", facet.lstrip("@").lower())


def _value(value: Any) -> str:
    return str(value).lower().replace(",", " ")


def _limited(
    groups: Mapping[tuple[str, ...], list[tuple[int, float]]], keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, ...], list[tuple[int, float]]]:
    """Return the largest groups, within the limit of each facet."""
    weight = {tags: sum(abs(value) for _, value in points) for tags, points in groups.items()}
    kept = sorted(groups, key=lambda tags: -weight[tags])
    for place, (_, limit) in enumerate(keys):
        totals: Counter[str] = Counter()
        for tags in kept:
            totals[tags[place]] += int(weight[tags] * 1000) + 1
        allowed = {tag for tag, _ in totals.most_common(limit)}
        kept = [tags for tags in kept if tags[place] in allowed]
    return {tags: groups[tags] for tags in kept}


def _one(name: str, tags: tuple[str, ...], points: Sequence[tuple[int, float]], summed: bool) -> Series:
    times = np.array([time for time, _ in points], np.int64)
    values = np.array([value for _, value in points], np.float64)
    kind: MetricType = "count" if summed else "distribution"
    if summed:  # a source holds one value a second
        times, places = np.unique(times, return_inverse=True)
        values = np.bincount(places, weights=values).astype(np.float64)
    else:
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    return Series(name, tags, times, values, kind, 1 if summed else None)


# --- statistics of spans


_LATENCY = {"avg": "avg", "max": "max", "p50": "median", "p75": "pc75", "p90": "pc90", "p95": "pc95"} | {
    "p99": "pc99",
    "p999": "pc99",
}


def _of_spans(query: Query, window: QueryContext, scalar: bool) -> Counted:
    """Convert `apm_metrics` and `apm_resource_stats`: hits, errors and latency of a service's operation."""
    statistics = {
        "service": query.get("service"),
        "operation_name": query.get("operation_name"),
        "resource_name": query.get("resource_name"),
        "env": query.get("env"),
    }
    search = " ".join(f'{key}:"{value}"' for key, value in statistics.items() if value and value != "none")
    records = _found("spans", f"{search} {query.get('query_filter') or ''}".strip(), window)
    name, keys = str(query.get("name")), [(key, 20) for key in map(str, query.get("group_by") or ())]
    at = whole(window, scalar)
    stat = str(query.get("stat") or "hits").removesuffix("_per_second")
    if stat.startswith("latency_"):
        how = _LATENCY.get(stat.removeprefix("latency_"), "avg")
        return replace(_series(name, records, keys, how, "@duration", at), unit="nanosecond")
    failed = [record for record in records if record.attributes.get("status") == "error"]
    if stat == "errors":
        return _series(name, failed, keys, "count", "", at)
    hits = _series(f"{name}_hits", records, keys, "count", "", at)
    if stat == "error_rate":
        errors = _series(f"{name}_errors", failed, keys, "count", "", at)
        share = f"100 * {errors.text} / {hits.text}"
        return Counted(share, (*hits.series, *errors.series), "percent")
    if stat == "hits":
        return hits
    raise UndrawableError(f"Asks for {stat} of spans: shown in Datadog only.")


# --- objectives


def _of_objective(query: Query, window: QueryContext, scalar: bool) -> Counted:
    slo_id, measure = str(query.get("slo_id") or ""), str(query.get("measure") or "")
    scope = as_search(str(query.get("additional_query_filters") or ""), window.variables)
    times, values, unit = measured(window.facts, slo_id, measure, (window.start, window.end), scope, scalar)
    name = PREFIX + re.sub(r"\W", "_", str(query.get("name") or slo_id))
    series = Series(name, (), times, values, "gauge", None)
    return Counted(f"avg:{name}{{*}}", (series,), unit)


# --- series of our own beside those of the source


class Beside:
    """A source combined with generated series, which have other metric names."""

    def __init__(self, source: Source, series: Sequence[Series]) -> None:
        self._source, self._own = source, SeriesSource(series)

    def select(self, metric: str, scope: Scope, substring: bool = True) -> Sequence[Origin]:
        """Return the sources of a metric; generated series have negative keys."""
        if not metric.startswith(PREFIX):
            return self._source.select(metric, scope, substring)
        return [replace(origin, key=-1 - origin.key) for origin in self._own.select(metric, scope, substring)]

    def bucket(
        self, origins: Sequence[Origin], grid: Grid, aggregator: str, until: float, occupied: bool
    ) -> Buckets:
        """Return the points by source and bucket; all origins have the same metric."""
        source, selected = self.side(origins)
        return source.bucket(selected, grid, aggregator, until, occupied)

    def points(self, origins: Sequence[Origin], start: int, end: float) -> Points:
        """Return the raw points."""
        source, selected = self.side(origins)
        return source.points(selected, start, end)

    def side(self, origins: Sequence[Origin]) -> tuple[Source, Sequence[Origin]]:
        """Return the source that the origins are of, and its own origins."""
        if origins and origins[0].key < 0:
            return self._own, [replace(origin, key=-1 - origin.key) for origin in origins]
        return self._source, origins


class PoolingBeside(Beside):
    """Series of our own beside those of a source that pools distributions itself."""

    def pool(self, node: Metric, members: Members, grid: Grid, until: float) -> Floats:
        """Return a distribution's values of each group and bucket."""
        source, origins = self.side(members.origins)
        return pool(source, node, members._replace(origins=origins), grid, until)


def beside(source: Source, series: Sequence[Series]) -> Beside:
    """Return the source with series beside it."""
    return (PoolingBeside if isinstance(source, PoolingSource) else Beside)(source, series)
