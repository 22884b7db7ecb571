"""Test monitors: test files next to the monitors have submitted data and the expected states."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitoring.testing.cases import Case
    from monitoring.testing.collect import Report, Selection, find_files, run_file, run_files
    from monitoring.testing.compare import Failure
    from monitoring.testing.explanation import explain
    from monitoring.testing.loader import load, loads
    from monitoring.testing.problems import CaseProblem, DocumentError, Place
    from monitoring.testing.project import Folder
    from monitoring.testing.runner import CaseResult, run_case

_LATER = {
    "Case": "cases",
    "Report": "collect",
    "Selection": "collect",
    "find_files": "collect",
    "run_file": "collect",
    "run_files": "collect",
    "Failure": "compare",
    "DocumentError": "problems",
    "Place": "problems",
    "CaseProblem": "problems",
    "explain": "explanation",
    "load": "loader",
    "loads": "loader",
    "Folder": "project",
    "CaseResult": "runner",
    "run_case": "runner",
}
"""Name -> the module that holds it: loaded when asked for, so that a backtest reads no YAML."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


__all__ = [
    "Case",
    "CaseProblem",
    "CaseResult",
    "DocumentError",
    "Failure",
    "Folder",
    "Place",
    "Report",
    "Selection",
    "explain",
    "find_files",
    "load",
    "loads",
    "run_case",
    "run_file",
    "run_files",
]
