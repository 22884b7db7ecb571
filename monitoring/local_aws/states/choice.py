"""The rules of a Choice state in JSONPath: every comparison operator of the states language."""

import functools
import operator
import re
from collections.abc import Callable
from typing import Any

from monitoring.local_aws.states.jsonpath import is_number
from monitoring.local_aws.states.timestamps import parse_timestamp

Lookup = Callable[[str], Any]
"""Return the value that a path names; raises where it names nothing."""
Test = Callable[[Any, Any], bool]

ABSENT = object()
"""Mark the result of a lookup for a path that names nothing."""


def _string(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _number(value: Any) -> Any:
    return value if is_number(value) else None


def _boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else None


_FAMILIES: dict[str, Callable[[Any], Any]] = {
    "String": _string,
    "Numeric": _number,
    "Boolean": _boolean,
    "Timestamp": parse_timestamp,
}
_RELATIONS: dict[str, Test] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}


def _comparison(family: str, relation: str) -> Test:
    read, compare = _FAMILIES[family], _RELATIONS[relation]

    def apply(value: Any, expected: Any) -> bool:
        left, right = read(value), read(expected)
        return left is not None and right is not None and bool(compare(left, right))

    return apply


@functools.lru_cache(maxsize=512)
def _wildcards(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\(.)|(\*)|([^*\\]+|\\)", pattern, re.DOTALL)
    return re.compile(
        "".join(".*" if star else re.escape(escaped or plain) for escaped, star, plain in parts), re.DOTALL
    )


def _matches(value: Any, pattern: Any) -> bool:
    return (
        isinstance(value, str)
        and isinstance(pattern, str)
        and _wildcards(pattern).fullmatch(value) is not None
    )


def _kind(test: Callable[[Any], bool]) -> Test:
    return lambda value, expected: test(value) == expected


_COMPARED = {
    family + relation: _comparison(family, relation)
    for family in _FAMILIES
    for relation in (_RELATIONS if family != "Boolean" else ("Equals",))
}
TYPE_TESTS: dict[str, Test] = {
    "IsPresent": _kind(lambda value: value is not ABSENT),
    "IsNull": _kind(lambda value: value is None),
    "IsNumeric": _kind(is_number),
    "IsString": _kind(lambda value: isinstance(value, str)),
    "IsBoolean": _kind(lambda value: isinstance(value, bool)),
    "IsTimestamp": _kind(lambda value: parse_timestamp(value) is not None),
}
OPERATORS: dict[str, Test] = {**_COMPARED, "StringMatches": _matches, **TYPE_TESTS}
"""Operators whose operand is a value in the rule."""
PATH_OPERATORS: dict[str, Test] = {f"{name}Path": test for name, test in _COMPARED.items()}
"""Operators whose operand is a path."""


def holds(rule: dict[str, Any], lookup: Lookup, absent: type[Exception]) -> bool:
    """Return whether a rule of a Choice state is true.

    Args:
        rule: a data test, or And, Or or Not over rules.
        lookup: gives what a path names.
        absent: what `lookup` raises where a path names nothing; only IsPresent goes on then.
    """
    if "And" in rule:
        return all(holds(inner, lookup, absent) for inner in rule["And"])
    if "Or" in rule:
        return any(holds(inner, lookup, absent) for inner in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], lookup, absent)
    name = next(key for key in rule if key in OPERATORS or key in PATH_OPERATORS)
    if name == "IsPresent":
        try:
            value = lookup(rule["Variable"])
        except absent:
            value = ABSENT
        return OPERATORS[name](value, rule[name])
    value = lookup(rule["Variable"])
    if name in PATH_OPERATORS:
        return PATH_OPERATORS[name](value, lookup(rule[name]))
    return OPERATORS[name](value, rule[name])
