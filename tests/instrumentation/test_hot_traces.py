"""Traces: the Step Functions link with worked examples, nesting, errors, and the line's rules."""

import asyncio
import io
import json
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_reader import MAX_EVENT, printed_spans, read_output

from monitoring import count, monitored, span
from monitoring.capture import LambdaContext, capture
from monitoring.context import identity_of

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:demo:11111111-2222-3333-4444-555555555555"


def context_object(retry=0, redrive=0, given=None, **more):
    return {
        "Execution": {"Id": EXECUTION, "Input": given, "RedriveCount": redrive},
        "StateMachine": {"Name": "demo"},
        "State": {"Name": "DoWork", "EnteredTime": "2026-11-23T10:00:00.123Z", "RetryCount": retry},
        **more,
    }


def ids(identity):
    return int(identity.trace_id, 16), int(identity.parent_id, 16), identity.high


TRACE, HIGH = 5738646823196759501, "24e8d55f5d50e6a5"


@pytest.mark.parametrize(
    ("retry", "redrive", "parent"),
    [(0, 0, 9002365303468457351), (2, 0, 84877854568059395), (0, 1, 3814116457147119729)],
)
def test_the_worked_examples_of_the_specification(retry, redrive, parent):
    assert ids(identity_of(context_object(retry, redrive))) == (TRACE, parent, HIGH)


LOST_ELSEWHERE = {
    "an input that is a list": context_object(given=[1, 2]),
    "an input that is a string": context_object(given="photo"),
    "no input": context_object(given=None),
    "headers beside it": {"headers": {"a": "b"}, "_datadog": context_object()},
    "a request beside it": {"request": {"a": "b"}, "_datadog": context_object()},
    "records beside it": {
        "Records": [{"eventSource": "aws:sqs", "messageAttributes": {}}],
        "_datadog": context_object(),
    },
    "an event that is a list": [context_object(), {"photo": "a.jpg"}],
    "a context without serverless-version": {"_datadog": context_object()},
}


@pytest.mark.parametrize("event", LOST_ELSEWHERE.values(), ids=LOST_ELSEWHERE.keys())
def test_where_datadog_lambda_loses_the_link_it_is_kept(event):
    with capture() as emitted:
        monitored(lambda event, context: None)(event, None)
    root = emitted.trace()[0]
    assert (int(root["trace_id"], 16), int(root["parent_id"], 16)) == (TRACE, 9002365303468457351)
    assert root["meta"]["_dd.p.tid"] == HIGH
    assert root["meta"]["function_trigger.event_source"] == "states"


def test_the_trace_that_started_the_execution_is_continued():
    headers = {"x-datadog-trace-id": "4242", "x-datadog-tags": "_dd.p.dm=-0,_dd.p.tid=66bcb5eb00000000"}
    found = identity_of(context_object(given={"_datadog": headers}))
    assert ids(found) == (4242, 9002365303468457351, "66bcb5eb00000000")
    as_root = identity_of({"_datadog": {**context_object(), **headers, "serverless-version": "v1"}})
    assert ids(as_root) == (4242, 9002365303468457351, "66bcb5eb00000000")


def test_the_root_execution_gives_the_trace_of_a_nested_one():
    nested = {**context_object(), "serverless-version": "v1", "RootExecutionId": EXECUTION}
    nested["Execution"] = {**nested["Execution"], "Id": EXECUTION + "-child"}
    found = identity_of({"_datadog": nested})
    assert (int(found.trace_id, 16), found.high) == (TRACE, HIGH)
    assert int(found.parent_id, 16) != 9002365303468457351


STARTED_WITH = {
    "the context of the state that started it": {"_datadog": context_object()},
    "Datadog's selection of it": {"_datadog": {"RootExecutionId": EXECUTION, "serverless-version": "v1"}},
    "the context, as the input of a batch": {"Items": [1], "BatchInput": {"_datadog": context_object()}},
    "the context, in the items of a batch": {"Items": [{"row": 1, "_datadog": context_object()}]},
    "the execution, in our own field": {"_monitoring": {"Execution": EXECUTION}},
    "the root, in our own field": {"_monitoring": {"Execution": "x", "RootExecutionId": EXECUTION}},
    "a context that was started with a context": {
        "_datadog": {
            **context_object(),
            "Execution": {"Id": f"{EXECUTION}-middle", "Input": {"_datadog": context_object()}},
        }
    },
}


@pytest.mark.parametrize("given", STARTED_WITH.values(), ids=STARTED_WITH.keys())
def test_an_execution_that_another_one_started_belongs_to_its_trace(given):
    nested = context_object(given=given)
    nested["Execution"] = {**nested["Execution"], "Id": f"{EXECUTION}-child"}
    found = identity_of({"_datadog": nested})
    assert (int(found.trace_id, 16), found.high) == (TRACE, HIGH)
    assert found.execution_id == f"{EXECUTION}-child"


ODD = {"x-datadog-trace-id": "7", "x-datadog-tags": "_dd.p.tid=zz"}


@pytest.mark.parametrize(
    "given",
    [None, [], "text", {}, {"_datadog": None}, {"_datadog": {}}, {"BatchInput": 1}, {"_datadog": ODD}]
    + [{"_datadog": {"x-datadog-trace-id": value}} for value in ("0", "nan", None, [])]
    + [{"_datadog": {"RootExecutionId": value}} for value in (5, "", None, {})],
)
def test_an_input_that_carries_no_trace_leaves_the_execution_its_own(given):
    assert ids(identity_of(context_object(given=given)))[0] == TRACE


def test_the_documented_field_carries_the_identity_when_the_context_is_not_passed():
    field = {
        "Execution": EXECUTION,
        "StateMachine": "demo",
        "State": "DoWork",
        "EnteredTime": "2026-11-23T10:00:00.123Z",
        "RetryCount": 2,
        "RedriveCount": 0,
        "Index": 7,
    }
    found = identity_of({"photo": "a.jpg", "_monitoring": field})
    assert ids(found) == (TRACE, 84877854568059395, HIGH)
    assert (found.state_machine, found.state, found.map_index) == ("demo", "DoWork", 7)
    bare = identity_of({"_monitoring": {"Execution": EXECUTION}})
    assert (bare.state_machine, bare.state, bare.parent_id) == ("demo", "", "0" * 16)
    assert ids(identity_of({"_monitoring": context_object()})) == (TRACE, 9002365303468457351, HIGH)


def test_the_step_is_on_the_span_and_the_state_on_the_metrics():
    event = context_object(retry=2, redrive=1, Map={"Item": {"Index": 3, "Value": {}}})
    with capture() as emitted:
        monitored(lambda event, context: None)(event, None)
    meta = emitted.trace()[0]["meta"]
    found = {
        key.removeprefix("stepfunctions."): value for key, value in meta.items() if key.startswith("stepf")
    }
    assert found == {
        "execution_id": EXECUTION,
        "execution_name": "11111111-2222-3333-4444-555555555555",
        "state_machine": "demo",
        "state": "DoWork",
        "retry_count": "2",
        "redrive_count": "1",
        "map_index": "3",
    }
    emitted.assert_count("stepscope.invocations", 1, tags=["statemachine:demo", "state:dowork"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(JSON, JSON, JSON, JSON)
def test_a_context_object_of_any_content_never_raises(execution, state, machine, rest):
    with capture() as emitted:
        event = {"Execution": execution, "State": state, "StateMachine": machine, "_datadog": rest}
        assert monitored(lambda event, context: 1)(event, None) == 1
        event = {
            "_monitoring": {"Execution": "x", "State": state, "RetryCount": rest, "EnteredTime": machine}
        }
        assert monitored(lambda event, context: 1)(event, None) == 1
    read_output(emitted.text)


def test_spans_nest_across_functions_async_tasks_and_errors():
    @span("a.function", resource="slides")
    def inner():
        with span("deeper") as made:
            made.set("n", 1)
            made.set("ok", True)
            made.set("list", [1, {"token": "x"}])

    @span("a.coroutine")
    async def later(n):
        await asyncio.sleep(0)
        with span(f"task.{n}"):
            await asyncio.sleep(0)

    async def tasks():
        await asyncio.gather(later(1), later(2))

    @monitored
    def handler(event, context):
        inner()
        asyncio.run(tasks())
        with pytest.raises(KeyError), span("fails"):
            raise KeyError("gone")

    with capture() as emitted:
        handler({}, None)
    found = {made["span_id"]: made for made in emitted.trace()}
    parents = {made["name"]: found.get(made["parent_id"], {}).get("name") for made in found.values()}
    assert parents == {
        "aws.lambda": None,
        "a.function": "aws.lambda",
        "deeper": "a.function",
        "a.coroutine": "aws.lambda",
        "task.1": "a.coroutine",
        "task.2": "a.coroutine",
        "fails": "aws.lambda",
    }
    deeper = emitted.spans("deeper")[0]
    assert deeper["metrics"] == {"n": 1}
    assert (deeper["meta"]["ok"], deeper["meta"]["list"]) == ("true", '[1, {"token": "[masked]"}]')
    failed = emitted.spans("fails")[0]
    assert (failed["error"], failed["meta"]["error.type"], failed["meta"]["error.message"]) == (
        1,
        "KeyError",
        "'gone'",
    )
    assert emitted.spans("aws.lambda")[0]["error"] == 0


def test_a_span_outside_a_call_measures_and_prints_nothing():
    with capture() as emitted, span("alone") as made:
        made.set("a", 1)
    assert emitted.text == ""
    assert made.duration >= 0


def test_values_under_secret_keys_are_masked_and_the_keys_are_a_setting(monkeypatch):
    def values():
        with capture() as emitted:

            @monitored
            def handler(event, context):
                with span("s") as made:
                    for key in (
                        "password",
                        "DB_PASSWORD",
                        "x-api-key",
                        "Authorization",
                        "accessToken",
                        "card",
                        "fine",
                    ):
                        made.set(key, "v")
                    made.set("body", {"user": {"secret": [1], "card": "1"}, "list": [{"cookie": "c"}]})

            handler({}, None)
        return emitted.spans("s")[0]["meta"]

    found = values()
    assert {key for key, value in found.items() if value == "v"} == {"card", "fine"}
    assert json.loads(found["body"]) == {
        "user": {"secret": "[masked]", "card": "1"},
        "list": [{"cookie": "[masked]"}],
    }
    monkeypatch.setenv("MONITORING_MASK_KEYS", "card, Fine")
    assert {key for key, value in values().items() if value == "[masked]"} == {"card", "fine"}


def test_many_spans_are_split_below_cloudwatchs_limit_with_none_lost():
    @monitored
    def handler(event, context):
        for number in range(3000):
            with span("work", resource="x" * 200, tags={"n": str(number), "text": "é" * 20}):
                pass

    with capture() as emitted:
        handler({}, None)
    lines = [line for line in emitted.text.splitlines() if line.startswith('{"traces"')]
    spans = [made for line in lines for made in printed_spans(line)]
    assert len(lines) > 2
    assert max(len(line.encode()) for line in lines) < MAX_EVENT
    assert len(spans) == 3001
    assert len({made["span_id"] for made in spans}) == 3001
    assert all(json.loads(line)["traces"][0][0]["meta"]["_dd.p.tid"] for line in lines)


def test_a_span_that_would_fill_a_line_alone_is_shortened():
    @monitored
    def handler(event, context):
        with span("huge") as made:
            for number in range(200):
                made.set(f"key{number}", "\x00" * 10_000)

    with capture() as emitted:
        handler({}, None)
    read_output(emitted.text)
    assert len(emitted.spans("huge")) == 1


def test_spans_beyond_the_limit_are_counted(monkeypatch):
    monkeypatch.setattr("monitoring.instrumentation.spans.MAX_SPANS", 10)

    @monitored
    def handler(event, context):
        for _ in range(25):
            with span("work"):
                pass

    with capture() as emitted:
        handler({}, None)
    assert len(emitted.trace()) == 11
    assert emitted.trace()[0]["metrics"]["spans_dropped"] == 15


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | JSON


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.text(), st.text())
def test_any_name_resource_and_values_keep_the_rules_of_the_line(values, name, resource):
    @monitored
    def handler(event, context):
        with span(name, resource, tags=values):
            count("inside")

    with capture() as emitted:
        handler({}, None)
    points, traces, others = read_output(emitted.text)
    assert (len(points), len(traces), others) == (3, 1, [])


def test_standard_logging_and_powertools_carry_the_ids():
    from aws_lambda_powertools import Logger

    stream, powertools_stream = io.StringIO(), io.StringIO()
    plain = logging.getLogger("test.plain")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(dd.trace_id)s %(dd.span_id)s %(message)s"))
    plain.addHandler(handler)
    powertools = Logger(service="ids", stream=powertools_stream)

    @monitored
    def handler_(event, context):
        plain.warning("hello")
        with span("inside") as made:
            powertools.info("hi")
            return made.span_id

    with capture(cold=True) as emitted:
        inside = handler_({}, LambdaContext())
    root = emitted.spans("aws.lambda")[0]
    trace = root["meta"]["_dd.p.tid"] + root["trace_id"]
    assert stream.getvalue() == f"{trace} {int(root['span_id'], 16)} hello\n"
    logged = json.loads(powertools_stream.getvalue())
    assert (logged["dd.trace_id"], logged["dd.span_id"]) == (trace, str(int(inside, 16)))


@pytest.mark.parametrize(("outermost", "segment"), [("tracer", "## handler"), ("monitored", "monitoring")])
def test_with_the_powertools_tracer_active_x_ray_says_which_trace_it_is(outermost, segment, monkeypatch):
    pytest.importorskip("aws_xray_sdk")
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    monkeypatch.setenv(
        "_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    )
    from aws_lambda_powertools import Tracer
    from aws_xray_sdk.core import xray_recorder
    from aws_xray_sdk.core.lambda_launcher import LambdaContext as LambdaSegments

    sent = []

    class Emitter:
        def send_entity(self, entity):
            sent.append(json.loads(entity.serialize()))

    xray_recorder.configure(sampling=False, emitter=Emitter(), context=LambdaSegments())
    tracer = Tracer(service="slides", disabled=False, auto_patch=False)

    def handler(event, context):
        return 1

    traced = tracer.capture_lambda_handler
    wrapped = traced(monitored(handler)) if outermost == "tracer" else monitored(traced(handler))
    with capture() as emitted:
        assert wrapped({}, LambdaContext()) == 1
    found = next(entity["annotations"] for entity in sent if entity["name"] == segment)
    root = emitted.trace()[0]
    assert found["dd_trace_id"] == root["meta"]["_dd.p.tid"] + root["trace_id"]
    assert found["trigger"] == "unknown"


def test_calls_in_threads_have_traces_of_their_own():
    with capture() as emitted:
        threads = [threading.Thread(target=monitored(lambda e, c: None), args=({}, None)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({made["trace_id"] for made in emitted.spans()}) == 8
