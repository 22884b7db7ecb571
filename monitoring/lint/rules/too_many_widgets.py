"""too-many-widgets: a dashboard that takes long to load and longer to read."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject

RULE = Rule(
    "too-many-widgets", "warning", "A dashboard with more widgets than anybody reads.", ("dashboard",)
)

MOST = 100
"""Widgets that ask for data. Our own choice: each is at least one query whenever somebody opens the page."""

_STILL = frozenset({"note", "free_text", "image", "iframe", "group"})


def check(subject: Subject) -> Iterator[Problem]:
    """Find dashboards over the limit."""
    asking = sum(widget.type not in _STILL for widget in subject.widgets)
    if asking > MOST:
        text = f"{asking} widgets ask for data, {MOST} are readable. Split the dashboard and link the parts"
        yield Problem(("widgets",), text, on_key=True)
