"""What subscribers and targets of the embedded AWS are given, when, and what is counted."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitoring.errors import InputError
from monitoring.local_aws import Deliveries, LocalAws, Undelivered

NOW = int(time.time() * 1000)
CODE = Path(__file__).parent / "code"


@pytest.fixture(scope="module")
def subscriber(aws: LocalAws) -> str:
    aws.client("s3").create_bucket(Bucket="got")
    aws.deploy_function("forwarder", handler="forwarder.handler", code=CODE, timeout=20)
    return "forwarder"


def put(aws: LocalAws, group: str, *messages: str) -> None:
    logs = aws.client("logs")
    aws.create_log_group(group)
    stream = f"stream-{len(aws.log_events())}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": NOW + n, "message": message} for n, message in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def given(got: Callable[[], list[dict[str, Any]]], group: str) -> list[dict[str, Any]]:
    return [each for each in got() if each.get("logGroup") == group]


def since(before: Deliveries, after: Deliveries) -> dict[str, int]:
    names = ("events", "delivered", "deliveries", "failures", "pending")
    return {name: getattr(after, name) - getattr(before, name) for name in names}


def test_a_delivery_is_what_cloudwatch_logs_sends(
    aws: LocalAws, subscriber: str, got: Callable[[], list[dict[str, Any]]]
) -> None:
    aws.subscribe("/app/shape", subscriber)
    put(aws, "/app/shape", "one", "two\nlines", "drei ✓")
    assert aws.drain(20).pending == 0
    (delivery,) = given(got, "/app/shape")
    events = delivery.pop("logEvents")
    assert delivery == {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/app/shape",
        "logStream": delivery["logStream"],
        "subscriptionFilters": ["to-forwarder"],
    }
    assert [event["message"] for event in events] == ["one", "two\nlines", "drei ✓"]
    assert [event["timestamp"] for event in events] == [NOW + n for n in range(3)]
    assert all(set(event) == {"id", "timestamp", "message"} for event in events)
    assert all(len(event["id"]) == 56 and event["id"].isdigit() for event in events)
    received = {event.id: event.message for event in aws.log_events()}
    assert {event["id"]: event["message"] for event in events}.items() <= received.items()


def test_every_event_is_delivered_once_and_several_at_a_time(
    aws: LocalAws, subscriber: str, deploy: Callable[..., str], got: Callable[[], list[dict[str, Any]]]
) -> None:
    name = deploy("chatty", "echo")
    group = f"/aws/lambda/{name}"
    aws.subscribe(group, subscriber)
    before = aws.deliveries()
    for n in range(20):
        aws.invoke(name, n)
    counted = since(before, aws.drain(20))
    deliveries = given(got, group)
    delivered = sorted(event["id"] for each in deliveries for event in each["logEvents"])
    written = sorted(event.id for event in aws.log_events() if event.log_group == group)
    assert delivered == written
    assert len(written) == 1 + 20 * 4
    assert len(deliveries) < len(written) / 2
    assert counted == {
        "events": 81,
        "delivered": 81,
        "deliveries": len(deliveries),
        "failures": 0,
        "pending": 0,
    }


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("", ["MONITORING|1|2|count|a.b|", '{"traces":[]}', "END RequestId: 1"]),
        ("MONITORING", ["MONITORING|1|2|count|a.b|"]),
        ('?MONITORING ?"traces"', ["MONITORING|1|2|count|a.b|", '{"traces":[]}']),
        ('-END -"RequestId: 1"', ["MONITORING|1|2|count|a.b|", '{"traces":[]}']),
    ],
)
def test_a_filter_pattern_chooses(
    aws: LocalAws,
    subscriber: str,
    got: Callable[[], list[dict[str, Any]]],
    pattern: str,
    matched: list[str],
) -> None:
    group = f"/app/pattern{abs(hash(pattern))}"
    aws.subscribe(group, subscriber, pattern)
    put(aws, group, "MONITORING|1|2|count|a.b|", '{"traces":[]}', "END RequestId: 1")
    aws.drain(20)
    messages = [event["message"] for each in given(got, group) for event in each["logEvents"]]
    assert messages == matched


def test_deliveries_take_turns_at_one_worker(
    aws: LocalAws, deploy: Callable[..., str], subscriber: str
) -> None:
    aws.deploy_function("in_turn", handler="forwarder.handler", code=CODE, timeout=20)
    names = [deploy(f"turn{n}", "echo") for n in range(4)]
    for name in names:
        aws.subscribe(f"/aws/lambda/{name}", "in_turn")
    for _ in range(5):
        for name in names:
            aws.invoke(name, "x")
    assert aws.drain(20).pending == 0
    assert aws.functions.workers()["in_turn"] == 1


def test_a_subscriber_that_fails_once_is_tried_again(
    aws: LocalAws, subscriber: str, got: Callable[[], list[dict[str, Any]]]
) -> None:
    aws.subscribe("/app/once", subscriber)
    before = aws.deliveries()
    put(aws, "/app/once", "FAIL ONCE")
    counted = since(before, aws.drain(20))
    assert counted == {"events": 1, "delivered": 1, "deliveries": 1, "failures": 1, "pending": 0}
    assert len(given(got, "/app/once")) == 2


def test_what_fails_three_times_is_kept_as_undelivered(
    aws: LocalAws, subscriber: str, got: Callable[[], list[dict[str, Any]]]
) -> None:
    aws.subscribe("/app/always", subscriber)
    before = aws.deliveries()
    put(aws, "/app/always", "FAIL ALWAYS", "and this with it")
    after = aws.drain(20)
    assert since(before, after) == {
        "events": 2,
        "delivered": 0,
        "deliveries": 0,
        "failures": 3,
        "pending": 0,
    }
    assert len(given(got, "/app/always")) == 3
    lost = after.undelivered[-1]
    assert isinstance(lost, Undelivered)
    assert (lost.source, lost.events) == ("log group /app/always", 2)
    assert "told to fail" in lost.error


def test_a_function_that_is_gone_is_an_undelivered_event_not_a_crash(aws: LocalAws) -> None:
    aws.create_log_group("/app/gone")
    aws.deploy_function("gone", handler="forwarder.handler", code=CODE)
    aws.subscribe("/app/gone", "gone")
    aws.client("lambda").delete_function(FunctionName="gone")
    put(aws, "/app/gone", "hello?")
    lost = aws.drain(20).undelivered[-1]
    assert lost.source == "log group /app/gone"
    assert "UnknownFunction" in lost.error


def test_the_subscribers_own_log_group_needs_asking(aws: LocalAws, subscriber: str) -> None:
    with pytest.raises(InputError, match=r"forwarder would be invoked for every line that it writes itself"):
        aws.subscribe("/aws/lambda/forwarder", subscriber)
    aws.subscribe("/aws/lambda/forwarder", subscriber, "NEVER SAID", own=True)


def test_draining_tells_what_is_left_when_the_time_is_up(aws: LocalAws, deploy: Callable[..., str]) -> None:
    aws.client("lambda").invoke(
        FunctionName=deploy("sleeps"), InvocationType="Event", Payload=json.dumps({"seconds": 0.8})
    )
    assert aws.drain(0.2).pending == 1
    assert aws.drain(10).pending == 0


def test_a_rule_of_eventbridge_invokes_its_function(
    aws: LocalAws, subscriber: str, got: Callable[[], list[dict[str, Any]]]
) -> None:
    events = aws.client("events")
    events.put_rule(Name="mine", EventPattern=json.dumps({"source": ["my.app"]}))
    events.put_targets(Rule="mine", Targets=[{"Id": "1", "Arn": aws.function_arn(subscriber)}])
    entry = {"Source": "my.app", "DetailType": "Happened", "Detail": '{"what": 1}'}
    assert events.put_events(Entries=[entry, {**entry, "Source": "other"}])["FailedEntryCount"] == 0
    aws.drain(20)
    (event,) = [each for each in got() if each.get("detail-type") == "Happened"]
    assert event["detail"] == {"what": 1}
    assert (event["source"], event["account"], event["region"]) == ("my.app", "123456789012", "us-east-1")
    assert event["time"].endswith("Z")
    assert list(event) == [
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    ]


def test_writers_at_the_same_time_get_ids_of_their_own(aws: LocalAws, deploy: Callable[..., str]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    name = deploy("crowd", "echo")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: aws.invoke(name, n), range(24)))
    ids = [event.id for event in aws.log_events()]
    assert len(set(ids)) == len(ids)
