"""Find the JSON document of a log event: its root keys, its prefix, and its lines.

prefix = *blank [first separator *(token separator)]     ; what a runtime or a logger prints before a message
first  = time | level | "[" text "]" | "<" text ">"
token  = first | request id | number | source ":" line | word before a tab | logger name before "-" or ":"
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from monitoring.log_events.codec import load_object

_TIME = (
    r"\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
)
_LEVEL = (
    r"(?:(?i:trace|debug|information|info|notice|warning|warn|error|fatal|critical)"
    r"|trce|dbug|fail|crit|[DIWEFAU])\b"
)
_FIRST = rf"(?:{_TIME}|{_LEVEL}|\[[^\]\n{{]*\]|<[^>\n{{]*>)"
_TOKEN = (
    rf"(?:{_FIRST}|[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|undefined\b|\d+\b"
    r"|[^\s{\"]+(?=\t)|[A-Za-z_$][\w.$/-]*:\d+|[A-Za-z_$][\w.$]*(?=\s*:|\s+-))"
)
_SEPARATOR = r"[\s:|,-]*"
_PREFIX = re.compile(rf"\s*+(?:{_FIRST}{_SEPARATOR}(?>{_TOKEN}{_SEPARATOR})*+)?")
_LONGEST_PREFIX = 300


class Root(msgspec.Struct, gc=False):
    """The root keys of a JSON line that determine its kind; the other keys are skipped without decoding.

    The value of a missing key is None.
    """

    m: Any = None
    aws: Any = msgspec.field(default=None, name="_aws")
    traces: Any = None
    execution_arn: Any = None
    record: Any = None
    message: Any = None
    pascal_message: Any = msgspec.field(default=None, name="Message")
    request_id: Any = msgspec.field(default=None, name="requestId")
    java_request_id: Any = msgspec.field(default=None, name="AWSRequestId")
    powertools_request_id: Any = msgspec.field(default=None, name="function_request_id")

    def marked(self) -> bool:
        """Return whether there is a key of a line that is not a log."""
        return (
            self.m is not None
            or self.aws is not None
            or self.traces is not None
            or self.execution_arn is not None
            or self.record is not None
        )

    def is_plain(self) -> bool:
        """Return whether the line is a log: it has no such key, and its message contains no JSON object."""
        return (
            type(self.message) is str
            and "{" not in self.message
            and self.m is None
            and self.aws is None
            and self.traces is None
            and self.execution_arn is None
            and self.record is None
            and "MONITORING|" not in self.message
        )

    def request(self) -> Any:
        """Return the value of the request id's key in Lambda's JSON log format or Powertools."""
        return self.request_id or self.java_request_id or self.powertools_request_id


def is_entry(record: dict[str, Any]) -> bool:
    """Return whether an object is an entry of Lambda's JSON log format or of a logger: it has a level."""
    return any(record.get(key) is not None for key in ("level", "log_level", "Level", "log.level"))


_root = msgspec.json.Decoder(Root).decode


def read_root(text: str) -> Root | None:
    """Parse the root of a text that is a JSON object, or return None.

    `NaN`, `Infinity` and lone surrogates, which several loggers print, are accepted.
    """
    try:
        return _root(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        lenient = isinstance(error, msgspec.ValidationError)  # a number out of range
        if not lenient and "NaN" not in text and "Infinity" not in text and "\\u" not in text:
            return None
    record = load_object(text)
    return None if record is None else msgspec.convert(record, Root)


def document_start(text: str) -> int:
    """Return the index of the `{` at the start or after a prefix of a runtime or logger; -1 without one."""
    start = text.find("{", 0, _LONGEST_PREFIX)
    return start if start <= 0 or _PREFIX.fullmatch(text, 0, start) else -1


def document_of(text: str) -> tuple[Root, str] | None:
    """Return the root and the text of the JSON object of a text, without its prefix; None without one.

    A text without any of the keys that a parser needs is not parsed: most text with braces is not JSON.
    """
    if not ('"_aws"' in text or '"m"' in text or '"traces"' in text or 'essage"' in text):
        return None
    start = document_start(text)
    document = text[start:] if start > 0 else text
    root = read_root(document) if start >= 0 else None
    return None if root is None else (root, document)


def begins(line: str) -> bool:
    """Return whether a line begins a pretty-printed object: `{`, alone or after a prefix."""
    text = line.rstrip()
    return text[-1:] == "{" and text[0] not in " \t" and document_start(text) == len(text) - 1


def goes_on(line: str) -> bool:
    """Return whether a line is an inner line of a pretty-printed object, which is indented."""
    return line[:1] in {" ", "\t"}


def joined(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, with those of each pretty-printed object joined to one text."""
    buffer: list[str] = []
    for line in lines:
        if buffer and goes_on(line):
            buffer.append(line)
            continue
        if buffer and line.rstrip() == "}":
            yield "\n".join((*buffer, line))
            buffer = []
            continue
        yield from buffer
        buffer = [line] if begins(line) else []
        if not buffer:
            yield line
    yield from buffer
