"""The intrinsic functions of JSONPath states: `States.Format('{} of {}', $.n, States.ArrayLength($.all))`."""

import base64
import binascii
import functools
import hashlib
import json
import math
import random
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from monitoring.local_aws.states import text as json_text
from monitoring.local_aws.states.jsonpath import equal

MAX_CHARACTERS = 10_000
HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class IntrinsicSyntaxError(ValueError):
    """The text is not a call of an intrinsic function; says why."""


class IntrinsicError(ValueError):
    """A function cannot do with its arguments; the message says what it expected."""


class IntrinsicCall(NamedTuple):
    """`States.Name(arguments)`; an argument is a Call, a Reference or a literal."""

    name: str
    arguments: tuple[Any, ...]


class Reference(NamedTuple):
    """A path or variable among the arguments."""

    path: str


class Template(str):
    """A literal string as it was written, its escapes kept: States.Format reads them itself."""

    __slots__ = ()


# -- parsing

_TOKEN = re.compile(
    r"""\s*(?:(?P<name>States\.[A-Za-z0-9]+)\s*\(|(?P<path>\$)|(?P<string>'(?:[^'\\]|\\.)*')"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>true|false|null)\b|(?P<mark>[(),]))""",
    re.DOTALL,
)


@functools.lru_cache(maxsize=4096)
def parse_intrinsic(text: str) -> IntrinsicCall:
    """call = "States." name "(" [argument {"," argument}] ")"; argument = call | path | string | number

    Raises:
        IntrinsicSyntaxError: it is something else, or there is no such function.
    """
    call, end = _argument(text, 0)
    if not isinstance(call, IntrinsicCall) or text[end:].strip():
        raise IntrinsicSyntaxError(f"'{text}' is not a call of an intrinsic function")
    return call


def _argument(text: str, at: int) -> tuple[Any, int]:
    token = _TOKEN.match(text, at)
    if token is None or token["mark"]:
        raise IntrinsicSyntaxError(f"'{text}' needs an argument at character {at + 1}")
    if token["name"]:
        return _call(text, token["name"], token.end())
    if token["path"]:
        end = _path_end(text, token.end())
        return Reference(text[token.end() - 1 : end].rstrip()), end
    if token["string"]:
        return Template(token["string"][1:-1]), token.end()
    return json.loads(token["number"] or token["word"]), token.end()


def _call(text: str, name: str, at: int) -> tuple[IntrinsicCall, int]:
    function = FUNCTIONS.get(name)
    if function is None:
        raise IntrinsicSyntaxError(f"'{name}' is not an intrinsic function")
    arguments: list[Any] = []
    end = re.compile(r"\s*\)").match(text, at)
    while end is None:
        value, at = _argument(text, at)
        arguments.append(value)
        mark = _TOKEN.match(text, at)
        if mark is None or mark["mark"] not in {",", ")"}:
            raise IntrinsicSyntaxError(f"'{text}' needs , or ) at character {at + 1}")
        at = mark.end()
        end = mark if mark["mark"] == ")" else None
    least, most = function.least_most
    if not least <= len(arguments) <= most:
        expected = (
            str(least) if least == most else f"{least} or more" if most == math.inf else f"{least} to {most}"
        )
        raise IntrinsicSyntaxError(f"{name} takes {expected} arguments, not {len(arguments)}")
    return IntrinsicCall(name, tuple(arguments)), end.end()


def _path_end(text: str, at: int) -> int:
    """Return where a path among arguments ends: at a comma or parenthesis outside of its own brackets."""
    depth, quote = 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "[(":
            depth += 1
        elif depth and char in "])":
            depth -= 1
        elif char in ",)":
            break
        at += 1
    return at


def references(call: IntrinsicCall) -> list[str]:
    """Return the paths and variables that a call reads."""
    paths: list[str] = []
    for argument in call.arguments:
        paths += (
            references(argument)
            if isinstance(argument, IntrinsicCall)
            else [argument.path]
            if isinstance(argument, Reference)
            else []
        )
    return paths


# -- evaluation


def evaluate_intrinsic(call: IntrinsicCall, lookup: Callable[[str], Any]) -> Any:
    """Return what a call gives; `lookup` reads the paths and variables among its arguments.

    Raises:
        IntrinsicError: the function cannot do with its arguments.
    """
    arguments = [
        _value(argument, lookup, keep=call.name == "States.Format" and not number)
        for number, argument in enumerate(call.arguments)
    ]
    return FUNCTIONS[call.name].apply(arguments)


def _value(argument: Any, lookup: Callable[[str], Any], *, keep: bool) -> Any:
    if isinstance(argument, IntrinsicCall):
        return evaluate_intrinsic(argument, lookup)
    if isinstance(argument, Reference):
        return lookup(argument.path)
    if isinstance(argument, Template) and not keep:
        return re.sub(r"\\(.)", r"\1", argument, flags=re.DOTALL)
    return argument


def _expect(value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise IntrinsicError(f"{what} was expected, but was: {json_text.dumps(value)}")
    return value


def _text(value: Any) -> str:
    text: str = _expect(value, str, "a string")
    if len(text) > MAX_CHARACTERS:
        raise IntrinsicError(
            f"a string of at most {MAX_CHARACTERS} characters was expected, but it has {len(text)}"
        )
    return text


def _integer(value: Any) -> int:
    """Return a number rounded as Java rounds: a half goes up."""
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool)
        else math.floor(_expect(value, (int, float), "a number") + 0.5)
    )


def _array(value: Any) -> list[Any]:
    array: list[Any] = _expect(value, list, "an array")
    return array


def java_text(value: Any) -> str:
    """Return a value as States.Format writes it: objects and arrays as Java prints maps and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(java_text, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={java_text(inner)}" for key, inner in value.items()) + "}"
    return json_text.dumps(value)


def _format(arguments: Sequence[Any]) -> str:
    template = _expect(arguments[0], str, "a string as the template")
    values = iter(arguments[1:])

    def fill(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        try:
            return java_text(next(values))
        except StopIteration:
            raise IntrinsicError("the template has more {} than there are arguments") from None

    filled = re.sub(r"\\(.)|\{\}", fill, template, flags=re.DOTALL)
    if next(values, None) is not None:
        raise IntrinsicError("the template has fewer {} than there are arguments")
    return filled


def _string_to_json(arguments: Sequence[Any]) -> Any:
    text = _expect(arguments[0], str, "a string")
    if not text.strip():
        return None
    try:
        return json_text.loads(text)
    except ValueError:
        raise IntrinsicError(f"the string is not JSON: {text}") from None


def _partition(arguments: Sequence[Any]) -> list[Any]:
    array, size = _array(arguments[0]), _integer(arguments[1])
    if size < 1:
        raise IntrinsicError(f"a chunk size above 0 was expected, but was: {size}")
    return [array[at : at + size] for at in range(0, len(array), size)]


def _range(arguments: Sequence[Any]) -> list[int]:
    first, last, step = map(_integer, arguments)
    if not step:
        raise IntrinsicError("a step other than 0 was expected")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > 1000:
        raise IntrinsicError(f"an array of at most 1000 items was expected, but it has {len(numbers)}")
    return list(numbers)


def _get_item(arguments: Sequence[Any]) -> Any:
    array, index = _array(arguments[0]), _expect(arguments[1], int, "an integer index")
    if not 0 <= index < len(array):
        raise IntrinsicError(f"index {index} is not within the array of {len(array)} items")
    return array[index]


def _unique(arguments: Sequence[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in _array(arguments[0]):
        if not any(equal(value, other) for other in kept):
            kept.append(value)
    return kept


def _decode(arguments: Sequence[Any]) -> str:
    try:
        return base64.b64decode(_text(arguments[0]), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        raise IntrinsicError("the string is not Base64") from None


def hashed(value: Any, algorithm: Any) -> str:
    """Return the hexadecimal digest of a value's text."""
    if algorithm not in HASHES:
        raise IntrinsicError(
            f"one of {', '.join(HASHES)} was expected, but was: {json_text.dumps(algorithm)}"
        )
    text = value if isinstance(value, str) else json_text.dumps(value)
    return hashlib.new(HASHES[algorithm], _text(text).encode(), usedforsecurity=False).hexdigest()


def _merge(arguments: Sequence[Any]) -> dict[str, Any]:
    first, second = (_expect(value, dict, "an object") for value in arguments[:2])
    if _expect(arguments[2], bool, "true or false") is True:
        raise IntrinsicError("only the shallow merging mode is supported; specify false")
    return {**first, **second}


def _random(arguments: Sequence[Any]) -> int:
    start, end = _integer(arguments[0]), _integer(arguments[1])
    if start >= end:
        raise IntrinsicError(f"a start below the end was expected, but they are {start} and {end}")
    return (random.Random(_integer(arguments[2])) if len(arguments) > 2 else random).randrange(start, end)  # noqa: S311


def _split(arguments: Sequence[Any]) -> list[str]:
    text, characters = (_expect(value, str, "a string") for value in arguments)
    if not characters:
        raise IntrinsicError("a string of at least one delimiting character was expected")
    return [part for part in re.split(f"[{re.escape(characters)}]", text) if part]


class _Function(NamedTuple):
    least_most: tuple[float, float]
    apply: Callable[[Sequence[Any]], Any]


FUNCTIONS: dict[str, _Function] = {
    "States.Format": _Function((1, math.inf), _format),
    "States.StringToJson": _Function((1, 1), _string_to_json),
    "States.JsonToString": _Function((1, 1), lambda arguments: json_text.dumps(arguments[0])),
    "States.Array": _Function((0, math.inf), list),
    "States.ArrayPartition": _Function((2, 2), _partition),
    "States.ArrayContains": _Function(
        (2, 2), lambda arguments: any(equal(value, arguments[1]) for value in _array(arguments[0]))
    ),
    "States.ArrayRange": _Function((3, 3), _range),
    "States.ArrayGetItem": _Function((2, 2), _get_item),
    "States.ArrayLength": _Function((1, 1), lambda arguments: len(_array(arguments[0]))),
    "States.ArrayUnique": _Function((1, 1), _unique),
    "States.Base64Encode": _Function(
        (1, 1), lambda arguments: base64.b64encode(_text(arguments[0]).encode()).decode()
    ),
    "States.Base64Decode": _Function((1, 1), _decode),
    "States.Hash": _Function((2, 2), lambda arguments: hashed(*arguments)),
    "States.JsonMerge": _Function((3, 3), _merge),
    "States.MathRandom": _Function((2, 3), _random),
    "States.MathAdd": _Function((2, 2), lambda arguments: _integer(arguments[0]) + _integer(arguments[1])),
    "States.StringSplit": _Function((2, 2), _split),
    "States.UUID": _Function((0, 0), lambda _: str(uuid.uuid4())),
}
