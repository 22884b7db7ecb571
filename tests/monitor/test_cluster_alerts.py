"""Cluster alerts: the share of service checks in a status, by the last status of each combination of tags."""

import numpy as np
import pytest
from monitor_helpers import START, monitor

from monitoring.errors import InputError
from monitoring.monitor.checks import CheckSeries
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.states import Rule, State
from monitoring.monitor.switches import Switches

STATUSES = {"o": 0, "w": 1, "c": 2, "u": 3}


def check(results, *tags, every=60):
    """`oo.c`: one result a minute, a dot for none."""
    found = [(START + at * every, STATUSES[word]) for at, word in enumerate(results) if word != "."]
    times = np.array([time for time, _ in found], dtype=np.int64)
    return CheckSeries("up", tags, times, np.array([status for _, status in found], dtype=np.float64))


def cluster(checks, by='"*"', minutes=10, switches=None, **options):
    thresholds = options.pop("thresholds", {"critical": 50, "warning": 50})
    query = f'"up".over("env:prod").by({by}).last(1).pct_by_status()'
    watched = monitor(query, type="service check", thresholds=thresholds, **options)
    setting = Setting(switches=switches or Switches())
    return evaluate_monitor(watched, Data(checks=checks), START, START + minutes * 60, setting)


def at(found, minute, group="*"):
    verdict = found.verdict(group, minute)
    return verdict.state, verdict.value


def fleet(*results):
    return [check(each, "env:prod", f"host:{number}") for number, each in enumerate(results)]


def test_more_than_the_percentage_of_last_statuses_alerts():
    found = cluster(fleet("ooccc", "ooooc", "oocco", "ooooo"))
    assert [at(found, minute) for minute in (2, 3, 4, 5)] == [
        (State.OK, 0),
        (State.OK, 50),  # not more than 50
        (State.OK, 50),
        (State.OK, 50),
    ]
    assert at(cluster(fleet("c", "c", "o")), 1) == (State.ALERT, pytest.approx(200 / 3))


def test_the_warning_percentage_counts_warnings_only():
    assert at(cluster(fleet("w", "w", "o")), 1) == (State.WARN, 0)
    assert at(cluster(fleet("w", "c", "o")), 1)[0] is State.OK
    assert at(cluster(fleet("c", "c", "c"), thresholds={"warning": 50}), 1)[0] is State.OK


def test_whether_the_percentage_itself_alerts_is_a_switch():
    found = cluster(fleet("c", "o"), switches=Switches(cluster_threshold="reached"))
    assert at(found, 1) == (State.ALERT, 50)


def test_a_smallest_threshold_alerts_on_the_first_failure():
    thresholds = {"warning": 0, "critical": 1.1754943508222875e-38}
    assert at(cluster(fleet("c", *"o" * 99), thresholds=thresholds), 1) == (State.ALERT, 1)
    assert at(cluster(fleet(*"o" * 99), thresholds=thresholds), 1) == (State.OK, 0)


def test_each_combination_of_tags_is_one_check_and_only_its_last_status_counts():
    same = [check("cccc", "env:prod", "host:a"), check("....o", "host:a", "env:prod"), check("c", "env:prod")]
    found = cluster(same)
    assert at(found, 4) == (State.ALERT, 100)
    assert at(found, 5) == (State.OK, 50)


def test_groups_have_percentages_of_their_own_and_exist_from_their_first_result_on():
    checks = [
        check("cc", "env:prod", "zone:a", "host:1"),
        check("oo", "env:prod", "zone:a", "host:2"),
        check("..cc", "env:prod", "zone:b", "host:3"),
        check("cc", "env:dev", "zone:c", "host:4"),
        check("cc", "env:prod", "host:5"),
    ]
    found = cluster(checks, by='"zone"')
    assert sorted(found.groups) == ["zone:a", "zone:b"]
    assert at(found, 2, "zone:a") == (State.OK, 50)
    assert at(found, 2, "zone:b")[0] is None
    assert at(found, 3, "zone:b") == (State.ALERT, 100)


def test_a_silent_cluster_is_no_data_or_resolves_as_the_options_say():
    told = cluster(fleet("ccc", "cc"), notify_no_data=True, no_data_timeframe=2)
    assert at(told, 3)[0] is State.ALERT
    assert at(told, 4)[0] is State.NO_DATA  # the last result came at minute 2
    assert told.verdict("*", 4).evidence.rule is Rule.TIMEFRAME
    resolved = cluster(fleet("ccc", "cc"), minutes=70, timeout_h=1)
    assert at(resolved, 61)[0] is State.ALERT
    assert at(resolved, 62)[0] is State.OK
    assert [note.kind for note in resolved.notifications] == ["alert", "recovery"]
    assert at(cluster([]), 5)[0] is State.NO_DATA


@pytest.mark.parametrize(
    ("thresholds", "says"),
    [({"critical": 120}, "critical is 120"), ({"ok": 1}, "needs a critical or a warning threshold")],
)
def test_a_threshold_has_to_be_a_percentage(thresholds, says):
    with pytest.raises(InputError, match=says) as caught:
        cluster(fleet("c"), thresholds=thresholds)
    assert "percentage" in caught.value.hint
