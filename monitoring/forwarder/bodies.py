"""Parse a file, an object or a record of any size into pieces: payloads, JSON documents, CSV rows, lines."""

import re
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol

from monitoring.forwarder.decoding import UNREADABLE, Stream, decode_base64, expand, peek
from monitoring.forwarder.documents import Elements, Read, read_document
from monitoring.forwarder.pieces import (
    INNER,
    LINES,
    SIZE,
    Line,
    LinePiece,
    LogPayload,
    Piece,
    Refusal,
    Skipped,
)
from monitoring.forwarder.rows import (
    Row,
    csv_dialect,
    csv_rows,
    pieces_of,
    read_row,
    rows_of,
    utc_milliseconds,
)
from monitoring.forwarder.stamped import EXPORTED, read_stamped, stamped_form
from monitoring.forwarder.text import LINE, LONGEST, Text
from monitoring.log_events.codec import Payload, Wrong, decode_payload, load_json

_VALIDATION_STREAM = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
_PERMISSION_CHECK = b"Permission Check Successful"
_BINARY = (
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
)
_CONTROL = bytes({*range(1, 32)} - {*b"\t\n\r\x1b"})
_PAYLOAD_BYTES = 64 * 1024 * 1024
_GROUPS = ("log_group", "logGroup", "log-group", "logGroupName", "logGroupIdentifier")
_SPECIAL = frozenset(
    "{[H0123456789"
)  # first characters of lines that may be JSON, base64 or have a timestamp
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]{1,40})"\s*:')
_LIST = re.compile(r"\[\s*[\[{]")
_TEXTS = re.compile(r'\[\s*"')  # as `--query events[].message` prints them; only at the start of a body
_NEXT = {"{": ('"', "}"), "[": ('"', "{", "[", "]")}  # how the next line of a JSON document begins
_BUFFERED: Iterator[Piece] = iter(())
"""Returned in place of pieces if the content was buffered, to be yielded with the lines around it."""
_AHEAD = 300  # characters that are examined to decide whether a text is a document


class Shapes(Protocol):
    """Interface to recognize and read the JSON documents of AWS."""

    first_keys: frozenset[str]
    """The first keys of known documents."""

    @property
    def log(self) -> "Shapes":
        """The shapes of documents that may be between the lines of a log."""

    def event(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece] | None:
        """Return the pieces of a whole document, or None if its shape is unknown."""

    def choose(self, key: str, first: Any, head: dict[str, Any], base: LinePiece) -> Read | None:
        """Return the reader of the list under a key ("": the document itself), or None if it is unknown."""


def read_body(chunks: Iterable[bytes], base: LinePiece, shapes: Shapes) -> Iterator[Piece]:
    """Yield the pieces of a body; they do not depend on its division into chunks.

    Args:
        base: a `LinePiece` without lines, with the source of the body.
        shapes: the shapes of JSON documents that are recognized.

    Raises:
        Exception: reading the chunks failed for a reason other than their content.
    """
    head, stream = peek(expand(chunks))
    binary = next((kind for magic, kind in _BINARY if head.startswith(magic)), _is_binary(head))
    marker = _payload_marker(head)
    if binary:
        yield Refusal(f"{binary} cannot be read: export it as JSON, CSV or text", base.where, whole=True)
    elif head.strip() == _PERMISSION_CHECK:
        yield Skipped("the permission check of an export", base.where)
    elif marker:
        yield from _payloads(stream, marker, base.where)
    else:
        text = Text(stream)
        yield from _texts(text, head.decode("utf-8", "replace"), base, shapes)
        if isinstance(text.error, UNREADABLE):
            yield Refusal(f"unreadable from here on: {text.error}", base.where, text.held, text.line)
        elif text.error is not None:
            raise text.error


def _is_binary(head: bytes) -> str:
    """Return "a binary file" if 5 % of the bytes are control characters other than NUL, otherwise ""."""
    sample = head[:4096].replace(b"\0", b"")
    return "a binary file" if len(sample.translate(None, _CONTROL)) < len(sample) * 0.95 else ""


def payload_piece(payload: Payload, wrong: list[Wrong], where: str) -> LogPayload | Skipped:
    """Return the piece of a subscription payload; CloudWatch Logs' control messages are skipped."""
    if payload.messageType == "CONTROL_MESSAGE" or payload.logStream == _VALIDATION_STREAM:
        return Skipped("a control message of CloudWatch Logs", where)
    return LogPayload(payload, wrong, where)


# Subscription payloads, as Firehose writes them


def _payload_marker(head: bytes) -> bytes:
    """Return the bytes that each payload begins with, b"" if the body is not a series of payloads.

    Firehose writes payloads without a newline between them. A quote within a string is always escaped, so
    the opening brace with the first key occurs only at the beginning of a payload.
    """
    start = head.lstrip()
    if not start.startswith(b'{"') or b'"messageType"' not in start or b'"logGroup"' not in start:
        return b""
    return start[: start.index(b'"', 2) + 1]


def _payloads(chunks: Stream, marker: bytes, where: str) -> Iterator[Piece]:
    data, searched, number = b"", 1, 1
    broken: Exception | None = None
    try:
        for chunk in chunks:
            data += chunk
            while (position := data.find(marker, searched)) > 0:
                yield _payload(data[:position], where, number)
                data, searched, number = data[position:], 1, number + 1
            searched = max(1, len(data) - len(marker))
            if len(data) > _PAYLOAD_BYTES:
                raise ValueError(f"a payload of more than {_PAYLOAD_BYTES:,} bytes")
    except UNREADABLE as error:
        broken = error
    last = _payload(data, where, number) if data.strip() else None
    if broken is None or isinstance(last, LogPayload):
        yield from [last] if last else []
    else:
        yield from _salvaged(data, where)
    if broken is not None:
        rest = last.text if isinstance(last, Refusal) else ""
        yield Refusal(f"unreadable from here on: {broken}", where, rest, number)


def _payload(body: bytes, where: str, number: int) -> Piece:
    try:
        return payload_piece(*decode_payload(body.strip()), where)
    except UNREADABLE as error:
        text = body[:LINE].decode("utf-8", "replace")
        return Refusal(f"not a subscription payload: {error}", where, text, number)


def _salvaged(body: bytes, where: str) -> Iterator[Piece]:
    """Yield the events of a truncated payload."""
    head, _, events = body.partition(b'"logEvents":')
    text = Text([events])
    if text.char(start := text.space(0)) == "[":
        text.skip(start + 1)
        names = {
            key: match[1].decode("utf-8", "replace")
            for key in ("owner", "logGroup", "logStream")
            if (match := re.search(rb'"%b":\s*"([^"\\]*)"' % key.encode(), head))
        }
        base = LinePiece(
            [], where, names.get("logGroup", ""), names.get("logStream", ""), names.get("owner", "")
        )
        yield from pieces_of(rows_of(Elements(text)), base)


# Text


def _texts(text: Text, head: str, base: LinePiece, shapes: Shapes) -> Iterator[Piece]:
    delimiter = csv_dialect(next((line for line in head.split("\n") if line.strip()), ""))
    if delimiter:
        try:
            yield from pieces_of(csv_rows(_physical(text), delimiter), base)
        except ValueError as error:
            yield Refusal(f"unreadable from here on: {error}", base.where, text.held, text.line)
    elif form := stamped_form(head):
        yield from read_stamped(text, form, base)
    else:
        document_shapes = shapes if _is_documents(head, shapes.first_keys) else shapes.log
        yield from _LineReader(text, base, document_shapes).read()


def _is_documents(head: str, keys: frozenset[str]) -> bool:
    """Return whether a body begins with AWS's documents: no text, and no JSON of an application."""
    return not any(
        line[0] not in ' \t\r{}[]",' or (line[0] == "{" and _is_application_json(line, keys))
        for line in head.split("\n")
        if line and not line.startswith("H4sI")
    )


def _physical(text: Text) -> Iterator[str]:
    """Yield lines with newlines, from the first one that is not blank."""
    begun = False
    while lines := text.lines(LONGEST):
        for line in lines:
            begun = begun or bool(line.strip())
            if begun:
                yield f"{line}\n"


def _is_application_json(line: str, keys: frozenset[str]) -> bool:
    """Return whether a line is JSON of an application and not a document of AWS."""
    if line[1:2] != '"' or line.rstrip()[-1] != "}":
        return False
    return line[2 : line.find('"', 2)] not in keys and '"log' not in line and '"detail-type"' not in line


class _LineReader:
    """Read lines, and the JSON documents that begin at a line."""

    def __init__(self, text: Text, base: LinePiece, shapes: Shapes) -> None:
        self._text, self._base, self._shapes = text, base, shapes
        self._buffered: list[Line] = []
        self._size = 0  # characters of the buffered lines and rows
        self._rows: list[Row] = []

    def read(self) -> Iterator[Piece]:
        """Yield the pieces in order."""
        text = self._text
        self._skip_space()
        attempt, plain = _TEXTS.match(text.held) is not None, False
        while True:
            if attempt or (not plain and not text.continued and self._begins_document()):
                document = self._document()
                if document is not None:
                    yield from self._flush() if document is not _BUFFERED or self._is_full() else ()
                    yield from document
                    self._skip_space()
                    attempt = False
                    continue
                plain = True
            plain, first_plain = False, plain or text.continued
            lines = text.lines()
            if not lines:
                break
            attempt = yield from self._block(lines, first_plain)
        yield from self._flush()

    def _block(self, lines: list[str], first_plain: bool) -> Generator[Piece, None, bool]:
        """Read lines; return whether the next one begins a document.

        Args:
            first_plain: read the first line as text, whatever it begins with.
        """
        buffered, first_line, keys = self._buffered, self._text.line - len(lines), self._shapes.first_keys
        for index, line in enumerate(lines):
            first, milliseconds = line[:1], 0
            if first not in _SPECIAL or (first_plain and index == 0):
                pass
            elif first not in "{[H":
                stamp = EXPORTED.match(line)
                if stamp is not None:
                    line, milliseconds = stamp["message"], utc_milliseconds(stamp["time"])  # noqa: PLW2901
            elif first != "{" or not _is_application_json(line, keys):
                entries = self._special(line, first_line + index)
                if entries is not None:
                    yield from self._flush() if entries is not _BUFFERED or self._is_full() else ()
                    yield from entries
                    continue
                if self._opens_document(lines, index):
                    self._text.back(lines[index:])
                    return True
            if line and not line.isspace():
                full = self._size > SIZE or len(buffered) >= 2 * LINES
                if full or (len(buffered) >= LINES and line[0] not in INNER):
                    yield from self._flush()
                buffered.append((line, milliseconds, first_line + index))
                self._size += len(line)
        return False

    def _is_full(self) -> bool:
        return max(len(self._buffered), len(self._rows)) >= LINES or self._size > SIZE

    def _flush(self) -> Iterator[LinePiece]:
        buffered, self._buffered[:] = self._buffered[:], []
        if self._size > LINE:
            buffered = [
                (text[at : at + LINE], stamp, line_number)
                for text, stamp, line_number in buffered
                for at in range(0, len(text), LINE)
            ]
        self._size = 0
        if buffered:
            yield self._base._replace(lines=buffered)
        rows, self._rows[:] = self._rows[:], []
        yield from pieces_of(rows, self._base)

    def _special(self, line: str, line_number: int) -> Iterator[Piece] | None:
        """Return the pieces of a line that is an event, or None if it is text."""
        if line[0] == "H":
            return self._base64(line.strip())
        if line[0] == "[":
            items: list[Any] = load_json(line) or [] if _LIST.match(line) else []
            read = self._shapes.choose("", items[0], {}, self._base) if items else None
            return read(iter(items)) if read is not None else None
        if not (self._is_known(line) or '"log' in line or '"detail-type"' in line):
            return None
        record = load_json(line)
        return self._record(record, line_number) if isinstance(record, dict) else None

    def _record(self, record: dict[str, Any], line_number: int) -> Iterator[Piece] | None:
        """Return the pieces of a JSON object, or None if it is text; a log event is added to the rows."""
        group = any(isinstance(record.get(name), str) for name in _GROUPS)
        if group and isinstance(record.get("message"), str) and "logEvents" not in record:
            self._rows.append(read_row(record, line_number))
            self._size += len(record["message"])
            return _BUFFERED
        return self._shapes.event(record, self._base)

    def _base64(self, line: str) -> Iterator[Piece] | None:
        """Return the pieces of a line that is base64 of gzip, or None."""
        if not line.startswith("H4sI"):
            return None
        try:
            entries = read_body([decode_base64(line)], self._base, self._shapes)
        except ValueError:
            return None
        first = next(entries, None)
        return None if first is None or isinstance(first, Refusal) else chain([first], entries)

    # Documents

    def _is_known(self, text: str) -> bool:
        key = _FIRST_KEY.match(text)
        return key is not None and key[1] in self._shapes.first_keys

    def _begins_document(self) -> bool:
        """Return whether the rest of the text may begin with a known document."""
        text = self._text
        while len(text.held) < _AHEAD and text.more():
            pass
        return _LIST.match(text.held) is not None or self._is_known(text.held)

    def _opens_document(self, lines: list[str], index: int) -> bool:
        """Return whether a line that is not complete JSON may begin a document of several lines."""
        line = lines[index].rstrip()
        if line[0] not in _NEXT:
            return False
        if self._is_known(line) and ("}{" in line or not line.endswith("}")):
            return True
        if line[-1] not in "{[,":
            return False
        following = lines[index + 1].lstrip()[:1] if index + 1 < len(lines) else ""
        return not following or following in _NEXT[line[0]] or line[-1] == ","

    def _document(self) -> Iterator[Piece] | None:
        base, line_number = self._base, self._text.line
        pieces = read_document(
            self._text,
            base.where,
            lambda key, first, head: self._shapes.choose(key, first, head, base),
            lambda record: self._record(record, line_number),
        )
        return pieces if pieces is not None else self._printed()

    def _printed(self) -> Iterator[Piece] | None:
        """Buffer a JSON value that is printed over several lines as a single event; None if it is not one."""
        text = self._text
        try:
            _, end = text.value(0, LINE)
        except ValueError:
            return None
        if end > LINE or "\n" not in text.held[:end]:
            return None
        line_number = text.line
        self._buffered.append((text.skip(end), 0, line_number))
        self._size += end
        return _BUFFERED

    def _skip_space(self) -> None:
        end = self._text.space(0)
        if self._text.char(end) in ("", "{", "["):
            self._text.skip(end)
