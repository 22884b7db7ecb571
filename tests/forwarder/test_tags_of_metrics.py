"""Every metric that the forwarder makes carries the tags that its table lists, and no others."""

import json

import pytest
from roads import NOW, forwarder

from monitoring.log_events.names import FAMILY_TAGS, METRICS

LISTED = {metric.name: {*FAMILY_TAGS[metric.family], *metric.tags} for metric in METRICS}
OWN = {metric.name: set(metric.tags) for metric in METRICS}
REQUEST = "8d2f4b1c-6a0e-4c3d-9b7f-2e5a1c0d3f46"
FULL = "1b2f4b1c-6a0e-4c3d-9b7f-2e5a1c0d3f46"
FIGURES = "Duration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB"
LAMBDA_LINES = [
    "INIT_REPORT Init Duration: 12.00 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError",
    "RESTORE_REPORT Restore Duration: 1236.04 ms\tStatus: error\tError Type: Runtime.ExitError",
    "EXTENSION\tName: agent\tState: LaunchError\tEvents: []\tError Type: UnknownError",
    "IMAGE\tLaunch error: exec format error\tEntrypoint: [/app]\tCmd: []\tWorkingDir: [/]",
    json.dumps({"time": "x", "type": "platform.logsDropped", "record": {"reason": "slow", "droppedRecords": 3, "droppedBytes": 9}}),
    f"REPORT RequestId: {REQUEST}\t{FIGURES}\tInit Duration: 9.00 ms\tStatus: timeout",
    f"REPORT RequestId: {FULL}\t{FIGURES}\tStatus: error\tError Type: Runtime.OutOfMemory",
    f"MONITORING|{NOW}|x|count|a|",
    f"MONITORING|{NOW - 90_000}|1|count|a|",
]  # fmt: skip
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:orders:"
TASK = {"resourceType": "lambda", "resource": "invoke", "parameters": "{}"}
FAILED = {"resourceType": "lambda", "resource": "invoke", "error": "Shop.Closed", "cause": "c"}
ATTEMPT = [("TaskScheduled", TASK), ("TaskStarted", TASK), ("TaskFailed", FAILED)]
HISTORIES = {
    "fails": [
        ("ExecutionStarted", {}),
        ("TaskStateEntered", {"name": "Pay"}),
        *ATTEMPT,
        *ATTEMPT,
        ("ExecutionFailed", {"error": "Shop.Closed", "cause": "c"}),
        ("ExecutionRedriven", {"redriveCount": "1"}),
        *ATTEMPT[:2],
        ("TaskSucceeded", TASK),
        ("TaskStateExited", {"name": "Pay", "output": "{}"}),
        ("ExecutionSucceeded", {"output": "{}"}),
    ],
    "times-out": [
        ("ExecutionStarted", {}),
        ("TaskStateEntered", {"name": "Pay"}),
        *ATTEMPT[:2],
        ("TaskTimedOut", {**FAILED, "error": "States.Timeout"}),
        ("ExecutionTimedOut", {"error": "States.Timeout"}),
    ],
    "stops": [("ExecutionStarted", {}), ("ExecutionAborted", {"error": "Mine"})],
}
STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
DURABLE = "arn:aws:lambda:eu-west-1:123456789012:function:orders:7/durable-execution/one/two"
DIFFERENT = {
    "stepscope.forwarder.retries",
    "stepscope.forwarder.spooled",
    "stepscope.forwarder.redriven",
    "stepscope.forwarder.dead",
}
"""Of an intake that fails and of a spool, which these events do not meet."""


def state_lines(name, events):
    for number, (kind, details) in enumerate(events, 1):
        yield json.dumps(
            {
                "id": str(number), "type": kind, "details": details, "previous_event_id": str(number - 1),
                "event_timestamp": str(NOW * 1000 + number), "execution_arn": EXECUTION + name,
            }
        )  # fmt: skip


def status_changes():
    about = {"stateMachineArn": MACHINE, "executionArn": f"{EXECUTION}one", "startDate": NOW * 1000}
    for status in STATUSES:
        detail = {**about, "status": status, "stopDate": None if status == "RUNNING" else NOW * 1000 + 9}
        yield "Step Functions Execution Status Change", "aws.states", detail
    yield (
        "Step Functions Execution Status Change",
        "aws.states",
        {**about, "status": "RUNNING", "redriveCount": 1, "redriveDate": NOW * 1000},
    )
    for status in ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"):
        detail = {"durableExecutionArn": DURABLE, "status": status, "startTimestamp": NOW * 1000}
        detail |= {} if status == "RUNNING" else {"endTimestamp": NOW * 1000 + 9}
        yield "Durable Execution Status Change", "aws.lambda", detail


@pytest.fixture
def arrived(intake, subscription):
    """Metric -> the tag keys of all its points, of events of every kind."""
    job = forwarder(intake.url, MONITORING_OWN_METRICS="true")
    job.handle(subscription(LAMBDA_LINES, now=NOW), 60.0)
    for name, events in HISTORIES.items():
        lines = list(state_lines(name, events))
        job.handle(
            subscription(
                lines, group="/aws/vendedlogs/states/orders-Logs", stream="states/orders/1", now=NOW
            ),
            60.0,
        )
    for number, (kind, source, detail) in enumerate(status_changes()):
        event = {"version": "0", "id": str(number), "detail-type": kind, "source": source, "account": "1"}
        job.handle({**event, "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "detail": detail}, 60.0)
    keys = {}
    for name, _, _, tags, *_ in intake.points():
        keys.setdefault(name, set()).update(tag.partition(":")[0] for tag in tags)
    return keys


def test_every_metric_has_the_tags_that_the_table_lists_and_no_others(arrived):
    made = {name: keys for name, keys in arrived.items() if name in LISTED}
    assert {name: keys - LISTED[name] for name, keys in made.items() if keys - LISTED[name]} == {}
    assert {name: OWN[name] - keys for name, keys in made.items() if OWN[name] - keys} == {}
    assert LISTED.keys() - made.keys() == DIFFERENT
