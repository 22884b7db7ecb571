"""Triggers of a template: what invokes, when, and what does not."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_aws.schedules import is_due, next_time

ECHO = "import json, os\ndef handler(event, context):\n    print('heard ' + json.dumps(event))\n    return event\n"
ROLE = "arn:aws:iam::123456789012:role/any"


def function(**more: Any) -> dict[str, Any]:
    code = {"Code": {"ZipFile": ECHO}, "Handler": "index.handler", "Runtime": "python3.12", "Role": ROLE}
    return {"Type": "AWS::Lambda::Function", "Properties": {**code, **more}}


def rule(target: str, **more: Any) -> dict[str, Any]:
    targets = [{"Id": "1", "Arn": {"Fn::GetAtt": [target, "Arn"]}}]
    return {"Type": "AWS::Events::Rule", "Properties": {"Targets": targets, **more}}


def template(folder: Path, resources: dict[str, Any]) -> Path:
    path = folder / "template.json"
    path.write_text(json.dumps({"Resources": resources}))
    return path


def heard(aws: LocalAws, name: str) -> list[Any]:
    aws.drain(60)
    lines = [event.message for event in aws.log_events() if event.log_group == f"/aws/lambda/{name}"]
    return [json.loads(line.removeprefix("heard ")) for line in lines if line.startswith("heard ")]


def test_a_schedule_fires_by_name_and_hears_no_event_of_its_bus(aws: LocalAws, tmp_path: Path) -> None:
    resources = {
        "Nightly": function(FunctionName="nightly"),
        "Listener": function(FunctionName="listener"),
        "Night": rule("Nightly", Name="night", ScheduleExpression="cron(0 3 * * ? *)"),
        "Placed": rule("Listener", Name="placed", EventPattern={"source": ["triggers"]}),
    }
    aws.deploy(template(tmp_path, resources), stack="schedules")
    aws.client("events").put_events(Entries=[{"Source": "triggers", "DetailType": "x", "Detail": "{}"}])
    aws.fire_schedule("night")
    assert [event["detail-type"] for event in heard(aws, "nightly")] == ["Scheduled Event"]
    assert [event["source"] for event in heard(aws, "listener")] == ["triggers"]
    schedule = next(each for each in aws.schedules() if each.name == "night")
    assert schedule.expression == "cron(0 3 * * ? *)"
    assert schedule.next is not None and (schedule.next.hour, schedule.next.minute) == (3, 0)
    with pytest.raises(InputError, match="there is no schedule noon") as refused:
        aws.fire_schedule("noon")
    assert "night" in str(refused.value.hint)


@pytest.mark.parametrize("limit", [1, "1"])
def test_a_function_with_a_reserved_concurrency_runs(aws: LocalAws, tmp_path: Path, limit: Any) -> None:
    name = f"reserved-{type(limit).__name__}"
    reserved = function(FunctionName=name, ReservedConcurrentExecutions=limit)
    aws.deploy(template(tmp_path, {"F": reserved}), stack=name)
    assert aws.invoke(name, {"n": 1}) == {"n": 1}


def test_log_events_that_are_delivered_again_are_the_same_event(aws: LocalAws, tmp_path: Path) -> None:
    resources = {
        "Writer": function(FunctionName="writer"),
        "Reader": function(FunctionName="reader"),
        "Logs": {
            "Type": "AWS::Logs::SubscriptionFilter",
            "DependsOn": "Writer",
            "Properties": {
                "LogGroupName": "/aws/lambda/writer",
                "FilterPattern": "",
                "DestinationArn": {"Fn::GetAtt": ["Reader", "Arn"]},
            },
        },
    }
    aws.deploy(template(tmp_path, resources), stack="again")
    aws.invoke("writer", {"n": 1})
    first = heard(aws, "reader")
    assert aws.deliver_again() >= 1
    events = heard(aws, "reader")
    assert len(events) > len(first)
    assert events[-1] in first


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(5 minutes)", "2026-11-27 12:35"),
        ("rate(1 day)", "2026-11-28 12:00"),
        ("cron(0/15 * * * ? *)", "2026-11-27 12:45"),
        ("cron(0 12 * * ? *)", "2026-11-28 12:00"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-27 18:00"),
        ("cron(30 12 ? * FRI *)", "2026-12-04 12:30"),
        ("cron(0 0 L * ? *)", "2026-11-30 00:00"),
        ("cron(15 10 29 2 ? *)", None),
        ("at(2026-11-27T13:00:00)", "2026-11-27 13:00"),
        ("at(2026-11-27T12:30:00)", None),
        ("every day", None),
    ],
)
def test_the_next_time_of_a_schedule(expression: str, expected: str | None) -> None:
    now = datetime(2026, 11, 27, 12, 30, 40, tzinfo=UTC)
    since = datetime(2026, 11, 27, 12, 0, 10, tzinfo=UTC)
    moment = next_time(expression, now, since)
    assert (moment and f"{moment:%Y-%m-%d %H:%M}") == expected
    assert moment is None or is_due(expression, moment, since)


def test_a_refused_call_is_kept(aws: LocalAws, tmp_path: Path) -> None:
    code = "import boto3\ndef handler(event, context):\n    boto3.client('sqs').list_queues()\n"
    trust = {
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
    }
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "nothing", "AssumeRolePolicyDocument": trust},
        },
        "F": function(
            FunctionName="refused", Code={"ZipFile": code}, Timeout=30, Role={"Fn::GetAtt": ["Role", "Arn"]}
        ),
    }
    aws.deploy(template(tmp_path, resources), stack="refused")
    for _ in range(2):
        with pytest.raises(Exception, match="AccessDenied"):
            aws.invoke("refused", {})
    (told,) = [text for text in aws.refusals() if "assumed-role/nothing/" in text]
    assert "is not authorized to perform: sqs:ListQueues" in told


def test_a_reference_to_a_bucket_does_not_import_all_of_moto(tmp_path: Path) -> None:
    """Importing moto's CloudFormation imports nearly every service: four seconds."""
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "F": function(Environment={"Variables": {"BUCKET": {"Fn::GetAtt": ["Bucket", "Arn"]}}}),
    }
    path = template(tmp_path, resources)
    code = (
        "import sys\nfrom pathlib import Path\nfrom monitoring.local_aws import LocalAws\n"
        f"with LocalAws(Path({str(tmp_path / 'home')!r})) as aws:\n    aws.deploy({str(path)!r})\n"
        "sys.exit('moto.cloudformation' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_message_waits_in_its_queue_while_the_function_that_reads_it_is_throttled(
    aws: LocalAws, tmp_path: Path
) -> None:
    resources = {
        "Busy": function(FunctionName="busy", ReservedConcurrentExecutions=0),
        "Orders": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "busy"}},
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["Orders", "Arn"]},
                "FunctionName": {"Ref": "Busy"},
            },
        },
    }
    stack = aws.deploy(template(tmp_path, resources), stack="throttled")
    sqs, url = aws.client("sqs"), stack.names["Orders"]
    sqs.send_message(QueueUrl=url, MessageBody="7")
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]] == ["7"]
