"""default-zero-ratio: default_zero around the counts of a ratio, which changes how the ratio is computed."""

from collections.abc import Iterator

from monitoring.lint.alerting import is_count, metric_query, metrics_in
from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import Binary, Call, walk

RULE = Rule("default-zero-ratio", "warning", "default_zero inside a ratio of counts.", ("monitor",))


def check(subject: Subject) -> Iterator[Problem]:
    """Each default_zero in a division of counts: missing counts are aligned as 0 without it."""
    query = metric_query(subject)
    if query is None:
        return
    for node in walk(query.query):
        if not (isinstance(node, Binary) and node.operator == "/"):
            continue
        for call in walk(node):
            if not isinstance(call, Call) or call.name != "default_zero":
                continue
            if any(is_count(metric) for metric in metrics_in(call)):
                text = (
                    "default_zero keeps the counts of a ratio from being summed over the window first. "
                    "Remove it: a missing count is 0 in arithmetic anyway"
                )
                yield Problem(("query",), text, call.start, call.end)
        return
