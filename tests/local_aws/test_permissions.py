"""What a role's policies do not allow fails here as it fails on AWS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit deny wins, and
what no statement allows is denied.
"""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from monitoring.discovery.iam import Request
from monitoring.local_aws import LocalAws
from monitoring.local_aws.authorization import ApiCall, Location, denial, requests_of
from monitoring.local_aws.permissions import Permissions, access_key

PLACE = Location("us-east-1", "123456789012")
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
HERE = {"aws:requestedregion": "us-east-1"}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def judged(*statements: Any, action: str = "dynamodb:PutItem", resource: str = TABLE) -> bool:
    permissions = Permissions()
    permissions.create("role")
    permissions.put("role", "policy", {"Statement": list(statements)})
    return permissions.denial("role", Request(action, resource, HERE)) == ""


ELSEWHERE = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}
HERE_ONLY = {"StringEquals": {"aws:RequestedRegion": ["us-east-1", "us-east-2"]}}
TAGGED = {"StringEquals": {"aws:ResourceTag/team": "shop"}}
DECISIONS = {
    "nothing": ([], False),
    "the action on the resource": ([allow("dynamodb:PutItem", TABLE)], True),
    "the action in another case": ([allow("DynamoDB:putitem", TABLE)], True),
    "several actions": ([allow(["dynamodb:GetItem", "dynamodb:PutItem"], [TABLE, "x"])], True),
    "a wildcard in the action": ([allow("dynamodb:Put*", TABLE)], True),
    "one letter open": ([allow("dynamodb:PutIte?", TABLE)], True),
    "another action": ([allow("dynamodb:GetItem", TABLE)], False),
    "another resource": ([allow("dynamodb:PutItem", TABLE + "-2")], False),
    "the resource in another case": ([allow("dynamodb:PutItem", TABLE.upper())], False),
    "a part of the resource only": ([allow("dynamodb:PutItem", TABLE[:-1])], False),
    "a wildcard in the resource": ([allow("*", "arn:aws:dynamodb:*:*:table/*")], True),
    "a variable in the resource": ([allow("*", "arn:aws:dynamodb:${aws:RequestedRegion}:*")], True),
    "a deny beside it": ([allow("*"), deny("dynamodb:PutItem", TABLE)], False),
    "a deny before it": ([deny("*"), allow("*")], False),
    "a deny of something else": ([allow("*"), deny("dynamodb:DeleteItem")], True),
    "all but": ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], True),
    "all but it": ([{"Effect": "Allow", "NotAction": "dynamodb:*", "Resource": "*"}], False),
    "an action that is a number": ([{"Effect": "Allow", "Action": 5, "Resource": "*"}], False),
    "a resource that is not a text": ([allow("*", [None, {"Fn::ImportValue": "x"}, TABLE])], True),
    "a statement that is a text": (["Allow", allow("*")], True),
    "no action at all": ([{"Effect": "Allow", "Resource": "*"}], False),
    "no resource at all": ([{"Effect": "Allow", "Action": "*"}], False),
    "an empty list of actions": ([allow([])], False),
    "all resources but it": ([{"Effect": "Allow", "Action": "*", "NotResource": TABLE}], False),
    "a condition that holds": ([allow("*", Condition=HERE_ONLY)], True),
    "a negated condition that holds": ([allow("*", Condition=ELSEWHERE)], True),
    "a condition that does not": (
        [allow("*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})],
        False,
    ),
    "two conditions, one of which does not": (
        [allow("*", Condition={**HERE_ONLY, "StringLike": {"aws:RequestedRegion": "eu-*"}})],
        False,
    ),
    "a condition that is not known": ([allow("*", Condition=TAGGED)], True),
    "a deny on a condition that is not known": ([allow("*"), deny("*", Condition=TAGGED)], True),
    "a deny on a condition that holds": ([allow("*"), deny("*", Condition=HERE_ONLY)], False),
    "an operator that is not known": (
        [allow("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})],
        True,
    ),
}


@pytest.mark.parametrize(("statements", "allowed"), DECISIONS.values(), ids=DECISIONS)
def test_a_policy_decides(statements: list[Any], allowed: bool) -> None:
    assert judged(*statements) is allowed


def test_a_statement_may_stand_alone() -> None:
    permissions = Permissions()
    permissions.create("role")
    permissions.put("role", "policy", {"Statement": allow("dynamodb:*")})
    assert permissions.denial("role", Request("dynamodb:PutItem", TABLE, {})) == ""


def test_a_resource_that_is_not_known_is_denied_by_what_denies_everything() -> None:
    assert judged(allow("*", TABLE), resource="")
    assert judged(allow("*"), deny("*", TABLE), resource="")
    assert not judged(allow("*"), deny("*"), resource="")
    assert not judged(allow("s3:*"), resource="")


def test_managed_policies_are_those_of_the_stack_and_of_aws() -> None:
    permissions = Permissions()
    permissions.define("arn:aws:iam::123456789012:policy/own", {"Statement": [allow("sqs:SendMessage")]})
    permissions.create("role")
    permissions.attach("role", "arn:aws:iam::123456789012:policy/own")
    permissions.attach("role", "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
    permissions.attach("role", "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess")
    wanted = ("sqs:SendMessage", "logs:PutLogEvents", "dynamodb:GetItem", "dynamodb:PutItem")
    reasons = {action: permissions.denial("role", Request(action, "arn:x", {})) for action in wanted}
    assert [action for action in wanted if reasons[action]] == ["dynamodb:PutItem"]
    assert reasons["dynamodb:PutItem"].endswith("no identity-based policy allows the dynamodb:PutItem action")


def test_a_boundary_limits_what_policies_allow() -> None:
    permissions = Permissions()
    permissions.define("arn:own", {"Statement": [allow("sqs:*")]})
    for role, boundary in (("own", "arn:own"), ("aws", "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")):
        permissions.create(role, boundary)
        permissions.put(role, "all", {"Statement": [allow("*")]})
        assert permissions.denial(role, Request("sqs:GetQueueUrl", "arn:x", {})) == ""
        reason = permissions.denial(role, Request("sns:Publish", "arn:x", {}))
        assert reason == "because no permissions boundary allows the sns:Publish action"
    permissions.create("elsewhere", "arn:aws:iam::1:policy/of-another-stack")
    permissions.put("elsewhere", "all", {"Statement": [allow("*")]})
    assert permissions.denial("elsewhere", Request("sns:Publish", "arn:x", {})) == ""


def test_a_role_with_a_policy_that_is_not_here_may_do_what_nothing_denies() -> None:
    permissions = Permissions()
    permissions.create("role")
    permissions.attach("role", "arn:aws:iam::123456789012:policy/of-another-stack")
    assert permissions.denial("role", Request("s3:GetObject", "arn:aws:s3:::b/k", {})) == ""
    permissions.put("role", "no", {"Statement": [deny("s3:*")]})
    assert permissions.denial("role", Request("s3:GetObject", "arn:aws:s3:::b/k", {}))


def test_a_role_that_no_stack_created_may_do_everything() -> None:
    assert (
        denial(Permissions(), "local", ApiCall("s3", "GetObject", {"Bucket": "b", "Key": "k"}), PLACE) == ""
    )


ASKED: dict[str, tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = {
    "an item": ("dynamodb", "PutItem", {"TableName": "orders"}, [("dynamodb:PutItem", TABLE)]),
    "an index": (
        "dynamodb",
        "Query",
        {"TableName": "orders", "IndexName": "by-day"},
        [("dynamodb:Query", f"{TABLE}/index/by-day")],
    ),
    "a batch of two tables": (
        "dynamodb",
        "BatchGetItem",
        {"RequestItems": {"orders": {}, TABLE + "-2": {}}},
        [("dynamodb:BatchGetItem", TABLE), ("dynamodb:BatchGetItem", TABLE + "-2")],
    ),
    "an object": (
        "s3",
        "HeadObject",
        {"Bucket": "b", "Key": "k/x"},
        [("s3:GetObject", "arn:aws:s3:::b/k/x")],
    ),
    "a bucket": ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    "a function": (
        "lambda",
        "Invoke",
        {"FunctionName": "123456789012:function:pay", "Qualifier": "live"},
        [("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:pay:live")],
    ),
    "a queue": (
        "sqs",
        "SendMessageBatch",
        {"QueueUrl": "http://127.0.0.1:1/123456789012/q"},
        [("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")],
    ),
    "an execution": (
        "stepfunctions",
        "StartExecution",
        {"stateMachineArn": "arn:m"},
        [("states:StartExecution", "arn:m")],
    ),
    "a bus": (
        "events",
        "PutEvents",
        {"Entries": [{"EventBusName": "own"}, {}]},
        [
            ("events:PutEvents", "arn:aws:events:us-east-1:123456789012:event-bus/default"),
            ("events:PutEvents", "arn:aws:events:us-east-1:123456789012:event-bus/own"),
        ],
    ),
    "a parameter": (
        "ssm",
        "GetParameter",
        {"Name": "/a/b"},
        [("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/a/b")],
    ),
    "a secret by name, whose ARN it does not tell": (
        "secretsmanager",
        "GetSecretValue",
        {"SecretId": "key"},
        [("secretsmanager:GetSecretValue", "")],
    ),
    "a service that is not judged": ("logs", "PutLogEvents", {}, []),
}


@pytest.mark.parametrize(("service", "operation", "parameters", "wanted"), ASKED.values(), ids=ASKED)
def test_a_call_asks_for_actions_on_resources(
    service: str, operation: str, parameters: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    requests = requests_of(ApiCall(service, operation, parameters), PLACE, {})
    assert [(request.action, request.resource) for request in requests] == wanted


CALLS: dict[str, tuple[str, str, dict[str, Any], str, str]] = {
    "dynamodb": (
        "dynamodb",
        "put_item",
        {"TableName": "gate", "Item": {"id": {"S": "1"}}},
        "dynamodb:PutItem",
        "AccessDeniedException",
    ),
    "s3 object": (
        "s3",
        "put_object",
        {"Bucket": "gate", "Key": "k", "Body": b"x"},
        "s3:PutObject",
        "AccessDenied",
    ),
    "s3 bucket": ("s3", "list_objects_v2", {"Bucket": "gate"}, "s3:ListBucket", "AccessDenied"),
    "sqs": ("sqs", "send_message", {"MessageBody": "x"}, "sqs:SendMessage", "AccessDenied"),
    "sns": (
        "sns",
        "publish",
        {"TopicArn": "arn:aws:sns:us-east-1:123456789012:gate", "Message": "x"},
        "sns:Publish",
        "AuthorizationError",
    ),
    "events": (
        "events",
        "put_events",
        {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]},
        "events:PutEvents",
        "AccessDeniedException",
    ),
    "ssm": ("ssm", "get_parameter", {"Name": "gate"}, "ssm:GetParameter", "AccessDeniedException"),
    "secretsmanager": (
        "secretsmanager",
        "get_secret_value",
        {"SecretId": "gate"},
        "secretsmanager:GetSecretValue",
        "AccessDeniedException",
    ),
    "states": (
        "stepfunctions",
        "start_execution",
        {"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:gate"},
        "states:StartExecution",
        "AccessDeniedException",
    ),
    "lambda": (
        "lambda",
        "invoke",
        {"FunctionName": "gate"},
        "lambda:InvokeFunction",
        "AccessDeniedException",
    ),
}


@pytest.fixture(scope="module")
def queue(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> str:
    key = {"AttributeName": "id", "AttributeType": "S"}
    aws.client("dynamodb").create_table(
        TableName="gate",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[key],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.client("s3").create_bucket(Bucket="gate")
    aws.client("sns").create_topic(Name="gate")
    aws.client("ssm").put_parameter(Name="gate", Value="x", Type="String")
    aws.client("secretsmanager").create_secret(Name="gate", SecretString="x")
    aws.deploy_state_machine("gate", {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    code = tmp_path_factory.mktemp("code")
    code.joinpath("gate.py").write_text("def handler(event, context):\n    return 1\n")
    aws.deploy_function("gate", handler="gate.handler", code=code)
    return str(aws.client("sqs").create_queue(QueueName="gate")["QueueUrl"])


def client_of(aws: LocalAws, role: str, service: str) -> Any:
    """A client with the credentials of a role's session."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=aws.region,
        endpoint_url=aws.endpoint_url,
        aws_access_key_id=access_key(role),
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(("service", "method", "parameters", "action", "code"), CALLS.values(), ids=CALLS)
def test_a_call_over_the_network_is_refused_in_the_words_of_its_service(
    aws: LocalAws, queue: str, service: str, method: str, parameters: dict[str, Any], action: str, code: str
) -> None:
    permissions = aws.host.permissions
    role = f"gate-{action.replace(':', '-')}"
    permissions.create(role)
    call = getattr(client_of(aws, role, service), method)
    if service == "sqs":
        parameters = {**parameters, "QueueUrl": queue}
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    assert error["Code"] == code
    assert f"is not authorized to perform: {action} on resource: " in error["Message"]
    assert f"assumed-role/{role}/" in error["Message"]
    permissions.put(role, "policy", {"Statement": [allow(action)]})
    assert call(**parameters)["ResponseMetadata"]["HTTPStatusCode"] in range(200, 300)


HANDLER = """
import boto3
def handler(event, context):
    boto3.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "1"}})
    return "paid"
"""
LAMBDA = "arn:aws:states:::lambda:invoke"


def template(folder: Path, *, function: list[Any], machine: list[Any]) -> Path:
    """A function that writes to a table, and a machine that invokes it; their roles have these statements."""

    def role(statements: list[Any]) -> dict[str, Any]:
        policy = {"PolicyName": "own", "PolicyDocument": {"Statement": statements}}
        return {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}

    folder.joinpath("pay.py").write_text(HANDLER)
    call = {"FunctionName": "${pay}", "Payload": {}}
    state = {"Type": "Task", "Resource": LAMBDA, "Parameters": call, "OutputPath": "$.Payload", "End": True}
    definition = {"StartAt": "Pay", "States": {"Pay": state}}
    attribute = {"AttributeName": "id", "AttributeType": "S"}
    resources = {
        "FunctionRole": role(function),
        "MachineRole": role(machine),
        "Paid": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "orders",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [attribute],
                "BillingMode": "PAY_PER_REQUEST",
            },
        },
        "Pay": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.12",
                "Handler": "pay.handler",
                "Timeout": 60,
                "Code": ".",
                "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
            },
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "DefinitionString": json.dumps(definition),
                "DefinitionSubstitutions": {"pay": {"Fn::GetAtt": ["Pay", "Arn"]}},
                "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
            },
        },
    }
    folder.joinpath("template.json").write_text(json.dumps({"Resources": resources}))
    return folder / "template.json"


@pytest.mark.parametrize(
    ("function", "machine", "refused"),
    [
        ([allow("dynamodb:PutItem", TABLE)], [allow("lambda:InvokeFunction")], ""),
        ([allow("dynamodb:GetItem", TABLE)], [allow("lambda:InvokeFunction")], "dynamodb:PutItem"),
        (
            [allow("dynamodb:PutItem", TABLE)],
            [allow("lambda:InvokeFunction", "arn:x")],
            "lambda:InvokeFunction",
        ),
        ([allow("dynamodb:*")], [allow("lambda:*"), deny("lambda:*")], "lambda:InvokeFunction"),
    ],
    ids=["allowed", "the function's role", "the machine's role", "denied"],
)
def test_what_a_template_allows_decides_what_its_pipeline_can_do(
    aws: LocalAws, tmp_path: Path, function: list[Any], machine: list[Any], refused: str
) -> None:
    stack = aws.deploy(template(tmp_path, function=function, machine=machine), stack=tmp_path.name[-24:])
    done = aws.wait(aws.start(stack.state_machine("Machine"), {}), 60)
    aws.client("dynamodb").delete_table(TableName="orders")
    assert done["status"] == ("FAILED" if refused else "SUCCEEDED")
    if refused:
        assert f"is not authorized to perform: {refused} on resource: " in done["cause"]
        by_the_machine = refused.startswith("lambda")
        assert done["error"] == ("Lambda.AWSLambdaException" if by_the_machine else "ClientError")
