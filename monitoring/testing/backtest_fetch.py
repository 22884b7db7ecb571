"""Fetch the history of a monitor's metrics from Datadog into the embedded database.

Each metric query of the monitor is asked for by the minute and by day, grouped by its own keys and by every
key of its scope, so that the scope selects the same again. Sums, minima and maxima replay as they were; an
average over several sources replays as the average of its groups' averages.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from monitoring.errors import InputError
from monitoring.query import Metric, MetricMonitor, MonitorQuery, walk
from monitoring.query.formatter import format_query
from monitoring.query.nodes import And, In, Modifier, Not, Or, Scope, Tag
from monitoring.query.series import Series
from monitoring.query.timeseries import NOT_THERE

DAY = 86400
MINUTE = 60
"""Seconds of a bucket: a day of them, 1,440, is within the 1,500 points that one answer holds."""

_PLAIN = {"avg", "sum", "min", "max", None}


class Queries(Protocol):
    """Whatever answers `/api/v1/query`."""

    def points(self, query: str, start: int, end: int) -> list[dict[str, Any]]:
        """Return the series of an answer."""
        ...


def queries(node: MonitorQuery) -> list[tuple[Metric, str]]:
    """Return each metric query of a monitor, and the query that is sent to Datadog for it.

    Raises:
        InputError: a percentile, which cannot be rebuilt from an answer.
    """
    if not isinstance(node, MetricMonitor):
        raise InputError("only the history of metric monitors can be fetched", hint="give it with --data")
    metrics = dict.fromkeys(part for part in walk(node.query) if isinstance(part, Metric))
    return [(metric, _asked(metric)) for metric in metrics]


def _asked(metric: Metric) -> str:
    if metric.aggregator not in _PLAIN or metric.threshold is not None:
        message = f"the history of {metric.aggregator}:{metric.name} cannot be fetched"
        raise InputError(
            message, hint="percentiles and counts of distributions need the raw values: use --data"
        )
    keys = tuple(dict.fromkeys((*metric.by, *scope_keys(metric.scope))))
    counted = [modifier for modifier in metric.modifiers if modifier.name in {"as_count", "as_rate"}]
    method = "sum" if counted else metric.aggregator or "avg"
    modifiers = (*counted, Modifier("rollup", (method, float(MINUTE))))
    return format_query(replace(metric, by=keys, modifiers=modifiers))


def scope_keys(scope: Scope) -> Iterator[str]:
    """Yield the tag keys of a scope."""
    match scope:
        case Tag(key=str() as key) | In(key=key):
            yield key
        case Not(term=term):
            yield from scope_keys(term)
        case And(terms=terms) | Or(terms=terms):
            for term in terms:
                yield from scope_keys(term)


def fetch(
    client: Queries, node: MonitorQuery, start: int, end: int, progress: Callable[[int, int], None]
) -> Iterator[list[Series]]:
    """Yield the series of each answer, day by day; `progress` gets the number of answers and the total.

    Raises:
        InputError: as `queries`, and whatever the client raises.
    """
    requests = queries(node)
    days = range(start // DAY * DAY, end, DAY)
    total = len(requests) * len(days)
    for at, (day, (metric, text)) in enumerate((day, query) for day in days for query in requests):
        progress(at, total)
        answer = client.points(text, max(day, start), min(day + DAY, end) - 1)
        yield list(_series(metric, answer))
    progress(total, total)


def _series(metric: Metric, answer: Iterable[dict[str, Any]]) -> Iterator[Series]:
    counted = metric.modifier("as_count") is not None
    rated = metric.modifier("as_rate") is not None
    for item in answer:
        pairs = [(time, value) for time, value in item.get("pointlist") or () if value is not None]
        if not pairs:
            continue
        tags = [tag for tag in item.get("tag_set") or () if not tag.endswith(f":{NOT_THERE}")]
        host = next((tag.split(":", 1)[1] for tag in tags if tag.startswith("host:")), "")
        yield Series(
            metric.name,
            tuple(sorted(tag.lower() for tag in tags if not tag.startswith("host:"))),
            np.array([int(time // 1000) for time, _ in pairs], dtype=np.int64),
            np.array([value for _, value in pairs], dtype=np.float64),
            "count" if counted else "rate" if rated else "gauge",
            MINUTE if counted or rated else None,
            host,
        )
