"""A resource that denies, throttles or is gone answers with AWS's own codes and statuses, whoever calls it."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from monitoring.local_aws import LocalAws
from monitoring.local_aws.authorization import ApiCall, Location, resource_refusal
from monitoring.local_aws.refusals import KINDS, BrokenResources, Kind

HERE = "us-east-1:123456789012"
QUEUE_URL = f"https://sqs.us-east-1.amazonaws.com/{HERE.partition(':')[2]}/broken"
RESOURCES = {
    "dynamodb": f"arn:aws:dynamodb:{HERE}:table/broken",
    "sqs": f"arn:aws:sqs:{HERE}:broken",
    "sns": f"arn:aws:sns:{HERE}:broken",
    "s3": "arn:aws:s3:::broken",
    "kinesis": f"arn:aws:kinesis:{HERE}:stream/broken",
}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("put_item", {"TableName": "broken", "Item": {"id": {"S": "1"}}}),
    "sqs": ("send_message", {"QueueUrl": QUEUE_URL, "MessageBody": "x"}),
    "sns": ("publish", {"TopicArn": RESOURCES["sns"], "Message": "x"}),
    "s3": ("put_object", {"Bucket": "broken", "Key": "a/b", "Body": b"x"}),
    "kinesis": ("put_record", {"StreamName": "broken", "Data": b"x", "PartitionKey": "x"}),
}
CODES = {
    "dynamodb": {
        "denies": ("AccessDeniedException", 400),
        "throttles": ("ProvisionedThroughputExceededException", 400),
        "gone": ("ResourceNotFoundException", 400),
    },
    "sqs": {
        "denies": ("AccessDenied", 403),
        "throttles": ("RequestThrottled", 403),
        "gone": ("AWS.SimpleQueueService.NonExistentQueue", 400),
    },
    "sns": {
        "denies": ("AuthorizationError", 403),
        "throttles": ("Throttling", 400),
        "gone": ("NotFound", 404),
    },
    "s3": {"denies": ("AccessDenied", 403), "throttles": ("SlowDown", 503), "gone": ("NoSuchBucket", 404)},
    "kinesis": {
        "denies": ("AccessDeniedException", 400),
        "throttles": ("ProvisionedThroughputExceededException", 400),
        "gone": ("ResourceNotFoundException", 400),
    },
}
STATES = {
    "dynamodb": (
        "arn:aws:states:::dynamodb:putItem",
        ("AmazonDynamoDBException", "ProvisionedThroughputExceededException", "ResourceNotFoundException"),
    ),
    "sqs": (
        "arn:aws:states:::sqs:sendMessage",
        ("AmazonSQSException", "RequestThrottledException", "QueueDoesNotExistException"),
    ),
    "sns": (
        "arn:aws:states:::sns:publish",
        ("AuthorizationErrorException", "AmazonSNSException", "NotFoundException"),
    ),
    "s3": (
        "arn:aws:states:::aws-sdk:s3:putObject",
        ("S3Exception", "S3Exception", "NoSuchBucketException"),
    ),
}
"""Resource of a task -> the error of a state that is refused, by kind, without its prefix."""


@pytest.fixture(scope="module", autouse=True)
def resources(aws: LocalAws) -> None:
    aws.client("dynamodb").create_table(
        TableName="broken",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.client("s3").create_bucket(Bucket="broken")
    aws.client("sns").create_topic(Name="broken")
    aws.client("sqs").create_queue(QueueName="broken")
    aws.client("kinesis").create_stream(StreamName="broken", ShardCount=1)


@pytest.fixture
def mended(aws: LocalAws) -> Iterator[BrokenResources]:
    yield aws.host.broken
    for arn in RESOURCES.values():
        aws.host.broken.mend(arn)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("service", CALLS)
def test_a_client_gets_the_code_and_status_of_the_service(
    aws: LocalAws, mended: BrokenResources, service: str, kind: Kind
) -> None:
    method, parameters = CALLS[service]
    call = getattr(aws.client(service), method)
    mended.break_(RESOURCES[service], kind)
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    response = refused.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    assert (response["Error"]["Code"], status) == CODES[service][kind]
    assert response["Error"]["Message"]
    mended.mend(RESOURCES[service])
    assert call(**parameters)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(("kind", "status"), [("denies", 403), ("throttles", 503), ("gone", 404)])
def test_the_answer_to_head_has_a_status_and_nothing_else(
    aws: LocalAws, mended: BrokenResources, kind: Kind, status: int
) -> None:
    mended.break_(RESOURCES["s3"], kind)
    for call, parameters in (("head_bucket", {}), ("head_object", {"Key": "a"})):
        with pytest.raises(ClientError) as refused:
            getattr(aws.client("s3"), call)(Bucket="broken", **parameters)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize("at", range(len(KINDS)))
@pytest.mark.parametrize("service", STATES)
def test_a_state_fails_with_the_error_of_its_integration(
    aws: LocalAws, mended: BrokenResources, service: str, at: int
) -> None:
    resource, errors = STATES[service]
    parameters = {key: value for key, value in CALLS[service][1].items() if key != "Body"}
    state = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}
    name = f"broken-{service}-{KINDS[at]}"
    aws.deploy_state_machine(name, {"StartAt": "A", "States": {"A": state}})
    mended.break_(RESOURCES[service], KINDS[at])
    ended = aws.wait(aws.start(name, {}))
    assert (ended["status"], ended["error"].partition(".")[2]) == ("FAILED", errors[at])
    assert ended["cause"]


PLACE = Location("us-east-1", "123456789012")
TABLE = RESOURCES["dynamodb"]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "refused"),
    [
        ("dynamodb", "Query", {"TableName": "broken", "IndexName": "by-day"}, True),
        ("dynamodb", "BatchWriteItem", {"RequestItems": {"whole": [], "broken": []}}, True),
        ("dynamodb", "TransactGetItems", {"TransactItems": [{"Get": {"TableName": "broken"}}]}, True),
        ("dynamodb", "PutItem", {"TableName": TABLE}, True),
        ("dynamodb", "PutItem", {"TableName": "broken-2"}, False),
        ("dynamodb", "PutItem", {"TableName": "broke"}, False),
        ("dynamodb", "ListTables", {}, False),
        ("s3", "GetObject", {"Bucket": "broken", "Key": "x"}, False),
        ("sts", "GetCallerIdentity", {}, False),
    ],
)
def test_only_calls_of_the_broken_resource_are_refused(
    service: str, operation: str, parameters: dict[str, Any], refused: bool
) -> None:
    broken = BrokenResources()
    broken.break_(TABLE, "gone")
    assert (resource_refusal(broken, ApiCall(service, operation, parameters), PLACE) is not None) is refused


def test_the_resources_of_calls_are_noted_from_then_on() -> None:
    broken = BrokenResources()
    call = ApiCall("dynamodb", "PutItem", {"TableName": "broken"})
    assert resource_refusal(broken, call, PLACE) is None
    assert broken.called is None
    broken.watch()
    assert resource_refusal(broken, call, PLACE) is None
    assert broken.called == {TABLE}
