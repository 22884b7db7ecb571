"""default_zero in a monitor's query, where the window has no point at all."""

import pytest
from monitor_helpers import history, monitor, series, verdict

from monitoring.monitor.states import State
from monitoring.monitor.switches import Switches

COUNT = "sum:jobs.done{*}.as_count()"


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (f"sum(last_5m):default_zero({COUNT}) < 1", 0.0),
        (f"avg(last_5m):default_zero({COUNT}) < 1", 0.0),
        (f"sum(last_5m):default_zero({COUNT}) + 5 < 1", 5.0),
        (f"sum(last_5m):-default_zero({COUNT}) * 3 < 1", 0.0),
        (f"sum(last_5m):default_zero(default_zero({COUNT})) < 1", 0.0),
        (f"sum(last_5m):default_zero({COUNT} / sum:jobs.all{{*}}.as_count()) < 1", 0.0),
        (f"sum(last_5m):default_zero({COUNT}) / sum:jobs.all{{*}}.as_count() < 1", None),
        (f"sum(last_5m):5 / default_zero({COUNT}) < 1", None),
        (f"sum(last_5m):{COUNT} < 1", None),
    ],
)
def test_a_window_without_a_point_is_evaluated_as_what_default_zero_makes_of_it(query, value):
    jobs = [series(name, "2x10 _x20", type="count") for name in ("jobs.done", "jobs.all")]
    for chosen, expected in (("zero", value), ("skip", None)):
        end = verdict(history(monitor(query), *jobs, switches=Switches(default_zero_empty=chosen)), 25)
        assert end.value == expected


def test_a_silent_group_alerts_too():
    query = "sum(last_5m):default_zero(sum:jobs.done{*} by {zone}.as_count()) < 1"
    found = history(
        monitor(query),
        series("jobs.done", "2x10 _x20", "zone:a", type="count"),
        series("jobs.done", "2x30", "zone:b", type="count"),
    )
    assert verdict(found, 25, "zone:a").state is State.ALERT
    assert verdict(found, 25, "zone:b").state is State.OK


def test_the_evidence_names_the_switch_that_decided():
    found = history(
        monitor(f"sum(last_5m):default_zero({COUNT}) < 1"), series("jobs.done", "2x10 _x20", type="count")
    )
    assert "default_zero_empty" in str(verdict(found, 25).evidence)
    assert "default_zero_empty" not in str(verdict(found, 9).evidence)
