"""What is said of a log stream, of a state machine's run, and of the forwarder itself; what waits in a spool.

Sources: docs/forwarder.md, docs/forwarder-metrics.md, docs/tracing.md;
https://docs.datadoghq.com/serverless/step_functions/ for the metrics of a run.
"""

import io
import json
import stat
from types import SimpleNamespace

import pytest

from monitoring.forwarder import executions
from monitoring.forwarder.enrich import (
    centralised_from,
    common_tags,
    describe,
    function_arn,
    group_arn,
    with_object,
)
from monitoring.forwarder.executions import Executions, Trace, entered_time, halves, run_points
from monitoring.forwarder.pieces import LinePiece, LogPayload, Rest, Spooled, StatusChange, count_lines
from monitoring.forwarder.positions import Delivery, Position
from monitoring.forwarder.redrive import read_rest, read_spooled, redrive, rest_entry, settle
from monitoring.forwarder.self_metrics import own_points, print_summary
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.spool import (
    Entry,
    FolderSpool,
    S3Spool,
    SqsSpool,
    TooLargeError,
    event_entry,
    make_spool,
    read_entry,
)
from monitoring.forwarder.stats import Tally
from monitoring.log_events.step_events import StepEvent
from monitoring.log_events.timeline import Run


def settings(**environ):
    return ForwarderSettings.from_env(environ)


# --- log streams


def test_a_functions_stream_has_its_function_region_account_and_service():
    source = describe(
        settings(DD_ENV="prod", DD_VERSION="2", DD_TAGS="x:y"),
        "eu-west-1",
        "123",
        "/aws/lambda/Orders",
        "2026/11/23/[$LATEST]abc",
        ("team:a",),
        "456",
    )
    own = ("env:prod", "version:2", "x:y")
    place = (
        "function_name:orders",
        "functionname:orders",
        "region:eu-west-1",
        "account_id:123",
        "aws_account:123",
        "executedversion:$latest",
    )
    assert source.tags == (*place, "service:Orders", "team:a", *own)
    assert source.step_tags == ("team:a", *own)
    assert (source.where, source.function) == ("/aws/lambda/Orders/2026/11/23/[$LATEST]abc", "Orders")
    arn = "arn:aws:lambda:eu-west-1:123:function:Orders"
    assert source.log_fields.values == {
        "ddsource": "lambda",
        "service": "Orders",
        "hostname": arn.lower(),
        "ddtags": ",".join((*place, "service:Orders", "team:a", *own, "loggroup:/aws/lambda/Orders")),
        "aws": {
            "awslogs": {
                "logGroup": "/aws/lambda/Orders",
                "logStream": "2026/11/23/[$LATEST]abc",
                "owner": "456",
            }
        },
        "lambda": {"arn": arn},
    }
    assert source.span_meta == dict(tag.split(":") for tag in place)


def test_another_stream_is_named_by_its_log_group():
    source = describe(settings(), "eu-west-1", "123", "/ecs/shop/web", "task")
    assert source.tags == ("region:eu-west-1", "account_id:123", "aws_account:123", "service:web")
    assert (source.log_fields.values["hostname"], source.log_fields.values["service"]) == (
        "/ecs/shop/web",
        "web",
    )
    assert source.log_fields.values["aws"]["awslogs"]["owner"] == "123"
    assert "lambda" not in source.log_fields.values
    named = describe(settings(DD_SERVICE="shop"), "", "", "/aws/lambda/f", "")
    assert named.tags == ("function_name:f", "functionname:f", "service:shop")
    assert describe(settings(), "r", "1", "/g", "", ("region:r", "a:b")).tags.count("region:r") == 1


@pytest.mark.parametrize(
    ("region", "account", "name", "arn"),
    [
        ("eu-west-1", "1", "f", "arn:aws:lambda:eu-west-1:1:function:f"),
        ("cn-north-1", "1", "f", "arn:aws-cn:lambda:cn-north-1:1:function:f"),
        ("us-gov-west-1", "1", "f", "arn:aws-us-gov:lambda:us-gov-west-1:1:function:f"),
        ("", "1", "f", ""),
        ("eu-west-1", "", "f", ""),
        ("eu-west-1", "1", "", ""),
    ],
)
def test_an_arn_is_there_once_all_of_its_parts_are_known(region, account, name, arn):
    assert function_arn(region, account, SimpleNamespace(name=name, region="")) == arn
    expected = arn.replace(":lambda:", ":logs:").replace(":function:", ":log-group:")
    assert group_arn(region, account, name) == expected


def test_a_function_at_the_edge_is_in_the_region_that_its_log_group_names():
    made = function_arn("eu-west-1", "1", SimpleNamespace(name="f", region="us-east-1"))
    assert made == "arn:aws:lambda:us-east-1:1:function:f"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"@aws.account": "123", "@aws.region": "eu-west-1"}, ("123", "eu-west-1")),
        ({"@aws.account": 123, "@aws.region": "us-gov-east-1"}, ("123", "us-gov-east-1")),
        ({"@aws.account": "x", "@aws.region": "moon"}, ("", "")),
        ({"@aws.region": "eu-west-1 "}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_a_centralised_event_names_where_it_was_written(fields, expected):
    assert centralised_from(fields) == expected


@pytest.mark.parametrize(
    ("group", "kind", "fields", "expected"),
    [
        ("", "", (("bucket", "b"),), {"ddsource": "s3", "service": "s3", "aws": {"s3": {"bucket": "b"}}}),
        ("", "", (), {"ddsource": "file", "service": "file"}),
        (
            "",
            "elb",
            (("bucket", "b"),),
            {"ddsource": "elb", "service": "elb", "aws": {"s3": {"bucket": "b"}}},
        ),
    ],
)
def test_an_object_is_the_source_of_lines_without_a_log_group(group, kind, fields, expected):
    source = with_object(describe(settings(), "", "", group, ""), "s3://b/k", kind, fields, group)
    assert source.where == "s3://b/k"
    assert {key: source.log_fields.values.get(key) for key in ("ddsource", "service", "aws")} == {
        "aws": None,
        **expected,
    }
    named = with_object(describe(settings(DD_SERVICE="shop"), "", "", "", ""), "w", kind, fields, "")
    assert named.log_fields.values["service"] == "shop"


def test_an_export_keeps_its_log_group_beside_the_object():
    before = describe(settings(), "r", "1", "/g", "s")
    after = with_object(before, "s3://b/k", "elb", (("bucket", "b"),), "/g").log_fields.values
    assert after["ddsource"] == before.log_fields.values["ddsource"]
    assert after["aws"] == {**before.log_fields.values["aws"], "s3": {"bucket": "b"}}
    assert common_tags(settings(DD_ENV="e")) == ("env:e",)


# --- runs of a state machine


EXECUTION = "arn:aws:states:eu-west-1:123:execution:Flow:e1"


def run(kind, name="Work", **more):
    values = {"start": 1000, "end": 3500, "status": "succeeded", **more}
    return Run(kind, name, **values)


def listed(made):
    return [
        (point.metric.removeprefix("aws.states.enhanced."), point.value, point.type, point.timestamp)
        for point in made
    ]


def test_an_execution_has_a_duration_in_nanoseconds():
    (point,) = run_points(run("execution", EXECUTION, status="failed", error="E"), ("a:b",))
    assert (point.metric, point.value, point.timestamp, point.type) == (
        "aws.states.enhanced.execution.execution_time",
        2_500_000_000.0,
        3.5,
        "distribution",
    )
    assert point.tags == ("a:b", "status:failed")


@pytest.mark.parametrize(
    ("status", "error", "failed"),
    [("succeeded", "", 0), ("failed", "My.Error", 1), ("timed_out", "", 1), ("aborted", "", 1)],
)
def test_a_state_has_a_duration_and_a_count_of_failures(status, error, failed):
    points = run_points(run("state", "Work", type="Task", status=status, error=error), ("a:b",))
    assert listed(points)[0] == ("state.duration", 2.5e9, "distribution", 3.5)
    assert points[0].tags == ("a:b", "statename:work", "statetype:task", f"status:{status}")
    assert listed(points)[1:] == [("state.failed", 1.0, "count", 3.5)] * failed
    if failed:
        assert points[1].tags == ("a:b", "statename:work", "statetype:task") + (
            ("error:my.error",) if error else ()
        )


def test_an_attempt_is_counted_as_started_and_by_how_it_ended():
    made = run_points(run("attempt", "Work", type="Task", resource="Lambda:Invoke", retry=1), ("a:b",))
    assert listed(made) == [
        ("task.execution.task_succeeded", 1.0, "count", 3.5),
        ("task.execution.task_started", 1.0, "count", 1.0),
        ("task.execution.task_retried", 1.0, "count", 1.0),
        ("task.execution.task_duration", 2.5e9, "distribution", 3.5),
    ]
    named = ("a:b", "statename:work", "resource:lambda:invoke")
    assert [point.tags for point in made] == [named, named, named, (*named, "status:succeeded")]
    first = run_points(run("attempt", "", type="Task", retry=0, status="failed", error="X"), ())
    assert [name for name, *_ in listed(first)] == [
        "task.execution.task_failed",
        "task.execution.task_started",
        "task.execution.task_duration",
    ]
    assert first[0].tags == ("error:x",)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (run("attempt", type="Task", status="aborted"), ["task_started", "task_duration"]),
        (run("attempt", type="Task", start=None), ["task_succeeded"]),
        (run("attempt", type="Map"), []),
        (run("iteration"), []),
        (run("state", type="Pass", start=None), []),
        (run("state", type="Pass", start=None, status="failed"), ["state.failed"]),
        (run("execution", start=None), []),
        (run("execution", end=None), []),
    ],
)
def test_what_is_not_known_of_a_run_is_not_printed(made, names):
    assert [name.removeprefix("task.execution.") for name, *_ in listed(run_points(made, ()))] == names


def hashed(text):
    return f"{halves(text)[0]:016x}"


def test_a_span_has_the_ids_and_the_values_of_its_run():
    trace = Trace(EXECUTION)
    execution = run("execution", EXECUTION, event=1)
    made = trace.span(execution, "", "prod")
    high, low = halves(EXECUTION)
    assert (made.trace_id, made.span_id, made.parent_id) == (
        f"{low:016x}",
        hashed(f"{EXECUTION}#execution"),
        "0" * 16,
    )
    assert (made.name, made.resource, made.service, made.type, made.error) == (
        "aws.stepfunctions",
        "Flow",
        "Flow",
        "serverless",
        0,
    )
    assert (made.start, made.duration) == (1_000_000_000, 2_500_000_000)
    assert made.meta == {
        "_dd.p.tid": f"{high:x}",
        "_dd.origin": "stepfunction",
        "executionarn": EXECUTION,
        "statemachinename": "Flow",
        "status": "succeeded",
        "env": "prod",
    }
    assert made.metrics == {"_sampling_priority_v1": 1.0, "event_id": 1.0}
    state = run(
        "state",
        "Work",
        type="Task",
        parent=execution,
        entered=1000,
        resource="r",
        error="E",
        cause="c" * 6000,
        status="failed",
    )
    inner = trace.span(state, "shop")
    entered = entered_time(1000)
    assert (inner.span_id, inner.parent_id) == (hashed(f"{EXECUTION}#Work#{entered}"), made.span_id)
    assert (inner.name, inner.resource, inner.service, inner.error) == (
        "aws.stepfunctions.state",
        "Work",
        "shop",
        1,
    )
    assert {key: inner.meta[key] for key in ("state", "statetype", "resource", "error.type")} == {
        "state": "Work",
        "statetype": "Task",
        "resource": "r",
        "error.type": "E",
    }
    assert len(inner.meta["error.message"]) == 5000
    assert "env" not in inner.meta
    assert inner.metrics == {"_sampling_priority_v1": 1.0}


def test_runs_of_one_name_have_ids_of_their_own():
    """A state's is what Datadog's layer names as the parent of the function's span; a redrive and an attempt differ."""
    trace = Trace(EXECUTION)
    at = entered_time(1000)
    state = run("state", "Work")
    cases = {
        run("execution", EXECUTION, redrive=2): "execution#2",
        run("iteration", "Each", index=3): "Each#3#1000#iteration",
        run("state", "Work"): f"Work#{at}",
        run("state", "Work", start=5000, entered=1000): f"Work#{at}",
        run("state", "Work", start=None, entered=None): f"Work#{entered_time(0)}",
        run("state", "Work", redrive=1): f"Work#{at}#0#1",
        run("attempt", "Work", parent=state): f"Work#{at}#0#0#attempt",
        run("attempt", "Work", parent=state, retry=1): f"Work#{at}#1#0",
        run("attempt", "Work", parent=state, retry=1, redrive=2): f"Work#{at}#1#2",
        run("attempt", "Work", start=2000): f"Work#{entered_time(2000)}#0#0#attempt",
    }
    assert [trace.span_id(made) for made in cases] == [
        hashed(f"{EXECUTION}#{text}") for text in cases.values()
    ]
    redriven = run("execution", EXECUTION, redrive=1)
    assert trace._parent_id(redriven) == trace.root
    assert trace.span(redriven).meta["redrive_count"] == "1"
    indexed = trace.span(run("iteration", "Each", index=0, end=500))
    assert (indexed.metrics["map_index"], indexed.duration) == (0.0, 0)


@pytest.mark.parametrize(
    ("made", "there"),
    [
        (run("attempt", status="succeeded", retry=0), False),
        (run("attempt", status="failed", retry=0), True),
        (run("attempt", status="succeeded", retry=1), True),
        (run("state", start=None), False),
        (run("state", end=None), False),
        (run("state", start=0, end=0), True),
    ],
)
def test_a_first_attempt_that_succeeded_is_its_states_span(made, there):
    assert (Trace(EXECUTION).span(made) is not None) is there


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_428_000_007, "2026-11-23T10:00:00.007Z"),
        (999, "1970-01-01T00:00:00.999Z"),
    ],
)
def test_the_entered_time_is_as_the_context_object_has_it(milliseconds, text):
    assert entered_time(milliseconds) == text


def test_an_id_is_never_0(monkeypatch):
    monkeypatch.setattr(executions.hashlib, "sha256", lambda data: SimpleNamespace(digest=lambda: bytes(32)))
    assert halves("x") == (1, 1)


def step(number, kind, time=None, execution=EXECUTION, **details):
    return StepEvent(execution, number, kind, number * 1000 if time is None else time, number - 1, details)


def test_an_execution_hangs_below_the_span_that_its_input_names():
    carried = {
        "_datadog": {
            "x-datadog-trace-id": "10",
            "x-datadog-parent-id": "11",
            "x-datadog-tags": "_dd.p.tid=ab",
        }
    }
    for text, trace_id, parent in (
        (json.dumps(carried), "a".zfill(16), "b".zfill(16)),
        ("{", f"{halves(EXECUTION)[1]:016x}", "0" * 16),
        ("", f"{halves(EXECUTION)[1]:016x}", "0" * 16),
    ):
        executions = Executions()
        _, spans = executions.take(
            [step(1, "ExecutionStarted", input=text), step(2, "ExecutionSucceeded")], ("x:y",), "shop", "prod"
        )
        (span,) = spans
        assert (span.trace_id, span.parent_id, span.service, span.meta["env"]) == (
            trace_id,
            parent,
            "shop",
            "prod",
        )


def test_events_of_several_payloads_make_one_run_and_come_in_any_order():
    executions = Executions()
    points, spans = executions.take([step(2, "ExecutionSucceeded")], ("x:y",))
    assert spans == []
    executions = Executions()
    executions.take([step(1, "ExecutionStarted")])
    points, spans = executions.take([step(2, "ExecutionSucceeded")], ("x:y",))
    assert [span.duration for span in spans] == [1_000_000_000]
    assert all("x:y" in point.tags for point in points)
    again, _ = executions.take([step(2, "ExecutionSucceeded")], ("x:y",))
    assert again == points


def other(number):
    return f"{EXECUTION}-{number}"


@pytest.mark.parametrize(("events", "executions", "kept"), [(3, 99, 3), (99, 2, 2), (0, 0, 1)])
def test_the_longest_silent_execution_is_forgotten_first(events, executions, kept):
    known = Executions(events, executions)
    for number in range(5):
        known.take([step(1, "ExecutionStarted", execution=other(number))])
    assert list(known._timelines) == [other(number) for number in range(5 - kept, 5)] == list(known._traces)
    assert known._events == kept
    if kept > 1:
        known.take([step(2, "ExecutionSucceeded", execution=other(5 - kept))])
        known.take([step(1, "ExecutionStarted", execution=other(9))])
        assert other(9) in known._timelines
        assert other(4) not in known._timelines or kept > 2


# --- positions and pieces


def test_lines_are_counted_by_pieces():
    assert count_lines(LinePiece([("a", 0, 1), ("b", 0, 2)], "w")) == 2
    assert count_lines(LinePiece([], "w")) == 1
    assert count_lines(StatusChange({})) == 1
    for events, lines in (([1, 2, 3], 3), ([], 1)):
        assert count_lines(LogPayload(SimpleNamespace(logEvents=events), [])) == lines


def test_a_position_names_destination_delivery_first_line_and_pieces():
    def taken(destination="d", *steps):
        position = Position("unit", destination)
        for step_ in steps:
            position.begin(step_) if isinstance(step_, Delivery) else position.add(step_)
        return position.take()

    assert taken("d", 1, 2) != taken("d", 3)
    assert taken("d", 1, 2) == taken("d", 1, 2) != taken("e", 1, 2)
    assert taken("d", Delivery("a", 2), 1) != taken("d", Delivery("a"), 1)
    position = Position("unit", "d")
    position.add(2)
    first = position.take()
    position.add(2)
    assert position.take() != first


# --- the forwarder's own metrics


def test_its_own_points_have_the_kinds_and_reasons_as_tags(capsys):
    tally = Tally()
    tally.counts["points"] = 3
    tally.counts["redriven"] = 0
    for counter, label in (
        (tally.events, "report"),
        (tally.late, "too_old"),
        (tally.refused, "Not JSON: x é" + "y" * 200),
        (tally.retries, "503"),
        (tally.spooled, "time is up"),
        (tally.sent_bytes, "logs"),
    ):
        counter[label] = 2
    tally.batches["logs", "sent"] = 4
    tally.oldest = 90.0
    points = own_points(tally, 100.0, ("t:1",))
    assert [(p.metric.removeprefix("stepscope.forwarder."), p.value, p.tags[1:]) for p in points] == [
        ("points", 3.0, ()),
        ("events", 2.0, ("kind:report",)),
        ("points_late", 2.0, ("reason:too_old",)),
        ("refused", 2.0, ("reason:not_json__x_é" + "y" * (100 - len("not_json__x_é")),)),
        ("retries", 2.0, ("reason:503",)),
        ("spooled", 2.0, ("reason:time_is_up",)),
        ("bytes", 2.0, ("kind:logs",)),
        ("batches", 4.0, ("kind:logs", "outcome:sent")),
        ("lag", 10.0, ()),
    ]
    assert {p.type for p in points[:-1]} == {"count"}
    assert (points[-1].type, points[-1].timestamp, points[0].tags[0]) == ("distribution", 100.0, "t:1")
    tally.oldest = 200.0
    assert own_points(tally, 100.0, ())[-1].value == 0.0
    assert own_points(Tally(), 100.0, ()) == []
    print_summary({"a": 1, "b": "é"})
    assert capsys.readouterr().out == '{"stepscope.forwarder":{"a":1,"b":"\\u00e9"}}\n'


# --- the spool


ENTRY = Entry("logs", b"body", "deflate", "d" * 64, "503", attempts=2, items=7, whole="w" * 64)


def test_an_entry_is_read_back_as_it_was_written():
    assert read_entry(ENTRY.text(), "h") == Entry(
        "logs", b"body", "deflate", "d" * 64, "503", 2, "h", 7, "w" * 64
    )
    assert "whole" not in json.loads(Entry("logs", b"", "deflate", "d", "r").text())
    short = json.loads(ENTRY.text())
    for name in ("items", "whole"):
        del short[name]
    assert (read_entry(json.dumps(short), "").items, read_entry(json.dumps(short), "").whole) == (0, "")


@pytest.mark.parametrize(
    "change",
    [
        {"stepscope.spool": 2},
        {"kind": "other"},
        {"kind": None},
        {"body": "%"},
        {"body": None},
        {"attempts": "x"},
        {"digest": ...},
        {"encoding": ...},
        {"reason": ...},
    ],
)
def test_what_is_not_an_entry_is_refused(change):
    record = {**json.loads(ENTRY.text()), **change}
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        read_entry(json.dumps({key: value for key, value in record.items() if value is not ...}), "")


@pytest.mark.parametrize("kind", ["distributions", "series", "traces", "logs", "event", "rest"])
def test_each_kind_of_entry_is_known(kind):
    assert read_entry(Entry(kind, b"", "x", "d", "r").text(), "").kind == kind


def test_the_folder_is_the_owners_alone_and_gives_the_oldest_first(tmp_path):
    import os

    folder = tmp_path / "a" / "spool"
    spool = FolderSpool(folder)
    for at, digest in enumerate(("b" * 64, "a" * 64, "c" * 64)):
        spool.put(Entry("logs", b"", "x", digest, "r"))
        os.utime(folder / f"logs-{digest[:40]}.json", (at, at))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert [entry.digest[0] for entry in spool.entries()] == ["b", "a", "c"]
    first, second, third = spool.entries()
    spool.failed(first, dead=False)
    assert next(entry for entry in spool.entries() if entry.digest[0] == "b").attempts == 1
    spool.failed(second, dead=True)
    assert [path.name for path in (folder / "dead").iterdir()] == [f"logs-{'a' * 40}.json"]
    assert read_entry(next((folder / "dead").iterdir()).read_text(), "").attempts == 1
    spool.delete(third)
    spool.delete(third)
    assert [entry.digest[0] for entry in spool.entries()] == ["b"]
    (folder / "odd.json").write_text("odd")
    (folder / "other.txt").write_text("other")
    (odd,) = [entry for entry in spool.entries() if entry.kind == "event"]
    assert (odd.wire, odd.encoding, odd.items) == (b"odd", "identity", 1)


class Bucket:
    """S3 and SQS in memory."""

    def __init__(self):
        self.objects, self.put, self.messages, self.deleted = {}, [], [], []
        self.gone = "NoSuchKey"

    def __call__(self, service):
        return self

    def put_object(self, Bucket, Key, Body, **more):
        self.objects[Key] = Body
        self.put.append((Bucket, Key, more))

    def get_object(self, Bucket, Key):
        if Key not in self.objects:
            error = RuntimeError("gone")
            error.response = {"Error": {"Code": self.gone}}
            raise error
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, Bucket, Key):
        self.objects.pop(Key, None)

    def get_paginator(self, operation):
        assert operation == "list_objects_v2"

        def paginate(Bucket, Prefix):
            names = [{"Key": key} for key in self.objects if key.startswith(Prefix)]
            return [{"Contents": names}, {}]

        return SimpleNamespace(paginate=paginate)

    def send_message(self, QueueUrl, MessageBody):
        self.messages.append(MessageBody)

    def receive_message(self, QueueUrl, MaxNumberOfMessages, AttributeNames):
        assert (MaxNumberOfMessages, AttributeNames) == (1, ["ApproximateReceiveCount"])
        if not self.messages:
            return {}
        body = self.messages.pop(0)
        return {
            "Messages": [{"Body": body, "ReceiptHandle": "r", "Attributes": {"ApproximateReceiveCount": "3"}}]
        }

    def delete_message(self, QueueUrl, ReceiptHandle):
        self.deleted.append(ReceiptHandle)


@pytest.mark.parametrize(
    ("place", "prefix"),
    [
        ("bucket", "stepscope-spool/"),
        ("bucket/", "stepscope-spool/"),
        ("bucket/a/b/", "a/b/"),
        ("s3://bucket/a", "a/"),
        ("bucket//a/", "a/"),
    ],
)
@pytest.mark.parametrize("key", ["", "alias/k"])
def test_a_prefix_of_s3_holds_one_encrypted_object_an_entry(place, prefix, key):
    aws = Bucket()
    spool = S3Spool(place, key, aws)
    spool.put(ENTRY)
    name = f"{prefix}logs-{'d' * 40}.json"
    secured = (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {"ServerSideEncryption": "AES256"}
    )
    assert aws.put == [("bucket", name, secured)]
    aws.objects[f"{prefix}deeper/x.json"] = b"another redrive's"
    (entry,) = spool.entries()
    assert (entry.digest, entry.handle, entry.attempts) == (ENTRY.digest, name, 2)
    spool.failed(entry, dead=False)
    assert read_entry(aws.objects[name].decode(), "").attempts == 3
    spool.failed(entry, dead=True)
    assert name not in aws.objects
    assert read_entry(aws.objects[f"{prefix}dead/logs-{'d' * 40}.json"].decode(), "").attempts == 3


@pytest.mark.parametrize(("code", "missing"), [("NoSuchKey", True), ("404", True), ("AccessDenied", False)])
def test_an_object_that_another_redrive_has_sent_is_left_out(code, missing):
    aws = Bucket()
    aws.gone = code
    with pytest.raises(FileNotFoundError if missing else RuntimeError):
        S3Spool("bucket", "", aws).read("gone")


def sized(length):
    """An entry whose text has that many characters."""
    base = len(Entry("logs", b"", "x", "d" * 64, "").text())
    body = (length - base) // 4 * 3
    entry = Entry("logs", b"x" * body, "x", "d" * 64, "")
    return Entry("logs", b"x" * body, "x", "d" * 64, "r" * (length - len(entry.text())))


@pytest.mark.parametrize(
    ("length", "bucket", "divisible", "outcome"),
    [
        (256_000, True, True, "message"),
        (256_001, True, True, "object"),
        (256_001, True, False, "object"),
        (256_001, False, True, "too large"),
        (256_000, False, True, "message"),
        (256_001, False, False, "message"),
        (1_048_576, False, False, "message"),
        (1_048_577, False, False, "too large"),
    ],
)
def test_a_message_is_of_the_size_that_every_queue_takes_and_larger_where_nothing_else_helps(
    length, bucket, divisible, outcome
):
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html: 1 MiB."""
    aws = Bucket()
    spool = SqsSpool("q", S3Spool("bucket/p", "", aws) if bucket else None, aws)
    entry = sized(length)
    assert len(entry.text()) == length
    if outcome == "too large":
        with pytest.raises(TooLargeError, match=f"an entry of {length:,} bytes is too large for SQS"):
            spool.put(entry, divisible)
        return
    spool.put(entry, divisible)
    key = f"p/large/logs-{'d' * 40}.json"
    assert list(aws.objects) == ([key] if outcome == "object" else [])
    (message,) = spool.entries()
    assert (message.wire, message.attempts) == (entry.wire, 2)
    assert message.handle == json.dumps(["r", key if outcome == "object" else ""])
    spool.delete(message)
    assert (aws.deleted, aws.objects) == (["r"], {})


def test_a_dead_message_goes_to_the_bucket_or_is_left_to_the_queue():
    for bucket in (True, False):
        aws = Bucket()
        spool = SqsSpool("q", S3Spool("bucket/p", "", aws) if bucket else None, aws)
        spool.put(ENTRY)
        (entry,) = spool.entries()
        spool.failed(entry, dead=False)
        assert aws.deleted == []
        spool.failed(entry, dead=True)
        assert aws.deleted == ["r"] * bucket
        assert list(aws.objects) == [f"p/dead/logs-{'d' * 40}.json"] * bucket


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ENTRY.text(), "logs"),
        ("odd", "event"),
        (json.dumps({"stepscope.spool": 1, "s3": "p/large/gone"}), "event"),
        (json.dumps({"s3": "p/large/there"}), "event"),
        (json.dumps({"stepscope.spool": 1, "s3": "p/large/there"}), "logs"),
        (json.dumps({"stepscope.spool": 1, "s3": 5}), "event"),
    ],
)
def test_a_message_points_to_its_object_or_holds_its_entry(body, kind):
    aws = Bucket()
    aws.objects["p/large/there"] = ENTRY.text().encode()
    spool = SqsSpool("q", S3Spool("bucket/p", "", aws), aws)
    assert spool.parse(body, "r").kind == kind
    assert spool.message({"Body": body, "ReceiptHandle": "r"}).attempts == 0


@pytest.mark.parametrize(
    ("environ", "kind", "large"),
    [
        ({}, None, False),
        ({"MONITORING_SPOOL_FOLDER": "/x"}, FolderSpool, False),
        ({"MONITORING_SPOOL_FOLDER": "/x", "MONITORING_SPOOL_BUCKET": "b"}, S3Spool, False),
        ({"MONITORING_SPOOL_QUEUE": "q"}, SqsSpool, False),
        ({"MONITORING_SPOOL_QUEUE": "q", "MONITORING_SPOOL_BUCKET": "b"}, SqsSpool, True),
    ],
)
def test_the_settings_say_where_is_spooled(environ, kind, large):
    spool = make_spool(settings(**environ), Bucket())
    assert (type(spool) if spool else None) == kind
    assert bool(getattr(spool, "_large", None)) is large


# --- the redrive


class Sending:
    """A sender as far as a redrive sees it."""

    def __init__(self, left=True):
        self.tally, self.down, self.left = Tally(), {}, left

    def time_left(self):
        return self.left


class Kept:
    def __init__(self, *entries):
        self.kept, self.deleted, self.counted = entries, [], []

    def entries(self):
        return iter(self.kept)

    def delete(self, entry):
        self.deleted.append(entry)

    def failed(self, entry, dead):
        self.counted.append(dead)


@pytest.mark.parametrize(
    ("results", "down", "left", "sent"),
    [
        ([True, True, True], False, True, 3),
        ([False, True, True], False, True, 3),
        ([True, False, True], True, True, 2),
        ([True, True, True], True, True, 3),
        ([True, True, True], False, False, 0),
    ],
)
def test_a_redrive_ends_where_datadog_cannot_be_reached_or_time_is_up(results, down, left, sent):
    sender, calls = Sending(left), iter(results)
    sender.down = {"logs": "503"} if down else {}
    tried = []

    def send(entry):
        tried.append(entry)
        return next(calls)

    redrive(Kept(1, 2, 3), send, sender)
    assert len(tried) == sent
    redrive(None, send, sender)


@pytest.mark.parametrize(
    ("result", "attempts", "outcome"),
    [
        ("sent", 0, "deleted"),
        ("later", 99, "counted"),
        ("refused", 8, "counted"),
        ("refused", 9, "dead"),
        ("refused", 10, "dead"),
    ],
)
def test_only_a_refusal_that_is_repeated_makes_a_dead_letter(result, attempts, outcome):
    entry = Entry("logs", b"", "x", "d", "400", attempts=attempts)
    for spool in (Kept(), None):
        sender = Sending()
        assert settle(spool, sender, entry, 10, result) is (result == "sent")
        assert sender.tally.counts == (
            {"redriven": 1} if result == "sent" else {"dead": 1} if outcome == "dead" else {}
        )
        texts = [f"an entry of the spool failed {attempts + 1} times and is dead: 400"] * (outcome == "dead")
        assert sender.tally.errors == texts
        if spool:
            assert spool.deleted == [entry] * (outcome == "deleted")
            assert spool.counted == ([] if result == "sent" else [outcome == "dead"])


def test_the_rest_of_an_object_is_an_entry():
    rest = Rest("b", "k", 7, "delivery", "state")
    entry = rest_entry(rest)
    assert (entry.kind, entry.encoding, entry.reason, len(entry.digest)) == (
        "rest",
        "identity",
        "time is up",
        64,
    )
    assert read_rest(entry) == rest
    assert rest_entry(rest._replace(skip=8)).digest != entry.digest


def test_a_message_that_lambdas_poller_brings_is_read_by_the_spool():
    aws = Bucket()
    spooled = Spooled(ENTRY.text(), "receipt", 4)
    entry = read_spooled(SqsSpool("q", None, aws), spooled)
    assert (entry.attempts, entry.handle) == (3, '["receipt", ""]')
    assert read_spooled(None, spooled).handle == "receipt"
    with pytest.raises(ValueError, match="not an entry of a spool"):
        read_spooled(None, Spooled("{}", "r", 1))
    event = event_entry("text", "reason", "handle")
    assert (event.kind, event.wire, event.reason, event.handle, event.items) == (
        "event",
        b"text",
        "reason",
        "handle",
        1,
    )
