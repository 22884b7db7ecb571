"""Read CloudWatch's Embedded Metric Format: the metrics of a document and their values.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
A metric is `namespace.name`. Its tags are the dimensions of all of its dimension sets: each value is
submitted once, and CloudWatch's value for a smaller set is an aggregation of it.
"""

import math
from typing import Any, NamedTuple, TypeGuard

from monitoring.log_events.metric_json import epoch_seconds, is_number

VALUES = 10_000
"""The largest number of values of a document: 100 metrics of 100 values, as in the specification."""
_DIMENSIONS = 100  # of a metric; the specification allows 30 in a set
_SHOWN = 3  # reasons that a message lists


class EmfMetric(NamedTuple):
    """A metric of a document; `values` are pairs of a value and its count."""

    name: str
    type: str
    tags: tuple[str, ...]
    values: list[tuple[float, int]]


_Values = list[tuple[float, int]]
_Declared = dict[tuple[str, str], tuple[str, tuple[str, ...]]]  # type and dimensions, by namespace and name


def read_emf(record: dict[str, Any]) -> tuple[float, list[EmfMetric], list[str]] | None:
    """Return the time, the metrics, and the reasons for omitted ones; None if no metric is declared."""
    aws = record.get("_aws")
    directives = aws.get("CloudWatchMetrics") if isinstance(aws, dict) else None
    if not isinstance(aws, dict) or not isinstance(directives, list):
        return None
    declared: _Declared = {}
    wrong: list[str] = []  # a reason for each omitted metric or directive
    for directive in directives:
        _declare(directive, declared, wrong)
    if not declared and not wrong:
        return None
    stamp = aws.get("Timestamp")
    if not is_number(stamp) or not 0 <= (seconds := epoch_seconds(stamp)) < 1e12:
        return 0, [], [f"`_aws.Timestamp` is not a number of milliseconds since the epoch: {str(stamp)[:40]}"]
    return seconds, _metrics(record, declared, wrong), wrong


def _declare(directive: Any, declared: _Declared, wrong: list[str]) -> None:
    """Add the metrics of a directive; a metric that is declared again gets the further dimensions."""
    declaration = directive if isinstance(directive, dict) else {}
    namespace, metrics, sets = (declaration.get(key) for key in ("Namespace", "Metrics", "Dimensions"))
    if not isinstance(namespace, str) or not isinstance(metrics, list):
        wrong.append("a directive has no Namespace or no Metrics")
        return
    dimensions = _dimensions(sets if isinstance(sets, list) else [])
    for metric in metrics:
        name = metric.get("Name") if isinstance(metric, dict) else None
        if not isinstance(name, str):
            wrong.append("a metric has no Name")
            continue
        before = declared.get((namespace, name))
        if before is None:
            kind = "count" if metric.get("Unit") == "Count" else "distribution"
            declared[namespace, name] = kind, dimensions
        elif before[1] != dimensions:
            merged = tuple(dict.fromkeys(before[1] + dimensions))[:_DIMENSIONS]
            declared[namespace, name] = before[0], merged


def _dimensions(sets: list[Any]) -> tuple[str, ...]:
    """Return the distinct dimensions of all sets; a single set may be a list of names, not of lists."""
    names = dict.fromkeys(
        name
        for item in sets
        for name in (item if isinstance(item, list) else (item,))
        if isinstance(name, str)
    )
    return tuple(names)[:_DIMENSIONS]


def _metrics(record: dict[str, Any], declared: _Declared, wrong: list[str]) -> list[EmfMetric]:
    """Return the declared metrics; a member that several metrics refer to is parsed once."""
    remaining = VALUES
    metrics: list[EmfMetric] = []
    targets: dict[str, tuple[_Values, int] | str] = {}
    tags: dict[tuple[str, ...], tuple[str, ...]] = {}
    for (namespace, name), (kind, dimensions) in declared.items():
        if dimensions not in tags:
            tags[dimensions] = tuple([f"{key}:{record[key]}" for key in dimensions if key in record])
        target = targets.get(name)
        if target is None:
            target = targets[name] = measured(record.get(name))
        if isinstance(target, str):
            wrong.append(f"{name[:60]!r} {target}")
        elif target[1] > remaining:
            wrong.append(f"{name[:60]!r} has {target[1]:,} values, where a document may have {VALUES:,}")
        else:
            remaining -= target[1]
            metrics.append(EmfMetric(f"{namespace}.{name}", kind, tags[dimensions], target[0]))
    return metrics


def measured(value: Any) -> tuple[_Values, int] | str:
    """Return the values of a metric with their counts, and the total count; or the reason for none.

    A statistic set is converted to values with the same count, sum, minimum and maximum.
    """
    if is_number(value):
        return [(float(value), 1)], 1
    values: _Values | str = "is not a number, an array of numbers or a statistic set"
    if isinstance(value, list):
        if value and all(map(is_number, value)):
            values = [(float(number), 1) for number in value]
    elif isinstance(value, dict):
        values = _of_histogram(value) if "Values" in value else _of_statistics(value)
    return values if isinstance(values, str) else (values, sum(times for _, times in values))


def _of_histogram(record: dict[str, Any]) -> _Values | str:
    """Return `Values` with their `Counts`."""
    values = record["Values"]
    counts = record.get("Counts", [1] * len(values) if isinstance(values, list) else None)
    if not isinstance(values, list) or not isinstance(counts, list) or len(values) != len(counts):
        return "has not one of Counts for each of Values"
    if not all(map(is_number, values)) or not all(map(_is_count, counts)):
        return "has Values or Counts that are not numbers"
    return [(float(value), int(count)) for value, count in zip(values, counts, strict=True) if count]


def _of_statistics(record: dict[str, Any]) -> _Values | str:
    """Return the minimum, the maximum, and the mean of the other values with their count."""
    count, total, least, greatest = (record.get(key) for key in ("Count", "Sum", "Min", "Max"))
    if not _is_count(count) or not is_number(total):
        return "is a statistic set without a valid Count and Sum"
    number, rest = int(count), float(total)
    if number < 2 or not is_number(least) or not is_number(greatest):
        values = [(rest / number, number)] if number else []
    elif number == 2:
        values = [(float(least), 1), (rest - least, 1)]
    else:
        between = (rest - least - greatest) / (number - 2)
        values = [(float(least), 1), (between, number - 2), (float(greatest), 1)]
    return values if all(math.isfinite(value) for value, _ in values) else "has a Sum that is too large"


def _is_count(value: Any) -> TypeGuard[float]:
    return is_number(value) and value >= 0 and value == int(value)


def left_out(wrong: list[str]) -> str:
    """Return a sentence about all omitted metrics of a document, of limited length."""
    listed = ", ".join(dict.fromkeys(wrong[:_SHOWN]))
    more = f", and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
    return f"EMF metrics left out: {len(wrong):,}: {listed}{more}"
