"""Which tests call which functions, and how long each takes: what makes a mutant a matter of seconds."""

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

import pytest

SLOW = 5.0, 3.0
"""Seconds of waiting and of the processor after which a case of a test is cut off while it is traced: it judges nothing."""
WORKING = 0.1
"""Share of the time by the clock from which on a test computes and does not wait."""
MOST = 10.0
"""Seconds that the cases of one test cost, after which its other cases are left out: they judge nothing."""


class Test(NamedTuple):
    """One case of a test: its name, the seconds that it takes, and the functions that it calls."""

    id: str
    seconds: float
    functions: frozenset[str]


class CutOffError(BaseException):
    """Say that a test took too long: no test expects it, and Hypothesis lets it through."""


@contextmanager
def cut_off(clock: float, processor: float = 0) -> Iterator[None]:
    """Raise CutOffError after so many seconds of the processor (unless 0), or of the clock where that is waited away.

    On a busy machine what computes takes longer by the clock.
    """
    begun = time.process_time()

    def late(number: int, _: object) -> None:
        nonlocal begun
        if number == signal.SIGALRM and processor and time.process_time() - begun > WORKING * clock:
            begun = time.process_time()
            signal.setitimer(signal.ITIMER_REAL, clock)
            return
        raise CutOffError

    signal.signal(signal.SIGALRM, late)
    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_REAL, clock)
    signal.setitimer(signal.ITIMER_PROF, processor)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


class Outcome:
    """A pytest plugin that keeps the names of the tests that fail, and of those that pass."""

    def __init__(self) -> None:
        """Begin without any."""
        self.failed: list[str] = []
        self.passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


def run_item(item: pytest.Item, following: pytest.Item | None, clock: float, processor: float = 0) -> None:
    """Run one case of a test, whose fixtures are kept for the one that follows; end its call when it takes too long."""

    class Limit:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(self) -> Iterator[None]:
            with cut_off(clock, processor):
                return (yield)

    limit = Limit()
    item.config.pluginmanager.register(limit)
    try:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    finally:
        item.config.pluginmanager.unregister(limit)


def function_of(code: CodeType) -> str:
    """Return the outermost function or method in which code was written; "" for that of a module or class."""
    name = code.co_qualname.split(".<locals>")[0]
    return "" if "<" in name else name


class Tracer:
    """Notes which functions of some sources are called."""

    def __init__(self, root: Path, sources: Sequence[str]) -> None:
        """Keep the folder and the sources in it."""
        self._files = {f"{root}/{source}": source for source in sources}
        self._seen: dict[int, CodeType] = {}

    def _trace(self, frame: FrameType, event: str, argument: object) -> None:
        self._seen[id(frame.f_code)] = frame.f_code

    @contextmanager
    def noting(self) -> Iterator[set[str]]:
        """Give a set that in the end has the functions that were called meanwhile, in any thread."""
        functions: set[str] = set()
        self._seen = {}
        sys.settrace(self._trace)  # type: ignore[arg-type]
        threading.settrace(self._trace)  # type: ignore[arg-type]
        try:
            yield functions
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            functions |= {
                f"{self._files[code.co_filename]}::{function_of(code)}"
                for code in list(self._seen.values())
                if code.co_filename in self._files
            }


def reach(items: Sequence[pytest.Item], tracer: Tracer, deadline: float) -> tuple[list[Test], list[str]]:
    """Run the tests with a tracer, none after the deadline; return those that pass, and the names of those that fail."""
    outcome, seconds = Outcome(), dict[str, float]()
    items[0].config.pluginmanager.register(outcome)
    traced: list[Test] = []
    for item, following in zip(items, [*items[1:], None], strict=True):
        name = item.nodeid.partition("[")[0]
        if seconds.get(name, 0) > MOST:
            continue
        if time.monotonic() > deadline:
            break
        start, begun = time.monotonic(), time.process_time()
        with tracer.noting() as functions:
            run_item(item, following, *SLOW)
        passed, worked = time.monotonic() - start, time.process_time() - begun
        cost = worked if worked > WORKING * passed else passed
        seconds[name] = seconds.get(name, 0) + cost
        traced.append(Test(item.nodeid, cost, frozenset(functions)))
    failed = set(outcome.failed)
    return [test for test in traced if test.id in outcome.passed - failed], sorted(failed)
