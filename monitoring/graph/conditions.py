"""Format a Choice rule as a short condition: `$.amount > 10 and not $.paid`."""

import json
from collections.abc import Mapping
from typing import Any

_OPERATORS = {
    "Equals": "=",
    "LessThanEquals": "≤",
    "GreaterThanEquals": "≥",
    "LessThan": "<",
    "GreaterThan": ">",
    "Matches": "like",
}
_KINDS = ("String", "Numeric", "Boolean", "Timestamp")
_TESTS = {
    "IsPresent": ("is there", "is absent"),
    "IsNull": ("is null", "is not null"),
    "IsString": ("is a string", "is not a string"),
    "IsNumeric": ("is a number", "is not a number"),
    "IsBoolean": ("is true or false", "is not true or false"),
    "IsTimestamp": ("is a time", "is not a time"),
}
_LONGEST = 240


def condition_text(rule: Mapping[str, Any]) -> str:
    """Return a rule's condition (JSONPath or JSONata) in one line of at most 240 characters."""
    text = _condition(rule)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _condition(rule: Any, depth: int = 0) -> str:
    if not isinstance(rule, Mapping) or depth > 20:
        return "…"
    if isinstance(rule.get("Condition"), str | bool):
        return _jsonata(str(rule["Condition"]))
    for key, word in (("And", " and "), ("Or", " or ")):
        parts = rule.get(key)
        if isinstance(parts, list):
            joined = word.join(_condition(part, depth + 1) for part in parts)
            return f"({joined})" if depth and len(parts) > 1 else joined
    if "Not" in rule:
        return f"not {_condition(rule['Not'], depth + 1)}"
    return _comparison(rule)


def _jsonata(text: str) -> str:
    inner = text.strip().removeprefix("{%").removesuffix("%}")
    return " ".join(inner.split())


def _comparison(rule: Mapping[str, Any]) -> str:
    variable = str(rule.get("Variable") or "")
    for key, value in rule.items():
        if key in _TESTS:
            return f"{variable} {_TESTS[key][0 if value else 1]}"
        operator = _operator(key)
        if operator:
            shown = str(value) if key.endswith("Path") else json.dumps(value, ensure_ascii=False)
            return f"{variable} {operator} {shown}"
    return variable


def _operator(key: str) -> str:
    """Return the operator of a key such as `NumericGreaterThanPath`; "" for any other key."""
    name = key.removesuffix("Path")
    for kind in _KINDS:
        if name.startswith(kind):
            return _OPERATORS.get(name.removeprefix(kind), "")
    return ""
