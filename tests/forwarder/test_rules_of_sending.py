"""When a batch is tried again, split, spooled or given up, and what is counted of it (docs/forwarder.md)."""

import itertools
import json
from concurrent.futures import Future

import pytest

from monitoring.forwarder.batches import Batch
from monitoring.forwarder.digests import InMemory
from monitoring.forwarder.enrich import describe
from monitoring.forwarder.pieces import LinePiece, LogPayload, Refusal, Skipped, StatusChange
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.retry import IntakeResponse
from monitoring.forwarder.sender import Limits, Sender
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.spool import Entry, TooLargeError
from monitoring.forwarder.stats import Tally
from monitoring.log_events.codec import decode_payload


class Now:
    """An executor that runs at once."""

    def submit(self, work, *arguments):
        future = Future()
        future.set_result(work(*arguments))
        return future


class Datadog:
    """An intake that answers from a list, then with 202; `sent` are the bodies with the time that was given."""

    def __init__(self, *answers):
        self.answers, self.sent, self.keys = list(answers), [], itertools.count()

    def key(self):
        return "key"

    def send(self, kind, wire, encoding, timeout=None):
        self.sent.append((kind, len(wire), encoding, timeout))
        answer = self.answers.pop(0) if self.answers else 202
        return answer if isinstance(answer, IntakeResponse) else IntakeResponse(answer)


class Kept:
    """A spool that keeps entries, of at most so many parts where told."""

    def __init__(self, largest=99, broken=None):
        self.entries, self.largest, self.broken, self.divisible = [], largest, broken, []

    def put(self, entry, divisible=False):
        if self.broken:
            raise self.broken
        if entry.items > self.largest:
            raise TooLargeError("too large")
        self.entries.append(entry)
        self.divisible.append(divisible)


def sender(datadog, spool=None, retry=10.0, end=100.0, refresh=lambda refused: False):
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    made = Sender(
        intake=datadog,
        pool=Now(),
        tally=Tally(),
        limits=Limits(retry, end),
        delivered=InMemory(),
        spool=spool,
        refresh_key=refresh,
        clock=lambda: now[0],
        sleep=sleep,
        chance=lambda: 0.0,
    )
    return made, now, slept


def deliver(made, own):
    """Deliver a batch that is the only one of its position."""
    with made.position() as position:
        return made.deliver(own, position)


def batch(*parts, kind="logs", start=0, total=9):
    return Batch(kind, parts or (b'{"message":"a"}',), "p", "", start, total)


def test_a_batch_that_is_accepted_is_counted_remembered_and_not_sent_again():
    datadog = Datadog()
    made, _, _ = sender(datadog)
    assert deliver(made, batch(b"1", b"2"))
    assert deliver(made, batch(b"1", b"2"))
    assert len(datadog.sent) == 1
    tally = made.tally
    assert tally.items == {("logs", "sent"): 2, ("logs", "known"): 2}
    assert tally.batches == {("logs", "sent"): 1, ("logs", "known"): 1}
    assert tally.sent_bytes["logs"] == datadog.sent[0][1] > 0
    assert (tally.errors, tally.retries) == ([], {})
    assert datadog.sent[0][2:] == ("deflate", 100.0)


def test_a_failure_is_waited_out_and_tried_again():
    datadog = Datadog(
        503, IntakeResponse(429, {"retry-after": "3"}), IntakeResponse(0, error="TimeoutError: x")
    )
    made, _, slept = sender(datadog)
    assert deliver(made, batch())
    assert slept == [0.125, 3.0, 0.5]
    assert made.tally.retries == {"503": 1, "429": 1, "TimeoutError": 1}
    assert [row[3] for row in datadog.sent] == [100.0, 99.875, 96.875, 96.375]


def test_a_batch_is_tried_for_its_seconds_from_its_first_failure_on():
    datadog = Datadog(*[503] * 99)
    made, now, slept = sender(datadog, Kept(), retry=2.0)
    assert deliver(made, batch())  # spooled
    assert slept == [0.125, 0.25, 0.5, 1.0]
    assert now[0] + 2.0 > 2.0 >= now[0]
    assert made.tally.errors == ["logs could not be sent: 503"]
    assert made.down == {"logs": "503"}
    # No more of this kind is tried, others are.
    count = len(datadog.sent)
    assert deliver(made, batch(b"other"))
    assert len(datadog.sent) == count
    datadog.answers.clear()
    assert deliver(made, batch(kind="series"))
    assert [entry.reason for entry in made.spool.entries] == ["503", "503"]


def test_a_kind_of_which_something_was_accepted_meanwhile_is_not_given_up():
    datadog = Datadog(*[503] * 99)
    made, now, _ = sender(datadog, Kept(), retry=1.0)
    made.accepted["logs"] = 0.5
    deliver(made, batch())
    assert made.down == {}
    made.accepted["logs"] = -1.0
    deliver(made, batch(b"x"))
    assert made.down == {"logs": "503"}
    assert now[0] > 0


def test_without_time_nothing_is_tried():
    datadog = Datadog()
    made, now, _ = sender(datadog, Kept())
    now[0] = 100.0
    assert not made.time_left()
    assert deliver(made, batch())
    assert datadog.sent == []
    assert made.tally.spooled == {"time is up": 1}
    now[0] = 99.9
    assert made.time_left()


def test_the_wait_does_not_go_beyond_the_invocation():
    made, _, slept = sender(
        Datadog(*[IntakeResponse(429, {"retry-after": "60"})] * 9), Kept(), retry=999.0, end=50.0
    )
    assert deliver(made, batch())
    assert slept == []
    assert made.tally.errors == ["logs could not be sent: 429"]


@pytest.mark.parametrize(("status", "error"), [(400, True), (404, True), (413, True), (503, False)])
def test_a_refused_batch_is_kept_and_named(status, error):
    made, _, _ = sender(Datadog(*[status] * 99), Kept(), retry=1.0)
    assert deliver(made, batch())
    assert made.tally.spooled == {str(status): 1}
    assert (f"Datadog refused logs with {status}" in made.tally.errors) is error
    assert made.tally.items == {("logs", "spooled"): 1}


def test_what_is_too_large_is_halved_and_both_halves_are_sent():
    datadog = Datadog(413, 413, 400)
    made, _, _ = sender(datadog)
    assert not deliver(made, batch(b"1", b"2", b"3", b"4", total=4))
    assert len(datadog.sent) == 5
    assert made.tally.items == {("logs", "failed"): 1, ("logs", "sent"): 3}


def test_a_403_reads_the_key_again_once():
    refused = []

    def refresh(key):
        refused.append(key)
        return len(refused) == 1

    made, _, slept = sender(Datadog(403), refresh=refresh)
    assert deliver(made, batch())
    assert (refused, slept, made.tally.retries) == (["key"], [], {"403": 1})
    made, _, _ = sender(Datadog(403, 403), Kept(), refresh=lambda key: True)
    assert deliver(made, batch())
    assert made.down == {"logs": "403"}
    assert made.tally.errors == ["Datadog answers 403 to logs: check the API key and DD_SITE"]
    made, _, _ = sender(Datadog(401), Kept())
    assert deliver(made, batch())
    assert made.down == {"logs": "401"}


def test_without_a_spool_a_batch_has_failed():
    made, _, _ = sender(Datadog(400))
    assert not deliver(made, batch())
    assert made.tally.batches == {("logs", "failed"): 1}
    made, _, _ = sender(Datadog(400), Kept(broken=OSError("full")))
    assert not deliver(made, batch())
    assert made.tally.errors[-1] == "the spool refused logs: OSError: full"
    assert made.tally.spooled == {}


def test_what_is_too_large_for_the_spool_is_kept_in_halves():
    spool = Kept(largest=1)
    made, _, _ = sender(Datadog(400), spool)
    whole = batch(b"1", b"2", b"3", total=3)
    assert deliver(made, whole)
    assert [(entry.items, entry.whole, entry.kind) for entry in spool.entries] == [
        (1, whole.identity, "logs")
    ] * 3
    assert len({entry.digest for entry in spool.entries}) == 3
    assert spool.divisible == [False] * 3
    assert made.tally.items == {("logs", "spooled"): 3}
    single = Kept(largest=0)
    made, _, _ = sender(Datadog(400), single)
    assert not deliver(made, batch())
    divisible = Kept()
    made, _, _ = sender(Datadog(400), divisible)
    deliver(made, whole)
    assert divisible.divisible == [True]


def entry(kind="logs", whole=""):
    return Entry(kind, b"wire", "deflate", "digest", "503", items=3, whole=whole)


@pytest.mark.parametrize(
    ("answer", "result", "outcome"),
    [
        (202, "sent", "sent"),
        (400, "refused", "spooled"),
        (413, "refused", "spooled"),
        (503, "later", "spooled"),
        (403, "later", "spooled"),
    ],
)
def test_an_entry_of_the_spool_is_sent_refused_or_left_for_later(answer, result, outcome):
    made, _, _ = sender(Datadog(*[answer] * 99) if answer != 202 else Datadog(), retry=1.0)
    assert made.deliver_again(entry()) == result
    assert made.tally.items == {("logs", "read"): 3, ("logs", outcome): 3}
    assert made.delivered.near("digest") is (result == "sent")
    assert made.tally.sent_bytes == ({"logs": 4} if result == "sent" else {})


@pytest.mark.parametrize("name", ["digest", "whole"])
def test_an_entry_that_was_delivered_meanwhile_is_known(name):
    datadog = Datadog()
    made, _, _ = sender(datadog)
    made.delivered.add(name)
    assert made.deliver_again(entry(whole="whole")) == "sent"
    assert datadog.sent == []
    assert made.tally.items == {("logs", "read"): 3, ("logs", "known"): 3}


def test_its_own_points_are_sent_once_and_nobody_waits_for_them():
    datadog = Datadog(503)
    made, now, _ = sender(datadog, Kept())
    made.send_once(batch(kind="distributions"))
    assert [row[3] for row in datadog.sent] == [2.0]
    now[0] = 99.0
    made.send_once(batch(kind="distributions"))
    assert datadog.sent[-1][3] == 1.0
    now[0] = 100.0
    made.send_once(batch(kind="distributions"))
    made.down["series"] = "503"
    now[0] = 0.0
    made.send_once(batch(kind="series"))
    assert len(datadog.sent) == 2
    assert made.spool.entries == []


def test_a_fault_of_its_own_counts_as_undelivered_and_frees_its_place():
    made, _, _ = sender(Datadog())
    made.delivered.near = None
    for _ in range(20):
        made.submit(batch(), made.position())
    assert not made.finish()
    assert made.tally.errors == ["TypeError while sending logs: 'NoneType' object is not callable"]
    assert made.pending == []
    assert made.finish()


# --- pieces into telemetry


NOW = 1_795_428_000.0


def reader(**environ):
    chosen = ForwarderSettings.from_env(environ)
    made = PieceReader(chosen, "eu-west-1", ResourceTags(chosen, None), lambda: NOW)
    made.begin_unit("unit")
    return made


def payload(*messages, group="/aws/lambda/f", stamp=NOW * 1000, **event):
    body = {
        "messageType": "DATA_MESSAGE",
        "owner": "123",
        "logGroup": group,
        "logStream": "2026/11/23/[$LATEST]a",
        "logEvents": [{"id": "1", "timestamp": stamp, "message": m, **event} for m in messages],
    }
    return LogPayload(*decode_payload(json.dumps(body).encode()))


def line(name="a.b", second=NOW):
    return f"MONITORING|{int(second)}|1|count|{name}|"


def test_points_and_logs_of_a_payload_are_counted():
    tally = Tally()
    out = reader().read(payload(line(), "text", line("c")), tally)
    assert [point.metric for point in out.points] == ["a.b", "c"]
    assert [(entry.message, entry.timestamp) for entry in out.logs] == [("text", NOW * 1000)]
    assert tally.counts == {"points": 2, "logs": 1, "spans": 0}
    assert {key: count for key, count in tally.items.items() if count} == {
        ("points", "read"): 2,
        ("logs", "read"): 1,
    }
    assert tally.oldest == NOW
    assert "region:eu-west-1" in out.points[0].tags


def test_logs_that_stay_behind_are_counted_as_excluded():
    tally = Tally()
    out = reader(EXCLUDE_AT_MATCH="text").read(payload("text", "other"), tally)
    assert [entry.message for entry in out.logs] == ["other"]
    assert tally.items["logs", "read"] == 2
    assert tally.items["logs", "excluded"] == 1
    quiet = Tally()
    reader(DD_FORWARD_LOG="false").read(payload("text", "other"), quiet)
    assert quiet.items["logs", "excluded"] == quiet.items["logs", "read"] == 2


def test_a_family_that_is_switched_off_is_withheld_and_counted():
    tally = Tally()
    change = status("SUCCEEDED")
    out = reader(MONITORING_EXECUTION_METRICS="false").read(change, tally)
    assert out.points == []
    assert tally.items["points", "excluded"] == tally.items["points", "read"] == 2


def status(state, **detail):
    machine = "arn:aws:states:eu-west-1:123:stateMachine:demo"
    values = {
        "status": state,
        "stateMachineArn": machine,
        "startDate": NOW * 1000 - 500,
        "stopDate": NOW * 1000,
    }
    return StatusChange(
        {"detail-type": "Step Functions Execution Status Change", "detail": {**values, **detail}}
    )


def test_a_status_change_is_points_with_the_tags_of_the_settings():
    tally = Tally()
    out = reader(DD_ENV="prod").read(status("SUCCEEDED"), tally)
    assert [point.metric for point in out.points] == [
        "stepscope.execution.succeeded",
        "stepscope.execution.duration",
    ]
    assert all("env:prod" in point.tags for point in out.points)
    assert (tally.oldest, tally.events["status_change"]) == (NOW, 1)


def test_a_status_change_that_cannot_be_read_is_a_log_with_its_reason():
    tally = Tally()
    out = reader().read(status("ODD"), tally)
    (entry,) = out.logs
    assert entry.context.body()["stepscope"] == {"refused": "unknown status 'ODD'"}
    assert (entry.context.body()["status"], entry.timestamp) == ("warn", NOW * 1000)
    (refused,) = out.refused
    assert (refused.where, refused.line, refused.column, refused.kind) == ("status change", 1, 1, "events")
    assert tally.items["events", "refused"] == tally.items["events", "read"] == 1
    assert tally.refused == {"unknown status 'ODD'": 1}


def test_a_refusal_is_a_log_and_an_error_of_the_summary():
    tally = Tally()
    out = reader().read(Refusal("cannot be read: x", "s3://b/k", "excerpt", 7), tally)
    assert [entry.message for entry in out.logs] == ["excerpt"]
    assert (out.refused[0].line, tally.refused, tally.errors) == (
        7,
        {"cannot be read": 1},
        ["s3://b/k: cannot be read: x"],
    )
    assert out.logs[0].context.body()["ddsource"] == "stepscope"
    tally = Tally()
    assert reader(DD_FORWARD_LOG="0").read(Refusal("x", "w", "t"), tally).logs == []
    assert tally.items["events", "refused"] == 1
    body = reader().read(Refusal("x", "w", "", body="whole"), Tally())
    assert [entry.message for entry in body.logs] == ["whole"]
    skipped = Tally()
    assert reader().read(Skipped("x", "w"), skipped).logs == []
    assert skipped.counts == {"skipped": 1}


@pytest.mark.parametrize(
    ("offset", "late"),
    [(-3601, {"too_old": 1}), (-3600, {}), (0, {}), (600, {}), (601, {"too_far_ahead": 1})],
)
def test_a_point_outside_of_an_hour_back_and_ten_minutes_ahead_is_counted_and_sent(offset, late):
    """https://docs.datadoghq.com/api/latest/metrics/: older than an hour or more than ten minutes ahead is dropped."""
    tally = Tally()
    out = reader().read(payload(line(second=NOW + offset)), tally)
    assert len(out.points) == 1
    assert {key: count for key, count in tally.late.items() if count} == late


def test_the_oldest_event_and_every_late_point_count():
    tally = Tally()
    piece = payload(line(second=NOW - 3600), line(second=NOW - 3601), "now")
    piece.payload.logEvents[1].timestamp -= 5000
    reader().read(piece, tally)
    assert tally.late["too_old"] == 1
    assert tally.oldest == NOW - 5


def test_an_event_that_is_not_as_cloudwatch_logs_writes_it_keeps_its_content_with_the_reason():
    tally = Tally()
    out = reader().read(payload("text", stamp="x"), tally)
    (entry,) = out.logs
    assert (entry.message, entry.timestamp) == ("text", NOW * 1000)
    assert (
        entry.context.body()["stepscope"]["refused"]
        == "the event's timestamp is not a number of milliseconds"
    )
    assert tally.refused["the event's timestamp is not a number of milliseconds"] == 1


def test_a_centralised_event_is_of_the_account_and_region_where_it_was_written():
    fields = {"@aws.account": "999", "@aws.region": "us-east-1"}
    out = reader().read(payload(line(), extractedFields=fields), Tally())
    assert {"region:us-east-1", "account_id:999"} <= set(out.points[0].tags)
    plain = describe(ForwarderSettings.from_env({}), "eu-west-1", "123", "/g", "s")
    assert "account_id:123" in plain.tags


def test_lines_of_an_object_have_their_own_times_or_that_of_the_record():
    piece = LinePiece([("a", 5, 1), ("b", 0, 2)], "s3://b/k", kind="elb", fields=(("bucket", "b"),))
    out = reader().read(piece._replace(milliseconds=9), Tally())
    assert [(entry.message, entry.timestamp) for entry in out.logs] == [("a", 5), ("b", 9)]
    assert out.logs[0].context.body()["ddsource"] == "elb"
    assert reader().read(piece, Tally()).logs[1].timestamp == NOW * 1000


def test_a_unit_keeps_two_hundred_sources_at_once():
    made = reader()
    for number in range(205):
        made.read(LinePiece([("a", 1, 1)], "w", f"/g{number}", "s"), Tally())
    assert len(made._readers) == 200
    made.begin_unit("next")
    assert made._readers == {}
