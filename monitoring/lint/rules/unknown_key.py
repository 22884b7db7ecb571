"""unknown-key: a key or word that the API's description does not have; it may be newer than this version."""

from collections.abc import Iterator

from monitoring.lint.model import Problem, Rule, Subject

RULE = Rule("unknown-key", "warning", "A key that the API's description does not have.")


def check(subject: Subject) -> Iterator[Problem]:
    """Each such key."""
    for fault in subject.faults:
        if fault.unverified:
            on_key = "has no key " in fault.message
            yield Problem(fault.pointer, f"{fault.message}. {fault.hint}".rstrip(". "), on_key=on_key)
