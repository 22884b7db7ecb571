"""late-metric: a monitor that looks at minutes for which CloudWatch's metrics have not arrived."""

from collections.abc import Iterator

from monitoring.lint.alerting import facts, metric_query, metrics_in
from monitoring.lint.model import Problem, Rule, Subject

RULE = Rule(
    "late-metric", "warning", "CloudWatch's metrics arrive later than the monitor looks.", ("monitor",)
)

_POLLING = 15 * 60
"""Datadog polls CloudWatch every 10 minutes; with the delay of CloudWatch that is 10 to 12 minutes."""


def check(subject: Subject) -> Iterator[Problem]:
    """Find windows below 15 minutes over polled metrics without an evaluation delay."""
    query = metric_query(subject)
    if query is None or subject.options.get("evaluation_delay") or query.window.seconds > _POLLING:
        return
    late = [metric.name for metric in metrics_in(query.query) if (known := facts(metric)) and known.polled]
    if late:
        text = (
            f"{late[0]} arrives 10 to 12 minutes late by polling (2 to 3 by a metric stream), so the last "
            f"{query.window.seconds // 60} minutes are mostly empty. Set options.evaluation_delay: 900 (300)"
        )
        yield Problem(("query",), text, query.window.start, query.window.end)
