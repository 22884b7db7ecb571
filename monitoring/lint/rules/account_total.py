"""account-total: executions summed together with the account-wide series, so that each counts twice."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.scopes import terms
from monitoring.query import Metric
from monitoring.query.nodes import Variable
from monitoring.resources.catalogue import metrics

RULE = Rule(
    "account-total",
    "warning",
    "Executions are summed with the account-wide series of Step Functions, so that each counts twice.",
)

_TAG = "statemachinearn"


def check(subject: Subject) -> Iterator[Problem]:
    """Find sums over metrics of executions without a state machine in the scope or the grouping.

    AWS sends these metrics twice: by state machine, and once more for the account, without the tag. A
    template variable does not help: its `*` means no filter.
    """
    catalogue = metrics()
    for pointer, _, metric in subject.aws_metrics:
        facts = catalogue.get(metric.name)
        if facts is None or facts.tags != (_TAG,) or metric.aggregator not in {"sum", "count"}:
            continue
        if not _by_machine(metric):
            text = f"this also counts the account-wide series of {metric.name}. Add {_TAG}:* to the scope"
            yield Problem(pointer, text, metric.start, metric.end)


def _by_machine(metric: Metric) -> bool:
    if _TAG in metric.by:
        return True
    positive = [term for term, negated in terms(metric.scope) if not negated]
    return any(not isinstance(term, Variable) and term.key == _TAG for term in positive)
