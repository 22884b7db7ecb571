"""message-variable: a message with a variable that the monitor's grouping does not give."""

import re
from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import grouped_by

RULE = Rule(
    "message-variable",
    "warning",
    "The message uses a variable that the grouping does not give.",
    ("monitor",),
)

_BRACES = re.compile(r"\{\{\{?\s*(?P<inside>[^{}]+?)\s*\}?\}\}")
_NAME = re.compile(r"(?:\[(?P<quoted>[^\]]+)\]|(?P<plain>[@\w-]+(?:\.[\w-]+)*))\.name\Z")
_ARGUMENT = re.compile(r"""["']([^"']+)["']""")


def check(subject: Subject) -> Iterator[Problem]:
    """Find `{{key.name}}` whose key is not a grouping key of the query: it is empty in notifications."""
    query = subject.monitor[0]
    if query is None or not subject.metric_monitor:
        return
    groups = {key.lower() for key in grouped_by(query)}
    groups |= {key.lower() for _, _, metric in subject.metrics for key in metric.by}
    for pointer in (("message",), ("name",), ("options", "escalation_message")):
        for name, start, end in _names(_text(subject, pointer)):
            if not _given(name, groups):
                by = (
                    f"the query groups by {', '.join(sorted(groups))}"
                    if groups
                    else "the query has no grouping"
                )
                text = f"{{{{{name}.name}}}} is always empty: {by}. Group by {name}, or use another variable"
                yield Problem(pointer, text, start, end)


def _text(subject: Subject, pointer: tuple[str, ...]) -> str:
    holder = subject.options if len(pointer) > 1 else subject.body
    value = holder.get(pointer[-1])
    return value if isinstance(value, str) else ""


def _names(text: str) -> Iterator[tuple[str, int, int]]:
    for braces in _BRACES.finditer(text):
        inside = braces.group("inside")
        candidates = [inside]
        if inside.startswith(("#", "^")):
            candidates = _ARGUMENT.findall(inside)[:1]
        for candidate in candidates:
            if match := _NAME.fullmatch(candidate.strip()):
                yield match.group("quoted") or match.group("plain"), braces.start(), braces.end()


def _given(name: str, groups: set[str]) -> bool:
    """Return the tags that a grouping provides; by host, the host's tags too."""
    key = name.lower()
    return key in groups or f"{key}.name" in groups or ("host" in groups and key.startswith("host."))
