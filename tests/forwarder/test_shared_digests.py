"""Forwarders that share a table of digests know what the other has sent."""

import boto3
import pytest
from moto import mock_aws

from monitoring.forwarder.digests import InDynamoDb, Position


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="digests",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        yield "digests"


DIGESTS = [f"{part:0>24}{record:0>40}" for record in "ab" for part in "123"]


def calls(client):
    """The operations that are made of DynamoDB, in order."""
    made = []
    client.meta.events.register("before-call.dynamodb", lambda model, **_: made.append(model.name))
    return made


@pytest.fixture
def client(table: str):
    return boto3.client("dynamodb")


def memory(client, now=1000.0):
    return InDynamoDb("digests", 60, lambda _: client, lambda: now)


def test_what_one_function_has_sent_another_knows(client):
    """The one that redrives is not the one that has spooled."""
    first, second = memory(client), memory(client)
    with Position(first) as position:
        position.remember(DIGESTS[0])
    with Position(second) as position:
        assert [position.known(digest) for digest in DIGESTS[:3]] == [True, False, False]
    with Position(second) as position:
        assert not position.known(DIGESTS[3])
    assert (first.failures, second.failures) == (0, 0)


def test_the_batches_of_a_position_cost_one_read_and_one_write(client):
    made = calls(client)
    with Position(memory(client)) as position:
        for digest in DIGESTS[:3]:
            position.begin()
            assert not position.known(digest)
            position.remember(digest)
            position.end()
    assert made == ["GetItem", "UpdateItem"]


def test_what_is_known_already_costs_one_read_and_in_the_same_process_nothing(client):
    first = memory(client)
    with Position(first) as position:
        position.known(DIGESTS[0])
        position.remember(DIGESTS[0])
    made = calls(client)
    for own in (first, memory(client)):
        with Position(own) as position:
            assert position.known(DIGESTS[0])
    assert made == ["GetItem"]


def test_a_later_attempt_adds_to_what_an_earlier_one_saved(client):
    for digest in DIGESTS[:2]:
        with Position(memory(client)) as position:
            position.remember(digest)
    with Position(memory(client)) as position:
        assert [position.known(digest) for digest in DIGESTS[:3]] == [True, True, False]


@pytest.mark.parametrize(("later", "known"), [(59, True), (61, False)])
def test_what_has_expired_is_not_known_although_the_table_still_has_it(client, later, known):
    with Position(memory(client)) as position:
        position.remember(DIGESTS[0])
    with Position(memory(client, 1000.0 + later)) as position:
        assert position.known(DIGESTS[0]) is known


def test_a_position_with_many_batches_is_written_before_it_ends(client):
    made = calls(client)
    with Position(memory(client)) as position:
        for number in range(20):
            position.remember(f"{number:024}" + "a" * 40)
        assert made.count("UpdateItem") == 2
    assert made.count("UpdateItem") == 3


def test_what_was_accepted_is_written_before_another_batch_waits(client):
    made = calls(client)
    with Position(memory(client)) as position:
        position.remember(DIGESTS[0])
        position.save()
        assert made == ["UpdateItem"]
        position.save()
    assert made == ["UpdateItem"]


def test_a_table_that_is_not_there_fails_one_read_and_one_write(client):
    absent = InDynamoDb("missing", 60, lambda _: client)
    with Position(absent) as position:
        for digest in DIGESTS[:3]:
            assert not position.known(digest)
            position.remember(digest)
    assert absent.failures == 2


def test_an_item_of_another_shape_is_a_failure_and_known_to_hold_nothing(client):
    client.put_item(
        TableName="digests",
        Item={"id": {"S": "stepscope.forwarder#" + DIGESTS[0][24:]}, "expiration": {"N": "9999999"}},
    )
    own = memory(client)
    with Position(own) as position:
        assert not position.known(DIGESTS[0])
    assert own.failures == 1
