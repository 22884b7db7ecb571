"""List AWS's metrics of Lambda and Step Functions with their name, type, unit and tags at Datadog.

The table is `catalogue.csv`. A row without a name is a CloudWatch metric that Datadog does not have; the
column `reason` explains why.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from monitoring.log_events.names import METRICS
from monitoring.resources import function_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitoring.query.series import MetricType

PREFIXES = ("aws.lambda.", "aws.states.")
"""A metric with one of these prefixes is in the catalogue, or it does not exist."""

COMMON_TAGS = frozenset(
    {"account", "account_id", "account_name", "architecture", "aws_account", "env", "host", "name"}
    | {"region", "runtime", "service", "team", "version"}
)
"""Tags of all AWS metrics; in addition, a metric has the tags of its AWS resource, with any keys."""

DIMENSIONS = frozenset(
    {"activityarn", "apiname", "executedversion", "functionname", "lambdafunctionarn", "resource"}
    | {"serviceintegrationresourcearn", "servicemetric", "statemachinearn"}
)
"""CloudWatch's dimensions as Datadog writes them: a metric carries those of its row and never another."""


class MetricFacts(NamedTuple):
    """The properties of a metric.

    Args:
        name: Datadog's name; "" if there is none.
        type: count, gauge, rate or distribution.
        unit: Datadog's unit, or empty.
        cloudwatch_metric: AWS's name; "" for metrics that Datadog generates from logs.
        statistic: CloudWatch's statistic.
        tags: its dimensions; () if they are not documented.
        failure: whether a value above zero is a failure.
        reason: why it is not available.
    """

    name: str
    type: MetricType
    unit: str = ""
    cloudwatch_metric: str = ""
    statistic: str = ""
    tags: tuple[str, ...] = ()
    failure: bool = False
    reason: str = ""

    @property
    def polled(self) -> bool:
        """Return whether it is polled from CloudWatch, with a delay of minutes, and not from log lines."""
        return bool(self.cloudwatch_metric)


@cache
def rows() -> tuple[MetricFacts, ...]:
    """Return all rows of the table, in order."""
    text = Path(__file__).with_name("catalogue.csv").read_text("utf-8")
    return tuple(
        MetricFacts(
            name=row["name"],
            type=cast("MetricType", row["type"]),
            unit=row["unit"],
            cloudwatch_metric=row["cloudwatch_metric"],
            statistic=row["statistic"],
            tags=tuple(row["tags"].split()),
            failure=row["failure"] == "yes",
            reason=row["reason"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def metrics() -> Mapping[str, MetricFacts]:
    """Return name -> facts of the metrics with a name."""
    return {row.name: row for row in rows() if row.name}


@cache
def known_metrics() -> Mapping[str, MetricFacts]:
    """Return every metric whose type and unit are known: AWS's, and those of functions and the forwarder."""
    made = [(metric.name, metric.type, metric.unit) for metric in function_metrics.METRICS]
    made += [(metric.name, metric.type, metric.unit) for metric in METRICS]
    return {name: MetricFacts(name, _TYPES[kind], unit) for name, kind, unit in made} | dict(metrics())


_TYPES: dict[str, MetricType] = {
    "count": "count",
    "gauge": "gauge",
    "histogram": "distribution",
    "distribution": "distribution",
}


def is_known_family(metric: str) -> bool:
    """Return whether the catalogue has all metrics with this name's prefix."""
    return metric.startswith(PREFIXES)


@cache
def names() -> frozenset[str]:
    """Return all metrics with one of `PREFIXES`: AWS's, and those that the forwarder generates."""
    return frozenset(metrics()) | {metric.name for metric in METRICS}
