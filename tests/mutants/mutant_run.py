"""Judge mutants in children of one process that has collected the tests, each in a process of its own.

The checkout is never written to: all happens in copies of the tree. A child exchanges the code of the mutated function
and runs the cases that call it. Where a mutant is not in a function alone, or survives although its function was
called before the first test, the child writes it into a copy of its own and becomes a fresh process of pytest.
"""

import json
import os
import py_compile
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import mutant_reach as reach
import pytest
from hypothesis import settings
from mutant_areas import ROOT
from mutant_exchange import exchange, forget
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
OPTIONS = [
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:randomly",
    "-p",
    "no:ddtrace",
    "--no-header",
    "--tb=short",
]
LONGEST = 20.0
"""Seconds of tests that judge one mutant, the quickest first."""
FEW = 5
"""Cases that judge a mutant however long they take; where fewer call its function, those of its module do, too."""
EXAMPLES = 25
"""Examples of each property."""
GRACE = 20.0
"""Seconds of the processor that a child has beside five times what its tests took, so that a busy machine kills no mutant."""
PATIENCE = 10.0
"""How many times that a child may take by the clock, for what waits for ever and uses no processor."""
LAST = 20.0
"""Seconds after a deadline for the mutants that are under way."""


class Job(NamedTuple):
    """A mutant, the cases that judge it, and the tests that do in a fresh process, all of whose cases pass."""

    mutant: Mutant
    cases: tuple[reach.Test, ...]
    fresh: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Return the seconds that the cases take together."""
        return sum(case.seconds for case in self.cases)


class Verdict(NamedTuple):
    """What became of a mutant: killed, or not; by what, by how many cases, and after how many seconds."""

    mutant: Mutant
    killed: bool
    by: str
    cases: int
    seconds: float


@contextmanager
def copies(count: int, root: Path = ROOT) -> Iterator[list[Path]]:
    """Make copies of the tree and remove them afterwards; a process that a test forks does not, when it ends."""
    folder, owner = Path(tempfile.mkdtemp(prefix="mutants-")).resolve(), os.getpid()
    try:
        trees = [folder / str(number) / "tree" for number in range(count)]
        for tree in trees:
            shutil.copytree(root, tree, ignore=LEFT_OUT)
        yield trees
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


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


def fork(output: Path, work: Callable[[], int]) -> int:
    """Start a process in a group of its own, whose exit status is what the work returns; return its id."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        status = 70
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for descriptor, file, flags in (
                (0, os.devnull, os.O_RDONLY),
                (1, output, os.O_WRONLY | os.O_CREAT),
            ):
                os.dup2(os.open(file, flags | (os.O_TRUNC if descriptor else 0)), descriptor)
            os.dup2(1, 2)
            sys.stdout = sys.stderr = os.fdopen(1, "w", encoding="utf-8", closefd=False)
            status = work()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return process


def fresh(tree: Path, mutant: Mutant, mutated: str, tests: Sequence[str]) -> int:
    """Write the mutant into a copy of the tree and become a process that runs the tests; 0 where there are none."""
    if not tests:
        return 0
    write(tree, mutant.path, mutated)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.stdout.flush()
    return os.execv(sys.executable, [sys.executable, "-m", "pytest", *OPTIONS, "-rfE", "-x", *tests])


class Slot:
    """A place where one mutant at a time is judged, with a copy of the tree of its own."""

    def __init__(self, tree: Path, work: Callable[[Job, Path], int]) -> None:
        """Keep the copy, and what a child does."""
        self.tree, self.output, self.work = tree, tree.parent / "output", work
        self.job: Job | None = None

    def begin(self, job: Job) -> None:
        """Start a child that judges the mutant."""
        self.job, self.start = job, time.monotonic()
        self.limit = int(GRACE + 5 * job.seconds)
        self.source = (self.tree / job.mutant.path).read_text(encoding="utf-8")
        self.process = fork(self.output, self._run)

    def _run(self) -> int:
        assert self.job
        resource.setrlimit(resource.RLIMIT_CPU, (self.limit, self.limit + 5))
        return self.work(self.job, self.tree)

    def poll(self) -> Verdict | None:
        """Return the verdict, once there is one."""
        if self.job is None:
            return None
        passed = time.monotonic() - self.start
        done, status = os.waitpid(self.process, os.WNOHANG)
        if not done and passed < PATIENCE * self.limit:
            return None
        if not done:
            end(self.process)
            os.waitpid(self.process, 0)
        code = os.waitstatus_to_exitcode(status) if done else -signal.SIGXCPU
        verdict = Verdict(self.job.mutant, code != 0, self._by(code), len(self.job.cases), passed)
        self.close()
        return verdict

    def _by(self, code: int) -> str:
        if code in {0, -signal.SIGXCPU}:
            return "time-out" if code else ""
        lines = self.output.read_text(encoding="utf-8", errors="replace").splitlines()
        failed = [line.split(" ", 1)[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
        return failed[0].split(" - ")[0] if failed else f"status {code}: {' '.join(lines[-1:])}"

    def close(self) -> None:
        """End what still runs, and write the source as it was."""
        if self.job is not None:
            end(self.process)
            if (self.tree / self.job.mutant.path).read_text(encoding="utf-8") != self.source:
                write(self.tree, self.job.mutant.path, self.source)
            self.job = None


def judge(
    jobs: Sequence[Job], trees: Sequence[Path], work: Callable[[Job, Path], int], deadline: float
) -> Iterator[Verdict]:
    """Yield the verdict on each job as it comes; none is begun after the deadline (of `time.monotonic`)."""
    waiting = list(reversed(jobs))
    slots = [Slot(tree, work) for tree in trees]
    try:
        while waiting or any(slot.job for slot in slots):
            for slot in slots:
                if verdict := slot.poll():
                    yield verdict
                if slot.job is None and waiting and time.monotonic() < deadline:
                    slot.begin(waiting.pop())
            if time.monotonic() >= deadline + (LAST if any(slot.job for slot in slots) else 0):
                return
            time.sleep(0.01)
    finally:
        for slot in slots:
            slot.close()


def _enough(able: Sequence[reach.Test], prefix: str = "") -> tuple[reach.Test, ...]:
    """Return as many of the cases as a mutant is judged by.

    The quickest come first; with a prefix those that call little else than functions whose names begin with it.
    """

    def rank(case: reach.Test) -> tuple[float, float]:
        own = sum(name.startswith(prefix) for name in case.functions)
        return (len(case.functions) - own) / max(own, 1) if prefix else 0, case.seconds

    total, cases = 0.0, list[reach.Test]()
    for case in sorted(able, key=rank):
        total += case.seconds
        if total > LONGEST and len(cases) >= FEW:
            break
        cases.append(case)
    return tuple(cases)


def jobs_of(
    mutants: Sequence[Mutant],
    cases: Sequence[reach.Test],
    failed: Sequence[str] = (),
    held_by: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Job]:
    """Yield the jobs: each mutant with the cases that call its function, or, where few do, one of its module.

    With `held_by` only cases of the files that are named there for the mutant's key. A test of which a case fails
    without a mutant is not run in a fresh process.
    """
    broken = {name.partition("[")[0] for name in failed}
    for mutant in mutants:
        files = (held_by or {}).get(mutant.key)
        able = [case for case in cases if files is None or case.id.partition("::")[0] in files]
        prefix = f"{mutant.path}::"
        own = [case for case in able if mutant.function and prefix + mutant.function in case.functions]
        chosen = _enough(own)
        if len(own) < FEW:
            # What is kept from an earlier call is called by the first case alone; a module's own code runs at its import.
            others = [case for case in able if case not in own]
            of_module = [case for case in others if any(name.startswith(prefix) for name in case.functions)]
            chosen += _enough(of_module, prefix) if of_module or own else _enough(others)
        names = dict.fromkeys(case.id.partition("[")[0] for case in chosen)
        yield Job(mutant, chosen, tuple(name for name in names if name not in broken))


class Host:
    """A pytest plugin that judges mutants by the tests that pytest has collected."""

    def __init__(
        self,
        mutants: Sequence[Mutant],
        trees: Sequence[Path],
        deadline: float,
        held_by: Mapping[str, Sequence[str]] | None,
        tell: Callable[[object], None],
    ) -> None:
        """Keep the mutants and who is told; the first tree is that of this process, the others are those of the slots."""
        self.mutants, self.trees, self.deadline, self.held_by, self.tell = (
            mutants,
            trees,
            deadline,
            held_by,
            tell,
        )
        self.tracer = reach.Tracer(trees[0], sorted({mutant.path for mutant in mutants}))
        self.early: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        """Note the functions that are called before the first test."""
        with self.tracer.noting() as self.early:
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Let each property be asked a few examples: as many as are quick, also with a tracer."""
        settings.register_profile("mutants", settings.default, max_examples=EXAMPLES)
        settings.load_profile("mutants")
        for item in items:
            test: Any = getattr(item, "function", None)
            own = getattr(test, "_hypothesis_internal_use_settings", None)
            if own is not None and own.max_examples > EXAMPLES:
                test._hypothesis_internal_use_settings = settings(own, max_examples=EXAMPLES)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Trace the tests in a child, and judge each mutant in another.

        Raises:
            Interrupted: a file cannot be collected, or the tests cannot be traced; what is printed says why.
        """
        if session.testsfailed:
            raise session.Interrupted("a file of tests cannot be collected")
        self.items = {item.nodeid: item for item in session.items}
        kept = self.trees[0].parent / "reach.json"

        def trace() -> int:
            forget()
            half = (time.monotonic() + self.deadline) / 2
            kept.write_text(json.dumps(reach.reach(session.items, self.tracer, half), default=sorted))
            return 0

        tracer = fork(self.trees[0].parent / "traced", trace)
        try:
            os.waitpid(tracer, 0)
        finally:
            end(tracer)
        if not kept.exists():
            print((self.trees[0].parent / "traced").read_text(encoding="utf-8", errors="replace")[-3000:])
            raise session.Interrupted("the tests could not be traced")
        traced, failed = json.loads(kept.read_text())
        cases = [reach.Test(name, seconds, frozenset(functions)) for name, seconds, functions in traced]
        self.tell({"cases": len(cases), "failed": failed})
        jobs = list(jobs_of(self.mutants, cases, failed, self.held_by))
        for verdict in judge(jobs, self.trees[1:], self.work, self.deadline):
            self.tell(verdict._replace(mutant=self.mutants.index(verdict.mutant)))  # type: ignore[arg-type]
        return True

    def work(self, job: Job, tree: Path) -> int:
        """Judge a mutant in this process, a child; return 0 if it survives."""
        source = (tree / job.mutant.path).read_text(encoding="utf-8")
        mutated = job.mutant.applied(source)
        if not exchange(str(self.trees[0] / job.mutant.path), source, mutated):
            return fresh(tree, job.mutant, mutated, job.fresh)
        outcome = reach.Outcome()
        items = [self.items[case.id] for case in job.cases]
        items[0].config.pluginmanager.register(outcome)
        for item, following, case in zip(items, [*items[1:], None], job.cases, strict=True):
            reach.run_item(item, following, GRACE + PATIENCE * case.seconds, 2 + 5 * case.seconds)
            if outcome.failed:
                print(f"\nFAILED {outcome.failed[0]}")
                return 1
        if f"{job.mutant.path}::{job.mutant.function}" in self.early:
            return fresh(tree, job.mutant, mutated, job.fresh)
        return 0


def verdicts(
    mutants: Sequence[Mutant],
    files: Sequence[str],
    trees: Sequence[Path],
    deadline: float,
    held_by: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Verdict]:
    """Judge mutants by files of tests: in one tree more than mutants are judged at once.

    Raises:
        SystemExit: the tests cannot be collected, with the end of what pytest printed.
    """
    reading, writing = os.pipe()
    output = trees[0].parent / "output"

    def work() -> int:
        os.close(reading)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        os.environ |= {"OPENBLAS_NUM_THREADS": "1", "STEPSCOPE_DATA": "/nonexistent", "COLUMNS": "100"}
        # What fresh processes compile is kept: to compile every module again would take longer than most tests.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPATH"] = str(trees[0])
        os.chdir(trees[0])
        sys.path[:] = [
            str(trees[0]),
            *(path for path in sys.path if not path.startswith(str(ROOT / "tests"))),
        ]
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:

            def tell(message: object) -> None:
                print(json.dumps(message), file=pipe, flush=True)

            host = Host(mutants, trees, deadline, held_by, tell)
            status = int(pytest.main(["-s", *OPTIONS, *files], plugins=[host]))
            sys.stdout.flush()  # before the other end knows that nothing more comes
            return status

    process = fork(output, work)
    os.close(writing)
    try:
        with os.fdopen(reading, encoding="utf-8") as pipe:
            traced = json.loads(pipe.readline() or "null")
            if traced is None:
                raise SystemExit(f"the tests could not be run:\n{output.read_text()[-2000:]}")
            print(f"{traced['cases']} cases judge", flush=True)
            for name in traced["failed"]:
                print(f"  fails without a mutant, or takes too long, and judges nothing: {name}", flush=True)
            for line in pipe:
                number, *rest = json.loads(line)
                yield Verdict(mutants[number], *rest)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
