"""undefined-variable: a query with a template variable that the dashboard does not define."""

import re
from collections.abc import Iterator, Mapping

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.scopes import prefixes, terms
from monitoring.query.nodes import In, Tag, Variable
from monitoring.resources.nearest import nearest

RULE = Rule(
    "undefined-variable", "warning", "A query uses a template variable that is not defined.", ("dashboard",)
)

_NAME = re.compile(r"\$(\w+)")


def check(subject: Subject) -> Iterator[Problem]:
    """Find undefined variables (`$name`) in scopes of dashboards; in a monitor, query-syntax reports them."""
    known = prefixes(subject.body)
    for pointer, text, metric in subject.metrics:
        if known.keys() >= set(_NAME.findall(text)):
            continue
        for term, _ in terms(metric.scope):
            for name in _names(term):
                if name not in known:
                    yield Problem(pointer, _text(name, known), term.start, term.end)


def _names(term: Tag | In | Variable) -> list[str]:
    if isinstance(term, Variable):
        return [term.name.removesuffix(".value")]
    values = [term.value] if isinstance(term, Tag) else list(term.values)
    names = [value.partition("$")[2].partition(".value")[0] for value in values if "$" in value]
    return [name for name in names if name]


def _text(name: str, known: Mapping[str, str]) -> str:
    near = nearest(name, known)
    hint = f"Did you mean ${near}?" if near else "Add it to template_variables"
    return f"the template variable ${name} is not defined. {hint}"
