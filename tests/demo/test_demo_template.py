"""The demo runs what the template says: what is wrong in it, or missing, makes the demo fail and is named."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitoring.demo.result import DemoResult
from monitoring.demo.run import DemoOptions, run_demo
from monitoring.demo.scenarios import LANES
from monitoring.demo.stage import template_of_the_example
from monitoring.errors import InputError

NEXT_SLIDE = ((LANES[0][1],),)
"""What has to run between the first scenario and the outage, so that the last one is the same slide again."""
TEMPLATE = template_of_the_example().read_text(encoding="utf-8")


def changed(folder: Path, pattern: str, by: str = "") -> Path:
    """A copy of the template in which what matches is replaced, beside the example's definition."""
    text, count = re.subn(pattern, by, TEMPLATE, flags=re.MULTILINE)
    assert count, pattern
    (folder / "deploy").mkdir()
    (folder / "handlers").symlink_to(template_of_the_example().parents[1] / "handlers")
    path = folder / "deploy" / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def result_of(folder: Path, pattern: str, by: str = "") -> DemoResult:
    result = run_demo(DemoOptions(template=changed(folder, pattern, by)), lanes=NEXT_SLIDE)
    assert not result.fine
    return result


def resource(name: str) -> str:
    """What a resource of the template is written as, up to the next one."""
    return rf"^  {name}:\n(    .*\n)+"


def test_a_policy_that_is_missing_ends_the_demo_with_a_sentence(tmp_path: Path):
    path = changed(tmp_path, r"^        - S3ReadPolicy: {BucketName: !Ref ModelBucket}\n")
    command = [
        sys.executable,
        "-c",
        "from monitoring.cli import main; main()",
        "demo",
        "--template",
        str(path),
    ]
    environment = {**os.environ, "COLUMNS": "500"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 1, done.stderr
    assert re.search(
        r"assumed-role/slides-IdentifyFunctionRole-\w+/session is not authorized to perform: s3:GetObject "
        r"on resource: arn:aws:s3:::slides-modelbucket-\w+/slides/model.npz",
        done.stdout,
    )
    assert "not as they had to end: new-slide" in done.stdout


def test_a_subscription_that_is_taken_out_is_a_difference(tmp_path: Path):
    result = result_of(tmp_path, resource("CompareLogsToForwarder"))
    assert all(execution.as_expected for execution in result.executions)
    differences = "\n".join(result.accounting.differences)
    assert "point printed but not stored: ('slides.compared'" in differences
    assert "stored but not printed" not in differences
    assert result.problems == ()


def test_without_its_spool_the_forwarder_loses_what_an_outage_brings(tmp_path: Path):
    result = result_of(tmp_path, r"^          MONITORING_SPOOL_QUEUE: .*\n")
    assert all(execution.as_expected for execution in result.executions)
    assert any("printed but not stored" in difference for difference in result.accounting.differences)
    assert any(problem.startswith("slides-ForwarderFunction-") for problem in result.problems)
    assert any("503" in problem for problem in result.problems)


def test_without_its_digests_the_forwarder_stores_a_second_delivery_twice(tmp_path: Path):
    result = result_of(tmp_path, r"^          MONITORING_DIGESTS_TABLE: .*\n")
    assert result.accounting.unexplained > 0
    assert all("stored but not printed" in difference for difference in result.accounting.differences)


def test_without_the_buckets_event_no_execution_starts(tmp_path: Path):
    events = r"^      Events:\n        Photo:\n(          .*\n)+"
    result = result_of(tmp_path, events)
    assert {execution.status for execution in result.executions} == {"NOT_STARTED"}
    assert result.executions[0].cause.startswith("The photo's arrival started no execution")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "action"),
    [
        (r"^        - LambdaInvokePolicy: {FunctionName: !Ref CompareFunction}\n", "lambda:InvokeFunction"),
        (r"^        - SNSPublishMessagePolicy: .*\n", "sns:Publish"),
        (r"^              - {Effect: Allow, Action: s3:PutObject, .*\n", "s3:PutObject"),
        (r"^        - SQSSendMessagePolicy: .*\n", "sqs:SendMessage"),
        (r"^        - SQSPollerPolicy: .*\n", "sqs:ReceiveMessage"),
        (r"^        - DynamoDBCrudPolicy: {TableName: !Ref Digests}\n", "dynamodb:GetItem"),
        (r"^        - AWSSecretsManagerGetSecretValuePolicy: .*\n", "secretsmanager:GetSecretValue"),
    ],
)
def test_every_role_is_asked_for_what_it_may(tmp_path: Path, pattern: str, action: str):
    result = result_of(tmp_path, pattern)
    assert any(
        f"is not authorized to perform: {action} on resource: arn:" in text for text in result.problems
    )


@pytest.mark.slow
def test_without_a_schedule_nothing_empties_the_spool(tmp_path: Path):
    result = result_of(tmp_path, r"^        Redrive:.*\n          Type: Schedule\n          Properties: .*\n")
    assert any("printed but not stored" in difference for difference in result.accounting.differences)


@pytest.mark.slow
def test_without_its_rule_the_forwarder_hears_of_no_execution(tmp_path: Path):
    result = result_of(tmp_path, r"^        Statuses:\n(          .*\n)+")
    assert "3 executions, but 0 starts in Datadog" in result.accounting.differences


def test_another_template_is_refused(tmp_path: Path):
    path = tmp_path / "template.yaml"
    parameters = "Parameters: {Environment: {Type: String}, DatadogApiKeySecretArn: {Type: String}}\n"
    path.write_text(f"{parameters}Resources: {{PhotoBucket: {{Type: AWS::S3::Bucket}}}}\n")
    with pytest.raises(InputError, match="the template has no ModelBucket, no SlideTable, no Pipeline"):
        run_demo(DemoOptions(template=path))
