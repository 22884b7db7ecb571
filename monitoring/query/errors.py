"""Define the error of the query language: the location in the text, what was expected, and a suggestion."""

import difflib
from collections.abc import Iterable

from monitoring.errors import InputError


class QueryError(InputError):
    """Raised for a query that is not valid, or that cannot be evaluated offline.

    Args:
        text: the whole query.
        message: what is wrong, in one sentence.
        start: the offset in `text` of the start of the error.
        end: the offset of its end (exclusive); at least `start`.
        expected: the tokens that would be valid there.
        suggestion: the text to write instead; "" for none.
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
        """Return the line with the error, and carets under it; a long line is truncated around it."""
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


def nearest(word: str, names: Iterable[str]) -> str:
    """Return the name that is most similar to `word`, or ""."""
    lowered = {name.lower(): name for name in names}
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
    """Return at most `_WIDEST` characters of the line around the offset `at`."""
    if len(line) <= _WIDEST:
        return line, at
    first = max(0, min(at - 40, len(line) - _WIDEST))
    last = min(len(line), max(first + _WIDEST, at + min(width, _WIDEST)))
    head, tail = ("…" if first else ""), ("…" if last < len(line) else "")
    return head + line[first:last] + tail, at - first + len(head)
