"""Each fault really breaks what it says: executions, log lines, metrics and what arrives tell it."""

import pytest

ENDS = {
    "handler-raises": "FAILED KeyError",
    "out-of-memory": "FAILED Runtime.ExitError",
    "syntax-error": "FAILED Runtime.UserCodeSyntaxError",
    "throttled": "FAILED Lambda.TooManyRequestsException",
    "silent-retries": "SUCCEEDED ",
    "claim-broken": "SUCCEEDED ",
    "stuck-executions": "RUNNING ",
    "execution-times-out": "TIMED_OUT ",
    "executions-stopped": "ABORTED ",
    "table-gone": "FAILED DynamoDB.ResourceNotFoundException",
    "access-denied": "FAILED HTTPError",
    "build-fails": "FAILED BuildFailed",
    "task-times-out": "FAILED States.Timeout",
    "events-dropped": "SUCCEEDED ",
    "wrong-api-key": "SUCCEEDED ",
    "busy-hour": "SUCCEEDED ",
}


def total(take, metric: str) -> float:
    """The sum of a metric of CloudWatch, without the account's own series."""
    return sum(values.sum() for key, (_, values) in take.samples.items() if key.metric == metric and key.tags)


def arrived(take, metric: str) -> float:
    return sum(values.sum() for key, (_, values) in take.points.items() if key.metric == metric)


@pytest.mark.parametrize("name", ENDS)
def test_every_execution_ends_as_the_fault_says(drilled, name: str):
    takes = drilled.played[name].takes
    assert takes
    assert {f"{take.status} {take.error}" for take in takes} == {ENDS[name]}


def test_health_is_warm_and_complete(drilled):
    takes = drilled.health.takes
    assert len(takes) == 3
    for take in takes:
        assert (take.status, total(take, "Errors"), total(take, "Throttles")) == ("SUCCEEDED", 0, 0)
        assert total(take, "Invocations") == 2 == arrived(take, "aws.lambda.enhanced.invocations")
        assert arrived(take, "claims.verified") == 1
        assert not any("cold_start:true" in key.tags for key in take.points)
        assert any(key.metric == "stepscope.forwarder.events" for key in take.own)


def test_names_are_those_of_one_pipeline(drilled):
    tags = {tag for key in drilled.played["claim-broken"].takes[0].samples for tag in key.tags}
    assert "functionname:orders-store" in tags
    assert not [tag for tag in tags if "claim-broken" in tag]


def test_waits_have_their_stated_length_on_the_simulated_clock(drilled):
    for take in drilled.health.takes:
        (times,) = [
            values for key, (_, values) in take.samples.items() if key.metric == "ExecutionTime" and key.tags
        ]
        assert 20_000 <= times[0] < 60_000


def test_memory_is_really_exhausted(drilled):
    assert any("Runtime.OutOfMemory" in line for line in drilled.logs["/aws/lambda/out-of-memory--store"])
    assert arrived(drilled.played["out-of-memory"].takes[0], "aws.lambda.enhanced.out_of_memory") == 1


def test_a_throttled_function_is_called_and_never_runs(drilled):
    take = drilled.played["throttled"].takes[0]
    assert total(take, "Throttles") == 4  # the call and three retries
    starts = [line for line in drilled.logs["/aws/lambda/throttled--store"] if line.startswith("START")]
    assert len(starts) == 1  # the warm one, before


def test_a_retry_recovers_silently(drilled):
    take = drilled.played["silent-retries"].takes[-1]
    assert arrived(take, "aws.states.enhanced.task.execution.task_retried") == 1
    assert (total(take, "Errors"), total(take, "ExecutionsFailed")) == (1, 0)


def test_a_broken_claim_has_left_nothing_in_the_bucket(drilled):
    take = drilled.played["claim-broken"].takes[-1]
    assert (arrived(take, "claims.broken"), arrived(take, "claims.verified")) == (1, 0)
    assert drilled.objects == ["order-1.json"]  # of the warm execution, before


def test_a_stuck_execution_never_ends_in_the_metrics_either(drilled):
    take = drilled.played["stuck-executions"].takes[0]
    assert total(take, "ExecutionsStarted") == 1
    assert not [key for key in take.samples if key.metric == "ExecutionTime"]
    assert arrived(take, "aws.states.enhanced.execution.aborted") == 0


def test_a_task_times_out_and_its_function_does_not(drilled):
    for take in drilled.played["task-times-out"].takes:
        assert (total(take, "ServiceIntegrationsTimedOut"), total(take, "Errors")) == (1, 0)


def test_a_build_really_fails(drilled):
    lines = [line for group, lines in drilled.logs.items() if "build-fails--site" in group for line in lines]
    assert any("the page has a broken link" in line for line in lines)


def test_an_event_is_dropped_after_three_attempts(drilled):
    take = drilled.played["events-dropped"].takes[-1]
    assert (total(take, "AsyncEventsReceived"), total(take, "AsyncEventsDropped")) == (1, 1)
    calls = [line for line in drilled.logs["/aws/lambda/events-dropped--late"] if line.startswith("START")]
    assert len(calls) == 4  # one to warm it, three attempts


def test_a_disabled_trigger_leaves_no_execution(drilled):
    assert drilled.played["trigger-disabled"].takes == []


def test_a_wrong_key_lets_nothing_through_and_the_spool_has_it(drilled):
    assert [dict(take.points) for take in drilled.played["wrong-api-key"].takes] == [{}]
    assert "wrong-api-key-spool" in drilled.spooled


def test_an_intake_that_fails_is_told_by_the_others(drilled):
    (take,) = drilled.played["intake-fails"].takes
    assert arrived(take, "stepscope.forwarder.spooled") >= 1
    assert arrived(take, "aws.lambda.enhanced.invocations") == 2
