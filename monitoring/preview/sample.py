"""Synthetic series that fit a metric: so that a dashboard can be looked at before anything was ever measured.

The same query gives the same picture every time: all that looks like chance comes from a digest of the names.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from monitoring.preview.data import definitions
from monitoring.preview.drawing import requests_of
from monitoring.preview.variables import put_in, variables_of
from monitoring.query import QueryError, parse, walk
from monitoring.query.nodes import Metric
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
"""Tag key -> values that a sample gives it; another key gets two of its own."""

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

SHARES = ("percent", "ratio", "utilization")


def sample(
    dashboard: Mapping[str, Any],
    start: int,
    end: int,
    known: Mapping[str, MetricFacts],
    more: Sequence[str] = (),
    step: int = 60,
) -> list[Series]:
    """Return a series for every metric and group of the dashboard's queries and of those in `more`."""
    return sample_queries((*_queries(dashboard), *more), start, end, known, step)


def sample_queries(
    queries: Iterable[str], start: int, end: int, known: Mapping[str, MetricFacts], step: int = 60
) -> list[Series]:
    """Return a series for every metric, and every group, of the queries."""
    keys: dict[str, set[str]] = {}
    pooled: set[str] = set()
    tags: dict[str, set[str]] = {}
    for query in queries:
        for metric in _metrics(query):
            keys.setdefault(metric.name, set()).update(metric.by)
            if PERCENTILE.match(metric.aggregator or ""):
                pooled.add(metric.name)
            wanted = set(_wanted(metric))
            anything = {tag for tag in wanted if tag.endswith(":*")}
            keys[metric.name] |= {tag.removesuffix(":*") for tag in anything}
            tags.setdefault(metric.name, set()).update(
                tag.replace("*", "sample") for tag in wanted - anything
            )
    times = np.arange(start // step * step, end, step)
    return [
        _series(name, group, known.get(name) or _guess(name, name in pooled), times, step)
        for name, grouped in sorted(keys.items())
        for group in _combinations(sorted(grouped), _values(tags[name]))
    ]


def _queries(dashboard: Mapping[str, Any]) -> Iterator[str]:
    variables = variables_of(dashboard, {})
    for widget in definitions(dashboard.get("widgets")):
        for request in requests_of(widget):
            queries = request.get("queries")
            named = (
                [one.get("query") for one in queries if isinstance(one, Mapping)] if _is_list(queries) else []
            )
            query = request.get("query")
            inner = query.get("query") if isinstance(query, Mapping) else None
            for text in (request.get("q"), inner, *named):
                if isinstance(text, str):
                    yield put_in(text.replace("histogram:", "avg:", 1), variables)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _metrics(query: str) -> list[Metric]:
    try:
        return [node for node in walk(parse(query)) if isinstance(node, Metric)]
    except QueryError:
        return []  # the widget itself says so


def _wanted(metric: Metric) -> Iterator[str]:
    """Yield the literal tags of a scope, which the sample has to carry to be found."""
    from monitoring.query import format as format_query

    scope = format_query(metric).partition("{")[2].partition("}")[0]
    for part in scope.replace(" AND ", ",").split(","):
        text = part.strip().lower()
        if ":" in text and not text.startswith("!") and " " not in text:
            yield text


def _values(tags: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for tag in sorted(tags):
        key, _, value = tag.partition(":")
        found.setdefault(key, []).append(value)
    return found


def _combinations(keys: Sequence[str], wanted: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Every group of the keys, at most twelve; each carries what the scopes want."""
    groups: list[tuple[str, ...]] = [()]
    for key in dict.fromkeys([*wanted, *keys]):
        values = list(wanted.get(key, ())) or list(VALUES.get(key, (f"{key}-a", f"{key}-b")))
        if values == ["true"]:
            values = ["false", "true"]  # what is asked for is not all there is
        groups = [(*group, f"{key}:{value}") for group in groups for value in values][:12]
    return groups


def _guess(name: str, pooled: bool) -> MetricFacts:
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
    # Counts of one family go together: nearly as many succeed as are started.
    family = name.rpartition("_")[0] if facts.type == "count" and not _is_rare(name) else name
    digest = hashlib.sha256("\n".join((family, *tags)).encode()).digest()
    chance = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    values = _shape(name, facts, times, chance)
    if (share := _share(name, tags)) < 1 and facts.type == "count":
        values = chance.binomial(values.astype(np.int64), share).astype(float)
    interval = step if facts.type in {"count", "rate"} else None
    return Series(name, tuple(sorted(tags)), times, values, facts.type, interval)


def _share(name: str, tags: Sequence[str]) -> float:
    """Which part of its family a count is: some fail, and few calls start cold."""
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
    if any(word in SHARES for word in re.split(r"[._]", name)):
        return np.clip(35 * day + chance.normal(0, 4, times.size), 0, 100)
    if facts.type in {"count", "rate"}:
        return chance.poisson(6 * day * (0.5 + chance.random()), times.size).astype(float)
    level = LEVELS.get(facts.unit, 20.0) * (0.5 + chance.random())
    return np.abs(level * day * chance.lognormal(0, 0.18, times.size))
