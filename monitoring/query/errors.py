"""The one error of the query language: a place in the text, what was expected, what to write instead."""

import difflib
from collections.abc import Iterable

from monitoring.errors import InputError


class QueryError(InputError):
    """A query that cannot be read, or cannot be evaluated here.

    Args:
        text: the whole text that was given.
        message: what is wrong, in one sentence.
        start: where the offending part starts, as an offset into `text`.
        end: where it ends (exclusive); at least `start`.
        expected: what could have stood there.
        suggestion: the text to write instead, where one is known.
    """

    def __init__(
        self,
        text: str,
        message: str,
        start: int,
        end: int,
        *,
        expected: tuple[str, ...] = (),
        suggestion: str = "",
    ) -> None:
        super().__init__(message)
        self.text = text
        self.start = start
        self.end = max(start, end)
        self.expected = expected
        self.suggestion = suggestion
        self.hint = " ".join(filter(None, (_listed(expected), _proposal(suggestion))))

    def caret(self, indent: str = "  ") -> str:
        """Return the line with the error, and carets under it; a long line is cut around it."""
        first = self.text.rfind("\n", 0, self.start) + 1
        last = self.text.find("\n", self.start)
        line = self.text[first : last if last >= 0 else None].replace("\t", " ")
        at, width = self.start - first, max(1, min(self.end, first + len(line)) - self.start)
        line, at = _cut(line, at, width)
        return f"{indent}{line}\n{indent}{' ' * at}{'^' * min(width, max(1, len(line) - at))}"

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"  {self.hint}" if self.hint else ""
        return "\n".join(filter(None, (place + self.message, self.caret(), hint)))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known name that `word` most likely means, or ""."""
    lowered = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), lowered)
    return lowered[matches[0]] if matches else ""


def _listed(expected: tuple[str, ...]) -> str:
    if not expected:
        return ""
    head, last = expected[:-1], expected[-1]
    return f"Expected {', '.join(head)} or {last}." if head else f"Expected {last}."


def _proposal(suggestion: str) -> str:
    return f"Write {suggestion}" if suggestion else ""


_WIDEST = 140


def _cut(line: str, at: int, width: int) -> tuple[str, int]:
    """At most `_WIDEST` characters of the line, with the place `at` well inside."""
    if len(line) <= _WIDEST:
        return line, at
    first = max(0, min(at - 40, len(line) - _WIDEST))
    last = min(len(line), max(first + _WIDEST, at + min(width, _WIDEST)))
    head, tail = ("…" if first else ""), ("…" if last < len(line) else "")
    return head + line[first:last] + tail, at - first + len(head)
