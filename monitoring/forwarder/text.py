"""Read a stream of text by lines and by JSON values, with only a part of it in memory."""

import codecs
import json
import re
from collections.abc import Iterable
from typing import Any

_decode_value = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_PART = 256 * 1024  # characters
_UNFINISHED = 16  # characters: an incomplete literal, number or escape is shorter

LONGEST = 64 * 1024 * 1024
"""The largest number of characters of a JSON value."""

LINE = 1_000_000
"""The largest number of characters of a line; a longer one is divided."""


class Text:
    """A text that is read once, from its beginning.

    Args:
        chunks: bytes in UTF-8.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.held = ""  # the text that was read and not yet skipped
        self.line = 1  # the line number of its first character
        self.error: Exception | None = None  # the exception that ended the stream early
        self.ended = False
        self.continued = False  # whether `held` continues the last returned line
        self._chunks = iter(chunks)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def more(self) -> bool:
        """Read at least as much text again as is held; return whether there was any."""
        parts, remaining = [self.held], max(_PART, len(self.held))
        while remaining > 0 and not self.ended:
            try:
                text = self._decoder.decode(next(self._chunks))
            except StopIteration:
                text, self.ended = self._decoder.decode(b"", True), True
            except Exception as error:  # noqa: BLE001 - the text before it is used; the caller handles the error
                text, self.ended, self.error = "", True, error
            parts.append(text)
            remaining -= len(text)
        read = sum(map(len, parts)) > len(self.held)
        self.held = "".join(parts)
        return read

    def skip(self, end: int) -> str:
        """Remove the text before offset `end`, and return it."""
        passed, self.held = self.held[:end], self.held[end:]
        self.line += passed.count("\n")
        return passed

    def lines(self, longest: int = LINE) -> list[str]:
        """Remove and return the complete lines that are held, without newlines; [] at the end.

        A line with more than `longest` characters is returned in parts; `continued` is then true until its
        last part.
        """
        while (end := self.held.rfind("\n") + 1) == 0 and len(self.held) <= longest and self.more():
            pass
        part = end == 0 and len(self.held) > longest
        if not self.held or (end == 0 and self.error is not None and not part):
            return []  # a truncated line may have another meaning
        block = self.held[: end or (longest if part else len(self.held))]
        self.held = self.held[len(block) :]
        parts = block.removesuffix("\n").split("\n")
        if "\r" in block:
            parts = [line.removesuffix("\r") for line in parts]
        self.line += len(parts) - self.continued
        self.continued = part
        return parts

    def back(self, lines: list[str]) -> None:
        """Put back lines that were returned last."""
        self.held = "\n".join([*lines, self.held])
        self.line -= len(lines)

    def space(self, at: int) -> int:
        """Return the offset after white space; at the end of the text, the length of the held text."""
        while (match := _SPACE.match(self.held, at)) and match.end() == len(self.held) and self.more():
            at = match.end()
        return match.end() if match else at

    def char(self, at: int) -> str:
        """Return the character at an offset, "" at the end."""
        return self.held[at : at + 1] if at < len(self.held) or self.more() else ""

    def value(self, at: int, longest: int = LONGEST) -> tuple[Any, int]:
        """Return the JSON value at an offset, and the offset of its end.

        Raises:
            ValueError: the value is malformed, incomplete, or longer than `longest`.
        """
        while True:
            try:
                document, end = _decode_value(self.held, at)
            except json.JSONDecodeError as error:
                if not self._may_go_on(error) or len(self.held) - at > longest or not self.more():
                    raise ValueError(error.msg) from None
            except RecursionError:
                raise ValueError("too deeply nested") from None
            else:
                if end < len(self.held) or self.held[end - 1] in '}]"' or not self.more():
                    return document, end

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        cut_off = error.msg.startswith("Unterminated string") or error.pos >= len(self.held) - _UNFINISHED
        return cut_off and not self.ended
