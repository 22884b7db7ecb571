"""Inject faults into an application's own forwarder."""

import contextlib
from collections.abc import Iterator

from monitoring.drill.application import Bench, Break, changed_function, refused
from monitoring.drill.trouble import Trouble


def refused_by_datadog(name: str, status: int, spool: str = "") -> Break:
    """Make Datadog respond to a forwarder with a status; with `spool`, delete that bucket meanwhile."""

    def broken(bench: Bench) -> None:
        with contextlib.ExitStack() as mended:
            trouble = mended.enter_context(Trouble(bench.pipeline.datadog.url))
            trouble.refusals["/"] = status
            environment = {"DD_URL": trouble.url, "MONITORING_RETRY_SECONDS": "0.2"}
            mended.enter_context(changed_function(bench, name, environment=environment))
            if spool:
                mended.enter_context(refused(bench, f"arn:aws:s3:::{spool}", "gone"))
            bench.run()

    return broken


def unsubscribed(name: str) -> Break:
    """Remove a forwarder's subscriptions and disable the rules that invoke it."""

    def broken(bench: Bench) -> None:
        with contextlib.ExitStack() as mended:
            mended.enter_context(_without_subscriptions(bench, name))
            mended.enter_context(_without_rules(bench, name))
            bench.run()

    return broken


@contextlib.contextmanager
def _without_subscriptions(bench: Bench, name: str) -> Iterator[None]:
    logs = bench.pipeline.aws.client("logs")
    arn = bench.pipeline.aws.function_arn(name)
    removed = [
        subscription
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
        for subscription in logs.describe_subscription_filters(logGroupName=group["logGroupName"])[
            "subscriptionFilters"
        ]
        if subscription["destinationArn"] == arn
    ]
    for subscription in removed:
        logs.delete_subscription_filter(
            logGroupName=subscription["logGroupName"], filterName=subscription["filterName"]
        )
    try:
        yield
    finally:
        for subscription in removed:
            keys = ("logGroupName", "filterName", "filterPattern", "destinationArn")
            logs.put_subscription_filter(**{key: subscription[key] for key in keys})


@contextlib.contextmanager
def _without_rules(bench: Bench, name: str) -> Iterator[None]:
    events = bench.pipeline.aws.client("events")
    arn = bench.pipeline.aws.function_arn(name)
    names = events.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
    enabled = [rule for rule in names if events.describe_rule(Name=rule)["State"] == "ENABLED"]
    for rule in enabled:
        events.disable_rule(Name=rule)
    try:
        yield
    finally:
        for rule in enabled:
            events.enable_rule(Name=rule)
