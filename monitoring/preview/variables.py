"""Template variables: `$env` in a query becomes `env:prod`, or everything."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_USE = re.compile(r"(?P<key>[\w.-]+:[\w.*:/-]*)?\$(?P<word>[A-Za-z_][\w.-]*)")
_ENDS = re.compile(r"[.-]|\Z")
"""What may stand behind the name of a variable."""
_BRACES = re.compile(r"\{[^{}]*\}")
_WORDS = re.compile(r"\s(IN|in|OR|or|AND|and)\s|\b(NOT|not)\s")
_COMMA = re.compile(r",\s*(?![^(]*\))")
"""A comma that is in no parentheses."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One template variable and the values that are chosen for it; `*` is every value."""

    name: str
    prefix: str
    chosen: tuple[str, ...]
    offered: tuple[str, ...] = ()


def variables_of(dashboard: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]) -> dict[str, Variable]:
    """Return the dashboard's template variables, at their defaults or as chosen."""
    variables = {}
    for definition in _listed(dashboard.get("template_variables")):
        if not isinstance(definition, Mapping) or not isinstance(definition.get("name"), str):
            continue
        name = definition["name"]
        values = (
            chosen.get(name)
            or _listed(definition.get("defaults"))
            or _listed(definition.get("default"))
            or ["*"]
        )
        offered = _listed(definition.get("available_values"))
        prefix = str(definition.get("prefix") or "")
        variables[name] = Variable(name, prefix, tuple(map(str, values)), tuple(map(str, offered)))
    return variables


def _listed(value: Any) -> Sequence[Any]:
    """Return a list as it is, another value as the only one of a list, and nothing as an empty list."""
    return value if isinstance(value, list) else [value] if value else []


def put_in(query: str, variables: Mapping[str, Variable]) -> str:
    """Replace the known template variables in a query; the parser reports unknown ones.

    A variable with several values becomes `key IN (a, b)`, and a scope with it is written in words.
    A scope that has words already is written in words as a whole.
    """
    if "$" not in query:
        return query

    def use(match: re.Match[str]) -> str:
        variable, part, rest = _used(match["word"], variables)
        return match[0] if variable is None else _as_filter(match["key"] or "", variable, part) + rest

    filled = _USE.sub(use, query)
    return _BRACES.sub(_in_words, filled)


def _in_words(braces: re.Match[str]) -> str:
    """Return a scope with AND and NOT where it has words, which cannot be mixed with commas and `!`."""
    if not _WORDS.search(braces[0]):
        return braces[0]
    terms = [term.strip() for term in _COMMA.split(braces[0][1:-1])]
    kept = [term for term in terms if term != "*"] or ["*"]
    if len(kept) == 1:
        return f"{{{kept[0]}}}"
    return f"{{{' AND '.join(map(_in_words_alone, kept))}}}"


def _in_words_alone(term: str) -> str:
    if term.startswith("!"):
        return f"NOT {term[1:]}"
    return f"({term})" if re.search(r"\s(OR|or)\s", term) else term


def _used(word: str, variables: Mapping[str, Variable]) -> tuple[Variable | None, str, str]:
    """Return the variable of the longest defined name that the word starts with, its part, and the rest.

    The part is `.value` or `.key`; a name may have dots and dashes itself.
    """
    for end in range(len(word), 0, -1):
        variable = variables.get(word[:end])
        if variable is not None and _ENDS.match(word, end):
            part = next((suffix for suffix in (".value", ".key") if word.startswith(suffix, end)), "")
            return variable, part, word[end + len(part) :]
    return None, "", ""


def as_search(text: str, variables: Mapping[str, Variable]) -> str:
    """Replace them in a search of logs, events or monitors, where several values are in parentheses."""

    def use(match: re.Match[str]) -> str:
        variable, part, rest = _used(match["word"], variables)
        if variable is None:
            return match[0]
        key = match["key"] or ("" if part or not variable.prefix else f"{variable.prefix}:")
        if "*" in variable.chosen or not variable.chosen:
            return f"{match['key'] or ''}*{rest}"
        values = [f'"{value}"' if re.search(r"[\s:()]", value) else value for value in variable.chosen]
        return (f"{key}{values[0]}" if len(values) == 1 else f"{key}({' OR '.join(values)})") + rest

    return _USE.sub(use, text)


def _as_filter(key: str, variable: Variable, part: str) -> str:
    everything = "*" in variable.chosen or not variable.chosen
    if key and len(variable.chosen) > 1 and not everything:
        begun = not re.fullmatch(r"[^:]*:", key)  # `host:web-$host.value`, which IN cannot say
        terms = [f"{key}{value}" for value in variable.chosen]
        return f"({' OR '.join(terms)})" if begun else f"{key[:-1]} IN ({', '.join(variable.chosen)})"
    if key or part == ".value":  # `host:$host.value`: only the value stands here
        return f"{key}*" if everything else f"{key}{variable.chosen[0]}"
    if everything:
        return "*"
    if not variable.prefix:
        return variable.chosen[0]
    if len(variable.chosen) == 1:
        return f"{variable.prefix}:{variable.chosen[0]}"
    return f"{variable.prefix} IN ({', '.join(variable.chosen)})"
