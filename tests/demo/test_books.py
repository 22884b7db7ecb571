"""The demo's books, entry by entry: what was printed is stored, once, and nothing else is (docs/demo.md)."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitoring.demo.accounting import balance, kind_of, printed_samples, printed_spans
from monitoring.demo.findings import execution_result, metrics, spans_of, state_entered, steps, trace_id, tree
from monitoring.demo.result import Accounting, DemoExecution, DemoResult
from monitoring.demo.scenarios import Scenario
from monitoring.log_events.telemetry import LogEvent
from monitoring.query.series import Series
from monitoring.store import Store

NOW = 1_772_323_200
STATES = "/aws/vendedlogs/states/slides-Logs"
REQUEST = "0b1c2d3e-0000-4000-8000-000000000001"
REPORT = f"REPORT RequestId: {REQUEST}\tDuration: 1.00 ms"


def event(message, number=0, group="/aws/lambda/step", stream="2026/03/01/[$LATEST]a"):
    return LogEvent(f"e{number}", NOW * 1000, message, group, stream)


def span(number, parent="0000000000000000", name="aws.lambda", **more):
    return {
        "trace_id": "00000000000000aa",
        "span_id": f"{number:016x}",
        "parent_id": parent,
        "name": name,
        "service": "s",
        "resource": "step",
        "type": "serverless",
        "start": (NOW + number) * 10**9,
        "duration": 10**6,
        "error": 0,
        "meta": {},
        "metrics": {},
        **more,
    }


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (f"MONITORING|{NOW}|1|count|a.b|#x:y", "metric line"),
        (f"MONITORING|{NOW}|1|count|a.b", "metric line"),
        (f"MONITORING|{NOW}|-1.5e-07|gauge|a.b|", "metric line"),
        (f"MONITORING|{NOW}|2.5|histogram|a.b\n", "metric line"),
        (f"MONITORING|{NOW}|1|counter|a.b", "log"),
        (f"MONITORING|{NOW}|x|count|a.b", "log"),
        (f" MONITORING|{NOW}|1|count|a.b", "log"),
        (f"MONITORING|{NOW}|1|count|a.b|tags", "log"),
        ('{"traces":[]}', "trace line"),
        ('{"message":"hello"}', "log"),
        (f"START RequestId: {REQUEST} Version: $LATEST", "platform"),
        (f"END RequestId: {REQUEST}", "platform"),
        (REPORT, "platform"),
        ("INIT_START Runtime Version: python:3.12", "platform"),
        ("INIT_REPORT Init Duration: 1 ms", "platform"),
        (f"RequestId: {REQUEST} Error: Runtime exited", "platform"),
        (f"2026-03-01T00:00:00.000Z {REQUEST} Task timed out after 1.00 seconds", "platform"),
        ("my own REPORT RequestId: x", "log"),
    ],
)
def test_a_log_event_is_what_its_text_says(message, kind):
    """docs/log-lines.md (the MONITORING line and the trace line), and Lambda's log format."""
    assert kind_of(event(message), lambda group: False) == kind


@pytest.mark.parametrize(
    ("group", "stream", "kind"),
    [
        (STATES, "states/a", "state machine"),
        (
            "/aws/lambda/step",
            "log_stream_created_by_aws_to_validate_log_delivery_subscriptions",
            "validation",
        ),
        ("/aws/codebuild/site", "a", "not subscribed"),
        (
            "/aws/codebuild/site",
            "log_stream_created_by_aws_to_validate_log_delivery_subscriptions",
            "validation",
        ),
    ],
)
def test_where_an_event_stands_counts_before_its_text(group, stream, kind):
    found = kind_of(
        event("text", group=group, stream=stream), lambda name: name.startswith("/aws/codebuild/")
    )
    assert found == kind


def test_a_line_is_a_sample_for_each_time_that_it_was_printed():
    lines = [
        f"MONITORING|{NOW}|1|count|a.b|#x:y\n",
        f"MONITORING|{NOW}|1.0|count|a.b",
        f"MONITORING|{NOW}|2|count|a.b",
        "text",
    ]
    assert printed_samples(lines) == {("a.b", NOW, 1.0): 2, ("a.b", NOW, 2.0): 1}


def test_every_span_of_a_trace_line_counts():
    line = json.dumps({"traces": [[span(1), span(2)], [span(3)]]})
    assert printed_spans([line, line]) == {f"{number:016x}": 2 for number in (1, 2, 3)}


PRINTED = [
    event(f"MONITORING|{NOW}|1|count|a.b|#x:y\n", 1),
    event(f"MONITORING|{NOW}|1|count|a.b|#x:y\n", 2),
    event(json.dumps({"traces": [[span(1)]]}), 3),
    event("hello\n", 4),
    event(REPORT + "\n", 5),
    event('{"type":"ExecutionStarted"}', 6, STATES),
    event("not for the forwarder", 7, "/aws/codebuild/site"),
    event("x", 8, stream="log_stream_created_by_aws_to_validate_log_delivery_subscriptions"),
]
LOGS = ["hello", REPORT, '{"type":"ExecutionStarted"}']


def points(metric, values):
    count = len(values)
    times = np.full(count, NOW, np.int64)
    return Series(metric, ("x:y",), times, np.array(values, np.float64), "distribution")


def books(samples=(1, 1), spans=(1,), logs=LOGS, derived=None, events=PRINTED, executions=0):
    derived = {"aws.lambda.enhanced.invocations": 1} if derived is None else derived
    with Store.open() as store:
        store.add_samples([points("a.b", samples)] if samples else [])
        store.add_samples([points(name, [1] * count) for name, count in derived.items()])
        store.add_spans([span(number) for number in spans])
        store.add_spans([span(9, name="aws.stepfunctions"), span(10, name="aws.stepfunctions.state")])
        store.add_logs([{"message": text, "timestamp": NOW * 1000} for text in logs])
        return balance(events, store, lambda group: group.startswith("/aws/codebuild/"), executions)


STATUS = "stepscope.execution."
REPORTED = {"aws.lambda.enhanced.invocations": 1}


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ({"started": 2, "succeeded": 1, "failed": 1}, []),
        ({"started": 2, "timed_out": 1, "aborted": 1}, []),
        ({}, ["2 executions, but 0 starts in Datadog", "2 executions, but 0 ends in Datadog"]),
        ({"started": 2, "succeeded": 1}, ["2 executions, but 1 ends in Datadog"]),
        ({"started": 3, "succeeded": 2}, ["2 executions, but 3 starts in Datadog"]),
    ],
)
def test_every_execution_is_one_start_and_one_end(statuses, said):
    counts = {STATUS + name: count for name, count in statuses.items()}
    assert list(books(derived={**REPORTED, **counts}, executions=2).differences) == said


def test_books_that_balance_say_how_much_of_each_there_is():
    assert books() == Accounting(
        metric_lines_printed=2,
        points_stored=2,
        points_derived=1,
        span_lines_printed=1,
        spans_printed=1,
        spans_stored=1,
        spans_derived=2,
        log_events=8,
        logs_stored=3,
        kinds={
            "log": 1,
            "metric line": 2,
            "not subscribed": 1,
            "platform": 1,
            "state machine": 1,
            "trace line": 1,
            "validation": 1,
        },
        unexplained=0,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"samples": (1,)}, [f"point printed but not stored: ('a.b', {NOW}, 1.0)"]),
        ({"samples": (1, 1, 1)}, [f"point stored but not printed: ('a.b', {NOW}, 1.0)"]),
        (
            {"samples": (1, 2)},
            [
                f"point printed but not stored: ('a.b', {NOW}, 1.0)",
                f"point stored but not printed: ('a.b', {NOW}, 2.0)",
            ],
        ),
        ({"spans": ()}, ["span printed but not stored: 0000000000000001"]),
        ({"spans": (1, 1)}, ["span stored but not printed: 0000000000000001"]),
        ({"spans": (1, 2)}, ["span stored but not printed: 0000000000000002"]),
        ({"logs": LOGS[1:]}, ["log entry printed but not stored: hello"]),
        ({"logs": [*LOGS, "hello"]}, ["log entry stored but not printed: hello"]),
        (
            {"derived": {"aws.lambda.enhanced.invocations": 1, "my.own": 2}},
            ["metric my.own: nobody printed it"],
        ),
        (
            {"derived": {"aws.lambda.enhanced.invocations": 2}},
            ["1 REPORT lines, but 2 invocations in Datadog"],
        ),
        ({"derived": {}}, ["1 REPORT lines, but 0 invocations in Datadog"]),
        (
            {
                "derived": {
                    "aws.lambda.enhanced.invocations": 1,
                    "aws.states.enhanced.x": 1,
                    "stepscope.forwarder.y": 1,
                }
            },
            [],
        ),
    ],
)
def test_whatever_is_on_one_side_only_is_a_difference(change, said):
    """docs/demo.md: the points, spans and logs in Datadog are those that were printed, and nothing else."""
    found = books(**change)
    assert list(found.differences) == said
    assert found.unexplained == len(said)


def test_all_differences_are_counted_and_the_first_five_are_shown():
    found = books(logs=[*LOGS, *(f"more {number}" for number in range(7))])
    assert (found.unexplained, len(found.differences)) == (7, 5)


def test_a_long_difference_is_cut_to_160_characters():
    texts = ["x" * 160, "y" * 161]
    short, cut = sorted(books(logs=[*LOGS, *texts]).differences)
    assert short == "log entry stored but not printed: " + "x" * 160
    assert cut == "log entry stored but not printed: " + "y" * 157 + "..."


# --- what the demo reports

SCENARIO = Scenario("new-slide", "a new slide", "key", None, "Done")
FAILING = Scenario("broken", "a broken one", "key", None, "Failed", "BrokenPhoto")
START = datetime(2026, 3, 1, tzinfo=UTC)


def execution(scenario=SCENARIO, status="SUCCEEDED", path=("Read", "Done"), **more):
    described = {
        "status": status,
        "startDate": START,
        "stopDate": START + timedelta(seconds=1.2345),
        "executionArn": "arn:x",
        **more,
    }
    history = [{"type": "ExecutionStarted"}, *({"stateEnteredEventDetails": {"name": name}} for name in path)]
    return execution_result(scenario, described, history)


@pytest.mark.parametrize(("seconds", "milliseconds"), [(1.001, 1001), (0.0006, 1), (2.0, 2000)])
def test_an_execution_has_its_duration_to_the_millisecond_and_its_cause(seconds, milliseconds):
    found = execution(FAILING, "FAILED", stopDate=START + timedelta(seconds=seconds), error="E", cause="why")
    assert (found.duration_ms, found.error, found.cause) == (milliseconds, "E", "why")


def test_an_execution_is_told_by_its_history():
    found = execution(cause=None)
    assert found == DemoExecution(
        "new-slide", "a new slide", "SUCCEEDED", ("Read", "Done"), 1234, "", "", True, "arn:x"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"path": ("Done", "Read")}, False),
        ({"path": ()}, False),
        ({"status": "FAILED"}, False),
        ({"error": "Other"}, False),
        ({"scenario": FAILING, "status": "FAILED", "path": ("Failed",), "error": "BrokenPhoto"}, True),
        ({"scenario": FAILING, "status": "SUCCEEDED", "path": ("Failed",), "error": "BrokenPhoto"}, False),
        ({"scenario": FAILING, "status": "FAILED", "path": ("Failed",), "error": "Another"}, False),
    ],
)
def test_an_execution_is_as_expected_by_status_last_state_and_error(change, expected):
    assert execution(**change).as_expected is expected


def test_a_state_is_entered_where_the_state_machines_log_says_so():
    text = json.dumps(
        {
            "type": "TaskStateEntered",
            "execution_arn": "arn:aws:states:e:1:execution:m:run-7",
            "details": {"name": "Read"},
        }
    )
    assert state_entered(event(text, group=STATES)) == ("run-7", "Read")
    assert state_entered(event(text)) is None
    assert state_entered(event(text.replace("Entered", "Exited"), group=STATES)) is None


def test_a_step_is_summed_from_its_own_metrics_and_a_call_without_a_good_span_has_failed():
    with Store.open() as store:
        for function, durations in (("step", [0.1, 0.2, 0.3]), ("other", [9.0])):
            tags = (f"functionname:{function}",)
            for name, values in (
                ("duration", durations),
                ("invocations", [1] * len(durations)),
                ("init_duration", [0.5]),
            ):
                times = np.arange(NOW, NOW + len(values))
                store.add_points(
                    [Series(f"aws.lambda.enhanced.{name}", tags, times, np.array(values, np.float64))]
                )
        store.add_spans([span(1), span(2, error=1), span(3, name="another.span")])
        (found, idle) = steps(store, {"Read": "step", "Idle": "nothing"})
        assert next((each.name, each.points, each.sum) for each in metrics(store)) == (
            "aws.lambda.enhanced.duration",
            4,
            pytest.approx(9.6),
        )
    assert (found.name, found.function, found.invocations, found.errors, found.cold_starts) == (
        "Read",
        "step",
        3,
        2,
        1,
    )
    assert (found.p50_ms, found.p95_ms) == (200.0, 290.0)
    assert (idle.invocations, idle.errors, idle.p50_ms, idle.p95_ms) == (0, 0, 0.0, 0.0)


def test_the_times_of_a_step_have_a_tenth_of_a_millisecond():
    with Store.open() as store:
        values = np.array([0.15014])
        store.add_points(
            [Series("aws.lambda.enhanced.duration", ("functionname:f",), np.array([NOW]), values)]
        )
        (found,) = steps(store, {"Read": "f"})
    assert (found.p50_ms, found.p95_ms) == (150.1, 150.1)


def test_a_trace_id_is_63_bits_of_the_hash_of_the_executions_arn():
    """The example of Datadog's own tests of its Lambda libraries (datadog-lambda-python, tests/test_tracing.py): bytes 8 to
    15 of SHA-256 of the ARN, without the highest bit."""
    machine = "arn:aws:states:sa-east-1:425362996713:execution:abhinav-activity-state-machine"
    assert trace_id(f"{machine}:72a7ca3e-901c-41bb-b5a3-5f279b92a316") == f"{435175499815315247:016x}"
    assert all(int(trace_id(str(number)), 16) < 2**63 for number in range(50))


def test_a_trace_is_a_tree_in_which_orphans_stand_below_the_execution():
    ids = {number: f"{number:016x}" for number in range(1, 7)}
    spans = [
        span(1, name="aws.stepfunctions"),
        span(2, ids[1], name="aws.stepfunctions.state"),
        span(3, ids[2]),
        span(4, "00000000000000ff"),
        span(5, ids[1]),
        span(6, ids[3]),
    ]
    depths = [(depth, int(each["span_id"], 16)) for depth, each in tree(spans)]
    assert depths == [(0, 1), (1, 2), (2, 3), (3, 6), (1, 4), (1, 5)]
    assert [(depth, int(each["span_id"], 16)) for depth, each in tree(spans[2:4])] == [(0, 3), (0, 4)]


def test_the_spans_of_an_execution_are_those_of_its_trace():
    with Store.open() as store:
        store.add_spans([span(1, trace_id=trace_id("arn:x")), span(2)])
        assert [each["span_id"] for each in spans_of(store, "arn:x")] == [f"{1:016x}"]


@pytest.mark.parametrize(
    ("unexplained", "expected", "fine"), [(0, True, True), (1, True, False), (0, False, False)]
)
def test_a_demo_is_fine_if_the_books_balance_and_all_ended_as_they_had_to(unexplained, expected, fine):
    empty = Accounting(0, 0, 0, 0, 0, 0, 0, 0, 0, {}, unexplained)
    result = DemoResult((execution(path=("Done",) if expected else ()),), (), (), empty, "", (), 0.0)
    assert result.fine is fine
    assert result.as_data()["fine"] is fine
