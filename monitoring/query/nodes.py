"""Define the nodes of queries, frozen values with their offsets in the text.

The offsets are not compared: `parse(format(query)) == query`.
"""

from dataclasses import dataclass, field
from typing import Literal

Style = Literal[",", "AND"]
"""The notation of a conjunction: symbols (`a:b,!c:d`) or words (`a:b AND NOT c:d`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A node with its location `text[start:end]`."""

    start: int = field(default=0, compare=False, repr=False)
    end: int = field(default=0, compare=False, repr=False)


# --- the braces: which sources


@dataclass(frozen=True, slots=True)
class Everything(Placed):
    """`*`: every source."""


@dataclass(frozen=True, slots=True)
class Tag(Placed):
    """`key:value`, or a bare `value` (then `key` is None); `*` in the value matches any text."""

    key: str | None
    value: str


@dataclass(frozen=True, slots=True)
class Variable(Placed):
    """A template variable of a dashboard: `$env`, or `$env.value`."""

    name: str


@dataclass(frozen=True, slots=True)
class In(Placed):
    """`key IN (a, b)`, or `key NOT IN (a, b)`."""

    key: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not(Placed):
    """`!term`, or `NOT term`."""

    term: "Scope"
    style: Style = ","


@dataclass(frozen=True, slots=True)
class And(Placed):
    """All of the terms: `a:b,c:d`, or `a:b AND c:d`."""

    terms: tuple["Scope", ...]
    style: Style = ","


@dataclass(frozen=True, slots=True)
class Or(Placed):
    """Any of the terms: `a:b OR c:d`."""

    terms: tuple["Scope", ...]


Scope = Everything | Tag | Variable | In | Not | And | Or

# --- expressions


@dataclass(frozen=True, slots=True)
class Number(Placed):
    """A number; a leading minus is part of it."""

    value: float


@dataclass(frozen=True, slots=True)
class String(Placed):
    """A quoted text, or a word for a parameter that is a choice (`'desc'`, `desc`)."""

    value: str


@dataclass(frozen=True, slots=True)
class Groups(Placed):
    """`{ host }` as an argument: the grouping keys of another space aggregation; `{*}` has none."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference(Placed):
    """The name of a query, in a formula."""

    name: str


@dataclass(frozen=True, slots=True)
class Threshold(Placed):
    """`count(v: v>=0.5):`, the number of values of a distribution beyond a bound."""

    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class Modifier(Placed):
    """`.rollup(sum, 60)`: a name, words and numbers."""

    name: str
    arguments: tuple[str | float, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric(Placed):
    """`aggregator:name{scope} by {keys}.modifier()…`; a missing aggregator is None (the server averages)."""

    name: str
    aggregator: str | None
    scope: Scope
    by: tuple[str, ...] = ()
    modifiers: tuple[Modifier, ...] = ()
    threshold: Threshold | None = None

    def modifier(self, name: str) -> Modifier | None:
        """Return the last modifier of a name, which is the effective one, or None."""
        return next((member for member in reversed(self.modifiers) if member.name == name), None)


@dataclass(frozen=True, slots=True)
class Keyword(Placed):
    """`direction='above'` among the arguments of a function."""

    name: str
    value: str | float


@dataclass(frozen=True, slots=True)
class Call(Placed):
    """A function call with its arguments and its keyword arguments."""

    name: str
    arguments: tuple["Argument", ...]
    keywords: tuple[Keyword, ...] = ()


@dataclass(frozen=True, slots=True)
class Negative(Placed):
    """`-query`."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary(Placed):
    """`left operator right`, the operator one of + - * /."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Several(Placed):
    """`a, b`: several lines of one graph."""

    queries: tuple["Expression", ...]


Expression = Number | Reference | Metric | Call | Negative | Binary
Argument = Expression | String | Groups
Query = Expression | Several
