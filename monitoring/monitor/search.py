"""Parse and evaluate searches of log and event monitors: `service:a @http.status_code:>=500 -env:dev`."""

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitoring.errors import InputError


@dataclass(frozen=True, slots=True)
class Record:
    """A log or an event: seconds since the epoch, its text, tags, and attributes (nested JSON)."""

    time: int
    message: str = ""
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def values(self, facet: str) -> list[Any]:
        """Return the values of a facet: `@path.to.attribute`, a reserved attribute, or a tag key."""
        if facet.startswith("@"):
            return _elements(_descend(self.attributes, facet[1:]))
        value = self.message if facet == "message" else self.attributes.get(facet)
        tags = [tag.split(":", 1)[1] for tag in self.tags if tag.startswith(f"{facet}:")]
        return [*_elements(value), *tags]


def span_record(span: Mapping[str, Any]) -> Record:
    """Return a span as a search record: `@duration` in nanoseconds, its status, its metadata by name."""
    meta, metrics = span.get("meta") or {}, span.get("metrics") or {}
    named = ("service", "resource", "type", "duration", "trace_id", "span_id", "parent_id")
    attributes = {**meta, **metrics, **{name: span.get(name) for name in named}}
    attributes |= {"operation_name": span.get("name"), "resource_name": span.get("resource")}
    attributes |= {"status": "error" if span.get("error") else "ok", "start": span.get("start")}
    tags = tuple(f"{key}:{value}" for key, value in meta.items() if key in {"env", "version"})
    return Record(int(span["start"]) // 1_000_000_000, str(span.get("resource") or ""), tags, attributes)


def _elements(value: Any) -> list[Any]:
    """Return the elements of an array; a scalar is one element, None is none."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _descend(attributes: Mapping[str, Any], path: str) -> Any:
    if path in attributes:
        return attributes[path]
    head, dot, rest = path.partition(".")
    while dot:
        inner = attributes.get(head)
        if isinstance(inner, Mapping) and (value := _descend(inner, rest)) is not None:
            return value
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


Test = Callable[[Record], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<minus>-(?=\S))"
    r"|(?P<field>@?[\w./-]+):(?P<value>\"(?:[^\"\\]|\\.)*\"|\[[^\]]*\]|\((?:[^()]*)\)|(?:\\.|[^\s()])+)"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<word>(?:\\.|[^\s()\"])+))"
)


def compile_search(text: str) -> Test:
    """either = both { "OR" both } ; both = term { ["AND"] term } ;
    term = ("NOT" | "-") term | "(" either ")" | leaf

    Raises:
        InputError: a search that cannot be read.
    """
    tokens, at = [], 0
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        if token is None:
            raise InputError(f"search {text!r}: cannot read {text[at:].strip()!r}")
        tokens.append(token)
        at = token.end()
    test, rest = _either(tokens, 0, text)
    if rest < len(tokens):
        raise InputError(f"search {text!r}: unexpected {tokens[rest].group().strip()!r}")
    return test


_Tokens = list[re.Match[str]]


def _either(tokens: _Tokens, at: int, text: str) -> tuple[Test, int]:
    tests = []
    while True:
        test, at = _both(tokens, at, text)
        tests.append(test)
        if _word(tokens, at) != "OR":
            return (
                tests[0] if len(tests) == 1 else lambda record: any(matches(record) for matches in tests)
            ), at
        at += 1


def _both(tokens: _Tokens, at: int, text: str) -> tuple[Test, int]:
    tests: list[Test] = []
    while at < len(tokens) and tokens[at]["paren"] != ")" and _word(tokens, at) != "OR":
        if _word(tokens, at) == "AND":
            at += 1
            continue
        test, at = _term(tokens, at, text)
        tests.append(test)
    return (lambda record: all(matches(record) for matches in tests)), at


def _term(tokens: _Tokens, at: int, text: str) -> tuple[Test, int]:
    if at >= len(tokens):
        raise InputError(f"search {text!r} ends too early")
    token = tokens[at]
    if token["minus"] or _word(tokens, at) == "NOT":
        inner, at = _term(tokens, at + 1, text)
        return (lambda record: not inner(record)), at
    if token["paren"] == "(":
        test, at = _either(tokens, at + 1, text)
        if at >= len(tokens) or tokens[at]["paren"] != ")":
            raise InputError(f"search {text!r}: a bracket is never closed")
        return test, at + 1
    return _leaf(token), at + 1


def _word(tokens: _Tokens, at: int) -> str:
    return (tokens[at]["word"] or "") if at < len(tokens) else ""


def _leaf(token: re.Match[str]) -> Test:
    if token["field"] is None:
        wanted = (token["text"] or token["word"]).strip('"').lower()
        return _anywhere(wanted)
    name, value = token["field"], token["value"]
    if value.startswith("("):
        options = [part for part in re.findall(r'"[^"]*"|[^\s"]+', value[1:-1]) if part != "OR"]
        tests = [_matcher(option) for option in options]
        return lambda record: any(test(text) for text in record.values(name) for test in tests)
    match = _matcher(value)
    return lambda record: any(match(text) for text in record.values(name))


def _anywhere(wanted: str) -> Test:
    if wanted == "*":
        return lambda record: True
    pattern = f"*{wanted}*"
    return lambda record: fnmatch.fnmatchcase(record.message.lower(), pattern)


_COMPARISONS: tuple[tuple[str, Callable[[float, float], bool]], ...] = (
    (">=", lambda a, b: a >= b),
    ("<=", lambda a, b: a <= b),
    (">", lambda a, b: a > b),
    ("<", lambda a, b: a < b),
)


def _matcher(value: str) -> Callable[[Any], bool]:
    """Return a predicate for `>=500`, `[400 TO 499]`, a pattern with `*`, or a text, ignoring case."""
    for sign, compare in _COMPARISONS:
        if value.startswith(sign) and (bound := _float(value[len(sign) :])) is not None:
            return lambda field: (number := _float(field)) is not None and compare(number, bound)
    if between := re.fullmatch(r"\[(\S+) TO (\S+)\]", value):
        low, high = (_float(part) if part != "*" else None for part in between.groups())
        return lambda field: _between(_float(field), low, high)
    wanted = value.strip('"').replace("\\", "").lower()
    return lambda field: fnmatch.fnmatchcase(_text(field), wanted)


def _between(number: float | None, low: float | None, high: float | None) -> bool:
    return number is not None and (low is None or number >= low) and (high is None or number <= high)


def _text(value: Any) -> str:
    return (
        {True: "true", False: "false"}.get(value, str(value).lower())
        if isinstance(value, bool)
        else str(value).lower()
    )


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
