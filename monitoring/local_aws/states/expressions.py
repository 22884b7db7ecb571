"""JSONata expressions: the library's, with the functions that Step Functions adds and without `$eval`."""

import functools
import random
import uuid
from collections.abc import Mapping
from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import EvaluationError
from monitoring.local_aws.states.intrinsics import IntrinsicError, hashed
from monitoring.local_aws.states.jsonpath import is_number, type_name

TIMEOUT_MILLISECONDS = 5000
DEPTH = 250
"""Bounds of one evaluation: an expression without an end fails."""


@functools.cache
def _library() -> Any:
    """Return the library; imported with the first expression, because it raises Python's recursion limit."""
    import jsonata

    setattr(jsonata.jsonata, "print", lambda *_: None)  # noqa: B010  it reports calls of non-functions on stdout
    return jsonata


def expression_of(value: Any) -> str | None:
    """Return the expression of a `{% … %}` text, or None for any other value."""
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= 4:
        return value[2:-2].strip()
    return None


class ExpressionSyntaxError(ValueError):
    """A text is not a JSONata expression, or not one that Step Functions accepts."""


@functools.lru_cache(maxsize=2048)
def compile_expression(expression: str) -> Any:
    """Return a compiled expression.

    Raises:
        ExpressionSyntaxError: it cannot be parsed.
    """
    jsonata = _library()
    try:
        compiled = jsonata.Jsonata(expression)
    except Exception as failed:  # noqa: BLE001  the library raises whatever its own code runs into
        raise ExpressionSyntaxError(_reason(failed)) from None
    if compiled.errors:
        raise ExpressionSyntaxError("it is incomplete")
    compiled.set_output_convert_nulls(False)
    compiled.set_validate_input(False)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    compiled.assign("eval", None)
    return compiled


def evaluate_expression(expression: str, bindings: Mapping[str, Any], field: str) -> Any:
    """Return what an expression gives, as JSON.

    Raises:
        EvaluationError: it fails, gives nothing, or gives what is not JSON.
    """
    prefix = f"The JSONata expression '{expression}' specified for the field '{field}'"
    try:
        compiled = compile_expression(expression)
        compiled.environment.set_runtime_bounds(TIMEOUT_MILLISECONDS, DEPTH)  # counted from now on
        _library().Jsonata.CURRENT.jsonata = compiled
        result = compiled.evaluate(None, {name: _undefined(value) for name, value in bindings.items()})
    except ExpressionSyntaxError as failed:
        raise EvaluationError(f"{prefix} threw an error during evaluation. {failed}", field) from None
    except Exception as failed:  # noqa: BLE001  the library raises whatever its own code runs into
        raise EvaluationError(
            f"{prefix} threw an error during evaluation. {_reason(failed)}", field
        ) from None
    if result is None:
        raise EvaluationError(f"{prefix} returned nothing (undefined).", field)
    try:
        return _as_json(result)
    except TypeError:
        raise EvaluationError(f"{prefix} returned an unsupported result type.", field) from None


def _reason(failed: Exception) -> str:
    code = getattr(failed, "error", None)
    if isinstance(code, str):
        return f"{code}: {failed}" if code != str(failed) else code
    if isinstance(failed, IntrinsicError):
        return str(failed)
    if isinstance(failed, RecursionError):
        return "D1011: Stack overflow error: Check for non-terminating recursive function"
    return "The expression cannot be evaluated"


def _as_json(value: Any) -> Any:
    if value is None or value is _null():
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value
    if isinstance(value, dict):
        return {str(key): _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | range):
        return [_as_json(inner) for inner in value]
    raise TypeError(type(value).__name__)


# -- functions that Step Functions adds to JSONata


def _null() -> Any:
    """Return the library's null: its None is undefined."""
    return _library().utils.Utils.NULL_VALUE


def _undefined(value: Any) -> Any:
    return _null() if value is None else value


def _sequence(values: list[Any]) -> Any:
    sequence = _library().utils.Utils.create_sequence()
    sequence.extend(values)
    return sequence


def _partition(array: Any = None, size: Any = None) -> Any:
    if array is None:
        return None
    items = list(array) if isinstance(array, list | range) else [array]
    if not is_number(size) or size < 1:
        raise IntrinsicError('Argument 2 of function "partition" must be a number above 0')
    step = round(size)
    return [items[at : at + step] for at in range(0, len(items), step)]


def _range(first: Any = None, last: Any = None, step: Any = None) -> Any:
    if not all(is_number(number) for number in (first, last, step)) or not step:
        raise IntrinsicError('The arguments of function "range" must be numbers, and the last one not 0')
    count = int((last - first) / step) + 1
    if count > 1000:
        raise IntrinsicError('function "range" gives at most 1000 items')
    return _sequence([first + number * step for number in range(max(0, count))])


def _hash(value: Any = None, algorithm: Any = "SHA-256") -> Any:
    return None if value is None else hashed(None if value is _null() else value, algorithm)


def _random(seed: Any = None) -> float:
    if seed is not None and not is_number(seed):
        raise IntrinsicError(f'Argument 1 of function "random" must be a number, but was: {type_name(seed)}')
    return (random if seed is None else random.Random(seed)).random()  # noqa: S311


def _parse(value: Any = None) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        raise IntrinsicError('Argument 1 of function "parse" must be a string')
    try:
        parsed = text.loads(value)
    except ValueError:
        raise IntrinsicError('Argument 1 of function "parse" is not JSON') from None
    return _undefined(parsed)


_FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": _parse,
}
