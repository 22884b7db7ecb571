"""Evaluate two helpers of notification texts: `{{eval "…"}}` and `{{local_time '…' '…'}}`."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from monitoring.errors import InputError

Variables = Mapping[str, str | float]

SOMETIMES = (
    "value",
    "threshold",
    "alert_threshold",
    "warn_threshold",
    "ok_threshold",
    "alert_recovery_threshold",
    "warn_recovery_threshold",
    "first_triggered_at_epoch",
    "last_triggered_at_epoch",
)
"""Numbers that a notification may lack, without a mistake in its text."""

_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def _humanize(value: float, units: tuple[str, ...], step: float) -> str:
    for unit in units[:-1]:
        if abs(value) < step:
            return f"{value:.3g}{unit}"
        value /= step
    return f"{value:.3g}{units[-1]}"


_FUNCTIONS: dict[str, Callable[..., float | str]] = {
    "abs": abs,
    "ceil": math.ceil,
    "dec": lambda value: math.modf(value)[0],
    "float": float,
    "floor": math.floor,
    "humanize_bits": lambda value: _humanize(value, ("b", "Kb", "Mb", "Gb", "Tb", "Pb"), 1000),
    "humanize_bytes": lambda value: _humanize(value, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"), 1024),
    "int": math.floor,
    "max": max,
    "min": min,
    "round": round,
    "sgn": lambda value: (value > 0) - (value < 0),
    "to_bool": lambda value: "true" if value == 1 else "false",
    "trunc": math.floor,
    **{
        name: getattr(math, name)
        for name in [
            "exp",
            "log10",
            "sin",
            "sinh",
            "asin",
            "asinh",
            "cos",
            "cosh",
            "acos",
            "acosh",
            "tan",
            "tanh",
            "atan",
            "atan2",
            "atanh",
        ]
    },
}
"""The functions of `eval`; anything else is an error that lists these. `int` floors, as the page says."""


class NoValueError(Exception):
    """Raised for a variable that has no value now, such as `value` without data."""


def evaluate_expression(argument: str, variables: Variables) -> str:
    """Evaluate `{{eval "argument"}}`: arithmetic over variables that hold numbers.

    Raises:
        InputError: the expression is not valid, or uses a function that Datadog's `eval` does not have.
        NoValueError: one of its variables has no value at this moment.
    """
    source = argument.strip().strip("\"'").strip()
    try:
        value = _compute(ast.parse(source.replace("^", "**"), mode="eval").body, variables)
        return value if isinstance(value, str) else _shown(value)
    except (SyntaxError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        hint = f"known are + - * / % ^ and {', '.join(_FUNCTIONS)}"
        raise InputError(f"eval cannot compute {source!r}: {error}", where="message", hint=hint) from error


def _shown(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _compute(node: ast.AST, variables: Variables) -> float | str:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name() | ast.Attribute():
            return _value(ast.unparse(node), variables)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_number(left, variables), _number(right, variables))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_number(operand, variables))
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*[_number(arg, variables) for arg in args])
    raise ValueError(f"{ast.unparse(node)!r} is not part of it")


def _number(node: ast.AST, variables: Variables) -> float:
    value = _compute(node, variables)
    if isinstance(value, str | complex):
        raise TypeError(f"{value!r} is not a number")
    return value


def _value(name: str, variables: Variables) -> float:
    value = variables.get(name)
    if value is None and name in SOMETIMES:
        raise NoValueError(name)
    if value is None:
        raise ValueError(f"there is no variable {name}")
    return float(value)


def local_time(argument: str, variables: Variables) -> str:
    """Evaluate `{{local_time 'variable' 'zone'}}`, as in `2021-05-31 23:43:27+09:00`."""
    quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", argument)
    if len(quoted) != 2:
        raise InputError("local_time needs a variable and a time zone", where="message", hint=_LOCAL_TIME)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # reads files, and few texts need it

    name, zone = (single or double for single, double in quoted)
    epoch = variables.get(f"{name}_epoch")
    if not isinstance(epoch, int | float):
        raise InputError(f"local_time has no time {name!r}", where="message", hint=_LOCAL_TIME)
    try:
        return datetime.fromtimestamp(epoch / 1000, ZoneInfo(zone)).isoformat(" ", "seconds")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(f"unknown time zone {zone!r}", where="message", hint=_LOCAL_TIME) from error


_LOCAL_TIME = "write {{local_time 'last_triggered_at' 'Asia/Tokyo'}}"
