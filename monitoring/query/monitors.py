"""Parse and format the queries of monitors of every type."""

import re
from collections.abc import Callable
from typing import Literal, cast

from monitoring.query.chain import CHAINED, format_chained
from monitoring.query.cursor import Cursor
from monitoring.query.errors import nearest
from monitoring.query.formatter import format_query
from monitoring.query.monitor_nodes import (
    Algorithm,
    Change,
    Combined,
    CompositeMonitor,
    Composition,
    Member,
    MetricMonitor,
    MonitorQuery,
    Opposite,
    SyntheticsMonitor,
    Window,
)
from monitoring.query.nodes import Call, Expression, Metric, Number, String
from monitoring.query.parser import PERCENTILE, parse_expression, walk
from monitoring.query.windows import comparison, format_comparison, format_window, parse_window

MOST_MEMBERS = 10
AGGREGATIONS = ("avg", "sum", "min", "max", "percentile")

_KINDS: dict[str, Literal["anomaly", "outlier", "forecast"]] = {
    "anomalies": "anomaly",
    "outliers": "outlier",
    "forecast": "forecast",
}
_COMPOSITE = re.compile(r"[\s(!]*\d+\s*(?:&&|\|\||\)|\Z)")
_CHAIN = re.compile(r"""([a-z][a-z0-9_-]*)\s*\(\s*['"]|['"]""")
_NO_QUERY = re.compile(r"no_query(?!\w)")
_CHANGE = re.compile(r"(change|pct_change)\s*\(")
_AGGREGATION = re.compile(r"([A-Za-z][A-Za-z0-9_.]*)\s*\(")
_FORMS = ("avg(last_5m):query > 1", 'logs("…").rollup("count").last("5m") > 1', '"check".over("*")', "1 && 2")


def parse_monitor(text: str) -> MonitorQuery:
    """Parse the query of a monitor of any type.

    Raises:
        QueryError: the text is not valid; no other exception is raised.
    """
    cursor = Cursor(text)
    monitor: MonitorQuery
    if match := cursor.match(_NO_QUERY):
        monitor = SyntheticsMonitor(start=match.start(), end=match.end())
    elif _COMPOSITE.match(text):
        monitor = _composite(cursor)
    elif (chain := _CHAIN.match(text, cursor.position)) and chain.group(1) != "change":
        monitor = CHAINED.get(chain.group(1) or "check", CHAINED["search"])(cursor)
    else:
        monitor = _metric(cursor)
    if not cursor.done:
        cursor.unexpected("the query of the monitor", ("the end of the query",))
    return monitor


# --- metric monitors


def _metric(cursor: Cursor) -> MetricMonitor:
    """metric = (aggregated | change) ":" expression comparison (number | "threshold")"""
    start = cursor.position
    change, aggregation, window = _evaluation(cursor)
    cursor.expect(":", "the monitor, after its evaluation window")
    query = parse_expression(cursor)
    _check_metrics(cursor, query)
    operator, threshold = comparison(cursor)
    algorithm = _algorithm(query)
    kind: Literal["metric", "change", "anomaly", "outlier", "forecast"] = "change" if change else "metric"
    if algorithm:
        kind = _KINDS[algorithm.name]
    if (window.tense == "next") != (kind == "forecast"):
        wanted = "next_…" if kind == "forecast" else "last_… or current_…"
        raise cursor.error(f"a {kind} monitor looks at {wanted}", window.start, window.end, (wanted,))
    return MetricMonitor(
        kind,
        aggregation,
        window,
        query,
        operator,
        threshold,
        change,
        algorithm,
        start=start,
        end=cursor.last(),
    )


def _check_metrics(cursor: Cursor, query: Expression) -> None:
    """Raise QueryError for names of queries and template variables, which a monitor cannot have."""
    if cursor.references:
        name = cursor.references[0]
        written = cursor.text[name.start : name.end]
        raise cursor.error("a metric needs a scope", name.start, name.end, (), f"{written}{{*}}")
    if cursor.variables:
        variable = cursor.variables[0]
        raise cursor.error("a monitor has no template variables", variable.start, variable.end, ("a tag",))
    if not cursor.metrics:
        raise cursor.error("a monitor needs a metric", query.start, query.end, ("a query (avg:metric{*})",))


def _evaluation(cursor: Cursor) -> tuple[Change | None, str, Window]:
    """Parse evaluation = [("change" | "pct_change") "("] aggregation "(" window ")" ["," shift ")"]"""
    start = cursor.position
    match = cursor.match(_CHANGE)
    aggregation, window = _aggregated(cursor)
    if match is None:
        return None, aggregation, window
    cursor.expect(",", f"the arguments of {match.group(1)}")
    shift, ago = _shift(cursor)
    cursor.expect(")", f"the arguments of {match.group(1)}")
    return (
        Change(match.group(1) == "pct_change", shift, ago, start=start, end=cursor.last()),
        aggregation,
        window,
    )


def _aggregated(cursor: Cursor) -> tuple[str, Window]:
    """Parse aggregated = ("avg" | "sum" | "min" | "max" | "percentile") "(" window ")" """
    match = _AGGREGATION.match(cursor.text, cursor.position)
    if match is None:
        cursor.unexpected("the query of the monitor", _FORMS)
    name = match.group(1)
    if name not in AGGREGATIONS and not PERCENTILE.match(name):
        guess = nearest(name, AGGREGATIONS)
        suggestion = f"{guess}(last_5m):…" if guess else ""
        raise cursor.error(f"unknown time aggregation '{name}'", *match.span(1), AGGREGATIONS, suggestion)
    cursor.position = match.end()
    cursor.skip()
    window = parse_window(cursor)
    cursor.expect(")", "the evaluation window")
    return name, window


def _shift(cursor: Cursor) -> tuple[Window, bool]:
    """shift = ("last" | "current") "_" length | length "_ago" """
    match = cursor.match(re.compile(r"(\d+)(mo|[mhdw])_ago\b"))
    if match is None:
        return parse_window(cursor), False
    unit = cast(Literal["m", "h", "d", "w", "mo"], match.group(2))
    return Window("last", int(match.group(1)), unit, start=match.start(), end=match.end()), True


def _algorithm(query: Expression) -> Algorithm | None:
    if not isinstance(query, Call) or query.name not in _KINDS:
        return None
    inner, *rest = query.arguments
    words = [argument.value for argument in rest if isinstance(argument, String)]
    numbers = [argument.value for argument in rest if isinstance(argument, Number)]
    name = cast(Literal["anomalies", "outliers", "forecast"], query.name)
    options = tuple((argument.name, argument.value) for argument in query.keywords)
    if len(numbers) > 1:
        options = (("percentage", numbers[1]), *options)
    deviations = numbers[0] if numbers else None
    index = {"start": query.start, "end": query.end}
    return Algorithm(name, cast(Expression, inner), words[0].lower(), deviations, options, **index)


# --- composite monitors


def _composite(cursor: Cursor) -> CompositeMonitor:
    start = cursor.position
    expression = _either(cursor)
    monitor = CompositeMonitor(expression, start=start, end=cursor.last())
    if len(monitor.members) > MOST_MEMBERS:
        message = f"a composite takes at most {MOST_MEMBERS} monitors, not {len(monitor.members)}"
        raise cursor.error(message, start, monitor.end)
    return monitor


def _either(cursor: Cursor) -> Composition:
    """either = both ("||" both)*"""
    return _combined(cursor, "||", _both)


def _both(cursor: Cursor) -> Composition:
    """both = member ("&&" member)*"""
    return _combined(cursor, "&&", _member)


def _combined(
    cursor: Cursor, operator: Literal["&&", "||"], part: Callable[[Cursor], Composition]
) -> Composition:
    start = cursor.position
    left = part(cursor)
    while cursor.take(operator):
        cursor.operators += 1
        if cursor.operators > 100:
            raise cursor.error("more than 100 operators in one composite", start, cursor.position)
        left = Combined(operator, left, part(cursor), start=start, end=cursor.last())
    return left


def _member(cursor: Cursor) -> Composition:
    """member = "!" member | "(" either ")" | id"""
    start = cursor.position
    cursor.enter()
    try:
        if cursor.take("!"):
            return Opposite(_member(cursor), start=start, end=cursor.last())
        if cursor.take("("):
            inside = _either(cursor)
            cursor.expect(")", "the composite")
            return inside
    finally:
        cursor.leave()
    match = cursor.match(re.compile(r"\d{1,18}(?!\w)"))
    if match is None:
        cursor.unexpected("the composite", ("the id of a monitor", "'!'", "'('"))
    return Member(int(match.group()), start=start, end=match.end())


# --- back to text


def format_monitor(monitor: MonitorQuery) -> str:
    """Format a monitor's query as text; `parse_monitor` returns an equal value."""
    if isinstance(monitor, MetricMonitor):
        return _format_metric(monitor)
    if isinstance(monitor, SyntheticsMonitor):
        return "no_query"
    if isinstance(monitor, CompositeMonitor):
        return _format_composition(monitor.expression)
    return format_chained(monitor)


def _format_metric(monitor: MetricMonitor) -> str:
    head = f"{monitor.aggregation}({format_window(monitor.window)})"
    if monitor.change:
        shift = monitor.change.shift
        ago = f"{shift.count}{shift.unit}_ago" if monitor.change.ago else format_window(shift)
        head = f"{'pct_change' if monitor.change.relative else 'change'}({head},{ago})"
    return f"{head}:{format_query(monitor.query)}{format_comparison(monitor)}"


def _format_composition(node: Composition) -> str:
    if isinstance(node, Member):
        return str(node.id)
    if isinstance(node, Opposite):
        return "!" + _bracketed(node.member, isinstance(node.member, Combined))
    left = isinstance(node.left, Combined) and node.operator == "&&" and node.left.operator == "||"
    right = isinstance(node.right, Combined) and (node.operator == "&&" or node.right.operator == "||")
    return f"{_bracketed(node.left, left)} {node.operator} {_bracketed(node.right, right)}"


def _bracketed(node: Composition, brackets: bool) -> str:
    text = _format_composition(node)
    return f"({text})" if brackets else text


def grouped_by(monitor: MonitorQuery) -> tuple[str, ...]:
    """Return the grouping keys of a monitor; () for a simple alert."""
    if not isinstance(monitor, MetricMonitor):
        return getattr(monitor, "by", ())
    groupings = [node.by for node in walk(monitor.query) if isinstance(node, Metric)]
    return max(groupings, key=len, default=())
