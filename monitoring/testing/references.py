"""Whether what a case submits is what its monitor looks at, and in which steps of time it works."""

from collections.abc import Iterator, Sequence
from math import lcm

from monitoring.monitor.definition import Monitor, parsed
from monitoring.query import CheckMonitor, Metric, MetricMonitor, SearchMonitor, walk
from monitoring.query.errors import nearest
from monitoring.query.monitor_nodes import MonitorQuery
from monitoring.testing.cases import Case
from monitoring.testing.document import Problem


def check_inputs(case: Case, monitors: Sequence[Monitor]) -> tuple[Problem, ...]:
    """Every series, check and event that no monitor looks at, and a case that submits nothing to look at."""
    nodes = [parsed(monitor.query) for monitor in monitors]
    metrics = sorted({name for node in nodes for name in metric_names(node)})
    checks = sorted({node.check for node in nodes if isinstance(node, CheckMonitor)})
    found = list(_unknown(case, metrics, checks))
    if case.events and not any(isinstance(node, SearchMonitor) for node in nodes):
        message = "the monitor counts no logs or events, so this is never looked at"
        found.append(Problem(case.events[0].place, message, _looks_at(metrics, checks)))
    return tuple(found)


def _unknown(case: Case, metrics: list[str], checks: list[str]) -> Iterator[Problem]:
    for spec in case.series:
        if spec.metric not in metrics:
            yield _never(spec.place, "metric", spec.metric, metrics, _looks_at(metrics, checks))
    for check in case.checks:
        if check.check not in checks:
            yield _never(check.place, "check", check.check, checks, _looks_at(metrics, checks))


def _never(place: object, what: str, name: str, known: list[str], hint: str) -> Problem:
    near = nearest(name, known)
    message = f"the monitor never looks at the {what} {name!r}"
    return Problem(place, message, f"did you mean {near}?" if near else hint)  # type: ignore[arg-type]


def _looks_at(metrics: list[str], checks: list[str]) -> str:
    known = [*metrics, *checks]
    return f"it looks at {', '.join(known)}" if known else "it looks at logs or events: write events:"


def metric_names(node: MonitorQuery) -> list[str]:
    """The metrics of a monitor's query."""
    if not isinstance(node, MetricMonitor):
        return []
    return [each.name for each in walk(node.query) if isinstance(each, Metric)]


def rollups(node: MonitorQuery) -> int | None:
    """Seconds after which buckets and periods of the query repeat; None where the calendar rules."""
    window = getattr(node, "window", None)
    if window is not None and window.tense == "current":
        return {"h": 3600, "d": 86400}.get(window.unit)
    if not isinstance(node, MetricMonitor):
        return 60
    steps = [60 if window is None or window.seconds < 86400 else 1800]
    for each in walk(node.query):
        rollup = each.modifier("rollup") if isinstance(each, Metric) else None
        for argument in rollup.arguments if rollup else ():
            if argument in {"daily", "weekly", "monthly"}:
                return None
            if not isinstance(argument, str):
                steps.append(int(argument))
        if getattr(each, "name", "") == "calendar_shift":
            return None
    return lcm(*steps)
