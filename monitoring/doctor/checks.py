"""Define the result of a check: its subject, its status, a message and a hint."""

from typing import Literal, NamedTuple

Status = Literal["ok", "fault", "unknown"]


class Check(NamedTuple):
    """The result of one check.

    Attributes:
        name: the step, as `subscription`.
        status: `unknown` if the step could not be checked.
        where: the resource or address.
        message: the result in words.
        hint: what to do next; "" if nothing needs to be done.
    """

    name: str
    status: Status
    where: str
    message: str
    hint: str = ""


def ok(name: str, where: str, message: str) -> Check:
    """Return the result of a step that works."""
    return Check(name, "ok", where, message)


def fault(name: str, where: str, message: str, hint: str) -> Check:
    """Return the result of a step at which data is lost."""
    return Check(name, "fault", where, message, hint)


def unknown(name: str, where: str, message: str, hint: str) -> Check:
    """Return the result of a step that could not be checked."""
    return Check(name, "unknown", where, message, hint)
