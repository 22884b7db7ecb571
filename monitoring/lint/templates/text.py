"""Files of YAML and JSON with the place of every value, and edits that change nothing but one value."""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from monitoring.lint.model import Edit
from monitoring.resources.document import Document, Pointer, TextRange, items_at

if TYPE_CHECKING:
    import yaml

_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*")
_PLAIN_VALUE = re.compile(r"[A-Z]+|\d+|true|false")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=\r?\n|\Z)")
_HEADER = re.compile(r"\|[-+]?[ \t]*(?:#[^\n]*)?\r?\n")
_LONG_FORM = re.compile(r"Fn::\w+|Ref|Condition")


class Entries(NamedTuple):
    """An object's keys and values as ranges of the text; `is_flow` for `{…}`."""

    whole: TextRange
    pairs: tuple[tuple[TextRange, TextRange], ...]
    is_flow: bool


class Text:
    """A file's text and the place of the values in it.

    Args:
        source: the file, as reports name it.
        text: all of it.
    """

    takes_plain = False
    """Return whether keys and words may be written without quotes."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self.text = text

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1."""
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    def span(self, pointer: Pointer) -> TextRange:
        """Return the range of the key that the pointer ends with; of the nearest value that exists."""
        return TextRange(0, min(1, len(self.text)))

    def entries(self, pointer: Pointer) -> Entries | None:
        """Return the entries of the object at the pointer; None where there is none that can be edited."""
        return None

    def value_range(self, pointer: Pointer) -> TextRange | None:
        """Return the range of the scalar at the pointer; None where there is none that can be edited."""
        return None

    def insertion(self, pointer: Pointer, key: str, value: Any) -> Edit | None:
        """Return the edit that adds a key behind the last one of the object at the pointer."""
        entries = self.entries(pointer)
        if entries is None:
            return None
        plain = self.takes_plain
        pair = f"{_written(key, _PLAIN_KEY, plain)}: {_written(value, _PLAIN_VALUE, plain)}"
        if not entries.pairs:
            return Edit(entries.whole.start + 1, entries.whole.start + 1, pair) if entries.is_flow else None
        key_range, value_range = entries.pairs[-1]
        return self._behind(key_range.start, value_range.end, pair, is_flow=entries.is_flow)

    def replacement(self, pointer: Pointer, value: Any) -> Edit | None:
        """Return the edit that puts another value in the place of the scalar at the pointer."""
        span = self.value_range(pointer)
        if span is None:
            return None
        plain = self.takes_plain and self.text[span.start] not in {'"', "'"}
        return Edit(span.start, span.end, _written(value, _PLAIN_VALUE, plain))

    def _behind(self, key: int, end: int, pair: str, *, is_flow: bool) -> Edit | None:
        line = self.text.rfind("\n", 0, key) + 1
        before = self.text[line:key]
        indent = before[: len(before) - len(before.lstrip())]
        rest = _REST_OF_LINE.match(self.text, end)
        newline = "\r\n" if "\r\n" in self.text[: end + 2] else "\n"
        if is_flow:
            if before.strip():
                return Edit(end, end, f", {pair}")
            behind = rest.group() if rest else ""
            return Edit(end, end + len(behind), f",{behind}{newline}{indent}{pair}")
        if rest is None:
            return None
        # A first key behind the dash of a list is indented by the dash.
        indent = re.sub(r"[^ \t]", " ", before)
        return Edit(rest.end(), rest.end(), f"{newline}{indent}{pair}")


def _written(value: Any, plain: re.Pattern[str], is_plain: bool) -> str:
    if is_plain and isinstance(value, str) and plain.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


class PlacedText(Text):
    """A file of which one place is known, such as a call in Python or a block of Terraform."""

    def __init__(self, text: Text, start: int, end: int = 0) -> None:
        super().__init__(text.source, text.text)
        line_end = self.text.find("\n", start)
        self._span = TextRange(start, end or (line_end if line_end >= 0 else len(self.text)))

    def span(self, pointer: Pointer) -> TextRange:
        """See `Text.span`."""
        return self._span


class JsonText(Text):
    """A JSON text; `document` has the places."""

    def __init__(self, document: Document) -> None:
        super().__init__(document.source, document.text)
        # A state machine's or template's `definition` key is no envelope of a dashboard.
        self.document = Document(document.source, document.text, None)

    def span(self, pointer: Pointer) -> TextRange:
        """See `Text.span`."""
        return self.document.key_span(_existing(self.document, pointer))

    def entries(self, pointer: Pointer) -> Entries | None:
        """See `Text.entries`."""
        if _existing(self.document, pointer) != pointer:
            return None
        span = self.document.span(pointer)
        if self.text[span.start : span.start + 1] != "{":
            return None
        pairs = tuple((key, value) for _, key, value in items_at(self.text, span.start))
        return Entries(span, pairs, is_flow=True)

    def value_range(self, pointer: Pointer) -> TextRange | None:
        """See `Text.value_range`."""
        span = self.document.span(pointer)
        is_scalar = _existing(self.document, pointer) == pointer and self.text[span.start] not in "{["
        return span if is_scalar else None


def _existing(document: Document, pointer: Pointer) -> Pointer:
    """Return as much of a pointer as leads somewhere."""
    at: Pointer = ()
    span = document.span(())
    for step in pointer:
        children = {key: value for key, _, value in items_at(document.text, span.start)}
        if step not in children:
            return at
        span, at = children[step], (*at, step)
    return at


class YamlText(Text):
    """A YAML text, composed into nodes; a shared node (an anchor's, a merge key's) is not edited."""

    takes_plain = True

    def __init__(self, source: str, text: str, root: "yaml.Node | None") -> None:
        super().__init__(source, text)
        self.root = root

    @cached_property
    def _shared(self) -> set[int]:
        seen: set[int] = set()
        shared: set[int] = set()
        stack = [self.root] if self.root else []
        while stack:
            node = stack.pop()
            if id(node) in seen:
                shared.add(id(node))
                continue
            seen.add(id(node))
            stack += _children(node)
        return shared

    def node(self, pointer: Pointer) -> "yaml.Node | None":
        """Return the node at a pointer, or None."""
        chain = self._chain(pointer)
        return chain[-1][1] if len(chain) == len(pointer) + 1 else None

    def _chain(self, pointer: Pointer) -> "list[tuple[yaml.Node | None, yaml.Node]]":
        """Return key and value nodes along a pointer, as far as it leads."""
        if self.root is None:
            return []
        chain: list[tuple[yaml.Node | None, yaml.Node]] = [(None, self.root)]
        for step in pointer:
            node = chain[-1][1]
            if isinstance(step, str) and node.tag.startswith("!") and _LONG_FORM.fullmatch(step):
                chain.append((None, node))  # `!Sub text` is {"Fn::Sub": text} to whoever made the pointer
                continue
            child = _child(node, step)
            if child is None:
                break
            chain.append(child)
        return chain

    def span(self, pointer: Pointer) -> TextRange:
        """See `Text.span`."""
        chain = self._chain(pointer)
        if not chain:
            return super().span(pointer)
        key, value = chain[-1]
        node = key or value
        start = node.start_mark.index
        end = _end(node, self.text)
        newline = self.text.find("\n", start, end)
        return TextRange(start, end if newline < 0 else newline)

    def _own(self, pointer: Pointer) -> "yaml.Node | None":
        """Return the node at a pointer if an edit of it changes nothing else."""
        chain = self._chain(pointer)
        if len(chain) != len(pointer) + 1 or any(id(node) in self._shared for _, node in chain):
            return None
        # What a merge key brings stands in another object.
        for (_, parent), (key, _) in pairwise(chain):
            if key is not None and all(key is not pair[0] for pair in parent.value):
                return None
        return chain[-1][1]

    def entries(self, pointer: Pointer) -> Entries | None:
        """See `Text.entries`."""
        node = self._own(pointer)
        if node is None or not _is_mapping(node):
            return None
        pairs = tuple(
            (TextRange(key.start_mark.index, key.end_mark.index), _range(value, self.text))
            for key, value in node.value
        )
        return Entries(_range(node, self.text), pairs, bool(getattr(node, "flow_style", False)))

    def value_range(self, pointer: Pointer) -> TextRange | None:
        """See `Text.value_range`."""
        node = self._own(pointer)
        if node is None or not isinstance(node.value, str) or node.tag.startswith("!"):
            return None
        return _range(node, self.text) if getattr(node, "style", None) not in {"|", ">"} else None


def _is_mapping(node: "yaml.Node") -> bool:
    return node.id == "mapping"  # type: ignore[attr-defined,no-any-return]


def _children(node: "yaml.Node") -> Iterator["yaml.Node"]:
    if _is_mapping(node):
        yield from (part for pair in node.value for part in pair)
    elif isinstance(node.value, list):
        yield from node.value


def _child(node: "yaml.Node", step: str | int) -> "tuple[yaml.Node | None, yaml.Node] | None":
    if isinstance(step, int):
        is_item = not _is_mapping(node) and isinstance(node.value, list) and step < len(node.value)
        return (None, node.value[step]) if is_item else None
    if not _is_mapping(node):
        return None
    for key, value in reversed(node.value):
        if key.value == step:
            return key, value
    for key, value in node.value:
        if key.value == "<<":
            merged = [value] if _is_mapping(value) else value.value if isinstance(value.value, list) else []
            for part in merged:
                if child := _child(part, step):
                    return child
    return None


def _range(node: "yaml.Node", text: str) -> TextRange:
    return TextRange(node.start_mark.index, _end(node, text))


def _end(node: "yaml.Node", text: str) -> int:
    """Return where a node's own text ends: the marks of block styles lie behind blank lines and comments."""
    end = int(node.end_mark.index)
    if isinstance(node.value, str):
        if getattr(node, "style", None) in {"|", ">"}:
            return max(len(text[:end].rstrip()), int(node.start_mark.index))
        return end
    if getattr(node, "flow_style", False) or not node.value:
        return end
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last, text)


class EmbeddedText(Text):
    """A JSON text in a literal block (`DefinitionString: !Sub |`) of a YAML file."""

    def __init__(self, outer: YamlText, inner: JsonText, first: int, indent: int) -> None:
        """Take the block's lines: `first` is the offset of its first line, `indent` what each begins with."""
        super().__init__(outer.source, outer.text)
        self._inner = inner
        self._starts: list[tuple[int, int]] = []
        value_offset, offset = 0, first
        for line in inner.text.split("\n"):
            self._starts.append((value_offset, offset + indent))
            value_offset += len(line) + 1
            offset = outer.text.find("\n", offset) + 1 or len(outer.text)

    def _outside(self, offset: int) -> int:
        inside, outside = next(start for start in reversed(self._starts) if start[0] <= offset)
        return outside + offset - inside

    def _range(self, span: TextRange) -> TextRange:
        return TextRange(self._outside(span.start), self._outside(span.end))

    def span(self, pointer: Pointer) -> TextRange:
        """See `Text.span`."""
        return self._range(self._inner.span(pointer))

    def entries(self, pointer: Pointer) -> Entries | None:
        """See `Text.entries`."""
        entries = self._inner.entries(pointer)
        if entries is None:
            return None
        pairs = tuple((self._range(key), self._range(value)) for key, value in entries.pairs)
        return Entries(self._range(entries.whole), pairs, entries.is_flow)

    def value_range(self, pointer: Pointer) -> TextRange | None:
        """See `Text.value_range`."""
        span = self._inner.value_range(pointer)
        return self._range(span) if span else None


def embedded(outer: Text, pointer: Pointer) -> EmbeddedText | None:
    """Return the JSON text in the literal block at a pointer; None where the block is not one."""
    node = outer.node(pointer) if isinstance(outer, YamlText) else None
    if node is None or getattr(node, "style", None) != "|" or not isinstance(outer, YamlText):
        return None
    header = _HEADER.search(outer.text, node.start_mark.index)
    value = node.value.rstrip("\n")
    try:
        json.loads(value)
    except ValueError:
        return None
    lines = outer.text[header.end() if header else 0 :].split("\n")[: value.count("\n") + 1]
    first = next((line for line in lines if line.strip()), "")
    indent = len(first) - len(first.lstrip(" "))
    own = [line.rstrip("\r")[indent:] for line in lines]
    if header is None or own != value.split("\n"):
        return None
    return EmbeddedText(outer, JsonText(Document(outer.source, value, None)), header.end(), indent)
