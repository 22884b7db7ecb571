"""Step Functions: log events into timelines, points and spans; status changes into points."""

import functools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import shared_data

from monitoring.forwarder.executions import Executions, Trace
from monitoring.log_events.arn import state_machine_of, state_machine_tags
from monitoring.log_events.status_change import read_status_change
from monitoring.log_events.step_events import StepEvent, history_events, read_step_event
from monitoring.log_events.timeline import Run, timeline

ARN = "arn:aws:states:us-east-1:123456789012:execution:demo:11111111-2222-3333-4444-555555555555"
TAGS = state_machine_tags(state_machine_of(ARN))
ENDS = {"ExecutionSucceeded": "succeeded", "ExecutionFailed": "failed", "ExecutionTimedOut": "timed_out"}


@functools.cache
def recorded():
    """The recorded histories, a second between events; some recordings have masked ids and are left out."""
    found = []
    for row in map(json.loads, shared_data("execution_histories.jsonl").read_text().splitlines()):
        events = row["events"]
        if all(isinstance(event["id"], int) for event in events):
            for event in events:
                event["timestamp"] = 1_763_000_000 + event["id"]
            found.append((row["source"], list(history_events(ARN, events))))
    return found


def runs(run):
    yield run
    for child in run.children:
        yield from runs(child)


def shape(run):
    own = (run.kind, run.name, run.type, run.status, run.start, run.end, run.error, run.retry, run.caught)
    return (*own, tuple(sorted(map(shape, run.children), key=repr)))


def test_every_recorded_history_gives_a_whole_timeline():
    count = 0
    for source, events in recorded():
        found = timeline(events)
        states = [run for run in runs(found.execution) if run.kind == "state"]
        assert found.execution.status == ENDS.get(events[-1].type, "running"), source
        assert len(states) == sum(event.type.endswith("StateEntered") for event in events), source
        assert all(run.end is not None for run in states) or found.execution.end is None, source
        for run in runs(found.execution):
            assert run.parent is None or run.parent.start <= run.start, source
        count += 1
    assert count > 100


def test_a_timeline_does_not_depend_on_the_order_in_which_events_are_given():
    for number, (source, events) in enumerate(recorded()):
        if number % 10 == 0:
            shuffled = random.Random(number).sample(events, len(events))
            assert shape(timeline(shuffled).execution) == shape(timeline(events).execution), source


def test_points_and_spans_are_the_same_however_the_log_events_are_cut_into_payloads():
    for number, (source, events) in enumerate(recorded()):
        whole = Executions().take(events)
        piecewise = Executions()
        cut = random.Random(number).randrange(1, len(events) + 1)
        points, spans = [], []
        for start in range(0, len(events), cut):
            more = piecewise.take(events[start : start + cut])
            points += more[0]
            spans += more[1]
        assert (points, spans) == whole, source


def test_a_payload_that_comes_again_gives_the_same_again():
    kept = Executions()
    for _, events in recorded():
        half = len(events) // 2
        kept = Executions()
        kept.take(events[:half])
        assert kept.take(events[half:]) == kept.take(events[half:])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_lost_events_cost_durations_and_never_an_exception(data):
    _, events = data.draw(st.sampled_from(recorded()[:40]))
    kept = data.draw(st.lists(st.sampled_from(events), max_size=len(events)))
    points, spans = Executions().take(kept)
    assert all(span.duration >= 0 for span in spans)
    assert all(point.value >= 0 for point in points)


def events(*rows):
    """(type, details) each a second after the other, each following the one before."""
    return [
        StepEvent(ARN, i, kind, 1_763_000_000_000 + 1000 * i, i - 1, details)
        for i, (kind, details) in enumerate(rows, 1)
    ]


RETRIED = [
    ("ExecutionStarted", {}),
    ("TaskStateEntered", {"name": "Fetch"}),
    ("LambdaFunctionScheduled", {"resource": "arn:f"}),
    ("LambdaFunctionStarted", {}),
    ("LambdaFunctionFailed", {"error": "Boom", "cause": "why"}),
    ("LambdaFunctionScheduled", {"resource": "arn:f"}),
    ("LambdaFunctionStarted", {}),
    ("LambdaFunctionTimedOut", {"error": "States.Timeout"}),
    ("LambdaFunctionScheduled", {"resource": "arn:f"}),
    ("LambdaFunctionStarted", {}),
    ("LambdaFunctionSucceeded", {}),
    ("TaskStateExited", {"name": "Fetch"}),
    ("ExecutionSucceeded", {}),
]


def totals(points):
    found = {}
    for point in points:
        name = point.metric.removeprefix("aws.states.enhanced.")
        found[name] = found.get(name, 0) + point.value
    return found


def test_a_state_that_is_tried_three_times_is_counted_by_attempt():
    points, spans = Executions().take(events(*RETRIED))
    second = 1_000_000_000
    assert totals(points) == {
        "execution.started": 1, "execution.succeeded": 1, "execution.execution_time": 12 * second,
        "state.entered": 1, "state.exited": 1, "state.duration": 10 * second,
        "task.execution.task_started": 3, "task.execution.task_retried": 2, "task.execution.task_failed": 1,
        "task.execution.task_timed_out": 1, "task.execution.task_succeeded": 1,
        "task.execution.task_duration": 6 * second,
    }  # fmt: skip
    assert [(s.name.removeprefix("aws.stepfunctions"), s.error) for s in spans] == [
        (".attempt", 1), (".attempt", 1), (".attempt", 0), (".state", 0), ("", 0),
    ]  # fmt: skip
    by_id = {s.span_id: s for s in spans}
    assert len(by_id) == 5
    state = next(s for s in spans if s.name.endswith("state"))
    assert all(by_id.get(s.parent_id) is state for s in spans if s.name.endswith("attempt"))


def test_a_caught_error_leaves_the_state_failed_and_the_execution_succeeded():
    found = timeline(
        events(
            ("ExecutionStarted", {}),
            ("TaskStateEntered", {"name": "A"}),
            ("TaskScheduled", {"resource": "invoke"}),
            ("TaskStarted", {}),
            ("TaskFailed", {"error": "Boom"}),
            ("TaskStateExited", {"name": "A"}),
            ("PassStateEntered", {"name": "B"}),
            ("PassStateExited", {"name": "B"}),
            ("ExecutionSucceeded", {}),
        )
    )
    first, second = found.execution.children
    assert (first.status, first.error, first.caught) == ("failed", "Boom", True)
    assert (second.status, found.execution.status) == ("succeeded", "succeeded")
    assert second.parent is found.execution


def test_an_execution_that_is_aborted_closes_what_was_open():
    found = timeline(
        events(("ExecutionStarted", {}), ("WaitStateEntered", {"name": "W"}), ("ExecutionAborted", {}))
    )
    assert [run.status for run in runs(found.execution)] == ["aborted", "aborted"]


def test_a_state_whose_end_arrives_before_its_beginning_has_its_duration():
    kept = Executions()
    rows = events(
        ("ExecutionStarted", {}), ("PassStateEntered", {"name": "A"}), ("PassStateExited", {"name": "A"})
    )
    kept.take([rows[0], rows[2]])
    points, spans = kept.take([rows[1]])
    assert totals(points)["state.duration"] == 1e9
    assert [span.resource for span in spans] == ["A"]


@pytest.mark.parametrize("level", ["ERROR", "FATAL"])
def test_log_levels_below_all_count_failures_without_durations(level):
    rows = [("TaskFailed", {"error": "Boom"}), ("ExecutionFailed", {"error": "Boom"})]
    points, spans = Executions().take(events(*rows[level == "FATAL" :]))
    assert totals(points)["execution.failed"] == 1
    assert ("task.execution.task_failed" in totals(points)) == (level == "ERROR")
    assert spans == []


def test_vended_log_lines_are_read_as_recorded():
    for row in map(json.loads, shared_data("vended_logs.jsonl").read_text().splitlines()):
        for number, record in enumerate(row["log"]):
            event = read_step_event(record | {"event_timestamp": str(1_763_000_000_000 + number)})
            assert isinstance(event, StepEvent), row["source"]
            assert event.details == record["details"]


@pytest.mark.parametrize(
    "change", [{"id": "x"}, {"event_timestamp": None}, {"execution_arn": 1}, {"event_timestamp": 10**30}]
)
def test_a_broken_log_event_is_a_reason(change):
    good = {"id": "1", "type": "X", "event_timestamp": "1", "execution_arn": ARN, "details": {}}
    assert isinstance(read_step_event(good | change), str)


def test_span_ids_are_those_that_the_functions_compute():
    trace = Trace(ARN)
    state = Run("state", "DoWork", "Task", 1_795_428_000_123)
    again = Run("attempt", "DoWork", "Task", 1_795_428_000_500, retry=2, parent=state)
    redriven = Run("state", "DoWork", "Task", 1_795_428_000_123, redrive=1)
    assert (int(trace.trace_id, 16), trace.high) == (5738646823196759501, "24e8d55f5d50e6a5")
    assert int(trace.span_id(state), 16) == 9002365303468457351
    assert int(trace.span_id(again), 16) == 84877854568059395
    assert int(trace.span_id(redriven), 16) == 3814116457147119729


def test_a_trace_given_in_the_input_is_joined():
    given = {
        "_datadog": {
            "x-datadog-trace-id": "255",
            "x-datadog-parent-id": "7",
            "x-datadog-tags": "_dd.p.tid=ab",
        }
    }
    rows = events(("ExecutionStarted", {"input": json.dumps(given)}), ("ExecutionSucceeded", {}))
    (span,) = Executions().take(rows)[1]
    assert (span.trace_id, span.parent_id, span.meta["_dd.p.tid"]) == (
        f"{255:016x}",
        f"{7:016x}",
        "ab",
    )


def test_memory_of_executions_is_bounded():
    kept = Executions(events=100, executions=1000)
    for number in range(200):
        rows = events(("ExecutionStarted", {}), ("PassStateEntered", {"name": "A"}))
        kept.take([row._replace(execution=f"{ARN}{number}") for row in rows])
    assert kept._events <= 100
    assert len(kept._timelines) == len(kept._traces) == 50


def test_recorded_status_changes_become_counts_and_durations():
    found = {}
    for event in json.loads(shared_data("execution_status_change_events.json").read_text()):
        points = read_status_change(event)
        assert isinstance(points, list)
        found[event["detail"]["status"]] = [
            (p.metric.removeprefix("stepscope.execution."), p.value) for p in points
        ]
    assert found == {
        "RUNNING": [("started", 1)],
        "SUCCEEDED": [("succeeded", 1), ("duration", 0.021)],
        "FAILED": [("failed", 1), ("duration", 5.034)],
        "TIMED_OUT": [("timed_out", 1), ("duration", 1.001)],
        "ABORTED": [("aborted", 1), ("duration", 2.608)],
    }


@pytest.mark.parametrize(
    "detail", [None, {}, {"status": "DANCING"}, {"status": "FAILED", "stateMachineArn": 1}]
)
def test_a_status_change_without_its_facts_is_a_reason(detail):
    assert isinstance(read_status_change({"detail": detail}), str)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_two_environments_that_each_hear_a_part_tell_nothing_that_the_whole_does_not(data):
    """Lambda hands the payloads of one execution to whichever environment is free."""
    _, events = data.draw(st.sampled_from(recorded()))
    heard = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    parts = [
        [event for event, first in zip(events, heard, strict=True) if first is side] for side in (True, False)
    ]

    def durations(some):
        spans = Executions().take(some)[1]
        return {(s.span_id, s.start, s.duration) for s in spans if s.name == "aws.stepfunctions.state"}

    whole = durations(events)
    assert all(durations(part) <= whole for part in parts)
