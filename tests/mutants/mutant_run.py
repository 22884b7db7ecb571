"""Run tests against mutants: in a copy of the tree, in a process of their own, with a time-out.

The checkout is never written to. A process imports what takes long (pytest, numpy, ...) once and forks for each
mutant: the child imports the package and the tests from its copy, in which the mutant was written.
"""

import importlib
import os
import py_compile
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from mutant_areas import ROOT
from mutant_operators import Mutant

LEFT_OUT = shutil.ignore_patterns(
    ".venv",
    ".git",
    "node_modules",
    "dist",
    "build",
    "artifacts",
    ".*_cache",
    ".hypothesis",
    "images",
    "*.duckdb*",
    "site",
)
PROJECT = {"monitoring", "handlers", "stepscope_pytest"}
GRACE = 20.0
"""Seconds of the processor that a child has beside five times what its tests took, so that a busy machine kills no mutant."""

PATIENCE = 10.0
"""How many times that a child may take by the clock, for what waits for ever and uses no processor."""


LAST = 20.0
"""Seconds after a deadline for the mutants that are under way."""


class Job(NamedTuple):
    """A mutant, and the tests that judge it, the quickest first, with the seconds that they take together."""

    mutant: Mutant
    tests: tuple[str, ...]
    seconds: float


class Verdict(NamedTuple):
    """What became of a mutant: killed, or not; by what, and after how many seconds."""

    job: Job
    killed: bool
    by: str
    seconds: float


@contextmanager
def copies(count: int) -> Iterator[list[Path]]:
    """Make copies of the tree and remove them afterwards.

    What children compile is kept even where PYTHONDONTWRITEBYTECODE is set: compiling every module for every mutant
    takes longer than most tests.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees = [Path(folder, str(number), "tree") for number in range(count)]
        for tree in trees:
            shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        yield trees


def prepare(tree: Path, files: Sequence[str], deadline: float) -> None:
    """Import what files of tests import from elsewhere, so that no child has to; set what every child inherits.

    Which modules that are a child says, in which the files are collected.
    """
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "STEPSCOPE_DATA": "/nonexistent", "COLUMNS": "100"}
    names = tree.parent / "modules"

    def collect() -> int:
        run_pytest(files, (), "--collect-only")
        names.write_text("\n".join(_foreign(tree)))
        return 0

    ended(fork(tree, collect)[0], deadline)
    for name in names.read_text().splitlines() if names.exists() else ():
        with suppress(Exception):  # a module that only an earlier import makes importable
            importlib.import_module(name)
    mine = [name for name in sys.modules if name.split(".")[0] in PROJECT]
    assert not mine, f"imported before the fork: {mine}"


def _foreign(tree: Path) -> Iterator[str]:
    """Yield the names of the imported modules that are in a file outside of the tree, in order of their import."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and not file.startswith(f"{tree}/") and name.split(".")[0] not in {*PROJECT, "__main__"}:
            yield name


def _enter(tree: Path, output: Path) -> None:
    """Make the copy of the tree the one that this process and its children import from."""
    os.setsid()
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if not path.startswith(str(ROOT / "tests")))]
    os.environ["PYTHONPATH"] = str(tree)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def fork(tree: Path, work: Callable[[], int]) -> tuple[int, Path]:
    """Start a process that does the work in a copy of the tree; return its id and the file of what it prints."""
    output = tree.parent / "output"
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        status = 70
        try:
            _enter(tree, output)
            status = work()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return process, output


def run_pytest(tests: Sequence[str], plugins: Sequence[object] = (), *more: str) -> int:
    """Run tests in this process and return pytest's exit status."""
    import pytest

    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-p",
        "no:ddtrace",
        "--no-header",
        "--tb=line",
        *more,
    ]
    return int(pytest.main([*options, *tests], plugins=list(plugins)))


def write(tree: Path, path: str, source: str) -> None:
    """Write a source into a copy and compile it: a size and a time alone would not tell one from another."""
    file = tree / path
    file.write_text(source, encoding="utf-8")
    with suppress(py_compile.PyCompileError):
        py_compile.compile(str(file), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


def end(process: int) -> None:
    """End a child and all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def ended(process: int, deadline: float) -> bool:
    """Wait for a child until the deadline (of `time.monotonic`), end it and all that it started; whether it was done."""
    done = 0
    while not done and time.monotonic() < deadline:
        done, _ = os.waitpid(process, os.WNOHANG)
        time.sleep(0.02)
    end(process)
    if not done:
        os.waitpid(process, 0)
    return bool(done)


class Slot:
    """A copy of the tree in which one mutant at a time is judged."""

    def __init__(self, tree: Path) -> None:
        """Keep the copy."""
        self.tree = tree
        self.job: Job | None = None
        self.source = ""
        self.process = 0
        self.start = 0.0

    def begin(self, job: Job) -> None:
        """Write the mutant and start its tests."""
        self.source = (self.tree / job.mutant.path).read_text(encoding="utf-8")
        write(self.tree, job.mutant.path, job.mutant.applied(self.source))
        self.job, self.start = job, time.monotonic()
        self.process, self.output = fork(self.tree, self._run)

    def _run(self) -> int:
        assert self.job
        limit = int(GRACE + 5 * self.job.seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        return run_pytest(self.job.tests, (), "-x")

    def poll(self) -> Verdict | None:
        """Return the verdict, once there is one."""
        if self.job is None:
            return None
        passed = time.monotonic() - self.start
        done, status = os.waitpid(self.process, os.WNOHANG)
        late = passed > PATIENCE * (GRACE + 5 * self.job.seconds)
        if not done and not late:
            return None
        end(self.process)
        if not done:
            os.waitpid(self.process, 0)
        code = os.waitstatus_to_exitcode(status) if done else -signal.SIGXCPU
        verdict = Verdict(self.job, code != 0, self._by(code), passed)
        self.close()
        return verdict

    def _by(self, code: int) -> str:
        lines = self.output.read_text(encoding="utf-8", errors="replace").splitlines()
        failed = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
        if code in {0, -signal.SIGXCPU}:
            return "time-out" if code else ""
        return (
            failed[0].split(" - ")[0].split(" ", 1)[1] if failed else f"status {code}: {' '.join(lines[-1:])}"
        )

    def close(self) -> None:
        """End what still runs, and write the source as it was."""
        if self.job is not None:
            end(self.process)
            write(self.tree, self.job.mutant.path, self.source)
            self.job = None


def judge(jobs: Sequence[Job], trees: Sequence[Path], deadline: float) -> Iterator[Verdict]:
    """Yield the verdict on each job as it comes; none is begun after the deadline (of `time.monotonic`)."""
    waiting = list(reversed(jobs))
    slots = [Slot(tree) for tree in trees]
    try:
        while waiting or any(slot.job for slot in slots):
            for slot in slots:
                if verdict := slot.poll():
                    yield verdict
                if slot.job is None and waiting and time.monotonic() < deadline:
                    slot.begin(waiting.pop())
            if time.monotonic() >= deadline + (LAST if any(slot.job for slot in slots) else 0):
                return
            time.sleep(0.02)
    finally:
        for slot in slots:
            slot.close()
