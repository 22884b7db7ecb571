"""Check the values of a state's fields: JSONPath, payload templates, JSONata and the rules of a Choice."""

import re
from typing import Any

from monitoring.local_aws.states import fields as known
from monitoring.local_aws.states.choice import OPERATORS, PATH_OPERATORS
from monitoring.local_aws.states.expressions import ExpressionSyntaxError, compile_expression, expression_of
from monitoring.local_aws.states.field_checks import supported
from monitoring.local_aws.states.intrinsics import IntrinsicSyntaxError, parse_intrinsic, references
from monitoring.local_aws.states.jsonpath import PathSyntaxError, compile_path
from monitoring.local_aws.states.problems import Place, Problems, problem

_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*(.*)", re.DOTALL)


# -- JSONPath


def jsonpath_fields(state: dict[str, Any], place: Place) -> Problems:
    """Check the paths, reference paths and payload templates of a state or catcher."""
    for name in known.PATH_FIELDS & state.keys():
        path = state[name]
        if path is None and name in known.NULLABLE:
            continue
        if not _is_path(path) and not (name in known.CALLABLE and _is_call(path)):
            yield problem("Value is not a valid JSONPath", (*place, name))
    if state.get("ResultPath") is not None and not _is_reference(state["ResultPath"]):
        yield problem("Value is not a Reference Path", (*place, "ResultPath"))
    for name in known.TEMPLATES & state.keys():
        yield from _template(state[name], (*place, name))
    for holder, name in (
        ("ItemReader", "Parameters"),
        ("ResultWriter", "Parameters"),
        ("ItemBatcher", "BatchInput"),
    ):
        inner = state.get(holder)
        if isinstance(inner, dict) and name in inner:
            yield from _template(inner[name], (*place, holder, name))


def _is_path(path: Any) -> bool:
    if not isinstance(path, str) or not path.startswith("$"):
        return False
    variable = _VARIABLE.fullmatch(path)
    try:
        compile_path(path[1:] if path.startswith("$$") else f"${variable[1]}" if variable else path)
    except PathSyntaxError:
        return False
    return True


def _is_reference(path: Any) -> bool:
    try:
        return isinstance(path, str) and compile_path(path).reference
    except PathSyntaxError:
        return False


def _is_call(call: Any) -> bool:
    try:
        return isinstance(call, str) and all(_is_path(path) for path in references(parse_intrinsic(call)))
    except IntrinsicSyntaxError:
        return False


def _template(value: Any, place: Place) -> Problems:
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _template(inner, (*place, number))
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if not key.endswith(".$"):
            yield from _template(inner, (*place, key))
        elif not _is_path(inner) and not _is_call(inner):
            yield problem(
                f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function "
                "call",
                (*place, key),
                at=place,
            )


# -- JSONata


def jsonata_fields(state: dict[str, Any], place: Place) -> Problems:
    """Check the JSONata expressions in the fields of a state or catcher, however deep."""
    for name in known.EXPRESSIONS & state.keys():
        yield from _expression(state[name], (*place, name))


def _expression(value: Any, place: Place) -> Problems:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _expression(inner, (*place, key))
    expression = expression_of(value)
    if expression is None:
        return
    try:
        compile_expression(expression)
    except ExpressionSyntaxError as failed:
        yield problem(f"The JSONata expression '{expression}' is not valid: {failed}", place)


# -- Choice


def choice_rules(rules: list[Any], place: Place, *, jsonata: bool) -> Problems:
    """Check the rules of a Choice state."""
    for number, rule in enumerate(rules):
        inner = (*place, f"Choices[{number}]")
        if not isinstance(rule, dict):
            yield problem("Expected a JSON object", inner)
            continue
        if "Next" not in rule:
            yield problem("The field 'Next' is required", (*inner, "Next"), at=inner)
        if jsonata:
            yield from supported(rule, known.RULE[True], inner)
            if expression_of(rule.get("Condition")) is None and not isinstance(rule.get("Condition"), bool):
                yield problem(
                    "The field 'Condition' is required, a JSONata expression", (*inner, "Condition"), at=inner
                )
            yield from _expression(
                {key: rule[key] for key in ("Condition", "Output", "Assign") if key in rule}, inner
            )
        else:
            yield from _rule(rule, inner, top=True)
            yield from _template(rule.get("Assign"), (*inner, "Assign"))


def _rule(rule: Any, place: Place, *, top: bool = False) -> Problems:
    if not isinstance(rule, dict):
        yield problem("Expected a JSON object", place)
        return
    extra = known.RULE[False] if top else frozenset(("Comment",))
    operators = [name for name in rule if name not in extra and name != "Variable"]
    if len(operators) != 1:
        yield problem(
            f"Exactly one comparison operator is required, but found: [{', '.join(operators)}]", place
        )
        return
    name = operators[0]
    operand = rule[name]
    if name in {"And", "Or"}:
        if not isinstance(operand, list) or not operand:
            yield problem(f"The field '{name}' takes an array of rules", (*place, name))
        for number, inner in enumerate(operand if isinstance(operand, list) else ()):
            yield from _rule(inner, (*place, name, number))
    elif name == "Not":
        yield from _rule(operand, (*place, name))
    elif name not in OPERATORS and name not in PATH_OPERATORS:
        yield problem(f"Field '{name}' is not supported", (*place, name), at=place)
    elif not _is_path(rule.get("Variable")):
        yield problem("Value is not a valid JSONPath", (*place, "Variable"))
    elif name in PATH_OPERATORS and not _is_path(operand):
        yield problem("Value is not a valid JSONPath", (*place, name))
