"""Compile filter patterns of CloudWatch Logs subscriptions, as far as they are supported here.

Grammar (AWS, "Filter pattern syntax"): nothing matches all; terms that all have to occur; `?term` terms of
which one has to occur; `-term` that must not; `"quoted phrase"` in place of a term; `{ $.key = "value" }` on
JSON events, with `=`, `!=`, `<`, `<=`, `>`, `>=`, `*` in a value, and `&&` or `||` between conditions,
without parentheses.
"""

import json
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from monitoring.errors import InputError

Matcher = Callable[[str], bool]

_TERM = re.compile(r'(?P<sign>[-?]?)(?:"(?P<quoted>[^"]*)"|(?P<word>[^\s"]+))')
_CONDITION = re.compile(
    r'\s*\$\.(?P<path>[\w.\-]+)\s*(?P<op>!=|>=|<=|=|<|>)\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))\s*\Z'
)
_NUMERIC = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def compile_pattern(pattern: str) -> Matcher:
    """Compile a filter pattern into a predicate over messages.

    Raises:
        InputError: the pattern is outside the grammar above.
    """
    pattern = pattern.strip()
    if pattern.startswith("{"):
        return _json_matcher(pattern)
    if pattern.startswith("["):
        raise InputError(
            "space-delimited filter patterns ([…]) are not supported by the embedded AWS",
            where=f"filter pattern {pattern!r}",
            hint="use terms, or { $.key = value } on JSON events",
        )
    terms = [
        (m["sign"], m["quoted"] if m["quoted"] is not None else m["word"]) for m in _TERM.finditer(pattern)
    ]
    required = [text for sign, text in terms if sign == ""]
    unwanted = [text for sign, text in terms if sign == "-"]
    options = [text for sign, text in terms if sign == "?"]

    def matches(message: str) -> bool:
        return (
            all(text in message for text in required)
            and not any(text in message for text in unwanted)
            and (not options or any(text in message for text in options))
        )

    return matches


def _json_matcher(pattern: str) -> Matcher:
    body = pattern.removeprefix("{").removesuffix("}")
    if not pattern.endswith("}") or ("&&" in body and "||" in body):
        raise _unsupported(pattern)
    combine = any if "||" in body else all
    conditions = [_condition(part, pattern) for part in re.split(r"&&|\|\|", body)]

    def matches(message: str) -> bool:
        try:
            event = json.loads(message)
        except ValueError:
            return False
        return combine(condition(event) for condition in conditions)

    return matches


def _condition(text: str, pattern: str) -> Callable[[Any], bool]:
    match = _CONDITION.match(text)
    if match is None:
        raise _unsupported(pattern)
    path, sign = match["path"].split("."), match["op"]
    expected = match["quoted"] if match["quoted"] is not None else match["bare"]
    if sign in _NUMERIC:
        return lambda event: _compare(_NUMERIC[sign], _value(event, path), expected)
    return lambda event: _equal(_value(event, path), expected) == (sign == "=")


def _value(event: Any, path: list[str]) -> Any:
    for key in path:
        if not isinstance(event, dict) or key not in event:
            return None
        event = event[key]
    return event


def _equal(value: Any, expected: str) -> bool:
    text = value if isinstance(value, str) else json.dumps(value)
    return value is not None and (text == expected or ("*" in expected and fnmatchcase(text, expected)))


def _compare(compare: Callable[[float, float], bool], value: Any, expected: str) -> bool:
    try:
        return not isinstance(value, bool) and compare(float(value), float(expected))
    except (TypeError, ValueError):
        return False


def _unsupported(pattern: str) -> InputError:
    return InputError(
        "this filter pattern is not understood by the embedded AWS",
        where=f"filter pattern {pattern!r}",
        hint='write { $.key = "value" }, with && or || between conditions',
    )
