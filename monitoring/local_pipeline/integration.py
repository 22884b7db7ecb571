"""Simulate Datadog's AWS integration: store CloudWatch's metrics of local runs, minute by minute."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from monitoring.local_aws import ACCOUNT
from monitoring.local_aws.cloudwatch import MINUTE, columns, published, settings_series
from monitoring.local_aws.samples import Sample, execution_samples, invocation_samples
from monitoring.local_pipeline.pipeline import Pipeline
from monitoring.resources.catalogue import metrics


@dataclass(slots=True)
class Integration:
    """Store the metrics of invocations and executions in the embedded Datadog, each minute once.

    Args:
        pipeline: the running application.
        tags: tags of every series, in addition to region and account.
        until: end of the published time range, in seconds since the epoch.
    """

    pipeline: Pipeline
    tags: tuple[str, ...] = ()
    until: int = 0

    def publish(self, now: float | None = None) -> int:
        """Publish the complete minutes; return the number of series."""
        end = int(time.time() if now is None else now) // MINUTE * MINUTE
        if end <= self.until:
            return 0
        begin, self.until = self.until, end
        samples = [sample for sample in self._samples(begin) if begin <= sample.at < end]
        common = (f"aws_account:{ACCOUNT}", f"region:{self.pipeline.aws.region}", *self.tags)
        series = published(columns(samples), common, {facts.name for facts in metrics().values()})
        if samples:
            first = int(min(sample.at for sample in samples))
            series += settings_series(self._settings(), common, max(first, begin), end)
        self.pipeline.datadog.store.add_points(series)
        return len(series)

    def _samples(self, begin: int) -> Iterator[Sample]:
        aws = self.pipeline.aws
        yield from invocation_samples(aws.invocations())
        for described, history in aws.host.executions_since(begin):
            yield from execution_samples(described["stateMachineArn"], history)

    def _settings(self) -> dict[str, tuple[int, int]]:
        """Return function -> (time-out in seconds, memory in megabytes)."""
        listed = self.pipeline.aws.client("lambda").list_functions()["Functions"]
        return {
            function["FunctionName"]: (function["Timeout"], function["MemorySize"]) for function in listed
        }
