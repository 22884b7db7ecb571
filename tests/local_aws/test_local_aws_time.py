"""Time in executions: waits and retries pass faster, work does not, and time-outs tell the two apart."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from state_machines import one_state, run, task

from monitoring.local_aws import LocalAws


def test_waits_and_retries_pass_as_fast_as_asked(
    aws: LocalAws, deploy: Callable[..., str], tmp_path: Path
) -> None:
    name = deploy("fails_twice")
    retry = [{"ErrorEquals": ["RuntimeError"], "IntervalSeconds": 4, "MaxAttempts": 2, "BackoffRate": 2}]
    machine = {
        "StartAt": "Pause",
        "States": {"Pause": {"Type": "Wait", "Seconds": 10, "Next": "Try"}, "Try": task(name, Retry=retry)},
    }
    began = time.monotonic()
    done = run(aws, "waits", machine, {"marker": str(tmp_path / "marker")})
    took = time.monotonic() - began
    assert json.loads(done["output"]) == "at last"
    assert 22 / 20 <= took < 10


def test_a_task_that_works_is_not_timed_out_by_the_speed(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("sleeps")
    done = run(aws, "works", one_state(task(name, TimeoutSeconds=2)), {"seconds": 0.5})
    assert done["status"] == "SUCCEEDED"


def test_a_task_that_takes_too_long_times_out_and_its_function_goes_on(
    aws: LocalAws, deploy: Callable[..., str]
) -> None:
    name = deploy("goes_on", "sleeps")
    began = time.monotonic()
    done = run(aws, "too_long", one_state(task(name, TimeoutSeconds=1)), {"seconds": 2})
    assert time.monotonic() - began >= 1
    group = f"/aws/lambda/{name}"
    assert not any(e.message.startswith("REPORT") for e in aws.log_events() if e.log_group == group)
    assert (done["status"], done["error"]) == ("FAILED", "States.Timeout")
    types = [event["type"] for event in aws.history(done["executionArn"])]
    assert types[-2:] == ["TaskTimedOut", "ExecutionFailed"]
    aws.drain(10)
    log = [event.message for event in aws.log_events() if event.log_group == group]
    assert log[-1].startswith("REPORT")
    assert "Status" not in log[-1]


def test_an_execution_that_waits_too_long_times_out_in_its_own_time(aws: LocalAws) -> None:
    began = time.monotonic()
    machine = one_state({"Type": "Wait", "Seconds": 9999, "End": True}, TimeoutSeconds=10)
    done = run(aws, "execution_timeout", machine)
    assert 0.5 <= time.monotonic() - began < 5
    assert done["status"] == "TIMED_OUT"
    history = aws.history(done["executionArn"])
    assert [e["type"] for e in history] == ["ExecutionStarted", "WaitStateEntered", "ExecutionTimedOut"]


def test_an_execution_times_out_while_its_task_works(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("sleeps")
    done = run(aws, "timeout_at_work", one_state(task(name), TimeoutSeconds=1), {"seconds": 2})
    assert done["status"] == "TIMED_OUT"
    assert aws.history(done["executionArn"])[-1]["type"] == "ExecutionTimedOut"


def test_a_wait_beside_a_working_handler_ends_after_it(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("sleeps")
    branches = [one_state({"Type": "Wait", "Seconds": 4, "End": True}), one_state(task(name))]
    aws.invoke(name, {"seconds": 0})
    done = run(
        aws, "beside", one_state({"Type": "Parallel", "Branches": branches, "End": True}), {"seconds": 0.5}
    )
    types = [event["type"] for event in aws.history(done["executionArn"])]
    assert types.index("TaskSucceeded") < types.index("WaitStateExited")


def test_a_stopped_execution_ends_at_once_as_aborted(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("sleeps")
    aws.deploy_state_machine("stopped", one_state(task(name)))
    execution = aws.start("stopped", {"seconds": 3})
    time.sleep(0.3)
    began = time.monotonic()
    aws.stop(execution, "Operator.Stop", "no longer needed")
    done = aws.wait(execution, 5)
    assert time.monotonic() - began < 2
    assert done["status"] == "ABORTED"
    last = aws.history(execution)[-1]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Operator.Stop", "cause": "no longer needed"}
