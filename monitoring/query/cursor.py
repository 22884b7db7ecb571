"""Read tokens from the text of a query, and report what was expected."""

import re
from typing import TYPE_CHECKING, NoReturn

from monitoring.query.errors import QueryError

if TYPE_CHECKING:
    from monitoring.query.nodes import Placed

SPACE = re.compile(r"\s+")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w])")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
COMPARISON = re.compile(r"<=|>=|==|!=|<|>")
WORD = re.compile(r"[\w.\-:$*@/]+|\s*\S")

DEEPEST = 50
"""The deepest nesting of brackets, functions and signs; deeper text is an error, not a RecursionError."""


class Cursor:
    """The text and the present offset; white space is skipped after every token.

    `metrics`, `references` and `variables` are the nodes of these kinds so far, to check which may be
    combined. The methods raise `QueryError` with the offsets of the error.
    """

    __slots__ = ("depth", "metrics", "operators", "position", "references", "text", "variables")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.operators = 0
        self.metrics: list[Placed] = []
        self.references: list[Placed] = []
        self.variables: list[Placed] = []
        self.skip()

    def skip(self) -> None:
        """Skip white space."""
        if self.text[self.position : self.position + 1].isspace() and (
            match := SPACE.match(self.text, self.position)
        ):
            self.position = match.end()

    @property
    def done(self) -> bool:
        """Return whether the end of the text is reached."""
        return self.position >= len(self.text)

    def looking_at(self, text: str) -> bool:
        """Return whether this token is next."""
        return self.text.startswith(text, self.position)

    def take(self, text: str) -> bool:
        """Read this token if it is next; return whether it was."""
        if not self.text.startswith(text, self.position):
            return False
        self.position += len(text)
        if self.text[self.position : self.position + 1].isspace():
            self.skip()
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read the match of the pattern at the present offset, or return None."""
        result = pattern.match(self.text, self.position)
        if result:
            self.position = result.end()
            if self.text[self.position : self.position + 1].isspace():
                self.skip()
        return result

    def expect(self, text: str, what: str) -> None:
        """Read this token, or raise QueryError."""
        if not self.take(text):
            self.unexpected(what, (f"'{text}'",))

    def unexpected(self, what: str, expected: tuple[str, ...], suggestion: str = "") -> NoReturn:
        """Raise QueryError for the next token; `what` names the construct that is parsed."""
        match = WORD.match(self.text, self.position)
        start = self.position
        if match is None or not match.group().strip():
            message = f"{what} ends too early" if self.text.strip() else "the query is empty"
            raise self.error(message, len(self.text.rstrip()), 0, expected, suggestion)
        token = match.group()
        raise self.error(f"unexpected '{token}' in {what}", start, start + len(token), expected, suggestion)

    def error(
        self, message: str, start: int, end: int, expected: tuple[str, ...] = (), suggestion: str = ""
    ) -> QueryError:
        """Return an error at an offset of this text."""
        return QueryError(self.text, message, start, end, expected=expected, suggestion=suggestion)

    def enter(self) -> None:
        """Increase the nesting; raise QueryError if it is too deep."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"nested more than {DEEPEST} levels deep", self.position, self.position + 1)

    def leave(self) -> None:
        """Decrease the nesting."""
        self.depth -= 1

    def last(self) -> int:
        """Return the offset of the end of the last token, without the space after it."""
        position = self.position
        while position and self.text[position - 1].isspace():
            position -= 1
        return position

    def number(self, what: str) -> float:
        """Parse number = ["-"] digits ["." digits] [exponent]"""
        start = self.position
        sign = -1.0 if self.take("-") else 1.0
        match = self.match(NUMBER)
        if match is None:
            if re.match(r"\.\d", self.text[self.position :]):
                fraction = re.match(r"\.\d+", self.text[self.position :])
                written = fraction.group() if fraction else ""
                raise self.error(
                    "a number below 1 needs a leading zero",
                    start,
                    self.position + len(written),
                    (),
                    f"0{written}",
                )
            self.unexpected(what, ("a number",))
        value = sign * float(match.group())
        if value in {float("inf"), float("-inf")}:
            raise self.error("the number is too large", start, match.end())
        return value

    def string(self) -> str | None:
        """Parse string = "'" characters "'" | '"' characters '"'; a backslash escapes the next character."""
        match = self.match(STRING)
        if match is None:
            if self.text[self.position : self.position + 1] in {"'", '"'}:
                raise self.error("the quoted text has no end", self.position, len(self.text))
            return None
        body = match.group(1) if match.group(1) is not None else match.group(2)
        return re.sub(r"\\(.)", r"\1", body, flags=re.DOTALL) if "\\" in body else body
