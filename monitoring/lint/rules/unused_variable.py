"""unused-variable: a template variable that nothing on the dashboard uses."""

import re
from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject

RULE = Rule("unused-variable", "warning", "A template variable that nothing uses.", ("dashboard",))


def check(subject: Subject) -> Iterator[Problem]:
    """Each variable whose `$name` stands nowhere in the file."""
    rows = subject.body.get("template_variables")
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        name = row.get("name") if isinstance(row, dict) else None
        if not isinstance(name, str) or not name:
            continue
        if not re.search(rf"\$\{{?{re.escape(name)}(?![\w-])", subject.document.text):
            text = f"nothing uses the template variable {name}. Put ${name} into the queries, or remove it"
            yield Problem(("template_variables", index, "name"), text)
