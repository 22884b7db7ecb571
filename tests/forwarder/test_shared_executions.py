"""Executions whose payloads go to several environments: the same points and spans as in one, each once."""

import json
from collections import Counter
from itertools import pairwise

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from monitoring.forwarder.executions import Executions
from monitoring.forwarder.shared_executions import SharedExecutions, packed, unpacked
from monitoring.log_events.step_events import StepEvent

ARN = "arn:aws:states:eu-west-1:123456789012:execution:shop:order-{}"
NAMED = {
    "_datadog": {"x-datadog-trace-id": "7", "x-datadog-parent-id": "9", "x-datadog-sampling-priority": "1"}
}
ROWS = [
    ("ExecutionStarted", 0, {"input": json.dumps(NAMED)}),
    ("TaskStateEntered", 0, {"name": "Pay"}),
    ("TaskScheduled", 2, {"resourceType": "lambda", "resource": "invoke"}),
    ("TaskFailed", 3, {"error": "Busy", "cause": "come later"}),
    ("TaskScheduled", 4, {"resourceType": "lambda", "resource": "invoke"}),
    ("TaskSucceeded", 5, {"output": "x" * 1000}),
    ("TaskStateExited", 6, {"name": "Pay"}),
    ("MapStateEntered", 7, {"name": "Each"}),
    ("MapStateStarted", 8, {"length": 1}),
    ("MapIterationStarted", 9, {"name": "Each", "index": 0}),
    ("PassStateEntered", 10, {"name": "Tell"}),
    ("PassStateExited", 11, {"name": "Tell"}),
    ("MapIterationSucceeded", 12, {"name": "Each", "index": 0}),
    ("MapStateSucceeded", 13, {}),
    ("MapStateExited", 14, {"name": "Each"}),
    ("ExecutionSucceeded", 15, {}),
]


def story(number=1):
    return [
        StepEvent(ARN.format(number), n, kind, 1_763_000_000_000 + 1000 * n, previous, details)
        for n, (kind, previous, details) in enumerate(ROWS, 1)
    ]


class Table:
    """What the table promises: appends in one order, each payload's once."""

    def __init__(self):
        self.items = {}

    def append(self, events):
        parts = self.items.setdefault(events[0].execution, [])
        name = tuple(event.id for event in events)
        if name not in [part for part, _ in parts]:
            parts.append((name, packed(events)))
        before = []
        for part, content in parts:
            if part == name:
                break
            before += unpacked(events[0].execution, content)
        return before


def told(results):
    """Points and spans, each with how often it was told."""
    points, spans = Counter(), Counter()
    for own_points, own_spans in results:
        points.update(own_points)
        spans.update(
            (s.trace_id, s.span_id, s.parent_id, s.name, s.start, s.duration, s.error) for s in own_spans
        )
    return points, spans


WHOLE = told([Executions().take(story())])


def test_the_story_has_every_kind_of_run():
    assert {name for _, _, _, name, *_ in WHOLE[1]} == {
        "aws.stepfunctions", "aws.stepfunctions.state", "aws.stepfunctions.attempt", "aws.stepfunctions.iteration",
    }  # fmt: skip


@given(
    cuts=st.sets(st.integers(1, len(ROWS) - 1), max_size=6),
    order=st.randoms(use_true_random=False),
    environments=st.integers(1, 4),
)
@settings(max_examples=200, deadline=None)
def test_any_cut_over_any_environments_tells_the_whole(cuts, order, environments):
    """In the order in which CloudWatch Logs sends them; which environment gets which is chance."""
    events, table = story(), Table()
    bounds = [0, *sorted(cuts), len(events)]
    everyone = [Executions(shared=table) for _ in range(environments)]
    results = [order.choice(everyone).take(events[i:j]) for i, j in pairwise(bounds)]
    assert told(results) == WHOLE


@given(cuts=st.sets(st.integers(1, len(ROWS) - 1), max_size=5), order=st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_payloads_in_any_order_tell_what_one_environment_would(cuts, order):
    events, table, alone = story(), Table(), Executions()
    bounds = [0, *sorted(cuts), len(events)]
    parts = [events[i:j] for i, j in pairwise(bounds)]
    order.shuffle(parts)
    assert told([Executions(shared=table).take(part) for part in parts]) == told(
        [alone.take(part) for part in parts]
    )


@given(cut=st.integers(1, len(ROWS) - 1), first=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_payload_that_comes_again_tells_the_same_again(cut, first):
    """In another environment, after the rest of the execution has come."""
    events, table = story(), Table()
    parts = (events[:cut], events[cut:])
    results = [Executions(shared=table).take(part) for part in parts]
    again = Executions(shared=table).take(parts[0 if first else 1])
    assert told([again]) == told([results[0 if first else 1]])


@pytest.mark.parametrize("number", [1, 3])
def test_executions_in_one_payload_stay_apart(number):
    events = [event for n in range(number) for event in story(n)]
    table = Table()
    parts = [[e for e in events if e.id <= 7], [e for e in events if e.id > 7]]
    results = told([Executions(shared=table).take(part) for part in parts])
    assert results == told([Executions().take(events)])


def test_an_execution_that_is_whole_in_one_payload_costs_no_call():
    table = Table()
    assert told([Executions(shared=table).take(story())]) == WHOLE
    assert table.items == {}


def test_an_execution_that_failed_is_kept_for_its_redrive():
    table = Table()
    failed = [*story()[:4], StepEvent(ARN.format(1), 5, "ExecutionFailed", 1_763_000_006_000, 4, {})]
    Executions(shared=table).take(failed)
    assert len(table.items) == 1


def test_what_is_stored_has_neither_input_nor_output():
    (content,) = [packed(story()[4:7])]
    assert b"xxx" not in json.dumps([e.details for e in unpacked("a", content)]).encode()
    table = Table()
    Executions(shared=table).take(story()[:3])
    (((_, stored),),) = table.items.values()
    assert all("input" not in event.details for event in unpacked("a", stored))


# -- the table itself


@pytest.fixture
def dynamodb(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        yield client


@pytest.fixture
def shared(dynamodb):
    return SharedExecutions("t", lambda _: dynamodb, lambda: 1000.0)


def test_appends_are_ordered_and_a_payload_finds_what_stood_before_it(shared, dynamodb):
    events = story()
    parts = [events[:3], events[3:8], events[8:]]
    assert [[e.id for e in shared.append(part)] for part in parts] == [
        [],
        [1, 2, 3],
        [1, 2, 3, 4, 5, 6, 7, 8],
    ]
    assert [[e.id for e in shared.append(part)] for part in parts] == [
        [],
        [1, 2, 3],
        [1, 2, 3, 4, 5, 6, 7, 8],
    ]
    assert shared.failures == 0
    (item,) = dynamodb.scan(TableName="t")["Items"]
    assert item["expiration"] == {"N": str(1000 + 7 * 86_400)}
    assert len(item["log"]["L"]) == 3


def test_executions_over_the_table_tell_the_whole(shared):
    events = story()
    results = [Executions(shared=shared).take(part) for part in (events[:6], events[6:11], events[11:])]
    assert told(results) == WHOLE


def test_a_table_that_is_not_there_leaves_the_process_its_own_memory(dynamodb):
    shared = SharedExecutions("missing", lambda _: dynamodb)
    executions = Executions(shared=shared)
    assert told([executions.take(part) for part in (story()[:6], story()[6:])]) == WHOLE
    assert shared.failures == 2


def test_an_item_that_is_full_leaves_the_process_its_own_memory(shared, dynamodb, monkeypatch):
    """DynamoDB refuses items of more than 400 kB."""
    error = dynamodb.exceptions.ClientError({"Error": {"Code": "ValidationException"}}, "UpdateItem")

    def refused(**_):
        raise error

    monkeypatch.setattr(dynamodb, "update_item", refused)
    assert shared.append(story()) is None
    assert shared.failures == 1
