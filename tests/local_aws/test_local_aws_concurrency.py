"""Reserved concurrency: a function that may have one environment has one, whoever calls."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from monitoring.local_aws.aws import InvocationError


def test_a_function_with_reserved_concurrency_has_no_more_environments(aws, tmp_path):
    (tmp_path / "slow_step.py").write_text("import time\n\ndef slow(event, context):\n    time.sleep(0.2)\n")
    for name, concurrency in (("one", 1), ("many", None)):
        aws.deploy_function(name, handler="slow_step.slow", code=tmp_path)
        if concurrency:
            aws.client("lambda").put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=concurrency
            )
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda number, name=name: aws.invoke(name, number), range(3)))
    streams = {
        name: {e.log_stream for e in aws.log_events() if e.log_group == f"/aws/lambda/{name}"}
        for name in ("one", "many")
    }
    assert len(streams["one"]) == 1
    assert len(streams["many"]) > 1


def refuse_all(aws, name: str) -> None:
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)


def test_a_reserved_concurrency_of_zero_throttles_every_call(aws, deploy):
    name = deploy("refused", "echo")
    refuse_all(aws, name)
    with pytest.raises(InvocationError, match="TooManyRequestsException: Rate Exceeded"):
        aws.invoke(name, {})
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    answer = caught.value.response
    assert answer["Error"]["Code"] == "TooManyRequestsException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert [call.throttled for call in aws.invocations() if call.function == name] == [True, True]
    assert not [event for event in aws.log_events() if event.log_group == f"/aws/lambda/{name}"]


@pytest.mark.parametrize("form", ["lambda:invoke", "function ARN"])
def test_a_state_machine_names_the_throttling_as_lambda_does(aws, deploy, form: str):
    name = deploy("refused-step", "echo")
    refuse_all(aws, name)
    task = {"Type": "Task", "Resource": aws.function_arn(name), "End": True}
    if form == "lambda:invoke":
        task |= {"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": name}}
    machine = form.replace(":", "-").replace(" ", "-")
    aws.deploy_state_machine(machine, {"StartAt": "Step", "States": {"Step": task}})
    done = aws.wait(aws.start(machine))
    assert (done["status"], done["error"]) == ("FAILED", "Lambda.TooManyRequestsException")


def test_calls_are_told_with_their_time_and_outcome(aws, deploy):
    fine, bad = deploy("echo"), deploy("fails")
    aws.invoke(fine, 1)
    with pytest.raises(InvocationError):
        aws.invoke(bad, {})
    calls = [call for call in aws.invocations() if call.function in {fine, bad}]
    assert [(call.function, call.failed) for call in calls] == [(fine, False), (bad, True)]
    assert all(call.began > 0 and call.duration_ms > 0 and call.init_ms for call in calls)
