"""Replace template variables: `$env` in a query becomes `env:prod`, or `*`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_USE = re.compile(r"(?P<key>[\w.-]+:[\w.*:/-]*)?\$(?P<word>[A-Za-z_][\w.-]*)")
_ENDS = re.compile(r"[.-]|\Z")
"""Matches the end of a variable's name."""
_BRACES = re.compile(r"\{[^{}]*\}")
_WORDS = re.compile(r"\s(IN|in|OR|or|AND|and)\s|\b(NOT|not)\s")
_COMMA = re.compile(r",\s*(?![^(]*\))")
"""A comma that is in no parentheses."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A template variable and its selected values; `*` means all values."""

    name: str
    prefix: str
    chosen: tuple[str, ...]
    offered: tuple[str, ...] = ()


def variables_of(dashboard: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]) -> dict[str, Variable]:
    """Return the dashboard's template variables, with their default or selected values."""
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
    """Return a value as a list: a list unchanged, a single value as a list of one, None as an empty list."""
    return value if isinstance(value, list) else [value] if value else []


def put_in(query: str, variables: Mapping[str, Variable]) -> str:
    """Replace the known template variables in a query; the parser reports unknown ones.

    A variable with several values becomes `key IN (a, b)`, and its scope is written with AND and NOT, as is
    any scope that already has such operators.
    """
    if "$" not in query:
        return query

    def use(match: re.Match[str]) -> str:
        variable, part, rest = _used(match["word"], variables)
        return match[0] if variable is None else _as_filter(match["key"] or "", variable, part) + rest

    filled = _USE.sub(use, query)
    return _BRACES.sub(_in_words, filled)


def _in_words(braces: re.Match[str]) -> str:
    """Return a scope with AND and NOT if it has such operators, because they exclude commas and `!`."""
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
    """Return (variable, part, rest) for a word that starts with the name of a variable.

    The longest matching name is used, because a name may have dots and dashes. The part is `.value` or
    `.key`.
    """
    for end in range(len(word), 0, -1):
        variable = variables.get(word[:end])
        if variable is not None and _ENDS.match(word, end):
            part = next((suffix for suffix in (".value", ".key") if word.startswith(suffix, end)), "")
            return variable, part, word[end + len(part) :]
    return None, "", ""


def as_search(text: str, variables: Mapping[str, Variable]) -> str:
    """Replace template variables in a search; several values are put in parentheses."""

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
