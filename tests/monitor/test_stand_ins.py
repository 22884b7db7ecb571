"""Anomaly and forecast monitors by a stand-in: which window triggers, which recovers, and what is refused."""

import pytest
from monitor_helpers import history, monitor, series, states

from monitoring.errors import InputError
from monitoring.monitor.states import Rule, State

BAND = {"anomalies": "median-band"}
TREND = {"forecast": "linear-trend"}
QUERY = "avg(last_1h):anomalies({}, 'basic', 3, direction='above', alert_window='{}'{}) >= 1"


def anomaly(metric="avg:a{*}", window="last_5m", more="", **options):
    return monitor(QUERY.format(metric, window, more), **options)


def windows(trigger, recovery):
    return {"trigger_window": trigger, "recovery_window": recovery}


def odd(minutes, after=40):
    """An hour of small change, some minutes far above, and small change again."""
    return series("a", f"(1 2 3 4)x14 50x{minutes - 1} (1 2 3 4)x{after // 4}")


def states_of(recovery, thresholds):
    watched = anomaly(threshold_windows=windows("last_5m", recovery), thresholds=thresholds)
    return states(history(watched, odd(10), minutes=105, stand_in=BAND))


def test_the_recovery_window_is_what_a_recovery_looks_at():
    alert = (65, State.ALERT)  # minutes 60 to 64 are all above the band
    # a value of minute 69 leaves the last 5 minutes at 75, and the last 15 at 85
    without = {"critical": 1}
    none_left = {"critical": 1, "critical_recovery": 0}
    assert states_of("last_15m", without)[-2:] == [alert, (71, State.OK)]
    assert states_of("last_5m", none_left)[-2:] == [alert, (75, State.OK)]
    assert states_of("last_15m", none_left)[-2:] == [alert, (85, State.OK)]


def test_a_warning_recovers_by_the_recovery_window_too():
    thresholds = {"critical": 1, "warning": 0.4, "warning_recovery": 0}
    watched = anomaly(threshold_windows=windows("last_5m", "last_15m"), thresholds=thresholds)
    found = history(watched, odd(2), minutes=105, stand_in=BAND)
    assert states(found)[-2:] == [(62, State.WARN), (77, State.OK)]
    assert found.verdict("*", 70).evidence.rule is Rule.HELD_WARNING


def test_the_stand_in_has_to_be_asked_for_by_name():
    for watched in (anomaly(), monitor("max(next_1d):forecast(avg:a{*}, 'linear', 1) >= 100")):
        with pytest.raises(InputError, match="not published") as caught:
            history(watched, odd(10))
        assert "stand_in" in caught.value.hint
        with pytest.raises(InputError, match="no stand-in 'prophet'"):
            history(watched, odd(10), stand_in={"anomalies": "prophet", "forecast": "prophet"})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            windows("last_15m", "last_15m"),
            "trigger_window is last_15m, but the query's alert_window is last_5m",
        ),
        ({"trigger_window": "last_5m"}, "options.threshold_windows has no recovery_window"),
        (windows("last_5m", "last_2h"), "recovery_window last_2h is longer than the window of the query"),
        (windows("last_5m", "soon"), "'soon' is not an evaluation window"),
    ],
)
def test_threshold_windows_that_contradict_the_query_are_refused(given, says):
    with pytest.raises(InputError) as caught:
        history(anomaly(threshold_windows=given), odd(10), stand_in=BAND)
    assert says in caught.value.message
    assert caught.value.hint


def test_the_interval_is_the_rollup():
    points = series("a", "(1 2 3 4)x14 (50 1 2 3 4)x2")
    coarse, fine = (
        history(anomaly(window="last_15m", more=f", interval={seconds}"), points, minutes=75, stand_in=BAND)
        for seconds in (300, 60)
    )
    assert coarse.verdict("*", 75).value == 1  # three buckets of 300 s, each with one outlier in its mean
    assert fine.verdict("*", 75).value == 0.2


def test_gaps_of_counts_are_zeros_where_the_query_says_so():
    points = series("a", "(9 8)x29 _x20", type="count")
    query = QUERY.replace("above", "below").format(
        "sum:a{*}.as_count()", "last_5m", ", interval=60, count_default_zero='%s'"
    )
    found = {
        flag: history(monitor(query % flag), points, minutes=70, stand_in=BAND).verdict("*", 66).value
        for flag in ("true", "false")
    }
    assert found["true"] == 1
    assert found["false"] is None


def test_a_forecast_looks_back_as_far_as_history_says_and_recovers_by_value():
    # falling for an hour, level for an hour: only the last hour says that nothing will happen
    points = series("a", "120-1x59 60x60")
    query = "min(next_12h):forecast(avg:a{{*}}, 'linear', 1{}) <= 0"
    found = {
        more: history(monitor(query.format(more)), points, minutes=120, stand_in=TREND).verdict("*", 120)
        for more in ("", ", history='1h'")
    }
    assert found[""].state is State.ALERT
    assert found[", history='1h'"].state is State.OK
    thresholds = {"critical": 0, "critical_recovery": 40}
    rising = series("a", "120-1x59 60+1x90")
    held = history(
        monitor(query.format(", history='1h', interval=300"), thresholds=thresholds),
        rising,
        minutes=150,
        stand_in=TREND,
    )
    assert Rule.HELD_CRITICAL in [segment.rule for segment in held.groups["*"].segments]
    assert held.verdict("*", 150).state is State.OK
