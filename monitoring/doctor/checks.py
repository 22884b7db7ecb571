"""The result of one step: what was looked at, what is so, and what to do next."""

from typing import Literal, NamedTuple

Status = Literal["ok", "fault", "unknown"]


class Check(NamedTuple):
    """The result of one check.

    Attributes:
        name: the step, as `subscription`.
        status: `unknown` where it could not be looked at.
        where: the resource or address.
        message: what is so, in a sentence.
        hint: what to do next; "" where nothing is to be done.
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
    """Return the result of a step at which the way ends."""
    return Check(name, "fault", where, message, hint)


def unknown(name: str, where: str, message: str, hint: str) -> Check:
    """Return the result of a step that could not be looked at."""
    return Check(name, "unknown", where, message, hint)
