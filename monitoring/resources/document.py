"""Parse a JSON file, and find the line, column and offset of its values on demand.

The standard library parses the text. Locations are not recorded while parsing; they are computed later by
scanning the text along a pointer, so that a file without findings costs no extra time.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.errors import InputError

Pointer = tuple[str | int, ...]
"""The path to a value: keys and indexes, from the root."""

_SPACE = re.compile(r"[ \t\n\r]*")
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)")


class JsonError(InputError):
    """Raised for a text that is not JSON; `offset` is the location of the error."""

    def __init__(self, message: str, offset: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.offset = offset


class Place(NamedTuple):
    """A location in a text: line and column count from 1, the offset from 0, in characters."""

    line: int
    column: int
    offset: int


@dataclass(frozen=True, slots=True)
class TextRange:
    """The range of a value: the offset of its first character, and the offset after its last."""

    start: int
    end: int


@dataclass(slots=True)
class Document:
    """A JSON text, its value, and the locations of its parts.

    Args:
        source: the file, as messages name it.
        text: the whole text.
        body: what `json.loads` gives; of `{"definition": {…}}`, as assets of integrations are written, the
            definition.
        duplicates: an object in it names a key twice.
        root: the pointer to `body` in the text.
    """

    source: str
    text: str
    body: Any
    duplicates: bool = False
    root: Pointer = ()
    _children: dict[int, "_Children"] = field(default_factory=dict)

    def place(self, offset: int) -> Place:
        """Return the line and column of an offset."""
        line = self.text.count("\n", 0, offset) + 1
        return Place(line, offset - self.text.rfind("\n", 0, offset), offset)

    def span(self, pointer: Pointer) -> TextRange:
        """Return the range of a value; for a pointer to nothing, that of the nearest value around it."""
        start = _skip(self.text, 0)
        place = TextRange(start, len(self.text.rstrip()))
        for step in (*self.root, *pointer):
            child = self._child(place.start, step)
            if child is None:
                return place
            place = child[1]
        return place

    def key_span(self, pointer: Pointer) -> TextRange:
        """Return the range of a value's key with its quotes; of an item of a list, that of the item."""
        if not pointer:
            return self.span(pointer)
        child = self._child(self.span(pointer[:-1]).start, pointer[-1])
        return child[0] if child else self.span(pointer)

    def inside(self, pointer: Pointer, index: int) -> int:
        """Return the offset of character `index` of the string at the pointer, escapes counted."""
        span = self.span(pointer)
        at = span.start + 1
        raw = self.text[at : span.end - 1]
        if "\\" not in raw:
            return min(at + index, span.end - 1)
        return min(at + _raw_index(raw, index), span.end - 1)

    def _child(self, start: int, step: str | int) -> "_Spans | None":
        if start not in self._children:
            self._children[start] = _Children(items_at(self.text, start), self.duplicates)
        return self._children[start].get(step)

    def duplicate_keys(self) -> Iterator[tuple[TextRange, str]]:
        """Yield the range and the name of each duplicate key of an object."""
        if self.duplicates:
            yield from _duplicates(self.text, _skip(self.text, 0))


_Spans = tuple[TextRange, TextRange]
"""The range of a key, and that of its value."""


class _Children:
    """The ranges in an object or list, computed on demand; of a duplicate key, that of the last one."""

    __slots__ = ("_known", "_rest")

    def __init__(self, items: "Iterator[tuple[str | int, TextRange, TextRange]]", whole: bool) -> None:
        self._known: dict[str | int, _Spans] = {}
        self._rest = items
        if whole:
            self._known.update((key, (key_span, span)) for key, key_span, span in items)

    def get(self, step: str | int) -> _Spans | None:
        """Return the places of one child."""
        while step not in self._known:
            item = next(self._rest, None)
            if item is None:
                return None
            self._known[item[0]] = item[1:]
        return self._known[step]


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file without its byte order mark.

    Raises:
        InputError: the file is absent, unreadable or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "Save it as UTF-8."
        raise InputError(f"the file is not UTF-8: byte {error.start}", where=str(path), hint=hint) from None
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or error}", where=str(path)) from None


def parse_document(source: str, text: str) -> Document:
    """Parse a JSON text.

    Raises:
        JsonError: the text is not JSON; `offset` says where.
    """
    repeated = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        value = dict(items)
        repeated |= len(value) != len(items)
        return value

    def constant(name: str) -> float:
        raise _NotJsonError(name)

    try:
        body = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise _syntax_error(text, error) from None
    except _NotJsonError as error:
        at = text.find(str(error))
        raise JsonError(f"{error} is not a JSON number", at, hint="Write a number, or null.") from None
    except RecursionError:
        raise JsonError("nested too deeply", 0, hint="A dashboard nests groups one level deep.") from None
    wrapped = (
        isinstance(body, dict) and isinstance(body.get("definition"), dict) and not _OWN_KEYS & body.keys()
    )
    return Document(
        source, text, body["definition"] if wrapped else body, repeated, ("definition",) * wrapped
    )


_OWN_KEYS = frozenset({"widgets", "query", "type", "thresholds", "scope", "monitor_identifier"})
"""An object with one of these is a resource itself, and not the envelope of one."""


class _NotJsonError(Exception):
    """Raised for NaN and infinities, which are not JSON."""


def _syntax_error(text: str, error: json.JSONDecodeError) -> JsonError:
    """Return the error with the same message on every Python; 3.13 has another one for a trailing comma."""
    comma = error.pos if text[error.pos : error.pos + 1] == "," else len(text[: error.pos].rstrip()) - 1
    closing = text[comma + 1 :].lstrip()[:1]
    if text[comma : comma + 1] == "," and closing and closing in "}]":
        return JsonError(f"a comma before the closing {closing}", comma, hint="Remove it.")
    return JsonError(error.msg, error.pos, hint=_hint(text, error.pos))


def _hint(text: str, at: int) -> str:
    if text[at : at + 2] in {"//", "/*"} or text[at : at + 1] == "#":
        return "JSON has no comments; a note widget or the description can hold the words."
    if text[at : at + 1] == "'":
        return 'Write strings in double quotes (").'
    return ""


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


_decode = json.JSONDecoder().raw_decode


def items_at(text: str, start: int) -> Iterator[tuple[str | int, TextRange, TextRange]]:
    """Yield key or index, key range and value range, of the object or list that starts there."""
    opening = text[start : start + 1]
    if opening not in ("{", "["):
        return
    at, index = _skip(text, start + 1), 0
    while text[at] not in "}]":
        key: str | int = index
        key_span = None
        if opening == "{":
            key, end = _decode(text, at)
            key_span = TextRange(at, end)
            at = _skip(text, _skip(text, end) + 1)
        _, end = _decode(text, at)
        yield key, key_span or TextRange(at, end), TextRange(at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1


def _duplicates(text: str, start: int) -> Iterator[tuple[TextRange, str]]:
    seen: set[str | int] = set()
    for key, key_span, span in items_at(text, start):
        if key in seen:
            yield key_span, str(key)
        seen.add(key)
        yield from _duplicates(text, span.start)


def _raw_index(raw: str, index: int) -> int:
    """Return the offset in the JSON text of character `index` of the decoded string."""
    at = decoded = 0
    for escape in _ESCAPE.finditer(raw):
        plain = escape.start() - at
        if decoded + plain >= index:
            break
        decoded += plain + 1
        at = escape.end()
    return at + index - decoded
