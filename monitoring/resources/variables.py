"""Variables in a resource's body: `${var:NAME}` and `${var:NAME|DEFAULT}`."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.errors import InputError

VARIABLE = re.compile(r"\$\{var:(?P<name>[A-Za-z_][\w-]*)(?:\|(?P<default>[^}]*))?\}")
AND = " AND "
"""The separator between a scope in a variable and further tags: `{${var:scope|*} AND claim:paid}`."""

_IN_TEXT = re.compile(rf"{VARIABLE.pattern}(?P<and>{AND})?")


def fill_in(body: Mapping[str, Any], variables: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return the body with its variables replaced; one that is a whole string keeps its value's type.

    In front of ` AND ` a value is a scope: `*` is left out with the AND, and one with OR gets brackets.

    Raises:
        InputError: a variable has neither a value nor a default; every such one is named.
    """
    missing = sorted({name for name, default in mentioned(body) if name not in variables and default is None})
    if missing:
        raise InputError(
            f"no value for {', '.join('${var:' + name + '}' for name in missing)}",
            where=where,
            hint="Give one in stepscope.toml under [defaults] or [env.NAME], "
            f"or write ${{var:{missing[0]}|DEFAULT}}.",
        )
    filled: dict[str, Any] = _fill(body, variables)
    return filled


def settled(variables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the variables, those filled in whose text mentions others: `scope = "env:${var:env}"`.

    Lists and tables stay as they are: they belong to a `for_each`, or to the place where they are used.

    Raises:
        InputError: one mentions another that has neither value nor default, or they mention each other in a
            circle.
    """
    known = dict(variables)
    for _ in range(len(known) + 1):
        open_ = {
            name: value for name, value in known.items() if isinstance(value, str) and VARIABLE.search(value)
        }
        if not open_:
            return known
        known |= fill_in(open_, known, where)
    raise InputError(
        f"these values mention each other in a circle: {', '.join(sorted(open_))}",
        where=where,
        hint="Give one of them a value of its own.",
    )


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two tables as one; tables of both are merged likewise, else the upper value counts."""
    both = {
        name: merged(below[name], value)
        for name, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(name), Mapping)
    }
    return {**below, **above, **both}


def mentioned(value: Any) -> Iterator[tuple[str, str | None]]:
    """(name, default) of every variable in a body."""
    if isinstance(value, str):
        for match in VARIABLE.finditer(value):
            yield match["name"], match["default"]
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from mentioned(item)
    elif isinstance(value, list):
        for item in value:
            yield from mentioned(item)


def with_defaults(value: Any) -> Any:
    """Return a value in which variables that are a whole string have their default, a number as a number."""
    if isinstance(value, Mapping):
        return {key: with_defaults(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_defaults(item) for item in value]
    alone = VARIABLE.fullmatch(value) if isinstance(value, str) and "${var:" in value else None
    return _typed(alone["default"]) if alone and alone["default"] is not None else value


def _fill(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in value]
    if not isinstance(value, str) or "${var:" not in value:
        return value
    alone = VARIABLE.fullmatch(value)
    if alone:
        return variables[alone["name"]] if alone["name"] in variables else _typed(alone["default"])
    return _IN_TEXT.sub(lambda match: _text(match, variables), value)


def _text(match: re.Match[str], variables: Mapping[str, Any]) -> str:
    text = str(variables.get(match["name"], match["default"]))
    return scope_before_and(text) if match["and"] else text


def scope_before_and(scope: str) -> str:
    """Return a scope with the AND behind it; nothing for `*`, which leaves nothing out."""
    if scope.strip() in {"", "*"}:
        return ""
    together = AND.join(part.strip() for part in scope.split(","))
    return f"({together}){AND}" if re.search(r"\sOR\s", together) else f"{together}{AND}"


def _typed(text: str) -> Any:
    """Return a default as the JSON number or boolean that it reads as, else as text."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, (int, float)) else text
