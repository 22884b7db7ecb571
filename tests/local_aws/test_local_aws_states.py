"""Executions on the embedded AWS: how they go, in which time, and what Step Functions says of them."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shared_data import shared_data
from state_machines import expected_lines, one_state, run, task, vended

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws

EVERY_TYPE = {
    "StartAt": "Prepare",
    "States": {
        "Prepare": {"Type": "Pass", "Next": "Look"},
        "Look": {k: v for k, v in task("echo", Next="Settle").items() if k != "End"},
        "Settle": {"Type": "Wait", "Seconds": 1, "Next": "Which"},
        "Which": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.good", "BooleanEquals": True, "Next": "Both"}],
            "Default": "Bad",
        },
        "Both": {
            "Type": "Parallel",
            "ResultPath": "$.both",
            "Next": "Each",
            "Branches": [one_state({"Type": "Pass", "End": True}), one_state(task("echo"))],
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "MaxConcurrency": 2,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **one_state(task("echo"))},
            "ResultPath": "$.each",
            "Next": "Direct",
        },
        "Direct": {
            "Type": "Task",
            "Resource": "${fails}",
            "Catch": [{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "Good"}],
            "End": True,
        },
        "Good": {"Type": "Succeed"},
        "Bad": {"Type": "Fail", "Error": "Bad.Input", "Cause": "it was not good"},
    },
}


@pytest.mark.parametrize("data", [True, False])
def test_log_lines_are_the_history_by_the_rule(aws: LocalAws, deploy: Callable[..., str], data: bool) -> None:
    deploy("echo")
    deploy("fails")
    name = f"every_type_{data}".lower()
    done = run(aws, name, EVERY_TYPE, {"good": True, "items": [1, 2, 3]}, include_execution_data=data)
    assert done["status"] == "SUCCEEDED"
    lines = vended(aws, name)
    expected = expected_lines(aws.history(done["executionArn"]), done["executionArn"], data)
    assert lines == expected
    assert [list(line) for line in lines] == [list(line) for line in expected]


def test_log_lines_have_the_shape_of_recorded_ones(aws: LocalAws, deploy: Callable[..., str]) -> None:
    rows = [json.loads(row) for row in shared_data("vended_logs.jsonl").read_text().splitlines()]
    recorded = {line["type"]: line for row in rows for line in row["log"] if "ALL_True" in row["source"]}
    run(aws, "failure", one_state({"Type": "Fail", "Error": "SomeFailure", "Cause": "because"}), {})
    lines = vended(aws, "failure")
    assert [line["type"] for line in lines] == ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"]
    for line in lines:
        assert list(line) == list(recorded[line["type"]])
        assert sorted(line["details"]) == sorted(recorded[line["type"]]["details"])
        assert all(isinstance(line[key], str) for key in line if key != "details")
        assert line["previous_event_id"] == recorded[line["type"]]["previous_event_id"]


@pytest.mark.parametrize(
    ("level", "types"),
    [
        ("ALL", ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"]),
        ("ERROR", ["FailStateEntered", "ExecutionFailed"]),
        ("FATAL", ["ExecutionFailed"]),
        ("OFF", []),
    ],
)
def test_the_log_level_decides_which_events_are_logged(aws: LocalAws, level: str, types: list[str]) -> None:
    name = f"level_{level}"
    run(aws, name, one_state({"Type": "Fail", "Error": "E"}), level=level)
    assert [line["type"] for line in vended(aws, name)] == types


def test_log_streams_are_named_as_aws_names_them(aws: LocalAws) -> None:
    run(aws, "named", one_state({"Type": "Succeed"}))
    group = aws.state_machine_log_group("named")
    assert group == "/aws/vendedlogs/states/named-Logs"
    streams = {event.log_stream: event.message for event in aws.log_events() if event.log_group == group}
    check, states = streams
    assert check == "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
    assert streams[check].startswith("Permissions are set correctly")
    assert re.fullmatch(r"states/named/\d{4}-\d\d-\d\d-\d\d-\d\d/[0-9a-f]{8}", states)


def test_a_payload_over_248_kilobytes_is_cut_in_the_log_and_not_in_the_history(aws: LocalAws) -> None:
    done = run(aws, "large", one_state({"Type": "Succeed"}), {"text": "x" * 260_000})
    first = vended(aws, "large")[0]["details"]
    assert first["inputDetails"] == {"truncated": True}
    assert 248 * 1024 - 10 < len(json.dumps(first["input"])) <= 248 * 1024
    assert len(aws.history(done["executionArn"])[0]["executionStartedEventDetails"]["input"]) > 260_000


# -- failures, told the same way everywhere

STORIES = [
    ("fails", {}, "ValueError", "TaskFailed", r"\[ERROR\] ValueError: row 7 is bad"),
    ("exits", {}, "Runtime.ExitError", "TaskFailed", r"REPORT.*Status: error\tError Type: Runtime.ExitError"),
    (
        "is_killed",
        {},
        "Runtime.ExitError",
        "TaskFailed",
        r"REPORT.*Status: error\tError Type: Runtime.ExitError",
    ),
    ("eats_memory", {}, "Runtime.ExitError", "TaskFailed", r"REPORT.*Error Type: Runtime.OutOfMemory"),
    ("sleeps", {"seconds": 60}, "Sandbox.Timedout", "TaskFailed", r"REPORT.*Status: timeout"),
]


@pytest.mark.parametrize(("function", "event", "error", "kind", "line"), STORIES, ids=[s[0] for s in STORIES])
def test_history_log_events_and_the_functions_log_tell_one_story(
    aws: LocalAws, deploy: Callable[..., str], function: str, event: Any, error: str, kind: str, line: str
) -> None:
    name = deploy(f"story_{function}", function, timeout=1 if function == "sleeps" else 5)
    machine = f"story_{function}"
    done = run(aws, machine, one_state(task(name)), event)
    assert (done["status"], done["error"]) == ("FAILED", error)
    failed = next(e for e in aws.history(done["executionArn"]) if e["type"] == kind)
    assert failed["taskFailedEventDetails"]["error"] == error
    logged = next(each for each in vended(aws, machine) if each["type"] == kind)
    assert logged["details"]["cause"] == failed["taskFailedEventDetails"]["cause"] == done["cause"]
    log = [e.message for e in aws.log_events() if e.log_group == f"/aws/lambda/{name}"]
    assert any(re.match(line, each) for each in log)
    request_id = next(each for each in log if each.startswith("START")).split()[2]
    assert request_id in done["cause"]


def test_a_function_that_is_not_there_fails_the_task_as_on_aws(aws: LocalAws) -> None:
    done = run(aws, "nobody", one_state(task("x") | {"Parameters": {"FunctionName": "nobody"}}))
    assert (done["status"], done["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")


def outline(history: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(event["id"], event["previousEventId"], event["type"]) for event in history]


def test_a_map_that_dies_aborts_the_rest_as_recorded(aws: LocalAws, deploy: Callable[..., str]) -> None:
    rows = [json.loads(row) for row in shared_data("execution_histories.jsonl").read_text().splitlines()]
    recorded = next(row for row in rows if row["source"].endswith("test_service_lambda_map_timeout"))[
        "events"
    ]
    start = next(n for n, event in enumerate(recorded) if event["type"] == "MapIterationFailed")
    name = deploy("map_sleeps", "sleeps")
    items = one_state(task(name, TimeoutSeconds=1))
    machine = one_state({"Type": "Map", "MaxConcurrency": 0, "ItemProcessor": items, "End": True})
    done = run(aws, "dying_map", machine, [{"seconds": 1.5}] * 4)
    assert (done["status"], done["error"]) == ("FAILED", "States.Timeout")
    aws.drain(10)
    history = outline(aws.history(done["executionArn"]))
    first = next(n for n, (_, _, kind) in enumerate(history) if kind == "MapIterationFailed")
    assert [kind for _, _, kind in history[first:]] == [event["type"] for event in recorded[start:]]
    failing = history[first][1]
    assert history[failing - 1][2] == "TaskTimedOut"
    assert {previous for _, previous, kind in history[first:-1]} == {failing}
    assert [line["type"] for line in vended(aws, "dying_map")] == [kind for _, _, kind in history]
    indexes = [
        e["mapIterationAbortedEventDetails"]["index"]
        for e in aws.history(done["executionArn"])
        if "Aborted" in e["type"] and "Iteration" in e["type"]
    ]
    assert len(set(indexes)) == 3


def test_a_map_is_tried_again_as_recorded(aws: LocalAws, deploy: Callable[..., str], tmp_path: Path) -> None:
    items = one_state(task(deploy("fails_twice")))
    retry = [{"ErrorEquals": ["RuntimeError"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    machine = one_state({"Type": "Map", "ItemProcessor": items, "Retry": retry, "End": True})
    done = run(aws, "map_again", machine, [{"marker": str(tmp_path / "marker")}])
    assert done["status"] == "SUCCEEDED"
    history = outline(aws.history(done["executionArn"]))
    failed = [previous for _, previous, kind in history if kind == "MapIterationFailed"]
    started = [previous for _, previous, kind in history if kind == "MapStateStarted"]
    assert started == [2, *failed]
    assert len(failed) == 2
    assert [kind for _, _, kind in history].count("MapStateFailed") == 0
    assert [kind for _, _, kind in history][-3:] == [
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ]


def test_a_branch_that_fails_aborts_the_others(aws: LocalAws, deploy: Callable[..., str]) -> None:
    waiting = one_state({"Type": "Wait", "Seconds": 9999, "End": True})
    branches = [waiting, one_state(task(deploy("fails")))]
    catch = [{"ErrorEquals": ["ValueError"], "Next": "Caught"}]
    machine = {
        "StartAt": "Both",
        "States": {
            "Both": {"Type": "Parallel", "Branches": branches, "Catch": catch, "End": True},
            "Caught": {"Type": "Pass", "End": True},
        },
    }
    done = run(aws, "failing_branch", machine, {})
    assert done["status"] == "SUCCEEDED"
    history = outline(aws.history(done["executionArn"]))
    failing = next(number for number, _, kind in history if kind == "TaskFailed")
    aborted = {(previous, kind) for _, previous, kind in history if kind.endswith("Aborted")}
    assert aborted == {(failing, "WaitStateAborted"), (failing, "TaskStateAborted")}


@pytest.mark.parametrize("around", ["Parallel", "Map"])
def test_a_time_out_within_is_caught_without(aws: LocalAws, deploy: Callable[..., str], around: str) -> None:
    inner = one_state(task(deploy("sleeps"), TimeoutSeconds=1))
    state = {"Parallel": {"Branches": [inner]}, "Map": {"ItemsPath": "$.items", "ItemProcessor": inner}}[
        around
    ]
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}]
    machine = {
        "StartAt": "Around",
        "States": {
            "Around": {"Type": around, **state, "Catch": catch, "End": True},
            "Caught": {"Type": "Pass", "End": True},
        },
    }
    event = {"seconds": 1.5, "items": [{"seconds": 1.5}]}
    done = run(aws, f"caught_{around.lower()}", machine, event)
    assert done["status"] == "SUCCEEDED"
    assert "Caught" in [
        event["stateEnteredEventDetails"]["name"]
        for event in aws.history(done["executionArn"])
        if "stateEnteredEventDetails" in event
    ]


def test_a_handler_that_returns_too_late_adds_nothing(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("late", "sleeps")
    catch = [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.error", "Next": "Rest"}]
    machine = {
        "StartAt": "Try",
        "States": {
            "Try": {**task(name, TimeoutSeconds=1), "Catch": catch},
            "Rest": {"Type": "Wait", "Seconds": 20, "End": True},
        },
    }
    done = run(aws, "late", machine, {"seconds": 1.4})
    aws.drain(10)
    kinds = [kind for _, _, kind in outline(aws.history(done["executionArn"]))]
    assert kinds[4:] == [
        "TaskTimedOut",
        "TaskStateExited",
        "WaitStateEntered",
        "WaitStateExited",
        "ExecutionSucceeded",
    ]


# -- the rest of the surface


def test_status_change_events_have_the_published_shape(aws: LocalAws, deploy: Callable[..., str]) -> None:
    samples = {
        e["detail"]["status"]: e
        for e in json.loads(shared_data("execution_status_change_events.json").read_text())
    }
    aws.notify_status_changes(deploy("told", "echo"), "announced")
    machine = {
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.fail", "BooleanEquals": True, "Next": "No"}],
                "Default": "Yes",
            },
            "Yes": {"Type": "Pass", "Result": "Hello World!", "End": True},
            "No": {"Type": "Fail", "Error": "E", "Cause": "C"},
        },
    }
    aws.deploy_state_machine("announced", machine)
    aws.wait(aws.start("announced", {"fail": False}, name="one"))
    aws.wait(aws.start("announced", {"fail": True}, name="two"))
    aws.drain(10)
    said = [
        e.message for e in aws.log_events() if e.log_group == "/aws/lambda/told" and e.message[:4] == "echo"
    ]
    events = [eval(message[5:]) for message in said]
    found = {(e["detail"]["name"], e["detail"]["status"]): e for e in events}
    assert set(found) == {("one", "RUNNING"), ("one", "SUCCEEDED"), ("two", "RUNNING"), ("two", "FAILED")}
    for (_, status), event in found.items():
        sample = samples[status]
        assert set(sample) == set(event)
        assert set(sample["detail"]) <= set(event["detail"])
        assert {key: type(value) for key, value in sample["detail"].items()} == {
            key: type(event["detail"][key]) for key in sample["detail"]
        }
        assert event["resources"] == [event["detail"]["executionArn"]]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert found["one", "SUCCEEDED"]["detail"]["output"] == '"Hello World!"'
    assert found["two", "FAILED"]["detail"]["error"] == "E"


def test_express_workflows_announce_nothing(aws: LocalAws, deploy: Callable[..., str]) -> None:
    aws.notify_status_changes(deploy("silent", "echo"), "express")
    assert run(aws, "express", one_state({"Type": "Succeed"}), type="EXPRESS")["status"] == "SUCCEEDED"
    aws.drain(10)
    assert not [e for e in aws.log_events() if e.log_group == "/aws/lambda/silent"]
    assert len(vended(aws, "express")) == 4


def test_a_task_token_can_be_answered(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("echo")
    payload = {"token.$": "$$.Task.Token"}
    state = task(name) | {
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": f"${{{name}}}", "Payload": payload},
        "OutputPath": "$",
    }
    aws.deploy_state_machine("token", one_state(state))
    execution = aws.start("token")
    deadline = time.monotonic() + 60
    while "TaskSubmitted" not in [e["type"] for e in aws.history(execution)] and time.monotonic() < deadline:
        time.sleep(0.02)
    scheduled = next(e for e in aws.history(execution) if e["type"] == "TaskScheduled")
    parameters = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])
    aws.client("stepfunctions").send_task_success(taskToken=parameters["Payload"]["token"], output='"yes"')
    assert json.loads(aws.wait(execution, 5)["output"]) == "yes"


def test_jsonata_states_are_evaluated(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("echo")
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": f"${{{name}}}", "Payload": '{% $states.input.say & " \\"there\\"" %}'},
        "Assign": {"said": "{% $states.result.Payload %}"},
        "Output": "{% {'n': $sum([1, 2]), 'text': $states.result.Payload} %}",
        "End": True,
    }
    done = run(aws, "jsonata", one_state(state, QueryLanguage="JSONata"), {"say": 'he"llo'})
    assert json.loads(done["output"]) == {"n": 3, "text": 'he"llo "there"'}


def test_the_context_object_is_complete(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("echo")
    state = task(name) | {"Parameters": {"FunctionName": f"${{{name}}}", "Payload.$": "$$"}}
    done = run(aws, "context", one_state(state), {"a": 1})
    context = json.loads(done["output"])
    assert context["Execution"]["Id"] == done["executionArn"]
    assert context["Execution"]["RedriveCount"] == 0
    assert context["Execution"]["Input"] == {"a": 1}
    assert context["State"]["Name"] == "Only"
    assert context["State"]["RetryCount"] == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", context["State"]["EnteredTime"])
    assert context["StateMachine"]["Name"] == "context"


def test_executions_without_a_name_get_one_each(aws: LocalAws) -> None:
    aws.deploy_state_machine("unnamed", one_state({"Type": "Succeed"}))
    first, second = aws.start("unnamed"), aws.start("unnamed")
    assert first != second
    assert {aws.wait(arn)["status"] for arn in (first, second)} == {"SUCCEEDED"}


def test_waiting_says_where_an_execution_is(aws: LocalAws) -> None:
    aws.deploy_state_machine("forever", one_state({"Type": "Wait", "Seconds": 99999, "End": True}))
    execution = aws.start("forever", name="me")
    with pytest.raises(
        TimeoutError, match=r"forever:me still runs after 0\.3 s; the last state entered is Only"
    ):
        aws.wait(execution, 0.3)
    aws.stop(execution)


WRONG = [
    ("{", "the definition is not JSON"),
    ({"States": {}}, r"\$\.States: SCHEMA_VALIDATION_FAILED: The field 'States' is required"),
    (
        {"StartAt": "B", "States": {"A": {"Type": "Succeed"}}},
        r"\$\.StartAt: MISSING_TRANSITION_TARGET: Missing 'StartAt' target: B at /StartAt",
    ),
    (
        one_state({"Type": "Tsak", "End": True}),
        r"\$\.States\.Only\.Type: .*Value is not one of \[Choice, .*\]: Tsak",
    ),
    (one_state({"Type": "Pass", "Next": "Gone"}), r"\$\.States\.Only\.Next: .*Missing 'Next' target: Gone"),
    (
        one_state({"Type": "Pass"}),
        r"\$\.States\.Only: .*Exactly one of these fields is required: \[Next, End\]",
    ),
    (
        one_state({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "Gone"}]}),
        r"\$\.States\.Only\.Choices\[0\]\.Next: .*Missing 'Next' target: Gone",
    ),
    (
        one_state({"Type": "Parallel", "End": True, "Branches": [{"StartAt": "A", "States": {}}]}),
        r"\$\.States\.Only\.Branches\[0\]\.States: ",
    ),
    (
        one_state({"Type": "Wait", "Seconds": 1, "Secnods": 1, "End": True}),
        r"\$\.States\.Only\.Secnods: SCHEMA_VALIDATION_FAILED: Field 'Secnods' is not supported at /States/Only",
    ),
]


@pytest.mark.parametrize(("definition", "message"), WRONG, ids=range(len(WRONG)))
def test_a_definition_that_is_no_asl_is_refused_with_the_place(
    aws: LocalAws, definition: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        aws.deploy_state_machine("wrong", definition)


def test_starting_what_is_not_there_is_refused(aws: LocalAws) -> None:
    with pytest.raises(InputError, match="StateMachineDoesNotExist"):
        aws.start("not_deployed")
    aws.deploy_state_machine("once", one_state({"Type": "Succeed"}))
    aws.wait(aws.start("once", name="same"))
    with pytest.raises(InputError, match="ExecutionAlreadyExists"):
        aws.start("once", name="same")
