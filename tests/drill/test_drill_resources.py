"""`stepscope drill --from`: the resources of an application and its own forwarder, one at a time or side by side."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.drill.application_result import ApplicationResult
from monitoring.drill.application_run import ApplicationOptions, drill_application, pipeline_options
from monitoring.drill.players import number_of_players
from monitoring.testing.project import Folder

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: orders
      Policies: [Statement: [{Effect: Allow, Action: ["dynamodb:*", "sqs:*", "sns:*", "s3:*", "lambda:*"], Resource: "*"}]]
      DefinitionSubstitutions:
        {Table: !Ref Table, Queue: !Ref Queue, Topic: !Ref Topic, Bucket: !Ref Bucket}
      Definition:
        StartAt: Work
        States:
          Work: {Type: Task, Resource: !GetAtt Work.Arn, Next: Store}
          Store:
            Type: Task
            Resource: arn:aws:states:::dynamodb:putItem
            Parameters: {TableName: "${Table}", Item: {id: {S: "7"}}}
            Next: Send
          Send:
            Type: Task
            Resource: arn:aws:states:::sqs:sendMessage
            Parameters: {QueueUrl: "${Queue}", MessageBody: order}
            Next: Tell
          Tell:
            Type: Task
            Resource: arn:aws:states:::sns:publish
            Parameters: {TopicArn: "${Topic}", Message: order}
            Next: Keep
          Keep:
            Type: Task
            Resource: arn:aws:states:::aws-sdk:s3:putObject
            Parameters: {Bucket: "${Bucket}", Key: a/order, Body: order}
            Catch: [{ErrorEquals: [States.ALL], Next: Done}]
            Next: Done
          Done: {Type: Succeed}
      Logging:
        Level: ALL
        IncludeExecutionData: true
        Destinations: [CloudWatchLogsLogGroup: {LogGroupArn: !GetAtt Logs.Arn}]
  Logs: {Type: AWS::Logs::LogGroup}
  Table: {Type: AWS::Serverless::SimpleTable}
  Queue: {Type: AWS::SQS::Queue}
  Topic: {Type: AWS::SNS::Topic}
  Bucket: {Type: AWS::S3::Bucket}
  Unused: {Type: AWS::SQS::Queue}
  Work:
    Type: AWS::Serverless::Function
    Properties: {Handler: work.handler, Runtime: python3.12, CodeUri: .}
  Forwarder:
    Type: AWS::Serverless::Function
    Properties: {Handler: monitoring.forwarder.handler, Runtime: python3.12, CodeUri: ., Timeout: 30}
  Subscription:
    Type: AWS::Logs::SubscriptionFilter
    Properties:
      {LogGroupName: !Ref Logs, FilterPattern: "", DestinationArn: !GetAtt Forwarder.Arn}
"""
FAILED = (
    "sum(last_15m):sum:aws.states.executions_failed{statemachinearn:*:statemachine:orders}.as_count() > 0"
)
MONITORS = {"failed": FAILED}
RESOURCES = {
    "Table": (
        "AmazonDynamoDBException",
        "ProvisionedThroughputExceededException",
        "ResourceNotFoundException",
    ),
    "Queue": ("AmazonSQSException", "RequestThrottledException", "QueueDoesNotExistException"),
    "Topic": ("AuthorizationErrorException", "AmazonSNSException", "NotFoundException"),
}
KINDS = ("denies", "throttles", "gone")
FORWARDER = ("raises", "throttled", "unsubscribed", "datadog-503", "datadog-403")
FAULTS = (
    "Work/raises",
    *(f"{name}/{kind}" for name in (*RESOURCES, "Bucket") for kind in KINDS),
    "Orders/aborted",
    *(f"Forwarder/{kind}" for kind in FORWARDER),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "work.py").write_text("def handler(event, context):\n    return event\n")
    (folder / "monitors").mkdir()
    for key, query in MONITORS.items():
        body = {
            "name": key,
            "type": "query alert",
            "query": query,
            "message": "@oncall",
            "options": {"evaluation_delay": 900},
        }
        (folder / "monitors" / f"{key}.json").write_text(json.dumps(body))
    return folder


def drilled(project: Path, players: int) -> ApplicationResult:
    source = pipeline_options(project / "template.yaml", "")
    monitors = Folder(project / "monitors")
    return drill_application(ApplicationOptions(source, {"": {}}, monitors, faults=FAULTS, players=players))


@pytest.fixture(scope="module")
def result(project: Path) -> ApplicationResult:
    return drilled(project, 1)


def rows_of(result: ApplicationResult) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in result.as_data()["faults"]}


def test_every_resource_and_the_forwarder_are_broken_in_every_way(result: ApplicationResult) -> None:
    assert set(rows_of(result)) == set(FAULTS)
    assert result.not_reached == ("Unused",)


@pytest.mark.parametrize("at", range(len(KINDS)))
@pytest.mark.parametrize("name", RESOURCES)
def test_a_refused_call_fails_the_execution_with_the_error_of_its_service(
    result: ApplicationResult, name: str, at: int
) -> None:
    row = rows_of(result)[f"{name}/{KINDS[at]}"]
    assert [text.rpartition(".")[2] for text in row["executions"]] == [RESOURCES[name][at]]
    assert (row["noticed_by"], row["told"]) == (["failed"], ["@oncall"])


def test_nobody_notices_a_refusal_that_the_machine_catches(result: ApplicationResult) -> None:
    for kind in KINDS:
        row = rows_of(result)[f"Bucket/{kind}"]
        assert (row["executions"], row["noticed_by"], row["minutes"]) == (["SUCCEEDED"], [], None)
        assert f"Bucket/{kind}" in result.unnoticed


def test_a_forwarder_that_is_broken_fails_nothing_and_a_shipped_monitor_would_notice(
    result: ApplicationResult,
) -> None:
    rows = rows_of(result)
    for kind in FORWARDER:
        row = rows[f"Forwarder/{kind}"]
        assert (row["executions"], row["noticed_by"]) == (["SUCCEEDED"], [])
    assert "forwarder-silent" in rows["Forwarder/unsubscribed"]["shipped_monitors_that_would"]
    assert "lambda-error-rate" in rows["Forwarder/raises"]["shipped_monitors_that_would"]
    assert "lambda-throttles" in rows["Forwarder/throttled"]["shipped_monitors_that_would"]
    for status in ("503", "403"):
        assert rows[f"Forwarder/datadog-{status}"]["shipped_monitors_that_would"]


def test_players_side_by_side_come_to_the_same(project: Path, result: ApplicationResult) -> None:
    told = ("name", "executions", "noticed_by", "minutes", "told", "shipped_monitors_that_would", "remarks")

    def rows(drill: ApplicationResult) -> list[list[Any]]:
        return [[row[key] for key in told] for row in drill.as_data()["faults"]]

    assert rows(drilled(project, 2)) == rows(result)


@pytest.mark.parametrize(("faults", "players"), [(0, 1), (1, 1), (15, 1)])
def test_a_few_faults_are_not_worth_another_player(faults: int, players: int) -> None:
    assert number_of_players(faults) == players


def test_many_faults_are_worth_several_players() -> None:
    assert 2 <= number_of_players(1000) <= 4


def test_one_of_several_machines_that_fails_in_health_is_skipped_and_named(tmp_path: Path) -> None:
    for name, state in (("bad", {"Type": "Fail", "Error": "Broken"}), ("good", {"Type": "Succeed"})):
        definition = {"StartAt": "A", "States": {"A": state}}
        (tmp_path / f"{name}.asl.json").write_text(json.dumps(definition))
    options = ApplicationOptions(
        pipeline_options(tmp_path, ""),
        {"": {}},
        Folder(tmp_path / "monitors"),
        faults=("Good/never-started",),
    )
    result = drill_application(options)
    assert [row.breakage.name for row in result.faults] == ["Good/never-started"]
    assert [note for note in result.notes if note.startswith("not drilled: Bad does not succeed")]
