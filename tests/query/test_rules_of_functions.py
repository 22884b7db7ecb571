"""Rules of single query functions at their edges: gaps, zeros, rounding, ties, one point, no point.

Sources: pages of https://docs.datadoghq.com/ by the names that docs/query-functions.md gives: dashboards/functions/timeshift,
/count, /rank, /rollup, /interpolation, /arithmetic, /smoothing, /regression; metrics/nested_queries.
"""

import numpy as np
import pytest
from query_cases import GAUGE, HOSTS, START, ask, line, row, series, wanted

from monitoring.query import QueryError, Switches, evaluate, parse, parse_monitor, reduce_line
from monitoring.query.functions import FUNCTIONS
from monitoring.query.gaps import filled
from monitoring.query.grid import LADDER, calendar_grid, default_interval, grid_between
from monitoring.query.ranges import reduce_ranges
from monitoring.query.rows import ewma, trend_line
from monitoring.query.times import moment, window

_ = None
ZEROS = [series(tags="host:a", values=[0, 0, 3, _, 0]), series(tags="host:b", values=[0, 1, -2, _, _])]

CASES = [
    # count: a group with the value 0 is there, and is not counted as nonzero; a bucket without any group has no value
    ("count_nonzero(sum:m{*} by {host})", ZEROS, {"": [0, 1, 2, _, 0]}),
    ("count_not_null(sum:m{*} by {host})", ZEROS, {"": [2, 2, 2, _, 1]}),
    ("count:m{*} by {host}", ZEROS, {"host:a": [1, 1, 1, _, 1], "host:b": [1, 1, 1, _, _]}),
    # timeshift: whole buckets, rounded up
    ("timeshift(sum:m{*}, -1)", GAUGE, {"": [_, 1, 2, _, 4]}),
    ("timeshift(sum:m{*}, -59)", GAUGE, {"": [_, 1, 2, _, 4]}),
    ("timeshift(sum:m{*}, -61)", GAUGE, {"": [_, _, 1, 2, _]}),
    ("timeshift(sum:m{*}, -120)", GAUGE, {"": [_, _, 1, 2, _]}),
    ("timeshift(sum:m{*}, 0)", GAUGE, {"": [1, 2, _, 4, -8]}),
    # reduce: one value at each point, and gaps stay
    ("reduce(sum:m{*}, 'avg')", GAUGE, {"": [-0.25, -0.25, _, -0.25, -0.25]}),
    ("reduce(sum:m{*}, 'sum')", GAUGE, {"": [-1, -1, _, -1, -1]}),
    ("reduce(sum:m{*}, 'min')", GAUGE, {"": [-8, -8, _, -8, -8]}),
    ("reduce(sum:m{*}, 'max')", GAUGE, {"": [4, 4, _, 4, 4]}),
    ("reduce(sum:m{*} by {host}, 'max')", HOSTS[2:], {"host:c": [100, 100, _, _, 100]}),
    ("sum:m{*} / reduce(sum:m{*}, 'max')", GAUGE, {"": [0.25, 0.5, _, 1, -2]}),
    # rank: ties in the order of names, whatever is asked for
    (
        "top(sum:m{*} by {host}, 2, 'max', 'desc')",
        ZEROS,
        {"host:a": [0, 0, 3, _, 0], "host:b": [0, 1, -2, _, _]},
    ),
    ("top(sum:m{*} by {host}, 1, 'max', 'desc')", ZEROS, {"host:a": [0, 0, 3, _, 0]}),
    ("bottom5_min(sum:m{*} by {host})", ZEROS[:1], {"host:a": [0, 0, 3, _, 0]}),
    ("top(sum:m{*} by {host}, 1, 'mean', 'asc')", ZEROS, {"host:b": [0, 1, -2, _, _]}),
    # bounds: the bound itself is kept
    ("cutoff_max(sum:m{*}, 4)", GAUGE, {"": [1, 2, _, 4, -8]}),
    ("cutoff_min(sum:m{*}, 1)", GAUGE, {"": [1, 2, _, 4, _]}),
    ("is_greater(sum:m{*}, 4)", GAUGE, {"": [0, 0, _, 0, 0]}),
    ("is_less(sum:m{*}, -8)", GAUGE, {"": [0, 0, _, 0, 0]}),
    ("is_between(sum:m{*}, 2, 4)", GAUGE, {"": [0, 0, _, 0, 0]}),
    # rounding: halves away from zero, digits on both sides of the point
    ("round(sum:m{*} / 4)", GAUGE, {"": [0, 1, _, 1, -2]}),
    ("round(sum:m{*} / 16, 1)", GAUGE, {"": [0.1, 0.1, _, 0.3, -0.5]}),
    ("round(sum:m{*} * 13, -1)", GAUGE, {"": [10, 30, _, 50, -100]}),
    # moving_rollup: the point itself and what lies less than so many seconds before it
    ("moving_rollup(sum:m{*}, 60, 'sum')", GAUGE, {"": [1, 2, _, 4, -8]}),
    ("moving_rollup(sum:m{*}, 119, 'sum')", GAUGE, {"": [1, 3, 2, 4, -4]}),
    ("moving_rollup(sum:m{*}, 121, 'sum')", GAUGE, {"": [1, 3, 3, 6, -4]}),
    # fill: at most the limit, counted from the last point; not before the first
    ("sum:m{*}.fill(last, 60)", [series(values=[_, 1, _, _, 4])], {"": [_, 1, 1, _, 4]}),
    ("sum:m{*}.fill(last, 120)", [series(values=[_, 1, _, _, 4])], {"": [_, 1, 1, 1, 4]}),
    ("sum:m{*}.fill(zero, 119)", [series(values=[_, 1, _, _, 4])], {"": [_, 1, 0, _, 4]}),
    ("sum:m{*}.fill(linear, 180)", [series(values=[_, 1, _, _, 4])], {"": [_, 1, 2, 3, 4]}),
    # a trend goes through the points, and a single point is its own trend
    ("trend_line(sum:m{*})", [series(values=[5])], {"": [5]}),
    ("robust_trend(sum:m{*})", [series(values=[_, 5])], {"": [_, 5]}),
    ("trend_line(sum:m{*})", [series(values=[0, _, 4, _, 8])], {"": [0, _, 4, _, 8]}),
    ("cumsum(sum:m{*})", [series(values=[_, 1, _, 2])], {"": [_, 1, _, 3]}),
    ("count(sum:m{*} by {host}, {*})", ZEROS, {"": [2, 2, 2, _, 1]}),
    ("min(sum:m{*} by {host}, {*})", ZEROS, {"": [0, 0, -2, _, 0]}),
]


@pytest.mark.parametrize(("query", "data", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_function_at_its_edges(query, data, expected):
    assert ask(query, data) == wanted(expected)


def test_a_timeshift_answers_within_the_window_alone():
    data = [series(values=[7, 8, 9, 1, 2, 3], start=START - 180)]
    assert line("timeshift(avg:m{*}, -180)", data, seconds=180) == row([7, 8, 9])


def test_the_limit_of_fill_is_a_number_of_seconds_up_to_ten_years():
    assert line("fill(sum:m{*}, 'last', 0)", GAUGE) == row([1, 2, _, 4, -8])
    with pytest.raises(QueryError, match="from 0 to ten years"):
        line("fill(sum:m{*}, 'last', -1)", GAUGE)


@pytest.mark.parametrize(
    ("shift", "zone", "moments", "values"),
    [
        ("-1d", "UTC", [86400], [1]),
        ("-7d", "UTC", [7 * 86400], [1]),
        ("-1w", "UTC", [7 * 86400], [1]),
        ("-6h", "UTC", [6 * 3600], [1]),
    ],
)
def test_a_calendar_shift_takes_the_value_of_the_bucket_that_much_earlier(shift, zone, moments, values):
    data = [
        series(values=[value], start=START - moment) for moment, value in zip(moments, values, strict=True)
    ]
    assert line(f"calendar_shift(avg:m{{*}}, '{shift}', '{zone}')", [*data, series(values=[9, 9])]) == {
        0: values[0]
    }


def test_a_calendar_shift_may_keep_the_length_of_the_first_day():
    """preserve_duration: all buckets move as far as the first; across a change of the clock that is another hour."""
    night = 1_711_843_200  # 2024-03-31 01:00 in Berlin; at 02:00 the clock goes to 03:00
    data = [
        series(values=list(range(200)), every=600, start=night - 86400 - 3600),
        series(values=[0] * 20, every=600, start=night),
    ]
    plain = line("calendar_shift(avg:m{*}, '-1d', 'Europe/Berlin')", data, 7200, 600, night)
    kept = line(
        "calendar_shift(avg:m{*}, '-1d', 'Europe/Berlin', 'preserve_duration')", data, 7200, 600, night
    )
    assert plain[0] == kept[0] == 6
    assert kept[3600] == kept[0] + 6
    assert plain[3600] == plain[0] + 12  # 03:00 local time the day before is two hours after 01:00


@pytest.mark.parametrize(
    ("aggregator", "value"),
    [
        ("avg", 2.0),
        ("mean", 2.0),
        ("sum", 6.0),
        ("min", 1.0),
        ("max", 3.0),
        ("last", 3.0),
        ("count", 3.0),
        ("area", 360.0),
        ("p50", 2.0),
    ],
)
def test_a_line_is_reduced_without_its_gaps(aggregator, value):
    assert reduce_line(np.array([np.nan, 1, np.nan, 2, 3, np.nan]), aggregator, 60) == value


@pytest.mark.parametrize(
    "aggregator", ["avg", "sum", "min", "max", "count", "last", "median", "stddev", "p95"]
)
def test_ranges_are_reduced_without_their_gaps_and_an_empty_one_has_no_value(aggregator):
    values = np.array([[np.nan, 1.0, 3.0, np.nan, np.nan, 5.0]])
    first, last = np.array([0, 1, 3, 3, 5, 6]), np.array([3, 3, 5, 3, 6, 6])
    expected = {
        "avg": [2, 2],
        "sum": [4, 4],
        "min": [1, 1],
        "max": [3, 3],
        "count": [2, 2],
        "last": [3, 3],
        "median": [2, 2],
        "stddev": [1, 1],
    }
    found = reduce_ranges(values, first, last, aggregator)[0]
    assert np.isnan(found[[2, 3, 5]]).all()
    if aggregator in expected:
        assert found[:2].tolist() == expected[aggregator]
    assert found[4] == {"count": 1, "stddev": 0}.get(aggregator, 5)


@pytest.mark.parametrize(
    ("span", "interval"),
    [
        (3600, 20),
        (4 * 3600, 60),
        (86400, 300),
        (2 * 86400, 600),
        (7 * 86400, 3600),
        (30 * 86400, 14400),
        (300, 1),
        (301, 2),
        (6000, 20),
        (6001, 30),
    ],
)
def test_the_interval_is_the_smallest_of_the_ladder_that_makes_300_points_at_most(span, interval):
    """dashboards/functions/rollup: the table of default intervals."""
    assert default_interval(span) == interval
    assert interval in LADDER


@pytest.mark.parametrize(
    ("start", "end", "closed", "labels"),
    [
        (0, 120, True, [0, 60, 120]),
        (1, 120, True, [60, 120]),
        (0, 119, True, [0, 60]),
        (0, 120, False, [0, 60]),
        (0, 121, False, [0, 60, 120]),
        (10, 50, False, [0]),
        (61, 120, False, [60]),
    ],
)
def test_buckets_are_aligned_to_unix_time_and_a_monitor_does_not_see_its_end(start, end, closed, labels):
    assert grid_between(start, end, 60, closed).starts.tolist() == labels


def test_a_calendar_week_begins_on_monday_and_a_december_is_followed_by_a_january():
    from datetime import UTC, datetime

    def at(*parts):
        return int(datetime(*parts, tzinfo=UTC).timestamp())

    weeks = calendar_grid(at(2025, 12, 31), at(2026, 1, 5), "weekly", UTC)
    assert weeks.edges.tolist() == [at(2025, 12, 29), at(2026, 1, 5), at(2026, 1, 12)]
    months = calendar_grid(at(2025, 12, 31), at(2026, 1, 31), "monthly", UTC)
    assert months.edges.tolist() == [at(2025, 12, 1), at(2026, 1, 1), at(2026, 2, 1)]
    assert months.index(np.array([at(2025, 11, 30), at(2025, 12, 31), at(2026, 1, 1)])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    ("method", "limit", "long_gaps", "expected"),
    [
        ("last", 120, True, [np.nan, 1, 1, 1, np.nan, 5, 5]),
        ("last", 120, False, [np.nan, 1, np.nan, np.nan, np.nan, 5, 5]),
        ("last", 240, False, [np.nan, 1, 1, 1, 1, 5, 5]),
        ("linear", 240, True, [np.nan, 1, 2, 3, 4, 5, 5]),
        ("linear", 60, True, [np.nan, 1, 2, np.nan, np.nan, 5, 5]),
        ("zero", 59, True, [np.nan, 1, np.nan, np.nan, np.nan, 5, np.nan]),
        ("null", 999, True, [np.nan, 1, np.nan, np.nan, np.nan, 5, np.nan]),
    ],
)
def test_a_gap_is_filled_up_to_its_limit(method, limit, long_gaps, expected):
    """dashboards/functions/interpolation; whether a gap longer than the limit is filled at all is the switch long_gaps."""
    values = np.array([[np.nan, 1, np.nan, np.nan, np.nan, 5, np.nan]])
    np.testing.assert_array_equal(
        filled(values, np.arange(7) * 60, method, limit, long_gaps=long_gaps)[0], expected
    )


def test_smoothing_weighs_the_newest_point_by_two_over_the_span_plus_one():
    values = np.array([[8.0, np.nan, 0.0, 8.0]])
    np.testing.assert_allclose(ewma(3)(values, np.arange(4)), [[8, np.nan, 4, 6]])
    np.testing.assert_allclose(ewma(7)(values, np.arange(4)), [[8, np.nan, 6, 6.5]])


def test_a_line_without_points_has_no_trend():
    assert np.isnan(trend_line(np.full((1, 3), np.nan), np.arange(3))).all()


@pytest.mark.parametrize(
    "text", ["avg:m{NOT NOT NOT host:a}", "abs(abs(abs(avg:m{*})))", "avg:m{((host:a))}"]
)
def test_what_is_nested_side_by_side_does_not_count_as_deep(text):
    body = text.removeprefix("avg:m{").removesuffix("}") if text.startswith("avg:m{") else text
    joined = f"avg:m{{{' AND '.join([body] * 60)}}}" if text.startswith("avg:m{") else " + ".join([text] * 40)
    parse(joined)


@pytest.mark.parametrize(
    ("window", "error"),
    [
        ("current_1h", None),
        ("current_1d", None),
        ("current_1mo", None),
        ("current_2h", "cumulative"),
        ("current_1w", "cumulative"),
        ("last_730h", None),
        ("last_731h", "longer than a month"),
        ("last_0m", "empty"),
        ("next_1h", "looks at last_"),
    ],
)
def test_a_window_is_at_most_730_hours_and_cumulative_ones_are_named(window, error):
    """api/latest/monitors: last_Nm up to a month; current_1h, current_1d, current_1mo are cumulative."""
    if error is None:
        parse_monitor(f"avg({window}):avg:a{{*}} > 1")
    else:
        with pytest.raises(QueryError, match=error):
            parse_monitor(f"avg({window}):avg:a{{*}} > 1")


@pytest.mark.parametrize("text", ["avg(last_5m):avg:a{*} = 1", "avg(last_5m):avg:a{*}"])
def test_a_comparison_that_is_not_written_fully_says_what_to_write(text):
    with pytest.raises(QueryError) as caught:
        parse_monitor(text)
    assert ("==" in str(caught.value)) is ("= 1" in text)


def test_a_switch_decides_whether_an_integral_is_of_the_value_or_of_its_change():
    data = [series(values=[1, 3, 6])]
    assert line("integral(avg:m{*})", data) == row([0, 120, 300])
    found = evaluate(
        "integral(avg:m{*})", data, START, START + 299, 60, switches=Switches(integral_of="value")
    )
    assert found[0].values.tolist() == [0, 180, 540]


@pytest.mark.parametrize("method", ["linear", "last", "zero", "null", "LAST"])
def test_fill_takes_the_methods_of_the_page(method):
    """dashboards/functions/interpolation: linear, last, zero and null, as a function and as a modifier."""
    gap = [series(values=[1, _, 3])]
    value = {"linear": 2, "last": 1, "zero": 0, "null": None}[method.lower()]
    assert line(f"fill(sum:m{{*}}, '{method}')", gap, 180) == row([1, value, 3])
    assert line(f"sum:m{{*}}.fill({method.lower()})", gap, 180) == row([1, value, 3])
    with pytest.raises(QueryError):
        line("fill(sum:m{*}, 'cubic')", gap)


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name.startswith(("top", "bottom")) and name[-1].isdigit()]
)
def test_a_ranking_leaves_out_groups_without_a_value(name):
    """dashboards/functions/rank: the groups with the highest (lowest) values; one without any has no rank."""
    silent = series(tags="host:0", values=[9], start=START + 4000)
    assert set(ask(f"{name}(sum:m{{*}} by {{host}})", [silent, *HOSTS])) == {"host:a", "host:b", "host:c"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", 1000.0),
        ("-30s", 970.0),
        ("-2m", 880.0),
        ("-1h", -2600.0),
        ("-1d", -85400.0),
        ("-1w", -603800.0),
        ("-1.5m", 910.0),
        ("100000000000", 1e11),
        ("100000000001", 100000000.001),
        (" 12 ", 12.0),
        ("1970-01-01T00:00:10", 10.0),
        ("1970-01-01T01:00:10+01:00", 10.0),
    ],
)
def test_a_moment_is_read_in_its_unit(text, seconds):
    assert moment(text, 1000.0) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("length", "taken"), [("1m", True), ("0m", False), ("90d", True), ("91d", False), ("5", False)]
)
def test_the_window_of_a_search_is_a_length_of_time_up_to_90_days(length, taken):
    query = f'logs("x").index("*").rollup("count").last("{length}") > 1'
    if taken:
        parse_monitor(query)
    else:
        with pytest.raises(QueryError):
            parse_monitor(query)


def test_a_window_is_two_moments_in_whole_seconds_in_their_order():
    assert window("-1m", "now", 1000.9) == (940, 1000)
    for since, until in (("now", "-1m"), ("now", "now")):
        with pytest.raises(Exception, match="is before the start"):
            window(since, until, 1000.0)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("calendar_shift(avg:m{*}, '-1x', 'UTC')", "'-1d', '-1w' or '-1mo'"),
        ("avg:m{$zone}", "--var zone=*"),
    ],
)
def test_an_error_of_an_evaluation_says_what_to_write(query, hint):
    with pytest.raises(QueryError) as caught:
        line(query, GAUGE)
    assert hint in str(caught.value)


def test_an_unknown_cumulative_window_lists_those_that_there_are():
    with pytest.raises(QueryError) as caught:
        parse_monitor("avg(current_3h):avg:a{*} > 1")
    assert all(name in str(caught.value) for name in ("current_1h", "current_1d", "current_1mo"))
    assert "1hX" not in str(caught.value)
