"""CodeBuild, CloudFront, and where functions log, on the embedded AWS."""

import io
import json
import re
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from monitoring.local_aws import LocalAws

SPEC = """
version: 0.2
env:
  variables: {GREETING: hello}
phases:
  pre_build:
    commands: [echo "$GREETING $NAME from $CODEBUILD_BUILD_ID"]
  build:
    commands:
      - mkdir site
      - python -c "open('site/index.html', 'w').write('<p>hi')"
      - test "$NAME" != nobody
  post_build:
    commands: [echo done]
artifacts: {base-directory: site, files: ['**/*']}
"""


@pytest.fixture(scope="module")
def project(aws: LocalAws) -> str:
    aws.client("s3").create_bucket(Bucket="site")
    aws.client("codebuild").create_project(
        name="site",
        source={"type": "NO_SOURCE", "buildspec": SPEC},
        artifacts={"type": "S3", "location": "site", "path": "public"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "NAME", "value": "world"}],
        },
        serviceRole="arn:aws:iam::123456789012:role/local",
    )
    return "site"


def until_complete(aws: LocalAws, build_id: str) -> tuple[dict[str, Any], list[str]]:
    """The build when it has ended, and the phases seen on the way."""
    seen: list[str] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (build,) = aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
        if build["currentPhase"] not in seen[-1:]:
            seen.append(build["currentPhase"])
        if build["buildStatus"] != "IN_PROGRESS":
            return build, seen
        time.sleep(0.01)
    raise AssertionError(f"still {seen}")


def test_a_build_runs_its_commands_and_succeeds(aws: LocalAws, project: str) -> None:
    began = time.monotonic()
    build = aws.client("codebuild").start_build(projectName=project)["build"]
    assert build["buildStatus"] == "IN_PROGRESS"
    done, seen = until_complete(aws, build["id"])
    assert time.monotonic() - began >= aws.builds.provisioning_seconds
    assert (done["buildStatus"], seen[-1]) == ("SUCCEEDED", "COMPLETED")
    assert "PROVISIONING" in seen
    assert done["endTime"] >= done["startTime"]
    phases = {phase["phaseType"]: phase.get("phaseStatus") for phase in done["phases"]}
    assert list(phases) == [
        "SUBMITTED",
        "QUEUED",
        "PROVISIONING",
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "POST_BUILD",
        "UPLOAD_ARTIFACTS",
        "FINALIZING",
    ]
    assert set(phases.values()) == {"SUCCEEDED"}
    page = aws.client("s3").get_object(Bucket="site", Key="public/index.html")["Body"].read()
    assert page == b"<p>hi"
    log = [e.message for e in aws.log_events() if e.log_group == "/aws/codebuild/site"]
    assert f"hello world from {build['id']}" in log


def test_a_build_fails_with_its_command(aws: LocalAws, project: str) -> None:
    override = [{"name": "NAME", "value": "nobody", "type": "PLAINTEXT"}]
    build = aws.client("codebuild").start_build(projectName=project, environmentVariablesOverride=override)
    done, _ = until_complete(aws, build["build"]["id"])
    assert done["buildStatus"] == "FAILED"
    phases = {phase["phaseType"]: phase for phase in done["phases"]}
    assert phases["BUILD"]["phaseStatus"] == "FAILED"
    said = 'Error while executing command: test "$NAME" != nobody. Reason: exit status 1'
    assert phases["BUILD"]["contexts"][0]["message"] == said
    assert phases["POST_BUILD"]["phaseStatus"] == "SUCCEEDED"
    assert "UPLOAD_ARTIFACTS" not in phases


def test_a_build_that_hangs_can_be_stopped(aws: LocalAws, project: str) -> None:
    spec = "version: 0.2\nphases: {build: {commands: [sleep 600]}}\n"
    codebuild = aws.client("codebuild")
    build = codebuild.start_build(projectName=project, buildspecOverride=spec)["build"]
    deadline = time.monotonic() + 60
    while codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]["currentPhase"] != "BUILD":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert codebuild.stop_build(id=build["id"])["build"]["buildStatus"] == "STOPPED"


def test_a_buildspec_that_is_none_fails_the_build_and_its_log_says_why(aws: LocalAws, project: str) -> None:
    codebuild = aws.client("codebuild")
    build = codebuild.start_build(projectName=project, buildspecOverride="- just\n- a list\n")["build"]
    done, _ = until_complete(aws, build["id"])
    assert done["buildStatus"] == "FAILED"
    assert any("YAML_FILE_ERROR" in e.message for e in aws.log_events())


def test_an_invalidation_is_completed_after_a_while(aws: LocalAws, deploy: Callable[..., str]) -> None:
    cloudfront = aws.client("cloudfront")
    distribution = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "s3",
                        "DomainName": "site.s3.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {"TargetOriginId": "s3", "ViewerProtocolPolicy": "allow-all"},
        }
    )["Distribution"]
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "1"}
    made = cloudfront.create_invalidation(DistributionId=distribution["Id"], InvalidationBatch=batch)
    assert made["Invalidation"]["Status"] == "InProgress"
    ids = {"DistributionId": distribution["Id"], "Id": made["Invalidation"]["Id"]}
    cloudfront.get_waiter("invalidation_completed").wait(
        **ids, WaiterConfig={"Delay": 0, "MaxAttempts": 9999}
    )
    assert cloudfront.get_invalidation(**ids)["Invalidation"]["Status"] == "Completed"


def test_other_services_answer(aws: LocalAws) -> None:
    table = aws.client("dynamodb")
    table.create_table(
        TableName="slides",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.put_item(TableName="slides", Item={"id": {"S": "1"}})
    assert table.get_item(TableName="slides", Key={"id": {"S": "1"}})["Item"] == {"id": {"S": "1"}}
    topic = aws.client("sns").create_topic(Name="done")["TopicArn"]
    assert aws.client("sns").publish(TopicArn=topic, Message="built")["MessageId"]


LOGS_ITS_GROUP = "def handler(event, context):\n    print('in', context.log_group_name)\n    return 1\n"


def zipped(source: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", source)
    return packed.getvalue()


def by_request(aws: LocalAws, name: str, logging: dict[str, str]) -> None:
    aws.client("lambda").create_function(
        FunctionName=name,
        Role=f"arn:aws:iam::123456789012:role/{name}",
        Handler="index.handler",
        Runtime="python3.12",
        Code={"ZipFile": zipped(LOGS_ITS_GROUP)},
        LoggingConfig=logging,
    )


def by_update(aws: LocalAws, name: str, logging: dict[str, str]) -> None:
    by_request(aws, name, {"LogGroup": "/never"})
    aws.client("lambda").update_function_configuration(FunctionName=name, LoggingConfig=logging)
    aws.client("lambda").update_function_configuration(FunctionName=name, MemorySize=256)


def by_stack(aws: LocalAws, name: str, logging: dict[str, str]) -> None:
    function = {
        "FunctionName": name,
        "Role": f"arn:aws:iam::123456789012:role/{name}",
        "Handler": "index.handler",
        "Runtime": "python3.12",
        "Code": {"ZipFile": LOGS_ITS_GROUP},
        "LoggingConfig": {**logging, "LogGroup": {"Ref": "Logs"}},
    }
    logs = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": logging["LogGroup"]}}
    resources = {"Logs": logs, "F": {"Type": "AWS::Lambda::Function", "Properties": function}}
    template = json.dumps({"Resources": resources})
    aws.client("cloudformation").create_stack(StackName=f"stack-{name}", TemplateBody=template)


@pytest.mark.parametrize("deployed", [by_request, by_update, by_stack])
@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_a_function_logs_to_the_group_and_in_the_format_of_its_logging_config(
    aws: LocalAws, deployed: Callable[..., None], log_format: str
) -> None:
    """Lambda names the streams of a custom group DATE/FUNCTION[VERSION]ID, so that functions can share it."""
    name, group = (
        f"{deployed.__name__}-{log_format}".replace("_", "-"),
        f"/app/{deployed.__name__}{log_format}",
    )
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    deployed(aws, name, {"LogGroup": group, "LogFormat": log_format})
    assert aws.client("lambda").invoke(FunctionName=name)["Payload"].read() == b"1"
    events = [event for event in aws.log_events() if name in (event.log_stream + event.log_group)]
    assert {event.log_group for event in events} == {group}
    assert all(re.fullmatch(rf"[\d/]+/{name}\[\$LATEST\]\w{{32}}", event.log_stream) for event in events)
    assert f"in {group}" in [event.message.rstrip() for event in events]
    assert any(event.message.startswith("REPORT") for event in events) == (log_format == "Text")
    logging = aws.client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]
    assert logging == {"LogGroup": group, "LogFormat": log_format}
