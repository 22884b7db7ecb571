"""How a batch is named, sent, tried again, spooled and sent from the spool: each rule by itself."""

import base64
import gzip
import itertools
import json
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roads import NOW, Bucket, Clock, forwarder, payload

from monitoring.forwarder import bodies
from monitoring.forwarder import forwarder as invocation
from monitoring.forwarder.batches import Batch, log_batches, metric_batches, trace_batches
from monitoring.forwarder.forwarder import Forwarder, World
from monitoring.forwarder.positions import Delivery, Position
from monitoring.forwarder.retry import BASE, CEILING, IntakeResponse, decide
from monitoring.forwarder.sender import Sender, UndeliveredError
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.lines import Point
from monitoring.log_events.telemetry import Log, LogContext, LogFields, SpanRecord

CONTEXT = LogContext(LogFields({}))
LOGS = "/api/v2/logs"


def span(trace="0fa1b2c3d4e5f607", **meta):
    return SpanRecord(trace, "00000000000000aa", "0" * 16, "s", "n", "r", "", 0, 1, 1, meta, {})


def point(value, tags=("zone:a",), kind="count"):
    return Point("a.b", value, NOW, kind, tags)


# The name of a batch


def test_equal_batches_of_one_position_have_different_identities():
    logs = [Log("equal", 1, CONTEXT)] * 3000
    assert len({batch.identity for batch in log_batches(logs, "p")}) == 3


def test_the_identity_does_not_depend_on_the_bytes():
    now, later = ([Log("text", stamp, CONTEXT)] for stamp in (1, 2))
    ((one,), (two,)) = (list(log_batches(logs, "p")) for logs in (now, later))
    assert (one.identity, one.body()) != (two.identity, two.body())
    assert one.identity == two.identity


@pytest.mark.parametrize(
    "other", [{"kind": "series"}, {"position": "q"}, {"start": 1}, {"total": 9}, {"parts": (b"1",)}]
)
def test_the_identity_depends_on_kind_position_and_range(other):
    batch = Batch("logs", (b"1", b"2"), "p", "", 0, 5)
    assert batch.identity != batch._replace(**other).identity


def test_the_only_batch_of_a_position_is_the_same_whatever_its_number_of_items():
    assert Batch("logs", (b"1",), "p", total=1).identity == Batch("logs", (b"1", b"2"), "p", total=2).identity


@given(st.lists(st.integers(1, 4), min_size=2, max_size=12))
def test_halves_hold_the_same_items_under_names_of_their_own(counts):
    parts = tuple(b"%d" % number for number in range(len(counts)))
    whole = Batch("distributions", parts, "p", "", 3, 100, tuple(counts))
    first, second = whole.halves()
    assert (first.parts + second.parts, first.items + second.items) == (parts, whole.items)
    assert len({whole.identity, first.identity, second.identity}) == 3
    assert (first.whole, second.start) == (whole.identity, 3 + first.items)
    for quarter in itertools.chain(*(half.halves() or () for half in (first, second))):
        assert quarter.whole == whole.identity


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from("abc"), st.sampled_from(["count", "gauge", "histogram"]))
    )
)
def test_batches_count_every_sample_once(samples):
    points = [point(value, (f"zone:{zone}",), kind) for value, zone, kind in samples]
    for native in (False, True):
        assert sum(batch.items for batch in metric_batches(points, "p", native)) == len(points)


def test_a_trace_larger_than_a_request_is_sent_in_parts():
    spans = [span(stack="x" * 4000, number=str(number)) for number in range(2000)]
    found = list(trace_batches(spans, "p"))
    assert sum(batch.items for batch in found) == 2000
    assert all(len(batch.body()) < 3_200_000 for batch in found)


def test_a_position_is_the_pieces_of_each_delivery():
    def taken(*steps):
        position = Position("unit")
        for step in steps:
            position.add(1) if step == "piece" else position.begin(step)
        return position.take()

    a, b = Delivery("a"), Delivery("b")
    assert taken("piece") == taken("piece") != taken("piece", "piece")
    assert taken(a, "piece", b, "piece") != taken(b, "piece", a, "piece")
    assert taken(a, "piece", a, "piece") == taken(a, "piece", "piece")  # one delivery goes on counting
    assert taken(Delivery("a", first=1), "piece") != taken(a, "piece")
    position = Position("unit")
    position.begin(a)
    position.add(1)
    position.take()
    position.add(1)
    assert position.take() == taken(Delivery("a", first=1), "piece")
    assert Position("unit", "one site").take() != Position("unit", "another").take()


# Retries


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_the_wait_doubles_up_to_its_ceiling_with_half_of_it_as_jitter(attempt, chance):
    wait = decide(IntakeResponse(503), attempt, chance, 0.0).wait
    full = min(CEILING, BASE * 2**attempt)
    assert full / 2 <= wait <= full
    assert decide(IntakeResponse(503), attempt + 1, chance, 0.0).wait == pytest.approx(
        min(2 * wait, wait / full * CEILING)
    )


def job(intake, clock=None, **environ):
    base = {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false"}
    clock = clock or Clock()
    world = World(monotonic=clock, sleep=clock.sleep, chance=lambda: 0.0)
    return Forwarder(ForwarderSettings.from_env(base | environ), "eu-west-1", world)


def test_a_batch_is_tried_for_as_long_as_the_setting_says(intake, subscription):
    intake.script = lambda *_: (503, {}, b"")
    slept = {}
    for seconds in ("0", "2", "10"):
        clock = Clock()
        with pytest.raises(UndeliveredError):
            job(intake, clock, MONITORING_RETRY_SECONDS=seconds).handle(subscription(["text"]), 600)
        slept[seconds] = clock.slept
    assert slept["0"] == 0
    assert 1 < slept["2"] < 2
    assert 7 < slept["10"] < 10


def test_a_failure_late_in_a_long_run_is_tried_again_as_an_early_one(intake, tmp_path):
    """The time for retries begins with the failure, not with the run."""
    clock, logs = Clock(), itertools.count()

    def script(_, path):
        number = next(logs)
        clock.sleep(100)  # each request takes its time
        return (503, {}, b"") if number == 3 else None

    intake.script = script
    summary = job(intake, clock, MONITORING_SPOOL_FOLDER=str(tmp_path)).handle(
        {"awslogs": {"data": _packed(["text"] * 5000)}}, 10_000
    )
    assert summary["conservation"]["logs"] == {"read": 5000, "accounted": 5000, "sent": 5000}


def _packed(messages):
    return base64.b64encode(gzip.compress(json.dumps(payload(messages)).encode())).decode()


def test_a_batch_that_always_fails_does_not_stop_the_others_of_its_kind(intake, subscription, tmp_path):
    def script(*_):
        if b"poison" in intake.current:
            return 503, {}, b""
        time.sleep(0.4)
        return None

    intake.script = script
    spool = {"MONITORING_SPOOL_FOLDER": str(tmp_path), "MONITORING_CONNECTIONS": "2"}
    messages = ["poison"] * 1000 + ["text"] * 6000
    summary = job(intake, RealClock(), MONITORING_RETRY_SECONDS="1", **spool).handle(
        subscription(messages), 60
    )
    assert summary["batches"] == {"sent": 6, "spooled": 1}


class RealClock:
    sleep = staticmethod(time.sleep)

    def __call__(self):
        return time.monotonic()


def test_the_second_half_is_sent_whatever_becomes_of_the_first(intake, subscription):
    def script(_, path):
        entries = len(json.loads(intake.current))
        return (413, {}, b"") if entries == 4 else (400, {}, b"") if b"text 0" in intake.current else None

    intake.script = script
    forwarding = job(intake)
    with pytest.raises(UndeliveredError):
        forwarding.handle(subscription([f"text {i}" for i in range(4)]), 60)
    assert [entry["message"] for entry in intake.logs()] == ["text 2", "text 3"]


@pytest.mark.parametrize("results", itertools.product([True, False], repeat=2))
def test_a_batch_is_safe_if_both_of_its_halves_are(results):
    """And the second is tried whatever becomes of the first."""
    answers, tried = iter(results), []

    def deliver(half, _position):
        tried.append(half)
        return next(answers)

    batch = SimpleNamespace(
        identity="id", kind="logs", wire=lambda: (b"", ""), halves=lambda: ("first", "second")
    )
    sender = SimpleNamespace(send=lambda *_: IntakeResponse(413), deliver=deliver)
    assert Sender.deliver(sender, batch, SimpleNamespace(known=lambda _: False)) is all(results)
    assert tried == ["first", "second"]


# The spool


def spooled(intake, folder, subscription, messages=("text",)):
    intake.script = lambda *_: (503, {}, b"")
    forwarding = job(intake, MONITORING_SPOOL_FOLDER=str(folder), MONITORING_RETRY_SECONDS="0")
    forwarding.handle(subscription(list(messages)), 60)
    return forwarding


def test_an_hour_of_outage_buries_nothing(intake, tmp_path, subscription):
    forwarding = spooled(intake, tmp_path, subscription)
    for _ in range(60):
        forwarding.handle({"stepscope": "redrive"}, 60)
    intake.script = None
    assert forwarding.handle({"stepscope": "redrive"}, 60)["redriven"] == 1
    assert [entry["message"] for entry in intake.logs()] == ["text"]


def test_what_was_redriven_is_remembered(intake, tmp_path, subscription):
    forwarding = spooled(intake, tmp_path, subscription)
    (path,) = tmp_path.glob("*.json")
    text = path.read_text()
    intake.script = None
    forwarding.handle({"stepscope": "redrive"}, 60)
    path.write_text(text)  # the process was killed before it could delete the entry
    again = forwarding.handle({"stepscope": "redrive"}, 60)
    assert again["conservation"]["logs"] == {"read": 1, "accounted": 1, "known": 1}
    assert (len(intake.logs()), list(tmp_path.glob("*.json"))) == (1, [])


def test_an_entry_of_an_earlier_version_is_sent(intake, tmp_path, subscription):
    forwarding = spooled(intake, tmp_path, subscription)
    (path,) = tmp_path.glob("*.json")
    entry = json.loads(path.read_text())
    del entry["items"]
    path.write_text(json.dumps(entry))
    intake.script = None
    assert forwarding.handle({"stepscope": "redrive"}, 60)["redriven"] == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"stepscope.spool": 1}', '{"stepscope.spool": 1, "kind": "x"}']
)
def test_a_file_of_the_spool_that_is_not_an_entry_is_kept_and_holds_up_nothing(
    intake, tmp_path, subscription, text
):
    forwarding = spooled(intake, tmp_path, subscription)
    (tmp_path / "a.json").write_text(text)
    intake.script = None
    found = [forwarding.handle({"stepscope": "redrive"}, 60) for _ in range(10)]
    assert found[0]["redriven"] == 1
    assert all(
        summary["conservation"]["events"] == {"read": 1, "accounted": 1, "spooled": 1} for summary in found
    )
    assert found[-1]["dead"] == 1
    (dead,) = (tmp_path / "dead").iterdir()
    assert base64.b64decode(json.loads(dead.read_text())["body"]).decode() == text


@pytest.mark.parametrize("lines", [2_000, 700])
def test_the_rest_of_an_object_begins_at_a_line_whatever_the_size_of_a_piece(
    intake, tmp_path, monkeypatch, lines
):
    """A newer version of the forwarder may read larger or smaller pieces than the one that left the rest."""
    later = rest_of_20_000_lines(intake, tmp_path)[1]
    monkeypatch.setattr(bodies, "LINES", lines)
    later.handle({"stepscope": "redrive"}, 600)
    assert sorted(e["message"] for e in intake.logs()) == sorted(f"line {n}" for n in range(20_000))


def test_smaller_pieces_at_the_next_attempt_lose_no_line(intake, monkeypatch):
    """A batch of two lines at a position is not the batch of one line that was delivered from there."""
    bucket = Bucket()
    bucket.put("k", b"line 0\nline 1\n")
    event = {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}
    forwarding = forwarder(intake.url, bucket)
    intake.script = lambda number, path: (400, {}, b"") if b"line 1" in intake.current else None
    monkeypatch.setattr(bodies, "LINES", 1)
    monkeypatch.setattr(invocation, "_FLUSH", 1)
    with pytest.raises(UndeliveredError):
        forwarding.handle(event, 60)
    intake.script = None
    monkeypatch.setattr(bodies, "LINES", 5)
    forwarding.handle(event, 60)
    assert {e["message"] for e in intake.logs()} == {"line 0", "line 1"}


def test_the_same_lines_in_other_pieces_are_another_position():
    """The order of their items may differ: the logs of refused lines follow the other logs of a piece."""
    digests = []
    for sizes in ([4], [2, 2], [1, 3], [3, 1]):
        position = Position("unit")
        for lines in sizes:
            position.add(lines)
        digests.append(position.take())
    assert len(set(digests)) == 4


@pytest.mark.parametrize("again", ["whole, rest", "rest, whole", "rest"])
def test_the_rest_of_an_object_has_the_batches_that_the_whole_would_have_had(intake, tmp_path, again):
    """The event comes again after its rest was spooled, and the rest is redriven: nothing arrives twice."""
    record, later = rest_of_20_000_lines(intake, tmp_path)
    events = {"whole": {"Records": [record]}, "rest": {"stepscope": "redrive"}}
    for name in again.split(", "):
        later.handle(events[name], 600)
    assert sorted(e["message"] for e in intake.logs()) == sorted(f"line {n}" for n in range(20_000))


def rest_of_20_000_lines(intake, tmp_path):
    """Forward a part of an object; return its record and a forwarder that knows what was delivered."""
    bucket = Bucket()
    bucket.put("k", "".join(f"line {n}\n" for n in range(20_000)).encode())
    record = {
        "eventSource": "aws:s3",
        "s3": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": "1"}},
    }
    forwarding = forwarder(intake.url, bucket, MONITORING_SPOOL_FOLDER=str(tmp_path))
    ticks = itertools.count(step=0.02)
    forwarding._world = World(lambda _: bucket, monotonic=lambda: next(ticks), sleep=lambda _: None)
    summary = forwarding.handle({"Records": [record]}, 1.0)
    assert summary["spooled"]["time is up"] >= 1
    assert 0 < len(intake.logs()) < 20_000
    later = forwarder(intake.url, bucket, MONITORING_SPOOL_FOLDER=str(tmp_path))
    later._delivered = forwarding._delivered
    return record, later


def test_the_rest_of_an_object_that_was_replaced_is_refused(intake, tmp_path):
    bucket = Bucket()
    bucket.put("k", b"line\n" * 20_000)
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}
    forwarding = forwarder(intake.url, bucket, MONITORING_SPOOL_FOLDER=str(tmp_path))
    ticks = itertools.count(step=0.02)
    forwarding._world = World(lambda _: bucket, monotonic=lambda: next(ticks), sleep=lambda _: None)
    forwarding.handle({"Records": [record]}, 1.0)
    bucket.put("k", b"other\n" * 20_000)
    later = forwarder(intake.url, bucket, MONITORING_SPOOL_FOLDER=str(tmp_path))
    summary = later.handle({"stepscope": "redrive"}, 600)
    assert summary["refused"] == {"the object was replaced before the rest of it was read": 1}
    assert not [e for e in intake.logs() if e["message"] == "other"]


def test_what_a_spool_names_its_entries_by_differs_within_a_position():
    """Files and objects are named by the beginning of the identity; the end is the position's."""
    logs = [Log("equal", 1, CONTEXT)] * 5000
    batches = [*log_batches(logs, "p"), *metric_batches([point(1)], "p"), *log_batches(logs, "q")]
    names = [batch.identity for batch in batches]
    assert len({name[:24] for name in names[:6]}) == 6
    assert [name[24:] for name in names] == [names[0][24:]] * 6 + [names[6][24:]] * 5
    assert len({name[:40] for name in names}) == 11
