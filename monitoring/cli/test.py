"""`stepscope test`: runs the tests of monitors."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from monitoring.cli.output import echo_document, live
from monitoring.errors import InputError, writing
from monitoring.terminal import Part, echo

if TYPE_CHECKING:
    from monitoring.testing.collect import Report
    from monitoring.testing.problems import CaseProblem
    from monitoring.testing.runner import CaseResult


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-k", "keyword", default="", metavar="TEXT", help="Only cases whose file or name contains TEXT."
)
@click.option("--require-tests", is_flag=True, help="A monitor without a test makes the command fail.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the results as JUnit XML to this file.")
@click.option("--json", "as_data", is_flag=True, help="The results, as one JSON document.")
@click.option("--env", default="", metavar="NAME", help="The environment of stepscope.toml for ${var:…}.")
@click.option(
    "-j", "--jobs", type=click.IntRange(0), default=0, help="Processes; 0 decides by the number of files."
)
def command(
    paths: tuple[Path, ...],
    keyword: str,
    require_tests: bool,
    junit: Path | None,
    as_data: bool,
    env: str,
    jobs: int,
) -> int:
    """Run the tests of monitors: the files NAME.test.yaml beside NAME.json.

    PATHS are files and folders; without any, the folder monitors.
    """
    from monitoring.testing.collect import Report, Selection, find_files, missing_test, run_files, untested

    began = time.perf_counter()
    where = list(paths) or [Path("monitors")]
    files = find_files(where)
    report = Report(untested=untested(where, files))
    selection = Selection(keyword, env, jobs or _jobs(len(files)))
    with _Progress(len(files), quiet=as_data) as progress:
        for results in run_files(files, selection):
            report.results += results
            progress.file()
    report.seconds = time.perf_counter() - began
    if keyword and not report.results:
        raise InputError(f"no case has {keyword!r} in its file or name", hint="leave out -k to see them all")
    if junit:
        from monitoring.testing.reports import as_junit

        with writing(junit):
            junit.write_text(as_junit(report), encoding="utf-8")
    if as_data:
        from monitoring.testing.reports import as_json

        echo_document(as_json(report))
    else:
        _print(report, [missing_test(path) for path in report.untested], require_tests)
    return _status(report, require_tests)


def _jobs(files: int) -> int:
    """Return the number of processes: one for few files, since a second one costs its start."""
    import os

    from monitoring.testing.collect import WORTH_A_PROCESS

    return 1 if files < WORTH_A_PROCESS else min(os.cpu_count() or 1, files // WORTH_A_PROCESS + 1)


def _status(report: "Report", require_tests: bool) -> int:
    if report.count("error"):
        return 2
    return 1 if report.count("failed") or (require_tests and report.untested) else 0


class _Progress:
    """A bar on a terminal, nothing in a pipe."""

    def __init__(self, total: int, quiet: bool) -> None:
        self.total, self.done = total, 0
        self.stream: TextIO = sys.stderr
        self.shown = not quiet and total > 1 and live(self.stream)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def file(self) -> None:
        """Count one more file as done."""
        self.done += 1
        if self.shown:
            filled = 30 * self.done // self.total
            self.stream.write(f"\r[{'=' * filled}{' ' * (30 - filled)}] {self.done}/{self.total}")
            self.stream.flush()


def _print(report: "Report", missing: "list[CaseProblem]", require_tests: bool) -> None:
    from monitoring.testing.explanation import decided_by

    for file, results in _by_file(report.results).items():
        counts = [
            (status, sum(r.status == status for r in results)) for status in ("passed", "failed", "error")
        ]
        echo(f"{file}  ", *_listed(counts))
        for line in decided_by(results):
            echo(f"  {line}")
    _explain([result for result in report.results if not result.passed])
    if missing:
        echo("")
    for problem in missing:
        echo(("MISSING", "red" if require_tests else "yellow"), f" {problem}")
    total = _listed([(status, report.count(status)) for status in ("passed", "failed", "error")])
    echo(*(total or ["nothing ran"]), f" in {report.seconds:.2f} s")


def _explain(failed: "list[CaseResult]") -> None:
    if not failed:
        return
    from monitoring.testing.explanation import explain

    for result in failed:
        echo("")
        echo(explain(result))


_COLOURS = {"passed": "green", "failed": "red", "error": "red"}


def _listed(counts: "list[tuple[str, int]]") -> list[Part]:
    """Return the counts other than zero, separated by commas."""
    parts: list[Part] = []
    for status, count in counts:
        word = {"error": "errors" if count > 1 else "error"}.get(status, status)
        if count:
            parts += [", "] * bool(parts)
            parts.append((f"{count} {word}", _COLOURS[status]))
    return parts


def _by_file(results: "list[CaseResult]") -> "dict[str, list[CaseResult]]":
    files: dict[str, list[CaseResult]] = {}
    for result in results:
        files.setdefault(result.case.file, []).append(result)
    return files
