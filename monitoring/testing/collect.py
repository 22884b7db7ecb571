"""Find test files, run their cases, and list the monitors without tests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from monitoring.errors import InputError
from monitoring.testing.cases import Case
from monitoring.testing.loader import SUFFIX, load
from monitoring.testing.problems import CaseProblem, DocumentError, Place
from monitoring.testing.project import Folder
from monitoring.testing.runner import CaseResult, run_case

WORTH_A_PROCESS = 400
"""Cases from which on a further process saves more than its start costs."""


class Selection(NamedTuple):
    """Which cases run: a text in `FILE::NAME`, the environment for variables, and how many processes."""

    keyword: str = ""
    env: str = ""
    jobs: int = 1


@dataclass(slots=True)
class Report:
    """Hold a run's results; `untested` are the paths of monitors without a test file."""

    results: list[CaseResult] = field(default_factory=list)
    untested: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, status: str) -> int:
        """How many cases ended as `passed`, `failed` or `error`."""
        return sum(result.status == status for result in self.results)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the test files among files and folders, once each, in order.

    Raises:
        InputError: a path that does not exist, or holds no test file.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            files.update(dict.fromkeys(sorted(path.rglob(f"*{SUFFIX}"))))
        elif path.is_file() and path.name.endswith(SUFFIX):
            files[path] = None
        elif path.is_file():
            raise InputError(f"is not a monitor test: its name does not end in {SUFFIX}", where=str(path))
        else:
            raise InputError("no such file or folder", where=str(path), hint="stepscope test [PATH…]")
    if not files:
        listed = ", ".join(str(path) for path in paths)
        hint = f"write one beside a monitor: NAME.json and NAME{SUFFIX}; stepscope init writes some"
        raise InputError(f"no monitor test in {listed}", hint=hint)
    return list(files)


def untested(paths: Sequence[Path], files: Iterable[Path]) -> list[Path]:
    """Return the monitors of the folders that have no test file."""
    tested = {(path.parent, path.name.removesuffix(SUFFIX)) for path in files}
    folders = {path for path in paths if path.is_dir()}
    monitors = sorted({monitor for folder in folders for monitor in folder.rglob("*.json")})
    return [monitor for monitor in monitors if (monitor.parent, monitor.stem) not in tested]


def run_file(path: Path, selection: Selection) -> list[CaseResult]:
    """Run one file; a file that cannot be used is one result with its problems."""
    try:
        cases = load(path)
    except DocumentError as error:
        case = Case(path.name, Place(str(path), 1), path.name.removesuffix(SUFFIX), ())
        return [CaseResult(case, problems=tuple(error.problems))]
    folder = Folder(path.parent, selection.env)
    wanted = [case for case in cases if selection.keyword in f"{path}::{case.name}"]
    return [run_case(case, folder) for case in wanted]


def run_files(files: Sequence[Path], selection: Selection) -> Iterator[list[CaseResult]]:
    """Run each file, and yield its results in order."""
    if selection.jobs <= 1 or len(files) < 2:
        for path in files:
            yield run_file(path, selection)
        return
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial

    chunk = max(1, len(files) // (selection.jobs * 4))
    with ProcessPoolExecutor(selection.jobs) as pool:
        yield from pool.map(partial(run_file, selection=selection), files, chunksize=chunk)


def missing_test(path: Path) -> CaseProblem:
    """Return the problem that --require-tests reports for a monitor without a test file."""
    name = f"{path.stem}{SUFFIX}"
    return CaseProblem(Place(str(path), 1), "this monitor has no test", f"write {path.with_name(name)}")
