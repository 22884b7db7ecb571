"""unknown-metric: a metric of AWS or of the project that does not exist."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.recorded import is_judged, names_of
from monitoring.query import Metric
from monitoring.resources.catalogue import names
from monitoring.resources.nearest import nearest
from monitoring.resources.own_metrics import FILE, OwnMetrics, is_own

RULE = Rule("unknown-metric", "warning", "A metric of AWS or of the project that does not exist.")


def check(subject: Subject) -> Iterator[Problem]:
    """Find metrics that are not in their catalogue, and suggest the most similar one."""
    yield from _aws(subject)
    if subject.own_metrics is not None:
        yield from _own(subject, subject.own_metrics)


def _own(subject: Subject, catalogue: OwnMetrics) -> Iterator[Problem]:
    """Yield the project's own metrics that no test and no run of `stepscope up` has emitted.

    A name whose first word is in the catalogue has to be there; any other may be of another application, and
    is named only where it looks like a slip.
    """
    known = names_of(catalogue)
    for pointer, text, metric in subject.metrics:
        judged = is_judged(metric.name, catalogue)
        if metric.name in known or "$" in metric.name or not (judged or is_own(metric.name)):
            continue
        near = nearest(metric.name, known, cutoff=0.8)
        if near or judged:
            hint = f"Did you mean {near}?" if near else f"{FILE} has what tests and stepscope up have seen"
            message = f"nothing here emits {metric.name}. {hint}"
            yield Problem(pointer, message, *name_place(metric, text))


def _aws(subject: Subject) -> Iterator[Problem]:
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
    """Return the offsets of a metric's name in its query."""
    start = text.find(metric.name, metric.start)
    return start, start + len(metric.name)
