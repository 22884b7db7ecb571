"""Generate series that fit a metric, so that a dashboard can be viewed before there are data.

The same query always gives the same series: the random generator is seeded by a digest of the names.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from monitoring.preview.data import definitions
from monitoring.preview.drawing import own_range, requests_of
from monitoring.preview.split import sampled
from monitoring.preview.variables import put_in, variables_of
from monitoring.query import QueryError, parse, walk
from monitoring.query.nodes import And, Binary, In, Metric, Number, Or, Reference, Scope, Tag
from monitoring.query.series import Series
from monitoring.resources.catalogue import MetricFacts

VALUES: dict[str, tuple[str, ...]] = {
    "env": ("prod",),
    "service": ("slides", "orders"),
    "statemachinearn": tuple(
        f"arn:aws:states:eu-west-1:123456789012:statemachine:{name}" for name in ("slides", "orders")
    ),
    "statemachine": ("slides", "orders"),
    "functionname": ("identify-slide", "compare-slide", "create-document", "build-site"),
    "function": ("identify-slide", "compare-slide", "create-document", "build-site"),
    "state": ("identify", "compare", "create document", "build"),
    "region": ("eu-west-1",),
    "status": ("succeeded", "failed"),
    "statename": ("IdentifySlide", "CreateDocument", "BuildSite"),
    "error": ("States.TaskFailed", "States.Timeout", "Lambda.TooManyRequestsException"),
    "error_type": ("KeyError", "TimeoutError"),
    "resource": ("lambda:invoke", "codebuild:startBuild"),
    "claim": ("written", "queued", "site_is_there"),
    "reason": ("false", "error"),
    "trigger": ("step-functions", "sqs"),
    "trigger_resource": ("slides", "photos"),
    "init": ("on-demand", "snap-start"),
    "talk": ("night-watch", "baltimore"),
    "sure": ("true", "false"),
}
"""Tag key -> its sample values; other keys get two generated values."""

RARE = (
    "fail",
    "error",
    "timed_out",
    "timeout",
    "throttl",
    "abort",
    "dead_letter",
    "dropped",
    "refused",
    "broken",
)
PERCENTILE = re.compile(r"p\d")
"""A space aggregator that only a distribution has."""

SHARES = frozenset({"percent", "pct", "percentage", "ratio", "utilization"})


def sample(
    dashboard: Mapping[str, Any],
    start: int,
    end: int,
    known: Mapping[str, MetricFacts],
    more: Sequence[str] = (),
    step: int = 60,
) -> list[Series]:
    """Return a series for every metric and group of the dashboard's queries and of those in `more`.

    They have points in every time range of a widget: its own, and the one that it compares with.
    """
    times = _times(sample_times(dashboard, start, end), step)
    fractions = frozenset(_fractions(dashboard))
    return _sampled((*_queries(dashboard), *more), times, known, step, fractions)


def sample_queries(
    queries: Iterable[str], start: int, end: int, known: Mapping[str, MetricFacts], step: int = 60
) -> list[Series]:
    """Return a series for every metric, and every group, of the queries."""
    return _sampled(queries, _times([(start, end)], step), known, step)


MOST_POINTS = 1500
"""The maximum number of points of a series in one time range; longer ranges have larger intervals."""


def _times(ranges: Sequence[tuple[int, int]], step: int) -> NDArray[np.int64]:
    """Return the times of points in all ranges; those in the first are `step` seconds apart."""
    first, *others = ranges
    parts = [np.arange(first[0] // step * step, first[1], step)]
    for start, end in others:
        wide = max(step, (end - start) // MOST_POINTS // 60 * 60)
        part = np.arange(start // wide * wide, end, wide)
        parts.append(part[(part < first[0]) | (part >= first[1])])
    return np.unique(np.concatenate(parts)).astype(np.int64)


def _sampled(
    queries: Iterable[str],
    times: NDArray[np.int64],
    known: Mapping[str, MetricFacts],
    step: int,
    fractions: frozenset[str] = frozenset(),
) -> list[Series]:
    pooled: set[str] = set()
    groups: dict[str, dict[tuple[str, ...], None]] = {}
    for query in dict.fromkeys(queries):
        for metric in _metrics(query):
            if PERCENTILE.match(metric.aggregator or "") or metric.threshold:
                pooled.add(metric.name)
            groups.setdefault(metric.name, {}).update(dict.fromkeys(_groups(metric)))
    return [
        _series(name, group, known.get(name) or _guess(name, name in pooled, name in fractions), times, step)
        for name in sorted(groups)
        for group in sorted(groups[name])
    ]


MOST_GROUPS = 12


def _groups(metric: Metric) -> Iterator[tuple[str, ...]]:
    """Yield the tags of sources that match the query's scope and grouping, in at most twelve groups."""
    for required in satisfying(metric.scope)[:MOST_ALTERNATIVES]:
        keys = dict.fromkeys([*(tag[:-2] for tag in required if tag.endswith(":*")), *metric.by])
        fixed = [tag.replace("*", "sample") for tag in required if not tag.endswith(":*")]
        keys_of_scope = {tag.partition(":")[0] for tag in fixed}
        groups: list[tuple[str, ...]] = [tuple(fixed)]
        if "false" not in str(fixed) and any(tag.endswith(":true") for tag in fixed):
            groups.append(tuple(tag.replace(":true", ":false") for tag in fixed))  # the other series
        for key in (key.lower() for key in keys if key.lower() not in keys_of_scope):
            values = VALUES.get(key, (f"{key}-a", f"{key}-b"))
            groups = [(*group, f"{key}:{value}") for group in groups for value in values][:MOST_GROUPS]
        yield from (tuple(sorted(group)) for group in groups)


MOST_ALTERNATIVES = 4
Wanted = tuple[str, ...]


def satisfying(scope: Scope) -> list[Wanted]:
    """Return sets of lower-case tags that match a scope: one for each of its first alternatives."""
    if isinstance(scope, Tag):
        return [(f"{scope.key}:{scope.value}".lower() if scope.key else scope.value.lower(),)]
    if isinstance(scope, In) and not scope.negated:
        return [(f"{scope.key}:{value}".lower(),) for value in scope.values[:MOST_ALTERNATIVES]]
    if isinstance(scope, Or):
        return [required for term in scope.terms for required in satisfying(term)]
    if isinstance(scope, And):
        sets: list[Wanted] = [()]
        for term in scope.terms:
            sets = [(*dict.fromkeys((*tags, *more)),) for tags in sets for more in satisfying(term)]
            sets = sets[:MOST_ALTERNATIVES]
        return sets
    return [()]


def sample_times(dashboard: Mapping[str, Any], start: int, end: int) -> list[tuple[int, int]]:
    """Return the time ranges of a dashboard's widgets, the dashboard's own first."""
    ranges = {(start, end): None}
    for definition in definitions(dashboard.get("widgets")):
        own = own_range(definition, start, end)
        ranges[own] = None
        text = str(definition)
        for word, seconds in EARLIER.items():
            if word in text:
                ranges[own[0] - seconds, own[1] - seconds] = None
        if definition.get("type") == "change":
            ranges[own[0] - 3600, own[1] - 3600] = None
    return list(ranges)[:MOST_RANGES]


MOST_RANGES = 12
EARLIER = {"hour_before": 3600, "day_before": 86_400, "week_before": 604_800, "month_before": 2_419_200} | {
    "calendar_shift": 604_800,
    "timeshift": 86_400,
}
"""Function of a query or option of a change widget -> its time shift in seconds."""


def _queries(dashboard: Mapping[str, Any]) -> Iterator[str]:
    variables = variables_of(dashboard, {})
    for definition in definitions(dashboard.get("widgets")):
        for request in (
            part for part_of in (definition, *sampled(definition)) for part in requests_of(part_of)
        ):
            queries = request.get("queries")
            named = (
                [item.get("query") for item in queries if isinstance(item, Mapping)]
                if _is_list(queries)
                else []
            )
            query = request.get("query")
            inner = query.get("query") if isinstance(query, Mapping) else None
            for text in (request.get("q"), inner, *named):
                if isinstance(text, str):
                    yield put_in(text.replace("histogram:", "avg:", 1), variables)


def _fractions(dashboard: Mapping[str, Any]) -> Iterator[str]:
    """Yield the metrics that a widget only multiplies by 100: their values are between 0 and 1."""
    variables = variables_of(dashboard, {})
    for widget in definitions(dashboard.get("widgets")):
        for request in requests_of(widget):
            named = request.get("queries")
            queries = {
                str(item.get("name")): put_in(str(item.get("query")), variables)
                for item in (named if _is_list(named) else ())
                if isinstance(item, Mapping)
            }
            formulas = request.get("formulas")
            texts = [
                item.get("formula")
                for item in (formulas if _is_list(formulas) else ())
                if isinstance(item, Mapping)
            ]
            for text in (request.get("q"), *texts, *queries.values()):
                for node in _times_100(put_in(text, variables)) if isinstance(text, str) else ():
                    inner = queries.get(node.name, "") if isinstance(node, Reference) else ""
                    yield from (metric.name for metric in (_metrics(inner) if inner else [node]))


def _times_100(query: str) -> Iterator[Any]:
    """Yield the metrics and query names that are multiplied by 100, without a division."""
    try:
        nodes = list(walk(parse(query)))
    except QueryError:
        return
    for node in nodes:
        if isinstance(node, Binary) and node.operator == "*":
            for factor, rest in ((node.left, node.right), (node.right, node.left)):
                inside = list(walk(rest))
                divided = any(isinstance(inner, Binary) and inner.operator in "/-" for inner in inside)
                if isinstance(factor, Number) and factor.value == 100 and not divided:
                    yield from (inner for inner in inside if isinstance(inner, Metric | Reference))


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _metrics(query: str) -> list[Metric]:
    try:
        return [node for node in walk(parse(query)) if isinstance(node, Metric)]
    except QueryError:
        return []  # the widget itself shows the error


def _guess(name: str, pooled: bool, fraction: bool) -> MetricFacts:
    if fraction:
        return MetricFacts(name, "gauge", "fraction")
    if pooled:
        unit = "second" if name.endswith(("duration", "age", "time", "lag")) else ""
        return MetricFacts(name, "distribution", unit)
    counting = name.endswith(("count", "invocations", "errors", "total"))
    counting = counting or _is_rare(name)
    return MetricFacts(name, "count" if counting else "gauge")


def _is_rare(name: str) -> bool:
    return any(word in name for word in RARE)


def _series(
    name: str, tags: tuple[str, ...], facts: MetricFacts, times: NDArray[np.int64], step: int
) -> Series:
    # Metrics of one family are correlated: started and succeeded executions; minimum, average and p99.
    family = name.rpartition("_")[0] if facts.type == "count" and not _is_rare(name) else name
    measured = MEASURE.search(name)
    family = name[: measured.start()] if measured else family
    digest = hashlib.sha256("\n".join((family, *tags)).encode()).digest()
    chance = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    values = _shape(name, facts, times, chance)
    if measured:
        values = _measured(values, name, measured[1])
    if (share := _share(name, tags)) < 1 and facts.type == "count":
        values = chance.binomial(values.astype(np.int64), share).astype(float)
    interval = step if facts.type in {"count", "rate"} else None
    return Series(name, tuple(sorted(tags)), times, values, facts.type, interval)


def _measured(values: NDArray[np.float64], name: str, measure: str) -> NDArray[np.float64]:
    """Return values of one statistic, so that minimum, median, average and percentiles are in order."""
    digits = "".join(char for char in measure if char.isdigit())
    rank = float(digits[:2]) / 100 + float(f"0.00{digits[2:] or 0}") if digits else RANKS.get(measure, 0.5)
    shown = values * (0.4 + 1.6 * rank)
    return np.minimum(shown, 100.0) if _is_share(name) else shown


MEASURE = re.compile(r"[._](min|median|avg|mean|max|minimum|average|maximum|p\d+|\d+percentile)$")
RANKS = {"min": 0.0, "minimum": 0.0, "median": 0.5, "max": 1.0, "maximum": 1.0}
RANKS |= {"avg": 0.55, "mean": 0.55, "average": 0.55}
"""Statistic -> its position between the minimum and the maximum."""


def _is_share(name: str) -> bool:
    return any(word in SHARES for word in re.split(r"[._]", name))


def _share(name: str, tags: Sequence[str]) -> float:
    """Return the share of a count in its family: some invocations fail, and few are cold starts."""
    return 0.04 if "cold_start:true" in tags else 0.95 if name.endswith("succeeded") else 1.0


LEVELS = {"millisecond": 800.0, "nanosecond": 8e8, "second": 0.8, "byte": 5e7, "megabyte": 90.0}
LEVELS["dollar"] = 0.002


def _shape(
    name: str, facts: MetricFacts, times: NDArray[np.int64], chance: np.random.Generator
) -> NDArray[np.float64]:
    """Return values with a daily rhythm and noise; failures are rare bursts, shares stay within 0 and 100."""
    day = 1 + 0.5 * np.sin((times % 86400) / 86400 * 2 * np.pi - 2.0)
    if _is_rare(name):
        return np.where(chance.random(times.size) < 0.02, chance.integers(1, 4, times.size), 0).astype(float)
    if facts.unit == "fraction":
        return np.clip(0.6 * day + chance.normal(0, 0.03, times.size), 0, 1)
    if _is_share(name) or facts.unit == "percent":
        return np.clip(35 * day + chance.normal(0, 4, times.size), 0, 100)
    if facts.type in {"count", "rate"}:
        return chance.poisson(6 * day * (0.5 + chance.random()), times.size).astype(float)
    level = LEVELS.get(facts.unit, 20.0) * (0.5 + chance.random())
    return np.abs(level * day * chance.lognormal(0, 0.18, times.size))
