"""Format the findings of lint as text, JSON, SARIF, or annotations of GitHub."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from monitoring.lint.model import Finding
from monitoring.lint.rules import modules
from monitoring.lint.run import LintResult
from monitoring.terminal import Part, plain, table, wrapped

SEVERITIES = {"error": "red", "warning": "yellow"}
"""The colours of the severities."""


def text(result: LintResult) -> str:
    """Return the report for people, in a line for each finding."""
    return "\n".join(plain(*line) for line in text_lines(result))


def text_lines(result: LintResult, width: int = 10_000) -> Iterator[Sequence[Part]]:
    """Yield the findings by file, and a line that counts them; messages are wrapped at `width`."""
    for path, group in groupby(result.findings, key=lambda finding: finding.path):
        yield [(path, "bold")]
        rows = list(group)
        wide = max(len(f"{row.line}:{row.column}") for row in rows)
        for row in rows:
            yield from _finding(row, wide, width)
        yield []
    color = "red" if result.errors else "yellow" if result.warnings else "green"
    yield [(_count(result), color)]


def _finding(row: Finding, wide: int, width: int) -> Iterator[Sequence[Part]]:
    indent = wide + 13
    head: list[Part] = [
        f"  {f'{row.line}:{row.column}':>{wide}}  ",
        (row.severity, SEVERITIES[row.severity]),
        " " * (9 - len(row.severity)),
    ]
    for at, line in enumerate(wrapped(f"{row.message}  [{row.rule}]", width - indent)):
        mark = f"[{row.rule}]" if line.endswith(f"[{row.rule}]") else ""
        yield [*(head if not at else [" " * indent]), line.removesuffix(mark), (mark, "dim")]


def _count(result: LintResult) -> str:
    files = f"{result.files} file" + ("" if result.files == 1 else "s")
    if not result.findings:
        return f"{files}, nothing wrong"
    fixable = sum(finding.fix is not None for finding in result.findings)
    parts = [_many(result.errors, "error"), _many(result.warnings, "warning")]
    hint = f"; {fixable} fixable with --fix" if fixable else ""
    return f"{files}: {', '.join(part for part in parts if part)}{hint}"


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""


def as_json(result: LintResult) -> str:
    """Return `findings`: rule, severity, path, line, column, message; end, JSON pointer, and `fixable`.

    A finding about what a monitor does has a `case` too: a monitor test for `stepscope test`.
    """
    rows = [_row(finding) for finding in result.findings]
    return json.dumps({"version": 1, "findings": rows}, indent=2, ensure_ascii=False)


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "pointer": finding.pointer,
        "fixable": finding.fix is not None,
        **({"case": finding.case} if finding.case else {}),
    }


def sarif(result: LintResult) -> str:
    """Return SARIF 2.1.0 for code scanning."""
    used = sorted({finding.rule for finding in result.findings})
    driver = {"name": "stepscope", "rules": [_sarif_rule(code) for code in used]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, used) for finding in result.findings],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _sarif_rule(code: str) -> dict[str, Any]:
    rule = modules()[code].RULE
    return {
        "id": code,
        "shortDescription": {"text": rule.summary},
        "help": {"text": f"{rule.summary} Leave it out with: stepscope lint --ignore {code}"},
        "defaultConfiguration": {"level": rule.severity},
    }


def _sarif_result(finding: Finding, used: list[str]) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    location = {"artifactLocation": {"uri": _uri(finding.path)}, "region": region}
    return {
        "ruleId": finding.rule,
        "ruleIndex": used.index(finding.rule),
        "level": finding.severity,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": location}],
    }


def _uri(path: str) -> str:
    """Return a URI reference relative to the working folder, which code scanning takes as the root."""
    file = Path(path)
    if file.is_absolute() and not file.is_relative_to(Path.cwd()):
        return file.as_uri()
    return quote((file.relative_to(Path.cwd()) if file.is_absolute() else file).as_posix())


def github(result: LintResult) -> str:
    """Return workflow commands of GitHub, an annotation per finding."""
    return "".join(f"{_annotation(finding)}\n" for finding in result.findings)


def _annotation(finding: Finding) -> str:
    values = {
        "file": finding.path,
        "line": finding.line,
        "endLine": finding.end_line,
        "col": finding.column,
        "endColumn": finding.end_column,
        "title": finding.rule,
    }
    if finding.line != finding.end_line:
        del values["endColumn"]
    keys = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in values.items())
    return f"::{finding.severity} {keys}::{_escaped(finding.message)}"


def _escaped(value: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        value = value.replace(character, f"%{ord(character):02X}")
    return value


FORMATS: Mapping[str, Callable[[LintResult], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "github": github,
}


def fixed_line(fixed: Mapping[Path, int]) -> str:
    """Return a line about what --fix has changed."""
    if not fixed:
        return "nothing to fix"
    return f"fixed {_many(sum(fixed.values()), 'place')} in {_many(len(fixed), 'file')}"


def rules_table(style: str) -> str:
    """Return the table of rules: code, severity, summary."""
    rules = [module.RULE for module in modules().values()]
    if style == "json":
        rows: Iterable[dict[str, str]] = (
            {"rule": rule.code, "severity": rule.severity, "summary": rule.summary} for rule in rules
        )
        return json.dumps({"version": 1, "rules": list(rows)}, indent=2)
    lines = table([(rule.code, (rule.severity, SEVERITIES[rule.severity]), rule.summary) for rule in rules])
    return "\n".join(plain(*line) for line in lines)
