"""Executions as people look at them: found in a file or a database, and told step by step."""

from monitoring.trace.read import Execution, choose, executions_of_spans, read_executions
from monitoring.trace.view import as_data, as_text, incomplete, summary

__all__ = [
    "Execution",
    "as_data",
    "as_text",
    "choose",
    "executions_of_spans",
    "incomplete",
    "read_executions",
    "summary",
]
