"""Traces of executions: read from a file or a database, and printed step by step as text or data."""

from monitoring.trace.inside import read_inside
from monitoring.trace.read import Execution, choose, executions_of_spans, read_executions, replayed_spans
from monitoring.trace.text import as_lines, as_text
from monitoring.trace.view import as_data, incomplete, summary

__all__ = [
    "Execution",
    "as_data",
    "as_lines",
    "as_text",
    "choose",
    "executions_of_spans",
    "incomplete",
    "read_executions",
    "read_inside",
    "replayed_spans",
    "summary",
]
