"""`@monitored` in odd company: what a handler does to its process, its event or its errors changes nothing."""

import asyncio
import contextlib
import functools
import gc
import json
import os
import threading
import time
import weakref

import lambda_events
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peer_scenarios import RESULT, invoked, later
from spec_reader import read_output

from monitoring import count, monitored, span, timer
from monitoring.capture import LambdaContext, capture
from monitoring.instrumentation import timeouts

CONTEXT = LambdaContext()

# Async handlers and who calls them


def in_thread(work):
    """The outcome of a function in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


async def deferred(event, context):
    return await later(event, context)


def plain(event, context):
    return deferred(event, context)


def powertools(handler):
    from aws_lambda_powertools import Logger

    return Logger(service="slides").inject_lambda_context(handler)


INVOKED = {
    "async": lambda: monitored(deferred),
    "a function that gives a coroutine": lambda: monitored(plain),
    "below powertools": lambda: powertools(monitored(deferred)),
    "wrapped twice": lambda: monitored(monitored(deferred)),
}


@pytest.mark.parametrize("made", INVOKED.values(), ids=INVOKED)
def test_the_runtime_client_gets_the_result_of_a_coroutine_from_any_thread(made):
    with capture() as emitted:
        handler = made()
        assert [invoked(handler), in_thread(lambda: invoked(handler))] == [json.dumps(RESULT)] * 2
    emitted.assert_count("stepscope.invocations", 2)


def test_a_handler_that_runs_an_async_function_of_its_own_in_lambda_gets_its_coroutine(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")

    def handler(event, context):
        return asyncio.run(monitored(deferred)(event, context))

    with capture() as emitted:
        assert invoked(handler) == json.dumps(RESULT)
    emitted.assert_count("stepscope.invocations", 1)


def test_an_event_loop_that_a_handler_has_closed_is_replaced():
    @monitored
    async def closes(event, context):
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.call_soon(loop.stop))
        loops.append(loop)

    loops = []
    with capture():
        invoked(closes)
        loops[0].close()
        assert invoked(monitored(deferred)) == json.dumps(RESULT)


def test_a_system_exit_of_an_async_handler_leaves_the_loop_usable():
    @monitored
    async def leaves(event, context):
        raise SystemExit(3)

    with capture(), pytest.raises(SystemExit):
        invoked(leaves)
    with capture():
        assert invoked(monitored(deferred)) == json.dumps(RESULT)


@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_coroutine_that_nobody_awaits_is_no_call_that_times_out():
    with capture() as emitted:
        made = monitored(plain)({}, LambdaContext(timeout_ms=100))
        time.sleep(0.3)
        made.close()
    emitted.assert_count("stepscope.invocations", 1)
    emitted.assert_not_emitted("stepscope.timeouts")


def test_a_coroutine_that_is_awaited_too_long_still_speaks():
    def slow(event, context):
        return asyncio.sleep(0.4)

    handler = monitored(slow)
    with capture() as emitted:
        asyncio.run(handler({}, LambdaContext(timeout_ms=200)))
    emitted.assert_count("stepscope.timeouts", 1)


def test_spans_of_tasks_that_run_together_have_their_own_parents():
    async def one(number):
        with span(f"outer{number}"):
            await asyncio.sleep(0.001 * (3 - number))
            with span(f"inner{number}"):
                await asyncio.sleep(0)

    @monitored
    async def handler(event, context):
        await asyncio.gather(*map(one, range(3)))

    with capture() as emitted:
        asyncio.run(handler({}, CONTEXT))
    named = {made["span_id"]: made["name"] for made in emitted.trace()}
    parents = {made["name"]: named.get(made["parent_id"]) for made in emitted.trace()}
    for number in range(3):
        assert parents[f"inner{number}"] == f"outer{number}"
        assert parents[f"outer{number}"] == "aws.lambda"


@pytest.mark.parametrize("manager", [timer, span])
def test_a_partial_of_an_async_function_is_decorated_to_its_end(manager):
    ended = []

    async def work(value):
        await asyncio.sleep(0)
        ended.append(value)

    decorated = manager("work")(functools.partial(work, 1))
    assert asyncio.iscoroutinefunction(decorated)
    with capture():
        asyncio.run(monitored(lambda event, context: decorated())({}, CONTEXT))
    assert ended == [1]


# Memory, errors, forks


class Held:
    """Something that a handler holds."""


@pytest.mark.parametrize("within", ["handler", "span", "swallowed"])
def test_what_a_failed_handler_held_is_freed_without_the_garbage_collector(within):
    held = []

    def work():
        value = Held()
        held.append(weakref.ref(value))
        if within == "handler":
            raise ValueError("no slide")
        with span("work") as made:
            made.set("held", id(value))
            raise ValueError("no slide")

    @monitored
    def handler(event, context):
        try:
            work()
        except ValueError:
            if within != "swallowed":
                raise
        return held[0]() is None

    gc.disable()
    try:
        with capture() as emitted, contextlib.suppress(ValueError):
            assert handler({}, CONTEXT), "freed while the handler goes on"
        assert held[0]() is None
    finally:
        gc.enable()
    stacks = [made["meta"].get("error.stack", "") for made in emitted.trace()]
    assert any("in work" in stack for stack in stacks)


def cycle():
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def chain():
    error = ValueError("first")
    for number in range(500):
        following = ValueError(number)
        following.__context__ = error
        error = following
    return error


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


ERRORS = {
    "a cycle of causes": cycle,
    "a long chain": chain,
    "a group": lambda: ExceptionGroup("group", [cycle(), ExceptionGroup("inner", [KeyError("a")])]),
    "unreadable": Unreadable,
    "memory": MemoryError,
    "surrogates": lambda: ValueError("\ud800|\n"),
    "a long text": lambda: ValueError("x" * 10_000_000),
}


@pytest.mark.parametrize("made", ERRORS.values(), ids=ERRORS)
def test_an_odd_error_arrives_as_it_is_and_is_traced(made):
    error = made()
    cause, chained = error.__cause__, error.__context__

    def handler(event, context):
        raise error

    with capture() as emitted, pytest.raises(type(error)) as caught:
        monitored(handler)({}, CONTEXT)
    assert caught.value is error
    assert (error.__cause__, error.__context__) == (cause, chained)
    assert emitted.trace()[0]["meta"]["error.type"] == type(error).__name__
    emitted.assert_not_emitted("stepscope.telemetry.failures")
    read_output(emitted.text)


def test_a_recursion_without_end_is_an_error_like_any_other():
    def handler(event, context):
        return handler(event, context)

    with capture() as emitted, pytest.raises(RecursionError):
        monitored(handler)({}, CONTEXT)
    emitted.assert_count("stepscope.errors", 1, tags={"error_type": "RecursionError"})
    assert len(emitted.trace()) == 1


def test_a_process_that_is_forked_while_the_watchdog_speaks_is_not_blocked_by_it():
    with capture():
        monitored(lambda event, context: None)({}, CONTEXT)  # the watchdog runs
        with timeouts._watchdog.reporting:
            child = os.fork()
            if not child:
                os._exit(0 if timeouts._watchdog.reporting.acquire(timeout=5) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Arguments


class Slides:
    @monitored
    def handle(self, event, context):
        return event

    @monitored
    async def later(self, event, context):
        return event


QUEUE = {"Records": [lambda_events._SQS_RECORD]}
CALLS = {
    "by position": lambda slides: slides.handle(QUEUE, CONTEXT),
    "the context by name": lambda slides: slides.handle(QUEUE, context=CONTEXT),
    "both by name": lambda slides: slides.handle(event=QUEUE, context=CONTEXT),
    "async": lambda slides: asyncio.run(slides.later(QUEUE, CONTEXT)),
    "async, the context by name": lambda slides: asyncio.run(slides.later(QUEUE, context=CONTEXT)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_method_tells_its_trigger_however_it_is_called(call):
    with capture() as emitted:
        assert call(Slides()) is QUEUE
    emitted.assert_count("stepscope.invocations", 1, tags={"trigger": "sqs"})
    assert emitted.trace()[0]["meta"]["function_arn"] == CONTEXT.invoked_function_arn


@pytest.mark.parametrize("service", [5, b"slides", [], object()])
def test_an_odd_service_of_one_span_does_not_cost_the_others(service):
    def handler(event, context):
        with span("odd", service=service) as made:
            made.link("AB", "cd", {"key": object(), 5: 6})
            made.link("no hex digits", "7")
        with span("fine"):
            pass

    with capture() as emitted:
        monitored(handler)({}, CONTEXT)
    assert [made["name"] for made in emitted.trace()] == ["aws.lambda", "odd", "fine"]
    (link,) = json.loads(emitted.spans("odd")[0]["meta"]["_dd.span_links"])
    assert (link["trace_id"], link["span_id"]) == ("ab".zfill(32), "cd".zfill(16))
    assert link["attributes"]["5"] == "6"


@given(st.integers(min_value=-(10**320), max_value=10**320))
def test_an_integer_of_any_size_is_printed_so_that_it_is_read_or_refused_and_counted(value):
    with capture() as emitted:
        count("whole", value)
    if emitted.points("whole"):
        assert float(emitted.points("whole")[0].value) == float(value)
    else:
        with pytest.raises(OverflowError):
            float(value)
        emitted.assert_count("stepscope.telemetry.failures", 1, tags={"where": "count"})


# Events

ODD = st.none() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from([[], {}, [None], [[]]])
HEADERS = {
    "x-datadog-trace-id": "1311768467463790320",
    "x-datadog-parent-id": "5",
    "x-datadog-tags": "_dd.p.tid=abc",
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
}
ATTRIBUTE = {"_datadog": {"dataType": "String", "stringValue": json.dumps(HEADERS)}}
CARRYING = [
    {**lambda_events._API_V1, "headers": HEADERS, "multiValueHeaders": {k: [v] for k, v in HEADERS.items()}},
    {**lambda_events._HTTP_V2, "headers": HEADERS},
    {"Records": [{**lambda_events._SQS_RECORD, "messageAttributes": ATTRIBUTE}] * 2},
    {"detail-type": "x", "source": "y", "detail": {"_datadog": HEADERS}},
    {"_datadog": lambda_events.CONTEXT_OBJECT},
]


def changed(value, data):
    """The event with some of its values replaced by odd ones."""
    if data.draw(st.integers(0, 7)) == 0:
        return data.draw(ODD)
    if isinstance(value, dict):
        return {key: changed(item, data) for key, item in value.items()}
    if isinstance(value, list):
        return [changed(item, data) for item in value]
    return value


@settings(max_examples=500)
@given(st.sampled_from([*CARRYING, *(event for *_, event in lambda_events.EVENTS)]), st.data())
def test_an_event_that_resembles_one_of_aws_is_a_call_like_any_other(event, data):
    odd = changed(event, data)
    with capture() as emitted:
        assert monitored(lambda event, context: event)(odd, CONTEXT) is odd
    emitted.assert_count("stepscope.invocations", 1)
    assert len(emitted.traces()) == 1
    emitted.assert_not_emitted("stepscope.telemetry.failures")


def deep():
    event = inner = {}
    for _ in range(100_000):
        inner["a"] = inner = {}
    return event


def cyclic():
    event = {"Records": [], "eventSource": "aws:sqs"}
    event["Records"].append(event)
    event["messageAttributes"] = event["requestContext"] = event
    return event


@pytest.mark.parametrize("made", [deep, cyclic])
def test_an_event_that_json_cannot_hold_is_a_call_like_any_other(made):
    event = made()
    with capture() as emitted:
        assert monitored(lambda event, context: event)(event, CONTEXT) is event
    emitted.assert_count("stepscope.invocations", 1)
    emitted.assert_not_emitted("stepscope.telemetry.failures")


# Claims


class TwoTexts(Exception):
    def __init__(self, first, second):
        super().__init__(first, second)


def test_an_error_that_a_broken_claim_cannot_raise_is_said_where_it_is_written():
    with pytest.raises(TypeError, match="on_broken=TwoTexts cannot be created from one string"):
        monitored(verify=lambda event, result: True, on_broken=TwoTexts)


def test_the_false_of_numpy_is_no_proof():
    import numpy as np

    from monitoring.verify import all_of

    def not_there(event, result):
        return np.arange(3).max() > 5

    for check in (not_there, all_of(not_there)):
        with capture() as emitted:
            monitored(verify=check)(lambda event, context: 1)({}, CONTEXT)
        emitted.assert_count("claims.broken", 1, tags={"reason": "false"})


def test_a_check_that_hangs_past_the_deadline_is_open_in_the_trace():
    def hangs(event, result):
        time.sleep(0.4)

    with capture() as emitted:
        assert monitored(verify=hangs)(lambda event, context: 7)({}, LambdaContext(timeout_ms=200)) == 7
    emitted.assert_count("stepscope.timeouts", 1)
    (check,) = emitted.spans("verify")
    assert (check["resource"], check["meta"]["unfinished"]) == ("hangs", "true")
