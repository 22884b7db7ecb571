"""missing-handle: a monitor whose message reaches nobody."""

import re
from collections.abc import Iterator

from monitoring.resources.lint.model import Problem, Rule, Subject

RULE = Rule("missing-handle", "warning", "The message names no @handle, so nobody is told.", ("monitor",))

HANDLE = re.compile(r"(?<![\w.])@[\w{$]")


def check(subject: Subject) -> Iterator[Problem]:
    """A message without a handle; a `${var:…}` without a default may hold one."""
    message = subject.body.get("message")
    text = message if isinstance(message, str) else ""
    if HANDLE.search(text) or re.search(r"\$\{var:[^}|]*\}", text):
        return
    place = ("message",) if "message" in subject.body else ()
    yield Problem(
        place, "the message names nobody. Add a handle, such as @slack-oncall or ${var:notify|@oncall}"
    )
