"""query-syntax: a query or formula that Datadog cannot read."""

from collections.abc import Iterator

from monitoring.lint.model import RECORDED, Problem, Refusal, Rule, Subject
from monitoring.query import Metric, MetricMonitor, QueryError, Reference, walk
from monitoring.resources.document import Pointer

RULE = Rule(
    "query-syntax",
    "error",
    "A query or formula that cannot be read.",
    refusals=(
        Refusal(
            "The value provided for parameter 'query' is invalid…",
            f"{RECORDED}; claranet/terraform-datadog-monitors#21",
        ),
    ),
)


def check(subject: Subject) -> Iterator[Problem]:
    """Find queries that are not valid, with the location of the error.

    Datadog refuses the query of a monitor; dashboards and SLOs it stores with any text in place of a query.
    """
    for problem in _elsewhere(subject):
        yield problem._replace(severity="warning")
    query, error = subject.monitor
    if error is not None:
        yield _problem(("query",), error)
    elif isinstance(query, MetricMonitor):
        yield from _bare_names(("query",), query.query)


def _elsewhere(subject: Subject) -> Iterator[Problem]:
    for read in subject.queries:
        if read.error is not None:
            yield _problem(read.site.pointer, read.error)
        elif not read.site.formula and read.query is not None and not isinstance(read.query, Metric):
            yield from _bare_names(read.site.pointer, read.query)


def _problem(pointer: Pointer, error: QueryError) -> Problem:
    text = ". ".join(part.rstrip(".") for part in (error.message, error.hint) if part)
    return Problem(pointer, text, error.start, error.end)


def _bare_names(pointer: Pointer, query: object) -> Iterator[Problem]:
    for node in walk(query):  # type: ignore[arg-type]
        if isinstance(node, Reference):
            text = f"{node.name} has no scope. Write avg:{node.name}{{*}}, or use the name in a formula"
            yield Problem(pointer, text, node.start, node.end)
