"""Don't trust a claim: checks that look at the world, and what follows when it shows something else."""

import asyncio
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from moto import mock_aws

from monitoring import ClaimBroken, monitored
from monitoring.capture import capture
from monitoring.verify import (
    Broken,
    all_of,
    any_of,
    build_succeeded,
    eventually,
    invalidation_completed,
    item_has,
    object_exists,
    page_contains,
)


def holds(event, result):
    return True


def fails(event, result):
    raise Broken("3 bytes, at least 10 wanted", "too_small")


def false(event, result):
    return False


def test_a_claim_that_holds_is_counted_as_verified():
    with capture() as emitted:
        assert monitored(verify=holds)(lambda event, context: 42)({}, None) == 42
    emitted.assert_count("claims.verified", 1, tags={"claim": "holds"})
    assert not emitted.points("claims.broken")
    assert [made["name"] for made in emitted.trace()] == ["aws.lambda", "verify"]


@pytest.mark.parametrize(
    ("check", "code", "reason"),
    [
        (fails, "too_small", "3 bytes, at least 10 wanted"),
        (false, "false", "the check returned False"),
        (lambda event, result: result["missing"], "keyerror", "KeyError: 'missing'"),
        (lambda event, result: sys.exit(3), "systemexit", "SystemExit: 3"),
    ],
)
def test_a_broken_claim_is_reported_with_its_reason_and_the_result_stands(check, code, reason, capsys):
    with capture() as emitted:
        assert monitored(verify=check, name="photo")(lambda event, context: {"a": 1})({}, None) == {"a": 1}
    emitted.assert_count("claims.broken", 1, tags={"claim": "photo", "reason": code})
    assert not emitted.points("stepscope.errors")
    verified = emitted.spans("verify")[0]
    assert (verified["error"], verified["meta"]["claim.reason"]) == (1, reason)
    assert reason in capsys.readouterr().err


def test_by_choice_a_broken_claim_is_an_error_that_step_functions_can_catch():
    class NotPublished(Exception):
        pass

    for on_broken, error in (("raise", ClaimBroken), (NotPublished, NotPublished)):
        with capture() as emitted, pytest.raises(error, match="photo: 3 bytes, at least 10 wanted") as raised:
            monitored(verify=fails, on_broken=on_broken, name="photo")(lambda event, context: 42)({}, None)
        assert isinstance(raised.value.__cause__, Broken)
        emitted.assert_count("claims.broken", 1)
        emitted.assert_count("stepscope.errors", 1, tags={"error_type": error.__name__})


def test_a_handler_that_fails_claims_nothing():
    with capture() as emitted, pytest.raises(ZeroDivisionError):
        monitored(verify=holds)(lambda event, context: 1 / 0)({}, None)
    assert not emitted.points("claims.verified")


def test_an_async_handler_is_verified_after_it_is_done_by_an_async_check_too():
    order = []

    async def check(event, result):
        order.append(result)
        return False

    @monitored(verify=check)
    async def handler(event, context):
        await asyncio.sleep(0)
        order.append("handler")
        return "result"

    with capture() as emitted:
        assert asyncio.run(handler({}, None)) == "result"
    assert order == ["handler", "result"]
    emitted.assert_count("claims.broken", 1, tags={"claim": "check"})


def test_a_check_runs_when_wrapped_twice():
    with capture() as emitted:
        monitored(monitored(verify=fails)(lambda event, context: 1))({}, None)
    emitted.assert_count("claims.broken", 1)
    emitted.assert_count("stepscope.invocations", 1)


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("monitoring.verify._clients", {})
    with mock_aws():
        yield


def code_of(check, event=None, result=None):
    try:
        found = check(event, result)
    except Broken as broken:
        assert str(broken)
        return broken.code
    assert found is None
    return None


def test_an_object_exists_with_its_size_and_etag(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="site")
    etag = s3.put_object(Bucket="site", Key="index.html", Body=b"12345")["ETag"]
    assert code_of(object_exists("site", "index.html")) is None
    assert code_of(object_exists("site", "index.html", min_bytes=5, etag=etag)) is None
    assert code_of(object_exists("site", "index.html", min_bytes=6)) == "too_small"
    assert code_of(object_exists("site", "index.html", etag="other")) == "etag_differs"
    assert code_of(object_exists("site", "other")) == "missing"
    assert code_of(object_exists("nowhere", "other")) == "missing"
    by_result = object_exists(lambda event, result: event["bucket"], lambda event, result: result["key"])
    assert code_of(by_result, {"bucket": "site"}, {"key": "index.html"}) is None
    with pytest.raises(KeyError):
        by_result({}, {})


def test_an_item_has_given_values(aws):
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="slides",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "7"}, "page": {"N": "7"}, "done": {"BOOL": True}}
    dynamodb.put_item(TableName="slides", Item=item)
    assert code_of(item_has("slides", {"id": "7"}, {"page": 7, "done": True})) is None
    assert code_of(item_has("slides", {"id": "7"}, {"page": 8})) == "value_differs"
    assert code_of(item_has("slides", {"id": "7"}, {"other": 8})) == "value_differs"
    assert code_of(item_has("slides", {"id": "8"})) == "missing"
    assert code_of(item_has("nowhere", {"id": "8"})) == "missing"


class Stub:
    """A client whose one answer is given."""

    def __init__(self, **answers):
        self.answers = answers

    def __getattr__(self, name):
        return lambda **arguments: self.answers[name]


@pytest.mark.parametrize(
    ("status", "code"), [("SUCCEEDED", None), ("FAILED", "not_succeeded"), ("IN_PROGRESS", "in_progress")]
)
def test_a_build_succeeded(status, code):
    client = Stub(batch_get_builds={"builds": [{"buildStatus": status}]})
    assert code_of(build_succeeded("site:1", client=client)) == code
    assert code_of(build_succeeded("site:1", client=Stub(batch_get_builds={"builds": []}))) == "missing"


@pytest.mark.parametrize(("status", "code"), [("Completed", None), ("InProgress", "in_progress")])
def test_an_invalidation_completed(status, code):
    client = Stub(get_invalidation={"Invalidation": {"Status": status}})
    assert code_of(invalidation_completed("E1", "I1", client=client)) == code


def test_an_invalidation_that_is_not_there(aws):
    assert code_of(invalidation_completed("E1", "I1")) == "missing"


@pytest.fixture
def page():
    answers = {"/": (200, "<h1>Grüße, Baltimore</h1>"), "/gone": (404, "gone")}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers[self.path]
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_page_contains_a_text(page):
    assert code_of(page_contains(page + "/", "Grüße, Baltimore")) is None
    assert code_of(page_contains(page + "/", "Chicago")) == "text_absent"
    assert code_of(page_contains(page + "/gone", "Baltimore")) == "http_status"
    assert code_of(page_contains("http://127.0.0.1:9", "x")) == "unreachable"
    assert code_of(page_contains("file:///etc/passwd", "root")) == "unreachable"


def test_combinators_say_what_did_not_hold():
    assert code_of(all_of(holds, holds)) is None
    assert code_of(all_of(holds, false)) == "false"
    assert code_of(any_of(false, holds)) is None
    with pytest.raises(
        Broken, match=r"no check succeeded: false: false returned False; fails: 3 bytes, at least 10 wanted"
    ):
        any_of(false, fails)(None, None)
    assert all_of(holds, any_of(false, fails)).__name__ == "all_of(holds,any_of(false,fails))"


def test_eventually_tries_until_its_deadline():
    now = [0.0]
    tries = []

    def third_time(event, result):
        tries.append(now[0])
        return len(tries) >= 3

    def sleep(seconds):
        now[0] += seconds

    assert code_of(eventually(third_time, 10, every=2, sleep=sleep, clock=lambda: now[0])) is None
    assert tries == [0, 2, 4]
    now[0] = 0.0
    never = eventually(fails, 5, every=2, sleep=sleep, clock=lambda: now[0])
    with pytest.raises(Broken, match=r"not within 5 s: 3 bytes, at least 10 wanted") as raised:
        never(None, None)
    assert (raised.value.code, now[0]) == ("too_small", 5)
