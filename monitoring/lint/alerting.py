"""Provide what several rules need of a monitor: its comparison, its counts, its handling of missing data."""

from collections.abc import Iterator, Mapping

from monitoring.lint.model import Subject
from monitoring.query import Binary, Call, Metric, MetricMonitor, Query, walk
from monitoring.resources.catalogue import MetricFacts, metrics

ABOVE, BELOW = frozenset({">", ">="}), frozenset({"<", "<="})


def metric_query(subject: Subject) -> MetricMonitor | None:
    """Return the monitor's query, if it is a metric query."""
    query = subject.monitor[0]
    return query if isinstance(query, MetricMonitor) else None


def metrics_in(query: Query) -> list[Metric]:
    """Yield the metrics of an expression."""
    return [node for node in walk(query) if isinstance(node, Metric)]


def facts(metric: Metric) -> MetricFacts | None:
    """Return the catalogue's row of a metric."""
    return metrics().get(metric.name)


def is_count(metric: Metric) -> bool:
    """Return whether it counts things: AWS says so, or the query does."""
    known = facts(metric)
    return (known is not None and known.type == "count") or metric.modifier("as_count") is not None


def is_ratio(query: Query) -> bool:
    """Return whether something is divided."""
    return any(isinstance(node, Binary) and node.operator == "/" for node in walk(query))


def calls(query: Query, name: str) -> Iterator[Call]:
    """Yield each call of a function."""
    yield from (node for node in walk(query) if isinstance(node, Call) and node.name == name)


def notifies_missing(options: Mapping[str, object]) -> bool:
    """Return whether missing data notifies somebody."""
    return bool(options.get("notify_no_data")) or options.get("on_missing_data") == "show_and_notify_no_data"
