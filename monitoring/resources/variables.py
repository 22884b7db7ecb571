"""Variables in a resource's body: `${var:NAME}` and `${var:NAME|DEFAULT}`."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.errors import InputError

VARIABLE = re.compile(r"\$\{var:(?P<name>[A-Za-z_][\w-]*)(?:\|(?P<default>[^}]*))?\}")


def fill_in(body: Mapping[str, Any], variables: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return the body with its variables replaced; one that is a whole string keeps its value's type.

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
    return VARIABLE.sub(lambda match: str(variables.get(match["name"], match["default"])), value)


def _typed(text: str) -> Any:
    """Return a default as the JSON number or boolean that it reads as, else as text."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, (int, float)) else text
