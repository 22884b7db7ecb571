"""The demo on a terminal: progress while it runs, tables and a tree at the end, and books that do not balance."""

import dataclasses
import io

from rich.console import Console

from monitoring.demo.accounting import balance, kind_of
from monitoring.demo.findings import tree
from monitoring.demo.result import Accounting, DemoExecution, DemoResult, FunctionSummary, MetricTotal
from monitoring.demo.scenarios import FIRST
from monitoring.demo.show import Progress, print_result
from monitoring.log_events.telemetry import LogEvent
from monitoring.store import Store


def span(name: str, span_id: int, parent: int, **more) -> dict:
    return {
        "name": name,
        "resource": f"r-{name}",
        "service": "slides",
        "type": "serverless",
        "trace_id": f"{9:016x}",
        "span_id": f"{span_id:016x}",
        "parent_id": f"{parent:016x}",
        "start": 1_700_000_000_000_000_000 + span_id,
        "duration": 5_000_000,
        "error": 0,
        "meta": {},
        "metrics": {},
    } | more


SPANS = (
    span("aws.stepfunctions", 1, 0),
    span("aws.stepfunctions.state", 2, 1),
    span("aws.lambda", 3, 2, meta={"cold_start": "true"}),
    span("aws.lambda", 4, 77),
    span("s3.get_object", 5, 4),
)
BOOKS = Accounting(
    metric_lines_printed=2,
    points_stored=2,
    points_derived=5,
    span_lines_printed=1,
    spans_printed=3,
    spans_stored=3,
    spans_derived=2,
    log_events=9,
    logs_stored=6,
    kinds={"log": 2, "metric line": 2, "platform": 4, "trace line": 1},
    unexplained=0,
)
EXECUTION = DemoExecution(
    "new-slide", "a new slide", "FAILED", ("A", "B"), 1234, "Wrong", "[because] of it", True, "arn"
)
RESULT = DemoResult(
    executions=(EXECUTION,),
    steps=(FunctionSummary("A", "slides-a", 3, 1, 1, 10.0, 20.0),),
    metrics=(MetricTotal("slides.shown", 2, 2.0),),
    accounting=BOOKS,
    spans_of="new-slide",
    spans=SPANS,
    seconds=3.0,
)


def shown(result: DemoResult) -> str:
    out = io.StringIO()
    print_result(Console(file=out, width=120), result)
    return out.getvalue()


def test_a_span_without_its_parent_stands_below_the_execution():
    assert [(depth, each["span_id"][-1]) for depth, each in tree(SPANS)] == [
        (0, "1"),
        (1, "2"),
        (2, "3"),
        (1, "4"),
        (2, "5"),
    ]
    assert [depth for depth, _ in tree(SPANS[3:])] == [0, 1]
    assert tree(()) == []


def test_the_result_shows_executions_steps_metrics_spans_and_books():
    text = shown(RESULT)
    for part in (
        "A > B",
        "[because] of it",
        "1.23 s",
        "slides-a",
        "20 ms",
        "slides.shown",
        "(cold)",
        "(cold)",
    ):
        assert part in text
    assert "Every line that was printed has arrived" in text
    assert RESULT.fine


def test_books_that_do_not_balance_are_said_first():
    books = dataclasses.replace(BOOKS, unexplained=1, differences=("point printed but not stored: x",))
    result = dataclasses.replace(RESULT, accounting=books)
    assert not result.fine
    assert "1 unexplained differences:\n  point printed but not stored: x" in shown(result)


def test_an_execution_that_does_not_end_as_it_should_is_named():
    result = dataclasses.replace(RESULT, executions=(dataclasses.replace(EXECUTION, as_expected=False),))
    assert not result.fine
    assert "not as they had to end: new-slide" in shown(result)


def test_progress_shows_what_is_done_and_where_each_execution_is():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with Progress(console) as progress:
        progress.say("running the pipeline")
        progress.started(FIRST)
        progress.entered(FIRST.name, "IdentifySlide")
        progress._live.refresh()
        progress.ended(EXECUTION)
        progress.entered(FIRST.name, "LateState")
        progress._live.refresh()
    text = out.getvalue()
    assert "running the pipeline" in text
    assert "IdentifySlide" in text
    assert "FAILED" in text
    assert "LateState" not in text


def event(message: str, group: str = "/aws/lambda/a", stream: str = "s") -> LogEvent:
    return LogEvent(f"{group}{message}", 1_700_000_000_000, message, group, stream)


def test_every_log_event_is_of_one_kind():
    lines = {
        "MONITORING|1700000000|1|count|a.b|#x:y": "metric line",
        "MONITORING|1700000000|-1.5|gauge|a.b|": "metric line",
        "MONITORING|1700000000|12ms|gauge|a.b|": "log",
        '{"traces":[[]]}': "trace line",
        "START RequestId: 1 Version: $LATEST": "platform",
        '{"level":"INFO"}': "log",
        "MONITORING the pipeline": "log",
    }
    assert {line: kind_of(event(line), lambda group: False) for line in lines} == lines
    assert kind_of(event("x"), lambda group: True) == "not subscribed"
    assert kind_of(event("{}", "/aws/vendedlogs/states/m-Logs"), lambda group: False) == "state machine"


def test_what_is_lost_and_what_nobody_printed_is_found():
    events = [
        event("MONITORING|1700000000|1|count|a.b|#x:y"),
        event('{"traces":[[{"span_id":"00000000000000aa"}]]}'),
        event("hello"),
    ]
    with Store.open() as store:
        store.add_logs([{"message": "somebody else's"}])
        books = balance(events, store, lambda group: False)
    assert (books.metric_lines_printed, books.points_stored, books.spans_printed, books.spans_stored) == (
        1,
        0,
        1,
        0,
    )
    assert books.unexplained == 4
    assert any("log entry stored but not printed: somebody else's" in each for each in books.differences)
