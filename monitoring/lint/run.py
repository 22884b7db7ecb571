"""One run of lint: which files, in how many processes, with which rules; and fixing what is safe."""

import codecs
import gc
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from monitoring.errors import InputError, writing
from monitoring.lint.engine import FileReport, apply_edits, is_template, lint_file, lint_text, lint_together
from monitoring.lint.model import Edit, Finding
from monitoring.lint.project import settings_file
from monitoring.lint.recorded import check_catalogues
from monitoring.lint.rules import modules
from monitoring.lint.templates.kinds import application_in, is_readable
from monitoring.resources.nearest import nearest
from monitoring.resources.resource import FOLDERS

_PASSES = 10
_SHARE = 20
"""Files that a process takes at a time."""
_WORTH_A_PROCESS = 1_000_000
"""Bytes from which on a second process saves more than the 50 ms that its start costs."""


class LintResult(NamedTuple):
    """Hold a run's findings by file and place, and the number of `files` that were read."""

    findings: tuple[Finding, ...]
    files: int

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many are warnings."""
        return len(self.findings) - self.errors


def selected(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> frozenset[str]:
    """Return the codes of the rules to apply.

    Raises:
        InputError: there is no such rule.
    """
    known = modules()
    for code in (*select, *ignore):
        if code not in known:
            near = nearest(code, known)
            hint = f"Did you mean {near}?" if near else "stepscope lint --rules lists them."
            raise InputError(f"there is no rule {code}", hint=hint)
    return frozenset(select or known) - frozenset(ignore)


def default_paths() -> list[Path]:
    """Return the folders of the working folder that hold resources, and its template.

    Raises:
        InputError: there are none.
    """
    paths = [Path(folder) for folder in FOLDERS if Path(folder).is_dir()]
    paths += filter(None, [application_in(Path())])
    if not paths:
        hint = "Name files or folders, or let stepscope init make dashboards/ and monitors/."
        raise InputError("there is neither dashboards/ nor monitors/ nor a template here", hint=hint)
    return paths


def find(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files to lint at and under the paths, once each, and the paths that do not exist.

    Of a folder they are its JSON files; of one that holds a template, the template and its resources.
    """
    files: dict[Path, None] = {}
    missing: list[Path] = []
    for path in paths:
        if path.is_dir():
            template = application_in(path)
            if template is not None:
                files[template] = None
            candidates = sorted(file for file in path.rglob("*.json") if _visible(file, path))
            files.update(
                (file, None) for file in candidates if template is None or file.parent.name in FOLDERS
            )
        elif path.exists():
            files[path] = None
        else:
            missing.append(path)
    return list(files), missing


def _visible(file: Path, folder: Path) -> bool:
    return not any(part.startswith(".") or part == "node_modules" for part in file.relative_to(folder).parts)


def lint(files: Sequence[Path], codes: frozenset[str] | None = None, jobs: int | None = None) -> LintResult:
    """Check files, each on its own and then all together.

    Raises:
        InputError: the catalogue of a project's own metrics cannot be read.
    """
    codes = selected() if codes is None else codes
    check_catalogues(files)
    settings = [file for file in settings_files(files) if file not in files]
    reports = _reports([str(file) for file in (*files, *settings)], codes, jobs)
    findings = [finding for report in reports for finding in report.findings]
    facts = [report.facts for report in reports if report.facts is not None]
    findings += lint_together(facts, codes)
    place = {str(file): index for index, file in enumerate((*files, *settings))}
    last = len(place)
    findings.sort(
        key=lambda finding: (
            place.get(finding.path, last),
            finding.path,
            finding.line,
            finding.column,
            finding.rule,
        )
    )
    return LintResult(tuple(findings), len(files))


def settings_files(files: Iterable[Path]) -> list[Path]:
    """Return the stepscope.toml of each file's project, once, as a person in the working folder writes it."""
    here = Path.cwd()
    folders = dict.fromkeys(file.resolve().parent for file in files)
    settings = dict.fromkeys(file for folder in folders if (file := settings_file(folder)))
    return [file.relative_to(here) if file.is_relative_to(here) else file for file in settings]


def _share(paths: list[str], codes: frozenset[str]) -> list[FileReport]:
    """Lint some files without garbage collection, because nothing in them is cyclic."""
    was = gc.isenabled()
    gc.disable()
    try:
        return [lint_file(path, codes) for path in paths]
    finally:
        if was:
            gc.enable()


def _reports(paths: list[str], codes: frozenset[str], jobs: int | None) -> list[FileReport]:
    jobs = jobs or _jobs(paths)
    if jobs == 1 or len(paths) < 2:
        return _share(paths, codes)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    modules()
    shares = [paths[start : start + _SHARE] for start in range(0, len(paths), _SHARE)]
    with ProcessPoolExecutor(jobs - 1, mp_context=get_context("fork")) as pool:
        submitted = [(share, pool.submit(_share, share, codes)) for share in shares]
        # This process takes back from the end what nobody has begun, however busy the processors are.
        cancelled = [_share(share, codes) for share, other in reversed(submitted) if other.cancel()]
        parts = [cancelled.pop() if other.cancelled() else other.result() for _, other in submitted]
    return [report for part in parts for report in part]


def _jobs(paths: list[str]) -> int:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    size = sum(os.path.getsize(path) for path in paths if os.path.exists(path))
    return max(1, min(processors, 8, size // _WORTH_A_PROCESS))


def fix(files: Sequence[Path], codes: frozenset[str] | None = None) -> dict[Path, int]:
    """Make the safe changes that the rules propose; gives the number of changes by file."""
    codes = selected() if codes is None else codes
    changed: dict[Path, int] = {}
    for file in files:
        if is_template(file):
            for path, count in fix_application(file, codes).items():
                changed[path] = changed.get(path, 0) + count
            continue
        try:
            before = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        text, count = fix_text(str(file), before, codes)
        if text != before:
            with writing(file):
                file.write_bytes(text.encode("utf-8"))
            changed[file] = count
    return changed


def fix_application(file: Path, codes: frozenset[str]) -> dict[Path, int]:
    """Make the safe changes in a template, and in the definitions that it names."""
    changed: dict[Path, int] = {}
    for _ in range(_PASSES):
        edits: dict[str, set[Edit]] = {}
        for finding in lint_file(str(file), codes).findings:
            if finding.fix is not None:
                edits.setdefault(finding.path, set()).add(finding.fix)
        made = {Path(path): len(own) for path, own in edits.items() if _rewrite(Path(path), own)}
        for path, count in made.items():
            changed[path] = changed.get(path, 0) + count
        if not made:
            break
    return changed


def _rewrite(path: Path, edits: set[Edit]) -> bool:
    """Apply edits to a file; one after which it could not be read is left as it is."""
    data = path.read_bytes()
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    before = data.decode("utf-8-sig")
    text = apply_edits(before, edits)
    if text == before or not is_readable(path, text):
        return False
    with writing(path):
        path.write_bytes(mark + text.encode())
    return True


def fix_text(path: str, text: str, codes: frozenset[str]) -> tuple[str, int]:
    """Apply the safe fixes to a text; return it and the number of fixes."""
    count = 0
    for _ in range(_PASSES):
        edits: list[Edit] = [
            finding.fix for finding in lint_text(path, text, codes).findings if finding.fix is not None
        ]
        if not edits:
            break
        after = apply_edits(text, edits)
        if after == text:
            break
        text, count = after, count + len(edits)
    return text, count
