"""Broken steps: what a bad deployment, or a bad day of what a step needs, makes of `steps.store`."""

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
    """Somebody left a sys.exit in."""
    sys.exit(3)


@monitored
def hangs(event: dict[str, Any], context: Any) -> None:
    """Wait for a server that never answers, until Lambda ends the process."""
    time.sleep(600)


@monitored
def eats_memory(event: dict[str, Any], context: Any) -> None:
    """Read something that is larger than the function's memory."""
    eaten = []
    while True:
        eaten.append(os.urandom(1 << 20))


@monitored(verify=stored)
def forgets(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Says that the order is stored, and has not stored it."""
    return {"bucket": os.environ["BUCKET"], "key": f"{event['order']}.json"}


@monitored(verify=stored)
def flaky(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fails at the first attempt and succeeds at the second."""
    if event["attempt"] == 0:
        raise ConnectionResetError("the first connection of the day")
    return store_order(event)


@monitored(verify=stored)
def slow(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take SHARE of the time-out."""
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
    """Start an execution of MACHINE, as the target of a rule."""
    return call(
        "states",
        "AWSStepFunctions.StartExecution",
        {"stateMachineArn": os.environ["MACHINE"], "input": '{"order": "triggered"}'},
    )


@monitored
def asks_build(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`id` in; the build's `status` out."""
    answer = call("codebuild", "CodeBuild_20161006.BatchGetBuilds", {"ids": [event["id"]]})
    return {"status": answer["builds"][0]["buildStatus"]}
