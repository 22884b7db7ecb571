"""never-fires: a monitor whose condition cannot come true."""

from collections.abc import Iterator

from monitoring.lint import proof
from monitoring.lint.alerting import (
    BELOW,
    facts,
    is_count,
    is_ratio,
    metric_query,
    metrics_in,
    notifies_missing,
)
from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import Metric, MetricMonitor
from monitoring.resources.catalogue import metrics

RULE = Rule("never-fires", "warning", "A monitor that can never alert.", ("monitor",))

_LONGEST = {"aws.lambda.duration": 900_000, "aws.lambda.timeout": 900, "aws.lambda.memorysize": 10_240}
"""AWS's maximums: 15 minutes, and 10,240 MB."""


def check(subject: Subject) -> Iterator[Problem]:
    """Find thresholds outside what the value can be, and counts that fall silent instead of falling to zero.

    It is proved: the evaluator finds no alert over series of few, many, no and extreme values; or a count
    alerts while it is low, but not once it is silent.
    """
    query = metric_query(subject)
    if query is None or query.threshold is None or query.kind == "change":
        return
    text, patterns = _impossible(query)
    if text and not proof.alerts(subject.body, query, patterns):
        yield _problem(subject, query, text, patterns[-1])
    elif name := _silent(query, subject):
        yield from _of_silence(subject, query, name)


def _problem(subject: Subject, query: MetricMonitor, text: str, pattern: proof.Pattern) -> Problem:
    return Problem(("query",), text, case=proof.case(subject.body, query, pattern))


def _of_silence(subject: Subject, query: MetricMonitor, name: str) -> Iterator[Problem]:
    limit = query.threshold or 0.0
    patterns = proof.counts(limit, zero=name not in metrics())
    silence = next(pattern for pattern in patterns if pattern.after is None)
    if proof.alerts(subject.body, query, [silence]):
        return
    how = "resolved" if subject.options.get("on_missing_data") == "resolve" else "not evaluated"
    text = f"{name} sends nothing when nothing happens, and a window without data is {how}, so this"
    advice = "Set on_missing_data: default, which counts it as 0"
    if proof.alerts(subject.body, query, patterns):
        sentence = f"{text} alerts while it is low, but not once it is silent. {advice}"
        yield _problem(subject, query, sentence, silence)
    else:
        yield _problem(subject, query, f"{text} never alerts. {advice}", silence)


def _impossible(query: MetricMonitor) -> tuple[str, list[proof.Pattern]]:
    """Return why no value reaches the threshold, and patterns of the values that there can be."""
    operator, limit = query.operator, query.threshold or 0.0
    if query.kind == "anomaly" and ((operator == ">" and limit >= 1) or (operator == ">=" and limit > 1)):
        text = f"anomalies gives a share between 0 and 1, which is never {operator} {limit:g}"
        return text, proof.values((0.0, 1000.0))
    if query.kind != "metric" or not isinstance(query.query, Metric):
        return "", []
    known = facts(query.query)
    if known is None:
        return "", []
    if (operator == "<" and limit <= 0) or (operator == "<=" and limit < 0):
        text = f"{known.name} is never negative, so it is never {operator} {limit:g}"
        return text, proof.values((1.0, 0.0))
    most = 100.0 if known.unit == "percent" else _most(known.name)
    summed = query.aggregation == "sum" or query.query.aggregator == "sum"
    if (
        most is not None
        and not summed
        and ((operator == ">" and limit >= most) or (operator == ">=" and limit > most))
    ):
        text = f"{known.name} is {most:,.0f} at most, so it is never {operator} {limit:g}"
        return text, proof.values((0.0, most))
    return "", []


def _most(name: str) -> float | None:
    return next(
        (most for base, most in _LONGEST.items() if name == base or name.startswith(f"{base}.")), None
    )


def _silent(query: MetricMonitor, subject: Subject) -> str:
    """Return a count that is compared with `<`: without activity, AWS sends no points of it."""
    if query.operator not in BELOW or is_ratio(query.query) or notifies_missing(subject.options):
        return ""
    return next((node.name for node in metrics_in(query.query) if is_count(node)), "")
