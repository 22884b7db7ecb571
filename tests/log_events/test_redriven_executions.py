"""A redrive: counted as one, with durations, states and an execution span of its own, however it is heard of."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.forwarder.executions import Executions, Trace
from monitoring.lines import Point
from monitoring.log_events.status_change import read_status_change
from monitoring.log_events.step_events import StepEvent, history_events, read_step_event
from monitoring.log_events.timeline import Run, timeline

ARN = "arn:aws:states:eu-west-1:123456789012:execution:shop:order-1"
START = 1_763_000_000_000
Row = tuple[str, int, dict[str, Any]]  # type, the event before, details

FAILED: list[Row] = [
    ("ExecutionStarted", 0, {}),
    ("PassStateEntered", 0, {"name": "Check"}),
    ("PassStateExited", 2, {"name": "Check"}),
    ("TaskStateEntered", 3, {"name": "Pay"}),
    ("TaskScheduled", 4, {"resourceType": "lambda", "resource": "invoke"}),
    ("TaskFailed", 5, {"error": "Declined"}),
    ("ExecutionFailed", 6, {"error": "Declined"}),
]
PAID: list[Row] = [
    ("TaskScheduled", 8, {"resourceType": "lambda", "resource": "invoke"}),
    ("TaskSucceeded", 9, {}),
    ("TaskStateExited", 10, {"name": "Pay"}),
    ("PassStateEntered", 11, {"name": "Tell"}),
    ("PassStateExited", 12, {"name": "Tell"}),
    ("ExecutionSucceeded", 13, {}),
]
REDRIVEN: Row = ("ExecutionRedriven", 7, {"redriveCount": 1})
STORIES: dict[str, list[Row]] = {
    "one task": [*FAILED, REDRIVEN, *PAID],
    "as the history of AWS links it": [*FAILED, REDRIVEN, (PAID[0][0], 5, PAID[0][2]), *PAID[1:]],
    "redriven twice": [
        *FAILED, REDRIVEN,
        ("TaskScheduled", 8, {}), ("TaskTimedOut", 9, {"error": "States.Timeout"}),
        ("ExecutionFailed", 10, {"error": "States.Timeout"}),
        ("ExecutionRedriven", 11, {"redriveCount": 2}),
        ("TaskScheduled", 12, {}), ("TaskSucceeded", 13, {}), ("TaskStateExited", 14, {"name": "Pay"}),
        ("ExecutionSucceeded", 15, {}),
    ],
    "aborted after the redrive": [*FAILED, REDRIVEN, ("TaskScheduled", 8, {}), ("ExecutionAborted", 9, {})],
    "an iteration of a Map": [
        ("ExecutionStarted", 0, {}),
        ("MapStateEntered", 0, {"name": "Each"}), ("MapStateStarted", 2, {"length": 2}),
        ("MapIterationStarted", 3, {"name": "Each", "index": 0}), ("TaskStateEntered", 4, {"name": "Pay"}),
        ("MapIterationStarted", 3, {"name": "Each", "index": 1}), ("TaskStateEntered", 6, {"name": "Pay"}),
        ("TaskScheduled", 5, {}), ("TaskSucceeded", 8, {}), ("TaskStateExited", 9, {"name": "Pay"}),
        ("MapIterationSucceeded", 10, {"name": "Each", "index": 0}),
        ("TaskScheduled", 7, {}), ("TaskFailed", 12, {"error": "Declined"}),
        ("MapIterationFailed", 13, {"name": "Each", "index": 1}), ("MapStateFailed", 13, {}),
        ("ExecutionFailed", 15, {"error": "Declined"}), ("ExecutionRedriven", 16, {"redriveCount": 1}),
        ("TaskScheduled", 13, {}), ("TaskSucceeded", 18, {}), ("TaskStateExited", 19, {"name": "Pay"}),
        ("MapIterationSucceeded", 20, {"name": "Each", "index": 1}), ("MapStateSucceeded", 21, {}),
        ("MapStateExited", 21, {"name": "Each"}), ("ExecutionSucceeded", 23, {}),
    ],
    "a branch of a Parallel": [
        ("ExecutionStarted", 0, {}),
        ("ParallelStateEntered", 0, {"name": "Both"}), ("ParallelStateStarted", 2, {}),
        ("TaskStateEntered", 3, {"name": "Pay"}), ("TaskScheduled", 4, {}),
        ("WaitStateEntered", 3, {"name": "Wait"}), ("TaskFailed", 5, {"error": "Declined"}),
        ("ParallelStateFailed", 7, {}), ("ExecutionFailed", 8, {"error": "Declined"}),
        ("ExecutionRedriven", 9, {"redriveCount": 1}),
        ("TaskScheduled", 7, {}), ("TaskSucceeded", 11, {}), ("TaskStateExited", 12, {"name": "Pay"}),
        ("WaitStateExited", 6, {"name": "Wait"}), ("ParallelStateSucceeded", 14, {}),
        ("ParallelStateExited", 14, {"name": "Both"}), ("ExecutionSucceeded", 16, {}),
    ],
    "a state that is entered again": [
        *FAILED, REDRIVEN, ("TaskStateEntered", 8, {"name": "Pay"}), ("TaskScheduled", 9, {}),
        ("TaskSucceeded", 10, {}), ("TaskStateExited", 11, {"name": "Pay"}), ("ExecutionSucceeded", 12, {}),
    ],
}  # fmt: skip


def logged(rows: list[Row]) -> list[StepEvent]:
    """The rows as log events, a second apart, each with the number of redrives before it."""
    found: list[StepEvent] = []
    redrive = 0
    for number, (kind, previous, details) in enumerate(rows, 1):
        redrive += kind == "ExecutionRedriven"
        line = {"id": str(number), "type": kind, "details": details, "previous_event_id": str(previous)}
        line |= {"event_timestamp": str(START + 1000 * number), "execution_arn": ARN}
        event = read_step_event(line | {"redrive_count": str(redrive)})
        assert isinstance(event, StepEvent)
        found.append(event)
    return found


def told(points: list[Point]) -> Counter[tuple[Any, ...]]:
    """What the points say, by metric, state and status."""
    return Counter(
        (
            p.metric.removeprefix("aws.states.enhanced."),
            *(t.partition(":")[2] for t in p.tags if t.startswith(("statename:", "status:"))),
            round(p.value / 1e9, 3) if p.metric.endswith(("duration", "time")) else p.value,
        )
        for p in points
    )


@pytest.mark.parametrize("story", [s for s in STORIES if s != "aborted after the redrive"])
def test_the_redrive_and_the_states_that_it_recovers_have_their_durations(story: str) -> None:
    rows = STORIES[story]
    points, spans = Executions().take(logged(rows))
    found = told(points)
    redrives = [number for number, row in enumerate(rows, 1) if row[0] == "ExecutionRedriven"]
    assert found["execution.started", 1.0] == 1
    assert found["execution.redriven", 1.0] == len(redrives)
    assert found["execution.execution_time", "succeeded", float(len(rows) - redrives[-1])] == 1
    paid = [k for k in found if k[:3] == ("state.duration", "pay", "succeeded")]
    assert len(paid) == (2 if "Map" in story else 1)
    roots = [span for span in spans if span.name == "aws.stepfunctions"]
    assert [span.meta.get("redrive_count") for span in roots] == [None, "1", "2"][: len(redrives) + 1]
    assert {span.parent_id for span in roots[1:]} == {roots[0].span_id}
    assert not [key for key in found if key[0].endswith("task_retried")]


def test_a_recovered_state_begins_with_the_redrive_and_keeps_its_place_in_the_trace() -> None:
    points, spans = Executions().take(logged(STORIES["one task"]))
    assert told(points)["state.duration", "pay", "succeeded", 3.0] == 1
    assert told(points)["state.duration", "pay", "failed", 3.0] == 1
    first, second = (
        span for span in spans if (span.name, span.resource) == ("aws.stepfunctions.state", "Pay")
    )
    root, redrive = (span for span in spans if span.name == "aws.stepfunctions")
    assert (first.parent_id, second.parent_id) == (root.span_id, redrive.span_id)
    assert (second.start - START * 1_000_000, second.duration) == (8_000_000_000, 3_000_000_000)
    assert len({span.span_id for span in spans}) == len(spans)
    tell = next(span for span in spans if span.resource == "Tell")
    assert tell.parent_id == redrive.span_id


@pytest.mark.parametrize("story", STORIES)
def test_a_redrive_is_told_the_same_however_it_is_cut_into_payloads_and_whenever_it_comes_again(
    story: str,
) -> None:
    events = logged(STORIES[story])
    whole = Executions().take(events)
    for cut in range(1, len(events)):
        kept = Executions()
        parts = [kept.take(events[:cut]), kept.take(events[cut:])]
        assert tuple(a + b for a, b in zip(*parts, strict=True)) == whole
        assert [kept.take(events[:cut]), kept.take(events[cut:])] == parts


@pytest.mark.parametrize("story", STORIES)
def test_a_redrive_that_another_process_hears_of_has_its_durations_all_the_same(story: str) -> None:
    """Hours lie between a failure and its redrive: the process that heard the failure is gone."""
    events = logged(STORIES[story])
    cut = max(i for i, event in enumerate(events) if event.type == "ExecutionRedriven")
    whole, alone = told(Executions().take(events)[0]), told(Executions().take(events[cut:])[0])
    status = "aborted" if "aborted" in story else "succeeded"
    assert alone["execution.execution_time", status, float(len(events) - cut - 1)] == 1
    recovered = [key for key in alone if key[:3] == ("state.duration", "pay", status)]
    assert bool(recovered) == (status == "succeeded")
    assert all(whole[key] for key in recovered)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(STORIES)), st.randoms(use_true_random=False))
def test_counts_of_a_redriven_execution_do_not_depend_on_the_order_of_payloads(
    story: str, chance: random.Random
) -> None:
    events = logged(STORIES[story])
    whole = told(Executions().take(events)[0])
    kept, points = Executions(), []
    for event in chance.sample(events, len(events)):
        points += kept.take([event])[0]
    found = told(points)
    counted = {key: n for key, n in whole.items() if key[0].startswith("execution.") or "entered" in key[0]}
    assert {key: found[key] for key in counted} == counted
    if "Map" not in story:  # an iteration that ends unheard takes its open states along
        ended = {key: n for key, n in found.items() if key[:1] + key[2:3] == ("state.duration", "succeeded")}
        assert all(whole[key] >= n for key, n in ended.items())


@pytest.mark.parametrize("story", STORIES)
def test_a_history_tells_the_same_as_the_log(story: str) -> None:
    history = [
        {
            "id": n,
            "type": kind,
            "previousEventId": before,
            "timestamp": START / 1000 + n,
            "xEventDetails": details,
        }
        for n, (kind, before, details) in enumerate(STORIES[story], 1)
    ]
    assert list(history_events(ARN, history[::-1])) == logged(STORIES[story])
    latest = timeline(history_events(ARN, history)).execution.latest
    assert latest.status == ("aborted" if "aborted" in story else "succeeded")


@pytest.mark.parametrize("story", STORIES)
def test_a_redrive_that_is_heard_of_last_still_dates_what_it_recovered(story: str) -> None:
    events = logged(STORIES[story])
    kept, points = Executions(), []
    late = [event for event in events if event.type == "ExecutionRedriven"]
    for event in [*(event for event in events if event not in late), *late]:
        points += kept.take([event])[0]
    ended = {"state.duration", "execution.execution_time"}
    whole, found = told(Executions().take(events)[0]), told(points)
    for key in whole:
        if key[0] in ended and "succeeded" in key:
            assert found[key] == whole[key], key


@pytest.mark.parametrize("story", STORIES)
def test_nothing_is_left_running_in_an_execution_that_has_ended(story: str) -> None:
    left = [timeline(logged(STORIES[story])).execution]
    while left:
        run = left.pop()
        assert (run.end is not None, run.status != "running") == (True, True), (run.kind, run.name)
        left += run.children


def test_a_recovered_state_has_the_id_that_its_function_names_as_parent() -> None:
    spans = Executions().take(logged(STORIES["one task"]))[1]
    state = next(s for s in spans if s.resource == "Pay" and s.name.endswith("state") and not s.error)
    assert state.span_id == Trace(ARN).span_id(Run("state", "Pay", "Task", START + 4000, redrive=1))


def test_the_number_of_a_redrive_is_read_from_either_place() -> None:
    line = {"id": "8", "type": "ExecutionRedriven", "event_timestamp": "1", "execution_arn": ARN}
    for change, number in (
        ({"details": {"redriveCount": "2"}}, 2),
        ({"details": {"redriveCount": 2}, "redrive_count": "2"}, 2),
        ({"details": {}, "redrive_count": "3"}, 3),
        ({"details": {"redriveCount": None}}, 1),
        ({}, 1),
    ):
        event = read_step_event(line | change)
        assert isinstance(event, StepEvent)
        assert event.redrive == number


DAY = 86_400_000


@pytest.mark.parametrize(
    ("detail", "metric", "stamp", "duration"),
    [
        ({"status": "RUNNING"}, "started", 0, None),
        ({"status": "RUNNING", "redriveCount": 0, "redriveDate": None}, "started", 0, None),
        ({"status": "RUNNING", "redriveCount": 1, "redriveDate": START + DAY}, "redriven", 86_400, None),
        ({"status": "RUNNING", "redriveDate": START + DAY}, "redriven", 86_400, None),
        ({"status": "RUNNING", "redriveCount": 2}, "redriven", 86_401, None),
        ({"status": "SUCCEEDED", "stopDate": START + 5000}, "succeeded", 5, 5.0),
        (
            {
                "status": "SUCCEEDED",
                "redriveCount": 1,
                "redriveDate": START + DAY,
                "stopDate": START + DAY + 7000,
            },
            "succeeded",
            86_407,
            7.0,
        ),
        ({"status": "FAILED", "redriveCount": 1, "stopDate": START + DAY + 7000}, "failed", 86_407, None),
        ({"status": "ABORTED"}, "aborted", 86_401, None),
    ],
)
def test_a_status_change_is_dated_and_counted_by_what_happened_last(
    detail: dict[str, Any], metric: str, stamp: int, duration: float | None
) -> None:
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop"
    event = {
        "detail-type": "Step Functions Execution Status Change",
        "time": "2025-11-14T02:13:21Z",
        "detail": {"stateMachineArn": machine, "startDate": START, "stopDate": None, **detail},
    }
    points = read_status_change(event)
    assert isinstance(points, list)
    assert (points[0].metric, points[0].timestamp) == (f"stepscope.execution.{metric}", START / 1000 + stamp)
    assert [p.value for p in points[1:]] == ([] if duration is None else [duration])


def test_a_redrive_that_is_pending_is_no_change() -> None:
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop"
    detail = {"status": "PENDING_REDRIVE", "stateMachineArn": machine}
    assert (
        read_status_change({"detail-type": "Step Functions Execution Status Change", "detail": detail}) == []
    )


DURABLE = "arn:aws:lambda:eu-west-1:123456789012:function:Orders:7/durable-execution/order-1/9f7d84c9"
TAGS = (
    "function_name:orders",
    "functionname:orders",
    "region:eu-west-1",
    "account_id:123456789012",
    "aws_account:123456789012",
    "executedversion:7",
)


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        (
            {"status": "RUNNING", "startTimestamp": "2025-11-13T02:13:20.500Z"},
            [("started", 1.0, START + 500)],
        ),
        (
            {
                "status": "SUCCEEDED",
                "startTimestamp": "2025-11-13T02:13:20Z",
                "endTimestamp": "2025-11-13T02:14:20Z",
            },
            [("succeeded", 1.0, START + 60_000), ("duration", 60.0, START + 60_000)],
        ),
        ({"status": "STOPPED", "endTimestamp": START + 1000}, [("stopped", 1.0, START + 1000)]),
        ({"status": "FAILED"}, [("failed", 1.0, START + 9000)]),
        ({"status": "TIMED_OUT", "endTimestamp": "yesterday"}, [("timed_out", 1.0, START + 9000)]),
    ],
)
def test_a_durable_execution_is_counted_by_status_with_the_tags_of_its_function(
    detail: dict[str, Any], expected: list[tuple[str, float, int]]
) -> None:
    event = {
        "detail-type": "Durable Execution Status Change",
        "source": "aws.lambda",
        "time": "2025-11-13T02:13:29Z",
        "detail": {"durableExecutionArn": DURABLE, **detail},
    }
    points = read_status_change(event)
    assert isinstance(points, list)
    assert [(p.metric, p.value, p.timestamp * 1000) for p in points] == [
        (f"stepscope.durable_execution.{name}", value, stamp) for name, value, stamp in expected
    ]
    assert points[0].tags == TAGS
