"""Thresholds, windows and options at their edges.

Sources: https://docs.datadoghq.com/monitors/guide/recovery-thresholds/, /monitors/types/metric/ (full window, change),
/monitors/configuration/, /api/latest/monitors/ (defaults of options).
"""

import numpy as np
import pytest
from monitor_helpers import history, monitor, series, states, verdict

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor, MonitorOptions, Thresholds
from monitoring.monitor.rolling import Windows, full
from monitoring.monitor.states import Rule, State
from monitoring.monitor.switches import Switches, switches_of
from monitoring.monitor.windows import EvaluationWindow, evaluation_times


@pytest.mark.parametrize(
    ("operator", "states_at"),
    [
        (">", {4: "OK", 5: "OK", 6: "Alert"}),
        (">=", {4: "OK", 5: "Alert", 6: "Alert"}),
        ("<", {4: "Alert", 5: "OK", 6: "OK"}),
        ("<=", {4: "Alert", 5: "Alert", 6: "OK"}),
        ("==", {4: "OK", 5: "Alert", 6: "OK"}),
        ("!=", {4: "Alert", 5: "OK", 6: "Alert"}),
    ],
)
def test_a_threshold_is_met_as_its_sign_says(operator, states_at):
    for value, state in states_at.items():
        found = history(monitor(f"avg(last_1m):avg:a{{*}} {operator} 5"), series("a", str(value)), minutes=1)
        assert verdict(found, 1).state == state


@pytest.mark.parametrize(
    ("operator", "alerting", "recovery", "held", "recovered"),
    [(">", 9, 3, 3.5, 3), (">=", 9, 3, 3, 2.5), ("<", 1, 7, 6.5, 7), ("<=", 1, 7, 7, 7.5)],
)
def test_a_recovery_threshold_is_reached_on_the_side_that_the_guide_says(
    operator, alerting, recovery, held, recovered
):
    """recovery-thresholds: `>` recovers at `<=`, `>=` at `<`, `<` at `>=`, `<=` at `>`."""
    thresholds = {"critical": 5, "critical_recovery": recovery}
    watched = monitor(f"avg(last_1m):avg:a{{*}} {operator} 5", thresholds=thresholds)
    found = history(watched, series("a", f"{alerting} {held} {recovered}"), minutes=3)
    assert [verdict(found, at).state for at in (1, 2, 3)] == [State.ALERT, State.ALERT, State.OK]
    assert verdict(found, 2).evidence.rule == Rule.HELD_CRITICAL
    warned = {
        "critical": alerting * 10 if operator[0] == ">" else -99,
        "warning": 5,
        "warning_recovery": recovery,
    }
    watched = monitor(f"avg(last_1m):avg:a{{*}} {operator} {warned['critical']}", thresholds=warned)
    found = history(watched, series("a", f"{alerting} {held} {recovered}"), minutes=3)
    assert [verdict(found, at).state for at in (1, 2, 3)] == [State.WARN, State.WARN, State.OK]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([1, 1, 1, 1, 1], True),
        ([0, 1, 1, 1, 1], False),
        ([1, 0, 0, 0, 1], True),
        ([1, 0, 0, 0, 0], False),
        ([1, 1, 0, 0, 0], True),
        ([0, 0, 0, 0, 0], False),
    ],
)
def test_a_window_is_full_with_its_first_bucket_and_at_most_three_empty_ones(points, expected):
    """monitors/types/metric, "Require a full window": the first bucket holds a point, and at most 3 are empty."""
    times = np.array([at * 60 for at, there in enumerate(points) if there], dtype=np.int64)
    assert bool(full(times, Windows(np.array([0]), np.array([300])), 60)[0]) is expected
    late = times + 7  # a window that begins elsewhere has its own buckets
    assert bool(full(late, Windows(np.array([7]), np.array([307])), 60)[0]) is expected


@pytest.mark.parametrize(("unit", "bucket"), [("m", 60), ("h", 600), ("d", 3600), ("w", 3600), ("mo", 14400)])
def test_the_buckets_of_a_full_window_go_by_the_unit_of_the_window(unit, bucket):
    """monitors/types/metric: 1 minute for minutes, 10 minutes for hours, 1 hour for days, 4 hours for a month."""
    assert EvaluationWindow(1, unit).bucket == bucket


def test_an_evaluation_of_a_window_that_is_not_full_is_skipped():
    watched = monitor("avg(last_5m):avg:a{*} > 1", require_full_window=True)
    found = history(watched, series("a", "_x3 5x20"), minutes=12)
    assert verdict(found, 7).evidence.rule == Rule.SKIPPED_PARTIAL
    assert states(found)[-1] == (8, State.ALERT)
    assert states(history(monitor("avg(last_5m):avg:a{*} > 1"), series("a", "_x3 5x20"), minutes=12))[-1] == (
        4,
        State.ALERT,
    )


@pytest.mark.parametrize(
    ("start", "end", "cadence", "phase", "times"),
    [
        (0, 120, 60, 0, [0, 60, 120]),
        (1, 120, 60, 0, [60, 120]),
        (0, 119, 60, 0, [0, 60]),
        (0, 120, 60, 7, [7, 67]),
        (100, 100, 60, 40, [100]),
        (600, 1800, 600, 0, [600, 1200, 1800]),
    ],
)
def test_evaluations_fall_on_multiples_of_the_cadence(start, end, cadence, phase, times):
    assert evaluation_times(start, end, cadence, phase).tolist() == times


@pytest.mark.parametrize(
    ("switch", "value"),
    [("open", 2.0), ("closed", 3.0)],
)
def test_a_point_at_the_end_of_the_window_belongs_to_it_by_a_switch_alone(switch, value):
    found = history(
        monitor("max(last_2m):max:a{*} > 9"),
        series("a", "0 1 2 3 4"),
        minutes=4,
        switches=Switches(window_end=switch),
    )
    assert verdict(found, 3).value == value


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [("avg", 3.0), ("sum", 9.0), ("min", 1.0), ("max", 5.0)],
)
def test_a_window_is_reduced_by_its_aggregation_without_gaps(aggregation, value):
    found = history(monitor(f"{aggregation}(last_4m):avg:a{{*}} > 99"), series("a", "9 1 _ 3 5"), minutes=5)
    assert verdict(found, 5).value == value


@pytest.mark.parametrize(
    ("query", "values", "value"),
    [
        ("change(avg(last_2m),last_5m):avg:a{*} > 99", "1 0 0 0 0 6 5", 5.0),
        ("change(max(last_2m),last_5m):avg:a{*} > 99", "1 0 0 0 0 6 2", 5.0),
        ("change(sum(last_2m),last_5m):avg:a{*} > 99", "1 0 0 0 0 6 2", 7.0),
        ("pct_change(avg(last_2m),last_5m):avg:a{*} > 999", "1 2 0 0 0 6 2", 250.0),
        ("pct_change(max(last_2m),last_5m):avg:a{*} > 999", "1 2 0 0 0 6 2", 500.0),
        ("pct_change(min(last_2m),last_5m):avg:a{*} > 999", "1 2 0 0 0 6 2", 0.0),
    ],
)
def test_a_change_is_that_of_each_bucket_reduced(query, values, value):
    """monitors/types/change: the value against that of so many minutes earlier; % = 100 (a - b) / b, none where b is 0."""
    found = history(monitor(query), series("a", values), minutes=7)
    assert verdict(found, 7).value == pytest.approx(value)


def test_a_relative_change_from_zero_has_no_value():
    found = history(
        monitor("pct_change(avg(last_1m),last_5m):avg:a{*} > 99"), series("a", "0x5 5x9"), minutes=8
    )
    assert verdict(found, 8).value is None
    assert verdict(found, 8).evidence.rule == Rule.SKIPPED_NULL


def test_the_defaults_of_the_options_are_those_of_the_api():
    options = Monitor.from_body({"type": "query alert", "query": "q"}).options
    assert options == MonitorOptions()
    assert (options.group_retention, options.timeout, options.renotify_interval) == (86400, 0, 0)
    assert options.renotify_statuses == ("alert", "no data")
    assert (options.renotify_occurrences, options.new_group_delay, options.notify_by) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"no_data_timeframe": 10}, "no_data_timeframe", 600),
        ({"timeout_h": 2}, "timeout", 7200),
        ({"timeout_h": None}, "timeout", 0),
        ({"renotify_interval": 60}, "renotify_interval", 3600),
        ({"renotify_occurrences": 3}, "renotify_occurrences", 3),
        ({"renotify_occurrences": 0}, "renotify_occurrences", None),
        ({"evaluation_delay": 900}, "evaluation_delay", 900),
        ({"new_group_delay": 0}, "new_group_delay", 0),
        ({"new_host_delay": 300}, "new_host_delay", 300),
        ({"group_retention_duration": "90m"}, "group_retention", 5400),
        ({"group_retention_duration": "2d"}, "group_retention", 172800),
        ({"escalation_message": " a "}, "escalation_message", "a"),
        ({"silenced": {"*": None, "host:a": 5.0}}, "silenced", (("*", None), ("host:a", 5))),
        ({"notify_by": []}, "notify_by", None),
        ({"notify_by": ["a", "b"]}, "notify_by", ("a", "b")),
        ({"groupby_simple_monitor": True}, "notify_by", ("*",)),
    ],
)
def test_options_are_read_in_their_units(given, field, value):
    """api: no_data_timeframe and renotify_interval are minutes, timeout_h hours, delays seconds."""
    read = Monitor.from_body({"type": "query alert", "query": "q", "options": given}).options
    assert getattr(read, field) == value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "a monitor is a JSON object"),
        ({"query": "q"}, "the monitor has no type"),
        ({"type": "query alert", "query": "  "}, "the monitor has no query"),
        ({"type": "t", "query": "q", "options": []}, "options is not an object"),
        (
            {"type": "t", "query": "q", "options": {"timeout_h": "soon"}},
            "timeout_h is 'soon', which is not a number",
        ),
        (
            {"type": "t", "query": "q", "options": {"thresholds": {"critical": []}}},
            "critical is [], which is not a number",
        ),
        (
            {"type": "t", "query": "q", "options": {"on_missing_data": "zero"}},
            "options.on_missing_data is 'zero'",
        ),
        (
            {"type": "t", "query": "q", "options": {"on_missing_data": "default", "notify_no_data": True}},
            "excludes notify_no_data",
        ),
        (
            {"type": "t", "query": "q", "options": {"group_retention_duration": "2w"}},
            "group_retention_duration is '2w'",
        ),
        (
            {"type": "t", "query": "q", "options": {"group_retention_duration": "h"}},
            "group_retention_duration is 'h'",
        ),
    ],
)
def test_a_monitor_that_cannot_be_read_says_which_part(body, says):
    with pytest.raises(InputError) as caught:
        Monitor.from_body(body, "m")
    assert says in caught.value.message
    assert caught.value.where == "m"


def test_a_monitor_is_read_with_its_texts_stripped():
    body = {
        "type": "t",
        "query": " q ",
        "message": " m ",
        "name": "n",
        "tags": ["a:b"],
        "priority": "2",
        "id": 7,
        "options": {"thresholds": {"critical": "5", "ok": None}},
    }
    read = Monitor.from_body(body)
    assert read == Monitor("n", "t", "q", "n", "m", ("a:b",), 2, 7, Thresholds(critical=5.0))
    assert Monitor.from_body({"type": "t", "query": "q", "id": "x", "priority": 0}).key == "monitor"


@pytest.mark.parametrize(
    ("given", "says", "hint"),
    [
        ({"null_windw": "skip"}, "there is no switch 'null_windw'", "did you mean null_window?"),
        ({"null_window": "maybe"}, "the switch null_window is 'maybe'", "it takes skip or missing"),
        ({"new_group_delay": "60"}, "the switch new_group_delay is '60'", "it takes a whole number"),
        ({"new_group_delay": True}, "the switch new_group_delay is True", "it takes a whole number"),
    ],
)
def test_a_switch_that_is_none_is_refused(given, says, hint):
    with pytest.raises(InputError) as caught:
        switches_of(given)
    assert (caught.value.message, caught.value.hint) == (says, hint)
    assert switches_of({"null_window": "missing"}) == Switches(null_window="missing")
    assert switches_of({}) == Switches()


@pytest.mark.parametrize("delay", [0, 60, 240])
def test_the_delay_of_a_new_group_may_be_a_switch_where_the_monitor_says_nothing(delay):
    watched = monitor("avg(last_1m):avg:a{*} by {zone} > 1", new_group_delay=None)
    found = history(watched, series("a", "5x20", "zone:x"), switches=Switches(new_group_delay=delay))
    assert states(found, "zone:x")[-1] == (1 + delay // 60, State.ALERT)
