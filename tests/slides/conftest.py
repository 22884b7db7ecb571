"""The pipeline's world in one process: moto, the settings that the functions have, and the shipped deck."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.slides import aws, identify
from handlers.slides.deck import Deck, shipped_deck
from handlers.slides.learn import learn
from handlers.slides.model import Model
from handlers.slides.seed import MODEL_KEY, put_slides

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "MODEL_BUCKET": "model",
    "MODEL_KEY": MODEL_KEY,
    "SLIDES_TABLE": "slides",
    "STATE_TABLE": "state",
    "DOCUMENTS_BUCKET": "documents",
    "SITE_BUCKET": "site",
    "BUILD_PROJECT": "project",
}


@pytest.fixture(scope="session")
def deck() -> Deck:
    return shipped_deck()


@pytest.fixture(scope="session")
def model(deck: Deck) -> Model:
    return learn(deck)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, deck: Deck, model: Model) -> Iterator[SimpleNamespace]:
    """Buckets, tables, topic, distribution and project; the talk's slides and the model are there."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws.client.cache_clear()
    identify.model.cache_clear()
    with mock_aws():
        yield _furnish(monkeypatch, deck, model)
    aws.client.cache_clear()
    identify.model.cache_clear()


def _furnish(monkeypatch: pytest.MonkeyPatch, deck: Deck, model: Model) -> SimpleNamespace:
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    for bucket in ("photos", "model", "documents", "site"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="model", Key=MODEL_KEY, Body=model.dump())
    for table, keys in (("slides", ("talk", "slide")), ("state", ("talk",))):
        kinds = zip(keys, ("HASH", "RANGE"), strict=False)
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds],
        )
    put_slides("slides", deck, "talk", {"s02": {"see_also": ["s01"]}, "s14": None})
    topic = boto3.client("sns").create_topic(Name="slides")["TopicArn"]
    monkeypatch.setenv("TOPIC_ARN", topic)
    monkeypatch.setenv("DISTRIBUTION_ID", _distribution())
    boto3.client("codebuild").create_project(
        name="project",
        source={"type": "NO_SOURCE", "location": "none"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole="arn:aws:iam::123456789012:role/build",
    )
    return SimpleNamespace(s3=s3, dynamodb=dynamodb, topic=topic)


def _distribution() -> str:
    origin = {
        "Id": "site",
        "DomainName": "site.s3.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    config: Any = {
        "CallerReference": "test",
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https"},
    }
    made = boto3.client("cloudfront").create_distribution(DistributionConfig=config)
    return str(made["Distribution"]["Id"])


@pytest.fixture
def context() -> SimpleNamespace:
    """What Lambda hands to a handler, as far as the steps look at it."""
    return SimpleNamespace(
        aws_request_id="11111111-2222-3333-4444-555555555555",
        function_name="step",
        function_version="$LATEST",
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:step",
        memory_limit_in_mb=256,
        log_group_name="/aws/lambda/step",
        log_stream_name="stream",
        get_remaining_time_in_millis=lambda: 10_000,
    )
