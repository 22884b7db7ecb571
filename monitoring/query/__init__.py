"""Datadog's query language: `parse`, `format`, `parse_monitor`, and everything that they give back."""

from typing import Any

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
    Window,
)
from monitoring.query.monitors import format_monitor, grouped_by, parse_monitor
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


def format(node: Any) -> str:  # noqa: A001 - the name that the surface promises
    """The text of a query's node or of a monitor's query; reading it again gives an equal value.

    Raises:
        TypeError: what was given is neither.
    """
    return format_monitor(node) if isinstance(node, MonitorQuery) else format_query(node)


__all__ = [
    "FUNCTIONS",
    "MODIFIERS",
    "Algorithm",
    "Binary",
    "Call",
    "Change",
    "CheckMonitor",
    "CompositeMonitor",
    "FormulaMonitor",
    "Function",
    "Metric",
    "MetricMonitor",
    "Modifier",
    "MonitorQuery",
    "Negative",
    "Number",
    "ProcessMonitor",
    "Query",
    "QueryError",
    "Reference",
    "SearchMonitor",
    "Several",
    "SloMonitor",
    "String",
    "Window",
    "children",
    "format",
    "grouped_by",
    "parse",
    "parse_monitor",
    "walk",
]
