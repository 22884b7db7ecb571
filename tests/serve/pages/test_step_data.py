"""Input and output of states on an execution's page: paired, compared, and without secrets."""

import json

import pytest
from asgi import Client
from hypothesis import given
from hypothesis import strategies as st

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.serve.step_data import MASK, ValueChange, differences, masked, step_data
from monitoring.store import Store

NOW = 1_795_740_000
ARN = "arn:aws:states:us-east-1:123456789012:execution:shop:run-1"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


def event(number, kind, arn=ARN, **details):
    body = {"id": str(number), "type": kind, "details": details, "previous_event_id": str(number - 1)}
    body |= {"event_timestamp": str(NOW * 1000 + number), "execution_arn": arn}
    return {"message": json.dumps(body), "timestamp": NOW * 1000 + number, "ddsource": "stepfunction"}


def entered(number, name, value=None, kind="Task", arn=ARN):
    more = {} if value is None else {"input": value if isinstance(value, str) else json.dumps(value)}
    return event(number, f"{kind}StateEntered", arn, name=name, **more)


def left(number, name, value=None, kind="Task", arn=ARN):
    more = {} if value is None else {"output": value if isinstance(value, str) else json.dumps(value)}
    return event(number, f"{kind}StateExited", arn, name=name, **more)


def read(*logs):
    with Store.open() as store:
        store.add_logs(logs)
        return step_data(store, ARN, NOW - 10, NOW + 10)


def test_a_state_has_its_input_its_output_and_what_differs():
    (step,) = read(entered(2, "Pay", {"order": 7, "old": 1}), left(5, "Pay", {"order": 7, "paid": True}))
    assert (step.name, json.loads(step.input), json.loads(step.output)) == (
        "Pay",
        {"order": 7, "old": 1},
        {"order": 7, "paid": True},
    )
    assert list(step.changes) == [ValueChange("$.old", "1", None), ValueChange("$.paid", None, "true")]


def test_states_stand_in_the_order_of_their_events_however_they_arrived():
    logs = [entered(2, "A", 1), left(3, "A", 2), entered(4, "B", 2), left(5, "B", 3)]
    assert [step.name for step in read(*logs[::-1])] == ["A", "B"]


def test_a_state_that_is_entered_twice_has_each_time_its_own_exit():
    logs = [entered(2, "A", 1), left(3, "A", 2), entered(4, "A", 2), left(5, "A", 3)]
    assert [(step.input, step.output) for step in read(*logs)] == [("1", "2"), ("2", "3")]


def test_a_state_that_was_not_left_has_no_output():
    logs = [entered(2, "A", 1), left(3, "A", 2), entered(4, "A", 2)]
    assert [step.output for step in read(*logs)] == ["2", ""]


def test_an_event_that_came_twice_counts_once():
    assert len(read(entered(2, "A", 1), entered(2, "A", 1), left(3, "A", 2), left(3, "A", 2))) == 1


def test_another_execution_whose_name_begins_so_is_another_one():
    assert read(entered(2, "A", 1, arn=f"{ARN}0")) == []


@pytest.mark.parametrize("text", ['{"cut": "of', "not JSON", "[" * 100_000])
def test_data_that_cannot_be_read_are_shown_as_they_are(text):
    (step,) = read(entered(2, "A", text), left(3, "A", 1))
    assert step.input.startswith('"' + text[:8].replace('"', '\\"'))


def test_without_execution_data_the_page_has_no_such_part():
    (step,) = read(entered(2, "A"), left(3, "A"))
    assert (step.input, step.output, list(step.changes)) == ("", "", [])
    assert "Input and output" not in page(entered(2, "A"), left(3, "A"))


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Password",
        "apiKey",
        "api_key",
        "x-api-key",
        "clientSecret",
        "accessToken",
        "Authorization",
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [lambda v: v, lambda v: [v], lambda v: {"a": [{"b": v}]}, json.dumps],
    ids=["plain", "list", "deep", "text"],
)
def test_a_secret_is_masked_at_any_depth_and_in_json_in_a_text(key, wrap):
    value = wrap({key: "hunter2", "order": 7})
    assert "hunter2" not in json.dumps(masked(value))
    assert MASK in json.dumps(masked(value))
    assert "7" in json.dumps(masked(value))
    text = page(entered(2, "A", {"body": value}), left(3, "A", {"body": value, "more": value}))
    assert "Input and output" in text
    assert "hunter2" not in text


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value):
    assert list(differences(value, value)) == []


@given(VALUES, VALUES)
def test_values_that_are_not_equal_differ(before, after):
    same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    assert bool(list(differences(before, after))) is not same


def page(*logs):
    span = {"trace_id": "aa", "span_id": "1", "parent_id": "0", "name": "aws.stepfunctions", "service": "s"}
    span |= {"resource": "shop", "start": NOW * 10**9, "duration": 10**9, "error": 0, "metrics": {}}
    with Store.open() as store:
        store.add_spans([{**span, "meta": {"executionarn": ARN, "status": "succeeded"}}])
        store.add_logs(logs)
        app = create_app(store, routes=page_routes(store, clock=lambda: NOW))
        return Client(app, base_url="http://127.0.0.1").get(f"/executions/{ARN}").text


def test_the_page_escapes_names_paths_and_values():
    evil = "<script>alert(1)</script>"
    text = page(entered(2, evil, {evil: evil}), left(3, evil, {evil: f"{evil}2"}))
    assert "Input and output" in text
    assert evil not in text
