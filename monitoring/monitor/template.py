"""Render the text of a notification with Datadog's template variables and conditionals.

Source of the rules: Datadog's page on notification variables. A conditional that stands alone on its line
takes the line with it, as in Handlebars, whose notation this is.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple

from monitoring.errors import InputError
from monitoring.monitor.expressions import NoValueError, evaluate_expression, local_time

FLAGS = (
    "is_alert",
    "is_warning",
    "is_no_data",
    "is_recovery",
    "is_alert_recovery",
    "is_warning_recovery",
    "is_no_data_recovery",
    "is_alert_to_warning",
    "is_warning_to_alert",
    "is_no_data_to_alert",
    "is_unknown",
    "is_renotify",
)
"""Conditionals without an argument."""

CONDITIONALS = (*FLAGS, "is_match", "is_exact_match", "is_priority")


@dataclass(frozen=True, slots=True)
class Context:
    """The data for a notification: the conditions that are true, and the values of variables.

    `variables` maps the name as written in the braces, without brackets (`value`, `env.name`), to its text or
    number; a name that is absent renders as nothing, as it does at Datadog.
    """

    flags: frozenset[str] = frozenset()
    variables: Mapping[str, str | float] = field(default_factory=dict)
    priority: int | None = None


class Rendered(NamedTuple):
    """The rendered text, and the names of variables without a value."""

    text: str
    empty: tuple[str, ...] = ()


class _Text(NamedTuple):
    text: str


class _Variable(NamedTuple):
    source: str


@dataclass(slots=True)
class _Section:
    name: str
    arguments: tuple[str, ...]
    negated: bool
    start: int
    then: list["_Node"] = field(default_factory=list)
    otherwise: list["_Node"] = field(default_factory=list)
    in_else: bool = False

    def add(self, node: "_Node") -> None:
        (self.otherwise if self.in_else else self.then).append(node)


_Node = _Text | _Variable | _Section

_TAG = re.compile(
    r"\{\{\{\{\s*(?P<raw>\w+)(?P<rawargs>[^}]*)\}\}\}\}(?P<rawbody>.*?)\{\{\{\{/\s*(?P=raw)\s*\}\}\}\}"
    r"|\{\{!--.*?--\}\}|\{\{![^}]*\}\}"
    r"|\{\{\{(?P<plain>[^{}]*)\}\}\}"
    r"|\{\{(?P<tag>[^{}]*)\}\}",
    re.DOTALL,
)
_ARGUMENT = re.compile(r"\"([^\"]*)\"|'([^']*)'|(\S+)")


def render(template: str, context: Context) -> Rendered:
    """Fill in `template` for `context`.

    Raises:
        InputError: a conditional that is unknown, or not closed, with its line and column in the text.
    """
    empty: list[str] = []
    text = "".join(_write(node, context, empty) for node in parse_template(template))
    return Rendered(text.strip(), tuple(dict.fromkeys(empty)))


def parse_template(template: str) -> list[_Node]:
    """Parse a template into text, variables and blocks; raise InputError if blocks do not match."""
    root = _Section("", (), False, 0)
    open_blocks = [root]
    at = 0
    for match in _TAG.finditer(template):
        tag = match["tag"]
        standalone = tag is not None and tag.strip().startswith(("#", "^", "/")) and _alone(template, match)
        before = template[at : match.start()]
        open_blocks[-1].add(_Text(before.rstrip(" \t") if standalone else before))
        at = match.end() + _line_end(template, match.end()) if standalone else match.end()
        _parse_tag(template, match, open_blocks)
    root.add(_Text(template[at:]))
    if len(open_blocks) > 1:
        left = open_blocks[-1]
        mark = "^" if left.negated else "#"
        _fail(template, left.start, f"{{{{{mark}{left.name}}}}} is never closed", f"add {{{{/{left.name}}}}}")
    return root.then


def _parse_tag(template: str, match: re.Match[str], blocks: list[_Section]) -> None:
    """Parse a tag, which opens a block, begins its else part, closes it, or is a variable."""
    if match["rawbody"] is not None:
        blocks[-1].add(_raw(template, match))
        return
    inner = match["plain"] if match["plain"] is not None else match["tag"]
    if inner is None:  # a comment
        return
    inner = inner.strip()
    if inner[:1] in {"#", "^"}:
        block = _open(template, match.start(), inner)
        blocks[-1].add(block)
        blocks.append(block)
    elif inner == "else" and len(blocks) > 1:
        blocks[-1].in_else = True
    elif inner[:1] == "/":
        _close(template, match.start(), inner[1:].strip(), blocks)
    elif inner:
        blocks[-1].add(_Variable(inner))


def _raw(template: str, match: re.Match[str]) -> _Node:
    if match["raw"] == "raw":
        return _Text(match["rawbody"])
    block = _open(template, match.start(), f"#{match['raw']} {match['rawargs']}")
    block.add(_Text(match["rawbody"]))
    return block


def _open(template: str, start: int, inner: str) -> _Section:
    name, *rest = inner[1:].strip().split(None, 1)
    if name not in CONDITIONALS:
        near = difflib.get_close_matches(name, CONDITIONALS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(CONDITIONALS)}"
        _fail(template, start, f"unknown conditional {{{{{inner[0]}{name}}}}}", hint)
    arguments = tuple("".join(parts) for parts in _split(rest))  # one of the three kinds of quotes
    return _Section(name, arguments, inner[0] == "^", start)


def _split(rest: Sequence[str]) -> list[tuple[str, str, str]]:
    return _ARGUMENT.findall(rest[0]) if rest else []


def _close(template: str, start: int, name: str, blocks: list[_Section]) -> None:
    if len(blocks) == 1:
        _fail(
            template, start, f"{{{{/{name}}}}} closes nothing", f"open it with {{{{#{name}}}}} or remove it"
        )
    if blocks[-1].name != name:
        want = blocks[-1].name
        _fail(template, start, f"{{{{/{name}}}}} closes {{{{#{want}}}}}", f"write {{{{/{want}}}}} here")
    blocks.pop()


def _alone(template: str, match: re.Match[str]) -> bool:
    line_start = template.rfind("\n", 0, match.start()) + 1
    after = template[match.end() :].split("\n", 1)[0]
    return not template[line_start : match.start()].strip() and not after.strip()


def _line_end(template: str, at: int) -> int:
    end = template.find("\n", at)
    return (len(template) if end < 0 else end + 1) - at


def _fail(template: str, at: int, message: str, hint: str) -> None:
    line = template.count("\n", 0, at) + 1
    column = at - template.rfind("\n", 0, at)
    raise InputError(message, where=f"message:{line}:{column}", hint=hint)


def _write(node: _Node, context: Context, empty: list[str]) -> str:
    if isinstance(node, _Text):
        return node.text
    if isinstance(node, _Variable):
        return _variable(node.source, context, empty)
    chosen = node.then if _holds(node, context) != node.negated else node.otherwise
    return "".join(_write(child, context, empty) for child in chosen)


def _holds(block: _Section, context: Context) -> bool:
    if block.name == "is_priority":
        return bool(block.arguments) and block.arguments[0].upper() == f"P{context.priority}"
    compare = _COMPARISONS.get(block.name)
    if compare is None:
        return block.name in context.flags
    if not block.arguments:
        return False
    value = look_up(block.arguments[0], context.variables)
    text = "" if value is None else show(value)
    return any(compare(text, wanted) for wanted in block.arguments[1:])


def _contains(text: str, wanted: str) -> bool:
    """Return whether the text contains the other; an empty one asks whether there is any text."""
    return wanted in text if wanted else bool(text)


def _equals(text: str, wanted: str) -> bool:
    """Return whether two values are equal; numbers are compared by value, not by their text."""
    try:
        return float(text) == float(wanted)
    except ValueError:
        return text == wanted


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {"is_match": _contains, "is_exact_match": _equals}


def _variable(source: str, context: Context, empty: list[str]) -> str:
    helper, _, argument = source.partition(" ")
    if helper == "eval":
        try:
            return evaluate_expression(argument, context.variables)
        except NoValueError as missing:
            empty.append(str(missing))
            return ""
    if helper == "local_time":
        return local_time(argument, context.variables)
    if helper == "urlencode":
        from urllib.parse import quote

        return quote(str(look_up(argument.strip("\"' "), context.variables) or ""), safe="")
    value = look_up(source, context.variables)
    if value is None:
        empty.append(source)
        return ""
    return show(value)


def look_up(name: str, variables: Mapping[str, str | float]) -> str | float | None:
    """Return the value of a variable as written, brackets around a dotted key allowed; None where unknown."""
    plain = name.strip().replace("[", "").replace("]", "")
    value = variables.get(plain)
    return variables.get(f"{plain}.name") if value is None else value


def show(value: str | float) -> str:
    """Format a number with one to three decimals, as Datadog's texts do; return text as it is."""
    if isinstance(value, str | int):
        return str(value)
    if not isfinite(value):
        return str(value)
    text = f"{value:.3f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


_HANDLE = re.compile(r"(?<![\w@./-])@([A-Za-z0-9](?:[\w.+/-]*[\w])?(?:@[\w-]+(?:\.[\w-]+)+)?)")


def handles(text: str) -> tuple[str, ...]:
    """Return the @-handles of a text, in order, once each: `@pagerduty-team`, `@someone@example.com`."""
    return tuple(dict.fromkeys(f"@{handle}" for handle in _HANDLE.findall(text)))
