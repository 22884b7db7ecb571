"""What invoked the function, for every source: name, resource, ages; and whatever else may come in."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lambda_events import EVENTS, NO_TRIGGER

from monitoring import monitored
from monitoring.capture import capture
from monitoring.context import TRIGGERS, describe, trigger_of
from monitoring.instrumentation.triggers import iso_seconds

CASES = [pytest.param(trigger, resource, event, id=name) for name, trigger, resource, event in EVENTS]


@pytest.mark.parametrize(("trigger", "resource", "event"), CASES)
def test_every_documented_event_is_known_with_its_resource(trigger, resource, event):
    before = copy.deepcopy(event)
    assert trigger_of(event) == trigger
    assert describe(event).resource == resource
    assert event == before


@pytest.mark.parametrize("event", NO_TRIGGER, ids=repr)
def test_anything_else_is_unknown(event):
    assert trigger_of(event) == "unknown"
    assert describe(event).name == "unknown"


def test_every_name_has_an_event_among_the_samples():
    assert {trigger for _, trigger, _, _ in EVENTS} | {"unknown"} == set(TRIGGERS)


@pytest.mark.parametrize(("trigger", "resource", "event"), CASES)
def test_the_trigger_is_a_tag_and_a_field_of_the_span(trigger, resource, event):
    with capture() as emitted:
        monitored(lambda event, context: None)(event, None)
    emitted.assert_count("stepscope.invocations", 1, tags={"trigger": trigger})
    meta = emitted.trace()[0]["meta"]
    assert (meta["trigger"], meta.get("trigger.resource", "")) == (trigger, resource)
    if resource:
        emitted.assert_count("stepscope.invocations", 1, tags={"trigger_resource": resource})


AGED = {
    "s3": 1567539447.192,
    "dynamodb": 1479499740,
    "kinesis": 1545084650.987,
    "sns": 1546433107,
    "ses": 0.123,
    "eventbridge": 1513968228,
    "codecommit": 1552424305.4,
    "config": 1455672994.043,
    "alexa skill": 1477592504,
    "api gateway rest": 1583349317.135,
    "api gateway http": 1583817383.22,
    "sqs": 1545082649.183,
    "function url": 1583817383.22,
    "kafka, managed": 1545084650.987,
    "firehose": 1510772160,
}


@pytest.mark.parametrize("name", AGED)
def test_the_time_of_an_event_is_read_where_it_has_one(name):
    event = next(event for shape, _, _, event in EVENTS if shape == name)
    assert describe(event).oldest == pytest.approx(AGED[name])


def test_ages_are_printed_for_queues_and_for_streams(monkeypatch):
    import time

    monkeypatch.setattr(time, "time", lambda: 1545084660.987)
    samples = {name: event for name, _, _, event in EVENTS}
    stream = copy.deepcopy(samples["kinesis"])
    later = copy.deepcopy(stream["Records"][0])
    later["kinesis"]["approximateArrivalTimestamp"] += 4
    stream["Records"].append(later)
    with capture() as emitted:
        monitored(lambda event, context: None)(samples["sqs"], None)
        monitored(lambda event, context: None)(stream, None)
    sqs, kinesis = emitted.points("stepscope.event.age")
    assert (sqs.value, kinesis.value) == (2011804, 10000)
    emitted.assert_value("stepscope.iterator.age", 6000, tags={"trigger_resource": "lambda-stream"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


class Raises(dict):
    def __contains__(self, key):
        raise RuntimeError("no")

    def get(self, key, default=None):
        raise RuntimeError("no")


@given(JSON)
def test_any_json_has_a_name_and_nothing_raises(event):
    assert trigger_of(event) in TRIGGERS


@given(st.data())
def test_a_documented_event_with_any_field_replaced_has_a_name_and_nothing_raises(data):
    event = copy.deepcopy(data.draw(st.sampled_from(EVENTS))[3])
    place = event
    for _ in range(data.draw(st.integers(0, 4))):
        keys = (
            list(place)
            if isinstance(place, dict)
            else list(range(len(place)))
            if isinstance(place, list)
            else []
        )
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    assert describe(event).name == trigger_of(event)


@pytest.mark.parametrize(
    "event", [Raises(), [Raises()], {"Records": Raises()}, object(), lambda: 1, b"x", {1: 2}, {1, 2}]
)
def test_an_event_of_any_type_and_behaviour_is_unknown(event):
    assert trigger_of(event) == "unknown"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T12:30:45.5Z", 951827445.5),
        ("2026-11-23T10:00:00+01:00", 1795424400),
        ("2026-11-23T10:00:00-0130", 1795433400),
        ("2100-03-01T00:00:00", 4107542400),
        ("soon", None),
        ("", None),
        ("2026-11-23", None),
        ("2026-11-23T10:00:00.xZ", None),
    ],
)
def test_a_time_is_read_without_datetime(text, seconds):
    assert iso_seconds(text) == seconds


@given(st.datetimes(timezones=st.just(__import__("datetime").UTC)))
def test_a_time_is_read_as_datetime_reads_it(moment):
    if moment.year >= 1000:
        assert iso_seconds(moment.isoformat()) == pytest.approx(moment.timestamp(), abs=1e-5, rel=1e-12)
