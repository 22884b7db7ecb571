"""Read Terraform's language: parse files into blocks, and evaluate expressions in a scope of names.

https://developer.hashicorp.com/terraform/language/expressions
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from monitoring.discovery.hcl_functions import FUNCTIONS, UnknownValueError, text_of
from monitoring.errors import InputError

Node = Any
"""A tree or token of lark, which has no type annotations."""

_EVALUATION_ERRORS = (
    ArithmeticError, AttributeError, LookupError, RecursionError, StopIteration, TypeError, ValueError,
    re.error, yaml.YAMLError,
)  # fmt: skip
"""The exceptions that arguments of an unexpected type cause."""

_TRIVIA = {"new_line_or_comment"}
_ESCAPE = re.compile(r'\\(?:([nrt"\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))')
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_BEHIND_END = re.compile(r"(?m)^([ \t]*[A-Za-z][\w.-]*)[ \t]+$")
"""Blanks after the word that ends a heredoc: Terraform accepts them, the parser does not."""

_HEREDOC = re.compile(r"<<(-?)[^\n]*\n(.*?)\n?[ \t]*[\w.-]+\r?\n\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a file: `type "label" … { attributes and blocks }`; attributes are not evaluated yet."""

    type: str
    labels: tuple[str, ...]
    attributes: Mapping[str, Node]
    blocks: tuple["Block", ...]
    where: str


class Lazy:
    """A value whose parts are evaluated on access."""

    def get(self, key: Any) -> Any:
        """Return a part.

        Raises:
            UnknownValueError: the part does not exist, or is known only after deployment.
        """
        raise UnknownValueError(str(key))


def parse_file(path: Path) -> Block:
    """Return a file as one block without a type.

    Raises:
        InputError: the file cannot be read, or is not in Terraform's language.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return _body("", (), _parsed(text, str(path)).children[0], str(path), 1)


def _parsed(text: str, where: str) -> Node:
    try:
        import hcl2
        from lark.exceptions import LarkError
    except ImportError:
        raise InputError(
            "Terraform's language needs python-hcl2", where=where, hint='pip install "stepscope[local]"'
        ) from None
    text = _BEHIND_END.sub(r"\1", text)
    try:
        return hcl2.parses_to_tree(text if text.endswith("\n") else f"{text}\n")
    except (LarkError, RecursionError) as error:
        line = getattr(error, "line", None)
        place = f"{where}:{line}" if isinstance(line, int) and line > 0 else where
        reason = str(error).partition("\n")[0]
        raise InputError(f"is not in Terraform's language: {reason}", where=place) from None


def _body(kind: str, labels: tuple[str, ...], body: Node, path: str, line: int) -> Block:
    attributes: dict[str, Node] = {}
    blocks: list[Block] = []
    for item in _trees(body):
        if item.data == "attribute":
            name, value = _trees(item)
            attributes[_word(name)] = value
        elif item.data == "block":
            *head, inner = _trees(item)
            start = getattr(item.meta, "line", line)
            words = [_word(part) for part in head]
            blocks.append(_body(words[0], tuple(words[1:]), inner, path, start))
    return Block(kind, labels, attributes, tuple(blocks), f"{path}:{line}")


def _trees(node: Node) -> list[Node]:
    return [child for child in node.children if hasattr(child, "data") and child.data not in _TRIVIA]


def _word(node: Node) -> str:
    if node.data == "string":
        return "".join(str(part.children[0]) for part in _trees(node))
    return str(node.children[0])


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that are available in expressions.

    Attributes:
        names: name -> value: `var`, `local`, variables of `for`, …
        root: returns the value of any other first name of a traversal: a resource's type.
        folder: the base of relative paths of `file()`.
    """

    names: Mapping[str, Any]
    root: Callable[[str], Any]
    folder: Path
    depth: int = field(default=0)

    def inner(self, names: Mapping[str, Any]) -> "Scope":
        """Return a scope with additional names."""
        return Scope({**self.names, **names}, self.root, self.folder, self.depth + 1)

    def evaluate(self, node: Node) -> Any:
        """Return the value of an expression.

        Raises:
            UnknownValueError: a name or function is unknown, or a value has an unexpected type.
        """
        if self.depth > 50:
            raise UnknownValueError("an expression that is nested too deeply")
        rule = _RULES.get(node.data)
        if rule is None:
            raise UnknownValueError(f"an expression of the kind {node.data}")
        try:
            return rule(self, node)
        except _EVALUATION_ERRORS as error:
            raise UnknownValueError(f"{type(error).__name__}: {error}") from None

    def _single(self, node: Node) -> Any:
        return self.evaluate(_trees(node)[0])

    def _literal(self, node: Node) -> Any:
        return {"true": True, "false": False, "null": None}[str(node.children[0])]

    def _number(self, node: Node) -> Any:
        text = str(node.children[0])
        return int(text) if node.data == "int_lit" else float(text)

    def _identifier(self, node: Node) -> Any:
        name = str(node.children[0])
        return self.names[name] if name in self.names else self.root(name)

    def _string(self, node: Node) -> Any:
        values = [self._part(part) for part in _trees(node)]
        if len(values) == 1 and not isinstance(values[0], str):
            return values[0]
        return "".join(map(text_of, values))

    def _part(self, node: Node) -> Any:
        child = node.children[0]
        if not hasattr(child, "data"):
            text = str(child)
            return text[1:] if child.type.startswith("ESCAPED") else _unescaped(text)
        if child.data != "interpolation":
            raise UnknownValueError("a directive in a quoted text")
        return self.evaluate(_trees(child)[0])

    def _heredoc(self, node: Node) -> str:
        match = _HEREDOC.fullmatch(str(node.children[0]))
        if match is None:
            return ""
        text = match[2]
        if match[1]:
            lines = text.split("\n")
            indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
            text = "\n".join(line[min(indents, default=0) :] for line in lines)
        return self.render(f"{text}\n")

    def _tuple(self, node: Node) -> list[Any]:
        return [self.evaluate(item) for item in _trees(node)]

    def _object(self, node: Node) -> dict[str, Any]:
        return {self._key(key): self.evaluate(value) for key, value in map(_trees, _trees(node))}

    def _key(self, node: Node) -> str:
        inner = _trees(node)[0]
        if inner.data == "expr_term" and len(inner.children) == 1 and inner.children[0].data == "identifier":
            return str(inner.children[0].children[0])
        return str(inner.children[0]) if inner.data == "keyword" else text_of(self.evaluate(inner))

    def _conditional(self, node: Node) -> Any:
        condition, yes, no = _trees(node)
        return self.evaluate(yes if self.evaluate(condition) in (True, "true") else no)

    def _binary(self, node: Node) -> Any:
        left, term = _trees(node)
        sign, right = _trees(term)
        symbol = str(sign.children[0]).split()[-1]
        value = self.evaluate(left)
        if symbol in ("&&", "||"):
            decided = value in (True, "true")
            return decided if decided == (symbol == "||") else self.evaluate(right) in (True, "true")
        return _OPERATORS[symbol](value, self.evaluate(right))

    def _unary(self, node: Node) -> Any:
        value = self.evaluate(_trees(node)[0])
        return -value if str(node.children[0]) == "-" else value not in (True, "true")

    def _call(self, node: Node) -> Any:
        parts = _trees(node)
        name = str(parts[0].children[0])
        nodes = _trees(parts[1]) if len(parts) > 1 else []
        if name in ("try", "can"):
            return self._first(nodes, is_test=name == "can")
        arguments = [self.evaluate(item) for item in nodes]
        if len(parts) > 1 and any(str(child) == "..." for child in parts[1].children):
            arguments[-1:] = arguments[-1]
        if name == "templatefile":
            text = (self.folder / str(arguments[0])).read_text(encoding="utf-8")
            return Scope(arguments[1] if len(arguments) > 1 else {}, self.root, self.folder).render(text)
        if name not in FUNCTIONS:
            raise UnknownValueError(f"the function {name}()")
        try:
            return FUNCTIONS[name](self.folder, *arguments)
        except OSError as error:
            raise UnknownValueError(f"{name}(): {error.strerror}: {error.filename}") from None

    def _first(self, nodes: list[Node], *, is_test: bool) -> Any:
        for node in nodes:
            try:
                value = self.evaluate(node)
            except UnknownValueError:
                continue
            return True if is_test else value
        if is_test:
            return False
        raise UnknownValueError("try() without an expression that has a value")

    def _index(self, node: Node) -> Any:
        value, index = _trees(node)
        return follow(self.evaluate(value), self._step(index))

    def _step(self, node: Node) -> Any:
        if node.data == "get_attr":
            return str(_trees(node)[0].children[0])
        if node.data == "short_index":
            return int(str(node.children[-1]))
        return self.evaluate(_trees(node)[0])

    def _splat(self, node: Node) -> list[Any]:
        value, splat = _trees(node)
        items = self.evaluate(value)
        results = items if isinstance(items, list) else [] if items is None else [items]
        for step in _trees(splat):
            results = [follow(item, self._step(step)) for item in results]
        return results

    def _for(self, node: Node) -> Any:
        intro, *bodies = _trees(node)
        *variables, collection = _trees(intro)
        names = [str(variable.children[0]) for variable in variables]
        condition = bodies.pop() if bodies[-1].data == "for_cond" else None
        values: list[Any] = []
        for key, value in pairs(self.evaluate(collection)):
            scope = self.inner(dict(zip(names, (key, value) if len(names) == 2 else (value,), strict=False)))
            if condition is None or scope.evaluate(_trees(condition)[0]) in (True, "true"):
                values.append([scope.evaluate(body) for body in bodies])
        if node.data == "for_tuple_expr":
            return [value for (value,) in values]
        if any(str(child) == "..." for child in node.children):
            groups: dict[str, list[Any]] = {}
            for key, value in values:
                groups.setdefault(text_of(key), []).append(value)
            return groups
        return {text_of(key): value for key, value in values}

    def expression(self, text: str) -> Any:
        """Return the value of an expression, given as text.

        Raises:
            UnknownValueError: it cannot be parsed or evaluated.
        """
        try:
            body = _parsed(f"x = ({text})", "template").children[0]
        except InputError as error:
            raise UnknownValueError(str(error)) from None
        return self.evaluate(_trees(_trees(body)[0])[1])

    def render(self, text: str) -> str:
        """Return a template's text with `${…}` and `%{ if }`, `%{ for }` replaced.

        Raises:
            UnknownValueError: an expression has no value, or a directive is not closed.
        """
        parts = list(template_parts(text))
        rendered, rest = self._rendered(parts)
        if rest:
            raise UnknownValueError(f"the directive {rest[0][1]!r}")
        return rendered

    def _rendered(self, parts: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
        """Render up to a directive that was not opened here; return the text and the remaining parts."""
        texts: list[str] = []
        while parts:
            kind, text = parts[0]
            if kind == "%":
                word = text.split()[0] if text.split() else ""
                if word not in ("if", "for"):
                    return "".join(texts), parts
                rendered, parts = getattr(self, f"_render_{word}")(text, parts[1:])
                texts.append(rendered)
                continue
            texts.append(text_of(self.expression(text)) if kind == "$" else text)
            parts = parts[1:]
        return "".join(texts), []

    def _render_if(self, text: str, parts: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
        is_true = self.expression(text.split(None, 1)[1]) in (True, "true")
        yes, rest = self._rendered(parts)
        no = ""
        if rest and rest[0][1] == "else":
            no, rest = self._rendered(rest[1:])
        return yes if is_true else no, rest[1:]

    def _render_for(self, text: str, parts: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
        head, _, collection = text[3:].partition(" in ")
        names = [name.strip() for name in head.split(",")]
        rest, texts = parts, []
        for key, value in pairs(self.expression(collection)):
            scope = self.inner(dict(zip(names, (key, value) if len(names) == 2 else (value,), strict=False)))
            rendered, rest = scope._rendered(parts)
            texts.append(rendered)
        if not texts:
            depth = 1
            while rest and depth:
                word = rest[0][1].split()[0] if rest[0][0] == "%" and rest[0][1].split() else ""
                depth += {"for": 1, "endfor": -1}.get(word, 0)
                rest = rest[1:] if depth else rest
        return "".join(texts), rest[1:]


def follow(value: Any, key: Any) -> Any:
    """Return a part of a value.

    Raises:
        UnknownValueError: the part does not exist.
    """
    if isinstance(value, Lazy):
        return value.get(key)
    if isinstance(value, list):
        return value[int(key)]
    if isinstance(value, Mapping) and text_of(key) in value:
        return value[text_of(key)]
    raise UnknownValueError(f"no attribute {key}")


def pairs(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the keys and values of a collection.

    Raises:
        UnknownValueError: the value is not a collection.
    """
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | set | tuple):
        yield from enumerate(value)
    else:
        raise UnknownValueError("a collection that only the deployment knows")


def template_parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield `("", text)`, `("$", expression)` and `("%", directive)` of a template."""
    position = start = 0
    while position < len(text) - 1:
        if (
            text[position] in "$%"
            and text[position + 1] == text[position]
            and text[position + 2 : position + 3] == "{"
        ):
            yield "", text[start : position + 1]
            start = position + 2
            position += 3
        elif text[position] in "$%" and text[position + 1] == "{":
            end = _end(text, position + 2)
            yield "", text[start:position]
            yield text[position], text[position + 2 : end].strip("~").strip()
            position = start = end + 1
        else:
            position += 1
    yield "", text[start:]


def _end(text: str, position: int) -> int:
    depth, is_quoted = 1, False
    while position < len(text):
        character = text[position]
        if character == "\\" and is_quoted:
            position += 1
        elif character == '"':
            is_quoted = not is_quoted
        elif not is_quoted and character in "{}":
            depth += 1 if character == "{" else -1
            if not depth:
                return position
        position += 1
    raise UnknownValueError("an interpolation that is not closed")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: _ESCAPED[m[1]] if m[1] else chr(int(m[2] or m[3], 16)), text)


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le,
    ">=": operator.ge, "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": operator.truediv, "%": operator.mod,
}  # fmt: skip
_RULES: dict[str, Callable[[Scope, Node], Any]] = {
    "expr_term": Scope._single,
    "literal_value": Scope._literal,
    "int_lit": Scope._number,
    "float_lit": Scope._number,
    "identifier": Scope._identifier,
    "string": Scope._string,
    "heredoc_template": Scope._heredoc,
    "heredoc_template_trim": Scope._heredoc,
    "tuple": Scope._tuple,
    "object": Scope._object,
    "conditional": Scope._conditional,
    "binary_op": Scope._binary,
    "unary_op": Scope._unary,
    "function_call": Scope._call,
    "index_expr_term": Scope._index,
    "get_attr_expr_term": Scope._index,
    "attr_splat_expr_term": Scope._splat,
    "full_splat_expr_term": Scope._splat,
    "for_tuple_expr": Scope._for,
    "for_object_expr": Scope._for,
}
