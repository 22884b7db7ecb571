"""Two forwarders of the same log groups: what both make, and what only one of them does."""

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner

from monitoring.cli.doctor import command
from monitoring.doctor.datadog import Datadog
from monitoring.doctor.shadow import Output, compare, compare_live, read_output
from monitoring.errors import InputError
from monitoring.local_datadog import LocalDatadog
from monitoring.query.series import Series
from monitoring.store import Store

NOW = int(time.time())


def output(points=(), logs=()):
    side = Output()
    for metric, values, *tags in points:
        side.add(metric, values, tags)
    side.messages.update(logs)
    return side


def row(metric, value, *tags):
    return {
        "point": {"metric": metric, "value": value, "timestamp": NOW, "type": "count", "tags": list(tags)}
    }


def samples(metric, tag, values):
    times = np.full(len(values), NOW - 60)
    return Series(metric, (tag,), times, np.array(values, dtype=float), "distribution")


def recorded(path, *rows):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in rows))
    return str(path)


SAME = ("shop.paid", [1, 2.5], "zone:a")
CASES = {
    "the same": ([SAME], [SAME], [("metric", "ok", "both: 2 points")]),
    "in another order": ([("a.b", [1, 2])], [("a.b", [2]), ("a.b", [1])], [("metric", "ok", "both")]),
    "only ours": ([SAME], [], [("metric", "ok", "only ours")]),
    "only theirs": ([], [SAME], [("metric", "fault", "only theirs sends it: 2 points")]),
    "another sum": ([("a.b", [1])], [("a.b", [2])], [("metric", "fault", "sum 1, theirs 1 point with 2")]),
    "another number": ([("a.b", [3])], [("a.b", [1, 2])], [("metric", "fault", "1 point with the sum 3, theirs 2")]),
    "a tag of theirs": ([("a.b", [1], "x:1")], [("a.b", [1], "x:1", "y:2")], [("tags", "fault", "theirs has also y")]),
    "a tag of ours": ([("a.b", [1], "x:1", "y:2")], [("a.b", [1], "x:1")], [("metric", "ok", "both")]),
    "rounding": ([("a.b", [0.1] * 10)], [("a.b", [1.0, *[0.0] * 9])], [("metric", "ok", "both")]),
    "metrics of the forwarders": ([("stepscope.forwarder.lag", [1])], [("aws.dd_forwarder.loaded", [1])], []),
    "nothing": ([], [], []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_metric_is_compared_by_number_sum_and_tags(case):
    ours, theirs, expected = CASES[case]
    checks = [check for check in compare(output(ours), output(theirs)) if check.name != "logs"]
    assert [(check.name, check.status) for check in checks] == [row[:2] for row in expected]
    assert all(words in check.message for check, (_, _, words) in zip(checks, expected, strict=True))


LOGS = {
    "the same": (["a", "b"], ["b", "a"], "ok", "ours has all 2 of theirs"),
    "one more of ours": (["a", "b"], ["a"], "ok", "ours has all 1 of theirs, and 1 more"),
    "one that is missing": (["a"], ["a", "b"], "fault", "ours lacks 1 messages of theirs, for example 'b'"),
    "one twice": (["a"], ["a", "a"], "fault", "ours lacks 1 messages of theirs, for example 'a'"),
    "platform lines": (
        ["a"],
        ["a", "START RequestId: 7 Version: $LATEST"],
        "ok",
        "1 more of theirs are platform",
    ),
    "metric lines": ([], ["MONITORING|1|1|count|a.b"], "ok", "ours has all 0 of theirs; 1 more"),
    "a log about them": ([], ["it says START RequestId: 7"], "fault", "ours lacks 1 messages of theirs"),
    "none": ([], [], "ok", "ours has all 0 of theirs"),
}


@pytest.mark.parametrize("case", LOGS)
def test_logs_are_compared_by_their_messages(case):
    ours, theirs, status, words = LOGS[case]
    (check,) = compare(output(logs=ours), output(logs=theirs))
    assert check.status == status
    assert words in check.message


def test_lines_and_a_database_of_the_same_output_are_equal(tmp_path):
    lines = recorded(
        tmp_path / "ours.jsonl",
        row("shop.paid", 1, "zone:a"), row("shop.paid", 2, "zone:a"), {"log": {"message": "paid "}},
        {"span": {"name": "x"}}, {"refused": {"reason": "y"}},
    )  # fmt: skip
    with Store.open(tmp_path / "theirs.duckdb") as store:
        store.add_samples([samples("shop.paid", "zone:a", [1, 2])])
    ours, theirs = read_output(lines), read_output(str(tmp_path / "theirs.duckdb"))
    assert ours.messages == {"paid": 1}
    assert (ours.points, ours.sums, ours.tags) == (theirs.points, theirs.sums, theirs.tags)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"metric": 1}', '{"point": {"metric": "a.b"}}', '{"point": 7}', '{"log": {}}']
)
def test_a_line_of_another_kind_is_wrong_input_with_its_number(tmp_path, text):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(row("a.b", 1)) + "\n\n" + text + "\n")
    with pytest.raises(InputError, match="line 3 cannot be read"):
        read_output(str(path))


def test_a_file_that_is_not_there_is_wrong_input(tmp_path):
    with pytest.raises(InputError, match="the file does not exist"):
        read_output(str(tmp_path / "absent.jsonl"))


@pytest.fixture
def datadog():
    with LocalDatadog() as running:
        yield running


def sent(datadog, metric, values, tag):
    datadog.store.add_samples([samples(metric, tag, values)])


def test_in_an_organisation_two_tags_are_compared(datadog):
    ours, theirs = "forwarder:stepscope", "forwardername:datadog"
    for tag in (ours, theirs):
        sent(datadog, "shop.paid", [1, 2], tag)
    sent(datadog, "shop.more", [1], ours)
    sent(datadog, "shop.less", [1], theirs)
    sent(datadog, "shop.other", [2], ours)
    sent(datadog, "shop.other", [3], theirs)
    checks = list(compare_live(Datadog(datadog.url, "k"), ours, theirs, NOW - 3600, NOW))
    assert [(check.where, check.status) for check in checks] == [
        ("shop.less", "fault"), ("shop.more", "ok"), ("shop.other", "fault"), ("shop.paid", "ok"),
    ]  # fmt: skip


def test_tags_that_nothing_carries_could_not_be_compared(datadog):
    (check,) = compare_live(Datadog(datadog.url, "k"), "a:b", "c:d", NOW - 3600, NOW)
    assert check.status == "unknown"


def test_a_datadog_that_does_not_answer_is_wrong_input():
    with pytest.raises(InputError, match="the metrics cannot be listed"):
        list(compare_live(Datadog("http://127.0.0.1:9", "k"), "a:b", "c:d", NOW - 3600, NOW))


@pytest.mark.parametrize(("theirs", "status"), [(1, 0), (2, 1)])
def test_the_command_ends_with_1_where_theirs_makes_something_else(tmp_path, theirs, status):
    paths = [recorded(tmp_path / f"{n}.jsonl", row("a.b", value)) for n, value in enumerate((1, theirs))]
    done = CliRunner().invoke(command, ["--recorded", *paths], standalone_mode=False)
    assert done.return_value == status
    assert "a.b" in done.output
    shown = CliRunner().invoke(command, ["--recorded", *paths, "--json"], standalone_mode=False)
    assert json.loads(shown.output)["faults"] == status


def test_the_command_compares_in_datadog(datadog, monkeypatch):
    monkeypatch.setenv("DD_API_KEY", "k")
    sent(datadog, "shop.paid", [1], "forwardername:datadog")
    arguments = ["--shadow", "forwarder:stepscope", "forwardername:datadog", "--url", datadog.url]
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert done.return_value == 1
    assert "only theirs sends it" in done.output
