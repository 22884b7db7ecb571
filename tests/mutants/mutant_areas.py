"""The areas of the mutation run: which sources are mutated, and by which tests the mutants are judged."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Area(NamedTuple):
    """One area: `sources` are files and folders that are mutated, `tests` those that have to notice."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]

    def source_files(self, root: Path = ROOT) -> Iterator[str]:
        """Yield the Python files of the sources, relative to the root, in order of their names."""
        return files_of(self.sources, "*.py", root)

    def test_files(self, root: Path = ROOT) -> Iterator[str]:
        """Yield the files of tests, relative to the root, in order of their names."""
        return files_of(self.tests, "test_*.py", root)


def files_of(paths: tuple[str, ...], pattern: str, root: Path) -> Iterator[str]:
    """Yield the files that match the pattern under the paths, and the paths that are files themselves."""
    for path in paths:
        files = sorted((root / path).rglob(pattern)) if (root / path).is_dir() else [root / path]
        yield from (str(file.relative_to(root)) for file in files)


AREAS = {
    "monitor": Area(
        ("monitoring/monitor",),
        ("tests/monitor", "tests/testing/test_monitor_docs.py", "tests/testing/test_run_cases.py"),
    ),
    "query": Area(("monitoring/query",), ("tests/query",)),
    "plan": Area(("monitoring/deploy",), ("tests/deploy",)),
    "lint": Area(("monitoring/lint",), ("tests/lint",)),
    "forwarder": Area(("monitoring/forwarder",), ("tests/forwarder",)),
    "instrumentation": Area(("monitoring/instrumentation",), ("tests/instrumentation",)),
    "judge": Area(
        ("monitoring/drill/judge.py", "monitoring/drill/watching.py"), ("tests/drill/test_judge_rules.py",)
    ),
    "accounting": Area(
        ("monitoring/demo/accounting.py", "monitoring/demo/findings.py"), ("tests/demo/test_books.py",)
    ),
    "slo": Area(("monitoring/slo",), ("tests/slo", "tests/testing/test_slo_and_process_cases.py")),
    "resources": Area(
        ("monitoring/resources",), ("tests/resources", "tests/instrumentation/test_hot_catalog.py")
    ),
}
