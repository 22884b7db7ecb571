"""Parse the JSON document at the start of a text; a list of log events is read element by element."""

from collections.abc import Callable, Iterator
from typing import Any

from monitoring.forwarder.pieces import Piece, Refusal
from monitoring.forwarder.text import LINE, LONGEST, Text

Read = Callable[[Iterator[Any]], Iterator[Piece]]
"""Convert the elements of a list to pieces."""

ListReader = Callable[[str, Any, dict[str, Any]], Read | None]
"""Choose a reader by the list's key ("": the document itself), its first element and the keys before it."""

_PASSED = 256 * 1024  # characters of parsed elements that are dropped at once


def read_document(
    text: Text, where: str, choose: ListReader, event: Callable[[dict[str, Any]], Iterator[Piece] | None]
) -> Iterator[Piece] | None:
    """Return the pieces of the document at the start of the text; None, without skipping it, if unknown.

    Args:
        event: reads a document without a list that `choose` knows.
    """
    try:
        return (_list if text.char(0) == "[" else _object)(text, where, choose, event)
    except ValueError:
        return None


def _list(text: Text, where: str, choose: ListReader, _: Any) -> Iterator[Piece] | None:
    first = text.space(1)
    read = None if text.char(first) == "]" else choose("", text.value(first)[0], {})
    if read is None:
        return None
    text.skip(first)
    return _streamed(text, where, read, lambda: None)


def _object(
    text: Text, where: str, choose: ListReader, event: Callable[[dict[str, Any]], Iterator[Piece] | None]
) -> Iterator[Piece] | None:
    record: dict[str, Any] = {}
    at = text.space(1)
    while text.char(at) == '"' and at < LONGEST:
        key, at = _key(text, at)
        if text.char(at) == "[" and text.char(first := text.space(at + 1)) != "]":
            read = choose(key, text.value(first)[0], record)
            if read is not None:
                text.skip(first)
                return _streamed(text, where, read, lambda: _close(text))
        record[key], at = text.value(at)
        at = _after_comma(text, at)
    content = event(record) if text.char(at) == "}" else None
    if content is not None:
        text.skip(at + 1)
    return content


def _key(text: Text, at: int) -> tuple[str, int]:
    """Return the key at an offset, and the offset of its value."""
    key, at = text.value(at)
    at = text.space(at)
    if text.char(at) != ":":
        raise ValueError("Expecting ':' delimiter")
    return key, text.space(at + 1)


def _after_comma(text: Text, at: int) -> int:
    at = text.space(at)
    return text.space(at + 1) if text.char(at) == "," else at


def _close(text: Text) -> None:
    """Skip the keys after the list, and the end of the object."""
    at = _after_comma(text, 0)
    while text.char(at) == '"':
        _, at = text.value(_key(text, at)[1])
        at = _after_comma(text, at)
    if text.char(at) != "}":
        raise ValueError("Expecting '}'")
    text.skip(at + 1)


def _streamed(text: Text, where: str, read: Read, close: Callable[[], None]) -> Iterator[Piece]:
    elements = Elements(text)
    yield from read(iter(elements))
    error = elements.error
    if error is None:
        try:
            close()
        except ValueError as fault:
            error = fault
    if error is not None and text.error is None:
        yield from _refuse_rest(text, f"not valid JSON from here on: {error}", where)


class Elements:
    """Iterate over the elements of a JSON list, from its first one; `error` is set if it ends early."""

    def __init__(self, text: Text) -> None:
        self.error: ValueError | None = None
        self._text = text

    def __iter__(self) -> Iterator[Any]:
        text, at = self._text, 0
        try:
            while True:
                value, at = text.value(at)
                yield value
                at = text.space(at)
                if text.char(at) != ",":
                    break
                at = text.space(at + 1)
                if at > _PASSED:
                    text.skip(at)
                    at = 0
            if text.char(at) != "]":
                raise ValueError("Expecting ',' or ']'")
            at += 1
        except ValueError as error:
            self.error = error
        text.skip(at)


def _refuse_rest(text: Text, reason: str, where: str) -> Iterator[Refusal]:
    """Yield the rest of a malformed document as refusals, up to a line that may begin another document."""
    while text.held or text.more():
        line = text.line
        end = min((end for mark in ("\n{", "\n[") if (end := text.held.find(mark) + 1)), default=0)
        if not end and len(text.held) <= LINE and text.more():
            continue
        yield Refusal(reason, where, text.skip(min(end or LINE, LINE)), line)
        if end and end <= LINE:
            return
