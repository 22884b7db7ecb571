"""Read a file, an object or a record of any size into pieces: payloads, JSON documents, CSV, lines."""

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
_SPECIAL = frozenset("{[H0123456789")  # how a line begins that may be more than text
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]{1,40})"\s*:')
_LIST = re.compile(r"\[\s*[\[{]")
_TEXTS = re.compile(r'\[\s*"')  # as `--query events[].message` prints them; only where a body begins
_NEXT = {"{": ('"', "}"), "[": ('"', "{", "[", "]")}  # how JSON goes on in the line behind
_TAKEN: Iterator[Piece] = iter(())
"""Hold pieces until they can be yielded with their neighbours."""
_AHEAD = 300  # characters that are looked at before a text is taken for a document


class Shapes(Protocol):
    """Read known JSON documents."""

    first_keys: frozenset[str]
    """The keys that a known document may begin with."""

    @property
    def log(self) -> "Shapes":
        """Read known JSON documents between the lines of a log."""

    def event(self, record: dict[str, Any], base: LinePiece) -> Iterator[Piece] | None:
        """Return the pieces of a whole document, or None where it is not known."""

    def choose(self, key: str, first: Any, head: dict[str, Any], base: LinePiece) -> Read | None:
        """Return what reads the list under a key (empty: the document itself), or None."""


def read_body(chunks: Iterable[bytes], base: LinePiece, shapes: Shapes) -> Iterator[Piece]:
    """Yield the pieces of a body, the same however it is cut into chunks.

    Args:
        base: an empty `Lines` that says where the body comes from.
        shapes: what its JSON documents may be.

    Raises:
        Exception: the chunks did, and it is not the content's fault.
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
    """Return what a body is if every twentieth byte is none of a text; a truncated log may hold zeros."""
    sample = head[:4096].replace(b"\0", b"")
    return "a binary file" if len(sample.translate(None, _CONTROL)) < len(sample) * 0.95 else ""


def payload_piece(payload: Payload, wrong: list[Wrong], where: str) -> LogPayload | Skipped:
    """Return the piece of a subscription payload; what CloudWatch Logs tests a delivery with is skipped."""
    if payload.messageType == "CONTROL_MESSAGE" or payload.logStream == _VALIDATION_STREAM:
        return Skipped("a control message of CloudWatch Logs", where)
    return LogPayload(payload, wrong, where)


# Subscription payloads, as Firehose writes them


def _payload_marker(head: bytes) -> bytes:
    """Return how each payload of the body begins; empty where the body is no run of subscription payloads.

    Firehose writes payloads one behind the other without a newline between them; a quote inside of a
    string is always escaped, so the first key with its brace stands only where a payload begins.
    """
    start = head.lstrip()
    if not start.startswith(b'{"') or b'"messageType"' not in start or b'"logGroup"' not in start:
        return b""
    return start[: start.index(b'"', 2) + 1]


def _payloads(chunks: Stream, marker: bytes, where: str) -> Iterator[Piece]:
    held, searched, number = b"", 1, 1
    broken: Exception | None = None
    try:
        for chunk in chunks:
            held += chunk
            while (position := held.find(marker, searched)) > 0:
                yield _payload(held[:position], where, number)
                held, searched, number = held[position:], 1, number + 1
            searched = max(1, len(held) - len(marker))
            if len(held) > _PAYLOAD_BYTES:
                raise ValueError(f"a payload of more than {_PAYLOAD_BYTES:,} bytes")
    except UNREADABLE as error:
        broken = error
    last = _payload(held, where, number) if held.strip() else None
    if broken is None or isinstance(last, LogPayload):
        yield from [last] if last else []
    else:
        yield from _salvaged(held, where)
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
    """Yield the events of a payload that is cut off."""
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
        known = shapes if _is_documents(head, shapes.first_keys) else shapes.log
        yield from _LineReader(text, base, known).read()


def _is_documents(head: str, keys: frozenset[str]) -> bool:
    """Return whether a body begins with documents alone: no text, and no application's own JSON."""
    return not any(
        line[0] not in ' \t\r{}[]",' or (line[0] == "{" and _is_own(line, keys))
        for line in head.split("\n")
        if line and not line.startswith("H4sI")
    )


def _physical(text: Text) -> Iterator[str]:
    """Yield lines with their ends, from the first that is not blank."""
    begun = False
    while lines := text.lines(LONGEST):
        for line in lines:
            begun = begun or bool(line.strip())
            if begun:
                yield f"{line}\n"


def _is_own(line: str, keys: frozenset[str]) -> bool:
    """Return whether a line is an application's own JSON, which is most of the JSON there is."""
    if line[1:2] != '"' or line.rstrip()[-1] != "}":
        return False
    return line[2 : line.find('"', 2)] not in keys and '"log' not in line and '"detail-type"' not in line


class _LineReader:
    """Reads lines, and the JSON documents that begin at one of them."""

    def __init__(self, text: Text, base: LinePiece, shapes: Shapes) -> None:
        self._text, self._base, self._shapes = text, base, shapes
        self._held: list[Line] = []
        self._size = 0  # characters of what is held
        self._rows: list[Row] = []

    def read(self) -> Iterator[Piece]:
        """Yield the pieces, in their order."""
        text = self._text
        self._pass_space()
        attempt, plain = _TEXTS.match(text.held) is not None, False
        while True:
            if attempt or (not plain and not text.continued and self._begins_document()):
                document = self._document()
                if document is not None:
                    yield from self._flush() if document is not _TAKEN or self._is_full() else ()
                    yield from document
                    self._pass_space()
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
        """Read lines; True where the next one begins a document.

        Args:
            first_plain: the first line is text, whatever it begins with.
        """
        held, place, keys = self._held, self._text.line - len(lines), self._shapes.first_keys
        for index, line in enumerate(lines):
            first, when = line[:1], 0
            if first not in _SPECIAL or (first_plain and index == 0):
                pass
            elif first not in "{[H":
                stamp = EXPORTED.match(line)
                if stamp is not None:
                    line, when = stamp["message"], utc_milliseconds(stamp["time"])  # noqa: PLW2901
            elif first != "{" or not _is_own(line, keys):
                entries = self._special(line, place + index)
                if entries is not None:
                    yield from self._flush() if entries is not _TAKEN or self._is_full() else ()
                    yield from entries
                    continue
                if self._opens_document(lines, index):
                    self._text.back(lines[index:])
                    return True
            if line and not line.isspace():
                full = self._size > SIZE or len(held) >= 2 * LINES
                if full or (len(held) >= LINES and line[0] not in INNER):
                    yield from self._flush()
                held.append((line, when, place + index))
                self._size += len(line)
        return False

    def _is_full(self) -> bool:
        return max(len(self._held), len(self._rows)) >= LINES or self._size > SIZE

    def _flush(self) -> Iterator[LinePiece]:
        held, self._held[:] = self._held[:], []
        if self._size > LINE:
            held = [
                (text[at : at + LINE], stamp, place)
                for text, stamp, place in held
                for at in range(0, len(text), LINE)
            ]
        self._size = 0
        if held:
            yield self._base._replace(lines=held)
        rows, self._rows[:] = self._rows[:], []
        yield from pieces_of(rows, self._base)

    def _special(self, line: str, place: int) -> Iterator[Piece] | None:
        """Return the pieces of a line that is an event rather than text."""
        if line[0] == "H":
            return self._base64(line.strip())
        if line[0] == "[":
            items: list[Any] = load_json(line) or [] if _LIST.match(line) else []
            read = self._shapes.choose("", items[0], {}, self._base) if items else None
            return read(iter(items)) if read is not None else None
        if not (self._is_known(line) or '"log' in line or '"detail-type"' in line):
            return None
        record = load_json(line)
        return self._record(record, place) if isinstance(record, dict) else None

    def _record(self, record: dict[str, Any], place: int) -> Iterator[Piece] | None:
        """Return the pieces of a JSON object, or None where it is text; a log event is kept for its piece."""
        group = any(isinstance(record.get(name), str) for name in _GROUPS)
        if group and isinstance(record.get("message"), str) and "logEvents" not in record:
            self._rows.append(read_row(record, place))
            self._size += len(record["message"])
            return _TAKEN
        return self._shapes.event(record, self._base)

    def _base64(self, line: str) -> Iterator[Piece] | None:
        """Return the pieces of a line that is base64 of something compressed."""
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
        """Return whether the text goes on with what may be a known document, of whatever size."""
        text = self._text
        while len(text.held) < _AHEAD and text.more():
            pass
        return _LIST.match(text.held) is not None or self._is_known(text.held)

    def _opens_document(self, lines: list[str], index: int) -> bool:
        """Return whether a line that is not JSON by itself may begin a document of several lines."""
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
        base, place = self._base, self._text.line
        known = read_document(
            self._text,
            base.where,
            lambda key, first, head: self._shapes.choose(key, first, head, base),
            lambda record: self._record(record, place),
        )
        return known if known is not None else self._printed()

    def _printed(self) -> Iterator[Piece] | None:
        """Take JSON that is printed over several lines as one event."""
        text = self._text
        try:
            _, end = text.value(0, LINE)
        except ValueError:
            return None
        if end > LINE or "\n" not in text.held[:end]:
            return None
        place = text.line
        self._held.append((text.skip(end), 0, place))
        self._size += end
        return _TAKEN

    def _pass_space(self) -> None:
        end = self._text.space(0)
        if self._text.char(end) in ("", "{", "["):
            self._text.skip(end)
