"""Which tests call which functions, and how long each takes: what makes a mutant a matter of seconds.

`reach.json` beside this file keeps it by file of tests, with the digest of the file: a file that has changed is
run again with a tracer before mutants are judged by it.
"""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import pytest

FILE = Path(__file__).with_name("reach.json")


class Test(NamedTuple):
    """A test function of a file, with all its cases: seconds that they take, and the functions that they call."""

    id: str
    seconds: float
    functions: frozenset[str]


def digest(path: Path) -> str:
    """Return the digest of a file of tests."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def load(path: Path = FILE) -> dict[str, dict[str, Any]]:
    """Return what is kept: by file of tests its digest, the names of functions, and each test's seconds and functions.

    The file has one table of functions for all; what a test calls is written as ranges of their numbers, "3-5 9".
    """
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    functions = content["functions"]
    return {
        name: {
            "digest": entry["digest"],
            "functions": functions,
            "tests": {test: [seconds, numbers_of(text)] for test, (seconds, text) in entry["tests"].items()},
        }
        for name, entry in content["files"].items()
    }


def save(reach: Mapping[str, Mapping[str, Any]], path: Path = FILE) -> None:
    """Write it, a line for each test."""
    called = {
        (file, test): {entry["functions"][number] for number in numbers}
        for file, entry in reach.items()
        for test, (_, numbers) in entry["tests"].items()
    }
    functions = sorted(set().union(*called.values()))
    place = {function: number for number, function in enumerate(functions)}
    files = []
    for file, entry in sorted(reach.items()):
        tests = ",\n".join(
            f"  {json.dumps(test)}: {json.dumps([seconds, ranges(place[name] for name in called[file, test])])}"
            for test, (seconds, _) in entry["tests"].items()
        )
        files.append(
            f'{json.dumps(file)}: {{"digest": {json.dumps(entry["digest"])}, "tests": {{\n{tests}\n }}}}'
        )
    table = ",\n".join(map(json.dumps, functions))
    body = ",\n".join(files)
    text = f'{{"functions": [\n{table}\n],\n"files": {{\n{body}\n}}}}\n'
    path.write_text(text, encoding="utf-8")


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers as ranges: 3, 4, 5 and 9 are "3-5 9"."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return " ".join(f"{first}-{last}" if first < last else str(first) for first, last in spans)


def numbers_of(text: str) -> list[int]:
    """Read what `ranges` wrote."""
    spans = ([int(part) for part in span.split("-")] for span in text.split())
    return [number for span in spans for number in range(span[0], span[-1] + 1)]


def tests_of(reach: Mapping[str, Mapping[str, Any]], files: Iterable[str]) -> Iterator[Test]:
    """Yield the tests of the files."""
    for name in files:
        entry = reach.get(name, {"tests": {}, "functions": []})
        for test, (seconds, numbers) in entry["tests"].items():
            yield Test(f"{name}::{test}", seconds, frozenset(entry["functions"][at] for at in numbers))


def function_of(code: CodeType) -> str:
    """Return the outermost function or method in which code was written; "" for that of a module or class."""
    name = code.co_qualname.split(".<locals>")[0]
    return "" if "<" in name else name


class Tracer:
    """A pytest plugin that notes which functions of the package each test that passes calls."""

    def __init__(self, root: Path) -> None:
        """Keep the folder whose `monitoring` is looked at."""
        self.prefix = f"{root}/"
        self.package = f"{root}/monitoring/"
        self.called: dict[str, set[str]] = {}
        self.seconds: dict[str, float] = {}
        self.broken: set[str] = set()
        self.passed: set[str] = set()
        self._seen: set[int] = set()
        self._now: set[str] = set()

    def _trace(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if id(code) in self._seen:
            return
        self._seen.add(id(code))
        if code.co_filename.startswith(self.package):
            self._now.add(f"{code.co_filename.removeprefix(self.prefix)}::{function_of(code)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        name = item.nodeid.split("[")[0]
        self._now, self._seen = self.called.setdefault(name, set()), set()
        start = time.perf_counter()
        sys.settrace(self._trace)  # type: ignore[arg-type]
        threading.settrace(self._trace)  # type: ignore[arg-type]
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.split("[")[0]
        if report.failed:
            self.broken.add(name)
        elif report.when == "call" and report.passed:
            self.passed.add(name)

    def entries(self, digests: Mapping[str, str], sources: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return what was noted of the sources, as it is kept; a test that fails without a mutant judges nothing."""
        own, made = set(sources), {}
        called = {
            test: {name for name in names if name.partition("::")[0] in own}
            for test, names in self.called.items()
        }
        for file, text in digests.items():
            tests = {
                name.partition("::")[2]: name
                for name in sorted(self.passed - self.broken)
                if name.startswith(f"{file}::")
            }
            functions = sorted(set().union(*(called[name] for name in tests.values())))
            numbers = {function: at for at, function in enumerate(functions)}
            made[file] = {
                "digest": text,
                "functions": functions,
                "tests": {
                    test: [
                        round(self.seconds[name], 2),
                        sorted(numbers[function] for function in called[name]),
                    ]
                    for test, name in tests.items()
                },
            }
        return made
