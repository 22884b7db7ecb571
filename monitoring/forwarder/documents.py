"""Read the JSON document that a text goes on with; a list of log events is read one element at a time."""

from collections.abc import Callable, Iterator
from typing import Any

from monitoring.forwarder.pieces import Piece, Refusal
from monitoring.forwarder.text import LINE, LONGEST, Text

Read = Callable[[Iterator[Any]], Iterator[Piece]]
"""Turns the elements of a list into pieces."""

ListReader = Callable[[str, Any, dict[str, Any]], Read | None]
"""Chooses by the list's key (empty for the document itself), its first element and what came before it."""

_PASSED = 256 * 1024  # characters of passed elements that are let go at once


def read_document(
    text: Text, where: str, choose: ListReader, event: Callable[[dict[str, Any]], Iterator[Piece] | None]
) -> Iterator[Piece] | None:
    """Return the pieces of the document that begins here; None, and nothing is passed, if it is not known.

    Args:
        event: reads a whole document that holds no list which `choose` knows.
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
        at = _behind_comma(text, at)
    content = event(record) if text.char(at) == "}" else None
    if content is not None:
        text.skip(at + 1)
    return content


def _key(text: Text, at: int) -> tuple[str, int]:
    """Return the key that begins there, and where its value begins."""
    key, at = text.value(at)
    at = text.space(at)
    if text.char(at) != ":":
        raise ValueError("Expecting ':' delimiter")
    return key, text.space(at + 1)


def _behind_comma(text: Text, at: int) -> int:
    at = text.space(at)
    return text.space(at + 1) if text.char(at) == "," else at


def _close(text: Text) -> None:
    """Pass the keys behind the list, and the end of the object."""
    at = _behind_comma(text, 0)
    while text.char(at) == '"':
        _, at = text.value(_key(text, at)[1])
        at = _behind_comma(text, at)
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
    """The elements of a JSON list, whose first one comes next; `error` says what ended it early."""

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
    """Pass what is left of a broken document, up to a line that may begin another, and keep its content."""
    while text.held or text.more():
        line = text.line
        end = min((end for mark in ("\n{", "\n[") if (end := text.held.find(mark) + 1)), default=0)
        if not end and len(text.held) <= LINE and text.more():
            continue
        yield Refusal(reason, where, text.skip(min(end or LINE, LINE)), line)
        if end and end <= LINE:
            return
