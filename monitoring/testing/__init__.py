"""Tests of monitors: files beside the monitors say what was submitted, and what the monitor has to do."""

from monitoring.testing.cases import Case
from monitoring.testing.collect import Report, Selection, find_files, run_file, run_files
from monitoring.testing.compare import Failure
from monitoring.testing.document import DocumentError, Place, Problem
from monitoring.testing.explain import explain
from monitoring.testing.loader import load, loads
from monitoring.testing.project import Folder
from monitoring.testing.runner import Result, run_case

__all__ = [
    "Case",
    "DocumentError",
    "Failure",
    "Folder",
    "Place",
    "Problem",
    "Report",
    "Result",
    "Selection",
    "explain",
    "find_files",
    "load",
    "loads",
    "run_case",
    "run_file",
    "run_files",
]
