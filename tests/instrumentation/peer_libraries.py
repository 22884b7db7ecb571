"""This package and its peers behind one interface, each as its users set it up: for `peer_scenarios`.

Importing a peer patches the process, so each is made in a process of its own, and imported only there.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Counting = Callable[[str], int] | None

ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": "identify",
    "AWS_REGION": "us-east-1",
    "LAMBDA_TASK_ROOT": "/var/task",  # the Tracer is off elsewhere
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    "DD_FLUSH_TO_LOG": "true",
    "DD_LAMBDA_HANDLER": "identify.handler",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "POWERTOOLS_SERVICE_NAME": "slides",
}


@dataclass
class Library:
    """One library.

    `wrap` is its decorator, `configured` makes one with arguments, `count(name, tags)` prints a metric of the
    user's own, or is None. `calls`, `errors` and `spans` say how many of them a printed text tells of; None where
    the library has no such thing. `odd_tags` are tags that the signature takes and Datadog does not; `begin`
    makes what comes the first call of a process.
    """

    wrap: Callable[..., Any]
    configured: Callable[[], Callable[..., Any]]
    count: Callable[..., Any] | None
    calls: Counting
    errors: Counting = None
    spans: Counting = None
    odd_tags: Sequence[Any] = ()
    begin: Callable[[], object] = str


class Nasty:
    """An object that cannot be made a text."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


ODD = [7, [None], [Nasty()], [[]], ["a|b,c\nd"], ["x" * 500]]


def occurrences(part: str) -> Callable[[str], int]:
    return lambda text: text.count(part)


def stepscope() -> Library:
    """This package: nothing to set up."""
    from monitoring import count, monitored
    from monitoring.capture import forget

    return Library(
        wrap=monitored,
        configured=lambda: monitored(tags=["team:a"]),
        count=lambda name, tags=None: count(name, tags=tags),
        calls=occurrences("|count|stepscope.invocations|"),
        errors=occurrences("|count|stepscope.errors|"),
        spans=occurrences('"name":"aws.lambda"'),
        odd_tags=ODD,
        begin=lambda: forget(cold=True),
    )


def datadog_lambda() -> Library:
    """Metrics and traces to the log, as without the extension. The decorator takes no arguments."""
    from datadog_lambda.metric import lambda_metric
    from datadog_lambda.wrapper import datadog_lambda_wrapper

    return Library(
        wrap=datadog_lambda_wrapper,
        configured=datadog_lambda_wrapper,
        count=lambda name, tags=None: lambda_metric(name, 1, tags=tags),
        calls=occurrences('"m":"aws.lambda.enhanced.invocations"'),
        errors=occurrences('"m":"aws.lambda.enhanced.errors"'),
        spans=lambda text: len(re.findall(r'"name": ?"aws.lambda"', text)),
        odd_tags=ODD,
    )


def powertools_metrics() -> Library:
    """DatadogMetrics with the metric of cold starts, the only one of its own: so each scenario is a cold start."""
    from aws_lambda_powertools.metrics.provider import cold_start
    from aws_lambda_powertools.metrics.provider.datadog import DatadogMetrics

    metrics = DatadogMetrics(namespace="slides", flush_to_log=True)

    def begin() -> None:
        cold_start.is_cold_start = True
        metrics.clear_metrics()

    def log_metrics(handler: Any = None) -> Any:
        return metrics.log_metrics(handler, capture_cold_start_metric=True)

    return Library(
        wrap=log_metrics,
        configured=log_metrics,
        count=lambda name, tags=None: metrics.add_metric(name=name, value=1, **(tags or {})),
        calls=occurrences('"m":"slides.ColdStart"'),
        odd_tags=[{"talk": None}, {"talk": Nasty()}, {"talk": []}, {"": ""}, {"7": "x" * 500}],
        begin=begin,
    )


def powertools_tracer() -> Library:
    """Tracer, with an emitter that prints what it would send. It has no metrics; its segments are its calls."""
    tracer = active_tracer()

    def segments(text: str) -> list[dict[str, Any]]:
        made = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [segment for segment in made if str(segment.get("name", "")).startswith("## ")]

    return Library(
        wrap=tracer.capture_lambda_handler,
        configured=lambda: tracer.capture_lambda_handler(capture_response=True),
        count=None,
        calls=lambda text: len(segments(text)),
        errors=lambda text: sum(bool(segment.get("fault")) for segment in segments(text)),
    )


def active_tracer() -> Any:
    """The Powertools Tracer, switched on."""
    from aws_lambda_powertools import Tracer
    from aws_xray_sdk.core import xray_recorder

    out = sys.stdout

    class Printing:
        def send_entity(self, entity: Any) -> None:
            out.write(entity.serialize() + "\n")

    xray_recorder.emitter = Printing()
    return Tracer(service="slides", auto_patch=False)


LIBRARIES = {
    made.__name__: made for made in (stepscope, datadog_lambda, powertools_metrics, powertools_tracer)
}


def prepare() -> None:
    """The environment of a Lambda function; before any library is imported."""
    os.environ.update(ENVIRONMENT)
