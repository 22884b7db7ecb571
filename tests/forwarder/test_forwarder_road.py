"""The straight road: a subscription payload in; points, spans and logs at the intake."""

import json
import time

import pytest

from monitoring.forwarder.forwarder import Forwarder
from monitoring.forwarder.settings import ForwarderSettings

REQUEST = "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36"
REPORT = (
    f"REPORT RequestId: {REQUEST}\tDuration: 2500.00 ms\tBilled Duration: 2600 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 95 MB\tInit Duration: 413.61 ms\t\n"
)


def forwarder(intake, **environ):
    environ = {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false", **environ}
    return Forwarder(ForwarderSettings.from_env(environ), "eu-west-1")


def span(trace="0fa1b2c3d4e5f607", number="00000000000000aa", **more):
    base = {"trace_id": trace, "parent_id": "0000000000000001", "span_id": number, "service": "orders"}
    base |= {"resource": "orders", "name": "aws.lambda", "error": 0, "start": 1_763_000_000_000_000_000}
    return (
        base
        | {"duration": 5, "meta": {"request_id": REQUEST, "_dd.p.tid": "24e8"}, "metrics": {"a": 1.5}}
        | more
    )


def test_points_spans_and_logs_of_one_payload_arrive(intake, subscription):
    now = int(time.time())
    trace = json.dumps({"traces": [[span(), span(number="00000000000000ab", type="web")]]})
    event = subscription(
        [
            f"START RequestId: {REQUEST} Version: $LATEST\n",
            f"MONITORING|{now}|2|count|slides.identified|#talk:baltimore\n",
            f"MONITORING|{now}|3|count|slides.identified|#talk:baltimore\n",
            f'{{"m":"slides.seen","v":1.5,"e":{now},"t":["a:b"]}}\n',
            "hello world\n",
            trace,
            f"END RequestId: {REQUEST}\n",
            REPORT,
        ],
        now=now,
    )
    summary = forwarder(intake, DD_ENV="test", DD_TAGS="team:slides").handle(event, 30)
    assert sorted(intake.values("slides.identified")) == [2, 3]
    _, second, value, tags = next(p for p in intake.points() if p[0] == "slides.seen")
    assert (second, value) == (now, 1.5)
    assert {"a:b", "function_name:orders", "region:eu-west-1", "account_id:123456789012"} <= set(tags)
    assert {"env:test", "team:slides", "service:orders", "executedversion:$latest"} <= set(tags)
    assert intake.values("aws.lambda.enhanced.duration") == [2.5]
    assert intake.values("aws.lambda.enhanced.init_duration") == [pytest.approx(0.41361)]
    assert intake.values("aws.lambda.enhanced.estimated_cost") == [
        pytest.approx(2.6 * 0.5 * 0.0000166667 + 2e-7)
    ]
    first, second_span = intake.spans()
    assert first["trace_id"] == 0x0FA1B2C3D4E5F607
    assert (first["parent_id"], first["meta"]["functionname"], first["metrics"]["a"]) == (1, "orders", 1.5)
    assert second_span["type"] == "web"
    (entry,) = intake.logs()
    assert entry["message"] == "hello world\n"
    assert (entry["service"], entry["ddsource"], entry["timestamp"]) == ("orders", "lambda", now * 1000)
    assert entry["lambda"]["request_id"] == REQUEST
    assert entry["dd"]["trace_id"] == "00000000000024e8" + "0fa1b2c3d4e5f607"
    assert summary["points"] == 11 - 1
    assert all(r.headers["dd-api-key"] == "k" and "api_key" not in r.path for r in intake.received)


def test_an_event_delivered_again_is_not_sent_again(intake, subscription):
    job = forwarder(intake)
    event = subscription([f"MONITORING|{int(time.time())}|2|count|a.b|", "text"])
    job.handle(event, 30)
    sent = len(intake.received)
    assert job.handle(event, 30)["batches"] == {"known": 2}
    assert len(intake.received) == sent


def test_equal_points_of_two_payloads_are_both_sent(intake, subscription):
    job = forwarder(intake)
    now = int(time.time())
    for text in ("one", "two"):
        job.handle(subscription([f"MONITORING|{now}|2|count|a.b|", text]), 30)
    assert intake.values("a.b") == [2, 2]


def test_a_503_causes_a_second_request(intake, subscription):
    intake.script = lambda number, path: (503, {}, b"") if number == 0 else None
    summary = forwarder(intake).handle(subscription([f"MONITORING|{int(time.time())}|2|count|a.b|"]), 30)
    assert intake.values("a.b") == [2]
    assert summary["retries"] == {"503": 1}
