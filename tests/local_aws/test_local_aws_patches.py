"""What moto does without each patch, so that none outlives its reason; and what is said when moto changed."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.logs.models import LogEvent

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_aws.moto_patches import PATCHES, Patch, applied, resolve

ROLE = "arn:aws:iam::123456789012:role/r"
SHOWN: dict[str, Callable[..., None]] = {}


def shows(*targets: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The function shows what moto does wrong where these patches are not applied."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        SHOWN.update(dict.fromkeys(targets, function))
        return function

    return register


class Stock:
    """moto as it comes, executing state machines."""

    def client(self, service: str) -> Any:
        return boto3.client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )


@pytest.fixture
def stock() -> Iterator[Stock]:
    settings = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": True}}
    with mock_aws(config=settings):
        yield Stock()


def create_function(stock: Stock) -> str:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("h.py", "def handler(event, context):\n    return 'ran'\n")
    stock.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    made = stock.client("lambda").create_function(
        FunctionName="f",
        Role=ROLE,
        Handler="h.handler",
        Runtime="python3.12",
        Code={"ZipFile": packed.getvalue()},
    )
    return str(made["FunctionArn"])


@shows("moto.awslambda.models:LambdaFunction.invoke")
def a_handler_does_not_run_without_a_container_engine(stock: Stock) -> None:
    create_function(stock)
    answer = stock.client("lambda").invoke(FunctionName="f")
    assert answer.get("FunctionError") != "Unhandled"
    assert b"ran" not in answer["Payload"].read()


@shows(
    *(
        f"moto.awslambda.models:LambdaFunction.{name}"
        for name in (
            "__init__",
            "create_from_cloudformation_json",
            "update_configuration",
            "get_configuration",
        )
    )
)
def a_function_has_no_logging_configuration(stock: Stock) -> None:
    create_function(stock)
    client = stock.client("lambda")
    client.update_function_configuration(FunctionName="f", LoggingConfig={"LogGroup": "/app/one"})
    assert "LoggingConfig" not in client.get_function_configuration(FunctionName="f")


@shows("moto.awslambda.models:LambdaBackend.send_sqs_batch")
def a_message_is_refused_while_the_function_that_reads_its_queue_is_throttled(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.awslambda.exceptions import LambdaClientError

    def throttled(*_: Any, **__: Any) -> Any:
        raise LambdaClientError("TooManyRequestsException", "Rate Exceeded.")

    monkeypatch.setattr("moto.awslambda.models.LambdaFunction.invoke", throttled)
    sqs = stock.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    create_function(stock)
    stock.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="f")
    with pytest.raises(ClientError, match="TooManyRequests"):
        sqs.send_message(QueueUrl=url, MessageBody="7")


@shows("moto.events.models:Rule.send_to_targets")
def a_rule_cannot_invoke_a_function(stock: Stock) -> None:
    events = stock.client("events")
    events.put_rule(Name="r", EventPattern='{"source": ["s"]}')
    arn = create_function(stock)
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
    with pytest.raises(NotImplementedError):
        events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])


@shows("moto.logs.models:LogStream.put_log_events")
def two_writers_get_one_id(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, other = [1], []
    event = {"timestamp": 1, "message": "m"}

    class Number(int):
        def __add__(self, by: int) -> int:  # another thread's turn, between reading and counting on
            if turns:
                turns.pop()
                other.append(LogEvent(0, event))
            return int(self) + by

    monkeypatch.setattr(LogEvent, "_event_id", Number(7))
    first = LogEvent(0, event)
    assert first.event_id == other[0].event_id == 7


@shows("moto.logs.models:LogStream._send_log_events")
def a_subscriber_is_called_by_the_writer_whatever_the_pattern(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.awslambda.models import LambdaFunction

    def fail(*_: Any) -> bytes:
        raise RuntimeError("the subscriber's own trouble")

    logs = stock.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    arn = create_function(stock)
    logs.put_subscription_filter(logGroupName="g", filterName="f", filterPattern="NEVER", destinationArn=arn)
    monkeypatch.setattr(LambdaFunction, "invoke", fail)
    with pytest.raises(RuntimeError, match="the subscriber's own trouble"):
        logs.put_log_events(
            logGroupName="g",
            logStreamName="s",
            logEvents=[{"timestamp": int(time.time() * 1000), "message": "x"}],
        )


@shows("moto.backends:list_of_moto_modules")
def every_request_lists_the_folder(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    import moto.backends

    looked: list[str] = []
    listed = moto.backends.os.listdir
    monkeypatch.setattr(moto.backends.os, "listdir", lambda path: looked.append(path) or listed(path))
    assert list(moto.backends.list_of_moto_modules()) == list(moto.backends.list_of_moto_modules())
    assert len(looked) == 2


@shows("moto.stepfunctions.responses:StepFunctionResponse.call_action")
def a_constant_index_gives_a_list(stock: Stock) -> None:
    states = stock.client("stepfunctions")
    state = {"Type": "Pass", "Parameters": {"first.$": "$.rows[0].id"}, "End": True}
    definition = json.dumps({"StartAt": "A", "States": {"A": state}})
    machine = states.create_state_machine(name="m", definition=definition, roleArn=ROLE)["stateMachineArn"]
    started = states.start_execution(stateMachineArn=machine, name="x", input='{"rows": [{"id": 7}]}')
    deadline = time.monotonic() + 60
    while (done := states.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert json.loads(done["output"]) == {"first": [7]}


@shows(
    "moto.stepfunctions.models:StateMachine.create_from_cloudformation_json",
    "moto.stepfunctions.models:StateMachine.delete_from_cloudformation_json",
)
def a_state_machine_of_a_template_cannot_be_started(stock: Stock) -> None:
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    properties = {"StateMachineName": "m", "DefinitionString": definition, "RoleArn": ROLE}
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    template = json.dumps({"Resources": {"M": resource}, "Outputs": {"M": {"Value": {"Ref": "M"}}}})
    stacks = stock.client("cloudformation")
    stacks.create_stack(StackName="s", TemplateBody=template)
    arn = stacks.describe_stacks(StackName="s")["Stacks"][0]["Outputs"][0]["OutputValue"]
    with pytest.raises(Exception, match="StateMachineDoesNotExist"):
        stock.client("stepfunctions").start_execution(stateMachineArn=arn, name="x")


@shows("moto.events.models:EventsBackend.put_events")
def a_detail_that_is_no_object_is_taken(stock: Stock) -> None:
    entry = {"Source": "s", "DetailType": "d", "Detail": "[1]"}
    with pytest.warns(UserWarning, match="ignored by AWS"):
        assert stock.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


@shows("moto.sns.models:MissingParameter")
def a_missing_group_has_another_name(stock: Stock) -> None:
    sns = stock.client("sns")
    arn = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    with pytest.raises(Exception, match="MissingParameter"):
        sns.publish(TopicArn=arn, Message="m")


@shows("moto.secretsmanager.models:SecretsManagerBackend.create_secret")
def a_secret_may_have_any_name(stock: Stock) -> None:
    made = stock.client("secretsmanager").create_secret(Name="not a name", SecretString="x")
    assert made["Name"] == "not a name"


def create_project(stock: Stock, **source: str) -> Any:
    codebuild = stock.client("codebuild")
    environment = {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"}
    codebuild.create_project(
        name="site",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2", **source},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=environment,
        serviceRole=ROLE,
    )
    return codebuild


@shows("moto.codebuild.responses:_validate_required_params_source")
def a_project_without_a_source_needs_a_location(stock: Stock) -> None:
    with pytest.raises(Exception, match="Project source location is required"):
        create_project(stock)


@shows(
    "moto.codebuild.responses:CodeBuildResponse.start_build",
    "moto.codebuild.models:CodeBuildBackend.batch_get_builds",
    "moto.codebuild.models:CodeBuildBackend.stop_build",
)
def a_build_has_succeeded_when_one_looks(stock: Stock) -> None:
    codebuild = create_project(stock, location="x")
    override = [{"name": "A", "value": "B"}]
    build = codebuild.start_build(projectName="site", environmentVariablesOverride=override)["build"]
    assert build["environment"]["environmentVariables"] == []
    assert codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]["buildStatus"] == "SUCCEEDED"


@shows("moto.cloudfront.models:Invalidation.__init__", "moto.cloudfront.models:Invalidation.__getattribute__")
def an_invalidation_is_completed_at_once(stock: Stock) -> None:
    cloudfront = stock.client("cloudfront")
    origin = {"Id": "o", "DomainName": "x.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    config = {
        "CallerReference": "1",
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
    }
    made = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "1"}
    done = cloudfront.create_invalidation(DistributionId=made, InvalidationBatch=batch)
    assert done["Invalidation"]["Status"] == "COMPLETED"


@shows("moto.logs.models:LogsBackend.create_log_group")
def no_event_announces_a_new_log_group(stock: Stock) -> None:
    pattern = {"detail-type": ["AWS API Call via CloudTrail"]}
    queue = stock.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    stock.client("events").put_rule(Name="r", EventPattern=json.dumps(pattern))
    arn = "arn:aws:sqs:us-east-1:123456789012:q"
    stock.client("events").put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
    stock.client("logs").create_log_group(logGroupName="/new")
    assert "Messages" not in stock.client("sqs").receive_message(QueueUrl=queue)


@pytest.mark.parametrize("shown", dict.fromkeys(SHOWN.values()), ids=lambda f: f.__name__)
def test_moto_alone(stock: Stock, monkeypatch: pytest.MonkeyPatch, shown: Callable[..., None]) -> None:
    arguments = [stock, monkeypatch][: shown.__code__.co_argcount]
    shown(*arguments)


def test_every_patch_is_shown_to_be_needed_and_has_a_reason() -> None:
    assert set(SHOWN) == {patch.target for patch in PATCHES}
    assert len({patch.target for patch in PATCHES}) == len(PATCHES)
    assert all(len(patch.reason.split()) > 4 for patch in PATCHES)


def test_starting_imports_neither_ec2_nor_motos_interpreter_nor_jsonata() -> None:
    heavy = ("moto.ec2", "moto.batch", "moto.stepfunctions.parser.asl", "jsonata")
    program = f"import sys, monitoring.local_aws; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_after_closing_moto_is_as_it_was(tmp_path: Any) -> None:
    before = {patch.target: resolve(patch)[2] for patch in PATCHES}
    with LocalAws(tmp_path):
        assert all(resolve(Patch(p.target, "", p.make))[2] is not before[p.target] for p in PATCHES)
    assert {patch.target: resolve(patch)[2] for patch in PATCHES} == before


GONE = [
    (
        Patch("moto.logs.models:LogStream.put_events", "r", lambda *_: None),
        r"it has no .*LogStream\.put_events",
    ),
    (Patch("moto.logs.moodels:LogStream", "r", lambda *_: None), r"it has no moto\.logs\.moodels:LogStream"),
    (
        Patch("moto.logs.models:LogStream.put_log_events", "r", lambda *_: None, ("self", "events")),
        r"LogStream\.put_log_events takes \(self, log_events\) instead of \(self, events\)",
    ),
]


@pytest.mark.parametrize(("patch", "message"), GONE, ids=["attribute", "module", "parameters"])
def test_a_moto_that_has_changed_is_named_with_what_is_missing(patch: Patch, message: str) -> None:
    from moto.logs.models import LogStream

    before = LogStream._send_log_events
    said = rf"moto 5\.\S+ is not one that the embedded AWS knows: .*{message}"
    with pytest.raises(InputError, match=said), applied((PATCHES[3], patch), SimpleNamespace()):
        pass
    assert LogStream._send_log_events is before
