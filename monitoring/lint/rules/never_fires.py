"""never-fires: a monitor whose condition cannot come true."""

from collections.abc import Iterator

from monitoring.lint.alerting import (
    BELOW,
    calls,
    facts,
    is_count,
    is_ratio,
    metric_query,
    metrics_in,
    notifies_missing,
)
from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import Metric, MetricMonitor

RULE = Rule("never-fires", "error", "A monitor that can never alert.", ("monitor",))

_LONGEST = {"aws.lambda.duration": 900_000, "aws.lambda.timeout": 900, "aws.lambda.memorysize": 10_240}
"""What AWS allows at most: 15 minutes, and 10,240 MB."""


def check(subject: Subject) -> Iterator[Problem]:
    """Thresholds outside what the value can be, and counts that fall silent instead of falling to zero."""
    query = metric_query(subject)
    if query is None or query.threshold is None or query.kind == "change":
        return
    text = _impossible(query) or _silent(query, subject)
    if text:
        yield Problem(("query",), text)


def _impossible(query: MetricMonitor) -> str:
    operator, limit = query.operator, query.threshold or 0.0
    if query.kind == "anomaly" and ((operator == ">" and limit >= 1) or (operator == ">=" and limit > 1)):
        return f"anomalies gives a share between 0 and 1, which is never {operator} {limit:g}"
    if query.kind != "metric" or not isinstance(query.query, Metric):
        return ""
    known = facts(query.query)
    if known is None:
        return ""
    if (operator == "<" and limit <= 0) or (operator == "<=" and limit < 0):
        return f"{known.name} is never negative, so it is never {operator} {limit:g}"
    most = 100.0 if known.unit == "percent" else _most(known.name)
    summed = query.aggregation == "sum" or query.query.aggregator == "sum"
    if (
        most is not None
        and not summed
        and ((operator == ">" and limit >= most) or (operator == ">=" and limit > most))
    ):
        return f"{known.name} is {most:,.0f} at most, so it is never {operator} {limit:g}"
    return ""


def _most(name: str) -> float | None:
    return next(
        (most for base, most in _LONGEST.items() if name == base or name.startswith(f"{base}.")), None
    )


def _silent(query: MetricMonitor, subject: Subject) -> str:
    """Find counts compared with `<`: without activity, AWS sends no points, and nothing is evaluated."""
    if query.operator not in BELOW or is_ratio(query.query):
        return ""
    counted = [node for node in metrics_in(query.query) if is_count(node)]
    if not counted or notifies_missing(subject.options):
        return ""
    name = counted[0].name
    choice = subject.options.get("on_missing_data")
    if any(calls(query.query, "default_zero")):
        return (
            "default_zero fills no window that is empty altogether, and on_missing_data then counts nothing "
            f"as 0, so this never alerts when {name} falls silent. Remove it and set on_missing_data: default"
        )
    if choice != "default":
        return (
            f"{name} sends nothing when nothing happens, and a window without data is "
            f"{'resolved' if choice == 'resolve' else 'not evaluated'}, so this never alerts. "
            "Set on_missing_data: default, which counts it as 0"
        )
    return ""
