"""The text of a body as it is read on: its lines, and the JSON values in it, in memory a part at a time."""

import codecs
import json
import re
from collections.abc import Iterable
from typing import Any

_decode_value = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_PART = 256 * 1024  # characters
_UNFINISHED = 16  # characters: a literal, number or escape that is cut off is shorter

LONGEST = 64 * 1024 * 1024
"""Characters of one JSON value at most."""

LINE = 1_000_000
"""Characters of one line at most; a longer one is read in several."""


class Text:
    """Text that is read once, from its beginning.

    Args:
        chunks: UTF-8.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.held = ""  # what has been read and not passed
        self.line = 1  # of its first character
        self.error: Exception | None = None  # what ended it before its end
        self.ended = False
        self.continued = False  # whether what is held goes on with the line that was passed last
        self._chunks = iter(chunks)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def more(self) -> bool:
        """Read on, at least as much again as is held; False at the end."""
        parts, wanted = [self.held], max(_PART, len(self.held))
        while wanted > 0 and not self.ended:
            try:
                text = self._decoder.decode(next(self._chunks))
            except StopIteration:
                text, self.ended = self._decoder.decode(b"", True), True
            except Exception as error:  # noqa: BLE001 - what was read before it counts; the caller judges it
                text, self.ended, self.error = "", True, error
            parts.append(text)
            wanted -= len(text)
        read = sum(map(len, parts)) > len(self.held)
        self.held = "".join(parts)
        return read

    def skip(self, end: int) -> str:
        """Pass what is held before `end`, and return it."""
        passed, self.held = self.held[:end], self.held[end:]
        self.line += passed.count("\n")
        return passed

    def lines(self, longest: int = LINE) -> list[str]:
        """Return the whole lines that are held, without their ends, and pass them; none at the end.

        A line of which more than `longest` characters are held comes in parts; `continued` says that the
        next one goes on with the last.
        """
        while (end := self.held.rfind("\n") + 1) == 0 and len(self.held) <= longest and self.more():
            pass
        part = end == 0 and len(self.held) > longest
        if not self.held or (end == 0 and self.error is not None and not part):
            return []  # a line that is cut off may say something else than it said
        block = self.held[: end or (longest if part else len(self.held))]
        self.held = self.held[len(block) :]
        parts = block.removesuffix("\n").split("\n")
        if "\r" in block:
            parts = [line.removesuffix("\r") for line in parts]
        self.line += len(parts) - self.continued
        self.continued = part
        return parts

    def back(self, lines: list[str]) -> None:
        """Return to the first of lines that were passed last."""
        self.held = "\n".join([*lines, self.held])
        self.line -= len(lines)

    def space(self, at: int) -> int:
        """Return where the text goes on behind white space; the length of what is held at the end."""
        while (match := _SPACE.match(self.held, at)) and match.end() == len(self.held) and self.more():
            at = match.end()
        return match.end() if match else at

    def char(self, at: int) -> str:
        """Return the character there, empty at the end."""
        return self.held[at : at + 1] if at < len(self.held) or self.more() else ""

    def value(self, at: int, longest: int = LONGEST) -> tuple[Any, int]:
        """Return the JSON value that begins there, and where it ends.

        Raises:
            ValueError: it is not JSON, is cut off, or is longer than `longest`.
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
