"""Outliers, the stand-ins, the computations of a message, and downtimes: each rule at its edges.

Sources: https://docs.datadoghq.com/monitors/types/outlier/ (DBSCAN, MAD, scaled), docs/monitor-semantics.md (the stand-ins),
https://docs.datadoghq.com/monitors/notify/variables/ (eval, local_time), https://docs.datadoghq.com/monitors/downtimes/.
"""

import numpy as np
import pytest
from monitor_helpers import START, history, monitor, series, verdict

from monitoring.errors import InputError
from monitoring.monitor import downtimes
from monitoring.monitor.expressions import SOMETIMES, NoValueError, evaluate_expression, local_time
from monitoring.monitor.notify import preview
from monitoring.monitor.outliers import outliers
from monitoring.monitor.standins import anomalous_share, linear_trend, median_band
from monitoring.monitor.states import State

_ = np.nan


def rows(*levels, length=5):
    """Groups that stay near their levels."""
    wave = np.array([0.0, 0.1, -0.1, 0.1, 0.0, 0.1, -0.1, 0.0, 0.1, 0.0])[:length]
    return np.array([level + wave * (1 + at / 10) for at, level in enumerate(levels)])


@pytest.mark.parametrize(
    ("matrix", "method", "tolerance", "percentage", "expected"),
    [
        (rows(10, 10.5, 11, 30), "DBSCAN", 3, 20, [0, 0, 0, 1]),
        (rows(10, 10.5, 11, 30), "dbscan", 60, 20, [0, 0, 0, 0]),
        (rows(10, 10.5, 11, 30, 30.2), "DBSCAN", 2, 20, [0, 0, 0, 1, 1]),
        (rows(30, 30.5, 10, 31, 10.2), "DBSCAN", 2, 20, [0, 0, 1, 0, 1]),
        (rows(10, 30), "DBSCAN", 1, 20, [0, 0]),  # two groups: neither is odd
        (rows(10, 10, 30), "DBSCAN", 3, 20, [0, 0, 1]),
        (rows(10, 10.2, 9.8, 30), "MAD", 3, 20, [0, 0, 0, 1]),
        (rows(10, 10.2, 9.8, 30), "mad", 200, 20, [0, 0, 0, 0]),
        (rows(100, 101, 102, 130), "scaledDBSCAN", 3, 20, [0, 0, 0, 1]),
        (rows(100, 101, 102, 130), "scaledMAD", 3, 20, [0, 0, 0, 1]),
        (np.empty((4, 0)), "DBSCAN", 3, 20, [0, 0, 0, 0]),
    ],
)
def test_a_group_outside_the_largest_cluster_is_an_outlier(matrix, method, tolerance, percentage, expected):
    assert outliers(matrix, method, tolerance, percentage).tolist() == [bool(flag) for flag in expected]


@pytest.mark.parametrize(("percentage", "flags"), [(40, True), (41, False)])
def test_under_mad_the_share_of_odd_points_makes_a_group_an_outlier(percentage, flags):
    matrix = rows(10, 10.2, 9.8, 10.1)
    matrix[3, :2] = 99
    assert outliers(matrix, "MAD", 3, percentage).tolist() == [False, False, False, flags]


def test_a_gap_makes_no_group_odd_and_an_empty_bucket_counts_for_nobody():
    matrix = rows(10, 10.1, 9.9, 10.05)
    matrix[0, 1:4] = np.nan
    matrix[:, 4] = np.nan
    assert not outliers(matrix, "DBSCAN", 5).any()
    assert outliers(np.vstack([matrix, matrix[1] + 50]), "DBSCAN", 5).tolist() == [False] * 4 + [True]


def test_a_scaled_algorithm_compares_with_the_load_of_the_bucket():
    load = np.array([1.0, 10, 100, 1000, 1])
    matrix = np.array([load, load * 1.1, load * 0.9, load * 2])
    assert outliers(matrix, "scaledDBSCAN", 3).tolist() == [False, False, False, True]
    with pytest.raises(InputError, match="no outlier algorithm 'kmeans'"):
        outliers(matrix, "kmeans", 3)


def test_an_outlier_monitor_alerts_for_the_odd_group_alone():
    query = "avg(last_5m):outliers(avg:a{*} by {host}, 'DBSCAN', 3) > 0"
    found = history(
        monitor(query),
        *(series("a", f"{level}x20", f"host:{level}") for level in (10, 11, 12, 99)),
        minutes=8,
    )
    assert {name: verdict(found, 8, name).state for name in found.groups} == {
        "host:10": State.OK,
        "host:11": State.OK,
        "host:12": State.OK,
        "host:99": State.ALERT,
    }
    assert verdict(found, 8, "host:99").value == 1.0


# --- the stand-ins


def test_the_median_band_is_that_of_the_earlier_points_and_begins_with_the_fourth():
    low, high = median_band(np.array([1.0, 2, 3, 9, 5]), 2.0)
    assert np.isnan(low[:3]).all()
    assert np.isnan(high[:3]).all()
    assert (low[3], high[3]) == pytest.approx((2 - 2 * 1.4826, 2 + 2 * 1.4826))
    assert (low[4], high[4]) == pytest.approx((2.5 - 2 * 1.4826, 2.5 + 2 * 1.4826))


@pytest.mark.parametrize(
    ("direction", "share"), [("both", 0.5), ("above", 0.25), ("below", 0.25), ("other", 0.5)]
)
def test_the_share_of_anomalies_counts_the_side_that_is_asked_for(direction, share):
    band = (np.full(5, 1.0), np.full(5, 3.0))
    values, inside = np.array([9.0, 0, 1, 3, 4]), np.array([False, True, True, True, True])
    assert anomalous_share(values, inside, band, direction) == share
    assert np.isnan(anomalous_share(values, np.zeros(5, bool), band, direction))


def test_the_linear_trend_is_a_line_with_the_deviation_of_its_residuals():
    times = np.array([100, 160, 220, 280])
    low, high = linear_trend(times, np.array([1.0, 3, 3, 5]), np.array([340]), 2.0)
    assert (low[0], high[0]) == pytest.approx((6 - 2 * 0.2**0.5, 6 + 2 * 0.2**0.5))
    assert np.isnan(linear_trend(times[:1], np.array([1.0]), np.array([340]), 2.0)).all()


@pytest.mark.parametrize(("written", "meant"), [("", ", 1"), (", 1", ", 1")])
def test_a_forecast_without_deviations_has_a_band_of_one(written, meant):
    points = series("a", "1 3 3 5 5 7 7 9 9 11")
    values = [
        verdict(
            history(
                monitor(f"max(next_1h):forecast(avg:a{{*}}, 'linear'{each}) > 999"),
                points,
                minutes=9,
                stand_in={"forecast": "linear-trend"},
            ),
            9,
        ).value
        for each in (written or ", 1", meant)
    ]
    assert values[0] == values[1] > 11


# --- messages


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1 + 2 * 3 - 4 / 8", "6.5"),
        ("7 % 4", "3"),
        ("2 ^ 10", "1024"),
        ("-value", "-5"),
        ("+value", "5"),
        ("abs(-3)", "3"),
        ("ceil(1.2)", "2"),
        ("floor(1.8)", "1"),
        ("floor(-1.2)", "-2"),
        ("int(-1.2)", "-2"),
        ("trunc(1.8)", "1"),
        ("dec(2.5)", "0.5"),
        ("round(2.6)", "3"),
        ("min(3, 1, 2)", "1"),
        ("max(3, 1, 2)", "3"),
        ("sgn(-9)", "-1"),
        ("sgn(0)", "0"),
        ("sgn(9)", "1"),
        ("to_bool(1)", "true"),
        ("to_bool(2)", "false"),
        ("exp(0)", "1"),
        ("log10(1000)", "3"),
        ("float(2)", "2"),
        ("humanize_bytes(1023)", "1.02e+03B"),
        ("humanize_bytes(1024)", "1KiB"),
        ("humanize_bytes(1024*1024*3)", "3MiB"),
        ("humanize_bits(999)", "999b"),
        ("humanize_bits(1000)", "1Kb"),
        ("humanize_bits(2000000)", "2Mb"),
        ("1000000000000000 * 10", "1e+16"),
        ("'value'", "5"),
    ],
)
def test_eval_computes_as_the_page_lists(expression, text):
    assert evaluate_expression(f'"{expression}"', {"value": 5.0}) == text


@pytest.mark.parametrize(
    "expression",
    [
        "value >",
        "value ** ",
        "open('x')",
        "value.real.x",
        "'a' + 1",
        "1 / 0",
        "(-8) ^ 0.5",
        "humanize_bits(1) + 1",
        "lambda: 1",
        "value if 1 else 2",
        "[1]",
        "unknown",
    ],
)
def test_eval_refuses_what_datadogs_does_not_have(expression):
    with pytest.raises(InputError, match="eval cannot compute"):
        evaluate_expression(expression, {"value": 5.0})


@pytest.mark.parametrize("name", SOMETIMES)
def test_a_number_that_a_moment_may_lack_is_not_a_mistake(name):
    with pytest.raises(NoValueError, match=name):
        evaluate_expression(f"{name} + 1", {})
    assert evaluate_expression(f"{name} + 1", {name: 1.0}) == "2"
    assert set(SOMETIMES) == {
        *(
            "value",
            "threshold",
            "alert_threshold",
            "warn_threshold",
            "ok_threshold",
            "alert_recovery_threshold",
        ),
        *("warn_recovery_threshold", "first_triggered_at_epoch", "last_triggered_at_epoch"),
    }


@pytest.mark.parametrize(
    "argument", ["'last_triggered_at'", "'nothing' 'UTC'", "'last_triggered_at' 'Mars/Olympus'"]
)
def test_local_time_takes_a_known_time_and_a_known_zone(argument):
    with pytest.raises(InputError, match="time"):
        local_time(argument, {"last_triggered_at_epoch": 0})


def test_a_preview_is_of_the_span_that_holds_the_evaluation():
    watched = monitor("avg(last_1m):avg:a{*} > 1", message="since {{first_triggered_at_epoch}} @ops")
    found = history(watched, series("a", "0x4 5x9"), minutes=12)
    note = preview(found, "*", 6)
    assert (note.kind, note.handles) == ("alert", ("@ops",))
    assert note.message == f"since {(START + 360) * 1000} @ops"
    assert preview(found, "*", 11).message == f"since {(START + 360) * 1000} @ops"


# --- downtimes


def test_a_recurrence_begins_at_its_own_start_or_at_the_downtimes():
    body = {"start": START, "end": START + 3600, "timezone": "Asia/Tokyo"}
    own = {"rrule": "FREQ=DAILY", "duration": "1h", "start": "2026-03-05T01:00:00"}
    open_ = {"rrule": "FREQ=DAILY", "duration": "1h"}
    found = downtimes.rules({**body, "recurrences": [own, open_]})
    assert [each["start"] for each in found] == ["2026-03-05T01:00:00", "2026-03-01T09:00:00"]


@pytest.mark.parametrize(("seconds", "length"), [(3600, "60m"), (3601, "61m"), (30, "1m")])
def test_a_recurrence_of_version_1_lasts_whole_minutes_rounded_up(seconds, length):
    body = {
        "start": START,
        "end": START + seconds,
        "timezone": None,
        "recurrence": {"type": "days", "period": 1},
    }
    assert [each["duration"] for each in downtimes.rules(body)] == [length]
    assert downtimes.rules({**body, "end": None}) == []
    assert downtimes.rules({**body, "recurrence": None}) == []
