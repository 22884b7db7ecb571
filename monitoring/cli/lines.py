"""`stepscope lines`: checks log lines, and says of each that is wrong where, why, and what to write."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import counted, echo_document
from monitoring.errors import InputError
from monitoring.instrumentation.settings import settings
from monitoring.lines import format_point, read_line
from monitoring.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 256 * 1024 - 26  # bytes: CloudWatch's largest event, without what it adds itself


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a line; `column` and `end` count characters from 1."""

    path: str
    line: int
    column: int
    end: int
    reason: str
    hint: str

    def shown(self, text: str) -> str:
        """Return the finding as text: location, reason, the line with a caret, a hint."""
        before = max(0, self.column - 61)
        part = text[before : max(self.end, self.column) + 40]
        caret = " " * (self.column - 1 - before) + "^" * max(1, self.end - self.column)
        return f"{self.path}:{self.line}:{self.column}: {self.reason}\n  {part}\n  {caret}\n  {self.hint}"


@dataclass(slots=True)
class Findings:
    """The findings in all lines."""

    canonical: bool = False
    findings: list[Finding] = field(default_factory=list)
    lines: int = 0
    points: int = 0
    spans: int = 0

    def look(self, file: str, number: int, line: str) -> list[Finding]:
        """Return the findings in a line."""
        self.lines += 1
        places = list(self._trace(line) if line.startswith('{"traces"') else self._points(line))
        made = [
            Finding(file, number, start + 1, end + 1, reason, hint) for start, end, reason, hint in places
        ]
        self.findings += made
        return made

    def _points(self, line: str) -> Iterator[tuple[int, int, str, str]]:
        points, refused = read_line(line)
        self.points += len(points)
        for refusal in refused:
            yield refusal.start, refusal.end, refusal.reason, refusal.hint
        if self.canonical and points and not refused:
            wanted = [format_point(point) for point in points]
            if [line] != wanted:
                yield 0, len(line), "read, but not the canonical form", f"Write {' and '.join(wanted)}"

    def _trace(self, line: str) -> Iterator[tuple[int, int, str, str]]:
        try:
            body = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            at = getattr(error, "pos", 0)
            yield (
                at,
                at + 1,
                f"the trace line is not JSON: {error}",
                "Print one JSON object, alone on its line.",
            )
            return
        if len(line.encode("utf-8", "replace")) >= MAX_LINE:
            yield (
                0,
                len(line),
                "the trace line is over 256 KB: CloudWatch drops or cuts it",
                "Split it in two.",
            )
        traces = body.get("traces") if isinstance(body, dict) else None
        if not isinstance(traces, list) or not all(isinstance(trace, list) for trace in traces):
            yield 0, len(line), "`traces` is not a list of lists of spans", 'Write {"traces":[[{…}]]}'
            return
        for span in (span for trace in traces for span in trace):
            self.spans += 1
            for reason, hint in span_faults(span):
                yield 0, len(line), reason, hint

    def summary(self) -> str:
        """Return the counts in one line for a person."""
        wrong = len(self.findings)
        parts = (counted(self.points, "point"), counted(self.spans, "span"), f"{wrong} wrong")
        return f"{counted(self.lines, 'line')}: {', '.join(parts)}"

    def as_data(self) -> dict[str, Any]:
        """Return the findings and counts as `--json` prints them."""
        counted = {"lines": self.lines, "points": self.points, "spans": self.spans}
        return {**counted, "findings": [asdict(finding) for finding in self.findings]}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not valid in JSON")


def span_faults(span: Any) -> Iterator[tuple[str, str]]:
    """Yield what Datadog's reader would refuse of a span: the reason and what to write."""
    if not isinstance(span, dict):
        yield "a span is not an object", "Write {…} for each span."
        return
    shown = f"span {str(span.get('name'))[:40]!r}"
    for key in ("trace_id", "span_id", "parent_id"):
        value = span.get(key)
        if not _is_id(value):
            yield f"{shown}: {key} is {value!r}", f"Write {key} as text of 16 hex digits."
    for key in ("start", "duration", "error"):
        if type(span.get(key)) is not int:
            yield f"{shown}: {key} is {span.get(key)!r}", f"Write {key} as a whole number."
    meta = span.get("meta") or {}
    for key, value in meta.items() if isinstance(meta, dict) else [("meta", meta)]:
        if not isinstance(value, str):
            yield f"{shown}: meta {key} is {value!r}", "Write values of meta as text, numbers under metrics."


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 32 and not value.lower().strip("0123456789abcdef")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="What was found, as one JSON document.")
@click.option(
    "--canonical", is_flag=True, help="Also report lines that are read, but not the canonical form."
)
def command(files: tuple[str, ...], as_json: bool, canonical: bool) -> int:
    """Check MONITORING lines and trace lines in FILES; `-` or none is standard input.

    Exits with 0 where all are well formed, 1 where some are not.
    """
    settings()  # the settings of the functions: what is not valid is reported on standard error
    findings = Findings(canonical=canonical)
    for name in files or ("-",):
        for number, line in enumerate(_lines_of(name), start=1):
            for finding in findings.look(name, number, line):
                if not as_json:
                    echo(finding.shown(line))
    if as_json:
        echo_document(findings.as_data())
    else:
        echo(findings.summary(), err=True)
        if not (findings.points or findings.spans or findings.findings):
            echo("stepscope: not one line is a metric or a trace: is this a function's log?", err=True)
    return 1 if findings.findings else 0


def _lines_of(name: str) -> Iterator[str]:
    try:
        with click.open_file(name, encoding="utf-8", errors="replace") as file:
            for line in file:
                yield line.rstrip("\r\n")
    except OSError as error:
        reason: Any = error.strerror or error
        raise InputError(
            f"cannot be read: {reason}", where=name, hint="Give a file, or - for standard input."
        ) from None
