"""unknown-query: a formula over a query that its request does not have."""

from collections.abc import Iterator
from functools import lru_cache

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import FormulaMonitor, Query, Reference, walk
from monitoring.resources import parsed
from monitoring.resources.document import Pointer
from monitoring.resources.nearest import nearest

RULE = Rule("unknown-query", "warning", "A formula names a query that does not exist.")


def check(subject: Subject) -> Iterator[Problem]:
    """Find names in formulas without a query of this name in the request.

    Datadog stores such formulas, and draws nothing.
    """
    for read in subject.queries:
        site = read.site
        known = site.names if site.formula else None
        if read.query is not None and known is not None and not _used(site.text) <= known:
            yield from _unknown(site.pointer, read.query, known)
    query = subject.monitor[0]
    if isinstance(query, FormulaMonitor):
        variables = subject.options.get("variables")
        rows = variables if isinstance(variables, list) else []
        names = frozenset(str(row.get("name")) for row in rows if isinstance(row, dict))
        yield from _unknown(("query",), query.formula, names)


@lru_cache(maxsize=4096)
def _used(formula: str) -> frozenset[str]:
    """Return the names in a formula, cached: most formulas are repeated, and right."""
    query, _ = parsed.query(formula)
    return frozenset(node.name for node in (walk(query) if query else ()) if isinstance(node, Reference))


def _unknown(pointer: Pointer, formula: Query, names: frozenset[str]) -> Iterator[Problem]:
    used = [node for node in walk(formula) if isinstance(node, Reference)]
    for node in used:
        if node.name not in names:
            near = nearest(node.name, names)
            alternatives = f"There are {', '.join(sorted(names))}" if names else "The request has no queries"
            hint = f"Did you mean {near}?" if near else alternatives
            text = f"no query is called {node.name}. {hint}"
            yield Problem(pointer, text, node.start, node.end)
