"""Each handler against moto: what it does, what it says, and what it looks at before it is believed."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import boto3
import pytest
import spec_reader

from handlers.slides import (
    aws,
    build,
    built,
    compare,
    document,
    identify,
    invalidate,
    pull,
    remember,
    send,
    tell,
)
from handlers.slides.deck import Deck
from handlers.slides.errors import (
    ModelError,
    NoPhotoError,
    SettingError,
    UnknownSlideError,
    UnreadablePhotoError,
)
from handlers.slides.photos import HOPELESS, photograph
from handlers.slides.render import render

ITEM = {"talk": "talk", "slide": "s02", "title": "Four questions", "bullets": ["one", "two"]}


def photo_event(key: str, bucket: str = "photos") -> dict:
    return {"photo": {"bucket": bucket, "key": key}, "talk": "talk"}


def points(text: str) -> dict[str, list[spec_reader.PrintedPoint]]:
    found: dict[str, list[spec_reader.PrintedPoint]] = {}
    for point in spec_reader.read_output(text)[0]:
        found.setdefault(point.metric, []).append(point)
    return found


def test_a_photo_is_identified_and_counted(world, context, deck: Deck, capsys):
    world.s3.put_object(Bucket="photos", Key="a.jpg", Body=photograph(render(deck.slide("s08")), 2))
    answer = identify.handler(photo_event("a.jpg"), context)
    assert (answer["slide"], answer["sure"], answer["best"], answer["reason"]) == ("s08", True, "s08", "")
    printed = points(capsys.readouterr().out)
    assert printed["slides.identified"][0].tags[:2] == ("talk:talk", "sure:true")
    assert float(printed["slides.confidence"][0].value) == answer["confidence"]


def test_an_unsure_photo_is_an_answer_and_no_error(world, context, deck: Deck):
    world.s3.put_object(
        Bucket="photos", Key="a.jpg", Body=photograph(render(deck.slide("s09")), 21, HOPELESS)
    )
    answer = identify.handler(photo_event("a.jpg"), context)
    assert (answer["slide"], answer["sure"]) == (None, False)
    assert answer["reason"]


@pytest.mark.parametrize("event", [photo_event("none.jpg"), photo_event("a.jpg", bucket="no-such-bucket")])
def test_a_missing_photo_or_bucket_is_named(world, context, event: dict):
    with pytest.raises(NoPhotoError, match=event["photo"]["bucket"]):
        identify.handler(event, context)


@pytest.mark.parametrize("body", [b"", b"words"])
def test_an_unreadable_photo_is_counted_and_raised(world, context, capsys, body: bytes):
    world.s3.put_object(Bucket="photos", Key="a.jpg", Body=body)
    with pytest.raises(UnreadablePhotoError):
        identify.handler(photo_event("a.jpg"), context)
    assert len(points(capsys.readouterr().out)["slides.photo.unreadable"]) == 1


def test_a_broken_model_is_said_to_be_one(world, context, deck: Deck):
    world.s3.put_object(Bucket="model", Key="slides/model.npz", Body=b"broken")
    world.s3.put_object(Bucket="photos", Key="a.jpg", Body=photograph(render(deck.slide("s08")), 2))
    with pytest.raises(ModelError):
        identify.handler(photo_event("a.jpg"), context)


def test_the_first_slide_is_new_the_same_is_not_and_another_is(world, context):
    ask = {"talk": "talk", "slide": "s02"}
    assert compare.handler(ask, context) == {"changed": True, "last": None}
    remember.handler({**ask, "photo": {"key": "a.jpg"}}, context)
    assert compare.handler(ask, context) == {"changed": False, "last": "s02"}
    assert compare.handler({"talk": "talk", "slide": "s03"}, context) == {"changed": True, "last": "s02"}
    assert compare.handler({"talk": "other", "slide": "s02"}, context)["changed"]


def test_a_slide_comes_with_its_data(world, context):
    item = pull.handler({"talk": "talk", "slide": "s02"}, context)
    assert (item["title"], len(item["bullets"]), item["see_also"]) == (
        "Four questions for every step",
        4,
        ["s01"],
    )
    json.dumps(item)


def test_a_slide_that_the_table_does_not_have_is_named_and_counted(world, context, capsys):
    with pytest.raises(UnknownSlideError, match="no slide s14 of the talk talk"):
        pull.handler({"talk": "talk", "slide": "s14"}, context)
    assert len(points(capsys.readouterr().out)["slides.unknown"]) == 1


def test_a_document_is_written_and_its_bytes_are_looked_at(world, context, capsys):
    answer = document.handler({"talk": "talk", "item": ITEM}, context)
    stored = world.s3.get_object(Bucket="documents", Key="talk/s02.json")["Body"].read()
    assert (answer["key"], answer["bytes"]) == ("talk/s02.json", len(stored))
    assert json.loads(stored) == ITEM
    assert [tag for tag in points(capsys.readouterr().out)["claims.verified"][0].tags if "talk" in tag] == []


def test_a_step_that_lies_is_found_out(world, context, capsys, monkeypatch):
    """A document step that says done and writes nothing: the claim is counted as unverified."""
    monkeypatch.setattr(document, "client", lambda service: SimpleNamespace(put_object=lambda **_: None))
    document.handler({"talk": "talk", "item": ITEM}, context)
    assert "claims.verified" not in points(capsys.readouterr().out)


@pytest.fixture
def figure():
    """A server with a figure."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b" $ 0.42 \n")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/cost"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_live_figure_is_read_into_the_document(world, context, figure: str):
    document.handler({"talk": "talk", "item": {**ITEM, "figure_url": figure}}, context)
    stored = json.loads(world.s3.get_object(Bucket="documents", Key="talk/s02.json")["Body"].read())
    assert stored == {**ITEM, "figure": "$ 0.42"}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y"])
def test_a_figure_comes_from_the_web_only(world, context, url: str):
    with pytest.raises(ValueError, match="from the web"):
        document.handler({"talk": "talk", "item": {**ITEM, "figure_url": url}}, context)


def test_a_build_is_started_and_codebuild_is_asked_for_it(world, context, capsys):
    answer = build.handler({"talk": "talk"}, context)
    assert answer["id"].startswith("project:")
    assert "claims.verified" in points(capsys.readouterr().out)


def test_a_build_that_succeeded_without_a_site_is_not_believed(world, context, capsys):
    started = build.handler({"talk": "talk"}, context)
    capsys.readouterr()
    ask = {"talk": "talk", "build": started["id"]}
    assert built.handler(ask, context)["status"] == "SUCCEEDED"
    assert "claims.verified" not in points(capsys.readouterr().out)
    world.s3.put_object(Bucket="site", Key="talk/index.html", Body=b"<html>")
    built.handler(ask, context)
    assert "claims.verified" in points(capsys.readouterr().out)


def test_a_build_that_nobody_knows_is_not_found(world, context):
    assert built.handler({"talk": "talk", "build": "project:none"}, context)["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ([{"phaseType": "BUILD", "phaseStatus": "SUCCEEDED"}], ""),
        ([{"phaseType": "QUEUED"}], ""),
        ([{"phaseType": "INSTALL", "phaseStatus": "FAILED"}], "INSTALL"),
        (
            [{"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [{"message": "exit status 1"}]}],
            "BUILD: exit status 1",
        ),
    ],
)
def test_a_failed_build_says_where_it_failed(phases: list, said: str):
    assert built.explain({"phases": phases}) == said


def test_subscribers_are_told(world, context):
    queue = boto3.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    boto3.client("sns").subscribe(TopicArn=world.topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    answer = tell.handler({"talk": "talk", "slide": "s02"}, context)
    body = json.loads(boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert body["MessageId"] == answer["message"]
    assert json.loads(body["Message"]) == {"talk": "talk", "slide": "s02"}


def test_cloudfront_forgets_the_talks_pages_and_is_asked_whether_it_will(world, context, capsys):
    answer = invalidate.handler({"talk": "talk", "build": "project:1"}, context)
    found = boto3.client("cloudfront").get_invalidation(
        DistributionId=answer["distribution"], Id=answer["id"]
    )
    assert found["Invalidation"]["InvalidationBatch"]["Paths"]["Items"] == ["/talk/*"]
    assert "claims.verified" in points(capsys.readouterr().out)


def test_a_missing_setting_is_named(world, context, monkeypatch):
    monkeypatch.delenv("STATE_TABLE")
    with pytest.raises(SettingError, match="STATE_TABLE is not set"):
        compare.handler({"talk": "talk", "slide": "s02"}, context)


def test_clients_are_made_once_a_container(world):
    assert aws.client("s3") is aws.client("s3")


def request(body: str, encoded: bool = True, **path: str) -> dict:
    return {"version": "2.0", "pathParameters": path or None, "body": body, "isBase64Encoded": encoded}


def test_a_photo_that_is_sent_becomes_an_object(world, context, monkeypatch, capsys):
    monkeypatch.setenv("PHOTO_BUCKET", "photos")
    body = base64.b64encode(b"\xff\xd8photo").decode()
    answer = send.handler(request(body, talk="talk", name="one.jpg"), context)
    assert (answer["statusCode"], answer["body"]) == (202, "talk/one.jpg")
    assert world.s3.get_object(Bucket="photos", Key="talk/one.jpg")["Body"].read() == b"\xff\xd8photo"
    assert points(capsys.readouterr().out)["slides.photos.bytes"][0].value == 7


@pytest.mark.parametrize(
    "event",
    [
        request("", talk="talk", name="one.jpg"),
        request("no base64!", talk="talk", name="one.jpg"),
        request("cGhvdG8=", talk="talk"),
        request("cGhvdG8="),
        {},
    ],
)
def test_a_request_without_a_photo_or_a_place_for_it_is_refused(event, world, context, monkeypatch):
    monkeypatch.setenv("PHOTO_BUCKET", "photos")
    assert send.handler(event, context)["statusCode"] == 400
    assert "Contents" not in world.s3.list_objects_v2(Bucket="photos")
