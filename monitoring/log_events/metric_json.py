"""Metrics printed as JSON: Datadog's `{"m","v","e","t"}` line and CloudWatch's Embedded Metric Format."""

import math
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from monitoring.lines import Point

_EMF_LIMIT = 100  # metrics a directive may declare, and values a metric may hold: AWS's EMF specification


def epoch_seconds(stamp: float) -> float:
    """Seconds since the epoch from seconds, milliseconds, microseconds or nanoseconds, told from the size."""
    size = abs(stamp)
    for limit, scale in ((1e11, 1), (1e14, 1e3), (1e17, 1e6)):
        if size < limit:
            return stamp / scale
    return stamp / 1e9


class MetricLine(msgspec.Struct, gc=False):
    """The JSON metric line as it has to be."""

    m: Annotated[str, msgspec.Meta(min_length=1)]
    v: float
    e: float
    t: tuple[str, ...]


read_exact = msgspec.json.Decoder(MetricLine).decode
"""The line, or a `msgspec.DecodeError`; what is wrong then: `read_metric_json`."""


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_metric_json(record: dict[str, Any]) -> Point | str:
    """The point of `{"m":"name","v":1.5,"e":1700000000,"t":["a:b"]}`, or what is wrong with it."""
    name, value, stamp, tags = (record.get(key) for key in "mvet")
    if not isinstance(name, str) or not name:
        return "the metric's name `m` is no text"
    if not _number(value):
        return "the value `v` is no number"
    if not _number(stamp):
        return "the time `e` is no number"
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return "the tags `t` are no list of texts"
    return Point(name, float(value), epoch_seconds(stamp), "distribution", tuple(tags))  # type: ignore[arg-type]


def read_emf(record: dict[str, Any]) -> tuple[list[Point], list[str]]:
    """The points of an EMF document, and what is wrong with the rest of it.

    A metric is `namespace.name`, its dimensions are tags; of several dimension sets the largest is taken,
    so that a value is submitted once and the smaller sets are sums over it.
    """
    aws = record.get("_aws")
    if not isinstance(aws, dict) or not _number(aws.get("Timestamp")):
        return [], ["`_aws.Timestamp` is no number"]
    stamp = epoch_seconds(aws["Timestamp"])
    directives = aws.get("CloudWatchMetrics")
    points: list[Point] = []
    wrong: list[str] = []
    for directive in directives if isinstance(directives, list) else ():
        for item in _emf_directive(record, directive, stamp):
            if isinstance(item, Point):
                points.append(item)
            else:
                wrong.append(item)
    return points, wrong if points or wrong else ["`_aws.CloudWatchMetrics` declares no metric"]


def _emf_directive(record: dict[str, Any], directive: Any, stamp: float) -> Iterator[Point | str]:
    if not isinstance(directive, dict) or not isinstance(directive.get("Namespace"), str):
        yield "`_aws.CloudWatchMetrics` holds a directive without a Namespace"
        return
    metrics = directive.get("Metrics")
    tags = _emf_tags(record, directive.get("Dimensions"))
    for metric in metrics[:_EMF_LIMIT] if isinstance(metrics, list) else ():
        name = metric.get("Name") if isinstance(metric, dict) else None
        values = record.get(name) if isinstance(name, str) else None
        values = values[:_EMF_LIMIT] if isinstance(values, list) else [values]
        if not isinstance(name, str) or not all(map(_number, values)):
            yield f"the EMF metric {name!r} has no number"
            continue
        unit = str(metric.get("Unit", ""))
        kind = "count" if unit == "Count" else "distribution"
        full = f"{directive['Namespace']}.{name}"
        yield from (Point(full, float(value), stamp, kind, tags) for value in values)


def _emf_tags(record: dict[str, Any], sets: Any) -> tuple[str, ...]:
    names = (
        max((s for s in sets if isinstance(s, list)), key=len, default=[]) if isinstance(sets, list) else []
    )
    return tuple(f"{name}:{record[name]}" for name in names if isinstance(name, str) and name in record)
