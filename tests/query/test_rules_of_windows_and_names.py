"""Windows, chains and names: what is meant by a length that is not one, and every part of a chain in its place.

Sources: the API reference of monitors ("Query types": the windows of each kind), monitors/types/* (chains of logs, checks and
processes), docs/query.md (names and template variables).
"""

import numpy as np
import pytest
from query_cases import GAUGE, START, ask, distribution, line, row, series

from monitoring.query import QueryError, evaluate, evaluate_lines, parse, parse_monitor, reduce_line, resolve
from monitoring.query.gaps import filled
from monitoring.query.grid import uniform_grid
from monitoring.query.metric import MOST_VALUES, membership, percentile_windows
from monitoring.query.ranges import reduce_ranges
from monitoring.query.rows import autosmooth, by_points, robust_trend
from monitoring.query.sources import Points, SeriesSource, aggregate
from monitoring.query.switches import Switches

_ = None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5m", "last_5m"),
        ("last5m", "last_5m"),
        ("last_5", "last_5m"),
        ("last_5min", "last_5m"),
        ("last_5mins", "last_5m"),
        ("last_5minutes", "last_5m"),
        ("last_1hour", "last_1h"),
        ("last_2hours", "last_2h"),
        ("last_1day", "last_1d"),
        ("last_3days", "last_3d"),
        ("1w", "last_1w"),
        ("1mo", "last_1mo"),
        ("last_300s", "last_5m"),
        ("last_30s", "last_1m"),
        ("last_5x", "last_5m"),
        ("soon", "last_5m"),
    ],
)
def test_a_window_that_is_not_one_is_answered_with_what_was_likely_meant(written, meant):
    text = f"avg({written}):avg:a{{*}} > 1"
    with pytest.raises(QueryError) as caught:
        parse_monitor(text)
    assert caught.value.suggestion == meant
    assert caught.value.message == f"'{written}' is not an evaluation window"
    assert text[caught.value.start : caught.value.end] == written
    assert caught.value.expected == (
        "last_5m",
        "last_4h",
        "last_1d",
        "last_1w",
        "last_1mo",
        "current_1d",
        "next_1w",
    )


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("last_43800m", ""),
        ("last_43801m", "longer than a month (730 hours)"),
        ("last_30d", ""),
        ("last_31d", "longer than a month"),
        ("last_4w", ""),
        ("last_1mo", ""),
        ("last_2mo", "longer than a month"),
        ("last_0h", "the evaluation window is empty"),
        ("current_1w", "a cumulative window is the current hour, day or month"),
        ("current_2d", "a cumulative window is the current hour, day or month"),
    ],
)
def test_a_window_is_not_empty_and_at_most_a_month(window, message):
    text = f"avg({window}):avg:a{{*}} > 1"
    if not message:
        assert parse_monitor(text).window.seconds > 0
        return
    with pytest.raises(QueryError) as caught:
        parse_monitor(text)
    assert message in caught.value.message
    assert text[caught.value.start : caught.value.end] == window


def test_a_forecast_looks_ahead_four_times_as_far():
    query = "max({}):forecast(avg:a{{*}}, 'linear', 1) > 1"
    assert parse_monitor(query.format("next_4mo")).window.seconds <= 4 * 730 * 3600
    with pytest.raises(QueryError, match="longer than a month"):
        parse_monitor(query.format("next_2921h"))
    assert parse_monitor(query.format("next_2920h"))


LOGS = 'logs("a b").index("main","x").rollup("avg","@n").by("@u,host").last("15m") >= 5'


def test_a_chain_is_read_part_by_part():
    node = parse_monitor(LOGS)
    assert (node.source, node.search, node.index) == ("logs", "a b", ("main", "x"))
    assert (node.rollup, node.by, node.window.seconds, node.operator, node.threshold) == (
        ("avg", "@n"),
        ("@u", "host"),
        900,
        ">=",
        5.0,
    )
    assert (node.start, node.end) == (0, len(LOGS))


@pytest.mark.parametrize(
    ("text", "message", "marked", "hint"),
    [
        ('logs("a").rollup("count").last("5m").last("5m") > 1', ".last is given twice", '.last("5m")', ""),
        ('logs("a").rollup("count").last("5m").current("1d") > 1', "exclude each other", '.last("5m")', ""),
        ('logs("a").rollup("count") > 1', "", "", '.last("5m")'),
        ('logs("a").last("5m") > 1', "a search needs a rollup", "", '.rollup("count")'),
        (
            'logs("a").rollup("cuont").last("5m") > 1',
            "cannot be rolled up by 'cuont'",
            '.rollup("cuont")',
            '"count"',
        ),
        ('logs("a").rollup("count").lsat("5m") > 1', "unknown part '.lsat'", ".lsat", "Write .last(…)"),
        ('logs("a").rollup("count").zzzz("5m") > 1', "unknown part '.zzzz'", ".zzzz", ".index(…)"),
        ('logs("a").rollup("count").last(5) > 1', ".last takes a quoted length of time", "5)", '"5m"'),
        (
            'logs("a").rollup("count").last("5m","6m") > 1',
            ".last takes one length of time",
            "",
            '.last("5m")',
        ),
        ('logs("a").rollup("count").last("5 m") > 1', "'5 m' is not a length of time", '"5 m"', '"1h"'),
        ('logs("a","b").rollup("count").last("5m") > 1', "one quoted text belongs here", "", "a quoted text"),
        ("logs('a').rollup('count').last('5m') > 1", "needs double quotes", "'", 'logs("…")'),
        ('"".over("*").last(2).count_by_status()', "the service check has no name", '""', ""),
        ('"a".over("*").last(2)', "the service check ends too early", "", ".count_by_status()"),
        ('formula("a, b").last("5m") > 1', "the formula of a monitor is one line", "a, b", ""),
        ('formula("a +").last("5m") > 1', "", "", ""),
        ('error_budget("a").over("7d") < 1', "an SLO is compared with > or >=", "<", "'>='"),
        ('error_budget("a").over("8d") > 1', "", "", '.over("7d")'),
    ],
)
def test_a_chain_that_cannot_be_read_says_which_part(text, message, marked, hint):
    with pytest.raises(QueryError) as caught:
        parse_monitor(text)
    error = caught.value
    assert message in error.message
    if marked:
        assert text[error.start : error.end] == marked
    assert hint in error.hint
    assert "Write ''" not in error.hint
    assert "Write None" not in error.hint


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_time_frame_of_an_slo_is_one_of_three(days):
    assert parse_monitor(f'error_budget("a").over("{days}d") > 1').over.seconds == days * 86400


# --- names and variables


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("avg:m{$env}", {"env": "env:p"}, "avg:m{env:p}"),
        ("avg:m{$env}", {"env": "*"}, "avg:m{*}"),
        ("avg:m{$env}", {"env": ""}, "avg:m{*}"),
        ("avg:m{$env}", {"env": "env:p, env:q"}, "avg:m{env:p OR env:q}"),
        ("avg:m{$env}", {"env": "env:p,*"}, "avg:m{*}"),
        ("avg:m{$env}", {"env": "p"}, "avg:m{p}"),
        ("avg:m{NOT $env}", {"env": "env:p"}, "avg:m{NOT env:p}"),
        ("avg:m{a:b AND ($env OR c:d)}", {"env": "env:p"}, "avg:m{a:b AND (env:p OR c:d)}"),
        ("avg:m{x:$env.value}", {"env": "env:p"}, "avg:m{x:p}"),
        ("avg:m{x:$env}", {"env": "env:p,env:q"}, "avg:m{x:p OR x:q}"),
        ("avg:m{x:a-$env-b}", {"env": "p"}, "avg:m{x:a-p-b}"),
        ("avg:m{x IN ($env, c)}", {"env": "env:p,env:q"}, "avg:m{x IN (p, q, c)}"),
        ("avg:m{x:y}", {"env": "env:p"}, "avg:m{x:y}"),
        ("-avg:m{$env} + abs(avg:n{$env})", {"env": "env:p"}, "-avg:m{env:p} + abs(avg:n{env:p})"),
        ("avg:m{$env}, avg:n{$env}", {"env": "env:p"}, "avg:m{env:p}, avg:n{env:p}"),
    ],
)
def test_a_variable_stands_for_its_tags_in_every_scope(text, variables, expected):
    assert resolve(parse(text), text, {}, variables) == parse(expected)


def test_a_name_stands_for_one_query_and_errors_point_to_it():
    for queries, message in (
        ({}, "no query is named 'a' (known: none is given)"),
        ({"c": "avg:m{*}", "b": "avg:m{*}"}, "no query is named 'a' (known: b, c)"),
        ({"a": "b"}, "'a' must be a single query, without names of other queries"),
        ({"a": "avg:m{*}, avg:n{*}"}, "'a' must be a single query, without names of other queries"),
    ):
        with pytest.raises(QueryError) as caught:
            resolve(parse("1 + a"), "1 + a", queries, {})
        assert (caught.value.message, caught.value.start, caught.value.end) == (message, 4, 5)
    found = resolve(parse("1 + a"), "1 + a", {"a": "avg:m{*}"}, {})
    assert (found.right.start, found.right.end) == (4, 5)
    with pytest.raises(QueryError, match=r"the template variable \$env has no value") as caught:
        resolve(parse("avg:m{a:b,$env}"), "avg:m{a:b,$env}", {}, {"zone": "x"})
    assert (caught.value.start, caught.value.end) == (10, 14)
    assert "--var env=*" in caught.value.hint


# --- lines and points


@pytest.mark.parametrize(
    ("aggregator", "value"),
    [("l2norm", 5.0), ("percentile", 3.0), ("p0", 3.0), ("area", 70.0), ("sum", 7.0), ("count", 2.0)],
)
def test_a_line_is_one_value(aggregator, value):
    assert reduce_line(np.array([3.0, np.nan, 4.0]), aggregator, 10) == value
    assert np.isnan(reduce_line(np.array([np.nan]), aggregator, 10))


def test_ranges_of_nothing_have_no_value():
    nothing = reduce_ranges(np.empty((0, 3)), np.array([0]), np.array([2]), "avg")
    assert nothing.shape == (0, 1)
    none = reduce_ranges(np.array([[1.0, 2.0]]), np.array([1, 2]), np.array([1, 2]), "sum")
    assert np.isnan(none).all()
    ends = reduce_ranges(np.array([[1.0, -2.0]]), np.array([0, 1]), np.array([2, 2]), "min")
    assert ends.tolist() == [[-2.0, -2.0]]
    assert reduce_ranges(np.array([[1.0, -2.0]]), np.array([0, 1]), np.array([2, 2]), "max").tolist() == [
        [1.0, -2.0]
    ]


def test_points_are_those_from_the_start_on_and_before_the_end():
    source = SeriesSource([series(values=[1, 2, np.nan, 4]), series(tags="a:b", values=[5])])
    origins = source.select("m", parse("avg:m{*}").scope)
    found = source.points(origins, START + 60, START + 180.5)
    assert (found.origin.tolist(), found.times.tolist(), found.values.tolist()) == (
        [0, 0],
        [START + 60, START + 180],
        [2, 4],
    )
    assert source.points(origins, START, START + 60).values.tolist() == [1, 5]
    assert source.points(origins, START, float("inf")).values.tolist() == [1, 2, 4, 5]
    assert source.points([], START, START + 60).values.tolist() == []


@pytest.mark.parametrize(
    ("aggregator", "expected"),
    [("avg", [2, _, 5]), ("sum", [4, _, 5]), ("min", [1, _, 5]), ("max", [3, _, 5]), ("count", [2, _, 1])],
)
def test_points_are_aggregated_by_bucket(aggregator, expected):
    points = Points(np.array([0, 0, 0]), np.array([60, 90, 180]), np.array([1.0, 3.0, 5.0]))
    grid = uniform_grid(60, 60, 3)
    every = aggregate(points, grid, 2, aggregator, False)
    assert [None if np.isnan(value) else value for value in every.values[0]] == expected
    assert np.isnan(every.values[1]).all()
    some = aggregate(points, grid, 1, aggregator, True)
    assert (some.starts.tolist(), some.values[0].tolist()) == (
        [60, 180],
        [value for value in expected if value],
    )


def test_a_gap_is_measured_from_the_point_before_it():
    values = np.array([[np.nan, 1.0, np.nan, np.nan, 4.0, np.nan]])
    times = np.array([0, 60, 120, 180, 240, 300])
    assert np.array_equal(filled(values, times, "last", 60), [[np.nan, 1, 1, np.nan, 4, 4]], equal_nan=True)
    assert np.array_equal(filled(values, times, "linear", 120), [[np.nan, 1, 2, 3, 4, 4]], equal_nan=True)
    assert filled(values, times, "null", 600) is values
    nothing = np.empty((0, 6))
    assert filled(nothing, times, "last", 60) is nothing


def test_a_source_is_in_the_group_of_each_of_its_values():
    origins = SeriesSource(
        [series(tags="Team:y team:x az:1", values=[1]), series(tags="team:x", values=[1])]
    ).select("m", parse("avg:m{*}").scope)
    found = membership(origins, ("TEAM", "az"))
    assert found.groups == (("x", "1"), ("x", "N/A"), ("y", "1"))
    assert (found.origin.tolist(), found.owner.tolist(), found.crowded) == ([0, 1, 0], [0, 1, 2], False)
    assert membership(origins, ("team",)).crowded is True
    assert membership([], ("team",)).groups == ()


def test_a_percentile_of_windows_is_of_all_values_in_each():
    data = [distribution("d", "h:a", [1, 2, 3], START), distribution("d", "h:a", [9], START + 60)]
    data.append(distribution("d", "h:b", [7], START + 60))
    node = parse("p50:d{*} by {h}")
    starts, ends = (
        np.array([START, START, START + 60, START + 61]),
        np.array([START + 60, START + 61, START + 120, START + 120]),
    )
    found = percentile_windows(node, SeriesSource(data), starts, ends, Switches())
    expected = [[2, 2, 9, np.nan], [np.nan, 7, 7, np.nan]]
    assert np.array_equal(found, expected, equal_nan=True)
    lowest = percentile_windows(parse("p25:d{*} by {h}"), SeriesSource(data), starts, ends, Switches())
    assert np.array_equal(lowest, [[1, 1, 9, np.nan], [np.nan, 7, 7, np.nan]], equal_nan=True)
    sketch = percentile_windows(node, SeriesSource(data), starts, ends, Switches(quantiles="sketch"))
    assert not np.array_equal(sketch, expected, equal_nan=True)
    assert np.allclose(sketch, expected, rtol=1 / 128, equal_nan=True)


@pytest.mark.parametrize(
    ("start", "end", "interval", "message"),
    [
        (60, 60, None, "the window ends before it starts"),
        (120, 60, None, "the window ends before it starts"),
        (0, 1e11, None, "times are seconds since the epoch, not milliseconds"),
        (-1e11, 0, None, "times are seconds since the epoch, not milliseconds"),
        (0, 60, 0, "the interval is below 1 second"),
    ],
)
def test_a_window_is_in_seconds_and_has_an_end_after_its_start(start, end, interval, message):
    with pytest.raises(QueryError) as caught:
        evaluate("avg:m{*}", [], start, end, interval)
    assert caught.value.message == message


def test_a_monitor_evaluates_one_expression():
    with pytest.raises(QueryError, match="expected one expression, not a list") as caught:
        evaluate_lines("avg:m{*}, avg:n{*}", [], 0, 60)
    assert (caught.value.start, caught.value.end) == (0, 18)
    assert MOST_VALUES == 400_000_000


@pytest.mark.parametrize(
    ("switches", "fill", "expected"),
    [
        ({}, "fill(60)", [1, 2, 3, 4, -8]),
        ({"bare_fill": "ignore"}, "fill(60)", [1, 2, _, 4, -8]),
        ({"bare_fill": "ignore"}, "fill(0)", [1, 2, 0, 4, -8]),
        ({"longest_fill": 59}, "fill(last, 600)", [1, 2, _, 4, -8]),
        ({"longest_fill": 60}, "fill(last, 600)", [1, 2, 2, 4, -8]),
    ],
)
def test_what_fill_means_is_a_switch(switches, fill, expected):
    assert line(f"sum:m{{*}}.{fill}", GAUGE, switches=Switches(**switches)) == row(expected)


def test_a_count_without_a_modifier_is_averaged_or_summed_by_a_switch():
    data = [series("c", values=[6, 12, _, 3], type="count", interval=60)]
    assert line("sum:c{*}", data, 240, 120) == {0: 9, 120: 3}
    assert line("sum:c{*}", data, 240, 120, switches=Switches(count_rollup="sum")) == {0: 18, 120: 3}


def test_a_smoothing_keeps_outliers_and_a_robust_trend_leaves_them_out():
    wave = np.array([0.0, 1.0] * 30)
    smooth = autosmooth(wave)
    assert np.isnan(smooth[0])
    assert np.nanstd(smooth) < np.std(wave)
    spike = np.zeros(60)
    spike[30] = 100
    assert np.array_equal(autosmooth(spike), spike)
    assert autosmooth(np.array([1.0])).tolist() == [1.0]
    values = np.array([[0.0, 1, 2, 3, 100, 5, 6, 7, 8, 9]])
    fitted = robust_trend(values, np.arange(10))
    assert np.abs(fitted[0, [0, 9]] - [0, 9]).max() < 1.5
    assert np.isnan(by_points(lambda points: points)(np.array([[np.nan, 1.0]]), np.arange(2))[0, 0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count(sum:m{*} by {host,az}, {az})", {"az:x": [2], "az:y": [1]}),
        ("sum(sum:m{*} by {host,az}, {host})", {"host:a": [5], "host:b": [2]}),
        ("max(sum:m{*} by {host,az}, {*})", {"": [4]}),
        ("percentile(sum:m{*} by {host,az}, 'p50', {az})", {"az:x": [1], "az:y": [4]}),
        ("percentile(sum:m{*} by {host,az}, 'p99', {*})", {"": [2]}),
        ("avg(sum:n{*} by {host,az}, {az})", {}),
    ],
)
def test_groups_are_aggregated_once_more_over_fewer_keys(text, expected):
    data = [
        series(tags="host:a az:x", values=[1]),
        series(tags="host:b az:x", values=[2]),
        series(tags="host:a az:y", values=[4]),
    ]
    assert ask(text, data) == {tags: row(values) for tags, values in expected.items()}
    with pytest.raises(QueryError, match="the query inside is not grouped by zone"):
        ask("avg(sum:m{*} by {host}, {zone})", data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min(sum:m{*}, 3)", [1, 2, _, 3, -8]),
        ("max(2, sum:m{*})", [2, 2, _, 4, 2]),
        ("max(1, 2)", [2] * 5),
        ("min(sum:m{*}, sum:m{*} * 2)", [1, 2, _, 4, -16]),
    ],
)
def test_the_smaller_or_larger_of_two(text, expected):
    assert line(text, GAUGE) == row(expected)
