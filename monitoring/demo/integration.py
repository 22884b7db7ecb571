"""What Datadog's AWS integration would add to the demo's database: CloudWatch's metrics of what has run.

It comes after the books are closed, for nobody prints it. With it, dashboards and monitors have something
to show.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.demo.stage import Stage
from monitoring.local_aws import ACCOUNT
from monitoring.local_aws.cloudwatch import columns, published, settings_series
from monitoring.local_aws.samples import Sample, execution_samples, invocation_samples
from monitoring.resources.catalogue import metrics


def integrate(stage: Stage, executions: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the metrics of every call and every execution into the embedded Datadog.

    Args:
        stage: what has run.
        executions: answers of DescribeExecution by the execution's name.
    """
    common = (f"aws_account:{ACCOUNT}", "env:demo", f"region:{stage.aws.region}", "service:slides")
    samples = list(_samples(stage, executions))
    found = published(columns(samples), common, {facts.name for facts in metrics().values()})
    start = int(min(sample.at for sample in samples))
    found += settings_series(_settings(stage), common, start, int(time.time()) + 1)
    stage.datadog.store.add_points(found)


def _samples(stage: Stage, executions: Mapping[str, Mapping[str, Any]]) -> Iterator[Sample]:
    yield from invocation_samples(stage.aws.invocations())
    for described in executions.values():
        history = stage.aws.history(described["executionArn"])
        yield from execution_samples(described["stateMachineArn"], history)


def _settings(stage: Stage) -> dict[str, tuple[int, int]]:
    """Time-out in seconds and memory in megabytes of every function."""
    listed = stage.aws.client("lambda").list_functions()["Functions"]
    return {each["FunctionName"]: (each["Timeout"], each["MemorySize"]) for each in listed}
