"""unknown-key: a key or word that the API's description does not have; it may be newer than this version."""

from collections.abc import Iterator
from typing import Any

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.lint.rules.read_only_key import KEYS
from monitoring.resources.document import Pointer

RULE = Rule("unknown-key", "warning", "A key that the API's description does not have.")


def check(subject: Subject) -> Iterator[Problem]:
    """Find unknown keys, and numbers in quotes; `--fix` removes the quotes."""
    own = KEYS.get(subject.resource.kind, ())
    for fault in subject.faults:
        if fault.unverified and not set(fault.pointer[:1]) & set(own):
            on_key = "has no key " in fault.message
            fix = None if on_key else _number(subject.body, fault.pointer)
            yield Problem(
                fault.pointer, f"{fault.message}. {fault.hint}".rstrip(". "), on_key=on_key, fix=fix
            )


def _number(body: Any, pointer: Pointer) -> int | None:
    """Return the whole number that a string holds where one is wanted."""
    for step in pointer:
        body = body[step]
    return int(body) if isinstance(body, str) and body.strip().isdecimal() else None
