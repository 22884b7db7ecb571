"""Split a worker process's output into the lines that CloudWatch Logs gets.

The runtime client writes two things to one pipe: what the handler prints, a line of text each, and frames,
one for a message of Python's `logging` or an error of the handler, so that a message of several lines stays
one event. A frame is its type (4 bytes, 0xa55a00..), its length (4), a time in microseconds since the epoch
(8) and the text in UTF-8. Both in one pipe, so that their order is the order of writing.
"""

from dataclasses import dataclass

FRAME_MARK = b"\xa5\x5a\x00"
FRAME_HEADER = 16
EVENT_BYTES = 262_118
"""An event of CloudWatch Logs is 256 KB at most, 26 bytes of which are its own; a longer line is split."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the log; `timestamp` in milliseconds since the epoch where the writer gave one."""

    message: str
    timestamp: int | None = None


class OutputReader:
    """Cuts the bytes of a worker's pipe into lines; what is unfinished waits for the next bytes."""

    def __init__(self) -> None:
        self._bytes = b""
        self._text = b""

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that are complete with these bytes, in order; empty ones are left out."""
        self._bytes += data
        lines: list[Line] = []
        while self._bytes:
            if self._bytes.startswith(FRAME_MARK[: len(self._bytes)]):
                if not self._take_frame(lines):
                    break
            else:
                self._take_text(lines)
        return lines

    def flush(self) -> list[Line]:
        """Return the text of an unfinished line: the invocation has ended, or the process."""
        text, self._text = self._text, b""
        if not self._bytes.startswith(FRAME_MARK):
            text, self._bytes = text + self._bytes, b""
        return _lines(text, None)

    def _take_frame(self, lines: list[Line]) -> bool:
        if len(self._bytes) < FRAME_HEADER:
            return False
        end = FRAME_HEADER + int.from_bytes(self._bytes[4:8], "big")
        if len(self._bytes) < end:
            return False
        stamp = int.from_bytes(self._bytes[8:16], "big") // 1000
        lines.extend(_lines(self._bytes[FRAME_HEADER:end], stamp))
        self._bytes = self._bytes[end:]
        return True

    def _take_text(self, lines: list[Line]) -> None:
        mark = self._bytes.find(FRAME_MARK)
        end = self._bytes.find(b"\n", 0, mark if mark >= 0 else None)
        if end >= 0:
            lines.extend(_lines(self._text + self._bytes[:end], None))
            self._text, self._bytes = b"", self._bytes[end + 1 :]
        else:
            cut = mark if mark >= 0 else len(self._bytes) - _begun_mark(self._bytes)
            self._text, self._bytes = self._text + self._bytes[:cut], self._bytes[cut:]


def _begun_mark(data: bytes) -> int:
    """How many bytes at the end may be the beginning of a frame's mark."""
    return next((size for size in (2, 1) if data.endswith(FRAME_MARK[:size])), 0)


def _lines(text: bytes, timestamp: int | None) -> list[Line]:
    text = text.removesuffix(b"\n")
    lines = []
    while text:
        cut = len(text)
        if cut > EVENT_BYTES:
            cut = EVENT_BYTES
            while text[cut] & 0xC0 == 0x80:  # not within a character
                cut -= 1
        lines.append(Line(text[:cut].decode("utf-8", "replace"), timestamp))
        text = text[cut:]
    return lines
