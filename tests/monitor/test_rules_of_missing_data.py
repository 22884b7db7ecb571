"""Rules of Datadog's pages about missing data, new groups and what counts as zero, each with its edges.

Sources, by the name that a docstring gives:
configuration: https://docs.datadoghq.com/monitors/configuration/
api: https://docs.datadoghq.com/api/latest/monitors/ (options of a monitor)
check: https://docs.datadoghq.com/monitors/types/service_check/
"""

import numpy as np
import pytest
from monitor_helpers import START, history, monitor, series, states, verdict

from monitoring.monitor.checks import CheckSeries
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.states import Rule, State
from monitoring.monitor.switches import Switches


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("sum(last_5m):sum:a{*} < 1", 0.0),
        ("sum(last_5m):avg:a{*} < 1", 0.0),
        ("sum(last_5m):sum:a{*}.as_count() < 1", 0.0),
        ("avg(last_5m):sum:a{*}.as_count() < 1", 0.0),
        ("max(last_5m):count:a{*} < 1", 0.0),
        ("avg(last_5m):sum:a{*} < 1", None),
        ("max(last_5m):avg:a{*} < 1", None),
        ("avg(last_5m):sum:a{*}.as_count() / sum:b{*} < 1", None),
        ("avg(last_5m):sum:a{*}.as_count() / sum:b{*}.as_count() < 1", 0.0),
        ("sum(last_5m):default_zero(avg:a{*}) < 1", None),
        ("change(sum(last_5m),last_5m):sum:a{*} < 1", None),
    ],
)
def test_evaluate_as_zero_holds_for_sums_and_counts(query, value):
    """configuration, "No data": "Evaluate as zero" is what monitors that count have, by their query: a sum over
    the window, `.as_count()` or `count:`. For any other query "default" shows the last known status, and
    under default_zero() it is the function that decides."""
    watched = monitor(query, on_missing_data="default")
    data = [series(name, "3x10 _x20", type="count") for name in "ab"]
    got = verdict(history(watched, *data, switches=Switches(default_zero_empty="skip")), 25)
    assert got.value == value
    assert (got.evidence.rule == Rule.KEPT) is (value is None)


def test_without_the_option_a_sum_of_nothing_keeps_its_state():
    """api, on_missing_data: without it notify_no_data decides, and false keeps the last known state."""
    got = verdict(history(monitor("sum(last_5m):sum:a{*} < 1"), series("a", "3x10 _x20")), 25)
    assert (got.value, got.state, got.evidence.rule) == (None, State.OK, Rule.KEPT)


@pytest.mark.parametrize(
    ("window", "options", "minute"),
    [
        ("5m", {}, 20),
        ("10m", {}, 30),
        ("5m", {"no_data_timeframe": 12}, 22),
        ("5m", {"no_data_timeframe": 30}, 40),
        ("5m", {"evaluation_delay": 180}, 23),
    ],
)
def test_no_data_comes_after_the_time_frame_twice_the_window_where_none_is_given(window, options, minute):
    """configuration and api, no_data_timeframe: minutes without data until it is notified; Datadog recommends at
    least twice the window, and takes twice the window where nothing is said. The last point is at minute 9."""
    watched = monitor(f"avg(last_{window}):avg:a{{*}} > 9", notify_no_data=True, **options)
    changes = states(history(watched, series("a", "1x9"), minutes=50))
    assert changes[-1] == (minute, State.NO_DATA)


def checked(options, times, statuses, minutes, by='"env"'):
    body = {"thresholds": {"critical": 2, "warning": 2, "ok": 2}, **options}
    watched = monitor(f'"app.up".over("*").by({by}).last(3).count_by_status()', type="service check", **body)
    when = np.array([START + minute * 60 for minute in times], dtype=np.int64)
    data = Data(checks=[CheckSeries("app.up", ("env:a",), when, np.array(statuses, dtype=np.float64))])
    return evaluate_monitor(watched, data, START, START + minutes * 60, Setting())


@pytest.mark.parametrize(
    ("options", "minute"),
    [({}, None), ({"notify_no_data": True}, 1440), ({"notify_no_data": True, "no_data_timeframe": 10}, 10)],
)
def test_a_silent_service_check_is_no_data_after_its_time_frame_24_hours_by_default(options, minute):
    """check, "No data": a check that did not run for the time frame is No Data where that is notified; the form of
    the page takes 24 hours."""
    found = checked(options, [0], [0], 1500)
    silent = [at for at, state in states(found, "env:a") if state is State.NO_DATA]
    assert silent == ([] if minute is None else [minute])


@pytest.mark.parametrize(("hours", "state"), [(0, State.ALERT), (1, State.OK)])
def test_a_silent_failing_service_check_is_resolved_after_timeout_h(hours, state):
    """api, timeout_h: hours without data after which a monitor that is not OK is resolved. A check that is
    OK stays as it is."""
    found = checked({"timeout_h": hours}, [0, 1], [2, 2], 100)
    assert states(found, "env:a")[-1][1] is state
    if hours:
        assert states(found, "env:a")[-1] == (61, State.OK)
        assert verdict(found, 61, "env:a").evidence.rule == Rule.AUTO_RESOLVED
    calm = checked({"timeout_h": hours}, [0, 1], [0, 0], 100)
    assert verdict(calm, 99, "env:a").evidence.rule == Rule.CHECKS


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([2], State.OK),
        ([2, 2], State.ALERT),
        ([2, 0, 2], State.OK),
        ([2, 2, 0], State.ALERT),
        ([2, 2, 0, 0], State.OK),
        ([1, 1], State.WARN),
        ([2, 2, 1], State.ALERT),
        ([3, 3], State.OK),
        ([2, 2, 3], State.ALERT),
    ],
)
def test_so_many_results_in_a_row_make_a_state_and_in_between_it_stays(statuses, state):
    """check, "Set alert conditions": the thresholds are numbers of consecutive results, for recovery (`ok`) too;
    unknown has to be asked for."""
    found = checked({}, range(len(statuses)), statuses, len(statuses))
    assert verdict(found, len(statuses), "env:a").state is state


@pytest.mark.parametrize(
    ("by", "options", "first"),
    [
        ("host", {"new_group_delay": None, "new_host_delay": 300}, 6),
        ("host", {"new_group_delay": None}, 2),
        ("zone", {"new_group_delay": None, "new_host_delay": 300}, 2),
        ("host", {"new_group_delay": 120, "new_host_delay": 300}, 3),
        ("zone", {"new_group_delay": 0, "new_host_delay": 300}, 1),
        ("zone", {"new_group_delay": 600}, 11),
    ],
)
def test_a_new_group_is_evaluated_after_its_delay(by, options, first):
    """api, new_group_delay: seconds that a new group has before it is evaluated, 60 by default, 0 for none;
    new_host_delay, its predecessor, counts for groups by host, and only where the other is not given."""
    watched = monitor(f"avg(last_1m):avg:a{{*}} by {{{by}}} > 1", **options)
    found = history(watched, series("a", "5x20", f"{by}:x"))
    assert states(found, f"{by}:x")[-1] == (first, State.ALERT)


def test_a_monitor_without_groups_has_no_new_group():
    """api, new_group_delay: it is about groups; a simple alert is evaluated from its first point on."""
    found = history(monitor("avg(last_1m):avg:a{*} > 1", new_group_delay=600), series("a", "5x20"))
    assert states(found)[-1] == (1, State.ALERT)


def test_a_group_that_was_away_for_a_day_is_new_again():
    """configuration, "Group retention": a group without data for 24 hours is dropped, so it is new when it comes back."""
    watched = monitor("avg(last_1m):avg:a{*} by {host} > 1", new_group_delay=300)
    for hours, delay in ((23, 1), (25, 6)):
        found = history(watched, series("a", f"5x9 _x{hours * 60} 1x1 5x20", "host:x"), minutes=26 * 60)
        back = 10 + hours * 60
        skipped = [
            at
            for at in range(back, back + 9)
            if verdict(found, at, "host:x").evidence.rule == Rule.SKIPPED_NEW
        ]
        assert len(skipped) == delay - 1


def resolving(values, **options):
    watched = monitor("avg(last_1m):avg:a{*} > 1", "@ops", timeout_h=1, **options)
    return history(watched, series("a", values), minutes=400)


def test_what_timeout_h_resolved_is_told_once_and_a_new_breach_is_told_again():
    """api, timeout_h: the monitor is resolved after the hours without data; data that breach trigger it again."""
    found = resolving("5x9 _x200 5x9")
    told = [((each.time - START) // 60, each.kind) for each in found.notifications]
    assert told == [(1, "alert"), (71, "recovery"), (211, "alert"), (281, "recovery")]


def test_renotifications_end_when_timeout_h_resolves_and_begin_anew_with_the_next_alert():
    """api, renotify_interval: minutes after the last notification; a resolved monitor is not renotified, and
    renotify_occurrences counts from the alert on."""
    found = resolving("5x9 _x200 5x9", renotify_interval=20, renotify_occurrences=2)
    told = [((each.time - START) // 60, each.kind) for each in found.notifications]
    again = [(211, "alert"), (231, "renotify"), (251, "renotify"), (281, "recovery")]
    assert told == [(1, "alert"), (21, "renotify"), (41, "renotify"), (71, "recovery"), *again]


@pytest.mark.parametrize(
    ("statuses", "kinds"),
    [
        (None, ["alert", "renotify"]),
        (["alert"], ["alert", "renotify"]),
        (["warn"], ["alert"]),
        (["no data"], ["alert"]),
    ],
)
def test_only_the_named_states_are_renotified(statuses, kinds):
    """api, renotify_statuses: the states in which it repeats; alert and no data where nothing is said."""
    options = {} if statuses is None else {"renotify_statuses": statuses}
    watched = monitor("avg(last_1m):avg:a{*} > 1", "@ops", renotify_interval=25, **options)
    found = history(watched, series("a", "5x40"), minutes=30)
    assert [each.kind for each in found.notifications] == kinds


def test_no_data_is_told_where_the_options_say_so_but_not_as_the_first_state():
    """api, on_missing_data and notify_no_data: show_no_data shows it and tells nobody. A monitor begins in No Data
    silently."""
    for options, kinds in (
        ({"on_missing_data": "show_no_data"}, []),
        ({"on_missing_data": "show_and_notify_no_data"}, ["no data", "recovery"]),
        ({"notify_no_data": True}, ["no data", "recovery"]),
    ):
        watched = monitor("avg(last_1m):avg:a{*} > 9", "@ops", **options)
        found = history(watched, series("a", "_x5 1x9 _x10 1x9"), minutes=34)
        assert [each.kind for each in found.notifications] == kinds, options


@pytest.mark.parametrize(("retention", "hours"), [(None, 24), ("60m", 1), ("2h", 2), ("1d", 24), ("3d", 72)])
def test_a_silent_group_is_dropped_after_its_retention(retention, hours):
    """configuration, "Group retention time": 24 hours for metric monitors, or what the option says. The window is
    empty from minute 11 on."""
    options = {"group_retention_duration": retention} if retention else {}
    watched = monitor("avg(last_1m):avg:a{*} by {host} > 9", **options)
    found = history(watched, series("a", "1x9", "host:x"), minutes=74 * 60)
    assert states(found, "host:x")[-1] == (11 + hours * 60, None)
