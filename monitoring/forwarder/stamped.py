"""Parse lines that begin with a timestamp: of `aws logs tail`, `--output text`, `sam logs` and exports."""

import re
from collections.abc import Iterator

from monitoring.forwarder.pieces import LinePiece
from monitoring.forwarder.rows import Row, pieces_of, utc_milliseconds
from monitoring.forwarder.text import LINE, Text
from monitoring.log_events.codec import encode, load_object

_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_COLOR = r"(?:\x1b\[[\d;]*m)*"
_TEXT = r"(?: (?P<message>.*))?$"
_STREAM = r"(?P<stream>\S*\[(?:\$LATEST|\d+)\][^\s\x1b]*)"

EXPORTED = re.compile(rf"(?P<time>{_ISO}(?:\.\d{{1,6}})?Z) (?P<message>.*)", re.DOTALL)
"""A line of an export of CloudWatch Logs to S3."""

_TAIL = re.compile(
    rf"{_COLOR}(?P<time>{_ISO}(?:\.\d{{6}})?\+00:00){_COLOR} {_COLOR}(?P<stream>[^\s\x1b]+){_COLOR}{_TEXT}"
)
_TAIL_SHORT = re.compile(rf"{_COLOR}(?P<time>{_ISO}){_COLOR}{_TEXT}")
_SAM = re.compile(rf"{_COLOR}{_STREAM}{_COLOR} {_COLOR}(?P<time>{_ISO}\.\d{{6}}){_COLOR}{_TEXT}")
_FILTERED = re.compile(r"EVENTS\t\d{20,}\t(?P<time>\d{13})\t(?P<stream>[^\t]+)\t(?P<message>.*)")
_GOTTEN = re.compile(r"EVENTS\t(?P<time>\d{13})\t(?P<message>.*)")
_PAIR = re.compile(r"(?P<time>\d{13})\t(?P<message>.*)")  # `--query 'events[].[timestamp,message]'`
_OUTPUT = (_FILTERED, _GOTTEN)  # of `--output text`, with the time of ingestion before the message
_LAST = re.compile(r"(?P<message>.*)\t(?P<time>\d{13})(?:\s.*)?", re.DOTALL)
_TOKENS = re.compile(r"[bf]/\d{20,}(?:\t[bf]/\d{20,})*")
_TELEMETRY = re.compile(r"MONITORING\||(?:START|END|REPORT) RequestId: |INIT_START |\{\"")


def stamped_form(head: str) -> re.Pattern[str] | None:
    """Return the pattern of the lines of a text, or None if they do not begin with a timestamp of AWS.

    A timestamp is not sufficient, because an application may print lines like those of `aws logs tail`: the
    name of a log stream must follow, or, for `--format short`, one line must be Lambda's or a metric.
    """
    lines = [line for line in head.split("\n", 200) if line.strip()][:200]
    first = lines[0] if lines else ""
    for form in (EXPORTED, _PAIR):
        if form.match(first):
            return form
    for line in lines[:20]:
        tail = _TAIL.match(line)
        if tail and ("/" in tail["stream"] or "[" in tail["stream"] or "\x1b" in line):
            return _TAIL
        for form in (_SAM, *_OUTPUT):
            if form.match(line):
                return form
    if _TAIL_SHORT.match(first):
        matches = map(_TAIL_SHORT.match, lines)
        if any(line and line["message"] and _TELEMETRY.match(line["message"]) for line in matches):
            return _TAIL_SHORT
    return None


def read_stamped(text: Text, form: re.Pattern[str], base: LinePiece) -> Iterator[LinePiece]:
    """Yield the events of a text with this pattern; lines without a timestamp continue the event before."""
    return pieces_of(_rows(text, form), base)


def _rows(text: Text, form: re.Pattern[str]) -> Iterator[Row]:
    has_stream, simple = "stream" in form.groupindex, form not in _OUTPUT
    stamp = stream = ""
    parts: list[str] = []
    size = line_number = 0
    while lines := text.lines():
        number = text.line - len(lines)
        for line in lines:
            match = form.match(line)
            if match is not None or size > LINE:
                if parts and (simple or not _TOKENS.fullmatch(parts[0])):
                    if simple and len(parts) == 1 and "T" in stamp:  # the most frequent case
                        yield "", "", stream, parts[0], utc_milliseconds(stamp), line_number
                    else:
                        yield _row(form, stream, stamp, parts, line_number)
                size, line_number, parts = 0, number, [line]
                if match is not None:
                    stamp, stream = match["time"], match["stream"] if has_stream else ""
                    parts = [match["message"] or ""]
            else:
                parts.append(line)
            size += len(line)
            number += 1
    if parts:
        yield _row(form, stream, stamp, parts, line_number)


def _row(form: re.Pattern[str], stream: str, stamp: str, parts: list[str], line_number: int) -> Row:
    message = parts[0] if len(parts) == 1 else "\n".join(parts)
    if form in _OUTPUT and (last := _LAST.fullmatch(message)):
        message, stamp = last["message"], last["time"]
    elif len(parts) > 1 and not parts[0]:  # `--format json` prints a JSON message on separate lines
        record = load_object(message)
        message = encode(record).decode() if record is not None else message.lstrip("\n")
    return "", "", stream, message, utc_milliseconds(stamp) if "T" in stamp else int(stamp or 0), line_number
