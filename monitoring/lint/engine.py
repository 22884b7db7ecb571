"""Apply the rules to each file, then the rules about several files."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitoring.errors import InputError
from monitoring.lint.model import REMOVE, Edit, Finding, Problem, Rule, Subject
from monitoring.lint.project import FileFacts, Mark, Project, SetValue, facts_of, values_of
from monitoring.lint.rules import (
    duplicate_key,
    json_syntax,
    modules,
    project_settings,
    template_syntax,
    unknown_kind,
)
from monitoring.lint.templates.kinds import TEMPLATE, is_application
from monitoring.resources.document import Document, JsonError, TextRange, parse_document, read_text
from monitoring.resources.files import UNKNOWN_KIND, duplicate, not_an_object
from monitoring.resources.instances import FOR_EACH
from monitoring.resources.project import FILE, key_place, parse_settings
from monitoring.resources.resource import FOLDERS, Resource, kind_of
from monitoring.resources.variables import with_defaults

if TYPE_CHECKING:
    from monitoring.lint.templates.application import TemplateProblem

TEMPLATE_ENDINGS = frozenset({".yaml", ".yml", ".tf", ".ts", ".js"})
"""Endings of files that are templates, or nothing that lint reads."""

_AROUND = re.compile(r"\s*,?\s*")


class FileReport(NamedTuple):
    """The findings in one file, and what the rules over all files need of it (None: it holds no resource)."""

    findings: tuple[Finding, ...]
    facts: FileFacts | None


def lint_file(path: str, codes: frozenset[str]) -> FileReport:
    """Lint a file, or the application of a folder or template; an unreadable one is a finding too."""
    if _is_folder_or_program(Path(path)):
        return lint_application(path, codes)
    try:
        text = read_text(Path(path))
    except InputError as error:
        finding = Finding(json_syntax.RULE.code, "error", path, 1, 1, error.message, 1, 1)
        return FileReport((finding,), None)
    return lint_text(path, text, codes)


def lint_text(path: str, text: str, codes: frozenset[str]) -> FileReport:
    """Lint a text.

    Args:
        path: its file; the folder says what kind of resource it is, the name gives the key.
        text: what stands in it.
        codes: the rules to apply.
    """
    if Path(path).name == FILE:
        return lint_settings(path, text, codes)
    try:
        document = parse_document(path, text)
    except JsonError as error:
        blank = Document(path, text, None)
        place = TextRange(error.offset, min(error.offset + 1, len(text)))
        message = ". ".join(filter(None, (error.message, error.hint)))
        return FileReport((_at(blank, place, json_syntax.RULE, message),), None)
    subject = subject_of(document)
    if subject is None and is_application(document.body):
        return lint_application(path, codes)
    if subject is None:
        return FileReport(tuple(_unusable(document)) if unknown_kind.RULE.code in codes else (), None)
    findings = sorted(_findings(subject, codes), key=lambda finding: (finding.line, finding.column))
    return FileReport(tuple(findings), facts_of(subject, path))


def _is_folder_or_program(path: Path) -> bool:
    """Return whether a path is linted as an application without a look at its text.

    A folder in the place of a monitor's or a dashboard's JSON file is not.
    """
    return path.suffix != ".json" if path.is_dir() else path.suffix in TEMPLATE_ENDINGS


def is_template(path: Path) -> bool:
    """Return whether a file or folder is linted as an application."""
    if path.is_dir() or path.suffix in TEMPLATE_ENDINGS:
        return _is_folder_or_program(path)
    try:
        document = parse_document(str(path), read_text(path))
    except InputError:
        return False
    return subject_of(document) is None and is_application(document.body)


def lint_application(path: str, codes: frozenset[str]) -> FileReport:
    """Lint the application that a template, or the folder that holds one, describes.

    Findings are about the template, and about definitions and handlers beside it.
    """
    from monitoring.lint.templates.reader import read_application

    try:
        application = read_application(Path(path))
    except InputError as error:
        where, line, column = _place_of(error.where, path)
        beside = os.path.normpath(error.where) if where == path and error.where not in {"", path} else ""
        message = ". ".join(filter(None, (f"{beside} {error.message}".strip(), error.hint)))
        finding = Finding(template_syntax.RULE.code, "error", where, line, column, message, line, column)
        return FileReport((finding,), None)
    findings = [
        _in_template(problem, module.RULE)
        for code, module in modules().items()
        if code in codes and module.RULE.kinds == TEMPLATE and hasattr(module, "check")
        for problem in module.check(application)
    ]
    unique = dict.fromkeys(findings)
    return FileReport(tuple(sorted(unique, key=lambda row: (row.path, row.line, row.column))), None)


def _place_of(where: str, path: str) -> tuple[str, int, int]:
    """Return file, line and column of an error's `file:line:column`."""
    parts = where.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
        return parts[0], int(parts[1]), int(parts[2])
    return where if where and Path(where).exists() else path, 1, 1


def _in_template(problem: "TemplateProblem", rule: Rule) -> Finding:
    text, pointer, _ = problem.spot
    span = text.span(pointer)
    (line, column), (end_line, end_column) = map(text.line_and_column, (span.start, span.end))
    place = "".join(f"/{_escaped(step)}" for step in pointer)
    severity = problem.severity or rule.severity
    return Finding(
        rule.code,
        severity,
        text.source,
        line,
        column,
        problem.message,
        end_line,
        end_column,
        place,
        problem.fix,
    )


def lint_settings(path: str, text: str, codes: frozenset[str]) -> FileReport:
    """Lint the text of a stepscope.toml; its values are the facts."""
    rule = project_settings.RULE
    findings = []
    for fault in project_settings.check_settings(text):
        line, column = fault.place
        message = ". ".join(filter(None, (fault.message, fault.hint)))
        findings.append(_together(path, (line, column, line, column + len(fault.word)), rule, message))
    settings = {} if findings else parse_settings(text)[0]
    marked = []
    for name, keys in values_of(settings):
        line, column = key_place(text, keys)
        marked.append(SetValue(name, (line, column, line, column + len(name)), keys))
    facts = FileFacts(
        path, "", "", "", "", (1, 1, 1, 1), (), (), frozenset(), values=tuple(marked), settings=settings
    )
    return FileReport(tuple(findings) if rule.code in codes else (), facts)


def subject_of(document: Document) -> Subject | None:
    """Return the resource of a document, or None where it holds none."""
    if not isinstance(document.body, dict):
        return None
    file = Path(document.source)
    kind = kind_of(document.body, file.parent.name)
    if not kind:
        return None
    body = {key: value for key, value in document.body.items() if key != FOR_EACH}
    return Subject(
        document, Resource(kind, file.stem, with_defaults(body) if "${var:" in document.text else body)
    )


def _unusable(document: Document) -> Iterator[Finding]:
    """Yield an error for a file in a folder of resources that is not an object, else a warning."""
    kind = FOLDERS.get(Path(document.source).parent.name, "")
    message = not_an_object(kind) if kind else UNKNOWN_KIND
    problem = Problem((), message, severity="error" if kind else None)
    yield _at(document, document.span(()), unknown_kind.RULE, message, problem)


def _findings(subject: Subject, codes: frozenset[str]) -> Iterator[Finding]:
    document, kind = subject.document, subject.resource.kind
    if duplicate_key.RULE.code in codes:
        for span, key in document.duplicate_keys():
            yield _at(document, span, duplicate_key.RULE, duplicate(key))
    for code, module in modules().items():
        rule: Rule = module.RULE
        if code in codes and hasattr(module, "check") and (not rule.kinds or kind in rule.kinds):
            for problem in module.check(subject):
                yield _finding(document, rule, problem)


def _finding(document: Document, rule: Rule, problem: Problem) -> Finding:
    inside = problem.start is not None
    if inside:
        start = document.inside(problem.pointer, problem.start or 0)
        end = document.inside(problem.pointer, max(problem.end or 0, (problem.start or 0) + 1))
        span = TextRange(start, end)
    elif problem.on_key:
        span = document.key_span(problem.pointer)
    else:
        span = document.span(problem.pointer)
    fix = None if problem.fix is None else _edit(document, problem, span)
    return _at(document, span, rule, problem.message, problem, fix)


def _edit(document: Document, problem: Problem, span: TextRange) -> Edit:
    if problem.fix is REMOVE:
        return _removal(document, document.key_span(problem.pointer), document.span(problem.pointer))
    text = json.dumps(problem.fix, ensure_ascii=False)
    return Edit(span.start, span.end, text[1:-1] if problem.start is not None else text)


def _removal(document: Document, key: TextRange, value: TextRange) -> Edit:
    """Return the edit that removes the key, its value, and one of the commas around it."""
    text = document.text
    behind = _AROUND.match(text, value.end)
    end = behind.end() if behind else value.end
    if "," in text[value.end : end]:
        return Edit(key.start, end, "")
    start = len(text[: key.start].rstrip().removesuffix(",").rstrip())
    return Edit(start, value.end, "")


def _at(
    document: Document,
    span: TextRange,
    rule: Rule,
    message: str,
    problem: Problem | None = None,
    fix: Edit | None = None,
) -> Finding:
    first, last = document.place(span.start), document.place(span.end)
    pointer = "".join(f"/{_escaped(step)}" for step in (*document.root, *problem.pointer)) if problem else ""
    severity = (problem.severity if problem else None) or rule.severity
    return Finding(
        rule.code,
        severity,
        document.source,
        first.line,
        first.column,
        message,
        last.line,
        last.column,
        pointer,
        fix,
        problem.case if problem else "",
    )


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def lint_together(files: Sequence[FileFacts], codes: frozenset[str]) -> Iterator[Finding]:
    """Yield the findings across files: references and names."""
    project = Project(files)
    for code, module in modules().items():
        if code not in codes or not hasattr(module, "check_all"):
            continue
        for problem in module.check_all(project):
            finding = _together(problem.path, problem.mark, module.RULE, problem.message)
            yield finding._replace(severity=problem.severity or module.RULE.severity)


def _together(path: str, mark: Mark, rule: Rule, message: str) -> Finding:
    line, column, end_line, end_column = mark
    return Finding(rule.code, rule.severity, path, line, column, message, end_line, end_column)


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits from the end of the text; of two that overlap, only the later one."""
    before = len(text) + 1
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        if edit.end <= before:
            text = text[: edit.start] + edit.text + text[edit.end :]
            before = edit.start
    return text
