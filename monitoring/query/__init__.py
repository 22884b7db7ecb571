"""Parse, format and evaluate Datadog's query language: `parse`, `format`, `parse_monitor`, `evaluate`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitoring.query.errors import QueryError
from monitoring.query.formatter import format_query
from monitoring.query.functions import FUNCTIONS, MODIFIERS, Function
from monitoring.query.monitor_nodes import (
    Algorithm,
    Change,
    CheckMonitor,
    CompositeMonitor,
    FormulaMonitor,
    MetricMonitor,
    MonitorQuery,
    ProcessMonitor,
    SearchMonitor,
    SloMonitor,
    SyntheticsMonitor,
    Window,
)
from monitoring.query.monitors import format_monitor, grouped_by, parse_monitor
from monitoring.query.names import resolve
from monitoring.query.nodes import (
    Binary,
    Call,
    Metric,
    Modifier,
    Negative,
    Number,
    Query,
    Reference,
    Several,
    String,
)
from monitoring.query.parser import children, parse, walk

if TYPE_CHECKING:
    from monitoring.query.answers import Answer, body
    from monitoring.query.evaluation import evaluate, evaluate_lines, only_points, windowed
    from monitoring.query.grid import default_interval
    from monitoring.query.ranges import reduce_line
    from monitoring.query.sources import Buckets, Origin, Points, SeriesSource, Source
    from monitoring.query.switches import DEFAULT, Switches
    from monitoring.query.timeseries import Lines

_LATER = {
    "Answer": "answers",
    "body": "answers",
    "evaluate": "evaluation",
    "evaluate_lines": "evaluation",
    "only_points": "evaluation",
    "windowed": "evaluation",
    "default_interval": "grid",
    "Lines": "timeseries",
    "reduce_line": "ranges",
    "Buckets": "sources",
    "Origin": "sources",
    "Points": "sources",
    "SeriesSource": "sources",
    "Source": "sources",
    "DEFAULT": "switches",
    "Switches": "switches",
}
"""Names that need numpy -> their modules, which are imported at first use, so that parsing stays fast."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def format(node: Any) -> str:  # noqa: A001 - the documented name
    """Format a query's or a monitor query's node as text; parsing the text returns an equal node.

    Raises:
        TypeError: the argument is not a node.
    """
    return format_monitor(node) if isinstance(node, MonitorQuery) else format_query(node)


__all__ = [
    "DEFAULT",
    "FUNCTIONS",
    "MODIFIERS",
    "Algorithm",
    "Answer",
    "Binary",
    "Buckets",
    "Call",
    "Change",
    "CheckMonitor",
    "CompositeMonitor",
    "FormulaMonitor",
    "Function",
    "Lines",
    "Metric",
    "MetricMonitor",
    "Modifier",
    "MonitorQuery",
    "Negative",
    "Number",
    "Origin",
    "Points",
    "ProcessMonitor",
    "Query",
    "QueryError",
    "Reference",
    "SearchMonitor",
    "SeriesSource",
    "Several",
    "SloMonitor",
    "Source",
    "String",
    "Switches",
    "SyntheticsMonitor",
    "Window",
    "body",
    "children",
    "default_interval",
    "evaluate",
    "evaluate_lines",
    "format",
    "grouped_by",
    "only_points",
    "parse",
    "parse_monitor",
    "reduce_line",
    "resolve",
    "walk",
    "windowed",
]
