"""Inject faults into the forwarder, in a lane with its own forwarder."""

import base64
import contextlib
import gzip
import json
import time

from monitoring.drill.inject import Injection
from monitoring.drill.lane import Lane
from monitoring.local_aws.invocation import InvocationError

LATE_SECONDS = 900


def switched_off(lane: Lane) -> None:
    """Set the forwarder's reserved concurrency to 0."""
    lane.stage.aws.client("lambda").put_function_concurrency(
        FunctionName=lane.forwarder, ReservedConcurrentExecutions=0
    )
    lane.run()


def unsubscribed(lane: Lane) -> None:
    """Remove the forwarder's subscriptions and rule."""
    aws = lane.stage.aws
    logs, events = aws.client("logs"), aws.client("events")
    groups = [f"/aws/lambda/{name}" for name in lane.settings] + [aws.state_machine_log_group(lane.machine)]
    for group in groups:
        for subscription in logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]:
            logs.delete_subscription_filter(logGroupName=group, filterName=subscription["filterName"])
    for rule in events.list_rules(NamePrefix=lane.prefix)["Rules"]:
        events.disable_rule(Name=rule["Name"])
    lane.run()


def refused(path: str, status: int) -> Injection:
    """Make Datadog reject requests by path prefix with a status; 0 means no response."""

    def inject(lane: Lane) -> None:
        lane.trouble.refusals[path] = status
        lane.run()

    return inject


def given_up(lane: Lane) -> None:
    """Spool a batch during an outage, and reject it at its last retry: an outage alone loses nothing."""
    lane.trouble.refusals["/api/v2/logs"] = 503
    lane.run()
    lane.trouble.refusals["/api/v2/logs"] = 400
    schedule = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    with contextlib.suppress(InvocationError):
        lane.stage.aws.invoke(lane.forwarder, schedule)


def late(lane: Lane) -> None:
    """Delay the delivery of CloudWatch Logs."""
    lane.run()
    then = int((time.time() - LATE_SECONDS) * 1000)
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": f"/aws/lambda/{lane.function('store')}",
        "logStream": "2026/03/03/[$LATEST]late",
        "subscriptionFilters": ["late"],
        "logEvents": [{"id": "1", "timestamp": then, "message": "an old line"}],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
    lane.stage.aws.invoke(lane.forwarder, {"awslogs": {"data": packed}})
