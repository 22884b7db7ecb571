"""count-with-avg: a count that is averaged, so that its number is not the number of things that happened."""

from collections.abc import Iterator

from monitoring.lint.alerting import facts, is_count, is_ratio, metric_query
from monitoring.lint.contrast import spaced, windowed
from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import Metric, MetricMonitor

RULE = Rule("count-with-avg", "warning", "A count is averaged instead of summed.")


def check(subject: Subject) -> Iterator[Problem]:
    """Find counts under avg, in time or space.

    It is proved: over the same counts the evaluator comes to another value with sum.
    """
    query = metric_query(subject)
    if query is not None and query.kind == "metric" and query.aggregation in {"avg", "min", "max"}:
        metric = query.query if isinstance(query.query, Metric) else None
        counted = metric is not None and is_count(metric) and _summed(metric) and not is_ratio(query.query)
        case = _with_sum(subject.body["query"], query) if counted else ""
        if metric is not None and case:
            text = (
                f"{query.aggregation}({query.window.tense}_…) of the count {metric.name} compares one bucket "
                f"with the threshold, not the window. Write sum(…)"
            )
            yield Problem(("query",), text, query.start, metric.start, case=case)
    for pointer, _, metric in subject.aws_metrics:
        text = _in_space(metric)
        case = spaced(metric) if text else ""
        if case:
            yield Problem(pointer, text, metric.start, metric.end, case=case)


def _with_sum(text: str, query: MetricMonitor) -> str:
    """Return a test of the monitor beside one that sums its window."""
    start = text.index(query.aggregation, query.start)
    return windowed(text, query, f"{text[:start]}sum{text[start + len(query.aggregation) :]}")


def _summed(metric: Metric) -> bool:
    return metric.modifier("as_rate") is None


def _in_space(metric: Metric) -> str:
    known = facts(metric)
    if known is None or known.type != "count" or metric.modifier("as_rate") is not None:
        return ""
    if metric.aggregator in {None, "avg", "count"}:
        how = "avg" if metric.aggregator is None else metric.aggregator
        right = f"sum:{metric.name}{{…}}.as_count()"
        return f"{how} of the count {metric.name} is not how often it happened. Write {right}"
    if metric.modifier("as_count") is None and metric.aggregator == "sum":
        return f"without .as_count() the points of {metric.name} are averaged over time. Add .as_count()"
    return ""
