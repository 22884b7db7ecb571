"""default-zero-ratio: default_zero around the counts of a ratio, which changes how the ratio is computed."""

from collections.abc import Iterator, Sequence

from monitoring.lint.alerting import calls, is_count, metric_query, metrics_in
from monitoring.lint.contrast import windowed
from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import Binary, Call, Query, walk

RULE = Rule("default-zero-ratio", "warning", "default_zero inside a ratio of counts.", ("monitor",))


def check(subject: Subject) -> Iterator[Problem]:
    """Find default_zero in divisions of counts: missing counts are aligned as 0 without it.

    It is proved: over the same counts the evaluator comes to another value without them.
    """
    query = metric_query(subject)
    division = _division(query.query) if query is not None else None
    if query is None or division is None:
        return
    zeros = [call for call in calls(division, "default_zero") if any(map(is_count, metrics_in(call)))]
    text = subject.body["query"]
    case = windowed(text, query, _without(text, zeros)) if zeros else ""
    for call in zeros if case else ():
        message = (
            "default_zero keeps the counts of a ratio from being summed over the window first. "
            "Remove it: a missing count is 0 in arithmetic anyway"
        )
        yield Problem(("query",), message, call.start, call.end, case=case)


def _division(query: Query) -> Binary | None:
    """Return the outermost division of an expression."""
    return next((node for node in walk(query) if isinstance(node, Binary) and node.operator == "/"), None)


def _without(text: str, zeros: Sequence[Call]) -> str:
    """Return the query with the arguments in place of the calls."""
    spans = [(call.start, call.end, call.arguments[0]) for call in zeros]
    cuts = [(start, inner.start) for start, _, inner in spans] + [(inner.end, end) for _, end, inner in spans]
    for start, end in sorted(cuts, reverse=True):
        text = text[:start] + text[end:]
    return text
