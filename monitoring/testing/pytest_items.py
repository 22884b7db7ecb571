"""Monitor tests as pytest items: `pytest monitors/` runs the same files as `stepscope test`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from monitoring.testing.cases import Case
from monitoring.testing.explanation import explain, title
from monitoring.testing.loader import load
from monitoring.testing.problems import DocumentError
from monitoring.testing.project import Folder
from monitoring.testing.runner import CaseResult, run_case


class MonitorFile(pytest.File):
    """One NAME.test.yaml."""

    def collect(self) -> Iterable[pytest.Item]:
        """One item a case; a file that cannot be used is an error of collection."""
        try:
            cases = load(self.path, self._shown())
        except DocumentError as error:
            raise self.CollectError(str(error)) from error
        folder = Folder(self.path.parent)
        for case in cases:
            yield MonitorItem.from_parent(self, name=title(CaseResult(case)), case=case, folder=folder)

    def _shown(self) -> str:
        try:
            return str(self.path.relative_to(Path.cwd()))
        except ValueError:
            return str(self.path)


class MonitorItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, folder: Folder, **rest: Any) -> None:
        super().__init__(**rest)
        self.case, self.folder = case, folder

    def runtest(self) -> None:
        """Run the case."""
        result = run_case(self.case, self.folder)
        if not result.passed:
            raise MonitorTestFailed(explain(result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the report of the case instead of a traceback."""
        if isinstance(excinfo.value, MonitorTestFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file and line of the case."""
        return self.path, self.case.place.line - 1, f"monitor: {self.name}"


class MonitorTestFailed(Exception):  # noqa: N818 - it reads as what happened
    """A case that did not pass; its text is the report."""
