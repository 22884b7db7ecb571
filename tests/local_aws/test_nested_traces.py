"""The traces of executions that other executions start: one tree, from the first execution to the last function.

The rule: an execution hangs below the state that started it where its input carries that state's context, as the
input of a started execution, in the `BatchInput` of a Distributed Map, or in its items. An invocation's parent is
the state that invoked it, in the same trace.
"""

import json
from typing import Any

import pytest
from state_machines import vended

from monitoring.context import identity_of
from monitoring.forwarder.executions import Executions
from monitoring.local_aws import LocalAws
from monitoring.log_events.step_events import StepEvent, read_step_event
from monitoring.log_events.telemetry import SpanRecord

OF_DATADOG = {
    "Execution.$": "$$.Execution",
    "State.$": "$$.State",
    "StateMachine.$": "$$.StateMachine",
    "RootExecutionId.$": "$$.Execution.Id",
    "serverless-version": "v1",
}
FIELD = {
    "Execution.$": "$$.Execution.Id",
    "StateMachine.$": "$$.StateMachine.Name",
    "State.$": "$$.State.Name",
    "EnteredTime.$": "$$.State.EnteredTime",
    "RetryCount.$": "$$.State.RetryCount",
    "RedriveCount.$": "$$.Execution.RedriveCount",
    "RootExecutionId.$": "$$.Execution.Id",
}
CARRIERS: dict[str, dict[str, Any]] = {
    "the context object": {"_datadog.$": "$$"},
    "Datadog's own selection": {"_datadog": OF_DATADOG},
    "our own field": {"_monitoring": FIELD},
}
PROBE = {"Type": "Pass", "Parameters": {"_datadog.$": "$$"}, "Next": "Then"}
"""What a function would be passed; its output is in the log."""


def leaf(fails: bool) -> dict[str, Any]:
    last = {"Type": "Fail", "Error": "Leaf", "Cause": "asked to"} if fails else {"Type": "Succeed"}
    return {"StartAt": "Probe", "States": {"Probe": PROBE, "Then": last}}


def starting(child: str, carrier: dict[str, Any]) -> dict[str, Any]:
    """A machine that starts an execution of another one, and waits for it."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child, "Input": carrier},
        "Retry": [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "Next": "Then",
    }
    states = {"Probe": {**PROBE, "Next": "Start"}, "Start": task, "Then": {"Type": "Succeed"}}
    return {"StartAt": "Probe", "States": states}


def mapping(carrier: dict[str, Any], fails: bool, batches: bool) -> dict[str, Any]:
    """A machine with a Distributed Map of three items, in batches of two or one by one, tried twice if it fails."""
    state: dict[str, Any] = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 1,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **leaf(fails),
        },
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "Next": "Then",
    }
    if batches:
        state["ItemBatcher"] = {"MaxItemsPerBatch": 2, "BatchInput": carrier}
    else:
        state["ItemSelector"] = {"value.$": "$$.Map.Item.Value", **carrier}
    return {"StartAt": "Each", "States": {"Each": state, "Then": {"Type": "Succeed"}}}


def spans_and_probes(aws: LocalAws, *machines: str) -> tuple[list[SpanRecord], list[dict[str, Any]]]:
    """Return the spans that the forwarder makes of the machines' logs, and what their probes were passed."""
    events = [read_step_event(line) for name in machines for line in vended(aws, name)]
    steps = [event for event in events if isinstance(event, StepEvent)]
    assert len(steps) == len(events)
    probes = [
        json.loads(step.text("output"))
        for step in steps
        if step.type == "PassStateExited" and step.text("name") == "Probe"
    ]
    return Executions().take(steps)[1], probes


def assert_one_tree(spans: list[SpanRecord], probes: list[dict[str, Any]], root: str) -> None:
    ids = {span.span_id for span in spans}
    executions = [span for span in spans if span.name == "aws.stepfunctions"]
    assert len({span.trace_id for span in spans}) == 1
    assert len({span.meta["_dd.p.tid"] for span in spans}) == 1
    tops = [span for span in spans if span.parent_id not in ids]
    assert [span.meta["executionarn"] for span in tops] == [root]
    assert len(executions) == len({span.meta["executionarn"] for span in spans})
    for probe in probes:
        identity = identity_of(probe)
        assert identity is not None
        assert (identity.trace_id, identity.high) == (spans[0].trace_id, spans[0].meta["_dd.p.tid"])
        assert identity.parent_id in ids


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_three_generations_of_executions_are_one_tree(aws: LocalAws, carrier: str, fails: bool) -> None:
    label = f"{list(CARRIERS).index(carrier)}-{fails:d}"
    names = [f"{name}-{label}" for name in ("leaf", "middle", "top")]
    passed = CARRIERS[carrier]
    for field, selected in passed.items():
        if isinstance(selected, dict):  # it hands the root on, where there is one
            root = f"$$.Execution.Input.{field}.RootExecutionId"
            passed = {field: {**selected, "RootExecutionId.$": root}}
    last = aws.deploy_state_machine(names[0], leaf(fails))
    middle = aws.deploy_state_machine(names[1], starting(last, passed))
    top = aws.deploy_state_machine(names[2], starting(middle, CARRIERS[carrier]))
    done = aws.wait(aws.start(top.rpartition(":")[2], {}), 60)
    assert done["status"] == ("FAILED" if fails else "SUCCEEDED")
    spans, probes = spans_and_probes(aws, *names)
    assert len(probes) == (7 if fails else 3)  # each of two levels is tried twice
    assert_one_tree(spans, probes, done["executionArn"])
    parents = {span.span_id: span for span in spans}
    for span in spans:
        if span.name == "aws.stepfunctions" and span.parent_id in parents:
            assert parents[span.parent_id].meta["state"] == "Start"


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
@pytest.mark.parametrize("batches", [True, False], ids=["in batches", "one by one"])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_items_of_a_distributed_map_hang_below_their_state(
    aws: LocalAws, carrier: str, batches: bool, fails: bool
) -> None:
    name = f"map-{list(CARRIERS).index(carrier)}-{batches:d}-{fails:d}"
    aws.deploy_state_machine(name, mapping(CARRIERS[carrier], fails, batches))
    done = aws.wait(aws.start(name, {"items": [1, 2, 3]}), 60)
    assert done["status"] == ("FAILED" if fails else "SUCCEEDED")
    spans, probes = spans_and_probes(aws, name)
    assert len(probes) >= (2 if fails else 2 if batches else 3)
    assert_one_tree(spans, probes, done["executionArn"])


def test_items_in_jsonata_hang_below_their_state(aws: LocalAws) -> None:
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "Items": "{% $states.input.items %}",
                "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"_datadog": "{% $states.context %}"}},
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                    "StartAt": "Probe",
                    "States": {
                        "Probe": {
                            "Type": "Pass",
                            "Output": {"_datadog": "{% $states.context %}"},
                            "End": True,
                        }
                    },
                },
                "End": True,
            }
        },
    }
    aws.deploy_state_machine("map-jsonata", definition)
    done = aws.wait(aws.start("map-jsonata", {"items": [1, 2, 3]}), 60)
    assert done["status"] == "SUCCEEDED"
    spans, probes = spans_and_probes(aws, "map-jsonata")
    assert len(probes) == 2
    assert_one_tree(spans, probes, done["executionArn"])
