"""Show that two monitors differ: evaluate both over the same small series, and write that as a test."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from monitoring.errors import InputError
from monitoring.lint.alerting import facts, is_count, metrics_in
from monitoring.lint.proof import MOST_SECONDS, START, STEPS, tags_of
from monitoring.query import Metric, MetricMonitor, parse_monitor
from monitoring.query.formatter import format_query
from monitoring.query.nodes import Everything, Modifier

if TYPE_CHECKING:
    from monitoring.query.series import Series

CYCLES: tuple[tuple[float, ...], ...] = ((1, 2, 3), (30, 20, 10), (7, 5, 9))
"""Values that repeat, of the first metric of a query, of the second, and so on."""
_UNUSED = 1e12
"""A threshold that no value of the cycles comes to: the values are compared, not the states."""


class Variant(NamedTuple):
    """A monitor of a contrast: what a reader of the test sees as its name, and its query."""

    name: str
    query: str


class Input(NamedTuple):
    """The series of a contrast: one of each metric and source, a point every `step` seconds."""

    metrics: tuple[Metric, ...]
    step: int
    seconds: int
    sources: str = "a"

    def rows(self) -> Iterator[tuple[Metric, tuple[str, ...], tuple[float, ...]]]:
        """Yield the metric, tags and repeating values of each series."""
        for index, metric in enumerate(self.metrics):
            for source in self.sources:
                tags = tuple(sorted({*tags_of(metric), f"case_source:{source}"}))
                yield metric, tags, CYCLES[index % len(CYCLES)]


def contrast(written: Variant, corrected: Variant, inputs: Input) -> str:
    """Return a test in which both monitors come to different values over the same series.

    It is empty where they come to the same, or where one of them cannot be evaluated.
    """
    values = [_value(variant.query, inputs) for variant in (written, corrected)]
    first, second = values
    if first is None or second is None or _same(first, second):
        return ""
    minutes = inputs.seconds // 60
    lines = [*_series_text(inputs), "known_groups: true", "tests:"]
    for variant, value in zip((written, corrected), values, strict=True):
        number = "none" if value is None or math.isnan(value) else f"{value:.15g}"
        lines += [
            f"- name: {json.dumps(variant.name)}",
            f"  monitor: {json.dumps(_body(variant.query))}",
            f"  expect: [{{at: {minutes}m, value: {number}}}]",
        ]
    return "\n".join(lines) + "\n"


def _same(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=1e-9) or (math.isnan(first) and math.isnan(second))


def windowed(text: str, node: MetricMonitor, corrected: str) -> str:
    """Return a test of the monitor `text` and one with the `corrected` query, over one window."""
    if node.window.seconds > MOST_SECONDS:
        return ""
    step = max(node.window.seconds // STEPS // 60 * 60, 60)
    metrics = tuple({metric.name: metric for metric in metrics_in(node.query)}.values())
    inputs = Input(metrics, step, 2 * node.window.seconds)
    return contrast(Variant("as it is written", text), Variant("as it is probably meant", corrected), inputs)


def spaced(metric: Metric) -> str:
    """Return a test in which a count of two sources, over a day, is not how often something happened."""
    plain = Metric(metric.name, metric.aggregator, Everything(), (), metric.modifiers)
    return _spaced(plain)


@lru_cache(maxsize=1024)
def _spaced(metric: Metric) -> str:
    modifiers = tuple(modifier for modifier in metric.modifiers if modifier.name == "rollup")
    corrected = Metric(metric.name, "sum", Everything(), (), (*modifiers, Modifier("as_count")))
    queries = [f"sum(last_1d):{format_query(node)} > {_UNUSED:g}" for node in (metric, corrected)]
    names = ("the sum of the points that a graph of a day shows", "how often it happened on that day")
    variants = [Variant(*row) for row in zip(names, queries, strict=True)]
    return contrast(variants[0], variants[1], Input((metric,), 60, MOST_SECONDS, "ab"))


def overlap(operator: str, limit: float, recovery: float, level: str) -> str:
    """Return a test of one value at which a threshold is reached and its recovery threshold too.

    It is empty where the evaluator finds no such value.
    """
    value = (limit + recovery) / 2
    gauge = Metric("case.value", "avg", Everything())
    query = f"avg(last_5m):{format_query(gauge)}"
    back = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}[operator]
    rows = ((level, operator, limit), (f"{level}_recovery", back, recovery))
    lines = ["series:", f"- {{metric: {gauge.name}, values: {value:.15g}x10}}", "tests:"]
    for name, comparison, number in rows:
        text = f"{query} {comparison} {number:.15g}"
        if not _reached(text, value):
            return ""
        title = f"{name} is reached by {value:.15g}"
        lines += [f"- name: {json.dumps(title)}", f"  monitor: {json.dumps(_body(text))}"]
        lines += ["  expect: [{at: 10m, state: Alert}]"]
    return "\n".join(lines) + "\n"


def _reached(query: str, value: float) -> bool:
    import numpy as np

    from monitoring.query.series import Series

    times = np.arange(START, START + 600, 60, dtype=np.int64)
    gauge = Series("case.value", (), times, np.full(len(times), value), "gauge", None)
    history = _evaluated(query, [gauge], START + 600)
    return history is not None and str(history.overall(0)) == "Alert"


def _value(query: str, inputs: Input) -> float | None:
    """Return the only group's value at the end of the series (NaN for none), or None without evaluation."""
    history = _evaluated(query, list(_series(inputs)), START + inputs.seconds)
    if history is None or len(history.groups) != 1:
        return None
    (group,) = history.groups.values()
    return float(group.values[0])


def _evaluated(query: str, series: "Sequence[Series]", moment: int) -> Any:
    """Return the history of one evaluation, or None where it cannot be made."""
    from monitoring.monitor.definition import Monitor
    from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor

    try:
        monitor = Monitor.from_body(_body(query), "case")
        return evaluate_monitor(
            monitor, Data(series), moment, moment, Setting(known_groups=True, texts=False)
        )
    except InputError:
        return None


def _body(query: str) -> Mapping[str, Any]:
    critical = getattr(parse_monitor(query), "threshold", None)
    options = {"thresholds": {"critical": critical}}
    return {"name": "case", "type": "query alert", "query": query, "message": "", "options": options}


def _series(inputs: Input) -> "Iterator[Series]":
    import numpy as np

    from monitoring.query.series import Series

    times = np.arange(START, START + inputs.seconds, inputs.step, dtype=np.int64)
    for metric, tags, cycle in inputs.rows():
        values = np.resize(np.array(cycle), len(times)).astype(np.float64)
        kind: Any = "count" if _counted(metric) else "gauge"
        yield Series(metric.name, tags, times, values, kind, inputs.step if kind == "count" else None)


def _counted(metric: Metric) -> bool:
    return is_count(metric) or metric.modifier("as_rate") is not None or facts(metric) is None


def _series_text(inputs: Input) -> Iterator[str]:
    yield "start: 2026-03-01T00:00:00Z"
    yield "series:"
    count = inputs.seconds // inputs.step
    for metric, tags, cycle in inputs.rows():
        values = " ".join(f"{value:g}" for value in cycle)
        yield f"- metric: {metric.name}"
        yield f"  type: {'count' if _counted(metric) else 'gauge'}"
        yield f"  tags: {json.dumps(tags)}"
        yield f"  every: {inputs.step}s"
        yield f"  values: ({values})x{-(-count // len(cycle)) - 1}"
