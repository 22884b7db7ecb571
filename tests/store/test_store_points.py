"""The store's promises about points: nothing lost, nothing superseded left behind."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.errors import InputError
from monitoring.query.series import Series
from monitoring.store import Store, journal
from monitoring.store.journal import Journal


def series(times, values, metric="m", tags=("a:b",), **more):
    return Series(metric, tags, np.array(times, np.int64), np.array(values, np.float64), **more)


@pytest.fixture
def store():
    with Store.open() as opened:
        yield opened


def test_what_was_added_is_answered_by_metric_tag_and_time(store):
    store.add_points([series([1, 2, 3], [1, 2, 3]), series([1], [9], tags=("a:c",), host="h")])
    (one,) = store.series("m", 2, 3, ["a:b"])
    assert (one.times.tolist(), one.values.tolist(), one.tags) == ([2], [2.0], ("a:b",))
    (other,) = store.series("m", tags=["host:h"])
    assert other.host == "h"


def test_of_one_source_and_second_the_last_write_wins(store):
    store.add_points([series([1, 1, 2], [1, 5, 2])])
    store.flush()
    store.add_points([series([2, 0], [7, 0])])
    (one,) = store.series("m")
    assert (one.times.tolist(), one.values.tolist()) == ([0, 1, 2], [0.0, 5.0, 7.0])
    assert store.counters["points_overwritten"] == 2


def test_every_value_of_a_distribution_counts(store):
    store.add_samples([series([1, 1, 1], [4, 5, 6], type="distribution")])
    store.add_samples([series([1], [7], type="distribution")])
    (summary,) = store.metrics()
    assert (summary.type, summary.points, summary.sum, summary.first) == ("distribution", 4, 22.0, 1)


def test_an_empty_store_answers_with_nothing(store):
    assert (store.metrics(), store.series("m"), store.spans(), store.logs()) == ([], [], [], [])


def test_a_closed_database_is_whole_when_opened_again(tmp_path):
    path = tmp_path / "d.duckdb"
    with Store.open(path) as first:
        first.add_points([series([1], [1], type="count", interval=10)])
        first.documents.put("monitor", "1", {"name": "x"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.duckdb"]
    with Store.open(path, read_only=True) as again:
        (one,) = again.series("m")
        assert (one.type, one.interval, one.values.tolist()) == ("count", 10, [1.0])
        assert again.documents.get("monitor", "1") == {"name": "x"}


def test_the_last_write_wins_also_over_what_an_earlier_process_wrote(tmp_path):
    for value in (1, 2):
        with Store.open(tmp_path / "d.duckdb") as store:
            store.add_points([series([1], [value])])
    with Store.open(tmp_path / "d.duckdb", read_only=True) as store:
        assert [one.values.tolist() for one in store.series("m")] == [[2.0]]


def test_spans_and_logs_come_back_as_they_were_sent(store):
    span = {"trace_id": "00" * 8, "span_id": "01" * 8, "parent_id": "", "name": "aws.lambda", "service": "s"}
    span |= {"resource": "f", "type": "serverless", "start": 5 * 10**9, "duration": 7, "error": 1}
    span |= {"meta": {"env": "é|\n"}, "metrics": {"_sampling_priority_v1": 1}}
    store.add_spans([span])
    assert store.spans(start=5, end=6, service="s") == [span]
    store.add_logs(
        [{"message": "boom", "ddtags": "Env:Prod,b", "service": "s", "timestamp": 5000, "x": {"y": 1}}]
    )
    (log,) = store.logs(text="oom", tags=["env:prod"], start=5, end=6)
    assert (log["x"], log["ddtags"], log["timestamp"]) == ({"y": 1}, "b,env:prod", 5000)


def test_series_of_every_type_go_where_they_belong(store):
    store.add_points([series([1, 1], [1, 2], type="distribution"), series([1, 1], [1, 2], metric="g")])
    store.add_samples([series([1], [3])])
    assert [(m.name, m.type, m.points, m.sum) for m in store.metrics()] == [
        ("g", "gauge", 1, 2.0),
        ("m", "distribution", 3, 6.0),
    ]


def test_what_is_no_number_is_left_out_and_a_time_that_is_none_is_refused(store):
    store.add_points([series([1, 2, 3], [1, float("nan"), float("inf")])])
    assert store.metrics()[0].points == 1
    with pytest.raises(InputError, match="seconds since the epoch"):
        store.add_points([series([1_700_000_000_000], [1])])


def test_a_type_that_a_sender_adds_later_is_taken_over(store):
    store.add_points([series([1], [1], type="gauge")])
    store.flush()
    store.add_points([series([2], [1], type="count", interval=10)])
    (one,) = store.series("m")
    assert (one.type, one.interval, one.times.tolist()) == ("count", 10, [1, 2])


def test_a_question_waits_for_what_was_written_to_its_own_series_and_for_nothing_else(store):
    store.add_points([series([1], [1], metric="asked"), series([1], [2], metric="other")])
    store.flush()
    asked, other = ([*store.sources(name)] for name in ("asked", "other"))

    def values(ids):
        with store.reading(ids) as cursor:
            query = f"SELECT value FROM points WHERE series_id = {ids[0]} ORDER BY time"
            return [row[0] for row in cursor.execute(query).fetchall()]

    with ThreadPoolExecutor(1) as pool:
        with store._flush_lock:  # a commit that takes long
            store.add_points([series([2], [3], metric="other")])
            assert pool.submit(values, asked).result(timeout=30) == [1.0]
            waiting = pool.submit(values, other)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        assert waiting.result(timeout=30) == [2.0, 3.0]


POINTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 20), st.floats(-9, 9), st.booleans()), max_size=60
)


@settings(max_examples=15, deadline=None)
@given(POINTS)
def test_whatever_the_order_of_writes_and_flushes_the_last_value_of_a_second_stays(writes):
    last = {}
    with Store.open() as store:
        for source, moment, value, flush in writes:
            store.add_points([series([moment], [value], tags=(f"s:{source}",))])
            last[source, moment] = value
            if flush:
                store.flush()
        found = {
            (int(one.tags[0][2:]), int(moment)): value
            for one in store.series("m")
            for moment, value in zip(one.times, one.values, strict=True)
        }
    assert found == last


def test_a_torn_record_ends_the_journal_and_costs_nothing_before_it(tmp_path):
    path = tmp_path / "d.duckdb"
    written = Journal(path)
    for number in range(3):
        written.append(3, f"record {number}".encode())
    written.close(remove=False)
    whole = journal.paths(path)[0].read_bytes()
    for cut in range(len(whole)):
        records = list(journal.read(whole[:cut]))
        assert [record.payload.decode() for record in records] == [
            f"record {k}" for k in range(cut * 3 // len(whole))
        ]
    broken = bytearray(whole)
    broken[-1] ^= 1
    assert len(list(journal.read(bytes(broken)))) == 2


def test_two_files_of_the_journal_take_turns_and_are_freed(tmp_path):
    path = tmp_path / "d.duckdb"
    written = Journal(path)
    for number in range(12):
        seq = written.append(3, bytes(1 << 20))
        if number % 3 == 2:
            written.turn()
            written.append(3, b"younger")
            written.committed(seq)
    sizes = [file.stat().st_size for file in journal.paths(path)]
    assert sum(sizes) < 6 << 20
    assert [record.payload for record in journal.replay(path, written.seq - 1)] == [b"younger"]
    written.close(remove=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_file_that_is_broken_inside_is_one_clear_sentence_or_still_answers(tmp_path, seed):
    path = tmp_path / "d.duckdb"
    with Store.open(path) as store:
        store.add_points(
            [series(range(3000), np.random.default_rng(k).random(3000), f"m{k}") for k in range(9)]
        )
    data = bytearray(path.read_bytes())
    at = int(np.random.default_rng(seed).integers(100, len(data)))
    path.write_bytes(data[:at] if seed % 2 else data[:at] + bytes(200) + data[at + 200 :])
    try:
        with Store.open(path) as store:
            assert len(store.metrics()) == 9
            store.series("m1")
    except InputError as error:
        assert "it is damaged" in error.message
        assert error.where == str(path)
