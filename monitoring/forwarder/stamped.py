"""Lines that begin with the time of their event: `aws logs tail`, `sam logs`, log exports to S3."""

import re
from collections.abc import Iterator

from monitoring.forwarder.pieces import Lines
from monitoring.forwarder.rows import Row, pieces_of, utc_milliseconds
from monitoring.forwarder.text import LINE, Text
from monitoring.log_events.codec import encode, load_object

_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_COLOR = r"(?:\x1b\[[\d;]*m)*"

EXPORTED = re.compile(rf"(?P<time>{_ISO}(?:\.\d{{1,6}})?Z) (?P<message>.*)", re.DOTALL)
"""What CloudWatch Logs exports to S3."""

_TEXT = r"(?: (?P<message>.*))?$"
_TAIL = re.compile(
    rf"{_COLOR}(?P<time>{_ISO}(?:\.\d{{6}})?\+00:00){_COLOR} {_COLOR}(?P<stream>[^\s\x1b]+){_COLOR}{_TEXT}"
)
_TAIL_SHORT = re.compile(rf"{_COLOR}(?P<time>{_ISO}){_COLOR}{_TEXT}")
_STREAM = r"(?P<stream>\S*\[(?:\$LATEST|\d+)\][^\s\x1b]*)"
_SAM = re.compile(rf"{_COLOR}{_STREAM}{_COLOR} {_COLOR}(?P<time>{_ISO}\.\d{{6}}){_COLOR}{_TEXT}")
_TELEMETRY = re.compile(r"MONITORING\||(?:START|END|REPORT) RequestId: |INIT_START |\{\"")


def stamped_form(head: str) -> re.Pattern[str] | None:
    """Return the form of the events that the text begins with, or None where its lines carry no such time.

    The time alone proves nothing: an application may begin its own lines like `aws logs tail`. So the name
    of a log stream has to follow, or for `--format short` one of the lines has to be Lambda's or a metric.
    """
    first = next((line for line in head.split("\n") if line.strip()), "")
    if EXPORTED.match(first):
        return EXPORTED
    tail = _TAIL.match(first)
    if tail and ("/" in tail["stream"] or "[" in tail["stream"] or "\x1b" in first):
        return _TAIL
    if _SAM.match(first):
        return _SAM
    if _TAIL_SHORT.match(first):
        found = (_TAIL_SHORT.match(line) for line in head.split("\n"))
        if any(line and line["message"] and _TELEMETRY.match(line["message"]) for line in found):
            return _TAIL_SHORT
    return None


def read_stamped(text: Text, form: re.Pattern[str], base: Lines) -> Iterator[Lines]:
    """Yield the events of a text in this form; lines without a time belong to the event before them."""
    return pieces_of(_rows(text, form), base)


def _rows(text: Text, form: re.Pattern[str]) -> Iterator[Row]:
    named = "stream" in form.groupindex
    stamp = stream = ""
    parts: list[str] = []
    size = place = 0
    while lines := text.lines():
        number = text.line - len(lines)
        for line in lines:
            found = form.match(line)
            if found is not None or size > LINE:
                if parts:
                    message = parts[0] if len(parts) == 1 else _joined(parts)
                    yield "", "", stream, message, utc_milliseconds(stamp), place
                size, place, parts = 0, number, [line]
                if found is not None:
                    stamp, stream = found["time"], found["stream"] if named else ""
                    parts = [found["message"] or ""]
            else:
                parts.append(line)
            size += len(line)
            number += 1
    if parts:
        yield "", "", stream, _joined(parts), utc_milliseconds(stamp), place


def _joined(parts: list[str]) -> str:
    message = "\n".join(parts)
    if len(parts) == 1 or parts[0]:
        return message
    record = load_object(message)  # `--format json` prints what is JSON in lines of its own
    return encode(record).decode() if record is not None else message.lstrip("\n")
