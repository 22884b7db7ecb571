"""deploy/replay.yaml on the embedded AWS: a Distributed Map reads exported logs, each once, and says what came of them."""

import json
import shutil
from pathlib import Path

import pytest
from test_replay import LINES, OBJECTS, STREAMS, exported, rows  # noqa: F401

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_datadog import LocalDatadog
from monitoring.replay import distributed
from monitoring.replay.distributed import ObjectPlace

TEMPLATE = Path(__file__).parents[2] / "deploy" / "replay.yaml"
pytestmark = pytest.mark.checkout
POINTS = STREAMS * OBJECTS * LINES


@pytest.fixture
def aws(tmp_path):
    with LocalAws(tmp_path / "aws", speed=100) as running:
        for bucket in ("logs", "history"):
            running.client("s3").create_bucket(Bucket=bucket)
        yield running


@pytest.fixture
def bucket(aws, exported):  # noqa: F811
    """The exported logs in S3."""
    for path in sorted(exported.rglob("*.gz")):
        aws.client("s3").upload_file(str(path), "logs", f"exported/{path.relative_to(exported).as_posix()}")
    return aws


def install(aws, **more):
    given = {"CodeBucket": "code", "SourceBucket": "logs", "ResultBucket": "history", **more}
    parameters = {key: str(value) for key, value in given.items()}
    quick = {"*": {"MONITORING_RETRY_SECONDS": "0.1"}}
    return aws.deploy(TEMPLATE, stack="history", parameters=parameters, environment=quick)


def run(aws, deployment, **more):
    """One execution; its status and output."""
    asked = {
        "source": "s3://logs/exported",
        "out": "s3://history/shop",
        "target": "parquet",
        "group": "/aws/lambda/shop",
    }
    ended = aws.wait(aws.start(deployment.state_machine("Replay"), asked | more), 300)
    return ended["status"], json.loads(ended.get("output") or "{}")


def fetched(aws, folder):
    """The Parquet files of the result, on this disk."""
    shutil.rmtree(folder, ignore_errors=True)
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="history", Prefix="shop/day="):
        for entry in page.get("Contents", ()):
            path = folder / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file("history", entry["Key"], str(path))
    return rows(folder / "shop") if folder.exists() else {}


def test_every_point_is_in_the_bucket_once_after_one_run_and_two(bucket, tmp_path):
    deployment = install(bucket)
    status, output = run(bucket, deployment)
    assert status == "SUCCEEDED"
    assert output["sum"]["totals"]["points"] == POINTS
    assert output["sum"]["totals"]["objects"] == STREAMS * OBJECTS
    assert output["sum"]["totals"]["missing"] == 0
    stored = fetched(bucket, tmp_path / "first")
    assert sum(stored.values()) == POINTS
    (writes,) = [bucket.client("s3").list_objects_v2(Bucket="history", Prefix="shop/day=")["Contents"]]
    again = run(bucket, deployment)
    assert again == (status, {**output, "run": again[1]["run"]})
    later = bucket.client("s3").list_objects_v2(Bucket="history", Prefix="shop/day=")["Contents"]
    assert [entry["LastModified"] for entry in later] == [entry["LastModified"] for entry in writes]
    assert fetched(bucket, tmp_path / "second") == stored


def test_what_cannot_be_delivered_is_tolerated_up_to_the_limit_and_tried_again(bucket):
    with LocalDatadog() as datadog:
        url = datadog.url
    deployment = install(
        bucket, DatadogUrl=url, ToleratedFailurePercentage=100
    )  # nobody listens there any more
    status, output = run(bucket, deployment, target="datadog")
    assert (status, output["sum"]["totals"]["missing"]) == ("SUCCEEDED", STREAMS)


def test_too_many_failures_fail_the_execution(bucket):
    deployment = install(bucket, DatadogUrl="http://127.0.0.1:9", ToleratedFailurePercentage=0)
    assert run(bucket, deployment, target="datadog")[0] == "FAILED"


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"source": "s3://logs/nothing"}, "there are no objects"),
        ({"target": "kafka"}, "not a target"),
        ({"out": "/tmp/x"}, "not an address"),
    ],
)
def test_wrong_input_fails_the_execution_with_a_sentence(bucket, wish, error):
    deployment = install(bucket)
    asked = {"source": "s3://logs/exported", "out": "s3://history/shop", "target": "parquet", "group": ""}
    ended = bucket.wait(bucket.start(deployment.state_machine("Replay"), asked | wish), 300)
    assert ended["status"] == "FAILED"
    assert error in ended["cause"]


@pytest.mark.parametrize("address", ["", "bucket/prefix", "s3://", "s3:///prefix"])
def test_what_is_no_address_is_wrong_input(address):
    with pytest.raises(InputError, match="not an address in S3"):
        ObjectPlace.of(address)


@pytest.mark.parametrize(("address", "key"), [("s3://b", "n"), ("s3://b/", "n"), ("s3://b/p/q/", "p/q/n")])
def test_a_place_names_objects_below_its_prefix(address, key):
    assert ObjectPlace.of(address).key("n") == key


def test_an_event_without_a_known_action_is_wrong_input():
    with pytest.raises(InputError, match="not an action"):
        distributed.handler({"action": "drop"}, None)
