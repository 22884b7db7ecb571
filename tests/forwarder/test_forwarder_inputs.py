"""Every way in which log events reach the forwarder, and what it keeps in S3, SQS, DynamoDB and elsewhere."""

import base64
import functools
import gzip
import itertools
import json
import random
import time

import boto3
import pytest
from moto import mock_aws

from monitoring.errors import InputError
from monitoring.forwarder.forwarder import Forwarder, World
from monitoring.forwarder.sender import UndeliveredError
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.local_datadog.body import zstd

NOW = int(time.time())


client = functools.cache(boto3.client)  # moto answers clients made in an earlier test too


@pytest.fixture
def cloud(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client("s3").create_bucket(Bucket="kept")
        yield client


def forwarder(intake, clients=client, **environ):
    base = {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false"}
    world = World(clients=clients, sleep=lambda _: None)
    return Forwarder(ForwarderSettings.from_env(base | environ), "eu-west-1", world)


def point(value, name="in.put"):
    return f"MONITORING|{NOW}|{value}|count|{name}|"


def payload(*messages, **head):
    body = {
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/orders",
        "logStream": "s", "subscriptionFilters": [],
        "logEvents": [{"id": "1", "timestamp": NOW * 1000, "message": m} for m in messages],
    }  # fmt: skip
    return json.dumps(body | head).encode()


def s3_event(key, bucket="kept"):
    body = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"Records": [{"eventSource": "aws:s3", "s3": body}]}


def sqs(*bodies):
    records = [
        {
            "eventSource": "aws:sqs",
            "messageId": f"m{i}",
            "receiptHandle": f"r{i}",
            "body": body,
            "attributes": {},
        }
        for i, body in enumerate(bodies)
    ]
    return {"Records": records}


def kinesis(*bodies):
    records = [
        {
            "eventSource": "aws:kinesis",
            "eventID": f"shard:{i}",
            "kinesis": {"data": base64.b64encode(body).decode()},
        }
        for i, body in enumerate(bodies)
    ]
    return {"Records": records}


def sns(message):
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message}}]}


def eventbridge(key):
    detail = {"bucket": {"name": "kept"}, "object": {"key": key}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def status_change(status="SUCCEEDED"):
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:demo"
    detail = {
        "status": status,
        "stateMachineArn": machine,
        "startDate": NOW * 1000 - 500,
        "stopDate": NOW * 1000,
    }
    return {"detail-type": "Step Functions Execution Status Change", "source": "aws.states", "detail": detail}


WRAPPED = {
    "S3": s3_event,
    "SNS": lambda key: sns(json.dumps(s3_event(key))),
    "SQS": lambda key: sqs(json.dumps(s3_event(key))),
    "SNS in SQS": lambda key: sqs(json.dumps({"Type": "Notification", "Message": json.dumps(s3_event(key))})),
    "EventBridge": eventbridge,
    "EventBridge in SQS": lambda key: sqs(json.dumps(eventbridge(key))),
}


@pytest.mark.parametrize("way", WRAPPED)
def test_an_object_is_read_whichever_way_it_is_told_of(intake, cloud, way):
    cloud("s3").put_object(Bucket="kept", Key="a b+c.gz", Body=gzip.compress(f"{point(1)}\nplain\n".encode()))
    key = "a+b%2Bc.gz" if "EventBridge" not in way else "a b+c.gz"
    forwarder(intake).handle(WRAPPED[way](key), 30)
    assert intake.values("in.put") == [1]
    (entry,) = intake.logs()
    assert (entry["message"], entry["ddsource"], entry["aws"]["s3"]) == (
        "plain", "s3", {"bucket": "kept", "key": "a b+c.gz"},
    )  # fmt: skip


PAYLOADS = payload(point(1)) + payload(point(2)) + payload(point(4))
BODIES = {
    "plain": PAYLOADS,
    "gz": gzip.compress(PAYLOADS),
    "gz of several members": b"".join(gzip.compress(payload(point(n))) for n in (1, 2, 4)),
    "zst": zstd.compress(PAYLOADS),
    "zst of several frames": b"".join(zstd.compress(payload(point(n))) for n in (1, 2, 4)),
    "with newlines": PAYLOADS.replace(b"}{", b"}\n{"),
    "lines": "\n".join(map(point, (1, 2, 4))).encode(),
    "an export": "\n".join(f"2026-11-23T10:00:00.00{n}Z {point(n)}" for n in (1, 2, 4)).encode(),
    "events by line": b"\n".join(
        json.dumps(
            {"log_group": "/aws/lambda/x", "log_stream": "s", "timestamp": 1, "message": point(n)}
        ).encode()
        for n in (1, 2, 4)
    ),
}


@pytest.mark.parametrize("form", BODIES)
def test_an_object_is_read_in_whatever_form_it_is(intake, cloud, form):
    cloud("s3").put_object(Bucket="kept", Key="x", Body=BODIES[form])
    forwarder(intake).handle(s3_event("x"), 30)
    assert sorted(intake.values("in.put")) == [1, 2, 4]


def test_lines_of_an_export_have_their_own_times_and_stay_together(intake, cloud):
    text = "2026-11-23T10:00:00.123Z first\n  more of it\n2026-11-23T10:00:01.000Z second\n"
    cloud("s3").put_object(
        Bucket="kept", Key="exported/task/stream-1/000000.gz", Body=gzip.compress(text.encode())
    )
    forwarder(intake).handle(s3_event("exported/task/stream-1/000000.gz"), 30)
    assert [(e["message"], e["timestamp"]) for e in intake.logs()] == [
        ("first\n  more of it", 1795428000123), ("second", 1795428001000),
    ]  # fmt: skip


def test_a_load_balancers_object_is_logs_of_elb(intake, cloud):
    key = "AWSLogs/123456789012/elasticloadbalancing/eu-west-1/2026/11/23/x.log.gz"
    cloud("s3").put_object(
        Bucket="kept", Key=key, Body=gzip.compress(b"http 2026-11-23T10:00:00.0Z app/x 1.2.3.4\n")
    )
    forwarder(intake).handle(s3_event(key), 30)
    assert intake.logs()[0]["ddsource"] == "elb"


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gz", "zst"])
def test_an_object_cut_off_in_its_middle_gives_what_it_holds_and_says_so(intake, cloud, compress):
    body = compress("".join(f"{point(n)}\n" for n in range(20_000)).encode())
    cloud("s3").put_object(Bucket="kept", Key="x", Body=body[: len(body) // 2])
    summary = forwarder(intake).handle(s3_event("x"), 30)
    assert len(intake.values("in.put")) > 1000
    assert summary["refused"] == {"unreadable from here on": 1}


def test_an_object_that_is_gone_is_a_reason_and_costs_its_neighbours_nothing(intake, cloud):
    cloud("s3").put_object(Bucket="kept", Key="x", Body=point(1).encode())
    event = {"Records": s3_event("gone")["Records"] + s3_event("x")["Records"]}
    summary = forwarder(intake).handle(event, 30)
    assert intake.values("in.put") == [1]
    assert summary["refused"] == {"S3 answers NoSuchKey": 1}
    assert "does not exist any more" in summary["errors"][0]


def test_a_stream_brings_payloads_and_a_bad_record_costs_itself(intake):
    broken = gzip.compress(payload("lost"))[:60]
    event = kinesis(gzip.compress(payload(point(1))), broken, gzip.compress(payload(point(2))), b"a line")
    summary = forwarder(intake).handle(event, 30)
    assert sorted(intake.values("in.put")) == [1, 2]
    assert summary["refused"] == {"unreadable from here on": 1}
    kept = next(entry for entry in intake.logs() if "stepscope" in entry)
    assert json.loads(kept["message"])["records"] == [{"data": base64.b64encode(broken).decode()}]
    assert [entry["message"] for entry in intake.logs() if "stepscope" not in entry] == ["a line"]


@pytest.mark.parametrize(
    "head",
    [
        {"messageType": "CONTROL_MESSAGE"},
        {"logStream": "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"},
    ],
)
def test_control_messages_and_the_validation_stream_are_skipped(intake, head):
    data = base64.b64encode(gzip.compress(payload("text", **head))).decode()
    summary = forwarder(intake).handle({"awslogs": {"data": data}}, 30)
    assert (summary, intake.received) == ({"skipped": 1}, [])


def test_a_status_change_is_points_within_one_invocation(intake):
    forwarder(intake, DD_ENV="test").handle(status_change(), 30)
    assert intake.values("stepscope.execution.succeeded") == [1]
    assert intake.values("stepscope.execution.duration") == [0.5]
    tags = intake.points()[0][3]
    assert {"statemachinename:demo", "env:test", "region:eu-west-1"} <= set(tags)


@pytest.mark.parametrize(
    "event", [None, [], {}, {"hello": 1}, {"Records": []}, {"Records": [7]}, {"awslogs": {}}]
)
def test_an_event_of_nobody_is_a_reason_and_no_exception(intake, event):
    summary = forwarder(intake).handle(event, 30)
    assert sum(summary.get("refused", {}).values()) == (0 if event == {"Records": []} else 1)


def test_a_bad_event_within_a_payload_costs_itself(intake):
    body = json.loads(payload(point(1), point(2)))
    body["logEvents"][1:1] = ["no object", {"id": "x"}, {"message": 1, "timestamp": 1}, {"message": "x"}]
    data = base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()
    summary = forwarder(intake).handle({"awslogs": {"data": data}}, 30)
    assert sorted(intake.values("in.put")) == [1, 2]
    assert sum(summary["refused"].values()) == 4


def test_a_queues_bad_message_comes_again_alone(intake, cloud):
    for name in ("a", "b"):
        cloud("s3").put_object(Bucket="kept", Key=name, Body=point(1, f"from.{name}").encode())

    class Broken:
        def __init__(self, real):
            self.real = real

        def get_object(self, **named):
            if named["Key"] == "a":
                raise OSError("reset")
            return self.real.get_object(**named)

    job = forwarder(intake, lambda service: Broken(cloud(service)))
    answer = job.handle(sqs(json.dumps(s3_event("a")), json.dumps(s3_event("b"))), 30)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert intake.values("from.b") == [1]


def test_a_queue_whose_messages_all_fail_fails_the_invocation(intake, subscription):
    intake.script = lambda *_: (503, {}, b"")
    job = forwarder(intake, MONITORING_RETRY_SECONDS="0")
    with pytest.raises(UndeliveredError):
        job.handle(sqs(json.dumps(subscription([point(1)]))), 30)


# The spool on AWS


def failing(intake):
    intake.script = lambda *_: (503, {}, b"")
    return {"MONITORING_RETRY_SECONDS": "0"}


def test_the_spool_in_s3_is_encrypted_redriven_and_emptied(intake, cloud, subscription):
    key = cloud("kms").create_key()["KeyMetadata"]["KeyId"]
    extra = {"MONITORING_SPOOL_BUCKET": "kept/spool", "MONITORING_SPOOL_KMS_KEY": key}
    job = forwarder(intake, **failing(intake), **extra)
    assert job.handle(subscription([point(1), "text"]), 30)["spooled"] == {"503": 2}
    listed = cloud("s3").list_objects_v2(Bucket="kept", Prefix="spool/")["Contents"]
    head = cloud("s3").head_object(Bucket="kept", Key=listed[0]["Key"])
    assert (len(listed), head["ServerSideEncryption"], key in head["SSEKMSKeyId"]) == (2, "aws:kms", True)
    intake.script = None
    assert job.handle({"stepscope": "redrive"}, 30)["redriven"] == 2
    assert "Contents" not in cloud("s3").list_objects_v2(Bucket="kept", Prefix="spool/")
    assert intake.values("in.put") == [1]


def test_a_dead_entry_lies_below_its_own_prefix(intake, cloud, subscription):
    extra = {"MONITORING_SPOOL_BUCKET": "kept/spool", "MONITORING_SPOOL_ATTEMPTS": "1"}
    job = forwarder(intake, **failing(intake), **extra)
    job.handle(subscription([point(1)]), 30)
    assert "dead" not in job.handle({"stepscope": "redrive"}, 30)  # an outage buries nothing
    intake.script = lambda *_: (400, {}, b"")
    assert job.handle({"stepscope": "redrive"}, 30)["dead"] == 1
    (left,) = cloud("s3").list_objects_v2(Bucket="kept", Prefix="spool/")["Contents"]
    assert left["Key"].startswith("spool/dead/distributions-")


def test_the_spool_in_sqs_puts_large_entries_into_s3(intake, cloud, subscription):
    queue = cloud("sqs").create_queue(QueueName="spool")["QueueUrl"]
    extra = {"MONITORING_SPOOL_QUEUE": queue, "MONITORING_SPOOL_BUCKET": "kept/spool"}
    job = forwarder(intake, **failing(intake), **extra)
    noise = [f"{random.Random(n).getrandbits(16_000):x}" for n in range(120)]  # does not compress
    job.handle(subscription([point(1), *noise]), 30)
    (large,) = cloud("s3").list_objects_v2(Bucket="kept", Prefix="spool/")["Contents"]
    assert large["Key"].startswith("spool/large/logs-")
    intake.script = None
    assert job.handle({"stepscope": "redrive"}, 30)["redriven"] == 2
    assert "Contents" not in cloud("s3").list_objects_v2(Bucket="kept", Prefix="spool/")
    assert (intake.values("in.put"), len(intake.logs())) == ([1], 120)


def test_an_object_too_large_for_the_time_that_is_left_goes_on_at_the_redrive(intake, cloud):
    body = "".join(f"{point(n, 'rest')}\n" for n in range(9000)).encode()
    cloud("s3").put_object(Bucket="kept", Key="x", Body=gzip.compress(body))
    ticks = itertools.count(step=0.05)
    base = {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_SPOOL_BUCKET": "kept/spool"}
    world = World(clients=client, monotonic=lambda: next(ticks))
    job = Forwarder(
        ForwarderSettings.from_env(base | {"MONITORING_OWN_METRICS": "false"}), "eu-west-1", world
    )
    assert job.handle(s3_event("x"), 0.5)["spooled"]["time is up"] >= 1
    before = len(intake.values("rest"))
    assert before < 9000
    for _ in range(50):
        job.handle({"stepscope": "redrive"}, 5)
        if not cloud("s3").list_objects_v2(Bucket="kept", Prefix="spool/")["KeyCount"]:
            break
    assert sorted(intake.values("rest")) == sorted(range(9000))


def test_the_queue_can_be_an_event_source_itself(intake, cloud, subscription):
    queue = cloud("sqs").create_queue(QueueName="spool")["QueueUrl"]
    job = forwarder(intake, **failing(intake), MONITORING_SPOOL_QUEUE=queue)
    job.handle(subscription([point(1), "text"]), 30)
    messages = [cloud("sqs").receive_message(QueueUrl=queue)["Messages"][0] for _ in range(2)]
    event = sqs(*(m["Body"] for m in messages))
    for record, message in zip(event["Records"], messages, strict=True):
        record["receiptHandle"] = message["ReceiptHandle"]
    with pytest.raises(UndeliveredError):
        job.handle(event, 30)
    intake.script = None
    assert job.handle(event, 30) == {"batchItemFailures": []}
    assert (intake.values("in.put"), len(intake.logs())) == ([1], 1)


def test_an_entry_too_large_for_a_queue_without_a_bucket_is_split(intake, cloud, subscription):
    queue = cloud("sqs").create_queue(QueueName="spool")["QueueUrl"]
    job = forwarder(intake, **failing(intake), MONITORING_SPOOL_QUEUE=queue)
    noise = [f"{random.Random(n).getrandbits(16_000):x}" for n in range(300)]
    spooled = job.handle(subscription(noise), 30)
    assert spooled["spooled"]["503"] == 4
    assert spooled["conservation"]["logs"] == {"read": 300, "accounted": 300, "spooled": 300}
    intake.script = None
    redriven = job.handle({"stepscope": "redrive"}, 30)
    assert redriven["conservation"]["logs"] == {"read": 300, "accounted": 300, "sent": 300}
    assert sorted(e["message"] for e in intake.logs()) == sorted(noise)


def test_what_was_split_for_the_queue_is_not_sent_again_after_its_whole_was(intake, cloud, subscription):
    queue = cloud("sqs").create_queue(QueueName="spool")["QueueUrl"]
    job = forwarder(intake, **failing(intake), MONITORING_SPOOL_QUEUE=queue)
    event = subscription([f"{random.Random(n).getrandbits(16_000):x}" for n in range(120)])
    job.handle(event, 30)
    intake.script = None
    job.handle(event, 30)  # Lambda tries once more, for whatever reason
    job.handle({"stepscope": "redrive"}, 30)
    assert len(intake.logs()) == 120


LARGE = f"{random.Random(1).getrandbits(3_900_000):x}"  # almost a log entry's limit; 0.7 MB as a message


def test_one_large_item_is_a_message_of_the_largest_size(intake, cloud, subscription):
    queue = cloud("sqs").create_queue(QueueName="spool")["QueueUrl"]
    job = forwarder(intake, **failing(intake), MONITORING_SPOOL_QUEUE=queue)
    assert job.handle(subscription([LARGE, *"abc"]), 30)["batches"] == {"spooled": 3}
    intake.script = None
    job.handle({"stepscope": "redrive"}, 30)
    assert sorted(e["message"] for e in intake.logs()) == sorted([LARGE, *"abc"])


def test_one_item_too_large_for_the_queue_fails_the_invocation_and_costs_its_neighbours_nothing(
    intake, cloud, subscription
):
    queue = cloud("sqs").create_queue(QueueName="spool", Attributes={"MaximumMessageSize": "262144"})[
        "QueueUrl"
    ]
    job = forwarder(intake, **failing(intake), MONITORING_SPOOL_QUEUE=queue)
    event = subscription([LARGE, *"abc"])
    with pytest.raises(UndeliveredError, match="the spool refused logs"):
        job.handle(event, 30)
    intake.script = None
    job.handle({"stepscope": "redrive"}, 30)
    assert sorted(e["message"] for e in intake.logs()) == ["a", "b", "c"]


# Not twice, across processes


def digests(cloud):
    cloud("dynamodb").create_table(
        TableName="digests", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    return {"MONITORING_DIGESTS_TABLE": "digests"}


def test_with_a_table_another_process_does_not_send_again(intake, cloud, subscription):
    extra = digests(cloud)
    event = subscription([point(1), "text"])
    forwarder(intake, **extra).handle(event, 30)
    assert forwarder(intake, **extra).handle(event, 30)["batches"] == {"known": 2}
    assert intake.values("in.put") == [1]


def test_a_table_that_is_not_there_holds_nothing_back(intake, cloud, subscription):
    job = forwarder(intake, MONITORING_DIGESTS_TABLE="none")
    summary = job.handle(subscription([point(1)]), 30)
    assert intake.values("in.put") == [1]
    assert summary["errors"] == ["2 calls to MONITORING_DIGESTS_TABLE failed: a batch may arrive twice"]


# Secrets


@pytest.mark.parametrize("stored", ["the-key", '{"api_key": "the-key"}', " the-key\n"])
def test_the_key_comes_from_secrets_manager(intake, cloud, subscription, stored):
    arn = cloud("secretsmanager").create_secret(Name=f"dd{hash(stored)}", SecretString=stored)["ARN"]
    forwarder(intake, DD_API_KEY_SECRET_ARN=arn).handle(subscription([point(1)]), 30)
    assert {r.headers["dd-api-key"] for r in intake.received} == {"the-key"}


def test_a_secret_that_changed_is_read_again_after_a_403(intake, cloud, subscription):
    arn = cloud("secretsmanager").create_secret(Name="dd-rotated", SecretString="old")["ARN"]
    job = forwarder(intake, DD_API_KEY_SECRET_ARN=arn)
    job.handle(subscription([point(1)]), 30)
    cloud("secretsmanager").put_secret_value(SecretId=arn, SecretString="new")
    intake.script = lambda *_: None if intake.current_key == "new" else (403, {}, b"")
    job.handle(subscription([point(2)]), 30)
    assert intake.values("in.put") == [1, 2]


def test_the_key_comes_from_a_parameter(intake, cloud, subscription):
    cloud("ssm").put_parameter(Name="/dd/key", Value="ssm-key", Type="SecureString")
    forwarder(intake, DD_API_KEY_SSM_NAME="/dd/key").handle(subscription([point(1)]), 30)
    assert intake.received[0].headers["dd-api-key"] == "ssm-key"


def test_the_key_comes_from_kms(intake, cloud, subscription):
    key = cloud("kms").create_key()["KeyMetadata"]["KeyId"]
    blob = cloud("kms").encrypt(KeyId=key, Plaintext=b"kms-key")["CiphertextBlob"]
    secret = base64.b64encode(blob).decode()
    forwarder(intake, DD_KMS_API_KEY=secret).handle(subscription([point(1)]), 30)
    assert intake.received[0].headers["dd-api-key"] == "kms-key"


def test_without_a_key_the_error_names_the_settings(intake, subscription):
    job = forwarder(intake, DD_URL="", DD_API_KEY="")
    with pytest.raises(InputError, match="DD_API_KEY_SECRET_ARN"):
        job.handle(subscription([point(1)]), 30)


def test_without_a_key_an_embedded_datadog_on_loopback_is_sent_any(intake, subscription):
    forwarder(intake, DD_API_KEY="").handle(subscription([point(1)]), 30)
    assert {r.headers["dd-api-key"] for r in intake.received} == {"local"}


def test_a_key_is_never_shown(intake, cloud, subscription, capsys):
    arn = cloud("secretsmanager").create_secret(Name="dd-bad", SecretString="line one\nsecret-two")["ARN"]
    with pytest.raises(InputError) as told:
        forwarder(intake, DD_API_KEY_SECRET_ARN=arn).handle(subscription([point(1)]), 30)
    job = forwarder(intake, DD_API_KEY="hush-hush")
    job.handle(subscription([point(1)]), 30)
    shown = str(told.value) + repr(job.settings) + "".join(capsys.readouterr())
    assert "secret-two" not in shown
    assert "hush-hush" not in shown
    assert all("hush" not in r.path for r in intake.received)


# Tags of the resource


def test_tags_of_a_function_are_fetched_once_and_never_in_the_way(intake, subscription):
    asked = []

    class Lambda:
        def get_function(self, FunctionName):
            asked.append(FunctionName)
            if "broken" in FunctionName:
                raise OSError
            made = {"Architectures": ["arm64"], "Runtime": "python3.13"}
            return {"Tags": {"Team": "Slides", "aws:x": "no"}, "Configuration": made}

    job = forwarder(intake, lambda _: Lambda(), DD_FETCH_LAMBDA_TAGS="true")
    for number in range(3):
        job.handle(subscription([point(number)]), 30)
        job.handle(subscription([point(number, "other")], group="/aws/lambda/broken"), 30)
    assert len(asked) == 2
    tags = next(p[3] for p in intake.points() if p[0] == "in.put")
    assert {"team:slides", "architecture:arm64", "runtime:python3.13"} <= set(tags)
    assert len(intake.values("other")) == 3
