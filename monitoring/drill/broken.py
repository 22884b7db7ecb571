"""Faulty variants of `steps.store`: after a bad deployment, or with a failing dependency."""

import os
import sys
import time
from typing import Any

from monitoring import count, monitored
from monitoring.drill.steps import store_order, stored
from monitoring.drill.world import call


@monitored
def raises(event: dict[str, Any], context: Any) -> None:
    """Raise an exception."""
    raise KeyError("customer")


@monitored
def exits(event: dict[str, Any], context: Any) -> None:
    """Call sys.exit, as left-over debugging code may do."""
    sys.exit(3)


@monitored
def hangs(event: dict[str, Any], context: Any) -> None:
    """Wait for a server that does not respond, until Lambda ends the process."""
    time.sleep(600)


@monitored
def eats_memory(event: dict[str, Any], context: Any) -> None:
    """Allocate more than the function's memory."""
    eaten = []
    while True:
        eaten.append(os.urandom(1 << 20))


@monitored(verify=stored)
def forgets(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Report that the order is stored without storing it."""
    return {"bucket": os.environ["BUCKET"], "key": f"{event['order']}.json"}


@monitored(verify=stored)
def flaky(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fail at the first attempt and succeed at the second."""
    if event["attempt"] == 0:
        raise ConnectionResetError("the first connection of the day")
    return store_order(event)


@monitored(verify=stored)
def slow(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the share SHARE of the time-out."""
    time.sleep(float(os.environ["SHARE"]) * context.get_remaining_time_in_millis() / 1000)
    return store_order(event)


@monitored(verify=stored)
def prints_rubbish(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Print malformed metric lines."""
    for number in range(10):
        print(f"MONITORING|{int(time.time())}|{number}ms|count|orders.rubbish|#")
    return store_order(event)


@monitored
def starts_build(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start a build of CodeBuild and return its `id`."""
    started = call("codebuild", "CodeBuild_20161006.StartBuild", {"projectName": os.environ["PROJECT"]})
    count("orders.builds")
    return {"id": started["build"]["id"]}


@monitored
def triggers(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start an execution of MACHINE; this function is the target of a rule."""
    return call(
        "states",
        "AWSStepFunctions.StartExecution",
        {"stateMachineArn": os.environ["MACHINE"], "input": '{"order": "triggered"}'},
    )


@monitored
def asks_build(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the `status` of the build with the event's `id`."""
    answer = call("codebuild", "CodeBuild_20161006.BatchGetBuilds", {"ids": [event["id"]]})
    return {"status": answer["builds"][0]["buildStatus"]}
