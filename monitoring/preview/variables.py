"""Template variables: `$env` in a query becomes `env:prod`, or everything."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_USE = re.compile(r"(?P<key>[\w.-]+:)?\$(?P<name>[A-Za-z_][\w-]*)(?P<value>\.value|\.key)?")


@dataclass(frozen=True, slots=True)
class Variable:
    """One template variable and the values that are chosen for it; `*` is every value."""

    name: str
    prefix: str
    chosen: tuple[str, ...]
    offered: tuple[str, ...] = ()


def variables_of(dashboard: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]) -> dict[str, Variable]:
    """Return the dashboard's template variables, at their defaults or as chosen."""
    found = {}
    for one in _listed(dashboard.get("template_variables")):
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            continue
        name = one["name"]
        values = chosen.get(name) or _listed(one.get("defaults")) or _listed(one.get("default")) or ["*"]
        offered = _listed(one.get("available_values"))
        prefix = str(one.get("prefix") or "")
        found[name] = Variable(name, prefix, tuple(map(str, values)), tuple(map(str, offered)))
    return found


def _listed(value: Any) -> Sequence[Any]:
    """Return a list as it is, another value as the only one of a list, and nothing as an empty list."""
    return value if isinstance(value, list) else [value] if value else []


def put_in(query: str, variables: Mapping[str, Variable]) -> str:
    """Replace the known template variables in a query; the parser reports unknown ones."""

    def use(match: re.Match[str]) -> str:
        variable = variables.get(match["name"])
        return (
            match[0] if variable is None else _as_filter(match["key"] or "", variable, match["value"] or "")
        )

    return _USE.sub(use, query)


def as_search(text: str, variables: Mapping[str, Variable]) -> str:
    """Replace them in a search of logs, events or monitors, where several values are in parentheses."""

    def use(match: re.Match[str]) -> str:
        variable = variables.get(match["name"])
        if variable is None:
            return match[0]
        key = match["key"] or ("" if match["value"] or not variable.prefix else f"{variable.prefix}:")
        if "*" in variable.chosen or not variable.chosen:
            return f"{match['key']}*" if match["key"] else "*"
        values = [f'"{one}"' if re.search(r"[\s:()]", one) else one for one in variable.chosen]
        return f"{key}{values[0]}" if len(values) == 1 else f"{key}({' OR '.join(values)})"

    return _USE.sub(use, text)


def _as_filter(key: str, variable: Variable, part: str) -> str:
    everything = "*" in variable.chosen or not variable.chosen
    if key or part == ".value":  # `host:$host.value`: only the value stands here
        return f"{key}*" if everything else f"{key}{variable.chosen[0]}"
    if everything:
        return "*"
    if not variable.prefix:
        return variable.chosen[0]
    if len(variable.chosen) == 1:
        return f"{variable.prefix}:{variable.chosen[0]}"
    return f"{variable.prefix} IN ({', '.join(variable.chosen)})"
