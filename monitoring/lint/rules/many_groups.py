"""many-groups: a query is split by a tag that has very many values."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.scopes import grouped
from monitoring.resources.own_metrics import MOST_VALUES, OwnMetrics

RULE = Rule("many-groups", "warning", "A query is split by a tag that has very many values.")

MOST_GROUPS = 100
"""Values of a tag from which on nobody reads a graph or a list of alerts that is split by it."""


def check(subject: Subject) -> Iterator[Problem]:
    """Find keys of `by {…}` with more values in the project's catalogue."""
    for pointer, text, metric in subject.metrics if subject.own_metrics else ():
        for key, start, end in grouped(metric, text) if metric.by else ():
            count = _values(subject.own_metrics, metric.name, key)
            if count > MOST_GROUPS:
                seen = f"{MOST_VALUES} or more" if count >= MOST_VALUES else str(count)
                message = (
                    f"the tag {key} of {metric.name} has had {seen} values, each a group of its own. "
                    f"Group by another tag, and put {key} on a span"
                )
                yield Problem(pointer, message, start, end)


def _values(catalogue: OwnMetrics | None, name: str, key: str) -> int:
    metric = catalogue.metrics.get(name) if catalogue else None
    return metric.tags.get(key, 0) if metric else 0
