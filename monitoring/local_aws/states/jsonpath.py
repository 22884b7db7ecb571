"""JSONPath as Step Functions reads it: the dialect of the Java library that AWS uses (Jayway).

A path that can only name one value (`$.a[0]['b']`) is definite: it gives that value, or fails. A path with a
wildcard, slice, filter, list of indexes or `..` is indefinite: it gives a list, which may be empty.
"""

import functools
import json
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Emit = Callable[[Any, str], None]
_MISSING = object()


class PathSyntaxError(ValueError):
    """The text is not a JSONPath; says why and where."""


class PathNotFoundError(LookupError):
    """A definite path names nothing; the message is the one that AWS puts into causes."""


class _Step(NamedTuple):
    """One step of a path: `kind` is a key of `_WALK`, `value` what it selects."""

    kind: str
    value: Any
    text: str
    definite: bool


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path."""

    text: str
    steps: tuple[_Step, ...]

    @property
    def definite(self) -> bool:
        """Return whether the path names at most one value."""
        return all(step.definite for step in self.steps)

    @property
    def reference(self) -> bool:
        """Return whether it is a reference path: only names and constant indexes."""
        return all(
            (step.kind == "name" and len(step.value) == 1) or (step.kind == "index" and len(step.value) == 1)
            for step in self.steps
        )

    def keys(self) -> list[str | int]:
        """Return the names and indexes of a reference path."""
        return [step.value[0] for step in self.steps]

    def find(self, document: Any, *, strict: bool = False) -> Any:
        """Return what the path names in a document.

        Args:
            document: a JSON value.
            strict: fail where a final index lies beyond its array, in place of null as AWS's library gives.

        Raises:
            PathNotFoundError: it is definite and names nothing.
        """
        if self.steps and self.steps[-1].kind == "function":
            return _call(self.steps[-1].value, Path(self.text, self.steps[:-1]).find(document))
        values: list[Any] = []
        try:
            _walk(self.steps, 0, document, "$", True, document, values.append)
        except PathNotFoundError:
            if self.definite or self.steps[0].kind == "slice":
                raise
        if not self.definite:
            return [None if value is _MISSING else value for value in values]
        if not values or (strict and values[0] is _MISSING):
            raise PathNotFoundError("No results for path: $" + "".join(step.text for step in self.steps))
        return None if values[0] is _MISSING else values[0]


# -- evaluation


def _walk(
    steps: tuple[_Step, ...],
    at: int,
    value: Any,
    place: str,
    definite: bool,
    root: Any,
    report: Callable[[Any], None],
) -> None:
    """Follow the steps from `at` on; `definite` says whether the path up to here names at most one value."""
    if at == len(steps):
        report(value)
        return
    step = steps[at]

    def emit(inner: Any, where: str) -> None:
        _walk(steps, at + 1, inner, where, definite and step.definite, root, report)

    _WALK[step.kind](step, value, place, definite, at == len(steps) - 1, root, emit)


def _name(step: _Step, value: Any, place: str, definite: bool, leaf: bool, _: Any, emit: Emit) -> None:
    names = step.value
    if not isinstance(value, dict):
        if definite:
            kind = "null" if value is None else f"'{type_name(value)}'"
            raise PathNotFoundError(
                f"Expected to find an object with property {step.text} in path {place} but found {kind}. "
                "This is not a json object according to the JsonProvider: "
                "'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
            )
        return
    if len(names) > 1 and leaf:
        emit({name: value[name] for name in names if name in value}, place)
        return
    for name in names:
        if name in value:
            emit(value[name], f"{place}['{name}']")
        elif not leaf and definite and step.definite:
            raise PathNotFoundError(f"Missing property in path {place}['{name}']")


def _array(step: _Step, value: Any, place: str, definite: bool) -> bool:
    if isinstance(value, list):
        return True
    if definite:
        if value is None:
            raise PathNotFoundError(f"The path {place} is null")
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        raise PathNotFoundError(
            f"Filter: {step.text} can only be applied to arrays. Current context is: {text}"
        )
    return False


def _index(step: _Step, value: Any, place: str, definite: bool, leaf: bool, _: Any, emit: Emit) -> None:
    if not _array(step, value, place, definite):
        return
    for number in step.value:
        at = number + len(value) if number < 0 else number
        if 0 <= at < len(value):
            emit(value[at], f"{place}[{at}]")
        elif step.definite and (leaf or definite):
            emit(_MISSING if leaf else None, f"{place}[{at}]")


def _slice(step: _Step, value: Any, place: str, definite: bool, _: bool, __: Any, emit: Emit) -> None:
    if not _array(step, value, place, definite):
        return
    for at in range(*slice(*step.value).indices(len(value))):
        emit(value[at], f"{place}[{at}]")


def _children(value: Any, place: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, dict):
        yield from ((inner, f"{place}['{name}']") for name, inner in value.items())
    elif isinstance(value, list):
        yield from ((inner, f"{place}[{number}]") for number, inner in enumerate(value))


def _wildcard(_: _Step, value: Any, place: str, __: bool, ___: bool, ____: Any, emit: Emit) -> None:
    for inner, where in _children(value, place):
        emit(inner, where)


def _filter(step: _Step, value: Any, place: str, definite: bool, _: bool, root: Any, emit: Emit) -> None:
    if isinstance(value, dict):
        if step.value(value, root):
            emit(value, place)
    elif _array(step, value, place, definite):
        for number, inner in enumerate(value):
            if step.value(inner, root):
                emit(inner, f"{place}[{number}]")


def _scan(step: _Step, value: Any, place: str, _: bool, leaf: bool, root: Any, emit: Emit) -> None:
    inner: _Step = step.value
    if inner.kind == "wildcard" or _matches(inner, value):
        _WALK[inner.kind](inner, value, place, False, leaf, root, emit)
    for child, where in _children(value, place):
        _scan(step, child, where, False, leaf, root, emit)


def _matches(step: _Step, value: Any) -> bool:
    if step.kind == "name":
        return isinstance(value, dict) and all(name in value for name in step.value)
    return isinstance(value, list)


def _call(name: str, value: Any) -> Any:
    """Return what a function at the end of a path gives."""
    result = _FUNCTIONS[name](value)
    if result is None:
        raise PathNotFoundError("Aggregation function attempted to calculate value using empty array")
    return result


def _numbers(compute: Callable[[list[float]], float]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        numbers = [float(n) for n in value if is_number(n)] if isinstance(value, list) else []
        return compute(numbers) if numbers else None

    return apply


def _length(value: Any) -> Any:
    return len(value) if isinstance(value, list | dict | str) else None


def _at(position: int) -> Callable[[Any], Any]:
    return lambda value: value[position] if isinstance(value, list) and value else None


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "length": _length,
    "size": _length,
    "min": _numbers(min),
    "max": _numbers(max),
    "sum": _numbers(sum),
    "avg": _numbers(statistics.fmean),
    "stddev": _numbers(statistics.pstdev),
    "keys": lambda value: list(value) if isinstance(value, dict) else None,
    "first": _at(0),
    "last": _at(-1),
}

_WALK: dict[str, Callable[[_Step, Any, str, bool, bool, Any, Emit], None]] = {
    "name": _name,
    "index": _index,
    "slice": _slice,
    "wildcard": _wildcard,
    "filter": _filter,
    "scan": _scan,
}


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    """Return the JSON type of a value."""
    for name, kind in (("null", type(None)), ("boolean", bool), ("number", (int, float)), ("string", str)):
        if isinstance(value, kind):
            return name
    return "array" if isinstance(value, list) else "object"


# -- parsing

_TOKEN = {
    "dotted": re.compile(r"\.([^.\[\]()\s'\",*@?&|=<>!]+)"),
    "function": re.compile(r"\.([a-z]+)\(\s*\)"),
    "star": re.compile(r"\.\*|\[\s*\*\s*\]"),
    "quoted": re.compile(
        r"""\[\s*((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:\s*,\s*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))*)\s*\]"""
    ),
    "slice": re.compile(r"\[\s*(-?\d*)\s*:\s*(-?\d*)\s*\]"),
    "index": re.compile(r"\[\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*\]"),
}
_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


@functools.lru_cache(maxsize=4096)
def compile_path(text: str) -> Path:
    """path = "$" { "." name | ".*" | ".." step | "[" selector "]" | "." function "()" }

    Raises:
        PathSyntaxError: it is something else.
    """
    text = text.strip()
    if not text.startswith("$"):
        raise PathSyntaxError(f"'{text}' does not start with $")
    steps, end = _steps(text, 1)
    if end != len(text):
        raise PathSyntaxError(f"'{text}' is not a path at character {end + 1}: '{text[end:]}'")
    return Path(text, tuple(steps))


def _steps(text: str, at: int) -> tuple[list[_Step], int]:
    steps: list[_Step] = []
    while at < len(text):
        scan = text.startswith("..", at)
        begin = at + 1 if scan and not text.startswith("..[", at) else at + 2 if scan else at
        step, end = _step(text, begin)
        if step is None:
            if scan:
                raise PathSyntaxError(f"'{text}' ends within ..")
            break
        steps.append(_Step("scan", step, f"..{step.text}", False) if scan else step)
        at = end
    return steps, at


def _step(text: str, at: int) -> tuple[_Step | None, int]:
    at += text.startswith(".[", at)  # a dot before a bracket says nothing
    if text.startswith("[?", at):
        return _filter_step(text, at)
    for kind in ("function", "star", "dotted", "quoted", "slice", "index"):
        match = _TOKEN[kind].match(text, at)
        if match is None or (kind == "function" and match[1] not in _FUNCTIONS):
            continue
        return _made(kind, match), match.end()
    return None, at


def _made(kind: str, match: re.Match[str]) -> _Step:
    if kind == "function":
        return _Step("function", match[1], f".{match[1]}()", True)
    if kind == "star":
        return _Step("wildcard", None, "[*]", False)
    if kind == "dotted":
        return _Step("name", (match[1],), f"['{match[1]}']", True)
    if kind == "quoted":
        names = tuple(re.sub(r"\\(['\\])", r"\1", quoted[1:-1]) for quoted in _STRING.findall(match[1]))
        return _Step("name", names, "[" + ",".join(f"'{name}'" for name in names) + "]", True)
    if kind == "slice":
        bounds = tuple(int(part) if part else None for part in match.groups())
        return _Step("slice", bounds, f"[{match[1]}:{match[2]}]", False)
    numbers = tuple(int(part) for part in match[1].split(","))
    return _Step("index", numbers, f"[{','.join(map(str, numbers))}]", len(numbers) == 1)


# -- filters

Predicate = Callable[[Any, Any], Any]


def _filter_step(text: str, at: int) -> tuple[_Step, int]:
    parser = _Filter(text, at + 2)
    predicate = parser.alternatives()
    parser.expect("]")
    return _Step("filter", predicate, "[?]", False), parser.at


class _Filter:
    """filter = "?" or; or = and {"||" and}; and = not {"&&" not}; not = ["!"] ("(" or ")" | comparison)"""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def take(self, pattern: str) -> str | None:
        match = re.compile(r"\s*(" + pattern + ")").match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[1]

    def expect(self, what: str) -> None:
        if self.take(re.escape(what)) is None:
            raise PathSyntaxError(f"'{self.text}' needs {what} at character {self.at + 1}")

    def alternatives(self) -> Predicate:
        parts = [self.conjunction()]
        while self.take(r"\|\|"):
            parts.append(self.conjunction())
        return lambda item, root: any(part(item, root) for part in parts)

    def conjunction(self) -> Predicate:
        parts = [self.negation()]
        while self.take("&&"):
            parts.append(self.negation())
        return lambda item, root: all(part(item, root) for part in parts)

    def negation(self) -> Predicate:
        if self.take(r"!(?!=)"):
            inner = self.negation()
            return lambda item, root: not inner(item, root)
        if self.take(r"\("):
            inner = self.alternatives()
            self.expect(")")
            return inner
        return self.comparison()

    def comparison(self) -> Predicate:
        left = self.operand()
        operator = self.take(r"===?|!==?|=~|<=|>=|<|>|(?:in|nin|subsetof|anyof|noneof|contains|size|empty)\b")
        if operator is None:
            return lambda item, root: left(item, root) is not _MISSING
        if operator == "=~":
            return self._regular_expression(left)
        right = self.operand()
        compare = _OPERATORS[operator]
        return lambda item, root: compare(left(item, root), right(item, root))

    def _regular_expression(self, left: Predicate) -> Predicate:
        literal = self.take(r"/(?:[^/\\]|\\.)+/[ims]*")
        if literal is None:
            raise PathSyntaxError(f"'{self.text}' needs a regular expression at character {self.at + 1}")
        body, _, flags = literal[1:].rpartition("/")
        pattern = re.compile(body, sum(getattr(re, flag.upper()) for flag in flags))
        return lambda item, root: (
            isinstance(left(item, root), str) and pattern.fullmatch(left(item, root)) is not None
        )

    def operand(self) -> Predicate:
        symbol = self.take(r"[@$]")
        if symbol is not None:
            steps, self.at = _steps(self.text, self.at)
            path = Path(symbol, tuple(steps))
            return lambda item, root: _value_or_missing(path, item if symbol == "@" else root)
        literal = self.take(
            r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|(?:true|false|null)\b"""
            r"""|\[[^\]]*\]|[A-Za-z_][\w.-]*"""
        )
        if literal is None:
            raise PathSyntaxError(f"'{self.text}' needs a value at character {self.at + 1}")
        value = _literal(literal)
        return lambda _, __: value


def _literal(text: str) -> Any:
    if text[0].isalpha() and text not in {"true", "false", "null"}:
        return text  # AWS's library takes a word without quotation marks for a text
    if text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return json.loads(re.sub(r"'((?:[^'\\]|\\.)*)'", lambda quoted: json.dumps(quoted[1]), text))


def _value_or_missing(path: Path, document: Any) -> Any:
    try:
        return path.find(document, strict=True)
    except PathNotFoundError:
        return _MISSING


def equal(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal: true is not 1."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type_name(left) == type_name(right) and left == right if left is not _MISSING else False


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        alike = (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        return alike and compare(left, right)

    return apply


def _member(left: Any, right: Any) -> bool:
    return isinstance(right, list) and any(equal(left, value) for value in right)


def _any_of(left: Any, right: Any) -> bool:
    return isinstance(left, list) and any(_member(value, right) for value in left)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": equal,
    "===": equal,
    "!=": lambda left, right: not equal(left, right),
    "!==": lambda left, right: not equal(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "in": _member,
    "nin": lambda left, right: not _member(left, right),
    "subsetof": lambda left, right: isinstance(left, list) and all(_member(value, right) for value in left),
    "anyof": _any_of,
    "noneof": lambda left, right: not _any_of(left, right),
    "contains": lambda left, right: (
        right in left if isinstance(left, str) and isinstance(right, str) else _member(right, left)
    ),
    "size": lambda left, right: isinstance(left, list | str) and len(left) == right,
    "empty": lambda left, right: isinstance(left, list | str) and (not left) == right,
}
