"""The metrics that AWS gives about Lambda and Step Functions: name, type, unit, tags, as Datadog knows them.

The table is `catalogue.csv`. A row without a name is a CloudWatch metric that Datadog publishes none for; its
`reason` says so.
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
"""A metric under one of these is in the catalogue, or it does not exist."""

COMMON_TAGS = frozenset(
    {"account", "account_id", "account_name", "architecture", "aws_account", "env", "host", "name"}
    | {"region", "runtime", "service", "team", "version"}
)
"""Tags that any AWS metric may carry. More come from the tags of the AWS resource itself: any key at all."""

DIMENSIONS = frozenset(
    {"activityarn", "apiname", "executedversion", "functionname", "lambdafunctionarn", "resource"}
    | {"serviceintegrationresourcearn", "servicemetric", "statemachinearn"}
)
"""CloudWatch's dimensions as Datadog writes them: a metric carries those of its row and never another."""


class MetricFacts(NamedTuple):
    """Describe one metric.

    Args:
        name: Datadog's name; empty where there is none.
        type: count, gauge, rate or distribution.
        unit: Datadog's unit, or empty.
        cloudwatch_metric: AWS's name; empty for metrics that Datadog makes from logs.
        statistic: CloudWatch's statistic behind it.
        tags: the dimensions that it carries; empty where they are not documented.
        failure: a point above zero means that something went wrong.
        reason: why it cannot be shown.
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
        """Return whether it comes from CloudWatch, minutes late, and not from log lines."""
        return bool(self.cloudwatch_metric)


@cache
def rows() -> tuple[MetricFacts, ...]:
    """Every row of the table, in its order."""
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
    """Name -> facts, of the metrics that have a name."""
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
    """Return whether the catalogue has all there is under this name's prefix."""
    return metric.startswith(PREFIXES)


@cache
def names() -> frozenset[str]:
    """Every metric that exists under `PREFIXES`: AWS's, and those that the forwarder makes."""
    return frozenset(metrics()) | {metric.name for metric in METRICS}
