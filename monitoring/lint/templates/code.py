"""The Python code of functions, as far as it lies on this disk: handlers, and what they print and call."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from monitoring.lint.templates.application import Code


class AwsCall(NamedTuple):
    """A call of an AWS client: service and method as boto3 names them, and where it stands."""

    service: str
    method: str
    node: ast.Call


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def parsed(code: Code) -> ast.Module | None:
    """Return the file's syntax tree, or None where it is not Python of this version."""
    try:
        return ast.parse(code.text.text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def offset(code: Code, line: int, column: int) -> int:
    """Return the offset of a place that Python's parser gives: lines from 1, columns in bytes of UTF-8."""
    lines = code.text.text.split("\n")
    before = sum(len(part) + 1 for part in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:column].decode(errors="ignore"))


def handler_function(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the handler if it is a plain function of the module that nothing wraps afterwards."""
    functions = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    assigned = any(
        isinstance(target, ast.Name) and target.id == name
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )
    return functions[-1] if functions and not assigned else None


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` of a name or attribute, of a call what is called; "" for anything else."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def reachable(tree: ast.Module, handler: str) -> list[ast.AST]:
    """Return the statements that run when the handler is called: the module's own, and those of functions.

    Functions count that the handler, or one that counts, names; methods do not, because who calls them is not
    certain.
    """
    functions = {node.name: node for node in tree.body if isinstance(node, _FUNCTIONS)}
    statements: list[ast.AST] = [
        node for node in tree.body if not isinstance(node, (*_FUNCTIONS, ast.ClassDef))
    ]
    pending, known = [handler], {handler}
    while pending:
        function = functions.get(pending.pop())
        if function is None:
            continue
        statements += function.body
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} - known
        known |= names
        pending += names
    return statements


def client_calls(tree: ast.Module, statements: Iterable[ast.AST]) -> Iterator[AwsCall]:
    """Yield the calls of AWS clients that are certain: on a name that is only ever assigned one client.

    `boto3.client("s3").get_object(…)` counts, and `s3 = boto3.client("s3")` with `s3.get_object(…)`.
    """
    clients = _clients(tree)
    for node in (part for statement in statements for part in ast.walk(statement)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        service = clients.get(owner.id, "") if isinstance(owner, ast.Name) else _client(owner)
        if service:
            yield AwsCall(service, node.func.attr, node)


def _clients(tree: ast.Module) -> Mapping[str, str]:
    """Return the names that are assigned once, and to a client, in the whole module."""
    names: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            service = _client(node.value) if node.value is not None else ""
            for target in targets:
                if isinstance(target, ast.Name):
                    names.setdefault(target.id, []).append(service)
        elif isinstance(node, ast.arg):
            names.setdefault(node.arg, []).append("")
    return {name: services[0] for name, services in names.items() if len(services) == 1 and services[0]}


def _client(node: ast.expr) -> str:
    """Return the service of `boto3.client("s3")`; "" for anything else, and for other credentials."""
    if not isinstance(node, ast.Call) or dotted(node.func) != "boto3.client" or not node.args:
        return ""
    others = {keyword.arg for keyword in node.keywords} - {"region_name", "config", "service_name"}
    service = node.args[0]
    is_text = isinstance(service, ast.Constant) and isinstance(service.value, str)
    return str(service.value) if is_text and not others else ""  # type: ignore[attr-defined]
