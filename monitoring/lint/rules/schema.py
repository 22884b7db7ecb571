"""schema: a body whose shape Datadog's API refuses."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject

RULE = Rule(
    "schema", "error", "The shape is not what Datadog's API takes: a missing key, a wrong type or word."
)


def check(subject: Subject) -> Iterator[Problem]:
    """Yield what the schema refuses, with its exact path."""
    for fault in subject.faults:
        if not fault.unverified:
            yield Problem(fault.pointer, f"{fault.message}. {fault.hint}".rstrip(". ").rstrip())
