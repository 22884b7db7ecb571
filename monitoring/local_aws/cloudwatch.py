"""Aggregate samples as CloudWatch does (one point a minute), with the names of Datadog's AWS integration."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from monitoring.local_aws.samples import ACCOUNT_CONCURRENCY, Key
from monitoring.query.series import Series
from monitoring.resources.catalogue import MetricFacts, metrics

Floats = NDArray[np.float64]
Columns = Mapping[Key, tuple[Floats, Floats]]
"""The samples of each metric: times in seconds, and values."""

MINUTE = 60
CRAWL = 600
"""Seconds between two polls of a function's settings by the integration."""


def published(samples: Columns, common: tuple[str, ...], selected: Collection[str]) -> list[Series]:
    """Return the series that Datadog would have for the samples.

    Args:
        samples: the samples in CloudWatch.
        common: tags of every series: region, account and those of the resources.
        selected: the metrics to compute, by Datadog's names; others are skipped.
    """
    lines = []
    for facts in metrics().values():
        if facts.name in selected and facts.cloudwatch_metric and facts.statistic:
            for key, (times, values) in samples.items():
                if _is_about(facts, key) and len(times):
                    lines.append(_series(facts, key, common, times, values))
    return lines


def _is_about(facts: MetricFacts, key: Key) -> bool:
    name = facts.cloudwatch_metric
    if facts.name.startswith("aws.lambda.concurrent_executions_global"):
        name = ACCOUNT_CONCURRENCY
    return key.metric == name and facts.name.startswith(f"aws.{key.namespace}.")


def _series(facts: MetricFacts, key: Key, common: tuple[str, ...], times: Floats, values: Floats) -> Series:
    minutes, reduced = by_minute(times, values, facts.statistic)
    kind: Literal["count", "gauge"] = "count" if facts.type == "count" else "gauge"
    tags = tuple(sorted({*common, *key.tags}))
    return Series(facts.name, tags, minutes, reduced, kind, MINUTE if kind == "count" else None)


def by_minute(times: Floats, values: Floats, statistic: str) -> tuple[NDArray[np.int64], Floats]:
    """Return the minutes with samples, and the statistic of each: Sum, Average, Maximum, pNN, …"""
    minutes = np.floor(times / MINUTE).astype(np.int64) * MINUTE
    order = np.lexsort((values, minutes))
    minutes, values = minutes[order], values[order]
    first = np.flatnonzero(np.append(True, minutes[1:] != minutes[:-1]))
    count = np.diff(np.append(first, len(minutes)))
    if statistic.startswith("p"):
        rank = np.ceil(float(statistic[1:]) / 100 * count).astype(np.int64)  # the nearest rank
        return minutes[first], values[first + np.maximum(rank, 1) - 1]
    if statistic == "Average":
        return minutes[first], np.add.reduceat(values, first) / count
    reduce = {"Sum": np.add, "Maximum": np.maximum, "Minimum": np.minimum}[statistic]
    return minutes[first], cast("Floats", reduce.reduceat(values, first))


def settings_series(
    functions: Mapping[str, tuple[int, int]], common: tuple[str, ...], start: int, end: int
) -> Iterator[Series]:
    """Yield the series of functions' settings, with one point per poll.

    Args:
        functions: name -> time-out in seconds and memory in megabytes.
        common: see `published`.
        start: seconds since the epoch; `end` is not included.
    """
    times = np.arange(start // CRAWL * CRAWL, end, CRAWL, dtype=np.int64)
    for name, settings in functions.items():
        tags = tuple(sorted({*common, f"functionname:{name.lower()}", f"resource:{name.lower()}"}))
        for metric, value in zip(("aws.lambda.timeout", "aws.lambda.memorysize"), settings, strict=True):
            yield Series(metric, tags, times, np.full(len(times), float(value)))


def is_polled(metric: str) -> bool:
    """Return whether a metric comes from CloudWatch, so that it is minutes late."""
    facts = metrics().get(metric)
    return facts is not None and (facts.polled or metric in {"aws.lambda.timeout", "aws.lambda.memorysize"})


def columns(samples: Iterable[tuple[Key, float, float]]) -> dict[Key, tuple[Floats, Floats]]:
    """Return the samples as arrays by their key."""
    columns_by_key: dict[Key, tuple[list[float], list[float]]] = {}
    for key, at, value in samples:
        times, values = columns_by_key.setdefault(key, ([], []))
        times.append(at)
        values.append(value)
    return {key: (np.array(times), np.array(values)) for key, (times, values) in columns_by_key.items()}
