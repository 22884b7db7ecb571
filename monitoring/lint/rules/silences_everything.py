"""silences-everything: a downtime for every monitor and every group that never ends."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.muting import as_written, schedule_of, tags_of

RULE = Rule("silences-everything", "warning", "A downtime for all monitors that never ends.", ("downtime",))


def check(subject: Subject) -> Iterator[Problem]:
    """Find downtimes of all monitors and all groups with neither an end nor a recurrence."""
    scope = subject.body.get("scope")
    schedule = schedule_of(subject)
    everything = isinstance(scope, str) and as_written(scope) == "*" and tags_of(subject) == ["*"]
    if everything and not schedule.get("end") and not schedule.get("recurrences"):
        text = "it silences every monitor of the organisation, for ever. Give it an end, or a scope"
        yield Problem(("scope",), text)
