"""unknown-metric: a metric of aws.lambda or aws.states that does not exist."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import Metric
from monitoring.resources.catalogue import names
from monitoring.resources.nearest import nearest

RULE = Rule("unknown-metric", "warning", "A metric of aws.lambda or aws.states that does not exist.")


def check(subject: Subject) -> Iterator[Problem]:
    """Each metric that is not in the catalogue, with the nearest that is."""
    known = names()
    for pointer, text, metric in subject.aws_metrics:
        if metric.name in known:
            continue
        near = nearest(metric.name, known, cutoff=0.8)
        start, end = name_place(metric, text)
        if near:
            yield Problem(pointer, f"there is no metric {metric.name}. Did you mean {near}?", start, end)
        else:
            message = f"no metric {metric.name} is known: it is misspelt, or newer than this version"
            yield Problem(pointer, message, start, end, severity="warning")


def name_place(metric: Metric, text: str) -> tuple[int, int]:
    """Where the name stands in the string that holds the metric."""
    start = text.find(metric.name, metric.start)
    return start, start + len(metric.name)
