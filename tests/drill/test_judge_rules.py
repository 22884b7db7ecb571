"""The judge by itself: what is wrong about a fault's detection, in which words, to the minute (docs/drill.md)."""

import numpy as np
import pytest

from monitoring.drill.fault import Added, Fault
from monitoring.drill.judge import DrillResult, FaultResult, judge
from monitoring.drill.recordings import Take
from monitoring.drill.watching import LEAD_MINUTES, Seen, Watcher, as_seen, load, scoped, seen, unfit, watch
from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.query.series import Series
from monitoring.query.sources import SeriesSource
from monitoring.testing.project import Folder


def monitor(query="avg(last_5m):avg:a{*} > 1", message="@ops", kind="query alert", **options):
    return Monitor.from_body({"type": kind, "query": query, "message": message, "options": options}, "m")


def watchers(*keys, silent=()):
    return [Watcher(key, monitor(), tells=key not in silent) for key in keys]


def verdict(fault, *found, keys=("a", "b", "c"), silent=(), any_monitor=False):
    return judge(
        fault, [Take("FAILED", "Boom"), Take("SUCCEEDED")], found, watchers(*keys, silent=silent), any_monitor
    )


FAULT = Fault("f", "it breaks", must={"a": 5})
GOOD = Seen("a", alert=5.0, recovered=30.0)


@pytest.mark.parametrize(
    ("fault", "found", "wrong"),
    [
        (FAULT, [GOOD], []),
        (FAULT, [Seen("a", alert=5.02, recovered=9.0)], ["a notices after 5 min, and has to within 5"]),
        (FAULT, [Seen("a", alert=0.0, recovered=9.0)], []),
        (FAULT, [], ["a does not notice"]),
        (FAULT, [Seen("a", warn=1.0)], ["a does not notice"]),
        (
            FAULT,
            [Seen("a", held_back=True)],
            ["a does not notice: it evaluates a new group only after new_group_delay"],
        ),
        (
            FAULT,
            [Seen("a", untold=3.0)],
            ["a alerts after 3 min, and nobody is notified: its message has no @handle for an alert"],
        ),
        (
            FAULT,
            [Seen("a", untold=3.0, held_back=True)],
            ["a alerts after 3 min, and nobody is notified: its message has no @handle for an alert"],
        ),
        (FAULT, [Seen("a", alert=5.0)], ["a does not recover within 120 minutes"]),
        (FAULT, [GOOD, Seen("b", alert=1.0)], []),
        (FAULT, [GOOD, Seen("b", before=True)], ["b alerts before anything is broken"]),
        (
            Fault("f", "x", must={"a": 5}, quiet=("b",)),
            [GOOD, Seen("b", alert=9.0)],
            ["b alerts, and should not"],
        ),
        (Fault("f", "x", must={"a": 5}, quiet=("b",)), [GOOD, Seen("b", warn=9.0)], []),
        (Fault("f", "x", must={"z": 5}), [GOOD], ["there is no monitor z, which has to notice"]),
        (Fault("f", "x", control=True), [GOOD, Seen("b")], ["a alerts in vain after 5 min"]),
        (Fault("f", "x", control=True), [Seen("b", warn=1.0)], []),
        (Fault("f", "x", must={"a": 5, "b": 9}), [GOOD], ["b does not notice"]),
    ],
)
def test_each_monitor_that_has_to_notice_is_judged_by_its_minutes(fault, found, wrong):
    assert list(verdict(fault, *found).wrong) == wrong


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([Seen("b", alert=9.0), Seen("c", alert=2.0)], []),
        ([Seen("b", alert=10.0)], []),
        ([Seen("b", alert=11.0)], ["b is the first to notice, after 11 min"]),
        ([], ["no monitor notices"]),
        ([Seen("b", warn=1.0)], ["no monitor notices"]),
        (
            [Seen("b", untold=2.0)],
            [
                "no monitor notices",
                "b alerts after 2 min, and nobody is notified: its message has no @handle for an alert",
            ],
        ),
    ],
)
def test_any_monitor_will_do_within_the_longest_time_where_a_users_own_are_drilled(found, wrong):
    fault = Fault("f", "x", must={"a": 5, "z": 10})
    assert list(verdict(fault, *found, any_monitor=True).wrong) == wrong


def test_the_quickest_comes_first_and_parts_of_composites_are_left_out():
    found = [Seen("b", alert=9.0), Seen("a", alert=2.0, recovered=9.0), Seen("c", alert=1.0), Seen("d")]
    result = verdict(FAULT, *found, silent=("c",))
    assert [each.key for each in result.noticed] == ["a", "b"]
    assert result.ended == ("FAILED Boom", "SUCCEEDED")
    assert result.fine
    assert verdict(FAULT, Seen("a", alert=1.0), silent=("a",)).wrong == (
        "there is no monitor a, which has to notice",
    )


def outcome(fault=FAULT, noticed=("a",), wrong=(), asked=()):
    return FaultResult(
        fault, ("FAILED",), tuple(Seen(key, alert=1.0) for key in noticed), tuple(wrong), dict(asked)
    )


def result(*outcomes, keys=("a", "b"), silent=(), complete=True):
    return DrillResult(outcomes, tuple(watchers(*keys, silent=silent)), {"x": "why"}, complete, 1.26)


@pytest.mark.parametrize(
    ("drilled", "wrong"),
    [
        (result(outcome(noticed=("a", "b"))), ()),
        (result(outcome()), ("b: no fault sets it off",)),
        (result(outcome(), complete=False), ()),
        (result(outcome(), silent=("b",)), ()),
        (
            result(outcome(), outcome(Fault("day", "x", control=True), noticed=("b",))),
            ("b: no fault sets it off",),
        ),
        (result(outcome(noticed=("a", "b"), wrong=["late", "twice"])), ("f: late", "f: twice")),
    ],
)
def test_a_drill_is_wrong_by_its_faults_and_by_monitors_that_nothing_sets_off(drilled, wrong):
    assert drilled.wrong == wrong
    assert drilled.fine is (not wrong)
    data = drilled.as_data()
    assert (data["fine"], tuple(data["wrong"]), data["seconds"]) == (not wrong, wrong, 1.3)
    assert data["not_drilled"] == {"x": "why"}
    assert (data["never_set_off"] is None) is (not drilled.complete)


def test_a_tag_is_absent_if_no_fault_at_all_brought_a_series_with_it():
    first = {("a", "env:p"): True, ("b", "env:q"): False, ("a", "env:q"): False}
    second = {("a", "env:p"): False, ("b", "env:q"): False, ("a", "env:q"): False}
    assert result(outcome(asked=first), outcome(asked=second)).absent == {"env:q": ("a", "b")}


def test_a_fault_as_data_says_how_it_was_brought_about():
    fault = Fault("f", "it breaks", must={"a": 5}, minutes=7, added=(Added("m", 1.0, ()),))
    data = outcome(fault, wrong=["late"]).as_data()
    assert data["noticed"][0]["key"] == "a"
    del data["noticed"]
    assert data == {
        "fault": "f",
        "what": "it breaks",
        "control": False,
        "how": "simulated",
        "minutes": 7,
        "expected": {"a": 5},
        "executions": ["FAILED"],
        "wrong": ["late"],
        "fine": False,
    }


# --- what a monitor does over the laid-out hours

ONSET = 1_772_323_200


def line(values, *tags, metric="a", start=ONSET - 7200):
    times = np.arange(start, start + 60 * len(values), 60)
    return Series(metric, tags, times, np.array(values, np.float64), "gauge")


def watched(query="max(last_1m):max:a{*} > 1", values=(), after=180, message="@ops", series=None, **options):
    source = SeriesSource(series or [line(values)])
    watcher = Watcher("m", monitor(query, message, **options), metrics=frozenset({"a"}))
    return watch(watcher, source, ONSET, ONSET + after * 60)


def hours(*parts):
    return [value for value, minutes in parts for _ in range(minutes)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            hours((0, 120), (5, 30), (0, 200)),
            Seen("m", alert=1.0, recovered=31.0, alerts=1, handles=("@ops",)),
        ),
        (
            hours((0, 130), (5, 30), (0, 200)),
            Seen("m", alert=11.0, recovered=41.0, alerts=1, handles=("@ops",)),
        ),
        (hours((0, 120), (5, 300)), Seen("m", alert=1.0, alerts=1, handles=("@ops",))),
        (
            hours((0, 120), (5, 9), (0, 9), (5, 9), (0, 200)),
            Seen("m", alert=1.0, recovered=28.0, alerts=2, handles=("@ops",)),
        ),
        (hours((0, 90), (5, 10), (0, 300)), Seen("m", before=True)),
        (hours((0, 50), (5, 5), (0, 300)), Seen("m")),
        (hours((0, 110), (5, 300)), Seen("m", before=True)),
        (hours((0, 400)), Seen("m")),
    ],
)
def test_alerts_are_counted_from_the_onset_and_those_of_the_hour_before_are_before(values, expected):
    assert watched(values=values) == expected
    assert LEAD_MINUTES == 60


def test_a_warning_before_the_onset_is_not_that_of_the_fault():
    values = hours((0, 90), (3, 10), (0, 30), (3, 10), (0, 300))
    found = watched(
        values=values, query="max(last_1m):max:a{*} > 5", thresholds={"critical": 5, "warning": 2}
    )
    assert (found.warn, found.alerts, found.before) == (11.0, 0, False)


def test_of_several_groups_the_first_to_alert_notifies_and_the_last_to_recover_ends_it():
    first = line(hours((0, 125), (5, 5), (0, 300)), "host:b")
    second = line(hours((0, 130), (5, 20), (0, 300)), "host:a")
    message = (
        "{{#is_match 'host.name' 'b'}}@first{{/is_match}}{{#is_match 'host.name' 'a'}}@second{{/is_match}}"
    )
    found = watched("max(last_1m):max:a{*} by {host} > 1", series=[first, second], message=message)
    assert found == Seen("m", alert=6.0, recovered=31.0, alerts=2, handles=("@first",))


def test_of_several_alerts_without_a_handle_the_first_is_named():
    series = [line(hours((0, minute), (5, 300)), f"host:{minute}") for minute in (130, 125)]
    found = watched("max(last_1m):max:a{*} by {host} > 1", series=series, message="no handle")
    assert (found.alert, found.untold) == (None, 6.0)


def test_the_first_evaluation_is_an_hour_before_the_onset():
    assert watched(values=hours((0, 59), (5, 1), (0, 300))).before
    assert not watched(values=hours((0, 58), (5, 1), (0, 300))).before


def test_a_window_of_less_than_a_minute_sees_nothing():
    late = as_seen(monitor("sum(last_13m):sum:aws.states.executions_failed{*} > 1"), 721)
    assert late.options.evaluation_delay == 10**8


def test_the_quickest_of_two_is_decided_by_minutes_and_then_by_name():
    found = [Seen("b", alert=0.5, recovered=1.0), Seen("a", alert=0.5, recovered=1.0), Seen("c", alert=0.0)]
    assert [each.key for each in verdict(FAULT, *found).noticed] == ["c", "a", "b"]


def test_a_warning_is_no_alert():
    found = watched(
        values=hours((0, 120), (3, 300)),
        query="max(last_1m):max:a{*} > 5",
        thresholds={"critical": 5, "warning": 2},
    )
    assert (found.warn, found.alert) == (1.0, None)
    at_once = watched(
        values=hours((0, 119), (3, 300)),
        query="max(last_1m):max:a{*} > 5",
        thresholds={"critical": 5, "warning": 2},
    )
    assert at_once.warn == 0.0


def test_a_recovery_at_the_last_evaluation_is_one():
    assert seen("m", _history(hours((0, 120), (5, 9), (0, 30))), ONSET).recovered == 10.0
    assert seen("m", _history(hours((0, 120), (5, 10), (0, 30))), ONSET).recovered is None


@pytest.mark.parametrize(
    ("message", "alert", "untold"),
    [
        ("Bad. @ops", 1.0, None),
        ("Bad.", None, 1.0),
        ("{{#is_warning}}@ops{{/is_warning}}", None, 1.0),
        ("{{#is_alert}}@ops{{/is_alert}}", 1.0, None),
    ],
)
def test_an_alert_without_a_handle_notifies_nobody(message, alert, untold):
    """docs/drill.md: noticed is only what notifies somebody."""
    for values in (hours((0, 120), (5, 300)), hours((0, 120), (5, 30), (0, 300))):
        found = watched(values=values, message=message)
        assert (found.alert, found.untold) == (alert, untold)
        assert found.handles == (() if alert is None else ("@ops",))


@pytest.mark.parametrize(
    ("options", "alert"),
    [
        ({}, None),
        ({"on_missing_data": "show_no_data"}, None),
        ({"on_missing_data": "show_and_notify_no_data"}, 2.0),
        ({"notify_no_data": True, "no_data_timeframe": 10}, 11.0),
    ],
)
def test_no_data_counts_as_noticed_where_it_is_notified(options, alert):
    """docs/drill.md: a fault that silences a metric is noticed by No Data, where the monitor notifies on that."""
    series = [line(hours((0, 121)))]
    assert watched(series=series, **options).alert == alert


def test_a_group_that_is_new_after_the_onset_waits_for_its_delay_and_one_from_before_does_not():
    old, new = line(hours((0, 120), (5, 300)), "host:a"), line(hours((5, 300)), "host:b", start=ONSET + 60)
    query = "max(last_1m):max:a{*} by {host} > 1"
    before = watched(query, series=[old], new_group_delay=600)
    assert (before.alert, before.held_back) == (1.0, False)
    after = watched(query, series=[new], new_group_delay=600)
    assert (after.alert, after.held_back) == (12.0, True)


@pytest.mark.parametrize(
    ("query", "delay", "expected_query", "expected_delay"),
    [
        (
            "sum(last_1h):sum:aws.states.executions_failed{*} > 1",
            0,
            "sum(last_48m):sum:aws.states.executions_failed{*} > 1",
            720,
        ),
        (
            "sum(last_1h):sum:aws.states.executions_failed{*} > 1",
            300,
            "sum(last_53m):sum:aws.states.executions_failed{*} > 1",
            720,
        ),
        (
            "sum(last_1h):sum:aws.states.executions_failed{*} > 1",
            720,
            "sum(last_1h):sum:aws.states.executions_failed{*} > 1",
            720,
        ),
        (
            "sum(last_1h):sum:aws.states.executions_failed{*} > 1",
            900,
            "sum(last_1h):sum:aws.states.executions_failed{*} > 1",
            900,
        ),
        (
            "sum(last_13m):sum:aws.states.executions_failed{*} > 1",
            0,
            "sum(last_1m):sum:aws.states.executions_failed{*} > 1",
            720,
        ),
        (
            "sum(last_12m):sum:aws.states.executions_failed{*} > 1",
            0,
            "sum(last_12m):sum:aws.states.executions_failed{*} > 1",
            10**8,
        ),
        (
            "sum(last_5m):sum:aws.states.executions_failed{*} > 1",
            60,
            "sum(last_5m):sum:aws.states.executions_failed{*} > 1",
            10**8 + 60,
        ),
        ("sum(last_1h):sum:my.own{*} > 1", 0, "sum(last_1h):sum:my.own{*} > 1", 0),
        (
            "sum(current_1h):sum:aws.states.executions_failed{*} > 1",
            0,
            "sum(current_1h):sum:aws.states.executions_failed{*} > 1",
            720,
        ),
    ],
)
def test_a_monitor_that_waits_less_than_its_data_take_sees_only_the_older_part_of_its_window(
    query, delay, expected_query, expected_delay
):
    """docs/drill.md: CloudWatch's metrics come late; a monitor without evaluation_delay looks at less than it says."""
    late = as_seen(monitor(query, evaluation_delay=delay), 720)
    assert (late.query, late.options.evaluation_delay) == (expected_query, expected_delay)


@pytest.mark.parametrize(
    ("query", "kind", "reason"),
    [
        ("avg(last_5m):avg:a{*} > 1", "query alert", ""),
        ("change(avg(last_5m),last_5m):avg:a{*} > 1", "query alert", ""),
        ("avg(last_5m):outliers(avg:a{*} by {host}, 'DBSCAN', 2) > 0", "query alert", ""),
        ("1 && 2", "composite", ""),
        (
            "avg(last_5m):anomalies(avg:a{*}, 'basic', 2) >= 1",
            "query alert",
            "anomaly() cannot be evaluated offline",
        ),
        (
            'logs("x").index("*").rollup("count").last("5m") > 1',
            "log alert",
            "a monitor of type search evaluates data that the drill does not produce",
        ),
    ],
)
def test_what_cannot_be_drilled_says_why(query, kind, reason):
    assert unfit(monitor(query, kind=kind)) == reason


def test_only_names_are_tags_that_a_scope_asks_for():
    query = "avg(last_5m):avg:a{env:p,!team:x,cold_start:true,host:*,zone:a*} + avg:b{team:y} > 1"
    member = monitor("avg(last_5m):avg:c{env:q} > 1")
    found = list(scoped(Watcher("m", monitor(query), members={1: member})))
    assert found == [("a", "env:p"), ("b", "team:y"), ("c", "env:q")]


def test_a_folder_without_monitors_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no monitor in"):
        load(Folder(tmp_path), 720)


def test_a_part_of_a_composite_tells_only_where_its_own_message_has_a_handle(tmp_path):
    bodies = {
        "part": '{"type": "query alert", "query": "sum(last_1h):sum:aws.states.executions_failed{*} > 1", "message": "no", "name": "p"}',
        "loud": '{"type": "query alert", "query": "avg(last_5m):avg:b{*} > 1", "message": "@ops", "name": "l"}',
        "both": '{"type": "composite", "query": "${monitor:part} && ${monitor:loud}", "message": "@ops", "name": "c"}',
        "logs": '{"type": "log alert", "query": "logs(\\"x\\").index(\\"*\\").rollup(\\"count\\").last(\\"5m\\") > 1", "message": "", "name": "g"}',
    }
    for key, text in bodies.items():
        (tmp_path / f"{key}.json").write_text(text)
    found, left_out = load(Folder(tmp_path), 720)
    assert {each.key: each.tells for each in found} == {"part": False, "loud": True, "both": True}
    composite = next(each for each in found if each.key == "both")
    assert composite.metrics == {"aws.states.executions_failed", "b"}
    assert sorted(part.query for part in composite.members.values()) == [
        "avg(last_5m):avg:b{*} > 1",
        "sum(last_48m):sum:aws.states.executions_failed{*} > 1",
    ]
    assert list(left_out) == ["logs"]
    assert seen("m", _history(), ONSET) == Seen("m", alert=0.0, alerts=1, handles=("@ops",))


def _history(values=(5,) * 300):
    from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor

    data = Data([line(values)])
    return evaluate_monitor(
        monitor("max(last_1m):max:a{*} > 1"), data, ONSET, ONSET + 600, Setting(texts=False)
    )
