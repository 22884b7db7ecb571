"""Conflicts of Datadog's pages: each a switch, and what decided is said at the evaluation."""

from dataclasses import fields

import pytest
from monitor_helpers import history, monitor, series, states, verdict

from monitoring.monitor.decisions import PAGES
from monitoring.monitor.states import State
from monitoring.monitor.switches import Switches
from monitoring.query.decided import OTHERWISE as OF_QUERIES
from monitoring.testing.explanation import OTHERWISE

COUNT = "sum(last_5m):sum:jobs.done{*}.as_count() < 1"
GAUGE = "avg(last_5m):avg:jobs.load{*} > 5"


def jobs(values):
    return series("jobs.done", values, type="count")


def load(values):
    return series("jobs.load", values)


@pytest.mark.parametrize(
    ("options", "chosen", "state", "decided"),
    [
        ({}, {}, State.OK, {"counts_without_options": "keep"}),
        ({}, {"counts_without_options": "zero"}, State.ALERT, {"counts_without_options": "zero"}),
        ({"on_missing_data": "default"}, {}, State.ALERT, {}),
        ({"on_missing_data": "default"}, {"counts_without_options": "zero"}, State.ALERT, {}),
        ({"on_missing_data": "show_no_data"}, {"counts_without_options": "zero"}, State.NO_DATA, {}),
        ({"notify_no_data": True}, {"counts_without_options": "zero"}, State.NO_DATA, {}),
    ],
)
def test_a_count_without_options_is_kept_or_zero(options, chosen, state, decided):
    found = history(monitor(COUNT, **options), jobs("2x9 _x30"), switches=Switches(**chosen), minutes=35)
    assert verdict(found, 30).state is state
    assert found.decided == decided
    assert all(f"{name}: {value}" in str(verdict(found, 30).evidence) for name, value in decided.items())
    assert "switch" not in str(verdict(found, 9).evidence)


def test_a_gauge_without_data_is_decided_by_no_switch():
    found = history(
        monitor(GAUGE), load("9x9 _x30"), switches=Switches(counts_without_options="zero"), minutes=35
    )
    assert verdict(found, 30).state is State.ALERT
    assert found.decided == {}


@pytest.mark.parametrize("missing", ["show_no_data", "show_and_notify_no_data"])
@pytest.mark.parametrize(
    ("values", "recoveries", "decided"),
    [
        ("9x9 _x9 1x9", (1, 0), True),  # Alert, No Data, OK
        ("9x9 1x9 _x9 1x9", (1, 1), False),  # Alert, OK, No Data, OK
        ("9x9 _x9 9x9 1x9", (1, 1), False),  # Alert, No Data, Alert, OK
        ("9x9 1x20", (1, 1), False),  # Alert, OK
    ],
)
def test_a_recovery_after_no_data_is_notified_or_not(values, recoveries, decided, missing):
    for chosen, count in zip(("notify", "silent"), recoveries, strict=True):
        found = history(
            monitor(GAUGE, "@a", on_missing_data=missing),
            load(values),
            switches=Switches(recovery_after_no_data=chosen),
            minutes=45,
        )
        of_alerts = [note for note in found.notifications if note.kind == "recovery"]
        again = values.startswith("9x9 1x9 _") and missing == "show_and_notify_no_data"
        assert len(of_alerts) == count + again  # No Data that was notified is recovered from, too
        assert ("recovery_after_no_data" in found.decided) == decided
        if decided:
            at = next(minute for minute, state in states(found) if state is State.OK and minute > 9)
            assert f"recovery_after_no_data: {chosen}" in str(verdict(found, at).evidence)


@pytest.mark.parametrize(
    ("thresholds", "decided"),
    [
        ({"critical": 5, "critical_recovery": 2, "warning": 4}, True),
        ({"critical": 5, "critical_recovery": 2}, False),
        ({"critical": 5, "critical_recovery": 2, "warning": 2.5}, False),
    ],
)
def test_a_value_between_recovery_and_warning_is_decided_by_the_switch(thresholds, decided):
    found = history(monitor(GAUGE, thresholds=thresholds), load("9x9 3x9"))
    assert verdict(found, 16).state is State.ALERT
    assert ("between_warning_and_recovery" in found.decided) == decided


def test_every_switch_has_another_value_and_every_conflict_its_pages():
    named = {field.name for field in fields(Switches)}
    exact = {"quantiles", "last_bucket", "default_points", "most_points", "monitor_bucket", "new_group_delay"}
    assert set(OTHERWISE) == named - exact
    assert set(OF_QUERIES) <= set(OTHERWISE)
    assert set(PAGES) <= named
    for name, value in OTHERWISE.items():
        assert value != getattr(Switches(), name)
