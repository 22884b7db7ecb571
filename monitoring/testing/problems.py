"""Describe what is wrong in a test file, and where."""

from typing import NamedTuple

from monitoring.errors import InputError


class Place(NamedTuple):
    """Where something stands: the file, and line and column from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class CaseProblem(NamedTuple):
    """One mistake: where, what is wrong, and what to write."""

    place: Place
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"\n  {self.hint}" if self.hint else "")


class DocumentError(InputError):
    """A test file that cannot be used; `problems` are all of its mistakes."""

    def __init__(self, problems: list[CaseProblem]) -> None:
        self.problems = problems
        first = problems[0]
        rest = "".join(f"\n{problem}" for problem in problems[1:])
        super().__init__(first.message, where=str(first.place), hint=first.hint + rest)
