"""Records of Kinesis: which of them are answered as failed, and what arrives when Lambda begins again at the first of these."""

import pytest
from roads import NOW, forwarder, packed, stored, stream_record

from monitoring.forwarder import inputs
from monitoring.forwarder.sender import UndeliveredError


def lines(name):
    """A point and a log entry."""
    return [f"MONITORING|{NOW}|1|count|{name}", f"log of {name}"]


@pytest.fixture
def alone(monkeypatch):
    """Each record has its own requests, as large ones have."""
    monkeypatch.setattr(inputs, "_GROUP", 1)


def records(*names):
    return [stream_record(packed(lines(name), number)) for number, name in enumerate(names, 1)]


def numbers(batch):
    return [record["kinesis"]["sequenceNumber"] for record in batch]


def refusing(intake, *names):
    """The intake takes no metric and no log entry of these records."""

    def script(_number, _path):
        return (400, {}, b"") if any(name.encode() in intake.current for name in names) else None

    intake.script = script


def failed(answer):
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


QUICK = {"MONITORING_RETRY_SECONDS": "0.001", "MONITORING_PARTIAL_BATCHES": "true"}


def test_nothing_failed_is_an_empty_answer(intake):
    assert forwarder(intake.url, **QUICK).handle({"Records": records("a.a", "b.b")}, 60.0) == {
        "batchItemFailures": []
    }


def test_small_records_share_their_requests(intake):
    batch = records(*(f"a.n{n}" for n in range(50)))
    forwarder(intake.url, **QUICK).handle({"Records": batch}, 60.0)
    assert len(intake.points()) == 50
    assert len(intake.received) == 2  # one of metrics, one of logs


@pytest.mark.parametrize("name", ["a.a", "b.b", "c.c"])
def test_only_the_record_that_is_neither_delivered_nor_spooled_failed(alone, intake, name):
    batch = records("a.a", "b.b", "c.c")
    refusing(intake, name)
    answer = forwarder(intake.url, **QUICK).handle({"Records": batch}, 60.0)
    assert failed(answer) == [numbers(batch)[["a.a", "b.b", "c.c"].index(name)]]


@pytest.mark.parametrize("name", ["a.a", "b.b", "c.c"])
def test_what_begins_again_at_the_first_failed_record_arrives_once(alone, intake, name):
    """Lambda's rule: it sends the batch again from the lowest sequence number that was answered."""
    batch = records("a.a", "b.b", "c.c")
    function = forwarder(intake.url, **QUICK)
    refusing(intake, name)
    answer = function.handle({"Records": batch}, 60.0)
    intake.script = None
    begin = numbers(batch).index(min(failed(answer)))
    function.handle({"Records": batch[begin:]}, 60.0)
    held = stored(intake)
    assert {key: count for key, count in held.items() if key[0] == "points"} == {
        ("points", metric, ""): 1 for metric in ("a.a", "b.b", "c.c")
    }
    assert all(count == 1 for count in held.values())


def test_where_all_records_failed_the_invocation_fails(alone, intake):
    intake.script = lambda *_: (503, {}, b"")
    with pytest.raises(UndeliveredError):
        forwarder(intake.url, **QUICK).handle({"Records": records("a.a", "b.b")}, 60.0)


def test_without_the_setting_one_failed_record_fails_the_invocation(alone, intake):
    """An event source mapping without ReportBatchItemFailures would take the answer for a success."""
    refusing(intake, "b.b")
    with pytest.raises(UndeliveredError):
        forwarder(intake.url, MONITORING_RETRY_SECONDS="0.001").handle(
            {"Records": records("a.a", "b.b")}, 60.0
        )


def test_an_outage_with_a_spool_fails_no_record(alone, intake, tmp_path):
    intake.script = lambda *_: (503, {}, b"")
    function = forwarder(intake.url, **QUICK, MONITORING_SPOOL_FOLDER=str(tmp_path / "spool"))
    assert function.handle({"Records": records("a.a", "b.b")}, 60.0) == {"batchItemFailures": []}
    intake.script = None
    function.handle({"stepscope": "redrive"}, 60.0)
    assert sorted(name for name, *_ in intake.points()) == ["a.a", "b.b"]


BROKEN = {
    "no sequence number": lambda record: record["kinesis"].pop("sequenceNumber"),
    "a sequence number that is a number": lambda record: record["kinesis"].update(sequenceNumber=7),
    "no event id": lambda record: record.pop("eventID"),
}


@pytest.mark.parametrize("change", BROKEN)
def test_records_that_cannot_be_answered_for_are_one_delivery(intake, change):
    batch = records("a.a", "b.b")
    BROKEN[change](batch[1])
    summary = forwarder(intake.url, **QUICK).handle({"Records": batch}, 60.0)
    assert summary["conservation"]["points"] == {"read": 2, "accounted": 2, "sent": 2}


def test_a_record_that_is_not_a_payload_costs_no_other(alone, intake, tmp_path):
    batch = [*records("a.a"), stream_record("H4sIAAAA"), *records("b.b")]
    function = forwarder(intake.url, **QUICK, MONITORING_SPOOL_FOLDER=str(tmp_path / "spool"))
    assert function.handle({"Records": batch}, 60.0) == {"batchItemFailures": []}
    assert sorted(name for name, *_ in intake.points()) == ["a.a", "b.b"]
    assert [path for path in (tmp_path / "spool").iterdir() if path.is_file()]
