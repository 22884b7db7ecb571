"""Faults of the intake, the spool and the process: nothing is lost, and what arrives twice is counted.

`docs/forwarder-faults.md` has a row for each test here that carries a `fault` name.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitoring.forwarder.forwarder import Forwarder, World
from monitoring.forwarder.sender import UndeliveredError
from monitoring.forwarder.settings import ForwarderSettings

METRICS, TRACES, LOGS = "/api/v1/distribution_points", "/api/v0.2/traces", "/api/v2/logs"


class Clock:
    """Time that passes only by sleeping, on top of the real one: waits cost nothing."""

    def __init__(self):
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)

    def __call__(self):
        return time.monotonic() + sum(self.slept)


def forwarder(intake, tmp_path=None, clock=None, **environ):
    base = {"DD_URL": intake.url, "DD_API_KEY": "k"}
    base |= {"MONITORING_OWN_METRICS": "false", "MONITORING_TIMEOUT": "0.5"}
    if tmp_path is not None:
        base["MONITORING_SPOOL_FOLDER"] = str(tmp_path / "spool")
    clock = clock or Clock()
    world = World(monotonic=clock, sleep=clock.sleep, chance=lambda: 0.0)
    return Forwarder(ForwarderSettings.from_env(base | environ), "eu-west-1", world)


def event(subscription, name="a"):
    """Five points, a span and five logs, each with a name of its own."""
    now = int(time.time())
    lines = [f"MONITORING|{now}|{i + 1}|count|fault.{name}|" for i in range(5)]
    span = {
        "trace_id": "0fa1b2c3d4e5f607", "span_id": f"{zlib.crc32(name.encode()) + 1:016x}", "service": "s",
        "parent_id": "0" * 16, "resource": name, "name": "n", "error": 0, "start": now * 10**9, "duration": 1,
        "meta": {}, "metrics": {}, "type": "",
    }  # fmt: skip
    return subscription([*lines, json.dumps({"traces": [[span]]}), *(f"log {name} {i}" for i in range(5))])


def arrived(intake, name="a"):
    points = intake.values(f"fault.{name}")
    spans = [s for s in intake.spans() if s["resource"] == name]
    logs = [e["message"] for e in intake.logs() if e["message"].startswith(f"log {name} ")]
    return sorted(points), len(spans), sorted(logs)


def whole(name="a", times=1):
    points = sorted([1, 2, 3, 4, 5] * times)
    return points, times, sorted([f"log {name} {i}" for i in range(5)] * times)


def once(path, answer):
    """The misdeed at the first request of that path, then good answers."""
    seen = []

    def script(_, asked):
        if asked == path and not seen:
            seen.append(asked)
            return answer
        return None

    return script


@pytest.mark.parametrize("path", [METRICS, TRACES, LOGS])
@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("503 once", (503, {}, b"")),
        ("408 once", (408, {}, b"")),
        ("500 once", (500, {}, b"oops")),
        ("no answer in time", "silence"),
        ("connection reset", "reset"),
        ("answer is no HTTP", "no HTTP"),
    ],
)
def test_a_passing_fault_costs_one_retry(intake, subscription, path, fault, answer):
    intake.script = once(path, answer)
    intake.slow = 1.5
    summary = forwarder(intake).handle(event(subscription), 60)
    assert arrived(intake) == whole()
    assert sum(summary["retries"].values()) == 1


@pytest.mark.parametrize("path", [METRICS, TRACES, LOGS])
@pytest.mark.parametrize("fault", ["reset in the answer", "slow answer", "invalid JSON"])
def test_a_broken_body_of_an_accepted_answer_causes_no_second_request(intake, subscription, path, fault):
    intake.script = once(path, fault)
    intake.slow = 0.5
    summary = forwarder(intake).handle(event(subscription), 60)
    assert arrived(intake) == whole()
    assert "retries" not in summary


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"X-RateLimit-Reset": "7"}, 7),
        ({"Retry-After": "3"}, 3),
        ({}, 0.1),
        ({"Retry-After": "nonsense"}, 0.1),
    ],
)
def test_a_429_is_waited_out_as_its_header_asks(intake, subscription, headers, least):
    clock = Clock()
    intake.script = once(METRICS, (429, headers, b""))
    forwarder(intake, clock=clock).handle(event(subscription), 60)
    assert arrived(intake) == whole()
    assert least <= clock.slept[0] < least + 1


def test_503_for_ever_ends_in_the_spool_and_a_redrive_delivers(intake, subscription, tmp_path):
    intake.script = lambda *_: (503, {}, b"")
    job = forwarder(intake, tmp_path)
    summary = job.handle(event(subscription), 60)
    assert summary["spooled"] == {"503": 3}
    assert arrived(intake) == ([], 0, [])
    intake.script = None
    assert job.handle({"stepscope": "redrive"}, 60)["redriven"] == 3
    assert arrived(intake) == whole()
    assert list((tmp_path / "spool").glob("*.json")) == []
    assert "redriven" not in job.handle({"detail-type": "Scheduled Event", "source": "aws.events"}, 60)
    assert arrived(intake) == whole()


def test_503_for_ever_without_a_spool_fails_the_invocation(intake, subscription):
    intake.script = lambda *_: (503, {}, b"")
    job = forwarder(intake)
    with pytest.raises(UndeliveredError, match="503"):
        job.handle(event(subscription), 60)
    intake.script = None
    job.handle(event(subscription), 60)
    assert arrived(intake) == whole()


def test_what_was_accepted_before_a_failure_is_not_sent_again(intake, subscription):
    sent = event(subscription)
    intake.script = lambda _, path: (503, {}, b"") if path == LOGS else None
    job = forwarder(intake)
    with pytest.raises(UndeliveredError):
        job.handle(sent, 60)
    intake.script = None
    assert job.handle(sent, 60)["batches"] == {"sent": 1, "known": 2}
    assert arrived(intake) == whole()


def test_a_413_is_halved_until_it_fits(intake, subscription):
    intake.script = lambda number, path: (
        (413, {}, b"") if path == LOGS and len(json.loads(intake_body(intake))) > 2 else None
    )
    forwarder(intake).handle(event(subscription), 60)
    assert arrived(intake) == whole()


def intake_body(intake):
    """The body that is being answered."""
    return intake.current


def test_a_403_reads_the_key_again_and_goes_on_with_the_new_one(intake, subscription, tmp_path):
    keys = ["old", "new"]
    intake.script = lambda _, path: (
        None if intake.current_key == "new" else (403, {}, b'{"errors":["Forbidden"]}')
    )
    job = forwarder(intake)
    job._key._source = lambda: ("test", lambda force: keys[1] if force else keys[0])
    summary = job.handle(event(subscription), 60)
    assert arrived(intake) == whole()
    assert set(summary["retries"]) == {"403"}


def test_a_403_with_the_same_key_stops_with_a_clear_error_and_spools(intake, subscription, tmp_path):
    intake.script = lambda *_: (403, {}, b"")
    summary = forwarder(intake, tmp_path).handle(event(subscription), 60)
    assert summary["spooled"] == {"403": 3}
    assert any("check the API key and DD_SITE" in text for text in summary["errors"])
    assert len(intake.received) == 3


def test_a_400_is_not_tried_again_and_names_itself(intake, subscription, tmp_path):
    intake.script = lambda _, path: (400, {}, b"bad") if path == METRICS else None
    summary = forwarder(intake, tmp_path).handle(event(subscription), 60)
    assert summary["errors"] == ["Datadog refused distributions with 400"]
    assert arrived(intake)[1:] == whole()[1:]
    assert Counter(r.path for r in intake.received)[METRICS] == 1


def test_a_name_that_does_not_resolve_ends_in_the_spool(intake, subscription, tmp_path):
    job = forwarder(intake, tmp_path, DD_URL="http://no-such-host.invalid:1")
    summary = job.handle(event(subscription), 60)
    assert sum(summary["spooled"].values()) == 3
    later = forwarder(intake, tmp_path)
    assert later.handle({"stepscope": "redrive"}, 60)["redriven"] == 3
    assert arrived(intake) == whole()


def test_when_even_the_spool_refuses_the_invocation_fails(intake, subscription, tmp_path):
    (tmp_path / "spool").write_text("a file where the folder should be")
    intake.script = lambda *_: (503, {}, b"")
    with pytest.raises(UndeliveredError, match="the spool refused"):
        forwarder(intake, tmp_path).handle(event(subscription), 60)


def test_an_entry_that_fails_again_and_again_goes_to_the_dead_letters(intake, subscription, tmp_path):
    intake.script = lambda _, path: (400, {}, b"") if path == LOGS else None
    job = forwarder(intake, tmp_path, MONITORING_SPOOL_ATTEMPTS="3")
    job.handle(event(subscription), 60)
    found = [job.handle({"stepscope": "redrive"}, 60) for _ in range(4)]
    assert [summary.get("dead", 0) for summary in found] == [0, 0, 1, 0]
    (dead,) = (tmp_path / "spool" / "dead").iterdir()
    assert json.loads(dead.read_text())["attempts"] == 3
    assert list((tmp_path / "spool").glob("*.json")) == []


def test_an_outage_costs_a_redrive_one_entry_and_no_more(intake, subscription, tmp_path):
    intake.script = lambda *_: (503, {}, b"")
    job = forwarder(intake, tmp_path)
    job.handle(subscription([f"log a {i}" for i in range(2500)]), 60)
    before = len(intake.received)
    job.handle({"stepscope": "redrive"}, 60)
    counted = [json.loads(p.read_text())["attempts"] for p in (tmp_path / "spool").glob("*.json")]
    assert sorted(counted) == [0, 0, 1]
    assert len(intake.received) > before


def test_with_little_time_left_it_spools_rather_than_dies(intake, subscription, tmp_path):
    intake.script = lambda *_: "silence"
    intake.slow = 5
    job = forwarder(intake, tmp_path, clock=RealTime(), MONITORING_TIMEOUT="10")
    begun = time.monotonic()
    summary = job.handle(event(subscription), 3.0)
    assert time.monotonic() - begun < 2.9
    assert sum(summary["spooled"].values()) == 3


LIMITED = """
import json, os, sys
from monitoring.forwarder import handler
class Context:
    def get_remaining_time_in_millis(self): return 3000
print(json.dumps(handler(json.load(sys.stdin), Context())))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


def test_within_128_mb_and_3_seconds_it_spools_rather_than_dies(intake, subscription, tmp_path):
    intake.script = lambda _, path: "silence" if path == LOGS else None
    intake.slow = 5
    environ = os.environ | {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_SPOOL_FOLDER": str(tmp_path)}
    sent = subscription([f"log {i} " + "x" * 200 for i in range(10_000)])
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], input=json.dumps(sent), env=environ, capture_output=True, text=True,
        cwd=Path(__file__).parents[2], check=True,
    )  # fmt: skip
    assert time.monotonic() - begun < 6  # a start of the interpreter and 3 seconds
    summary, memory = done.stdout.splitlines()[-2:]
    assert json.loads(summary)["batches"] == {"spooled": 10}
    assert int(memory) < 100


class RealTime:
    sleep = staticmethod(time.sleep)

    def __call__(self):
        return time.monotonic()


def test_a_fault_of_one_kind_does_not_hold_up_the_others(intake, subscription, tmp_path):
    intake.script = lambda _, path: "reset" if path == TRACES else None
    summary = forwarder(intake, tmp_path).handle(event(subscription), 60)
    points, _, logs = arrived(intake)
    assert (points, logs) == (whole()[0], whole()[2])
    assert summary["batches"] == {"sent": 2, "spooled": 1}


# Killed


WORKER = """
import json, os, sys
from monitoring.forwarder.forwarder import Forwarder
from monitoring.forwarder.settings import ForwarderSettings
job = Forwarder(ForwarderSettings.from_env(os.environ), "eu-west-1")
job._delivered.accepted("warm")  # the imports behind it are none of the moments that are meant
print("ready", flush=True)
job.handle(json.load(sys.stdin), 30)
print("done", flush=True)
"""


def run_once(environ, sent, kill_after):
    """Whether the process came to its end before it was killed."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert worker.stdout.readline() == "ready\n"
    worker.stdin.write(json.dumps(sent))
    worker.stdin.close()
    if kill_after is not None:
        time.sleep(kill_after)
        worker.send_signal(signal.SIGKILL)
    rest = worker.stdout.read()
    worker.wait()
    return "done" in rest


def environment(intake, **more):
    base = {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false"}
    return os.environ | base | more


def settled(intake):
    """Wait until nothing has arrived for a third of a second."""
    quiet, count = time.monotonic(), len(intake.received)
    while time.monotonic() - quiet < 0.33:
        time.sleep(0.02)
        if len(intake.received) != count:
            quiet, count = time.monotonic(), len(intake.received)


def killed(intake, subscription, environ, seed, number, longest):
    """Kill at a random moment, deliver again: (batches accepted before the kill, batches that arrived twice)."""
    name = f"k{seed}n{number}"
    sent = event(subscription, name)
    ended = run_once(environ, sent, random.Random(f"{seed} {number}").random() * longest)
    settled(intake)  # what the process had written may still be on its way through the sockets
    before = sum(map(bool, arrived(intake, name)))
    yield before  # whoever asked can look around before the event comes again
    if not ended:
        assert run_once(environ, sent, None)
    points, spans, logs = arrived(intake, name)
    expected = whole(name)
    assert set(points) == set(expected[0])
    assert spans >= 1
    assert set(logs) == set(expected[2])
    yield (len(points) > 5) + (spans > 1) + (len(logs) > 5)


@pytest.mark.parametrize(("rounds", "seed"), [(4, 1), pytest.param(200, 2, marks=pytest.mark.slow)])
def test_killed_at_any_moment_and_delivered_again_everything_arrives(intake, subscription, rounds, seed):
    twice = kills = 0
    for number in range(rounds):
        before, again = killed(intake, subscription, environment(intake), seed, number, 0.03)
        assert again <= before  # only what had been accepted can arrive twice
        twice += again
        kills += before < 3
    print(f"{rounds} rounds, {kills} killed before the end: {twice} batches arrived twice")


class Table:
    """A DynamoDB table for other processes, as far as the memory of digests goes: get an item, update an item."""

    def __enter__(self):
        items = {}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = asked["Key"]["id"]["S"]
                if self.headers["X-Amz-Target"].endswith(".UpdateItem"):
                    values = asked["ExpressionAttributeValues"]
                    known = items.get(key, {"batches": {"SS": []}})["batches"]["SS"]
                    batches = {"SS": sorted({*known, *values[":batches"]["SS"]})}
                    items[key] = {"id": {"S": key}, "batches": batches, "expiration": values[":until"]}
                body = json.dumps({"Item": items[key]} if key in items else {}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_): ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}", items

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize(("rounds", "seed"), [(3, 1), pytest.param(200, 2, marks=pytest.mark.slow)])
def test_with_a_table_of_digests_only_the_named_window_arrives_twice(intake, subscription, rounds, seed):
    with Table() as (url, items):
        aws = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1"}
        aws |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
        environ = environment(intake, MONITORING_DIGESTS_TABLE="digests", **aws)
        twice = window = known = 0
        for number in range(rounds):
            steps = killed(intake, subscription, environ, seed, number, 0.1)
            before = next(steps)
            written = sum(len(item["batches"]["SS"]) for item in items.values()) - known
            again = next(steps)
            assert again == before - written  # accepted, and killed before its digest was written
            window, twice, known = window + before - written, twice + again, known + 3
        print(f"{rounds} rounds: {twice} batches arrived twice, all {window} of them in the named window")
