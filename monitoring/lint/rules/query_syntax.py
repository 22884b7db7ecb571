"""query-syntax: a query or formula that Datadog cannot read."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import Metric, MetricMonitor, QueryError, Reference, walk
from monitoring.query.scope import MIXED
from monitoring.resources.document import Pointer

RULE = Rule("query-syntax", "error", "A query or formula that cannot be read.")


def check(subject: Subject) -> Iterator[Problem]:
    """Every query that does not parse, at the place where reading stopped.

    Dashboards that mix the two notations of a scope are stored by Datadog: there it is a warning.
    """
    for read in subject.queries:
        if read.error is not None:
            problem = _problem(read.site.pointer, read.error)
            stored = subject.resource.kind == "dashboard" and read.error.message == MIXED
            yield problem._replace(severity="warning") if stored else problem
        elif not read.site.formula and read.query is not None and not isinstance(read.query, Metric):
            yield from _bare_names(read.site.pointer, read.query)
    query, error = subject.monitor
    if error is not None:
        yield _problem(("query",), error)
    elif isinstance(query, MetricMonitor):
        yield from _bare_names(("query",), query.query)


def _problem(pointer: Pointer, error: QueryError) -> Problem:
    text = ". ".join(part.rstrip(".") for part in (error.message, error.hint) if part)
    return Problem(pointer, text, error.start, error.end)


def _bare_names(pointer: Pointer, query: object) -> Iterator[Problem]:
    for node in walk(query):  # type: ignore[arg-type]
        if isinstance(node, Reference):
            text = f"{node.name} has no scope. Write avg:{node.name}{{*}}, or use the name in a formula"
            yield Problem(pointer, text, node.start, node.end)
