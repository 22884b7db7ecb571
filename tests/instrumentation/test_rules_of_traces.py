"""What a call prints and carries: trace line, propagation, spans, sizes, claims (docs/tracing.md, docs/metrics.md).

The headers are those of https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/ and of
https://www.w3.org/TR/trace-context/.
"""

import asyncio
import base64
import io
import json
import time
from types import SimpleNamespace

import pytest
from freezegun import freeze_time

from monitoring import (
    count,
    histogram,
    inject_attributes,
    inject_headers,
    inject_payload,
    monitored,
    span,
    timer,
)
from monitoring.capture import LambdaContext, capture
from monitoring.instrumentation import (
    invocation,
    output,
    propagation,
    spans,
    step_functions,
    verification,
    xray,
)
from monitoring.instrumentation.async_handlers import _marked, wrap_async
from monitoring.instrumentation.correlation import ids as log_ids
from monitoring.instrumentation.invocation import Options, _ms_text, _us_text
from monitoring.instrumentation.lifecycle import event_and_context
from monitoring.instrumentation.propagation import context_of_input, contexts_of, extract
from monitoring.instrumentation.runtime import Process, encode, request, request_size, size_of
from monitoring.instrumentation.step_functions import hashed
from monitoring.instrumentation.verification import Broken, Claim, ClaimBroken, denied

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:demo:e1"
CONTEXT = {"Execution": {"Id": EXECUTION}, "StateMachine": {"Name": "demo"}, "State": {"Name": "s"}}


def called(handler=lambda event, context: None, event=None, context=None, **options):
    with capture() as emitted:
        monitored(handler, **options)(event if event is not None else {}, context)
    return emitted


# --- the root span


@pytest.mark.parametrize("version", ["$LATEST", "7"])
def test_the_root_span_has_these_fields(version, monkeypatch):
    for name, value in {"DD_ENV": "Prod", "DD_SERVICE": "Shop", "DD_VERSION": "1.2"}.items():
        monkeypatch.setenv(name, value)
    context = LambdaContext(function_name="Identify", function_version=version)
    with freeze_time("2026-11-23T10:00:00.5Z"):
        (root,) = called(context=context).trace()
    assert root.pop("duration") >= 0
    meta = root.pop("meta")
    assert len(root.pop("trace_id")) == len(root.pop("span_id")) == 16
    assert root == {
        "parent_id": "0" * 16,
        "service": "Shop",
        "resource": "Identify",
        "name": "aws.lambda",
        "error": 0,
        "start": 1_795_428_000_500_000_000,
        "metrics": {"_sampling_priority_v1": 1},
        "type": "serverless",
    }
    expected = {
        "_dd.p.tid": f"{1_795_428_000:08x}00000000",
        "_dd.origin": "lambda",
        "span.kind": "server",
        "cold_start": "false",
        "env": "Prod",
        "version": "1.2",
        "function_arn": "arn:aws:lambda:us-east-1:123456789012:function:identify",
        "functionname": "identify",
        "trigger": "unknown",
        "function_trigger.event_source": "unknown",
        "request_id": context.aws_request_id,
    }
    assert meta == expected | ({"function_version": "7"} if version == "7" else {})


@pytest.mark.parametrize("context", [None, object(), SimpleNamespace(aws_request_id=5, function_name=6)])
def test_without_a_context_the_handler_names_the_span(context):
    def Named(event, context):
        return None

    (root,) = called(Named, context=context).trace()
    assert (root["resource"], root["service"]) == ("Named", "named")
    assert root["meta"]["request_id"] == ("5" if isinstance(context, SimpleNamespace) else "")
    assert "function_arn" not in root["meta"]


def test_the_name_of_lambdas_environment_stands_before_that_of_the_handler(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "Deployed")
    assert called().trace()[0]["resource"] == "Deployed"
    named = LambdaContext(function_name="Context")
    assert called(context=named).trace()[0]["resource"] == "Context"


@pytest.mark.parametrize(
    "detail",
    ["values", "link", "failed", "spans"],
)
def test_the_short_way_and_the_long_way_write_the_same_root_span(detail):
    def handler(event, context):
        root = spans.here()
        if detail == "values":
            root.set("n", 1)
        if detail == "link":
            root.link("1", "2")
        if detail == "spans":
            with span("inner"):
                pass
        return {"statusCode": 500} if detail == "failed" else None

    event = {"requestContext": {"apiId": "a"}}
    short = called(event=event, context=LambdaContext()).trace()[0]
    long = called(handler, event, LambdaContext()).trace()[0]
    for root in (short, long):
        for name in ("trace_id", "span_id", "start", "duration"):
            del root[name]
        del root["meta"]["_dd.p.tid"]
    if detail == "values":
        assert long["metrics"].pop("n") == 1
    if detail == "link":
        assert json.loads(long["meta"].pop("_dd.span_links")) == [
            {"trace_id": "1".zfill(32), "span_id": "2".zfill(16), "attributes": {}}
        ]
    if detail == "failed":
        assert (long["error"], long["meta"].pop("http.status_code")) == (1, "500")
        long["error"] = 0
    short["resource"] = long["resource"] = ""
    assert short == long


@pytest.mark.parametrize(
    ("status", "source", "error"),
    [
        (200, "api", 0),
        (499, "api", 0),
        (500, "api", 1),
        ("503", "api", 1),
        (599, "api", 1),
        (50, "api", 0),
        (5000, "api", 0),
        (500, None, 0),
    ],
)
def test_an_answer_of_5xx_to_http_marks_the_span(status, source, error):
    event = {"requestContext": {"apiId": "a"}} if source else {"x": 1}
    root = called(lambda event, context: {"statusCode": status}, event).trace()[0]
    assert root["error"] == error
    assert root["meta"].get("http.status_code") == (str(status) if source else None)


@pytest.mark.parametrize(
    ("result", "failures"),
    [
        ({"batchItemFailures": []}, 0),
        ({"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}, 2),
        ({"batchItemFailures": None}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_failed_items_of_a_batch_are_counted_zero_too(result, failures):
    points = called(lambda event, context: result).points("stepscope.batch.failures")
    assert [point.value for point in points] == ([] if failures is None else [failures])


@pytest.mark.parametrize(
    ("tags", "printed"),
    [
        (None, []),
        ({"team": "A"}, ["team:a"]),
        ("team:a", ["team:a"]),
        (["x:1", "y:2"], ["x:1", "y:2"]),
        (iter(["x:1"]), ["x:1"]),
        (5, []),
    ],
)
def test_the_decorators_tags_are_on_every_point(tags, printed):
    with capture() as emitted:
        monitored(lambda event, context: count("own", tags=["a:b"]), tags=tags)({}, None)
    (own,) = emitted.points("own")
    assert [tag for tag in own.tags if tag != "a:b"] == printed
    (call,) = emitted.points("stepscope.invocations")
    assert set(call.tags) == {"trigger:unknown", *printed}


def test_the_tags_of_an_invocation_name_its_trigger_and_its_state():
    event = {"Records": [{"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:r:1:orders"}]}
    (point,) = called(event=event).points("stepscope.invocations")
    assert set(point.tags) == {"trigger:sqs", "trigger_resource:orders"}
    (point,) = called(event=CONTEXT).points("stepscope.invocations")
    assert set(point.tags) == {
        "trigger:step-functions",
        "trigger_resource:demo",
        "statemachine:demo",
        "state:s",
    }


def test_labels_are_kept_for_256_kinds_of_calls_and_follow_what_changes():
    options = Options(lambda event, context: None, None)
    invocation._labels_cache.clear()
    for number in range(invocation._MAX_LABELS + 1):
        arn = f"arn:aws:lambda:r:1:function:f:{number}"
        made = invocation.Invocation({}, SimpleNamespace(invoked_function_arn=arn), options)
        assert made.labels.arn == arn
        assert len(invocation._labels_cache) <= 256
    assert len(invocation._labels_cache) == 1
    again = invocation.Invocation({}, SimpleNamespace(invoked_function_arn=arn), options)
    assert again.labels is made.labels
    odd = invocation.Invocation({}, SimpleNamespace(invoked_function_arn=[]), options)
    assert odd.labels.arn == []


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0, "0"), (1000, "1"), (1500, "1.5"), (1, "0.001"), (999, "0.999"), (2000, "2")],
)
def test_milliseconds_are_written_to_the_microsecond(microseconds, text):
    assert _us_text(microseconds) == text
    assert _ms_text(microseconds / 1000) == text


def test_ages_are_never_negative():
    now = time.time()
    stream = {
        "Records": [{"eventSource": "aws:kinesis", "kinesis": {"approximateArrivalTimestamp": now + 500}}]
    }
    emitted = called(event=stream)
    assert [point.value for point in emitted.points("stepscope.event.age")] == [0]
    assert [point.value for point in emitted.points("stepscope.iterator.age")] == [0]


@pytest.mark.parametrize(
    ("source", "field", "printed"),
    [
        ("aws:kinesis", {"kinesis": {"approximateArrivalTimestamp": 1}}, True),
        ("aws:dynamodb", {"dynamodb": {"ApproximateCreationDateTime": 1}}, True),
        ("aws:sqs", {"attributes": {"SentTimestamp": 1000}}, False),
    ],
)
def test_only_a_stream_has_an_iterator_age(source, field, printed):
    emitted = called(event={"Records": [{"eventSource": source, **field}]})
    assert len(emitted.points("stepscope.event.age")) == 1
    assert bool(emitted.points("stepscope.iterator.age")) is printed


# --- the process


@pytest.mark.parametrize(
    ("kind", "waited", "expected"),
    [
        (None, 0, "on-demand"),
        ("on-demand", 10.5, "proactive"),
        ("on-demand", 9.5, "on-demand"),
        ("provisioned-concurrency", 100, "provisioned-concurrency"),
        ("snap-start", 0, "snap-start"),
    ],
)
def test_an_environment_that_was_ready_long_before_was_started_ahead(kind, waited, expected, monkeypatch):
    if kind is None:
        monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE", raising=False)
    else:
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", kind)
    process = Process()
    process._ready -= waited
    assert process.init_type() == expected


def test_a_process_has_one_first_call_with_the_time_of_its_init(monkeypatch):
    monkeypatch.setattr("monitoring.instrumentation.runtime._started", lambda: 100.0)
    process = Process()
    process._ready = 101.5
    assert process.first_call()
    assert (process.init_ms, process.called, process.started) == (1500.0, True, 100.0)
    assert not process.first_call()
    monkeypatch.setattr("monitoring.instrumentation.runtime._started", lambda: None)
    other = Process()
    assert other.first_call()
    assert other.init_ms is None
    monkeypatch.setattr("monitoring.instrumentation.runtime._started", lambda: 1e12)
    late = Process()
    assert late.first_call()
    assert late.init_ms == 0.0


def test_the_start_of_a_process_is_read_behind_its_name_which_may_hold_a_bracket(monkeypatch):
    """https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: field 22, in clock ticks since the boot."""
    from monitoring.instrumentation import runtime

    fields = " ".join(["S", *map(str, range(4, 22)), "700", "0"])
    stat = f"1 (a) b) {fields}".encode()
    monkeypatch.setattr("builtins.open", lambda *_: io.BytesIO(stat))
    monkeypatch.setattr(runtime.time, "clock_gettime", lambda clock: 10.0)
    monkeypatch.setattr(runtime.time, "time", lambda: 1000.0)
    monkeypatch.setattr(runtime.os, "sysconf", lambda name: 100)
    assert runtime._started() == 997.0


def test_the_start_of_this_process_is_in_the_past():
    from monitoring.instrumentation.runtime import _started

    assert 0 < time.time() - _started() < 86_400


def test_a_cold_start_is_printed_once_with_the_kind_and_the_length_of_the_init():
    with capture(cold=True) as emitted:
        handler = monitored(lambda event, context: None)
        handler({}, None)
        handler({}, None)
    emitted.assert_count("stepscope.cold_starts", 1)
    assert len(emitted.points("stepscope.init_duration")) == 1
    assert [root["meta"]["cold_start"] for root in emitted.spans()] == ["true", "false"]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({}, 2),
        ({"a": [1, None, True, 1.5]}, 23),
        ("é", 4),
        ("\ud800", 5),
        ("€", 5),
        (object(), None),
        ({1, 2}, None),
    ],
)
def test_the_size_of_a_value_is_that_of_its_compact_json_in_utf_8(value, size):
    assert size_of(value) == size
    if size is not None:
        assert size_of(value, size) == size
        assert size_of(value, size + 1) is None
        assert size_of(value, None) is None


def test_a_value_is_written_in_ascii():
    assert encode({"a": "é", "b": [1, None]}) == '{"a":"\\u00e9","b":[1,null]}'


def test_a_request_is_measured_once_by_what_was_read():
    event = {"a": 1}
    request.note(event, 1000)
    assert request_size(event, 1000) == 1000
    assert request_size(event, 0) == 7
    request.note(event, 1000)
    assert request_size(event, 1001) is None
    request.note(event, 1000)
    assert request_size(dict(event), 0) == 7
    assert request.take_size(event) is None
    request.note(event, 1000)
    assert request_size(event, None) is None


# --- propagation


def carried(**headers):
    return {f"x-datadog-{name.replace('_', '-')}": value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (carried(trace_id="10", parent_id="11"), ("a", "", "b", 1)),
        (carried(trace_id="10"), ("a", "", "0", 1)),
        (carried(trace_id="10", parent_id=""), ("a", "", "0", 1)),
        (carried(trace_id="10", parent_id="11", sampling_priority="2"), ("a", "", "b", 2)),
        (carried(trace_id="10", parent_id="11", sampling_priority="-1"), ("a", "", "b", -1)),
        (carried(trace_id="10", parent_id="11", sampling_priority="0"), ("a", "", "b", 0)),
        (carried(trace_id="10", parent_id="11", sampling_priority="x"), None),
        (carried(trace_id="10", parent_id="x"), None),
        (carried(parent_id="11"), None),
        (carried(trace_id=str(1 << 64)), None),
        (carried(trace_id=str((1 << 64) + 10), parent_id=str((1 << 64) + 11)), ("a", "", "b", 1)),
        (carried(trace_id=str((1 << 64) - 1)), ("f" * 16, "", "0", 1)),
        (
            carried(trace_id="10", tags="_dd.p.dm=-0, _dd.p.tid=66bcb5eb00000000"),
            ("a", "66bcb5eb00000000", "0", 1),
        ),
        (carried(trace_id="10", tags="_dd.p.tid=xyz"), None),
        (carried(trace_id="10", tags="x_dd.p.tid=1"), ("a", "", "0", 1)),
        ({"X-Datadog-Trace-Id": "10", "X-DATADOG-PARENT-ID": "11"}, ("a", "", "b", 1)),
        ({"traceparent": f"00-{'1' * 16}{'2' * 16}-{'3' * 16}-01"}, ("2" * 16, "1" * 16, "3" * 16, 1)),
        ({"traceparent": f"00-{'1' * 16}{'2' * 16}-{'3' * 16}-00"}, ("2" * 16, "1" * 16, "3" * 16, 0)),
        ({"traceparent": f"00-{'1' * 16}{'2' * 16}-{'3' * 16}-03"}, ("2" * 16, "1" * 16, "3" * 16, 1)),
        ({"TraceParent": f" cc-{'A' * 32}-{'3' * 16}-02-more "}, ("a" * 16, "a" * 16, "3" * 16, 0)),
        ({"traceparent": f"00-{'0' * 32}-{'3' * 16}-01"}, None),
        ({"traceparent": f"00-{'1' * 32}-{'0' * 16}-01"}, None),
        ({"traceparent": f"ff-{'1' * 32}-{'3' * 16}-01"}, None),
        ({"traceparent": f"0-{'1' * 32}-{'3' * 16}-01"}, None),
        ({"traceparent": f"00-{'1' * 31}-{'3' * 16}-01"}, None),
        ({"traceparent": f"00-{'1' * 32}-{'3' * 15}-01"}, None),
        ({"traceparent": f"00-{'1' * 32}-{'3' * 16}-1"}, None),
        ({"traceparent": f"00-{'1' * 32}-{'3' * 16}"}, None),
        ({"traceparent": f"00-{'1' * 32}-{'g' * 16}-01"}, None),
        ({"traceparent": f"00-{'1' * 32}-{'3' * 16}-zz"}, None),
        ({"traceparent": 5}, None),
        ({5: "x"}, None),
        ({}, None),
        (None, None),
        ({"x-datadog-trace-id": "10", "traceparent": f"00-{'1' * 32}-{'3' * 16}-01"}, ("a", "", "0", 1)),
    ],
)
def test_headers_give_trace_parent_and_priority_or_nothing(headers, expected):
    context = extract(headers)
    if expected is None:
        assert context is None
        return
    low, high, parent, priority = expected
    assert (context.trace_id, context.high, context.span_id, context.priority) == (
        low.zfill(16),
        high,
        parent.zfill(16),
        priority,
    )


def attribute(headers):
    return {"_datadog": {"stringValue": json.dumps(headers), "dataType": "String"}}


def messages(*pairs):
    return {
        "Records": [
            {
                "eventSource": "aws:sqs",
                "messageAttributes": attribute(carried(trace_id=str(t), parent_id=str(p))),
            }
            for t, p in pairs
        ]
    }


def test_a_batch_is_linked_to_its_other_traces_once_their_ids_differ_and_a_hundred_times_at_most():
    parent, links = contexts_of(messages((1, 2), (1, 2), (1, 3), (2, 2)), "sqs")
    assert (parent.trace_id, parent.span_id) == ("1".zfill(16), "2".zfill(16))
    assert links == [
        {"trace_id": trace.zfill(32), "span_id": other.zfill(16), "attributes": {"reason": "batch"}}
        for trace, other in (("1", "3"), ("2", "2"))
    ]
    _, many = contexts_of(messages(*((number, 1) for number in range(1, 150))), "sqs")
    assert len(many) == 100
    assert contexts_of({"Records": 5}, "sqs") == (None, [])


HEADERS = carried(trace_id="10", parent_id="11")


def binary(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    ("source", "event", "there"),
    [
        ("alb", {"multiValueHeaders": {"X-Datadog-Trace-Id": ["10", "99"]}}, True),
        ("alb", {"multiValueHeaders": {"x-datadog-trace-id": []}, "headers": HEADERS}, True),
        ("function-url", {"headers": HEADERS}, True),
        ("api-gateway", {"headers": None}, False),
        ("sqs", {"Records": [{"messageAttributes": {"_datadog": {"binaryValue": binary(HEADERS)}}}]}, True),
        ("sqs", {"Records": [{"messageAttributes": {"_datadog": {"binaryValue": "%"}}}]}, False),
        ("sqs", {"Records": [{"body": json.dumps({"_datadog": HEADERS})}]}, True),
        ("sqs", {"Records": [{"body": json.dumps({"headers": HEADERS})}]}, False),
        ("sqs", {"Records": [{"body": json.dumps({"x": '"_datadog"'})}]}, False),
        ("sqs", {"Records": [{"body": '["_datadog"]'}]}, False),
        ("sqs", {"Records": [{"body": '"_datadog" {'}]}, False),
        ("sqs", {"Records": [{"body": None}]}, False),
        (
            "sqs",
            {"Records": [{"body": json.dumps({"MessageAttributes": {"_datadog": {"Type": "Binary", "Value": binary(HEADERS)}}})}]},
            True,
        ),
        ("sns", {"Records": [{"Sns": {"MessageAttributes": {"_datadog": {"Type": "String", "Value": json.dumps(HEADERS)}}}}]}, True),
        ("sns", {"Records": [{"Sns": 5}]}, False),
        ("kinesis", {"Records": [{"kinesis": {"data": binary({"_datadog": HEADERS})}}]}, True),
        ("kinesis", {"Records": [{"kinesis": {"data": binary(HEADERS)}}]}, False),
        ("kinesis", {"Records": [{"kinesis": {"data": binary([1])}}]}, False),
        ("kinesis", {"Records": [{"kinesis": 5}]}, False),
        ("kafka", {"records": {"t-0": [{"headers": [{name: list(text.encode())} for name, text in HEADERS.items()]}]}}, True),
        ("kafka", {"records": {"t-0": [{"headers": [{"x-datadog-trace-id": [49, 48 - 256 + 0]}]}]}}, True),
        ("kafka", {"records": {"t-0": [{"headers": [5, {"x-datadog-trace-id": "10"}]}]}}, False),
        (
            "kafka",
            {"records": {"t-0": [
                {"headers": [{"x-datadog-trace-id": "9"}]}, {"headers": [{"x-datadog-trace-id": [49, 48]}]}]}},
            True,
        ),
        (
            "sns",
            {"Records": [{"Sns": {"MessageAttributes": {
                "traceparent": {"Type": "String", "Value": f"00-{'a'.zfill(32)}-{'3' * 16}-01"}}}}]},
            True,
        ),
        ("kafka", {"records": {"t-0": [{"headers": None}]}}, False),
        ("kafka", {"records": [1]}, False),
        ("eventbridge", {"detail": {"_datadog": HEADERS}}, True),
        ("eventbridge", {"detail": HEADERS}, False),
        ("unknown", {"headers": HEADERS}, True),
        ("unknown", [1], False),
    ],
)  # fmt: skip
def test_each_source_carries_the_headers_in_its_own_place(source, event, there):
    parent, links = contexts_of(event, source)
    assert links == []
    assert (parent is not None) is there
    assert parent is None or parent.trace_id == "a".zfill(16)


def test_the_client_context_carries_a_trace_that_the_event_cannot():
    context = LambdaContext(client_context=SimpleNamespace(custom={"_datadog": HEADERS}))
    for event, trace in (({"x": 1}, 10), ([1], 10), ({"_datadog": carried(trace_id="7")}, 7)):
        (root,) = called(event=event, context=context).trace()
        assert int(root["trace_id"], 16) == trace
    (root,) = called(event={"x": 1}, context=LambdaContext(client_context=object())).trace()
    assert root["parent_id"] == "0" * 16


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"_datadog": CONTEXT}, "state"),
        ({"_datadog": HEADERS}, ("a", "b")),
        ({"BatchInput": {"_datadog": HEADERS}}, ("a", "b")),
        ({"_datadog": {"RootExecutionId": EXECUTION}}, "root"),
        ({"_datadog": {**carried(trace_id="10", parent_id="x"), "RootExecutionId": EXECUTION}}, ("a", "0")),
        ({"_datadog": {"traceparent": f"00-{'1' * 32}-{'3' * 16}-01"}}, None),
        ({"_datadog": {"RootExecutionId": ""}}, None),
        ({"_datadog": 5}, None),
        ({"headers": HEADERS}, None),
        ({}, None),
        (None, None),
        ("text", None),
    ],
)
def test_the_input_of_an_execution_names_the_span_above_it(value, expected):
    context = context_of_input(value)
    if expected is None:
        assert context is None
    elif expected == "state":
        assert context.trace_id == hashed(EXECUTION)[1]
        assert context.span_id == "0" * 16
    elif expected == "root":
        assert (context.trace_id, context.span_id) == (
            hashed(EXECUTION)[1],
            hashed(f"{EXECUTION}#execution")[0],
        )
    else:
        assert (context.trace_id, context.span_id) == tuple(id_.zfill(16) for id_ in expected)


@pytest.mark.parametrize(("priority", "flags"), [("2", "01"), ("1", "01"), ("0", "00"), ("-1", "00")])
def test_what_is_passed_on_has_the_callers_trace_and_priority(priority, flags):
    tid = "66bcb5eb00000000"
    headers = carried(trace_id="10", parent_id="11", sampling_priority=priority, tags=f"_dd.p.tid={tid}")
    sent = {}

    def handler(event, context):
        sent.update(inject_headers({"x-datadog-trace-id": "old", "accept": "a"}))
        sent["span"] = spans.here().span_id

    called(handler, {"headers": headers})
    assert sent["traceparent"] == f"00-{tid}{'a'.zfill(16)}-{sent['span']}-{flags}"
    assert sent["x-datadog-trace-id"] == "10"
    assert sent["x-datadog-parent-id"] == str(int(sent["span"], 16))
    assert sent["x-datadog-sampling-priority"] == priority
    assert sent["x-datadog-tags"] == f"_dd.p.tid={tid}"
    assert sent["accept"] == "a"


def test_a_trace_without_an_upper_half_is_passed_on_without_one():
    sent = {}
    (root,) = called(lambda event, context: sent.update(inject_headers()), {"headers": HEADERS}).trace()
    assert "x-datadog-tags" not in sent
    assert sent["traceparent"].startswith(f"00-{'0' * 16}{'a'.zfill(16)}-")
    assert "_dd.p.tid" not in root["meta"]


def test_attributes_are_text_for_sqs_and_bytes_for_sns_and_ten_at_most():
    made = {}

    def handler(event, context):
        made["text"] = inject_attributes({"a": 1})
        made["bytes"] = inject_attributes(binary=True)
        made["nine"] = inject_attributes({str(number): 1 for number in range(9)})
        made["payload"] = inject_payload({"_datadog": "old", "a": 1})

    called(handler, {"headers": HEADERS})
    assert made["text"]["a"] == 1
    assert made["text"]["_datadog"]["DataType"] == "String"
    assert json.loads(made["text"]["_datadog"]["StringValue"])["x-datadog-trace-id"] == "10"
    assert made["bytes"]["_datadog"]["DataType"] == "Binary"
    assert json.loads(made["bytes"]["_datadog"]["BinaryValue"])["x-datadog-trace-id"] == "10"
    assert len(made["nine"]) == 10
    assert made["payload"]["a"] == 1
    assert made["payload"]["_datadog"]["x-datadog-trace-id"] == "10"


def test_ids_are_63_bits_of_a_hash_and_never_0(monkeypatch):
    class Digest:
        def __init__(self, digits):
            self.digits = digits

        def hexdigest(self):
            return self.digits

    for digits, expected in (
        ("0" * 64, ("0" * 15 + "1", "0" * 15 + "1")),
        ("8" + "0" * 15 + "8" + "0" * 47, ("0" * 15 + "1", "0" * 15 + "1")),
        ("f" * 64, ("7" + "f" * 15, "7" + "f" * 15)),
        ("1" + "2" * 15 + "9" + "3" * 15 + "4" * 32, ("1" + "2" * 15, "1" + "3" * 15)),
    ):
        monkeypatch.setattr(step_functions, "_sha256", lambda data, digits=digits: Digest(digits))
        assert hashed("x") == expected


def test_log_records_carry_the_ids_of_the_running_span():
    assert log_ids() == ("0", "0")
    read = {}

    def handler(event, context):
        read["root"] = log_ids()
        with span("inner") as inner:
            read["inner"], read["span"] = log_ids(), inner.span_id

    called(handler, {"headers": HEADERS})
    assert read["root"][0] == read["inner"][0] == "a".zfill(32)
    assert read["inner"][1] == str(int(read["span"], 16))


# --- spans


@pytest.mark.parametrize(
    ("value", "metric", "meta"),
    [
        (1, 1, None),
        (1.5, 1.5, None),
        (True, None, "true"),
        ((1 << 53) - 1, (1 << 53) - 1, None),
        (1 << 53, None, str(1 << 53)),
        (-(1 << 53), None, str(-(1 << 53))),
        (float("nan"), None, "nan"),
        (float("inf"), None, "inf"),
        ("x", None, "x"),
        (None, None, "None"),
    ],
)
def test_a_number_of_a_span_can_be_graphed_and_anything_else_is_text(value, metric, meta):
    made = spans.Span(None, "n", "r", spans.NO_ID)
    made.set("k", value)
    assert (made.metrics or {}).get("k") == metric
    assert (made.meta or {}).get("k") == meta
    made.set("k", "later")
    assert made.meta["k"] == "later"


def test_links_point_to_spans_of_other_traces():
    with capture() as emitted:
        made = spans.Span(None, "n", "r", spans.NO_ID)
        made.link("1f", "2", {"a": 1})
        made.link("f" * 32, "3")
        made.link("not hex", "4")
    assert made.links == [
        {"trace_id": "1f".zfill(32), "span_id": "2".zfill(16), "attributes": {"a": "1"}},
        {"trace_id": "f" * 32, "span_id": "3".zfill(16), "attributes": {}},
    ]
    emitted.assert_count("stepscope.telemetry.failures", 1, tags={"where": "span.link"})


def test_a_span_has_its_service_type_resource_and_tags():
    def handler(event, context):
        with span("db.get", "slides", service="dynamo", type="cache", tags={"n": 7}), span("plain"):
            pass
        with span("x" * 300, "y" * 6000):
            pass

    named, plain, long = (called(handler).spans(name)[0] for name in ("db.get", "plain", "x" * 200))
    assert (named["service"], named["type"], named["resource"], named["metrics"]) == (
        "dynamo",
        "cache",
        "slides",
        {"n": 7},
    )
    assert (plain["resource"], plain["type"]) == ("plain", "custom")
    assert len(long["resource"]) == 5000
    assert plain["meta"]["_dd.origin"] == "lambda"


def test_an_open_span_lasts_until_now_and_a_closed_one_until_its_end():
    made = spans.Span(None, "n", "r", spans.NO_ID)
    made.began = 100
    assert json.loads(made.to_json("s", 350, ""))["duration"] == 250
    assert json.loads(made.to_json("s", 50, ""))["duration"] == 0
    assert json.loads(made.to_json("s", 350, ""))["meta"] == {"unfinished": "true"}
    made.duration = 7
    text = json.loads(made.to_json("s", 350, '"a":"b"'))
    assert (text["duration"], text["meta"], text["service"], text["error"]) == (7, {"a": "b"}, "s", 0)


def test_a_span_that_is_left_in_another_context_goes_back_to_what_was_before():
    """A generator that is closed elsewhere."""
    import contextvars

    outer = spans.Span(None, "outer", "r", spans.NO_ID)
    token = spans.enter(outer)
    inner = spans.enter(spans.Span(None, "inner", "r", spans.NO_ID))
    contextvars.copy_context().run(spans.leave, inner)
    spans.leave(inner)
    assert spans.here() is outer
    other = contextvars.Context()
    other.run(spans.leave, token)
    assert other.run(spans.here) is None
    spans.leave(token)
    assert spans.here() is None


def test_in_a_thread_the_only_running_call_is_meant_and_of_several_none():
    first, second = object(), object()
    try:
        spans.roots.add(first)
        assert spans.anywhere() is first
        spans.roots.add(second)
        assert spans.anywhere() is None
    finally:
        spans.roots.clear()
    assert spans.anywhere() is None


def test_ids_have_16_digits_below_2_to_the_63_and_differ():
    made = [id_ for _ in range(500) for id_ in spans.new_ids(5)]
    assert len(set(made)) == 1000
    assert {len(id_) for id_ in made} == {16}
    assert all(0 < int(id_, 16) < 1 << 63 for id_ in made)


def test_a_timer_keeps_its_milliseconds_and_prints_them_with_its_tags():
    clock = iter([1_000_000, 3_500_499])
    with capture() as emitted, pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "perf_counter_ns", lambda: next(clock))
        with timer("t", tags=["a:b"]) as made:
            pass
    assert made.elapsed_ms == 2.5
    assert timer("t").elapsed_ms == 0.0
    (point,) = emitted.points("t")
    assert (point.value, point.type, point.tags) == (2.5, "histogram", ("a:b",))


def test_points_outside_a_call_carry_the_tags_of_the_environment(monkeypatch):
    monkeypatch.setenv("DD_ENV", "Prod")
    with capture() as emitted:
        histogram("h", 2**53)
        count("c")
        count("c", 5, "x:y")
    assert [(point.metric, point.value, point.tags) for point in emitted.points()] == [
        ("h", 2**53, ("env:prod",)),
        ("c", 1, ("env:prod",)),
        ("c", 5, ("x:y", "env:prod")),
    ]


@pytest.mark.parametrize(("tags", "listed"), [(["a:b", "c:d"], ["a:b", "c:d"]), (None, [])])
def test_datadogs_own_line_is_json(tags, listed, monkeypatch, capsys):
    """https://docs.datadoghq.com/serverless/custom_metrics/: the line that Datadog's own Forwarder reads."""
    monkeypatch.setenv("MONITORING_FORMAT", "both")
    count("a.b", 2.5, tags)
    plain, line = capsys.readouterr().out.splitlines()
    assert plain.startswith("MONITORING|")
    value = json.loads(line)
    assert (value["m"], value["v"], value["t"]) == ("a.b", 2.5, listed)
    assert abs(value["e"] - time.time()) < 60
    monkeypatch.setenv("MONITORING_FORMAT", "datadog")
    count("a.b")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_failure_of_telemetry_is_counted_each_time_and_said_once(capsys):
    output.forget()
    for _ in range(3):
        output.failed("here", ValueError("a\n  b" + "x" * 300))
    output.failed("there", KeyError("k"))
    assert output.failures == {"here": 3, "there": 1}
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "monitoring: here failed, the handler is not touched: ValueError: a b" + "x" * 197,
        "monitoring: there failed, the handler is not touched: KeyError: 'k'",
    ]
    assert said.out.count("|1|count|stepscope.telemetry.failures|#where:here,error_type:valueerror") == 3
    output.forget()
    assert output.failures == {}


# --- the call's arguments


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (("e", "c"), {}, ("e", "c")),
        (("self", "e", "c"), {}, ("e", "c")),
        (("e",), {"context": "c"}, ("e", "c")),
        (("self", "e"), {"context": "c"}, ("e", "c")),
        ((), {"event": "e", "context": "c"}, ("e", "c")),
        (("e",), {}, ("e", None)),
        ((), {}, (None, None)),
    ],
)
def test_event_and_context_are_the_last_two_arguments_unless_they_are_named(args, kwargs, expected):
    assert event_and_context(args, kwargs) == expected


# --- claims


@pytest.mark.parametrize(
    ("verdict", "broken"),
    [
        (True, None),
        (None, None),
        (0, None),
        ("", None),
        (False, ("false", "the check returned False")),
        (Broken("a  b\nc", "code"), ("code", "a b c")),
        (Broken("a"), ("broken", "a")),
        (ValueError("x"), ("ValueError", "ValueError: x")),
        (ValueError(), ("ValueError", "ValueError")),
    ],
)
def test_a_check_that_returns_false_or_raises_breaks_the_claim(verdict, broken):
    assert verification._reason(verdict) == broken


def test_numpys_false_is_false():
    import numpy as np

    assert denied(np.False_)
    assert denied(type("bool_", (), {"__bool__": lambda self: False})())  # its name before NumPy 2
    assert not denied(np.True_)


@pytest.mark.parametrize(
    ("check", "name", "shown"),
    [
        (lambda event, result: True, None, "lambda"),
        (test_numpys_false_is_false, None, "test_numpys_false_is_false"),
        (lambda event, result: True, "photo", "photo"),
        (SimpleNamespace, None, "SimpleNamespace"),
    ],
)
def test_a_claim_is_named_by_its_check(check, name, shown):
    assert Claim(check, name=name).name == shown


def test_the_arguments_of_a_claim_are_checked_where_it_is_written():
    assert Claim(print).error is None
    assert Claim(print, "raise").error is ClaimBroken
    assert Claim(print, KeyError).error is KeyError
    with pytest.raises(TypeError, match="is not a function"):
        Claim("text")
    for wrong in ("other", int, 5, KeyboardInterrupt):
        with pytest.raises(ValueError, match="write 'report', 'raise', or"):
            Claim(print, wrong)

    class Two(Exception):
        def __init__(self, one, two):
            raise AssertionError

    with pytest.raises(TypeError, match="on_broken=Two cannot be created from one string"):
        Claim(print, Two)


async def async_check(event, result):
    return True


def test_an_async_check_of_a_plain_handler_is_refused():
    emitted = called(verify=async_check)
    emitted.assert_count("claims.broken", 1, tags={"claim": "async_check", "reason": "async"})
    root, verified = emitted.trace()
    assert (root["error"], verified["error"], verified["resource"]) == (0, 1, "async_check")
    assert verified["meta"]["claim"] == "async_check"
    assert "both async" in verified["meta"]["claim.reason"]


def test_an_async_handler_takes_an_async_check_and_what_it_raises():
    async def handler(event, context):
        return 1

    async def broken(event, result):
        raise Broken(f"{event} {result}", "why")

    for check, metric in ((async_check, "claims.verified"), (broken, "claims.broken")):
        with capture() as emitted:
            assert asyncio.run(monitored(handler, verify=check)({}, None)) == 1
        emitted.assert_count(metric, 1)
        assert [made["resource"] for made in emitted.spans("verify")] == [check.__name__]
    with capture(), pytest.raises(ClaimBroken, match=r"broken: \{\} 1"):
        asyncio.run(monitored(handler, verify=broken, on_broken="raise")({}, None))


class Unnameable:
    def __str__(self):
        raise ValueError("no name")


def test_a_span_that_cannot_be_made_is_counted_once_and_the_block_runs():
    with capture() as emitted:
        with span(Unnameable()) as made:
            made.set("a", 1)
        count("behind")
    emitted.assert_count("stepscope.telemetry.failures", 1, tags={"where": "span"})
    emitted.assert_count("behind", 1)


@pytest.mark.parametrize(
    ("local", "entity"),
    [
        ({"entities": ["outer", "inner"]}, "inner"),
        ({"entities": []}, None),
        ({"entities": None}, None),
        ({}, None),
    ],
)
def test_outside_lambda_the_innermost_open_segment_is_looked_up(local, entity, monkeypatch):
    monkeypatch.delenv("LAMBDA_TASK_ROOT", raising=False)
    context = SimpleNamespace(_local=SimpleNamespace(**local)) if local else SimpleNamespace()
    assert xray._open_entity(SimpleNamespace(context=context)) == entity


def test_where_python_can_mark_a_coroutine_function_it_does(monkeypatch):
    """inspect.markcoroutinefunction is there since Python 3.12."""
    import inspect

    marked = []
    monkeypatch.setattr(inspect, "markcoroutinefunction", marked.append, raising=False)

    def function():
        return None

    assert _marked(function) is function
    assert marked == [function]


def test_an_async_handler_is_marked_as_one():
    async def handler(event, context):
        return 1

    wrapped = wrap_async(handler, Options(handler, None), None)
    assert asyncio.iscoroutinefunction(wrapped)
    assert propagation.KEY == "_datadog"
