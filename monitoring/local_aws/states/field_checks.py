"""Check the fields of a state: supported, of the right kind, within limits, required."""

import json
from typing import Any

from monitoring.local_aws.states import fields as known
from monitoring.local_aws.states.expressions import expression_of
from monitoring.local_aws.states.problems import Place, Problems, problem


def listed(state: dict[str, Any], name: str) -> list[Any]:
    """Return the array in a field; empty where the field is missing or holds something else."""
    value = state.get(name)
    return value if isinstance(value, list) else []


def supported(value: dict[str, Any], allowed: frozenset[str], place: Place) -> Problems:
    """Check that a state, rule or object has no field that AWS does not know there."""
    for name in value:
        if name not in allowed:
            yield problem(f"Field '{name}' is not supported", (*place, name), at=place)


def enums(value: dict[str, Any], place: Place) -> Problems:
    """Check fields with a fixed set of values."""
    for name, unsupported in known.UNSUPPORTED.items():
        if value.get(name) == unsupported:
            yield problem(f"The embedded AWS does not support {name} {unsupported}", (*place, name))
    for name, values in known.ENUMS.items():
        if name in value and value[name] not in values:
            yield problem(f"Value is not one of [{', '.join(values)}]: {value[name]}", (*place, name))


def numbers(value: dict[str, Any], place: Place, *, jsonata: bool) -> Problems:
    """Check the kinds and limits of numbers that are written as such, not as a JSONata expression."""
    for name, (least, most, whole) in known.NUMBERS.items():
        text = value.get(name)
        if name not in value or (jsonata and expression_of(text) is not None):
            continue
        kind = "integer" if whole else "number"
        if (
            not isinstance(text, int if whole else int | float)
            or isinstance(text, bool)
            or not least <= text <= most
        ):
            limits = f"at least {least}" if most == float("inf") else f"from {least} to {most}"
            yield problem(f"Expected a value of type {kind}, {limits}: {json.dumps(text)}", (*place, name))


def required(state: dict[str, Any], kind: str, place: Place) -> Problems:
    """Check which fields must be there, and which exclude one another."""
    name = known.REQUIRED.get(kind)
    if name is not None and not state.get(name):
        yield problem(f"The field '{name}' is required", (*place, name), at=place)
    options = known.EXACTLY_ONE.get(kind)
    if options and sum(option in state for option in options) != 1:
        yield problem(f"Exactly one of these fields is required: [{', '.join(options)}]", place)
    for pair in known.AT_MOST_ONE:
        if all(key in state for key in pair):
            yield problem(f"Only one of these fields is allowed: [{', '.join(pair)}]", (*place, pair[0]))


def error_rule(rule: Any, allowed: frozenset[str], place: Place) -> Problems:
    """Check a retrier or a catcher."""
    if not isinstance(rule, dict):
        yield problem("Expected a JSON object", place)
        return
    yield from supported(rule, allowed, place)
    yield from enums(rule, place)
    yield from numbers(rule, place, jsonata=False)
    names = rule.get("ErrorEquals")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        yield problem(
            "The field 'ErrorEquals' is required, an array of error names", (*place, "ErrorEquals"), at=place
        )
    if "Next" in allowed and "Next" not in rule:
        yield problem("The field 'Next' is required", (*place, "Next"), at=place)
