"""What tasks call: the names and causes of errors, and what becomes of a result that is not JSON."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from state_machines import one_state, run, task

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_aws.states.resources import INTEGRATIONS, function_parts, parse_resource, pascal_service
from monitoring.local_aws.states.sdk import boto_name, call_of, pascal_member


def call(resource: str, **parameters: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True}


NAMES = [
    ("s3", "S3"),
    ("sqs", "Sqs"),
    ("sns", "Sns"),
    ("dynamodb", "DynamoDb"),
    ("sfn", "Sfn"),
    ("secretsmanager", "SecretsManager"),
    ("cloudwatchlogs", "CloudWatchLogs"),
    ("eventbridge", "EventBridge"),
    ("ssm", "Ssm"),
    ("kms", "Kms"),
    ("cognitoidentityprovider", "CognitoIdentityProvider"),
    ("elasticloadbalancingv2", "ElasticLoadBalancingV2"),
    ("apigateway", "ApiGateway"),
    ("sts", "Sts"),
]


@pytest.mark.parametrize(("package", "prefix"), NAMES)
def test_errors_of_a_service_have_the_prefix_of_the_sdk_for_java(package: str, prefix: str) -> None:
    import botocore.session

    model = botocore.session.get_session().get_service_model(boto_name(package))
    assert pascal_service(model.service_id) == prefix


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("ETag", "ETag"),
        ("executionArn", "ExecutionArn"),
        ("MD5OfMessageBody", "Md5OfMessageBody"),
        ("SSEKMSKeyId", "SsekmsKeyId"),
        ("DBInstances", "DbInstances"),
        ("ARN", "Arn"),
        ("ChecksumCRC32", "ChecksumCRC32"),
        ("Key", "Key"),
    ],
)
def test_members_are_named_as_the_sdk_for_java_names_them(member: str, name: str) -> None:
    assert pascal_member(member) == name


ACCOUNT = "123456789012"
QUEUE = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/nobody"
MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:nobody"
KEY = {"id": {"S": "1"}}
ERRORS = [
    (
        call("aws-sdk:s3:getObject", Bucket="shelf", Key="none"),
        "S3.NoSuchKeyException",
        "(Service: S3, Status Code: 404",
    ),
    (
        call("aws-sdk:s3:getObject", Bucket="nobody", Key="k"),
        "S3.NoSuchBucketException",
        "(Service: S3, Status Code: 404",
    ),
    (call("aws-sdk:s3:getObject", Bucket="shelf"), "S3.S3Exception", "Value null at 'key'"),
    (call("aws-sdk:sqs:receiveMessage", QueueUrl=QUEUE), "Sqs.QueueDoesNotExistException", "(Service: Sqs, "),
    (
        call("aws-sdk:dynamodb:getItem", TableName="nobody", Key=KEY),
        "DynamoDb.ResourceNotFoundException",
        "(Service: DynamoDb, Status Code: 400, Request ID: ",
    ),
    (
        call("aws-sdk:secretsmanager:getSecretValue", SecretId="nobody"),
        "SecretsManager.ResourceNotFoundException",
        "(Service: SecretsManager, ",
    ),
    (
        call("aws-sdk:secretsmanager:createSecret", Name="no name"),
        "SecretsManager.SecretsManagerException",
        "Invalid name.",
    ),
    (call("aws-sdk:ssm:getParameter", Name="nobody"), "Ssm.ParameterNotFoundException", "(Service: Ssm, "),
    (
        call("aws-sdk:lambda:getFunction", FunctionName="nobody"),
        "Lambda.ResourceNotFoundException",
        "(Service: Lambda, ",
    ),
    (
        call("aws-sdk:sfn:describeExecution", ExecutionArn=f"{MACHINE}:x"),
        "Sfn.ExecutionDoesNotExistException",
        "(Service: Sfn, ",
    ),
    (
        call("dynamodb:getItem", TableName="nobody", Key=KEY),
        "DynamoDB.ResourceNotFoundException",
        "(Service: AmazonDynamoDBv2; ",
    ),
    (call("dynamodb:putItem", TableName="t"), "DynamoDB.AmazonDynamoDBException", "Value null at 'item'"),
    (
        call("sqs:sendMessage", QueueUrl=QUEUE, MessageBody="m"),
        "SQS.QueueDoesNotExistException",
        "(Service: AmazonSQS; ",
    ),
    (
        call("sqs:sendMessage", QueueUrl="https://elsewhere.invalid/1/q", MessageBody="m"),
        "SQS.SdkClientException",
        "Unable to execute HTTP request: elsewhere.invalid: Name or service not known",
    ),
    (
        call("sns:publish", TopicArn="arn:aws:sns:us-east-1:123456789012:nobody", Message="m"),
        "SNS.NotFoundException",
        "AmazonSNS; ",
    ),
    (
        call("lambda:invoke", FunctionName="nobody"),
        "Lambda.ResourceNotFoundException",
        "function:nobody:$LATEST (Service: AWSLambda; ",
    ),
    (
        call("states:startExecution", StateMachineArn=MACHINE),
        "StepFunctions.StateMachineDoesNotExistException",
        "AWSStepFunctions; ",
    ),
    (
        call("events:putEvents", Entries=[{"Source": "s", "DetailType": "d", "Detail": [1]}]),
        "EventBridge.FailedEntry",
        '"MalformedDetail"',
    ),
    (call("glue:startJobRun", JobName="nobody"), "Glue.EntityNotFoundException", "(Service: AWSGlue; "),
    (
        call("codebuild:startBuild", ProjectName="nobody"),
        "CodeBuild.ResourceNotFoundException",
        "(Service: AWSCodeBuild; ",
    ),
]


@pytest.fixture(scope="module")
def shelf(aws: LocalAws) -> str:
    aws.client("s3").create_bucket(Bucket="shelf")
    return "shelf"


@pytest.mark.parametrize(
    ("state", "error", "cause"), ERRORS, ids=[f"{row[0]['Resource'][18:]}-{row[1]}" for row in ERRORS]
)
@pytest.mark.parametrize("caught", [False, True])
def test_an_error_of_a_service_has_awss_name_and_cause(
    aws: LocalAws, shelf: str, state: dict[str, Any], error: str, cause: str, caught: bool
) -> None:
    machine = one_state(state)
    if caught:
        machine["States"]["Only"]["Catch"] = [{"ErrorEquals": [error], "Next": "Caught"}]
        machine["States"]["Caught"] = {"Type": "Succeed"}
    number = ERRORS.index((state, error, cause))
    done = run(aws, f"error-{number}-{caught}", machine, {})
    told = json.loads(done["output"]) if caught else {"Error": done["error"], "Cause": done["cause"]}
    assert told["Error"] == error
    assert cause in told["Cause"]
    failed = next(e for e in aws.history(done["executionArn"]) if e["type"] == "TaskFailed")[
        "taskFailedEventDetails"
    ]
    assert (failed["error"], failed["cause"]) == (error, told["Cause"])


REFUSED = [
    (
        call("aws-sdk:s3:getObject", Bucket="b", Kye="k"),
        "[The field 'Kye' is not supported by Step Functions]",
    ),
    (call("aws-sdk:s3:getObject", Bucket=1, Key="k"), "[The value for the field 'Bucket' must be a STRING]"),
    (
        call("dynamodb:putItem", TableName="t", Item={"n": {"N": 1}}),
        "[The value for the field 'N' must be a STRING]",
    ),
    (
        call("aws-sdk:sqs:listQueues", MaxResults="1"),
        "[The value for the field 'MaxResults' must be an INTEGER]",
    ),
]


@pytest.mark.parametrize(("state", "problem"), REFUSED)
def test_parameters_that_the_api_does_not_take_fail_the_execution(
    aws: LocalAws, state: dict[str, Any], problem: str
) -> None:
    done = run(aws, f"refused-{REFUSED.index((state, problem))}", one_state(state), {})
    assert done["error"] == "States.Runtime"
    assert done["cause"].endswith(f"could not be used to start the Task: {problem}")


def test_a_result_that_is_not_json_becomes_json(aws: LocalAws, shelf: str) -> None:
    aws.client("s3").put_object(Bucket=shelf, Key="a", Body='{"a": 1}')
    done = run(aws, "body", one_state(call("aws-sdk:s3:getObject", Bucket=shelf, Key="a")), {})
    output = json.loads(done["output"])
    assert output["Body"] == '{"a": 1}'
    assert output["LastModified"].endswith("Z")
    assert output["ContentLength"] == 8
    listed = json.loads(run(aws, "buckets", one_state(call("aws-sdk:s3:listBuckets")), {})["output"])
    assert listed["Buckets"][0]["Name"] == shelf
    assert "T" in listed["Buckets"][0]["CreationDate"]


def test_parameters_are_taken_in_either_case_and_bodies_as_json(aws: LocalAws, shelf: str) -> None:
    done = run(
        aws, "put", one_state(call("aws-sdk:s3:putObject", Bucket=shelf, Key="b", Body={"n": [1]})), {}
    )
    assert done["status"] == "SUCCEEDED"
    assert aws.client("s3").get_object(Bucket=shelf, Key="b")["Body"].read() == b'{"n":[1]}'
    aws.deploy_state_machine("child-sdk", one_state({"Type": "Succeed"}))
    arn = aws.state_machine_arn("child-sdk")
    for number, parameters in enumerate(
        ({"StateMachineArn": arn, "Input": {"a": 1}}, {"stateMachineArn": arn})
    ):
        started = run(aws, f"start-{number}", one_state(call("aws-sdk:sfn:startExecution", **parameters)), {})
        child = json.loads(started["output"])["ExecutionArn"]
        assert json.loads(aws.wait(child, 10)["output"]) == (parameters.get("Input") or {})


def test_an_optimized_integration_says_how_the_request_went(aws: LocalAws) -> None:
    topic = aws.client("sns").create_topic(Name="news")["TopicArn"]
    done = run(aws, "publish", one_state(call("sns:publish", TopicArn=topic, Message={"a": 1})), {})
    output = json.loads(done["output"])
    assert output["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert output["SdkResponseMetadata"]["RequestId"]
    assert output["MessageId"]


FORMS = [
    "{name}",
    "{arn}",
    "{arn}:$LATEST",
    "123456789012:function:{name}",
    "function:{name}",
    "{arn}:live",
    "{name}:1",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_function_is_found_by_name_partial_arn_version_and_alias(
    aws: LocalAws, deploy: Callable[..., str], form: str
) -> None:
    name = deploy("echo")
    client = aws.client("lambda")
    if not client.list_aliases(FunctionName=name)["Aliases"]:
        version = client.publish_version(FunctionName=name)["Version"]
        client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    given = form.format(name=name, arn=aws.function_arn(name))
    state = call("lambda:invoke", FunctionName=given, Payload={"a": 1}) | {"OutputPath": "$.Payload"}
    done = run(aws, f"form-{FORMS.index(form)}", one_state(state), {})
    assert json.loads(done["output"]) == {"a": 1}


def test_a_function_in_another_partition_is_the_same(aws: LocalAws, deploy: Callable[..., str]) -> None:
    state = task(deploy("echo")) | {"Resource": "arn:aws-cn:states:::lambda:invoke"}
    assert json.loads(run(aws, "china", one_state(state), {"a": 1})["output"]) == {"a": 1}


# -- HTTP tasks


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        status = 404 if self.path.startswith("/gone") else 200
        answer = json.dumps({"path": self.path, "body": body, "key": self.headers.get("X-Key")}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def connection(aws: LocalAws) -> str:
    made = aws.client("events").create_connection(
        Name="c",
        AuthorizationType="API_KEY",
        AuthParameters={
            "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"},
            "InvocationHttpParameters": {"QueryStringParameters": [{"Key": "q", "Value": "1"}]},
        },
    )
    return str(made["ConnectionArn"])


def http_task(endpoint: str, path: str, connection: str) -> dict[str, Any]:
    return call(
        "http:invoke",
        ApiEndpoint=endpoint + path,
        Method="POST",
        Authentication={"ConnectionArn": connection},
        RequestBody={"a": 1},
    )


def test_an_http_task_calls_a_server_of_this_machine(aws: LocalAws, endpoint: str, connection: str) -> None:
    output = json.loads(run(aws, "http", one_state(http_task(endpoint, "/x", connection)), {})["output"])
    assert output["StatusCode"] == 200
    assert output["ResponseBody"] == {"path": "/x?q=1", "body": '{"a":1}', "key": "secret"}


HTTP_ERRORS = [
    ("", "/gone", "States.Http.StatusCode.404"),
    ("https://example.com", "/", "States.Runtime"),
    ("http://127.0.0.1:9", "/", "States.Http.Socket"),
]


@pytest.mark.parametrize(("host", "path", "error"), HTTP_ERRORS)
def test_an_http_task_that_fails_has_awss_error(
    aws: LocalAws, endpoint: str, connection: str, host: str, path: str, error: str
) -> None:
    done = run(aws, f"http-{error[-6:]}", one_state(http_task(host or endpoint, path, connection)), {})
    assert done["error"] == error


def test_an_http_task_needs_its_connection(aws: LocalAws, endpoint: str) -> None:
    arn = "arn:aws:events:us-east-1:123456789012:connection/none/1"
    assert (
        run(aws, "no-connection", one_state(http_task(endpoint, "/", arn)), {})["error"]
        == "Events.ConnectionResource.NotFound"
    )


def test_an_api_of_this_machine_can_be_called(aws: LocalAws, endpoint: str) -> None:
    state = call(
        "apigateway:invoke",
        ApiEndpoint=endpoint[7:],
        Method="POST",
        Stage="prod",
        Path="/orders",
        RequestBody={},
    )
    assert (
        json.loads(run(aws, "api", one_state(state), {})["output"])["ResponseBody"]["path"] == "/prod/orders"
    )
    gone = run(
        aws, "api-gone", one_state(state | {"Parameters": {**state["Parameters"], "Stage": "gone"}}), {}
    )
    assert gone["error"] == "ApiGateway.404"


# -- what cannot be run

UNSUPPORTED = [
    ("ecs:runTask.sync", "it has no containers"),
    ("batch:submitJob.sync", "it has no containers"),
    ("bedrock:invokeModel", "it does not run bedrock"),
    ("eks:runJob.sync", "it does not run eks"),
    ("aws-sdk:translate:translateText", "moto has no service translate"),
    ("aws-sdk:s3:getObjekt", "is not recognized"),
    ("aws-sdk:nobody:getObject", "is not recognized"),
    ("aws-sdk:s3:getObject.sync", "is not recognized"),
    ("sns:publish.sync", "is not recognized"),
    ("lambda:invokeAsync", "is not recognized"),
]


@pytest.mark.parametrize(("resource", "reason"), UNSUPPORTED)
def test_what_cannot_be_run_is_refused_at_deployment(aws: LocalAws, resource: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as failed:
        aws.deploy_state_machine("unsupported", one_state(call(resource)))
    assert "$.States.Only.Resource" in str(failed.value)
    assert resource in str(failed.value)


def test_every_optimized_integration_calls_an_operation_that_exists() -> None:
    special = {"lambda:invoke", "http:invoke", "apigateway:invoke", "states:startExecution"}
    for name in INTEGRATIONS:
        resource = parse_resource(f"arn:aws:states:::{name}")
        assert resource is not None
        assert name in special or call_of(resource) is not None


@pytest.mark.parametrize("name", ["", "a b", "arn:aws:s3:::b", "arn:aws:lambda:us-east-1:1:layer:x"])
def test_what_is_no_function_is_not_taken_for_one(name: str) -> None:
    assert function_parts(name) is None
