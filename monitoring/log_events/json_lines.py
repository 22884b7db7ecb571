"""Find the JSON document of a log event: the keys of its root, the text before it, and its lines.

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
    """The root keys of a JSON line that decide what it is; every other key is skipped without being decoded.

    None stands for a key that is absent.
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
        """Return whether there is a key by which a line other than a log can be recognised."""
        return (
            self.m is not None
            or self.aws is not None
            or self.traces is not None
            or self.execution_arn is not None
            or self.record is not None
        )

    def is_plain(self) -> bool:
        """Return whether the line is a log at first sight: no such key, and nothing within its message."""
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
        """Return what stands where Lambda's JSON log format and Powertools have the request id."""
        return self.request_id or self.java_request_id or self.powertools_request_id


def is_entry(record: dict[str, Any]) -> bool:
    """Return whether an object is an entry of Lambda's JSON log format or of a logger: it has a level."""
    return any(record.get(key) is not None for key in ("level", "log_level", "Level", "log.level"))


_root = msgspec.json.Decoder(Root).decode


def read_root(text: str) -> Root | None:
    """Return the root of the JSON object that the whole text is, or None.

    `NaN`, `Infinity` and lone surrogates, which several emitters print, are accepted.
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
    """Return the place of the `{` at the start, or behind a runtime's or logger's prefix; else -1."""
    start = text.find("{", 0, _LONGEST_PREFIX)
    return start if start <= 0 or _PREFIX.fullmatch(text, 0, start) else -1


def document_of(text: str) -> tuple[Root, str] | None:
    """Return the root and the text of the JSON object that the whole text is, save for a prefix; or None.

    An object without any of the keys that a parser or an envelope asks for is not looked for: most text with
    braces in it is no JSON.
    """
    if not ('"_aws"' in text or '"m"' in text or '"traces"' in text or 'essage"' in text):
        return None
    start = document_start(text)
    document = text[start:] if start > 0 else text
    root = read_root(document) if start >= 0 else None
    return None if root is None else (root, document)


def begins(line: str) -> bool:
    """Return whether a pretty-printed object begins: with `{` alone, or behind a prefix."""
    text = line.rstrip()
    return text[-1:] == "{" and text[0] not in " \t" and document_start(text) == len(text) - 1


def goes_on(line: str) -> bool:
    """Return whether the line is between the first and the last, which every printer indents."""
    return line[:1] in {" ", "\t"}


def joined(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, and those of one pretty-printed object as one text."""
    held: list[str] = []
    for line in lines:
        if held and goes_on(line):
            held.append(line)
            continue
        if held and line.rstrip() == "}":
            yield "\n".join((*held, line))
            held = []
            continue
        yield from held
        held = [line] if begins(line) else []
        if not held:
            yield line
    yield from held
