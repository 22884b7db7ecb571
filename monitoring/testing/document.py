"""Reading a test file with the place of everything in it, so that each mistake is named by line and column.

Values are taken as they are written: `0x10` is not a hexadecimal number, `on` not a boolean and `12:30` not a
number of seconds. The schema, not YAML, decides what a text means.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitoring.testing.problems import CaseProblem, DocumentError, Place

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_LEVELS = 100


@dataclass(slots=True)
class DocumentReader:
    """Turns YAML nodes into values, and collects what is wrong instead of stopping at it."""

    file: str
    problems: list[CaseProblem] = field(default_factory=list)

    def place(self, node: yaml.Node, offset: int = 0) -> Place:
        """Return the place of a node; `offset` counts characters into a one-line text."""
        mark = node.start_mark
        quoted = getattr(node, "style", None) in {"'", '"'}
        return Place(self.file, mark.line + 1, mark.column + 1 + offset + (1 if quoted and offset else 0))

    def wrong(self, node: yaml.Node, message: str, hint: str = "", offset: int = 0) -> None:
        """Note a mistake at a node."""
        self.problems.append(CaseProblem(self.place(node, offset), message, hint))

    def parse(self, text: str) -> yaml.Node | None:
        """Parse the root node; a syntax error of YAML or too deep nesting is fatal."""
        try:
            self._check_depth(text)
            return yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            raise DocumentError([_explain(error, text, self.file)]) from error
        except yaml.YAMLError as error:  # a character that YAML forbids
            raise DocumentError([CaseProblem(Place(self.file, 1), f"this is not YAML: {error}")]) from error

    def _check_depth(self, text: str) -> None:
        """Refuse what is nested deeper than any test: libyaml's composer overflows the stack on it."""
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _MOST_LEVELS:
                mark = event.start_mark
                place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file, 1)
                hint = f"a test has a few levels; {_MOST_LEVELS} are the most that are read"
                raise DocumentError([CaseProblem(place, "this is nested too deeply", hint)])

    def mapping(
        self, node: yaml.Node, what: str, known: Iterable[str], elsewhere: Mapping[str, str] | None = None
    ) -> dict[str, yaml.Node]:
        """Return the entries of a mapping, all of whose keys are `known`; `elsewhere` maps misplaced ones."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{what} is written as key: value lines", f"known keys: {', '.join(known)}")
            return {}
        known = tuple(known)
        nodes: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                self._unknown(key, name, what, known, elsewhere or {})
            elif name in nodes:
                self.wrong(key, f"{name!r} stands here twice", "keep one of them")
            else:
                nodes[name] = value
        return nodes

    def _unknown(
        self, key: yaml.Node, name: str, what: str, known: tuple[str, ...], elsewhere: Mapping[str, str]
    ) -> None:
        near = difflib.get_close_matches(name, known, n=1)
        if name in elsewhere:
            hint = f"{name!r} belongs to {elsewhere[name]}: check the indentation of this line"
        elif near:
            hint = f"did you mean {near[0]!r}?"
        else:
            hint = f"known keys: {', '.join(known)}"
        self.wrong(key, f"unknown key {name!r} in {what}", hint)

    def items(self, node: yaml.Node, what: str, example: str) -> list[yaml.Node]:
        """Return the nodes of a list."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.wrong(node, f"{what} is a list", f"write a dash before each: {example}")
        return []

    def text(self, node: yaml.Node, what: str) -> str | None:
        """Return the text without surrounding blanks."""
        if isinstance(node, yaml.ScalarNode):
            value: str = node.value
            if value.strip():
                return value.strip()
            self.wrong(node, f"{what} is empty", "write a value after the colon, or remove the key")
            return None
        self.wrong(node, f"{what} is one value, not a list or a block", "write it behind the colon")
        return None

    def texts(self, node: yaml.Node, what: str, example: str) -> list[tuple[str, yaml.Node]]:
        """Return the texts of a list, or one text, each with its node."""
        nodes = [node] if isinstance(node, yaml.ScalarNode) else self.items(node, what, example)
        pairs = [(self.text(item, what), item) for item in nodes]
        return [(text, item) for text, item in pairs if text is not None]

    def number(self, node: yaml.Node, what: str) -> float | None:
        """Return a finite number."""
        text = self.text(node, what)
        if text is None:
            return None
        if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
            return float(text)
        self.wrong(node, f"{what} is {text!r}, which is not a number")
        return None

    def boolean(self, node: yaml.Node, what: str) -> bool | None:
        """Return true or false."""
        text = self.text(node, what)
        if text in {"true", "false"}:
            return text == "true"
        if text is not None:
            self.wrong(node, f"{what} is {text!r}", "write true or false")
        return None

    def choice(self, node: yaml.Node, what: str, known: Iterable[str]) -> str | None:
        """One of the known words, however it is capitalised."""
        text = self.text(node, what)
        if text is None:
            return None
        words = {word.lower(): word for word in known}
        if text.lower() in words:
            return words[text.lower()]
        near = difflib.get_close_matches(text.lower(), words, n=1)
        listed = ", ".join(words.values())
        self.wrong(
            node, f"{what} is {text!r}", f"did you mean {words[near[0]]}?" if near else f"one of {listed}"
        )
        return None

    def plain(self, node: yaml.Node) -> Any:
        """Return the value as YAML has it, for bodies that are sent to Datadog unchanged."""
        return _plain(node)


def _plain(node: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _explain(error: yaml.MarkedYAMLError, text: str, file: str) -> CaseProblem:
    """Explain a syntax error of YAML to its author."""
    problem = str(error.problem or "")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = [*text.splitlines(), ""]
    current, before = lines[min(line, len(lines)) - 1], lines[max(line - 2, 0)]
    place = Place(file, line, column)
    if "\t" in current[: len(current) - len(current.lstrip())]:
        return CaseProblem(place, "a tab is in the indentation", "indent with spaces")
    if "cannot start any token" in problem:
        return CaseProblem(place, "this character cannot start a value", _quote(current))
    if squeezed := re.match(r"(\s*(?:- )?[a-z_]+:)([^\s].*)", before):
        hint = f"write {squeezed[1].strip(' -')} {squeezed[2]}"
        return CaseProblem(Place(file, line - 1, squeezed.end(1)), "a blank is missing after the colon", hint)
    if "mapping values" in problem and (nested := re.match(r"\s*(?:- )?(\w+): ([^\"'\[{]*: .*)", current)):
        return CaseProblem(
            place, "a value with a colon and a blank in it", f'write {nested[1]}: "{nested[2]}"'
        )
    problems = (CaseProblem(place, said, hint) for part, said, hint in _YAML_MISTAKES if part in problem)
    return next(problems, CaseProblem(place, problem))


def _quote(line: str) -> str:
    match = re.search(r"[@`%][^\s,\]]*", line)
    return f'put it in quotes: "{match[0]}"' if match else "put the value in quotes"


_INDENT = "keys of one block stand exactly under each other; a list item is a dash, a blank and its keys"
_YAML_MISTAKES = (
    (
        "mapping values are not allowed",
        "wrong indentation, or a value with a colon and a blank in it",
        _INDENT,
    ),
    ("did not find expected key", "wrong indentation", _INDENT),
    ("did not find expected '-'", "wrong indentation in a list", _INDENT),
    ("expected <block end>", "wrong indentation", _INDENT),
    ("could not find expected ':'", "a key without a colon", "write key: value"),
    (
        "did not find expected ',' or",
        "a list in brackets that is not closed or has no commas",
        "write [a, b]",
    ),
    ("unexpected end of stream", "a quotation mark that is never closed", "close it"),
    ("found another document", "a second document (---)", "put all cases of a file under tests:"),
    ("found duplicate", "an anchor that stands here twice", "remove one"),
    ("undefined alias", "an alias whose anchor is not in this file", "define it with & above"),
)
