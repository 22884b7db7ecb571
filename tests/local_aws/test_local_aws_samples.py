"""From what AWS did to what Datadog shows: hand-written facts against the published rules."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.local_aws.cloudwatch import by_minute, columns, published, settings_series
from monitoring.local_aws.invocation import Invoked
from monitoring.local_aws.samples import asynchronous_samples, execution_samples, invocation_samples
from monitoring.resources.catalogue import metrics

START = 1_772_539_200
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Orders"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:Store"
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:approve"


def event(number: int, kind: str, seconds: float, before: int = 0, **details):
    found = {
        "id": number,
        "type": kind,
        "timestamp": datetime.fromtimestamp(START + seconds, UTC),
        "previousEventId": before,
    }
    if details:
        name = kind[0].lower() + kind[1:] + "EventDetails"
        found[name] = details
    return found


def counted(samples) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for key, _, value in samples:
        found.setdefault((key.metric, ",".join(key.tags)), []).append(value)
    return found


HISTORY = [
    event(1, "ExecutionStarted", 0),
    event(2, "TaskStateEntered", 0.1, 1, name="Check"),
    event(3, "TaskScheduled", 0.2, 2, resourceType="lambda", resource="invoke"),
    event(4, "TaskStarted", 0.3, 3, resourceType="lambda", resource="invoke"),
    event(5, "TaskSucceeded", 1.3, 4, resourceType="lambda", resource="invoke"),
    event(6, "TaskStateExited", 1.3, 5, name="Check"),
    event(7, "LambdaFunctionScheduled", 1.5, 6, resource=FUNCTION),
    event(8, "LambdaFunctionStarted", 1.7, 7),
    event(9, "LambdaFunctionTimedOut", 2.7, 8, error="States.Timeout"),
    event(10, "LambdaFunctionScheduled", 3, 9, resource=FUNCTION),
    event(11, "LambdaFunctionStarted", 3.1, 10),
    event(12, "LambdaFunctionFailed", 3.5, 11, error="KeyError"),
    event(13, "ActivityScheduled", 4, 12, resource=ACTIVITY),
    event(14, "ActivityStarted", 5, 13),
    event(15, "ActivityTimedOut", 15, 14, error="States.HeartbeatTimeout"),
    event(16, "ExecutionFailed", 16, 15, error="States.HeartbeatTimeout"),
]


def test_an_execution_counts_its_start_twice_and_its_end_once_for_the_machine_and_for_the_account():
    found = counted(execution_samples(MACHINE, HISTORY))
    for tags in (f"statemachinearn:{MACHINE.lower()}", ""):
        assert found["ExecutionsStarted", tags] == [1, 0]
        assert found["ExecutionsFailed", tags] == [1]
        for other in ("ExecutionsSucceeded", "ExecutionsTimedOut", "ExecutionsAborted"):
            assert found[other, tags] == [0]
        assert found["ExecutionTime", tags] == [16_000]


def test_an_execution_that_never_ends_has_started_and_nothing_else():
    found = counted(execution_samples(MACHINE, HISTORY[:6]))
    own = {metric for metric, tags in found if "statemachinearn" in tags}
    assert own == {"ExecutionsStarted"}
    assert found["ExecutionsStarted", ""] == [1]


def test_tasks_count_by_what_they_call_and_tell_their_times():
    found = counted(execution_samples(MACHINE, HISTORY))
    invoke, store = (
        "serviceintegrationresourcearn:arn:aws:states:::lambda:invoke",
        f"lambdafunctionarn:{FUNCTION.lower()}",
    )
    assert found["ServiceIntegrationsSucceeded", invoke] == [1]
    assert found["ServiceIntegrationTime", invoke] == [pytest.approx(1100)]
    assert found["ServiceIntegrationScheduleTime", invoke] == [pytest.approx(100)]
    assert found["ServiceIntegrationRunTime", invoke] == [pytest.approx(1000)]
    assert found["LambdaFunctionsScheduled", store] == [1, 1]
    assert (found["LambdaFunctionsTimedOut", store], found["LambdaFunctionsFailed", store]) == ([1], [1])
    assert ("LambdaFunctionsSucceeded", store) not in found


def test_a_missed_heartbeat_of_an_activity_is_no_time_out_on_close():
    found = counted(execution_samples(MACHINE, HISTORY))
    assert found["ActivitiesHeartbeatTimedOut", f"activityarn:{ACTIVITY}"] == [1]
    assert ("ActivitiesTimedOut", f"activityarn:{ACTIVITY}") not in found


def test_a_throttled_call_is_no_invocation_and_a_failed_one_is_an_error():
    calls = [
        Invoked("Store", START, 1500.0),
        Invoked("Store", START + 1, 200.0, failed=True),
        Invoked("Store", START + 5, throttled=True),
        Invoked("Check", START + 1.1, 10.0),
    ]
    found = counted(invocation_samples(calls))
    tags = "functionname:store,resource:store"
    assert found["Invocations", tags] == [1, 1]
    assert found["Errors", tags] == [0, 1]
    assert found["Throttles", tags] == [0, 0, 1]
    assert found["Duration", tags] == [1500, 200]
    assert found["ConcurrentExecutions", tags] == [1, 2]
    assert found["ConcurrentExecutions (account)", ""] == [1, 2, 3]


def test_samples_of_lambda_are_stamped_at_the_start_of_the_call():
    late = Invoked("store", START + 59.0, 5000.0)
    series = published(columns(invocation_samples([late])), (), {"aws.lambda.errors", "aws.lambda.duration"})
    assert [(each.metric, each.times.tolist(), each.values.tolist()) for each in series] == [
        ("aws.lambda.duration", [START], [5000.0]),
        ("aws.lambda.errors", [START], [0.0]),
    ]


def test_points_carry_the_dimensions_of_the_catalogue_and_the_common_tags():
    samples = [
        *execution_samples(MACHINE, HISTORY),
        *invocation_samples([Invoked("store", START, 10.0)]),
        *asynchronous_samples("late", 1, 1, START),
    ]
    known = metrics()
    made = published(columns(samples), ("env:prod",), frozenset(known))
    assert {"aws.states.execution_time.p95", "aws.lambda.async_events_dropped"} <= {
        each.metric for each in made
    }
    for each in made:
        facts = known[each.metric]
        assert "env:prod" in each.tags
        keys = {tag.partition(":")[0] for tag in each.tags} - {"env"}
        assert keys <= set(facts.tags)
        assert each.type == facts.type
        assert all(time % 60 == 0 for time in each.times.tolist())


def test_the_settings_of_a_function_are_told_whenever_the_integration_looks():
    timeout, memory = settings_series({"Store": (6, 128)}, ("env:prod",), START, START + 1800)
    assert (timeout.metric, timeout.values.tolist()) == ("aws.lambda.timeout", [6.0] * 3)
    assert (memory.metric, memory.values.tolist()) == ("aws.lambda.memorysize", [128.0] * 3)
    assert "functionname:store" in timeout.tags


STATISTICS = {
    "Sum": sum,
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "p50": lambda values: sorted(values)[-(-len(values) // 2) - 1],
    "p99": lambda values: sorted(values)[-(-len(values) * 99 // 100) - 1],
}


@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(-1000, 1000)), min_size=1, max_size=80),
    st.sampled_from(sorted(STATISTICS)),
)
def test_every_statistic_is_that_of_its_minute(points, statistic):
    times, values = (np.array([float(point[at]) for point in points]) for at in (0, 1))
    minutes, reduced = by_minute(times, values, statistic)
    expected: dict[int, list[float]] = {}
    for time, value in points:
        expected.setdefault(time // 60 * 60, []).append(float(value))
    assert minutes.tolist() == sorted(expected)
    assert reduced.tolist() == pytest.approx(
        [STATISTICS[statistic](expected[each]) for each in minutes.tolist()]
    )
