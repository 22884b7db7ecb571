"""What a trace is read from and written to, and when the watchdog sleeps.

Sources: docs/functions.md (settings), docs/traces.md; the context object of
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html; X-Ray's annotations, which
Datadog links by `dd_trace_id` and `dd_span_id`.
"""

import json
import os
import threading
from types import SimpleNamespace

import pytest

from monitoring.instrumentation import async_handlers, timeouts, xray
from monitoring.instrumentation.propagation import contexts_of
from monitoring.instrumentation.settings import Settings
from monitoring.instrumentation.step_functions import context_parts
from monitoring.instrumentation.verification import Claim

EXECUTION = "arn:aws:states:eu-central-1:1:execution:m:e"
CONTEXT = {
    "Execution": {"Id": EXECUTION, "Name": "e"},
    "StateMachine": {"Id": "m", "Name": "m"},
    "State": {"Name": "S", "EnteredTime": "2026-01-01T00:00:00Z"},
}
OTHER = {**CONTEXT, "Execution": {"Id": f"{EXECUTION}2"}}


def id_of(event):
    parts = context_parts(event)
    return None if parts is None else parts[1]["Id"]


@pytest.mark.parametrize(
    ("event", "id_"),
    [
        (CONTEXT, EXECUTION),
        ({"_datadog": CONTEXT}, EXECUTION),
        ({"Payload": CONTEXT}, EXECUTION),
        ({"Payload": {"_datadog": CONTEXT}}, EXECUTION),
        ({"BatchInput": CONTEXT}, EXECUTION),
        ({"BatchInput": {"_datadog": CONTEXT}, "Items": [OTHER]}, EXECUTION),
        ({"Payload": CONTEXT, "BatchInput": OTHER}, EXECUTION),
        ({"Items": [OTHER, CONTEXT]}, f"{EXECUTION}2"),
        ([CONTEXT, OTHER], EXECUTION),
        (["a text", 1, None, {"x": 1}, OTHER], f"{EXECUTION}2"),
        ({"Items": ["a text", CONTEXT]}, EXECUTION),
        ({**CONTEXT, "_datadog": OTHER}, f"{EXECUTION}2"),
        ([], None),
        (["a text"], None),
        ({"Items": {"a": CONTEXT}}, None),
        ({"Payload": [CONTEXT]}, None),
        ({"Payload": "a text"}, None),
        ("a text", None),
        (None, None),
        *(({key: value for key, value in CONTEXT.items() if key != gone}, None) for gone in CONTEXT),
        *(({**CONTEXT, wrong: "a text"}, None) for wrong in CONTEXT),
    ],
)
def test_a_context_object_is_found_where_a_state_machine_can_put_it_and_only_whole(event, id_):
    assert id_of(event) == id_


FLAT = {"Execution": EXECUTION, "StateMachine": "m", "State": "S"}


@pytest.mark.parametrize("root", [None, "arn:root"])
def test_our_own_field_names_a_root_execution_only_where_it_has_one(root):
    from monitoring.instrumentation.step_functions import FIELD

    field = FLAT if root is None else {**FLAT, "RootExecutionId": root}
    parts = context_parts({FIELD: field})
    assert parts is not None
    context, execution = parts[:2]
    assert execution["Id"] == EXECUTION
    assert context.get("RootExecutionId") == root
    assert ("RootExecutionId" in context, "serverless-version" in context) == (root is not None,) * 2


def record(trace):
    carrier = {"x-datadog-trace-id": str(trace), "x-datadog-parent-id": str(trace * 11)}
    return {"messageAttributes": {"_datadog": {"stringValue": json.dumps(carrier)}}}


BROKEN = [
    {},
    {"messageAttributes": None},
    {"messageAttributes": {"_datadog": {"stringValue": "{"}}},
    "a text",
]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_record_without_a_trace_costs_no_other_record_its_link(broken, place):
    records = [record(1), record(2)]
    records.insert(place, broken)
    parent, links = contexts_of({"Records": records}, "sqs")
    assert int(parent.trace_id, 16) == 1
    assert [int(link["span_id"], 16) for link in links] == [22]


# --- settings: docs/functions.md


@pytest.mark.parametrize("text", ["", " ", "\t", " \n "])
def test_a_number_that_is_blank_is_the_default_and_no_problem(text):
    blank = Settings(lambda name: text if name == "MONITORING_TAG_LIMIT" else "")
    assert blank.problems == []
    assert blank.tag_limit == Settings(lambda _: "").tag_limit


@pytest.mark.parametrize(("length", "shown"), [(59, 59), (60, 60), (61, 60), (500, 60)])
def test_a_wrong_value_is_shown_in_sixty_characters_at_most(length, shown):
    (problem,) = Settings(lambda name: "x" * length if name == "MONITORING_FORMAT" else "").problems
    text = problem.partition("=")[2].partition(" is not valid")[0]
    assert len(text) == shown
    assert text.endswith("…") == (length > 60)


@pytest.mark.parametrize("choice", [[], {}, "ignore", "", 1, object, BaseException, None])
def test_what_follows_a_broken_claim_is_report_raise_or_an_exception(choice):
    with pytest.raises(ValueError, match="write 'report', 'raise'"):
        Claim(lambda event, result: True, choice)


# --- the watchdog: docs/metrics.md (time-outs)


class Bell:
    """A bell that keeps how long the thread sleeps, and ends the thread."""

    def wait(self, seconds):
        self.seconds = seconds
        raise SystemExit


@pytest.mark.parametrize(
    ("wakes", "seconds"),
    [(105.0, 5.0), (100.0, 0.0), (90.0, 0.0), (100.0 + 3600, 3600.0), (1e9, 3600.0), (float("inf"), 3600.0)],
)
def test_the_thread_sleeps_until_it_has_to_wake_and_an_hour_at_most(wakes, seconds, monkeypatch):
    monkeypatch.setattr(timeouts, "_CLOCK", (lambda: 100.0,))
    dog = timeouts._Watchdog()
    dog.bell, dog.wakes = Bell(), wakes
    with pytest.raises(SystemExit):
        dog.run()
    assert dog.bell.seconds == seconds


def test_a_process_is_told_once_to_begin_anew_when_it_forks(monkeypatch):
    told = []
    monkeypatch.setattr(os, "register_at_fork", lambda **calls: told.append(calls))
    monkeypatch.setattr(
        threading, "Thread", lambda **how: SimpleNamespace(start=lambda: told.append(how["daemon"]))
    )
    dog = timeouts._Watchdog()
    dog.start()
    dog.start()
    assert told == [{"after_in_child": dog.forget}, True, True]
    dog.watched[object()] = 1.0
    dog.wakes, before = 1.0, (dog.bell, dog.reporting)
    dog.forget()
    assert (dog.thread, dog.watched, dog.wakes) == (None, {}, float("inf"))
    assert dog.bell is not before[0]
    assert dog.reporting is not before[1]


def test_until_a_coroutine_is_awaited_its_call_is_not_watched_nor_in_the_way_of_others():
    done = []

    class Begun:
        leave = staticmethod(lambda: done.append("left"))

    call = Begun()
    timeouts._watchdog.watched[call] = 1000.0

    async def later():
        """Do nothing."""

    coroutine = later()
    resumed = async_handlers.end_later(coroutine, call, None, {}, None)
    assert call not in timeouts._watchdog.watched
    assert done == ["left"]
    resumed.close()
    coroutine.close()


# --- X-Ray


class Entity:
    def __init__(self):
        self.annotations = {}

    def put_annotation(self, key, value):
        self.annotations[key] = value


@pytest.mark.parametrize(("high", "trace"), [("", "0" * 16), ("abc", "abc".zfill(16)), ("f" * 16, "f" * 16)])
def test_a_segment_is_annotated_with_the_ids_as_datadog_writes_them(high, trace, monkeypatch):
    core = pytest.importorskip("aws_xray_sdk.core")
    entity = Entity()
    recorder = SimpleNamespace(context=SimpleNamespace(_local=SimpleNamespace(entities=[Entity(), entity])))
    monkeypatch.setattr(core, "xray_recorder", recorder)
    for name in ("LAMBDA_TASK_ROOT", "POWERTOOLS_TRACE_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    event = SimpleNamespace(trigger=SimpleNamespace(name="sqs"))
    call = SimpleNamespace(high=high, trace_id="0123456789abcdef", span_id="00000000000000ff", event=event)
    assert xray.annotate(call) is None
    assert entity.annotations == {
        "dd_trace_id": f"{trace}0123456789abcdef",
        "dd_span_id": "255",
        "trigger": "sqs",
    }
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "True")
    entity.annotations.clear()
    assert xray.annotate(call) is None
    assert entity.annotations == {}
