"""Prove what a rule says of a monitor: evaluate it over small made-up series, and write a case as a test."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from monitoring.errors import InputError
from monitoring.lint.alerting import metrics_in
from monitoring.lint.scopes import terms
from monitoring.query import Metric, MetricMonitor
from monitoring.query.nodes import In, Tag

if TYPE_CHECKING:
    from monitoring.query.series import Series

START = 1_772_323_200
"""2026-03-01T00:00:00Z, where the cases begin."""
STEPS = 20
"""Points in an evaluation window, where it is longer than 20 minutes; else one a minute."""
MOST_SECONDS = 86_400
"""A longer window is not evaluated here: it would take seconds for each monitor."""

FEW_SECONDS = 1200
"""The time at the end over which anomalies are evaluated, each of whose evaluations takes long."""

AFTERWARDS = 10
"""Minutes after its last window at which a case looks at silence."""


class Pattern(NamedTuple):
    """Values of every metric, over two windows and then over two more; None stands for a missing point."""

    before: float | None
    after: float | None
    once: bool = False
    """Only one point in each of the later windows."""


def counts(limit: float, zero: bool) -> list[Pattern]:
    """Return patterns of something that is counted: many, few, one a window, none; with zeros or without."""
    large = max(2.0 * abs(limit) + 2, 3.0)
    falling = [Pattern(large, after) for after in (1.0, None, large, *((0.0,) if zero else ()))]
    return [*falling, Pattern(large, 1.0, once=True), Pattern(1.0, large), Pattern(1.0, None)]


def values(extremes: Sequence[float]) -> list[Pattern]:
    """Return patterns of a value that stays between these."""
    return [Pattern(before, after) for before in extremes for after in (*extremes, None)]


def alerts(body: Mapping[str, Any], query: MetricMonitor, patterns: Sequence[Pattern]) -> bool:
    """Return whether the monitor alerts over any of the patterns, or cannot be evaluated at all."""
    return any(states is None or "Alert" in states for states in _states(body, query, patterns))


def pages_for_silence(body: Mapping[str, Any], query: MetricMonitor) -> bool:
    """Return whether a metric that stops being sent notifies of missing data; also where it is not known."""
    silence = [Pattern(_enough(query), None)]
    return any(states is None or "no data" in states for states in _states(body, query, silence))


def _enough(query: MetricMonitor) -> float:
    return 2.0 * abs(query.threshold or 0.0) + 2


def _states(
    body: Mapping[str, Any], query: MetricMonitor, patterns: Sequence[Pattern]
) -> "Iterator[tuple[str, ...] | None]":
    """Yield the states that the groups pass through, and what is notified, over each pattern.

    None is a monitor that cannot be evaluated, or whose window is longer than a day.
    """
    from monitoring.monitor.definition import Monitor
    from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor

    if query.window.seconds > MOST_SECONDS:
        yield None
        return
    half = 2 * query.window.seconds
    end = START + 2 * half
    begin = START + half // 2 if query.kind == "metric" else end - FEW_SECONDS
    setting = Setting(known_groups=True, texts=False, stand_in={"anomalies": "median-band"})
    for pattern, sources in product(patterns, ("a", "ab")):
        try:
            monitor = Monitor.from_body(body, "case")
            data = Data(list(_series(query, pattern, sources)))
            history = evaluate_monitor(monitor, data, begin, end, setting)
        except InputError:
            yield None
            return
        states = [str(state) for group in history.groups.values() for _, _, state in group.spans()]
        yield (*states, *(note.kind for note in history.notifications))


def _step(query: MetricMonitor) -> int:
    return max(query.window.seconds // STEPS // 60 * 60, 60)


def _series(query: MetricMonitor, pattern: Pattern, sources: str) -> "Iterator[Series]":
    """Yield so many sources of each metric, which the query's scope and grouping match."""
    import numpy as np

    from monitoring.query.series import Series

    step, half = _step(query), 2 * query.window.seconds
    times = np.arange(START, START + 2 * half, step, dtype=np.int64)
    later = times >= START + half
    kept = ~later | (((times - START) % query.window.seconds < step) | (not pattern.once))
    levels = [np.nan if level is None else level for level in (pattern.before, pattern.after)]
    points = np.where(later, levels[1], levels[0])
    has_value = kept & np.isfinite(points)
    for name, node in {metric.name: metric for metric in metrics_in(query.query)}.items():
        kind: Any = "count" if node.modifier("as_count") or node.modifier("as_rate") else "gauge"
        for source in sources:
            tags = tuple(sorted({*tags_of(node), f"case_source:{source}"}))
            interval = step if kind == "count" else None
            yield Series(name, tags, times[has_value], points[has_value], kind, interval)


def tags_of(metric: Metric) -> Iterator[str]:
    """Yield tags that the scope asks for, and one for each key of the grouping."""
    required_tags: dict[str, str] = {}
    for term, excluded in terms(metric.scope):
        if not excluded and isinstance(term, Tag | In):
            value = term.value if isinstance(term, Tag) else term.values[0]
            required_tags[term.key or ""] = value.replace("*", "x").lower()
    for key in metric.by:
        required_tags.setdefault(key.lower(), "x")
    yield from (f"{key}:{value}" if key else value for key, value in required_tags.items())


def silence_case(body: Mapping[str, Any], query: MetricMonitor) -> str:
    """Return a test in which the metric stops being sent: it passes where the monitor is in No Data then."""
    end = 4 * query.window.seconds // 60 + AFTERWARDS
    return case(body, query, Pattern(_enough(query), None), (f"- at: {end}m", "  state: No Data"))


def case(
    body: Mapping[str, Any],
    query: MetricMonitor,
    pattern: Pattern,
    expect: Sequence[str] = ("- never: Alert",),
) -> str:
    """Return a test of the monitor over the pattern, as YAML; unless told, that it never alerts."""
    import json

    step, half = _step(query), 2 * query.window.seconds
    count = half // step
    after = "_" if pattern.after is None else f"{pattern.after:g}"
    lines = ["name: what lint says of this monitor", f"monitor: {json.dumps(_shown(body))}", "series:"]
    for name, node in {metric.name: metric for metric in metrics_in(query.query)}.items():
        counted = node.modifier("as_count") or node.modifier("as_rate")
        lines += [
            f"- metric: {name}",
            f"  type: {'count' if counted else 'gauge'}",
            f"  tags: {json.dumps(sorted(tags_of(node)))}",
            f"  every: {step}s",
            f"  values: {pattern.before:g}x{count} {after}x{count}",
        ]
    return "\n".join([*lines, "known_groups: true", "expect:", *expect]) + "\n"


def _shown(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in ("name", "type", "query", "message", "options") if key in body}
