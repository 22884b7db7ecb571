"""Check the arguments of functions and modifiers against the tables in `functions`."""

import re
from dataclasses import replace

from monitoring.query.cursor import NAME, Cursor
from monitoring.query.errors import nearest
from monitoring.query.functions import FUNCTIONS, MODIFIERS, ROLLUPS, Function, Parameter
from monitoring.query.nodes import Argument, Call, Groups, Modifier, Number, Reference, String

CALENDAR = ("daily", "weekly", "monthly")
FILLS = ("linear", "last", "zero", "null")
KEYWORD_CHOICES = {
    "direction": ("both", "above", "below"),
    "count_default_zero": ("true", "false"),
    "seasonality": ("hourly", "daily", "weekly", "auto"),
}
"""The valid words of named arguments of algorithms."""
_PNN = re.compile(r"p\d{1,2}(\.\d{1,2})?\Z")


def check_call(cursor: Cursor, call: Call) -> Call:
    """Check the arguments of a call; convert names to words for parameters that are a choice."""
    function = FUNCTIONS[call.name]
    count = len(call.arguments)
    if not function.fewest <= count <= len(function.parameters):
        fewest, most = function.fewest, len(function.parameters)
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        plural = "" if wanted == "1" else "s"
        message = f"{call.name} takes {wanted} argument{plural}, not {count}"
        raise cursor.error(message, call.start, call.end, (), _better(call, function))
    for keyword in call.keywords:
        if keyword.name not in function.keywords:
            message = f"{call.name} has no argument '{keyword.name}'"
            guess = nearest(keyword.name, function.keywords)
            raise cursor.error(message, keyword.start, keyword.end, function.keywords, guess and f"{guess}=…")
        choices = KEYWORD_CHOICES.get(keyword.name, ())
        if choices and str(keyword.value).lower() not in choices:
            message = f"'{keyword.value}' is not a valid {keyword.name}"
            guess = nearest(str(keyword.value), choices)
            expected = tuple(f"'{choice}'" for choice in choices)
            raise cursor.error(message, keyword.start, keyword.end, expected, guess and f"'{guess}'")
    pairs = zip(function.parameters, call.arguments, strict=False)
    arguments = tuple(_checked(cursor, function, parameter, argument) for parameter, argument in pairs)
    return call if arguments == call.arguments else replace(call, arguments=arguments)


def _better(call: Call, function: Function) -> str:
    """Return the probably intended query: `avg:m{*}` for `avg(m{*})`."""
    inside = call.arguments[0] if call.arguments else None
    name = getattr(inside, "name", "")
    if len(call.arguments) == 1 and call.name in {"avg", "sum", "min", "max", "count"} and name:
        return f"{call.name}:{name}{{…}}"
    return function.usage()


def _checked(cursor: Cursor, function: Function, parameter: Parameter, argument: Argument) -> Argument:
    """Return the argument, converted to the type of its parameter."""
    kind = parameter.kind
    if kind in {"word", "text"} or (kind == "number" and parameter.choices):
        argument = _as_word(cursor, argument)
    fits = {
        "query": not isinstance(argument, String)
        and (not isinstance(argument, Groups) or "groups" in parameter.choices),
        "number": isinstance(argument, Number)
        or (isinstance(argument, String) and argument.value in parameter.choices),
        "word": isinstance(argument, String) and _chosen(argument.value, parameter.choices),
        "text": isinstance(argument, String),
        "groups": isinstance(argument, Groups),
    }[kind]
    if fits:
        return argument
    expected = _expected(parameter)
    written = cursor.text[argument.start : argument.end]
    guess = nearest(argument.value, parameter.choices) if isinstance(argument, String) else ""
    message = f"{written} is not a valid {parameter.name} for {function.name}"
    raise cursor.error(message, argument.start, argument.end, expected, guess and f"'{guess}'")


def _expected(parameter: Parameter) -> tuple[str, ...]:
    if parameter.kind == "word":
        return tuple(
            "a percentile ('p95')" if choice == "pNN" else f"'{choice}'" for choice in parameter.choices
        )
    names = {"query": "a query", "number": "a number", "text": "a quoted text", "groups": "groups ({host})"}
    return (names[parameter.kind],)


def _as_word(cursor: Cursor, argument: Argument) -> Argument:
    """Convert the name of a query to a word, for a parameter that is a choice."""
    if isinstance(argument, Reference):
        cursor.references = [reference for reference in cursor.references if reference is not argument]
        return String(argument.name, start=argument.start, end=argument.end)
    return argument


def _chosen(word: str, choices: tuple[str, ...]) -> bool:
    return not choices or word.lower() in choices or ("pNN" in choices and _PNN.match(word) is not None)


def modifier(cursor: Cursor) -> Modifier:
    """Parse modifier = "." name "(" [argument ("," argument)*] ")" """
    start = cursor.position
    cursor.take(".")
    name = cursor.match(NAME)
    if name is None:
        cursor.unexpected("the modifiers", tuple(rule.usage for rule in MODIFIERS.values()))
    if name.group() not in MODIFIERS:
        guess = nearest(name.group(), MODIFIERS)
        usual = tuple(f".{modifier_name}()" for modifier_name in MODIFIERS)
        suggestion = MODIFIERS[guess].usage if guess else ""
        raise cursor.error(f"unknown modifier '.{name.group()}'", start, name.end(), usual, suggestion)
    if not cursor.take("("):
        raise cursor.error(
            f"the modifier .{name.group()} needs parentheses",
            start,
            name.end(),
            ("'('",),
            MODIFIERS[name.group()].usage,
        )
    arguments: list[str | float] = []
    if not cursor.looking_at(")"):
        arguments.append(_modifier_argument(cursor, name.group()))
        while cursor.take(","):
            arguments.append(_modifier_argument(cursor, name.group()))
    if not cursor.take(")"):
        cursor.unexpected(f"the modifier .{name.group()}", ("','", "')'"))
    if problem := _PROBLEM[name.group()](arguments):
        raise cursor.error(problem, start, cursor.last(), (), MODIFIERS[name.group()].usage)
    return Modifier(name.group(), tuple(arguments), start=start, end=cursor.last())


def _modifier_argument(cursor: Cursor, name: str) -> str | float:
    text = cursor.string()
    if text is not None:
        return text
    word = cursor.match(NAME)
    return word.group() if word else cursor.number(f"the modifier .{name}")


def _nothing(arguments: list[str | float]) -> str:
    return "this modifier takes no arguments" if arguments else ""


def _rollup(arguments: list[str | float]) -> str:
    """rollup = aggregator | seconds | aggregator "," (seconds | daily | weekly | monthly) ["," timezone]"""
    if not arguments:
        return "a rollup needs an aggregator, or seconds"
    rest = list(arguments)
    first = rest[0]
    if isinstance(first, str):
        if first not in ROLLUPS:
            guess = nearest(first, ROLLUPS)
            return f"a rollup cannot aggregate by '{first}'" + (f": did you mean {guess}?" if guess else "")
        rest.pop(0)
    if not rest:
        return ""
    if isinstance(rest[0], str):
        return (
            ""
            if rest[0] in CALENDAR
            else f"'{rest[0]}' is not a number of seconds, nor daily, weekly or monthly"
        )
    if len(rest) > 1:
        return "a rollup takes an aggregator and seconds, no more"
    return "" if rest[0] >= 1 and rest[0].is_integer() else "a rollup takes whole seconds, at least 1"


def _fill(arguments: list[str | float]) -> str:
    """fill = method ["," limit] | limit ; the limit in seconds"""
    if not arguments:
        return "fill needs a method"
    if len(arguments) > 2:
        return "fill takes a method and a limit, no more"
    method, *limit = arguments
    if isinstance(method, str) and method not in FILLS:
        guess = nearest(method, FILLS)
        return f"fill has no method '{method}'" + (f": did you mean {guess}?" if guess else "")
    numbers = [argument for argument in (method, *limit) if not isinstance(argument, str)]
    if len(numbers) != len(arguments) - isinstance(method, str) or any(argument < 0 for argument in numbers):
        return "fill takes a limit in seconds, at least 0"
    return "fill takes one number only" if len(numbers) > 1 else ""


_PROBLEM = {"as_count": _nothing, "as_rate": _nothing, "weighted": _nothing, "rollup": _rollup, "fill": _fill}
