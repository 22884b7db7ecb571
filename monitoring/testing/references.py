"""Check that a case submits what its monitor evaluates, and find the time steps of both."""

from collections.abc import Iterator, Sequence
from math import lcm
from typing import TYPE_CHECKING

from monitoring.monitor.definition import Monitor, parsed
from monitoring.query import (
    CheckMonitor,
    CompositeMonitor,
    FormulaMonitor,
    Metric,
    MetricMonitor,
    ProcessMonitor,
    SearchMonitor,
    SloMonitor,
    parse,
    walk,
)
from monitoring.query.errors import nearest
from monitoring.query.monitor_nodes import MonitorQuery
from monitoring.testing.problems import CaseProblem
from monitoring.testing.times import LONGEST_DAYS, show_duration

if TYPE_CHECKING:
    from monitoring.testing.cases import Case


def check_inputs(case: "Case", monitors: Sequence[Monitor]) -> tuple[CaseProblem, ...]:
    """Every series, check and event that no monitor looks at, and a case that submits nothing to look at."""
    nodes = [parsed(monitor.query) for monitor in monitors]
    metrics = sorted({name for monitor in monitors for name in metrics_of(monitor)})
    checks = sorted({node.check for node in nodes if isinstance(node, CheckMonitor)})
    if any(isinstance(node, SloMonitor) for node in nodes):
        return ()  # the evaluation knows the SLO's metrics
    if case.length > LONGEST_DAYS * 86_400:
        message = f"the case lasts {show_duration(case.length)}, and {LONGEST_DAYS}d is the most"
        return (CaseProblem(case.place, message, "shorten it: until:, interval: and every: add up"),)
    problems = list(_unknown(case, metrics, checks))
    if case.events and not any(isinstance(node, SearchMonitor | ProcessMonitor) for node in nodes):
        message = "the monitor counts no logs or events, so this is never looked at"
        problems.append(CaseProblem(case.events[0].place, message, _looks_at(metrics, checks)))
    problems += _unused(case, nodes)
    return tuple(problems)


def _unused(case: "Case", nodes: Sequence[MonitorQuery]) -> Iterator[CaseProblem]:
    """Members of what is not a composite, and stand-ins for functions that no query has."""
    if case.members and not any(isinstance(node, CompositeMonitor) for node in nodes):
        yield CaseProblem(
            case.place, "members is for composites, and this monitor is none", "remove members:"
        )
    functions = {node.algorithm.name for node in nodes if isinstance(node, MetricMonitor) and node.algorithm}
    for name in case.stand_in:
        if name not in functions:
            near = nearest(name, functions)
            hint = f"did you mean {near}?" if near else "remove it from stand_in:"
            yield CaseProblem(case.place, f"the monitor's query has no {name}()", hint)


def _unknown(case: "Case", metrics: list[str], checks: list[str]) -> Iterator[CaseProblem]:
    for spec in case.series:
        if spec.metric not in metrics:
            yield _never(spec.place, "metric", spec.metric, metrics, _looks_at(metrics, checks))
    for check in case.checks:
        if check.check not in checks:
            yield _never(check.place, "check", check.check, checks, _looks_at(metrics, checks))


def _never(place: object, what: str, name: str, known: list[str], hint: str) -> CaseProblem:
    near = nearest(name, known)
    message = f"the monitor never looks at the {what} {name!r}"
    return CaseProblem(place, message, f"did you mean {near}?" if near else hint)  # type: ignore[arg-type]


def _looks_at(metrics: list[str], checks: list[str]) -> str:
    known = [*metrics, *checks]
    return f"it looks at {', '.join(known)}" if known else "it looks at logs or events: write events:"


def metrics_of(monitor: Monitor) -> list[str]:
    """Return the metrics of a monitor, those of a formula's queries included."""
    node = parsed(monitor.query)
    if not isinstance(node, FormulaMonitor):
        return metric_names(node)
    queries = (
        part.get("query") for part in monitor.options.variables if part.get("data_source") == "metrics"
    )
    queries_of_monitor = [parse(query) for query in queries if isinstance(query, str)]
    return [part.name for query in queries_of_monitor for part in walk(query) if isinstance(part, Metric)]


def metric_names(node: MonitorQuery) -> list[str]:
    """Return the metrics of a monitor's query."""
    if not isinstance(node, MetricMonitor):
        return []
    return [part.name for part in walk(node.query) if isinstance(part, Metric)]


def rollups(node: MonitorQuery) -> int | None:
    """Seconds after which buckets and periods of the query repeat; None where the calendar rules."""
    window = getattr(node, "window", None)
    if window is not None and window.tense == "current":
        return {"h": 3600, "d": 86400}.get(window.unit)
    if not isinstance(node, MetricMonitor):
        return 60
    steps = [60 if window is None or window.seconds < 86400 else 1800]
    for part in walk(node.query):
        rollup = part.modifier("rollup") if isinstance(part, Metric) else None
        for argument in rollup.arguments if rollup else ():
            if argument in {"daily", "weekly", "monthly"}:
                return None
            if not isinstance(argument, str):
                steps.append(int(argument))
        if getattr(part, "name", "") == "calendar_shift":
            return None
    return lcm(*steps)
