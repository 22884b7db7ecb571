"""downtime-scope: a scope that downtimes do not read.

Source: the section on limitations of https://docs.datadoghq.com/monitors/downtimes/.
"""

import re
from collections.abc import Iterator

from monitoring.lint.model import RECORDED, Problem, Refusal, Rule, Subject
from monitoring.lint.muting import as_written

RULE = Rule(
    "downtime-scope",
    "error",
    "A scope that downtimes do not read.",
    ("downtime",),
    (Refusal("Invalid scope parameter", RECORDED),),
)

_WORD = re.compile(r'[()]|"[^"]*"|[^\s()",]+')
_KEY = re.compile(r"[A-Za-z_][\w./-]*")
_DEEPEST = 2

Fault = tuple[int, int, str]


def check(subject: Subject) -> Iterator[Problem]:
    """Find parts of a scope that downtimes do not read; with a variable in the scope, report all of it."""
    scope = subject.body.get("scope")
    written = as_written(scope) if isinstance(scope, str) else None
    if written is None:
        return
    for start, end, text in faults(written):
        place = (start, end) if written == scope else (None, None)
        yield Problem(("scope",), text, *place)


def faults(scope: str) -> Iterator[Fault]:
    """Where in a scope (start, end) something stands that downtimes do not read, and what to write."""
    if not scope.strip():
        yield 0, len(scope), "the scope is empty. Write * for all groups"
        return
    if scope.strip() == "*":
        return
    inside: list[str] = []  # what each open bracket is: a group, the values of a key, or values excluded
    for match in _WORD.finditer(scope):
        word, start, end = match.group(), match.start(), match.end()
        if word == "(":
            inside.append(_kind_of_bracket(scope[:start]))
            if len(inside) > _DEEPEST:
                yield start, end, f"brackets may be {_DEEPEST} deep at most. Make several downtimes of it"
        elif word == ")":
            if not inside:
                yield start, end, "this bracket closes none. Take it out"
                return
            inside.pop()
        elif text := _fault(word, inside):
            yield start, end, text
    yield from _unclosed(scope, bool(inside))


def _unclosed(scope: str, bracket: bool) -> Iterator[Fault]:
    if bracket:
        yield scope.rindex("("), len(scope), "this bracket is never closed"
    if scope.count('"') % 2:
        yield scope.rindex('"'), len(scope), "this quotation mark is never closed"


def _kind_of_bracket(before: str) -> str:
    key = re.search(r"(-?)[^\s()]+:$", before)
    if not key:
        return "group"
    return "excluded" if key[1] else "values"


def _fault(word: str, inside: list[str]) -> str:
    around = inside[-1] if inside else ""
    if word in {"AND", "OR", "NOT"}:
        return _of_operator(word, around)
    return _of_value(word, word) if around in {"values", "excluded"} else _of_tag(word)


def _of_operator(word: str, around: str) -> str:
    if word == "OR" and not around:
        return "an OR needs brackets around it. Write key:(a OR b), or make two downtimes"
    if word == "AND" and around == "excluded":
        return "what is excluded takes only OR. Write -key:(a OR b)"
    return ""


def _of_tag(word: str) -> str:
    key, colon, value = word.removeprefix("-").partition(":")
    if not colon:
        return f"{word} has no key, which downtimes do not read. Write a tag such as env:prod"
    if not _KEY.fullmatch(key):
        return f"{key!r} is not a key of a tag: letters, digits and _ - . / after a letter"
    return _of_value(value, word)


def _of_value(value: str, word: str) -> str:
    if value.startswith("-"):
        return f"only a whole key is excluded. Write -key:{value.removeprefix('-')}"
    if "?" in value:
        return f"{word} has a ?, which downtimes do not read. Use * for any characters"
    return ""
