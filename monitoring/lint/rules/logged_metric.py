"""logged-metric: a metric or trace line that goes through a logger, which puts its own words around it."""

import ast
from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, Spot, TemplateProblem
from monitoring.lint.templates.code import dotted, offset, parsed
from monitoring.lint.templates.kinds import TEMPLATE
from monitoring.lint.templates.text import PlacedText

RULE = Rule("logged-metric", "warning", "A handler that prints metric lines through logging.", TEMPLATE)

_LEVELS = {"debug", "info", "warning", "warn", "error", "critical", "exception", "log"}
_LOGGERS = {"logging", "logger", "log", "LOGGER", "LOG", "_logger", "_log"}


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each call of a logger with a MONITORING line, once a file."""
    for file, code in {code.file: code for code in application.codes.values()}.items():
        tree = parsed(code)
        for node in ast.walk(tree) if tree else ():
            if not isinstance(node, ast.Call) or not _is_logger(node) or not any(map(_is_line, node.args)):
                continue
            at = offset(code, node.lineno, node.col_offset)
            message = (
                f"{file.name} sends a metric line through logging: a prefix, or a level that is off, "
                "loses the point. Call count, gauge or histogram of monitoring, or print the line"
            )
            yield TemplateProblem(Spot(PlacedText(code.text, at), (), is_exact=False), message)


def _is_logger(node: ast.Call) -> bool:
    owner, _, method = dotted(node.func).rpartition(".")
    return method in _LEVELS and owner.rpartition(".")[2] in _LOGGERS


def _is_line(node: ast.expr) -> bool:
    """Return whether an argument is a MONITORING line, as text, f-string or `format_point(…)`."""
    if isinstance(node, ast.Call):
        return dotted(node.func).rpartition(".")[2] == "format_point"
    if isinstance(node, ast.JoinedStr):
        return bool(node.values) and _is_line(node.values[0])
    if isinstance(node, ast.BinOp):
        return _is_line(node.left)
    return isinstance(node, ast.Constant) and str(node.value).startswith("MONITORING|")
