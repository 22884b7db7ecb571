"""deploy/forwarder.yaml: valid, least privilege by the calls that are made, its parameters and settings complete."""

import base64
import json
import re
from pathlib import Path

import boto3
import pytest
import yaml
from aws_lambda_powertools.utilities import parameters
from botocore.client import BaseClient
from moto import mock_aws
from roads import NOW, Clock

from monitoring.forwarder import subscriber
from monitoring.forwarder.forwarder import Forwarder, World
from monitoring.forwarder.settings import ForwarderSettings, settings_table
from monitoring.forwarder.subscriptions import SubscriberSettings, Subscriptions

TEMPLATE = Path(__file__).parents[2] / "deploy" / "forwarder.yaml"
TEXT = TEMPLATE.read_text()
REGION = "us-east-1"

pytestmark = pytest.mark.checkout


class _Loader(yaml.SafeLoader):
    pass


def _tagged(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _tagged)
CONTENT = yaml.load(TEXT, _Loader)
RESOURCES = CONTENT["Resources"]

# -- permissions: the calls of every feature, against the statements

WITHOUT_A_CALL = {
    "ForwarderRole": {
        "logs:CreateLogStream": "Lambda writes the function's log",
        "logs:PutLogEvents": "Lambda writes the function's log",
        "s3:ListBucket": "without it a missing object is a 403, and a redrive cannot tell that it is gone",
        "kms:GenerateDataKey": "SQS, S3 and DynamoDB encrypt with the customer's key in the function's name",
        **dict.fromkeys(
            [
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            "Lambda reads the stream in the function's name",
        ),
        "sqs:GetQueueAttributes": "Lambda reads a queue that has a mapping in the function's name",
        "ec2:CreateNetworkInterface": "Lambda makes the interfaces of a function in a VPC",
        "ec2:DescribeNetworkInterfaces": "the same",
        "ec2:DescribeSubnets": "the same",
        "ec2:DeleteNetworkInterface": "the same",
        "ec2:AssignPrivateIpAddresses": "the same",
        "ec2:UnassignPrivateIpAddresses": "the same",
    },
    "SubscriberRole": {
        "logs:CreateLogStream": "Lambda writes the function's log",
        "logs:PutLogEvents": "Lambda writes the function's log",
        "kms:Decrypt": "Lambda decrypts the function's variables",
        "iam:PassRole": "CloudWatch Logs takes the role with which it writes to the stream",
    },
}
"""Actions that no call of ours shows, and who needs them."""
NAMES = {"s3:ListObjectsV2": "s3:ListBucket", "resourcegroupstaggingapi:GetResources": "tag:GetResources"}
"""Operations whose action has another name."""


def allowed(role):
    """The actions of a role, those under a condition of the template included."""
    statements = RESOURCES[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return {action for statement in flat(statements) for action in listed(statement["Action"])}


def flat(statements):
    for statement in statements:
        yield statement["If"][1] if "If" in statement else statement


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.fixture
def calls(monkeypatch):
    """Every call of AWS that is made, as IAM names its action."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    made, make_call = set(), BaseClient._make_api_call

    def noted(self, operation, parameters):
        service = self.meta.service_model.service_name
        action = f"{'states' if service == 'stepfunctions' else service}:{operation}"
        made.add(NAMES.get(action, action))
        return make_call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    parameters.clear_caches()
    with mock_aws():
        yield made
    parameters.clear_caches()


def forward(intake, events, *, down, **environ):
    """One process of the forwarder that handles events."""
    intake.script = (lambda *_: (503, {}, b"")) if down else None
    clock = Clock()
    world = World(clients=boto3.client, monotonic=clock, sleep=clock.sleep, chance=lambda: 0.0)
    settings = {"DD_URL": intake.url, "MONITORING_RETRY_SECONDS": "0", "MONITORING_OWN_METRICS": "false"}
    job = Forwarder(ForwarderSettings.from_env(settings | environ), REGION, world)
    try:
        return [job.handle(event, 60.0) for event in events]
    finally:
        job.close()


def test_the_forwarders_role_allows_what_it_calls_and_nothing_else(intake, calls, subscription, monkeypatch):
    """With every feature: three sources of the key, spool with large entries and dead letters, objects, tags."""
    sqs, s3 = boto3.client("sqs"), boto3.client("s3")
    queue = sqs.create_queue(QueueName="spool", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    s3.create_bucket(Bucket="spool")
    boto3.client("dynamodb").create_table(
        TableName="digests",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    boto3.client("secretsmanager").create_secret(Name="key", SecretString="k")
    boto3.client("ssm").put_parameter(Name="key", Value="k", Type="SecureString")
    kms = boto3.client("kms")
    blob = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"k")["CiphertextBlob"]
    s3.put_object(Bucket="spool", Key="logs/one.log", Body=f"MONITORING|{NOW}|1|count|a.b\n".encode())
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    record["s3"] = {"bucket": {"name": "spool"}, "object": {"key": "logs/one.log"}}
    large = [
        json.dumps({"id": base64.b85encode(bytes((i * 7 + j * j) % 256 for j in range(900))).decode()})
        for i in range(990)
    ]
    function = subscription(large, now=NOW)
    machine = subscription(
        [json.dumps({
            "id": "1", "type": "ExecutionStarted", "details": {}, "previous_event_id": "0",
            "event_timestamp": str(NOW * 1000), "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:m:e",
        })],
        group="/aws/vendedlogs/states/m", stream="states/m/1", now=NOW,
    )  # fmt: skip
    features = {
        "MONITORING_SPOOL_QUEUE": queue,
        "MONITORING_SPOOL_BUCKET": "spool/spool",
        "MONITORING_SPOOL_ATTEMPTS": "1",
        "MONITORING_DIGESTS_TABLE": "digests",
        "DD_FETCH_LAMBDA_TAGS": "true",
        "DD_FETCH_STEP_FUNCTIONS_TAGS": "true",
        "DD_FETCH_LOG_GROUP_TAGS": "true",
    }
    calls.clear()
    (spooled,) = forward(intake, [function], down=True, DD_API_KEY_SECRET_ARN="key", **features)
    assert spooled["conservation"]["logs"]["spooled"] == 990
    forward(intake, [{"stepscope": "redrive"}], down=False, DD_API_KEY_SSM_NAME="key", **features)
    encrypted = base64.b64encode(blob).decode()
    forward(intake, [machine, {"Records": [record]}], down=False, DD_KMS_API_KEY=encrypted, **features)
    forward(intake, [function], down=True, DD_API_KEY="k", **features)
    intake.script = lambda *_: (400, {}, b"")
    forwarded = Forwarder(
        ForwarderSettings.from_env({"DD_URL": intake.url, "DD_API_KEY": "k", **features}), REGION,
        World(clients=boto3.client, sleep=lambda _: None),
    )  # fmt: skip
    assert forwarded.handle({"stepscope": "redrive"}, 60.0)["dead"]
    forwarded.close()
    assert calls == allowed("ForwarderRole") - set(WITHOUT_A_CALL["ForwarderRole"])
    assert set(WITHOUT_A_CALL["ForwarderRole"]) <= allowed("ForwarderRole")


def test_the_subscribers_role_allows_what_it_calls_and_nothing_else(calls):
    logs = boto3.client("logs")
    for name in ("/a", "/b"):
        logs.create_log_group(logGroupName=name, tags={"team": name})
    boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    role = "arn:aws:iam::123456789012:role/r"
    code = {"ZipFile": b"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}
    arn = boto3.client("lambda").create_function(
        FunctionName="f", Role=role, Handler="h.h", Runtime="python3.13", Code=code
    )["FunctionArn"]
    boto3.client("stepfunctions").create_state_machine(
        name="m",
        roleArn=role,
        definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
    )
    settings = SubscriberSettings.from_env(
        {
            "MONITORING_DESTINATION": arn,
            "MONITORING_FILTER_NAME": "stepscope-s",
            "MONITORING_SUBSCRIBE_PREFIXES": "/a",
            "MONITORING_SUBSCRIBE_TAGS": "team:/b",
            "MONITORING_SUBSCRIBE_STATE_MACHINES": "*",
        }
    )
    subscriptions = Subscriptions(settings, boto3.client)
    calls.clear()
    assert sorted(subscriptions.reconcile().subscribed) == ["/a", "/b"]
    assert sorted(subscriptions.remove_all().removed) == ["/a", "/b"]
    assert calls == allowed("SubscriberRole") - set(WITHOUT_A_CALL["SubscriberRole"])


def wildcards(lines):
    """The lines that give a resource with a wildcard."""
    return [
        n for n, line in enumerate(lines) if re.search(r"(Resource|Arn|- !Sub|Principal)\S*:? .*\*", line)
    ]


def test_every_wildcard_of_a_resource_has_its_reason():
    lines = TEXT[: TEXT.index("\nOutputs:")].splitlines()
    missing = []
    for number in wildcards(lines):
        around = "\n".join(lines[max(0, number - 4) : number + 1])
        if "wildcard" not in around and "Effect: Deny" not in "\n".join(lines[number - 6 : number + 1]):
            missing.append(lines[number])
    assert missing == []
    assert len(wildcards(lines)) >= 8


def test_no_action_has_a_wildcard_but_in_a_denial():
    for role in ("ForwarderRole", "SubscriberRole"):
        assert not [action for action in allowed(role) if "*" in action]


# -- settings and parameters

NOT_OFFERED = {
    "DD_API_KEY": "the key does not belong into a variable that everybody can read",
    "DD_VERSION": "of the functions, not of the forwarder",
    "MONITORING_LOG_PLATFORM": "for looking into a fault: set it on the function",
    "MONITORING_ARCHITECTURE": "FetchTags gives each function's own",
    "MONITORING_CONNECTIONS": "the default suits what Lambda allows",
    "MONITORING_TIMEOUT": "the same",
    "MONITORING_RETRY_SECONDS": "the same",
    "MONITORING_SPOOL_FOLDER": "of a plain machine",
    "MONITORING_SPOOL_ATTEMPTS": "the default suits",
    "MONITORING_DIGESTS_SECONDS": "the same",
    "MONITORING_TAGS_SECONDS": "the same",
}
"""Settings of the forwarder that the template does not set, and why."""


def variables(name):
    return RESOURCES[name]["Properties"]["Environment"]["Variables"]


def test_every_setting_of_the_forwarder_is_set_or_has_a_reason_not_to_be():
    settings = {name for name, *_ in settings_table()}
    assert set(variables("Forwarder")) - {"NO_PROXY"} == settings - set(NOT_OFFERED)


def test_the_two_forwarders_differ_in_their_concurrency_alone():
    first, second = (dict(RESOURCES[name]["Properties"]) for name in ("Forwarder", "StatesForwarder"))
    for properties in (first, second):
        del properties["ReservedConcurrentExecutions"], properties["Description"]
    assert first == second


def test_every_parameter_is_used_grouped_and_explained():
    groups = CONTENT["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(CONTENT["Parameters"])
    body = TEXT[TEXT.index("\nRules:") :]
    page = (TEMPLATE.parents[1] / "docs" / "forwarder-install.md").read_text()
    for name in CONTENT["Parameters"]:
        assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}", body), f"{name} is not used"
        assert f"`{name}`" in page, f"{name} is not explained"


def test_only_the_choice_of_enhanced_metrics_and_the_bucket_have_no_default():
    assert [name for name, each in CONTENT["Parameters"].items() if "Default" not in each] == [
        "CodeBucket",
        "EnhancedMetrics",
    ]


def test_no_concurrency_is_reserved_by_default():
    assert CONTENT["Parameters"]["Concurrency"]["Default"] == ""
    assert CONTENT["Parameters"]["StatesConcurrency"]["Default"] == ""


def test_it_fits_into_a_call_of_cloudformation():
    assert len(TEXT.encode()) <= 51_200


def test_the_subscriptions_outlive_the_rules_that_would_subscribe_anew():
    """CloudFormation deletes what depends on another resource before that one."""
    for rule in ("NewLogGroups", "SubscriptionTimer"):
        assert "Subscriptions" in listed(RESOURCES[rule]["DependsOn"])


# -- the subscriber's own answers


class Response:
    """What urlopen gives."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture
def answered(monkeypatch):
    bodies = []

    def urlopen(request, timeout):
        bodies.append(json.loads(request.data))
        return Response()

    monkeypatch.setattr(subscriber.urllib.request, "urlopen", urlopen)
    subscriber._cache.clear()
    return bodies


REQUEST = {"RequestType": "Create", "ResponseURL": "http://127.0.0.1/x", "StackId": "s", "RequestId": "r", "LogicalResourceId": "Subscriptions"}  # fmt: skip


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_cloudformation_is_answered_whatever_is_wrong(answered, monkeypatch, kind):
    monkeypatch.delenv("MONITORING_DESTINATION", raising=False)
    subscriber.handler(REQUEST | {"RequestType": kind}, None)
    (body,) = answered
    assert body["Status"] == "FAILED"
    assert "MONITORING_DESTINATION" in body["Reason"]


@pytest.mark.parametrize(
    "detail",
    [
        {
            "eventName": "CreateLogGroup",
            "errorCode": "AccessDenied",
            "requestParameters": {"logGroupName": "/a"},
        },
        {"eventName": "CreateLogGroup", "errorCode": "AccessDenied", "requestParameters": None},
    ],
)
def test_a_call_that_was_refused_subscribes_nothing(detail):
    assert subscriber.handler({"detail": detail}, None)["subscribed"] == 0


class Groups:
    """Subscriptions of two log groups, of which one fails where `broken`."""

    def __init__(self, broken):
        self.asked, self.errors = [], {"/b": "it has two filters"} if broken else {}

    def reconcile(self):
        self.asked.append("reconcile")
        return subscriber.Changes(subscribed=["/a"], errors=self.errors)

    def remove_all(self):
        self.asked.append("remove_all")
        return subscriber.Changes(removed=["/a"], errors=self.errors)


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_terraform_s_invocation_subscribes_and_takes_back(action, broken, monkeypatch):
    groups = Groups(broken)
    monkeypatch.setattr(subscriber, "_subscriptions", lambda: groups)
    event = {"selection": [["/a", "/b"]], "tf": {"action": action, "prev_input": None}}
    if action == "delete" and broken:
        with pytest.raises(subscriber.SubscriptionError, match="/b: it has two filters"):
            subscriber.handler(event, None)
    else:
        assert subscriber.handler(event, None)["failed"] == len(groups.errors)
    assert groups.asked == ["remove_all" if action == "delete" else "reconcile"]


# -- dead letters


@pytest.mark.parametrize("delivered", [False, True])
def test_a_failed_event_that_is_moved_from_the_dead_letters_to_the_spool_is_sent_once(
    intake, calls, subscription, delivered
):
    """Lambda's on-failure destination wraps the event; what of it was delivered before is known."""
    queue = boto3.client("sqs").create_queue(QueueName="spool")["QueueUrl"]
    event = subscription([f"MONITORING|{NOW}|1|count|a.b|#zone:a"], now=NOW)
    record = {
        "version": "1.0",
        "timestamp": "2026-11-23T10:00:00.000Z",
        "requestContext": {"requestId": "r", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    }
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(record))
    events = [event, {"stepscope": "redrive"}] if delivered else [{"stepscope": "redrive"}]
    answers = forward(intake, events, down=False, DD_API_KEY="k", MONITORING_SPOOL_QUEUE=queue)
    assert answers[-1]["redriven"] == 1
    assert intake.values("a.b") == [1.0]
