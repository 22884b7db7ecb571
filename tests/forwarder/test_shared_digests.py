"""Forwarders that share a table of digests know what the other has sent."""

import boto3
import pytest
from moto import mock_aws

from monitoring.forwarder.digests import InDynamoDb


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


def test_what_one_function_has_sent_another_knows(table: str, monkeypatch: pytest.MonkeyPatch):
    """The one that redrives is not the one that has spooled."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "states-forwarder")
    first = InDynamoDb(table, 60)
    first.remember("a")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "forwarder")
    second = InDynamoDb(table, 60)
    assert (second.known("a"), second.known("b")) == (True, False)
    assert (first.failures, second.failures) == (0, 0)
