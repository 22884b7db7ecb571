"""What cannot be read, or holds nothing to read: a sentence each, and what stands beside it is delivered."""

import base64
import gzip
import json
import os
import subprocess
import sys
import threading

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError
from log_formats import GROUP, NOON, payload
from roads import NOW, Bucket, forwarder

from monitoring.cli import main
from monitoring.forwarder.bodies import read_body
from monitoring.forwarder.files import file_unit
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.pieces import LinePiece, Skipped
from monitoring.forwarder.sender import UndeliveredError
from monitoring.forwarder.shapes import CONTENT


def line(name):
    return f"MONITORING|{NOW}|1|count|{name}|"


def s3_record(key, name="ObjectCreated:Put"):
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "b"}, "object": {"key": key}},
    }


class Store(Bucket):
    """S3 that answers some keys with an error, and breaks others off after their first chunk."""

    def __init__(self, errors=(), broken=()):
        super().__init__()
        self.errors, self.broken, self.asked = dict(errors), set(broken), []

    def get_object(self, Bucket, Key):
        self.asked.append(Key)
        if Key in self.errors:
            raise self.errors[Key]
        answer = super().get_object(Bucket, Key)
        if Key in self.broken:
            whole = answer["Body"].getvalue()
            answer["Body"].iter_chunks = lambda size: self._break_off(whole)
        return answer

    def _break_off(self, whole):
        yield whole[: len(whole) // 2]
        raise ReadTimeoutError(endpoint_url="s3")


def denied(action="s3:GetObject"):
    text = f"User: arn:aws:sts::1:assumed-role/r is not authorized to perform: {action}"
    return ClientError({"Error": {"Code": "AccessDenied", "Message": text}}, "GetObject")


def sqs(*events):
    return {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": f"m{i}", "body": json.dumps(event), "attributes": {}}
            for i, event in enumerate(events)
        ]
    }


NOTHING = {
    "ObjectRemoved:Delete": {"Records": [s3_record("k", "ObjectRemoved:Delete")]},
    "LifecycleExpiration": {"Records": [s3_record("k", "s3:LifecycleExpiration:Delete")]},
    "ObjectTagging": {"Records": [s3_record("k", "ObjectTagging:Put")]},
    "ObjectRestore:Post": {"Records": [s3_record("k", "ObjectRestore:Post")]},
    "EventBridge": {"source": "aws.s3", "detail-type": "Object Deleted", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}},
    "s3:TestEvent": {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"},
    "permission check": {"Records": [s3_record("exports/aws-logs-write-test")]},
    "load balancer's test": {"Records": [s3_record("x/ELBAccessLogTestFile")]},
    "control message": json.loads(payload([(NOON, "CWL CONTROL MESSAGE: Checking health of destination")]).replace("DATA_", "CONTROL_")),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_what_holds_nothing_is_skipped_with_a_sentence(intake, name):
    store = Store()
    summary = forwarder(intake.url, store).handle(sqs(NOTHING[name]), 30)
    assert summary == {"batchItemFailures": []}
    assert (store.asked, intake.received) == ([], [])
    pieces = list(Inputs(lambda _: store).pieces(NOTHING[name], "event"))
    assert [type(piece) for piece in pieces] == [Skipped]
    assert pieces[0].reason


def test_a_permission_check_is_known_by_its_content_too():
    assert [
        type(p) for p in read_body([b"Permission Check ", b"Successful\n"], LinePiece([], "f"), CONTENT)
    ] == [Skipped]


def test_an_object_that_is_denied_comes_again_alone_through_a_queue(intake):
    store = Store({"locked": denied()})
    store.put("open", line("open").encode())
    event = sqs({"Records": [s3_record("locked")]}, {"Records": [s3_record("open")]})
    assert forwarder(intake.url, store).handle(event, 30) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert intake.values("open") == [1]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (denied(), "S3 answers AccessDenied: allow s3:GetObject on it, and kms:Decrypt"),
        (denied("kms:Decrypt"), "kms:Decrypt on the key"),
        (NoCredentialsError(), "there are no AWS credentials"),
        (OSError("reset"), "S3 cannot be read: reset"),
        (ClientError({"Error": {"Code": "SlowDown", "Message": "slow"}}, "GetObject"), "S3 answers SlowDown"),
    ],
)
def test_objects_beside_one_that_is_not_given_are_delivered_and_the_event_comes_again(
    intake, error, sentence
):
    store = Store({"locked": error})
    for name in ("before", "behind"):
        store.put(name, line(name).encode())
    job = forwarder(intake.url, store)
    event = {"Records": [s3_record("before"), s3_record("locked"), s3_record("behind")]}
    with pytest.raises(UndeliveredError, match=sentence):
        job.handle(event, 30)
    assert (intake.values("before"), intake.values("behind")) == ([1], [1])
    store.errors.clear()
    store.put("locked", line("locked").encode())
    job.handle(event, 30)
    assert [intake.values(name) for name in ("before", "locked", "behind")] == [[1], [1], [1]]


def test_an_object_that_breaks_off_costs_only_itself_until_it_comes_again(intake):
    store = Store(broken={"long"})
    store.put("long", "".join(f"{line('long')}\n" for _ in range(3000)).encode())
    store.put("behind", line("behind").encode())
    job = forwarder(intake.url, store)
    event = {"Records": [s3_record("long"), s3_record("behind")]}
    with pytest.raises(UndeliveredError, match="s3://b/long"):
        job.handle(event, 30)
    assert intake.values("behind") == [1]
    store.broken.clear()
    job.handle(event, 30)
    assert (sum(intake.values("long")), intake.values("behind")) == (3000, [1])


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchBucket", "InvalidObjectState"])
def test_an_object_that_will_not_come_is_refused_once(intake, code):
    store = Store({"gone": ClientError({"Error": {"Code": code}}, "GetObject")})
    answer = forwarder(intake.url, store).handle(sqs({"Records": [s3_record("gone")]}), 30)
    assert answer == {"batchItemFailures": []}


def test_an_object_with_an_event_in_it_makes_the_forwarder_fetch_nothing(intake):
    store = Store()
    text = json.dumps({"Records": [s3_record("secret")]})
    store.put("logs", f"{text}\n{json.dumps({'stepscope': 'redrive'})}\n".encode())
    forwarder(intake.url, store).handle({"Records": [s3_record("logs")]}, 30)
    assert store.asked == ["logs"]
    assert [entry["message"] for entry in intake.logs()] == [text, '{"stepscope": "redrive"}']


def test_a_function_that_prints_its_event_prints_a_line_of_its_log():
    store = Store()
    event = json.dumps({"Records": [s3_record("secret")]})
    records = json.dumps({"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "aGVsbG8="}}]})
    for first in ("START RequestId: x Version: 1", '{"level": "INFO"}'):
        (found,) = read_body(
            [f"{first}\n{event}\n{records}\n".encode()], LinePiece([], "f"), Inputs(lambda _: store)
        )
        assert [text for text, _, _ in found.lines] == [first, event, records]
    assert store.asked == []


# Firehose, Pipes


def firehose(*bodies, **more):
    records = [
        {
            "recordId": str(i),
            "approximateArrivalTimestamp": NOW * 1000,
            "data": base64.b64encode(body).decode(),
        }
        for i, body in enumerate(bodies)
    ]
    return {"invocationId": "i", "deliveryStreamArn": "arn", "region": "r", "records": records} | more


def test_a_transformation_gives_each_record_back_as_it_came(intake):
    event = firehose(
        line("a").encode(), b"\x1f\x8bbroken", gzip.compress(payload([(NOW * 1000, line("b"))]).encode())
    )
    answer = forwarder(intake.url).handle(event, 30)
    assert answer == {
        "records": [{"recordId": r["recordId"], "result": "Ok", "data": r["data"]} for r in event["records"]]
    }
    assert (intake.values("a"), intake.values("b")) == ([1], [1])


def test_a_transformation_of_kafka_records_gives_their_values_back(intake):
    value = base64.b64encode(line("a").encode()).decode()
    event = {
        "invocationId": "i",
        "deliveryStreamArn": "arn",
        "records": [{"recordId": "1", "kafkaRecordValue": value}],
    }
    answer = forwarder(intake.url).handle(event, 30)
    assert answer == {"records": [{"recordId": "1", "result": "Ok", "kafkaRecordValue": value}]}
    assert intake.values("a") == [1]


def test_a_transformation_that_cannot_be_delivered_fails_so_that_firehose_tries_again(intake):
    intake.script = lambda *_: (503, {}, b"")
    with pytest.raises(UndeliveredError):
        forwarder(intake.url, MONITORING_RETRY_SECONDS="0").handle(firehose(line("a").encode()), 30)


def test_a_body_of_firehoses_http_endpoint_is_answered_with_its_id(intake):
    event = {
        "requestId": "r-1",
        "timestamp": 17,
        "records": [{"data": base64.b64encode(line("a").encode()).decode()}],
    }
    assert forwarder(intake.url).handle(event, 30) == {"requestId": "r-1", "timestamp": 17}
    assert intake.values("a") == [1]


def test_a_message_of_a_pipe_fails_alone(intake):
    store = Store({"locked": denied()})
    event = sqs({"Records": [s3_record("locked")]}, {"awslogs": {"data": "!"}})["Records"]
    assert forwarder(intake.url, store).handle(event, 30) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_a_plain_record_has_the_time_of_its_arrival(intake):
    forwarder(intake.url).handle(firehose(b"a line"), 30)
    assert [(entry["message"], entry["timestamp"]) for entry in intake.logs()] == [("a line", NOW * 1000)]


# Events that are not as CloudWatch Logs writes them


def test_events_with_other_types_keep_their_content_and_their_reason(intake):
    body = json.loads(payload([(NOW * 1000, line("good"))]))
    body["logEvents"] += [
        {"id": "1", "timestamp": str(NOW * 1000 + 1), "message": line("text.time")},
        {"id": "2", "timestamp": "2026-11-23T10:00:00Z", "message": "an ISO time"},
        {"id": "3", "timestamp": None, "message": "no time"},
        {"id": "4", "timestamp": NOW * 1000, "message": {"m": "object.metric", "v": 2, "e": NOW, "t": []}},
        {"id": "5", "timestamp": NOW * 1000, "message": {"level": "INFO", "text": "from a transformer"}},
        {"id": "6", "timestamp": NOW * 1000},
        7,
    ]
    data = base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()
    summary = forwarder(intake.url).handle({"awslogs": {"data": data}}, 30)
    assert [intake.values(name) for name in ("good", "text.time", "object.metric")] == [[1], [1], [2]]
    logs = {entry["message"]: entry for entry in intake.logs()}
    assert logs["an ISO time"]["timestamp"] == 1795428000000
    assert abs(logs["no time"]["timestamp"] - NOW * 1000) < 3_600_000
    reasons = {message: entry["stepscope"]["refused"] for message, entry in logs.items()}
    assert reasons == {
        "an ISO time": "the event's timestamp is not a number of milliseconds",
        "no time": "the event's timestamp is not a number of milliseconds",
        '{"level": "INFO", "text": "from a transformer"}': "the event's message is not a text",
        f'{{"id": "6", "timestamp": {NOW * 1000}}}': "the event has no message",
        "7": "the event is not an object",
    }
    assert sum(summary["refused"].values()) == 5


# Files


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`stepscope forward --json` in a folder of its own, without AWS credentials: (status, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials of who asked first
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    def forward(*names):
        with pytest.raises(SystemExit) as ended:
            main(["forward", "--json", *names])
        shown = capsys.readouterr()
        return ended.value.code, [json.loads(row) for row in shown.out.splitlines()], shown.err

    forward.folder = tmp_path
    return forward


def points(rows):
    return [row["point"]["metric"] for row in rows if "point" in row]


UNREADABLE = {
    "f.parquet": (b"PAR1" + bytes(50), 2, "a Parquet file cannot be read: export it as JSON, CSV or text"),
    "f.parquet.gz": (gzip.compress(b"PAR1" + bytes(50)), 2, "a Parquet file cannot be read"),
    "f.xlsx": (b"PK\x03\x04" + bytes(50), 2, "an Excel workbook cannot be read"),
    "f.png": (bytes(range(0x80, 0x100)) + bytes(range(20)) * 40, 2, "a binary file cannot be read"),
    "event.json": (json.dumps({"Records": [s3_record("k")]}).encode(), 2, "there are no AWS credentials"),
    "removed.json": (
        json.dumps({"Records": [s3_record("k", "ObjectRemoved:Delete")]}).encode(),
        0,
        "creates no object",
    ),
    "corrupt.json": (b'{"awslogs": {"data": "!"}}', 1, "not a subscription payload: not base64"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_has_a_sentence_and_the_next_one_is_read(run, name):
    body, status, sentence = UNREADABLE[name]
    (run.folder / name).write_bytes(body)
    (run.folder / "good.log").write_text(line("good"))
    code, rows, errors = run(name, "good.log")
    assert (code, points(rows)) == (status, ["good"])
    assert sentence in errors
    assert "bug" not in errors


def test_folders_and_missing_files_have_a_sentence_too(run):
    (run.folder / "folder").mkdir()
    (run.folder / "good.log").write_text(line("good"))
    code, rows, errors = run("folder", "missing.log", "good.log")
    assert (code, points(rows)) == (2, ["good"])
    assert "folder: Is a directory\n  Name the files in it" in errors
    assert "missing.log: No such file" in errors


@pytest.mark.parametrize(
    "body", [b"", b"\n\n", gzip.compress(b"", mtime=0), b"\xef\xbb\xbf", b"\xff\xfe", b"[]", b"{}"]
)
def test_an_empty_file_is_nothing(run, body):
    (run.folder / "f").write_bytes(body)
    code, rows, errors = run("f")
    assert (code, errors) == (0, "")
    assert [row["log"]["message"] for row in rows] == ([body.decode()] if body in (b"[]", b"{}") else [])


def test_what_precedes_the_cut_of_a_file_is_kept_and_the_cut_line_is_not_believed(run):
    (run.folder / "f.gz").write_bytes(
        gzip.compress("".join(f"{line(f'm{i}')}\n" for i in range(5000)).encode())[:-400]
    )
    code, rows, errors = run("f.gz")
    assert code == 1
    found = points(rows)
    assert found == [f"m{i}" for i in range(len(found))]
    assert 1000 < len(found) < 5000
    refused = rows[-1]["refused"]
    assert refused["reason"] == "unreadable from here on: the gzip stream is truncated"
    assert line(f"m{len(found)}").startswith(refused["text"])
    assert refused["line"] == len(found) + 1
    assert "the gzip stream is truncated" in errors


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_events_of_a_payload_that_is_cut_off_are_kept(pack):
    whole = payload([(NOON + i, f"event {i}") for i in range(20_000)]).encode()
    body = pack(whole * 2)
    (*pieces, refusal) = read_body([body[: len(body) * 3 // 4]], LinePiece([], "f"), CONTENT)
    if pack is bytes:
        assert refusal.reason.startswith("not a subscription payload")
        return
    assert refusal.reason == "unreadable from here on: the gzip stream is truncated"
    assert len(pieces[0].payload.logEvents) == 20_000
    rest = [text for piece in pieces[1:] for text, _, _ in piece.lines]
    assert rest == [f"event {i}" for i in range(len(rest))]
    assert 5000 < len(rest) < 20_000
    assert {piece.group for piece in pieces[1:]} == {GROUP}


def test_a_document_that_breaks_off_in_a_page_keeps_the_events_before_it_and_the_page_behind_it(run):
    page = json.dumps(
        {"events": [{"timestamp": NOW * 1000, "message": line(f"m{i}")} for i in range(9)]}, indent=2
    )
    (run.folder / "f").write_text(f"{page[:700]}\n{page}")
    code, rows, errors = run("f")
    assert code == 1
    assert points(rows)[-9:] == [f"m{i}" for i in range(9)]
    assert points(rows)[:2] == ["m0", "m1"]
    assert "not valid JSON from here on" in errors


def test_a_pipe_is_read_to_its_end(run):
    os.mkfifo(run.folder / "pipe")
    writer = threading.Thread(target=lambda: (run.folder / "pipe").write_text(f"{line('piped')}\n" * 3))
    writer.start()
    code, rows, _ = run("pipe")
    writer.join()
    assert (code, points(rows)) == (0, ["piped"] * 3)


def test_a_file_that_grows_is_read_as_far_as_it_was_and_counted_in_bytes(tmp_path):
    file = tmp_path / "f"
    file.write_text(f"{line('before')}\n" * 9000)
    size, read = file.stat().st_size, []
    unit = file_unit(str(file), Inputs(lambda _: None), advance=read.append)
    with file.open("a") as more:
        more.write(f"{line('after')}\n")
    found = [text for piece in unit.pieces for text, _, _ in piece.lines]
    assert (set(found), len(found)) == ({line("before")}, 9000)
    assert sum(read) == size
    assert len(read) > 1


_PEAK = """
import sys
from monitoring.forwarder.bodies import read_body
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.pieces import LinePiece
def chunks(megabytes):
    yield b'{\\n    "events": ['
    event = b',\\n        {\\n            "timestamp": 1795428000000,\\n            "message": "' + b"x" * 300 + b'"\\n        }'
    for number in range(megabytes * 2600 // 1000):
        yield (event * 1000)[1 if not number else 0 :]
    yield b'\\n    ],\\n    "searchedLogStreams": []\\n}\\n'
count = sum(len(piece.lines) for piece in read_body(chunks(int(sys.argv[1])), LinePiece([], "f"), Inputs(lambda _: None)))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(count, int(peak.split()[1]) / 1024)
"""


def _peak(megabytes):
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(megabytes)], capture_output=True, text=True, check=True
    )
    count, peak = done.stdout.split()
    assert int(count) == megabytes * 2600 // 1000 * 1000
    return float(peak)


@pytest.mark.parametrize("megabytes", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_printed_json_of_any_size_is_read_in_flat_memory(megabytes):
    assert _peak(megabytes) < _peak(4) + 12
