"""The day of the example: copies of recorded executions, coherent, with one incident."""

import json
import re

import numpy as np
import pytest

from monitoring.demo.copies import Copy, Tape
from monitoring.demo.day import BROKEN_FROM, BROKEN_UNTIL, DAY, FAULTY, HEALTHY, HISTORY, Demonstration
from monitoring.demo.recorded import read_example
from monitoring.store import Store

NOW = 1_795_800_000


@pytest.fixture(scope="module")
def example():
    return read_example()


@pytest.fixture(scope="module")
def store(example):
    with Store.open() as opened:
        Demonstration.begin(opened, NOW, example)
        yield opened


def asked(store, query, *values):
    with store.reading() as cursor:
        return cursor.execute(query, list(values)).fetchall()


def test_recordings_are_of_one_execution_each(example):
    for recording in example.recordings:
        text = json.dumps([recording.spans, recording.logs])
        assert set(re.findall(r":execution:slides:([\w-]+)", text)) == {recording.arn.rpartition(":")[2]}
        assert {span["trace_id"] for span in recording.spans} == {recording.spans[0]["trace_id"]}


def test_recordings_name_no_folder_and_no_address_of_the_machine_that_made_them(example):
    text = json.dumps([[one.spans, one.logs] for one in example.recordings])
    assert not re.search(r"127\.0\.0\.1|localhost|/work|/home|/root|/tmp|\.venv", text)


def test_every_recording_that_is_copied_is_there(example):
    assert {*HEALTHY, FAULTY} <= {one.name for one in example.recordings}
    assert sum(HEALTHY.values()) == pytest.approx(1)


def test_executions_fail_in_the_incident_only(store):
    rows = asked(store, "SELECT start / 1e9, error FROM spans WHERE name = 'aws.stepfunctions'")
    failed = [start for start, error in rows if error]
    assert len(rows) > 200
    assert len(failed) >= 5
    assert all(NOW - BROKEN_FROM <= start < NOW - BROKEN_UNTIL + 60 for start in failed)
    assert any(start > NOW - BROKEN_UNTIL + 3600 for start, _ in rows)


def test_no_execution_is_there_twice_and_each_has_ids_of_its_own(store):
    rows = asked(
        store, "SELECT meta->>'$.executionarn', trace_id FROM spans WHERE name = 'aws.stepfunctions'"
    )
    assert len({arn for arn, _ in rows}) == len({trace for _, trace in rows}) == len(rows)
    requests = asked(store, "SELECT meta->>'$.request_id' FROM spans WHERE name = 'aws.lambda'")
    assert len(set(requests)) == len(requests)


def test_spans_lie_within_the_execution(store):
    query = """
        SELECT max(s.start + s.duration - r.start - r.duration) / 1e9, min(s.start - r.start) / 1e9
        FROM spans s JOIN spans r ON s.trace_id = r.trace_id AND r.name = 'aws.stepfunctions'"""
    late, early = asked(store, query)[0]
    assert late < 1.5  # a function may still report when its state has timed out
    assert early >= 0


def test_nothing_is_in_the_future_or_older_than_the_history(store):
    for table, column, scale in (("points", "time", 1), ("samples", "time", 1), ("logs", "time", 1000)):
        first, last = asked(store, f"SELECT min({column}) / {scale}, max({column}) / {scale} FROM {table}")[0]
        assert first >= NOW - HISTORY - 600
        assert last <= NOW


def test_a_percentile_is_not_above_the_maximum(store):
    query = """
        SELECT count(*), count(*) FILTER (a.value > b.value * 1.0000001) FROM points a
        JOIN series s USING (series_id) JOIN series t ON t.tags = s.tags AND t.metric = $high
        JOIN points b ON b.series_id = t.series_id AND b.time = a.time WHERE s.metric = $low"""
    for low in ("aws.lambda.duration.p95", "aws.lambda.duration.p50", "aws.lambda.duration"):
        with store.reading() as cursor:
            values = {"low": low, "high": "aws.lambda.duration.maximum"}
            total, above = cursor.execute(query, values).fetchall()[0]
        assert total > 100
        assert above == 0


def test_shares_and_sizes_are_possible(store):
    def most(metric):
        query = "SELECT min(value), max(value) FROM samples JOIN series USING (series_id) WHERE metric = ?"
        return asked(store, query, metric)[0]

    assert most("slides.confidence")[1] <= 1
    assert 0 < most("stepscope.request.size")[1] < 256 * 1024
    assert most("aws.lambda.enhanced.max_memory_used")[1] <= most("aws.lambda.enhanced.memorysize")[1]


def test_log_events_carry_the_times_and_the_name_of_the_copy(store, example):
    rows = asked(
        store, "SELECT time, message FROM logs WHERE contains(message, '\"execution_arn\"') LIMIT 500"
    )
    for moment, message in rows:
        event = json.loads(message)
        assert abs(int(event["event_timestamp"]) - moment) <= 1000
        assert not any(one.arn in message for one in example.recordings)


def test_deployments_are_events(store):
    events = sorted(store.documents.all("event"), key=lambda event: event["date_happened"])
    assert [event["source"] for event in events] == ["deployment"] * 3
    assert events[0]["date_happened"] > NOW - DAY


def test_going_on_adds_what_has_begun_since_and_nothing_twice(example):
    count = "SELECT count(*), count(DISTINCT trace_id) FROM spans WHERE name = 'aws.stepfunctions'"
    with Store.open() as opened:
        day = Demonstration.begin(opened, NOW, example)
        before = asked(opened, count)[0][0]
        added = sum(day.go_on(NOW + minute * 60) for minute in range(1, 61))
        assert day.go_on(NOW + 3600) == 0
        assert asked(opened, count)[0] == (before + added, before + added)
        assert added > 3


def test_waits_keep_their_length_and_all_else_is_stretched(example):
    recording = next(one for one in example.recordings if one.name == "new-slide")
    tape = Tape()
    Copy(recording, float(NOW), "photo-1", np.random.default_rng(1), 2.0).add_to(tape)
    for before, after in zip(recording.spans, tape.spans, strict=True):
        wait = before["meta"].get("statetype") == "Wait"
        if wait or before["name"] == "aws.lambda":
            assert after["duration"] == pytest.approx(
                before["duration"] * (1 if wait else 2), rel=0.02, abs=1e7
            )
