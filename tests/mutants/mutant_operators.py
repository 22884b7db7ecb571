"""Make mutants of Python source: small harmful edits, each at one place of the text.

A mutant is a span of the source and the text that takes its place, so that everything else stays as it was written.
Left alone is what no result depends on: docstrings, annotations, `Literal`, decorators, imports, `__all__`, code for type
checkers, assertions (`zip(strict=)` is one), `__repr__`, texts with a space (messages), and the keywords in UNSEEN.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from types import UnionType
from typing import NamedTuple


class Mutant(NamedTuple):
    """One edit: `path`, function, name of the operator, what stands there and what takes its place.

    `start` and `end` are offsets into the UTF-8 encoded text; `line` and `last` count from 1; `number` tells
    equal edits within one function apart.
    """

    path: str
    function: str
    operator: str
    before: str
    after: str
    start: int
    end: int
    line: int
    last: int
    number: int = 1

    @property
    def key(self) -> str:
        """Return the name of the mutant that stays the same while other lines change."""
        number = f" #{self.number}" if self.number > 1 else ""
        return f"{self.path}::{self.function} | {_brief(self.before)} -> {_brief(self.after)}{number}"

    def applied(self, source: str) -> str:
        """Return the source with the edit made."""
        text = source.encode()
        return (text[: self.start] + self.after.encode() + text[self.end :]).decode()


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:60]} … {line[-27:]}"


COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
CALLS = {
    "min": "max",
    "max": "min",
    "sum": "max",
    "any": "all",
    "all": "any",
    "sorted": "list",
    "reversed": "list",
    "floor": "ceil",
    "ceil": "floor",
    "round": "int",
    "mean": "sum",
    "nansum": "nanmax",
    "nanmin": "nanmax",
    "nanmax": "nanmin",
    "nanmean": "nansum",
    "minimum": "maximum",
    "maximum": "minimum",
    "startswith": "endswith",
    "endswith": "startswith",
    "lower": "upper",
    "partition": "rpartition",
    "rpartition": "partition",
    "removeprefix": "removesuffix",
    "popleft": "pop",
    "appendleft": "append",
}
UNSEEN: dict[str, frozenset[str]] = {
    "": frozenset({"hint", "encoding"}),
    "zip": frozenset({"strict"}),
    "Thread": frozenset({"name"}),
    "Timer": frozenset({"name"}),
    "ThreadPoolExecutor": frozenset({"thread_name_prefix"}),
}
"""Keywords by function ("": of any) that change no result: words of a message, an encoding that is the default
(PEP 686; the tests run in UTF-8), an assertion, the name of a thread."""
WORDS = {"left": "right", "right": "left"}
Edit = tuple[str, ast.AST, str]
"""Name of the operator, node that it replaces, text of the replacement."""


def _changed(node: ast.AST, **fields: object) -> str:
    copy = type(node)(**{name: getattr(node, name, None) for name in node._fields})
    for name, value in fields.items():
        setattr(copy, name, value)
    return f"({ast.unparse(copy)})"


def _without(items: list[ast.expr], at: int) -> list[ast.expr]:
    return items[:at] + items[at + 1 :]


def _of_compare(node: ast.Compare) -> Iterator[Edit]:
    for at, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            yield "comparison", node, _changed(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])


def _of_bool(node: ast.BoolOp) -> Iterator[Edit]:
    yield "and/or", node, _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for at in range(len(node.values)):
        rest = _without(node.values, at)
        yield (
            "operand removed",
            node,
            f"({ast.unparse(rest[0])})" if len(rest) == 1 else _changed(node, values=rest),
        )


def _of_constant(node: ast.Constant) -> Iterator[Edit]:
    value = node.value
    if isinstance(value, bool):
        yield "True/False", node, str(not value)
    elif isinstance(value, int | float):
        yield "constant + 1", node, f"({value + 1!r})"
        yield "constant - 1", node, f"({value - 1!r})"
    elif isinstance(value, str) and value in WORDS:
        yield "word", node, repr(WORDS[value])
    elif isinstance(value, str) and value and " " not in value and "\n" not in value and value.isascii():
        yield "text", node, repr(f"{value}XX")


def _of_unary(node: ast.UnaryOp) -> Iterator[Edit]:
    if isinstance(node.op, ast.Not):
        yield "not removed", node, f"({ast.unparse(node.operand)})"
    elif isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign", node, f"({ast.unparse(node.operand)})"


def _unseen(function: str, keyword: ast.keyword) -> bool:
    return keyword.arg in UNSEEN[""] | UNSEEN.get(function, frozenset())


def _of_call(node: ast.Call) -> Iterator[Edit]:
    function, name = node.func, _called(node)
    if name in CALLS and not (CALLS[name] == "list" and node.keywords):
        other = (
            ast.Name(CALLS[name])
            if isinstance(function, ast.Name)
            else ast.Attribute(function.value, CALLS[name])
        )
        yield "call swapped", node, _changed(node, func=other)
    if isinstance(function, ast.Attribute) and name in {"strip", "lower", "rstrip", "lstrip", "copy"}:
        yield "call removed", node, f"({ast.unparse(function.value)})"
    for at, keyword in enumerate(node.keywords):
        if keyword.arg is not None and not _unseen(name, keyword):
            yield (
                "keyword removed",
                node,
                _changed(node, keywords=node.keywords[:at] + node.keywords[at + 1 :]),
            )


def _of_branch(node: ast.If | ast.IfExp | ast.While) -> Iterator[Edit]:
    yield "branch never", node.test, "False"
    if not isinstance(node, ast.While):
        yield "branch always", node.test, "True"


def _of_return(node: ast.Return) -> Iterator[Edit]:
    if node.value is not None and not isinstance(node.value, ast.Constant):
        empty = {ast.Tuple: "()", ast.List: "[]", ast.ListComp: "[]", ast.Dict: "{}", ast.DictComp: "{}"}
        yield "return value", node.value, empty.get(type(node.value), "None")


def _of_statement(node: ast.AST) -> Iterator[Edit]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    stored = any(isinstance(target, ast.Subscript | ast.Attribute) for target in targets)
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)
    if call or stored or isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete):
        yield "statement removed", node, "pass"


def _of_comprehension(node: ast.comprehension) -> Iterator[Edit]:
    for test in node.ifs:
        yield "filter removed", test, "True"


def _of_binary(node: ast.BinOp | ast.AugAssign) -> Iterator[Edit]:
    if type(node.op) in ARITHMETIC:
        text = _changed(node, op=ARITHMETIC[type(node.op)]())
        yield "arithmetic", node, text[1:-1] if isinstance(node, ast.AugAssign) else text


MAKERS: tuple[tuple[type | UnionType, Callable[..., Iterator[Edit]]], ...] = (
    (ast.Compare, _of_compare),
    (ast.BoolOp, _of_bool),
    (ast.Constant, _of_constant),
    (ast.UnaryOp, _of_unary),
    (ast.Call, _of_call),
    (ast.If | ast.IfExp | ast.While, _of_branch),
    (ast.Return, _of_return),
    (ast.comprehension, _of_comprehension),
    (ast.BinOp | ast.AugAssign, _of_binary),
    (ast.stmt, _of_statement),
)


def _edits(node: ast.AST) -> Iterator[Edit]:
    """Yield the edits at one node."""
    for kind, make in MAKERS:
        if isinstance(node, kind):
            yield from make(node)


def _skipped(node: ast.AST) -> bool:
    """Return whether nothing in the node is mutated."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Global | ast.Nonlocal | ast.Assert):
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"__all__", "__slots__"}:
        return True
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
        return True
    if isinstance(node, ast.FunctionDef) and node.name == "__repr__":
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _called(node: ast.Call) -> str:
    """Return the name of the function that is called, without what it is an attribute of."""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _seen_of_call(node: ast.Call) -> list[ast.AST]:
    """Return what of a call is mutated: not the type that `cast` names, nor keywords that change no result."""
    name = _called(node)
    if name in {"TypeVar", "NewType"}:
        return []
    values = node.args[1:] if name == "cast" else node.args
    return [node.func, *values, *(keyword for keyword in node.keywords if not _unseen(name, keyword))]


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the children of a node that are mutated: without annotations and decorators."""
    if isinstance(node, ast.Call):
        yield from _seen_of_call(node)
        return
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "type_comment"}:
            continue
        yield from (
            item for item in (value if isinstance(value, list) else [value]) if isinstance(item, ast.AST)
        )


def _walk(node: ast.AST, function: str, inside: bool) -> Iterator[tuple[str, Edit]]:
    if _skipped(node):
        return
    yield from ((function, edit) for edit in _edits(node))
    definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    for child in _children(node):
        if definition and not inside:
            name = f"{function}.{node.name}" if function else node.name
            # A default is evaluated where the function is defined, not where it is called.
            yield from _walk(child, name, not isinstance(node, ast.ClassDef))
        else:
            yield from _walk(child, function, inside)


def mutants(path: str, source: str) -> list[Mutant]:
    """Return every mutant of a source, in the order of its text."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    made, seen, counts = [], set(), Counter[tuple[str, ...]]()
    for function, (operator, node, after) in _walk(ast.parse(source), "", inside=False):
        start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        before = source.encode()[start:end].decode()
        if before == after or (start, end, after) in seen:
            continue
        seen.add((start, end, after))
        counts[function, _brief(before), _brief(after)] += 1
        number = counts[function, _brief(before), _brief(after)]
        place = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        made.append(Mutant(path, function, operator, before, after, start, end, *place, number))
    return sorted(made, key=lambda mutant: (mutant.start, mutant.end, mutant.after))
