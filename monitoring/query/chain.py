"""Parse the chained monitor queries: searches, formulas, service checks, processes and SLOs."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from monitoring.query.cursor import COMPARISON, NAME, Cursor
from monitoring.query.errors import QueryError, nearest
from monitoring.query.formatter import format_number, format_query
from monitoring.query.monitor_nodes import (
    CheckMonitor,
    FormulaMonitor,
    MonitorQuery,
    ProcessMonitor,
    SearchMonitor,
    SloMonitor,
    Window,
)
from monitoring.query.nodes import Expression, Several
from monitoring.query.parser import parse
from monitoring.query.windows import comparison, format_comparison, length

_SOURCE = re.compile(r"[a-z][a-z0-9_-]*")
_KEYWORD = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)")
SOURCES = ("logs", "events", "rum", "audit", "ci-pipelines", "ci-tests", "error-tracking", "trace-analytics")
_MISWRITTEN = {"log": "logs", "event": "events", "process": "processes", "audits": "audit", "rums": "rum"}
_KNOWN_METHODS = ("count", "cardinality", "avg", "sum", "min", "max", "median", "pc95")
_METHODS = re.compile(rf"({'|'.join(_KNOWN_METHODS)}|pc?\d+(\.\d+)?|percentile|latest|earliest|stddev)\Z")
_OTHERS = ("source", "new", "impact", "regression")
_METHOD = re.compile(r"\.\s*([A-Za-z_]\w*)\s*\(")


@dataclass(slots=True)
class _Step:
    """A `.method(arguments)` of a chain."""

    name: str
    start: int
    end: int
    arguments: list[tuple[str | float, int]] = field(default_factory=list)
    keywords: list[tuple[str, str | float]] = field(default_factory=list)

    def texts(self, cursor: Cursor) -> tuple[str, ...]:
        """Return the arguments; raise QueryError if one is not a quoted string."""
        for value, at in self.arguments:
            if not isinstance(value, str):
                raise cursor.error(f".{self.name} takes quoted texts", at, at + 1, ("a quoted text",))
        return tuple(cast(str, value) for value, _ in self.arguments)

    def listed(self, cursor: Cursor) -> tuple[str, ...]:
        """Return the arguments, split at commas inside the texts too: by("a,b") is by("a", "b")."""
        return tuple(part.strip() for text in self.texts(cursor) for part in text.split(",") if part.strip())


@dataclass(slots=True)
class _Chain:
    """The head of a chain and its methods, by name; no method occurs twice."""

    cursor: Cursor
    start: int
    head: list[tuple[str | float, int]]
    steps: dict[str, _Step]

    def evaluated(self) -> Window:
        """Return the evaluation window of `.last("5m")`, or of `.current("1d")`, the current period."""
        if "current" in self.steps and (last := self.steps.get("last")):
            raise self.cursor.error(".last and .current exclude each other", last.start, last.end)
        return self.window("current" if "current" in self.steps else "last")

    def window(self, name: str) -> Window:
        """Return the length of `.NAME("5m")`."""
        step = self.steps.get(name)
        if step is None:
            self.cursor.unexpected("the query of the monitor", (f'.{name}("5m")',))
        if len(step.arguments) != 1:
            raise self.cursor.error(
                f".{name} takes one length of time", step.start, step.end, (f'.{name}("5m")',)
            )
        text, at = step.arguments[0]
        if not isinstance(text, str):
            raise self.cursor.error(f".{name} takes a quoted length of time", at, step.end, ('"5m"', '"1h"'))
        return length(self.cursor, text, at, "current" if name == "current" else "last")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a method, or none."""
        step = self.steps.get(name)
        return step.texts(self.cursor) if step else ()

    def listed(self, name: str) -> tuple[str, ...]:
        """Return the texts of a method, split at commas, or none."""
        step = self.steps.get(name)
        return step.listed(self.cursor) if step else ()


def _chain(cursor: Cursor, methods: tuple[str, ...], head: bool = True) -> _Chain:
    """chain = source "(" text ")" ("." method "(" arguments ")")*"""
    start = cursor.position
    arguments: list[tuple[str | float, int]] = []
    if head:
        cursor.match(_SOURCE)
        cursor.expect("(", "the query of the monitor")
        _arguments(cursor, arguments, [])
    else:
        at = cursor.position
        arguments.append((cursor.string() or "", at))
    steps: dict[str, _Step] = {}
    while cursor.looking_at("."):
        step = _step(cursor, methods)
        if step.name in steps:
            raise cursor.error(f".{step.name} is given twice", step.start, step.end)
        steps[step.name] = step
    if len(arguments) != 1 or not isinstance(arguments[0][0], str):
        raise cursor.error("one quoted text belongs here", start, cursor.last(), ("a quoted text",))
    return _Chain(cursor, start, arguments, steps)


def _step(cursor: Cursor, methods: tuple[str, ...]) -> _Step:
    start = cursor.position
    match = cursor.match(_METHOD)
    if match is None:
        cursor.take(".")
        cursor.unexpected("the query of the monitor", tuple(f".{name}(…)" for name in methods))
    name = match.group(1)
    if name not in methods:
        guess = nearest(name, methods)
        expected = tuple(f".{method}(…)" for method in methods)
        raise cursor.error(f"unknown part '.{name}'", start, match.end(1), expected, guess and f".{guess}(…)")
    step = _Step(name, start, match.end())
    _arguments(cursor, step.arguments, step.keywords)
    step.end = cursor.last()
    return step


def _arguments(
    cursor: Cursor, arguments: list[tuple[str | float, int]], keywords: list[tuple[str, str | float]]
) -> None:
    """arguments = [(text | number | name "=" (text | number | word)) ("," …)*] ")" """
    while not cursor.take(")"):
        if arguments or keywords:
            cursor.expect(",", "the query of the monitor")
        at = cursor.position
        if named := cursor.match(_KEYWORD):
            text = cursor.string()
            word = cursor.match(NAME) if text is None else None
            keywords.append(
                (named.group(1), text or (word.group() if word else cursor.number("the argument")))
            )
            continue
        text = cursor.string()
        arguments.append((cursor.number("the query of the monitor") if text is None else text, at))


def _search(cursor: Cursor) -> MonitorQuery:
    """search = source "(" text ")" [".index(…)"] [".rollup(…)"] [".by(…)"] window comparison

    window = ".last(…)" | ".current(…)"
    """
    match = _SOURCE.match(cursor.text, cursor.position)
    if match and (suggestion := _MISWRITTEN.get(match.group())):
        raise cursor.error(f"unknown source '{match.group()}'", *match.span(), SOURCES, f'{suggestion}("…")')
    if cursor.text.startswith("logs('", cursor.position):
        at = cursor.position + len("logs(")
        raise cursor.error("the search of logs needs double quotes", at, at + 1, (), 'logs("…")')
    chain = _chain(cursor, ("index", "rollup", "by", "last", "current", *_OTHERS))
    operator, threshold = comparison(cursor)
    rollup = chain.texts("rollup")
    if rollup and not _METHODS.match(rollup[0]):
        step = chain.steps["rollup"]
        guess = nearest(rollup[0], _KNOWN_METHODS)
        message = f"a search cannot be rolled up by '{rollup[0]}'"
        raise cursor.error(message, step.start, step.end, _KNOWN_METHODS, guess and f'.rollup("{guess}")')
    if not rollup:
        raise cursor.error("a search needs a rollup", chain.start, cursor.last(), ('.rollup("count")',))
    return SearchMonitor(
        match.group() if match else "",
        cast(str, chain.head[0][0]),
        chain.texts("index"),
        rollup,
        chain.listed("by"),
        chain.evaluated(),
        operator,
        threshold,
        tuple((name, step.texts(cursor)) for name, step in chain.steps.items() if name in _OTHERS),
        start=chain.start,
        end=cursor.last(),
    )


def _formula(cursor: Cursor) -> MonitorQuery:
    """Parse formula = "formula(" text ")" [".rollup(…)"] [".by(…)"] ".last(…)" [".anomaly(…)"] comparison"""
    chain = _chain(cursor, ("rollup", "by", "last", "current", "anomaly"))
    operator, threshold = comparison(cursor)
    text, at = chain.head[0]
    anomaly = chain.steps.get("anomaly")
    return FormulaMonitor(
        _inner(cursor, cast(str, text), at + 1),
        chain.texts("rollup"),
        chain.listed("by"),
        chain.evaluated(),
        operator,
        threshold,
        tuple(anomaly.keywords) if anomaly else None,
        start=chain.start,
        end=cursor.last(),
    )


def _inner(cursor: Cursor, text: str, at: int) -> Expression:
    """Parse the formula inside the quotes; the offsets of its errors are those of the whole text."""
    try:
        query = parse(text)
    except QueryError as error:
        raise cursor.error(
            error.message, at + error.start, at + error.end, error.expected, error.suggestion
        ) from None
    if isinstance(query, Several):
        raise cursor.error("the formula of a monitor is one line", at, at + len(text))
    return query


def _check(cursor: Cursor) -> MonitorQuery:
    """check = text [over] [exclude] [by] [".last(" n ")"] (".count_by_status()" | ".pct_by_status()")"""
    functions = ("count_by_status", "pct_by_status")
    chain = _chain(cursor, ("over", "exclude", "by", "last", *functions), head=False)
    function = next((name for name in functions if name in chain.steps), None)
    if function is None:
        cursor.unexpected("the service check", (".count_by_status()", ".pct_by_status()"))
    if not chain.head[0][0]:
        raise cursor.error("the service check has no name", chain.start, chain.start + 2)
    compared = comparison(cursor) if COMPARISON.match(cursor.text, cursor.position) else (None, None)
    return CheckMonitor(
        cast(str, chain.head[0][0]),
        chain.texts("over"),
        chain.texts("exclude"),
        chain.listed("by"),
        _last(chain),
        cast(Literal["count_by_status", "pct_by_status"], function),
        operator=compared[0],
        threshold=compared[1],
        start=chain.start,
        end=cursor.last(),
    )


def _last(chain: _Chain) -> int | None:
    step = chain.steps.get("last")
    if step is None:
        return None
    value = step.arguments[0][0] if len(step.arguments) == 1 else None
    if not isinstance(value, float) or not value.is_integer() or not 1 <= value <= 100:
        raise chain.cursor.error(
            ".last takes the number of results to look at, 1 to 100", step.start, step.end, (".last(2)",)
        )
    return int(value)


def _process(cursor: Cursor) -> MonitorQuery:
    """process = "processes(" text ")" [".over(…)"] [".by(…)"] ".rollup(…)" ".last(…)" comparison"""
    chain = _chain(cursor, ("over", "by", "rollup", "last"))
    operator, threshold = comparison(cursor)
    return ProcessMonitor(
        cast(str, chain.head[0][0]),
        chain.texts("over"),
        chain.listed("by"),
        chain.texts("rollup"),
        chain.window("last"),
        operator,
        threshold,
        start=chain.start,
        end=cursor.last(),
    )


def _slo(cursor: Cursor) -> MonitorQuery:
    """slo = ("error_budget" | "burn_rate") "(" text ")" over [long_window short_window] comparison"""
    match = _SOURCE.match(cursor.text, cursor.position)
    chain = _chain(cursor, ("over", "long_window", "short_window"))
    at = cursor.position
    operator, threshold = comparison(cursor)
    if operator not in {">", ">="}:
        raise cursor.error("an SLO is compared with > or >=", at, at + len(operator), ("'>'", "'>='"))
    return SloMonitor(
        cast(Literal["error_budget", "burn_rate"], match.group() if match else ""),
        cast(str, chain.head[0][0]),
        _period(chain),
        operator,
        threshold,
        chain.window("long_window") if "long_window" in chain.steps else None,
        chain.window("short_window") if "short_window" in chain.steps else None,
        start=chain.start,
        end=cursor.last(),
    )


def _period(chain: _Chain) -> Window:
    """Parse the time frame of an SLO: 7, 30 or 90 days."""
    over = chain.window("over")
    if (over.count, over.unit) not in {(7, "d"), (30, "d"), (90, "d")}:
        expected = ('.over("7d")', '.over("30d")', '.over("90d")')
        raise chain.cursor.error("an SLO looks at 7, 30 or 90 days", over.start, over.end, expected)
    return over


CHAINED: dict[str, Callable[[Cursor], MonitorQuery]] = {
    "check": _check,
    "error_budget": _slo,
    "burn_rate": _slo,
    "formula": _formula,
    "processes": _process,
    "search": _search,
}
"""The word before the bracket -> the parser; every other word is a search."""


# --- back to text


def format_chained(monitor: Any) -> str:
    """Format a chained form as text."""
    parts = [part for part in _PARTS[type(monitor)](monitor) if part]
    return "".join(parts) + format_comparison(monitor)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _method(name: str, *texts: str) -> str:
    return f".{name}({', '.join(map(_quoted, texts))})" if texts else ""


def _length(window: Window | None) -> tuple[str, ...]:
    return (f"{window.count}{window.unit}",) if window else ()


def _listed(name: str, keys: tuple[str, ...]) -> str:
    return _method(name, ",".join(keys)) if keys else ""


def _format_anomaly(settings: tuple[tuple[str, str | float], ...] | None) -> str:
    if settings is None:
        return ""
    written = (f"{k}={_quoted(v) if isinstance(v, str) else format_number(v)}" for k, v in settings)
    return f".anomaly({', '.join(written)})"


_PARTS: dict[type, Callable[[Any], tuple[str, ...]]] = {
    SearchMonitor: lambda m: (
        f"{m.source}({_quoted(m.search)})",
        *(f".{name}({', '.join(map(_quoted, texts))})" for name, texts in m.others),
        _method("index", *m.index),
        _method("rollup", *m.rollup),
        _listed("by", m.by),
        _method(m.window.tense, *_length(m.window)),
    ),
    FormulaMonitor: lambda m: (
        f"formula({_quoted(format_query(m.formula))})",
        _method("rollup", *m.rollup),
        _listed("by", m.by),
        _method(m.window.tense, *_length(m.window)),
        _format_anomaly(m.anomaly),
    ),
    CheckMonitor: lambda m: (
        _quoted(m.check),
        _method("over", *m.over),
        _method("exclude", *m.exclude),
        _method("by", *m.by),
        f".last({m.last})" if m.last else "",
        f".{m.function}()",
    ),
    ProcessMonitor: lambda m: (
        f"processes({_quoted(m.search)})",
        _method("over", *m.over),
        _listed("by", m.by),
        _method("rollup", *m.rollup),
        _method("last", *_length(m.window)),
    ),
    SloMonitor: lambda m: (
        f"{m.function}({_quoted(m.slo)})",
        _method("over", *_length(m.over)),
        _method("long_window", *_length(m.long_window)),
        _method("short_window", *_length(m.short_window)),
    ),
}
