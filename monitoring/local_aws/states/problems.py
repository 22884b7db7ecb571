"""A fault of a definition, with its place, as ValidateStateMachineDefinition reports it."""

from collections.abc import Iterator
from typing import NamedTuple

_SCHEMA = "SCHEMA_VALIDATION_FAILED"

Place = tuple[str | int, ...]


class Problem(NamedTuple):
    """One fault: the code and words of AWS, where AWS says it is, and the field itself."""

    code: str
    message: str
    location: str
    place: Place
    severity: str = "ERROR"

    def where(self) -> str:
        """Return the field as a path: `$.States.Wait.Secnods`."""
        return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.place)


Problems = Iterator[Problem]


def problem(message: str, place: Place, *, at: Place | None = None, code: str = _SCHEMA) -> Problem:
    """Return a fault of the field at `place`; AWS names `at` as its location, by default the field itself."""
    location = "".join(
        f"[{part}]" if isinstance(part, int) else f"/{part}" for part in (place if at is None else at)
    )
    return Problem(code, message, location, place)


def errors_of(problems: list[Problem]) -> list[Problem]:
    """Return the problems that keep a definition from being deployed."""
    return [problem for problem in problems if problem.severity == "ERROR"]
