"""Inject faults: a faulty deployment or setting, a deleted or denied resource, or a failing server.

Each function receives a lane with a healthy, warm pipeline; when it returns, the lane's runs are the
executions with the fault.
"""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from monitoring.drill.lane import Lane
from monitoring.drill.pipeline import Definition, invoke
from monitoring.local_aws.invocation import InvocationError

_BROKEN = "monitoring.drill.broken."
_BROKEN_BUILD = """\
version: 0.2
phases:
  build:
    commands:
      - echo the page has a broken link
      - exit 1
"""
Injection = Callable[[Lane], None]


def step(
    handler: str,
    *,
    runs: int = 2,
    pause: float = 0.0,
    step: str = "store",
    change: Callable[[Definition], None] | None = None,
    **settings: Any,
) -> Injection:
    """Return an injection that deploys other code (`handler` of `broken`) or other settings for a step."""

    def inject(lane: Lane) -> None:
        lane.add_function(step, _BROKEN + handler, **settings)
        if change:
            lane.change(change)
        for _ in range(runs):
            lane.run()
            time.sleep(pause)

    return inject


def healthy(lane: Lane) -> None:
    """Inject nothing."""
    lane.run(3)


def syntax_error(lane: Lane) -> None:
    """Deploy code that Python cannot parse."""
    folder = lane.stage.home / lane.name
    folder.mkdir()
    (folder / "bad_step.py").write_text("def handler(event, context)\n    return event\n", encoding="utf-8")
    lane.add_function("store", "bad_step.handler", code=folder)
    lane.run(1)


def missing_handler(lane: Lane) -> None:
    """Set a handler name that the code does not contain."""
    lane.add_function("store", "monitoring.drill.steps.stroe")
    lane.run(1)


def throttled(lane: Lane) -> None:
    """Set the function's reserved concurrency to 0."""
    lane.stage.aws.client("lambda").put_function_concurrency(
        FunctionName=lane.function("store"), ReservedConcurrentExecutions=0
    )
    lane.run(1)


def always_cold(lane: Lane) -> None:
    """Make every invocation a cold start, as after a change of the function's settings."""
    for number in range(3):
        for name in ("check", "store"):
            lane.add_function(name, f"monitoring.drill.steps.{name}", environment={"RELEASE": str(number)})
        lane.run(1)


def without_table(lane: Lane) -> None:
    """Delete the table that Record writes to."""
    lane.stage.aws.client("dynamodb").delete_table(TableName=lane.bucket)
    lane.run(1)


def without_topic(lane: Lane) -> None:
    """Delete the topic that Tell publishes to."""
    sns = lane.stage.aws.client("sns")
    sns.delete_topic(TopicArn=f"arn:aws:sns:{lane.stage.aws.region}:123456789012:{lane.bucket}")
    lane.run(1)


def access_denied(lane: Lane) -> None:
    """Deny all actions in the bucket's policy."""
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", '
        f'"Resource": "arn:aws:s3:::{lane.bucket}/*"}}]}}'
    )
    lane.stage.aws.client("s3").put_bucket_policy(Bucket=lane.bucket, Policy=policy)
    lane.run(1)


def set_wait(seconds: int, timeout: int | None = None) -> Callable[[Definition], None]:
    """Set the seconds of the Wait state and the execution's time-out."""

    def change(definition: Definition) -> None:
        definition["States"]["Settle"]["Seconds"] = seconds
        if timeout:
            definition["TimeoutSeconds"] = timeout

    return change


def slow_executions(lane: Lane) -> None:
    """Multiply the duration of the Wait state by ten."""
    lane.change(set_wait(200))
    lane.run(1)


def execution_timeout(lane: Lane) -> None:
    """Make the Wait state longer than the execution's time-out."""
    lane.change(set_wait(600, timeout=40))
    lane.run(1)


def stuck(lane: Lane) -> None:
    """Make the Wait state endless, and remove the execution's time-out."""
    lane.change(set_wait(10**6))
    arn, began = lane.start()
    _await(lane, arn, "WaitStateEntered")
    time.sleep(0.5)  # until the forwarder has sent the telemetry
    lane.record(arn, began, "RUNNING")
    time.sleep(max(0.0, lane.runs[-1].until - time.time()))
    lane.stage.aws.stop(arn)


def aborted(lane: Lane) -> None:
    """Stop every execution."""
    lane.change(set_wait(600))
    arn, began = lane.start()
    _await(lane, arn, "WaitStateEntered")
    lane.stage.aws.stop(arn)
    described = lane.stage.aws.wait(arn)
    lane.record(arn, began, str(described["status"]))


def _await(lane: Lane, arn: str, kind: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not any(event["type"] == kind for event in lane.stage.aws.history(arn)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{arn} has no {kind} after {seconds} s")
        time.sleep(0.05)


def task_timeout(state: str) -> Injection:
    """Make a step take longer than the state's TimeoutSeconds."""

    def change(definition: Definition) -> None:
        definition["States"][state]["TimeoutSeconds"] = 1
        definition["States"][state].pop("Retry")

    name = state.lower()
    return step("slow", pause=2.0, step=name, change=change, timeout=4, environment={"SHARE": "0.6"})


def callback_heartbeat(lane: Lane) -> None:
    """Stop sending heartbeats for the task's token."""

    def change(definition: Definition) -> None:
        tell = definition["States"]["Tell"]
        tell["Resource"] += ".waitForTaskToken"
        tell["Parameters"]["Message.$"] = "$$.Task.Token"
        tell["HeartbeatSeconds"] = 20

    lane.change(change)
    lane.run(1)


def failed_build(lane: Lane) -> None:
    """Make the build that the pipeline starts fail."""
    project = f"{lane.prefix}site"
    lane.stage.aws.client("codebuild").create_project(
        name=project,
        source={
            "type": "NO_SOURCE",
            "location": "none",
            "buildspec": _BROKEN_BUILD,
        },
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "none", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole="arn:aws:iam::123456789012:role/build",
    )
    for name, handler in (("build", "starts_build"), ("built", "asks_build")):
        lane.add_function(name, _BROKEN + handler, environment={"PROJECT": project})
    lane.change(_building)
    lane.run(2)


def _building(definition: Definition) -> None:
    states = definition["States"]
    built = invoke("built")
    built["Parameters"]["Payload"] |= {"id.$": "$.build.Payload.id"}
    status = "$.built.Payload.status"
    states["Settle"]["Next"] = "Build"
    states["Build"] = invoke("build") | {"Next": "WaitForBuild"}
    states["WaitForBuild"] = {"Type": "Wait", "Seconds": 15, "Next": "CheckBuild"}
    states["CheckBuild"] = built | {"Next": "IsItBuilt"}
    states["IsItBuilt"] = {
        "Type": "Choice",
        "Choices": [
            {"Variable": status, "StringEquals": "SUCCEEDED", "Next": "Done"},
            {"Variable": status, "StringEquals": "IN_PROGRESS", "Next": "WaitForBuild"},
        ],
        "Default": "BuildFailed",
    }
    states["BuildFailed"] = {"Type": "Fail", "Error": "BuildFailed", "Cause": "the build ended with an error"}


def dropped_events(lane: Lane) -> None:
    """Send an asynchronous event to a function that fails at every attempt."""
    lane.add_function("late", _BROKEN + "raises")
    with contextlib.suppress(InvocationError):
        lane.stage.aws.invoke(lane.function("late"), {})  # it is warm
    lane.run(1)
    lane.send_event("late")
    deadline = time.monotonic() + 30
    while not _given_up(lane, "late") and time.monotonic() < deadline:
        time.sleep(0.05)


def _given_up(lane: Lane, step: str) -> bool:
    name = lane.function(step)
    return any(delivery.function.endswith(name) for delivery in lane.stage.aws.deliveries().undelivered)


def disabled_trigger(lane: Lane) -> None:
    """Disable the rule that starts executions, after checking that it starts one while enabled."""
    aws = lane.stage.aws
    machine = aws.state_machine_arn(lane.machine)
    lane.add_function("trigger", _BROKEN + "triggers", environment={"MACHINE": machine})
    events, rule = aws.client("events"), f"{lane.prefix}trigger"
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [lane.bucket]}))
    target = {"Id": "1", "Arn": aws.function_arn(lane.function("trigger"))}
    events.put_targets(Rule=rule, Targets=[target])
    before = _send_and_count(lane, 60.0)
    events.disable_rule(Name=rule)
    after = _send_and_count(lane, 2.0)
    if (before, after) != (1, 0):
        raise RuntimeError(f"the rule started {before} executions, and {after} when disabled")


def _send_and_count(lane: Lane, seconds: float) -> int:
    """Return the number of executions that an event of the lane's own source starts within the time."""
    aws = lane.stage.aws
    states, machine = aws.client("stepfunctions"), aws.state_machine_arn(lane.machine)

    def count() -> int:
        return len(states.list_executions(stateMachineArn=machine)["executions"])

    before = count()
    entry = {"Source": lane.bucket, "DetailType": "order", "Detail": "{}"}
    aws.client("events").put_events(Entries=[entry])
    deadline = time.monotonic() + seconds
    while count() == before and time.monotonic() < deadline:
        time.sleep(0.1)
    return count() - before
