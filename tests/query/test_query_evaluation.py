"""What queries answer, case by case; each case also with its series permuted, moved in time and written anew."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_cases import (
    COUNTER,
    COUNTS,
    GAUGE,
    HOSTS,
    RATES,
    SPREAD,
    START,
    ask,
    distribution,
    line,
    row,
    series,
    wanted,
)

from monitoring.query import (
    FUNCTIONS,
    QueryError,
    SeriesSource,
    Switches,
    body,
    evaluate,
    format,  # noqa: A004
    only_points,
    parse,
    reduce_line,
    windowed,
)
from monitoring.query.calls import CALLS
from monitoring.query.evaluation import evaluate_lines
from monitoring.query.ranges import reduce_ranges

_ = None
WEEK = 7 * 86400

# query, data, the answers by group: one value a minute, None for none
CASES = [
    # time and space aggregation
    ("avg:m{*}", GAUGE, {"": [1, 2, _, 4, -8]}),
    ("m{*}", HOSTS[:2], {"": [5.5, 11, 16.5, 22, 27.5]}),
    ("sum:m{*} by {host}", HOSTS[:2], {"host:a": [1, 2, 3, 4, 5], "host:b": [10, 20, 30, 40, 50]}),
    ("max:m{env:prod} by {env}", HOSTS, {"env:prod": [10, 20, 30, 40, 50]}),
    ("min:m{*}.fill(null)", HOSTS, {"": [1, 0, 3, 4, 0]}),
    ("count:m{*}.fill(null)", HOSTS, {"": [3, 3, 2, 2, 3]}),
    ("sum:m{*}.rollup(sum, 120)", GAUGE, {"": [3, _, 4, _, -8]}),
    ("sum:m{*}.rollup(max, 300)", GAUGE, {"": [4]}),
    ("sum:m{*}.rollup(count, 300)", GAUGE, {"": [4]}),
    ("sum:m{*}.rollup(300)", GAUGE, {"": [-0.25]}),
    # scopes
    ("sum:m{env:PROD,!host:a}", HOSTS, {"": [10, 20, 30, 40, 50]}),
    ("sum:m{host:a OR host:b}", HOSTS, {"": [11, 22, 33, 44, 55]}),
    ("sum:m{host IN (a, b) AND NOT host:b}", HOSTS, {"": [1, 2, 3, 4, 5]}),
    ("sum:m{host NOT IN (a, c)}", HOSTS, {"": [10, 20, 30, 40, 50]}),
    ("sum:m{!host:b,!host:c}", HOSTS, {"": [1, 2, 3, 4, 5]}),
    ("sum:m{env:p*d,host:*b}", HOSTS, {"": [10, 20, 30, 40, 50]}),
    ("sum:m{nosuch:*}", HOSTS, {}),
    ("sum:m{!nosuch:*,host:a}", HOSTS, {"": [1, 2, 3, 4, 5]}),
    # counts and rates
    ("sum:c{*}.as_count()", COUNTS, {"": [6, _, 12, 0, 6]}),
    ("sum:c{*}.as_rate()", COUNTS, {"": [0.1, _, 0.2, 0, 0.1]}),
    ("sum:c{*}.rollup(max, 300).as_count()", COUNTS, {"": [24]}),
    ("sum:c{*}.as_rate().rollup(sum, 300)", COUNTS, {"": [0.08]}),
    ("sum:c{*}.rollup(300)", COUNTS, {"": [6]}),
    ("sum:r{*}.as_count()", RATES, {"": [5, 10, _, 2.5, 20]}),
    ("sum:r{*}.as_rate()", RATES, {"": [0.5, 1, _, 0.25, 2]}),
    ("sum:m{*}.as_count()", GAUGE, {"": [1, 2, _, 4, -8]}),
    # gaps
    ("sum:m{*}.fill(zero)", GAUGE, {"": [1, 2, 0, 4, -8]}),
    ("sum:m{*}.fill(last)", GAUGE, {"": [1, 2, 2, 4, -8]}),
    ("sum:m{*}.fill(linear)", GAUGE, {"": [1, 2, 3, 4, -8]}),
    ("sum:m{*}.fill(last, 30)", GAUGE, {"": [1, 2, _, 4, -8]}),
    ("sum:m{*}.fill(0)", GAUGE, {"": [1, 2, 0, 4, -8]}),
    ("sum:m{*}.fill(60)", GAUGE, {"": [1, 2, 3, 4, -8]}),
    ("sum:m{*}", HOSTS, {"": [111, 22, 33, 44, 55]}),
    ("fill(sum:m{*}, 'last')", GAUGE, {"": [1, 2, 2, 4, -8]}),
    ("default_zero(sum:m{*})", GAUGE, {"": [1, 2, 3, 4, -8]}),
    ("default_zero(sum:m{*}.fill(null))", GAUGE, {"": [1, 2, 0, 4, -8]}),
    ("default_zero(sum:c{*}.as_count())", COUNTS, {"": [6, 0, 12, 0, 6]}),
    ("default_zero(sum:nothing{*})", COUNTS, {}),
    # distributions
    ("p50:d{*} by {host}", SPREAD, {"host:a": [2], "host:b": [5]}),
    ("p99:d{*}.rollup(avg, 60)", SPREAD, {"": [5]}),
    ("max:d{*}.rollup(min, 60)", SPREAD, {"": [9]}),
    ("avg:d{*}", SPREAD, {"": [4.25]}),
    ("stddev:d{host:b}", SPREAD, {"": [round(3**0.5, 9)]}),
    ("count(v: v>=5):d{*}", SPREAD, {"": [4]}),
    ("count(v: v<2):d{*} by {host}", SPREAD, {"host:a": [1], "host:b": [0]}),
    ("count:d{*}.as_rate()", SPREAD, {"": [round(8 / 60, 9)]}),
    ("default_zero(count:d{*})", SPREAD, {"": [8, 0, 0, 0, 0]}),
    # arithmetic
    ("sum:m{*} * 2 - 1", GAUGE, {"": [1, 3, _, 7, -17]}),
    ("-sum:m{*}", GAUGE, {"": [-1, -2, _, -4, 8]}),
    ("1 / (sum:m{*} - 2)", GAUGE, {"": [-1, _, _, 0.5, -0.1]}),
    ("sum:m{*} by {host} / sum:m{host:a}", HOSTS[:2], {"host:a": [1] * 5, "host:b": [10] * 5}),
    ("sum:c{*}.as_count() + sum:m{*}", [*COUNTS, *GAUGE], {"": [7, 2, _, 4, -2]}),
    ("sum:c{*}.as_count() * 100", COUNTS, {"": [600, _, 1200, 0, 600]}),
    ("2 * 3 + 1", GAUGE, {"": [7] * 5}),
    ("sum:m{*} by {host} + sum:m{*} by {host}.rollup(sum, 120)", HOSTS[:1], {"host:a": [4, _, 10, _, 10]}),
    # functions of a value
    ("abs(sum:m{*})", GAUGE, {"": [1, 2, _, 4, 8]}),
    ("log2(sum:m{*})", GAUGE, {"": [0, 1, _, 2, _]}),
    ("log10(sum:m{*} * 10)", GAUGE, {"": [1, 1.301029996, _, 1.602059991, _]}),
    ("round(sum:m{*} / 8)", GAUGE, {"": [0, 0, _, 1, -1]}),
    ("clamp_min(sum:m{*}, 2)", GAUGE, {"": [2, 2, 2, 4, 2]}),
    ("clamp_max(sum:m{*}, 2)", GAUGE, {"": [1, 2, 2, 2, -8]}),
    ("cutoff_min(sum:m{*}, 2)", GAUGE, {"": [_, 2, _, 4, _]}),
    ("cutoff_max(sum:m{*}, 2)", GAUGE, {"": [1, 2, _, _, -8]}),
    ("is_greater(sum:m{*}, 2)", GAUGE, {"": [0, 0, _, 1, 0]}),
    ("is_less(sum:m{*}, 2)", GAUGE, {"": [1, 0, _, 0, 1]}),
    ("is_between(sum:m{*}, 1, 4)", GAUGE, {"": [0, 1, _, 0, 0]}),
    ("min(sum:m{*}, 2)", GAUGE, {"": [1, 2, _, 2, -8]}),
    ("max(sum:m{host:a}, sum:m{host:b} / 8)", HOSTS, {"": [1.25, 2.5, 3.75, 5, 6.25]}),
    ("throughput(sum:m{*})", GAUGE, {"": [1 / 60, 1 / 30, _, 4 / 60, -8 / 60]}),
    # functions of a line
    ("cumsum(sum:m{*})", GAUGE, {"": [1, 3, _, 7, -1]}),
    ("integral(sum:m{*})", GAUGE, {"": [0, 60, _, 300, -420]}),
    ("diff(sum:m{*})", COUNTER, {"": [_, 4, _, 6, -15]}),
    ("monotonic_diff(sum:m{*})", COUNTER, {"": [_, 4, _, 6, _]}),
    ("dt(sum:m{*})", COUNTER, {"": [_, 60, _, 120, 60]}),
    ("derivative(sum:m{*})", COUNTER, {"": [_, 4 / 60, _, 0.05, -0.25]}),
    ("rate(sum:m{*})", COUNTER, {"": [_, 4 / 60, _, 0.05, -0.25]}),
    ("per_second(sum:m{*})", COUNTER, {"": [_, 4 / 60, _, 0.05, -0.25]}),
    ("per_minute(sum:m{*})", COUNTER, {"": [_, 4, _, 3, -15]}),
    ("per_hour(sum:m{*})", COUNTER, {"": [_, 240, _, 180, -900]}),
    ("ewma_3(sum:m{*})", GAUGE, {"": [1, 1.5, _, 2.75, -2.625]}),
    ("median_3(sum:m{*})", GAUGE, {"": [1, 1.5, _, 2, 2]}),
    ("rollingavg_5(sum:m{*})", GAUGE, {"": [1, 1.5, _, 7 / 3, -0.25]}),
    ("trend_line(sum:m{host:a} * 3)", HOSTS, {"": [3, 6, 9, 12, 15]}),
    ("robust_trend(sum:m{host:a} * 3)", HOSTS, {"": [3, 6, 9, 12, 15]}),
    ("autosmooth(sum:m{*})", GAUGE, {"": [1, 2, _, 4, -8]}),
    ("outliers(sum:m{*} by {host}, 'MAD', 3)", HOSTS[:1], {"host:a": [1, 2, 3, 4, 5]}),
    # functions of groups
    ("count_not_null(sum:m{*} by {host})", HOSTS, {"": [3, 3, 2, 2, 3]}),
    ("count_nonzero(sum:m{*} by {host})", HOSTS, {"": [3, 2, 2, 2, 2]}),
    ("count_nonzero_finite(sum:m{*} by {host})", HOSTS, {"": [3, 2, 2, 2, 2]}),
    ("exclude_null(sum:m{*} by {az})", HOSTS, {}),
    ("sum:m{host:a} by {az}", HOSTS, {"az:N/A": [1, 2, 3, 4, 5]}),
    ("top(sum:m{*} by {host}, 1, 'last', 'desc')", HOSTS, {"host:b": [10, 20, 30, 40, 50]}),
    ("top(sum:m{*} by {host}, 1, 'sum', 'asc')", HOSTS, {"host:a": [1, 2, 3, 4, 5]}),
    ("top5_max(sum:m{host:a} by {host})", HOSTS, {"host:a": [1, 2, 3, 4, 5]}),
    ("avg(sum:m{env:prod} by {host,env}, {env})", HOSTS, {"env:prod": [5.5, 11, 16.5, 22, 27.5]}),
    ("count(sum:m{*} by {host}, {*})", HOSTS, {"": [3, 3, 2, 2, 3]}),
    ("max(sum:m{*} by {host}, {*})", HOSTS, {"": [100, 20, 30, 40, 50]}),
    ("percentile(sum:m{*} by {host}, 'p50', {*})", HOSTS, {"": [10, 2, 3, 4, 5]}),
    ("reduce(sum:m{*} by {host}, 'max')", HOSTS[:1], {"host:a": [5] * 5}),
    # functions of time
    ("timeshift(sum:m{*}, -60)", GAUGE, {"": [_, 1, 2, _, 4]}),
    ("timeshift(sum:m{*}, 60)", GAUGE, {"": [_, 1, 2, _, 4]}),
    ("rollup(sum:m{*}, 'max', 120)", HOSTS[:1], {"": [2, _, 4, _, 5]}),
    ("rollup(rollup(sum:m{*}, 'max', 120), 'avg', 300)", HOSTS[:1], {"": [round(11 / 3, 9)]}),
    ("rollup(sum:m{*}, 'p50', 300)", HOSTS[:1], {"": [3]}),
    ("rollup(sum:m{*}, 'stddev', 300)", HOSTS[:1], {"": [round(2**0.5, 9)]}),
    ("moving_rollup(sum:m{*}, 120, 'sum')", GAUGE, {"": [1, 3, 2, 4, -4]}),
    ("moving_rollup(sum:m{*}, 180, 'median')", GAUGE, {"": [1, 1.5, 1.5, 3, -2]}),
]


def moved(data, seconds):
    return [replace(each, times=each.times + seconds) for each in data]


@pytest.mark.parametrize(("query", "data", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_query_answers(query, data, expected):
    assert ask(query, data) == wanted(expected)


@pytest.mark.parametrize(("query", "data", "expected"), CASES, ids=[case[0] for case in CASES])
def test_it_answers_the_same_in_every_equivalent_form(query, data, expected):
    assert ask(query, data[::-1]) == wanted(expected)
    assert ask(query, moved(data, WEEK), start=START + WEEK) == wanted(expected)
    assert ask(format(parse(query)), data) == wanted(expected)
    assert ask(query, SeriesSource([*data, series("unrelated", values=[1])])) == wanted(expected)


def test_every_function_that_has_a_formula_has_a_case():
    in_cases = {name for name in FUNCTIONS if any(f"{name}(" in query for query, _, _ in CASES)}
    families = {name.rstrip("0123456789") for name in in_cases if "_" in name}
    elsewhere = {"hour_before", "day_before", "week_before", "month_before", "calendar_shift"}
    for name in set(CALLS) - in_cases - elsewhere:
        assert name.rstrip("0123456789") in families or name.startswith(("top", "bottom")), name


@pytest.mark.parametrize(
    "name", [name for name, function in FUNCTIONS.items() if function.exactness == "unpublished"]
)
def test_a_function_without_a_published_formula_is_refused_by_its_name(name):
    call = {"anomalies": "anomalies(avg:m{*}, 'basic', 2)", "forecast": "forecast(avg:m{*}, 'linear', 1)"}
    with pytest.raises(QueryError, match=f"{name} cannot be evaluated offline"):
        evaluate(call.get(name, f"{name}(avg:m{{*}})"), GAUGE, START, START + 300)


def test_every_function_is_evaluated_or_said_to_have_no_formula():
    assert {name for name, each in FUNCTIONS.items() if each.exactness != "unpublished"} == set(CALLS)


@pytest.mark.parametrize(
    ("function", "seconds"),
    [("hour_before", 3600), ("day_before", 86400), ("week_before", WEEK), ("month_before", 28 * 86400)],
)
def test_the_value_of_an_earlier_time(function, seconds):
    data = [series(values=[1, 2, 3], start=START - seconds), series(values=[9, 9, 9])]
    assert line(f"{function}(avg:m{{*}})", data) == row([1, 2, 3])


def test_the_calendar_shifts_by_local_days_and_months():
    noon = 1_711_882_800  # 2024-03-31 13:00 in Berlin, the day of the change to summer time
    day_before = noon - 23 * 3600
    data = [series(values=[7], start=day_before), series(values=[8], start=noon - 24 * 3600)]
    asked = {"seconds": 60, "start": noon}
    assert line("calendar_shift(avg:m{*}, '-1d', 'Europe/Berlin')", data, **asked) == {0: 7}
    assert line("calendar_shift(avg:m{*}, '-1d', 'UTC')", data, **asked) == {0: 8}
    month = [series(values=[5], start=1_709_208_000)]  # 2024-02-29 12:00 UTC
    assert line("calendar_shift(avg:m{*}, '-1mo', 'UTC')", month, seconds=60, start=noon - 3600 + 2400) == {}
    assert line("calendar_shift(avg:m{*}, '-1mo', 'UTC')", month, seconds=60, start=1_711_886_400) == {0: 5}
    with pytest.raises(QueryError, match="there is no time zone 'Europe/Atlantis'"):
        line("calendar_shift(avg:m{*}, '-1d', 'Europe/Atlantis')", data, **asked)


def test_calendar_rollups_are_days_weeks_and_months_of_a_zone():
    monday = 1_704_067_200  # 2024-01-01 00:00 UTC, a Monday
    data = [series(values=[1] * 24 * 40, every=3600, start=monday)]
    found = evaluate("sum:m{*}.rollup(sum, weekly)", data, monday, monday + 40 * 86400)[0]
    assert found.values.tolist() == [168, 168, 168, 168, 168, 120]
    assert found.interval == WEEK
    found = evaluate("sum:m{*}.rollup(sum, 'monthly', 'UTC')", data, monday, monday + 39 * 86400)[0]
    assert found.values.tolist() == [31 * 24, 9 * 24]
    found = evaluate(
        "rollup(sum:m{*}.rollup(sum, 3600), 'sum', 'daily')", data, monday, monday + 3 * 86400 - 1
    )[0]
    assert found.values.tolist() == [24, 24, 24]


def test_a_trend_that_is_robust_ignores_one_spike():
    values = [float(at) for at in range(20)]
    values[10] = 500
    data = [series(values=values)]
    robust = line("robust_trend(avg:m{*})", data, seconds=1200)
    plain = line("trend_line(avg:m{*})", data, seconds=1200)
    assert robust[0] == pytest.approx(0, abs=0.5)
    assert abs(plain[0]) > 10


def test_autosmooth_smooths_noise_and_keeps_a_spike():
    noise = [float(at % 2) for at in range(100)]
    smooth = line("autosmooth(avg:m{*})", [series(values=noise)], seconds=6000)
    assert set(smooth.values()) == {0.5}


def test_groups_of_one_side_only_are_left_out():
    data = [series("a", "host:x", [1]), series("a", "host:y", [1]), series("b", "host:y", [2])]
    assert ask("sum:a{*} by {host} / sum:b{*} by {host}", data) == {"host:y": row([0.5])}


def test_keys_in_another_order_still_join():
    data = [series("a", "x:1 y:2", [6]), series("b", "x:1 y:2", [3])]
    assert ask("sum:a{*} by {x,y} / sum:b{*} by {y,x}", data) == {"x:1 y:2": row([2])}


def test_a_source_with_two_values_of_a_key_belongs_to_both_groups():
    data = [series(tags="team:a team:b", values=[1]), series(tags="team:b", values=[2])]
    assert ask("sum:m{*} by {team}", data) == {"team:a": row([1]), "team:b": row([3])}
    raw = [distribution("d", "team:a team:b", [1, 2]), distribution("d", "team:b", [9])]
    assert ask("p50:d{*} by {team}", raw) == {"team:a": row([1]), "team:b": row([2])}


def test_a_comma_list_answers_line_by_line():
    found = evaluate("sum:m{host:a}, sum:m{host:b} * 2", HOSTS, START, START + 299, 60)
    assert [each.query_index for each in found] == [0, 1]
    assert [each.values.tolist() for each in found] == [[1, 2, 3, 4, 5], [20, 40, 60, 80, 100]]
    assert [each.metric for each in found] == ["m", "(m * 2)"]


def test_a_formula_takes_its_queries_by_name():
    queries = {"query1": "sum:m{host:b}", "query2": parse("sum:m{host:a}")}
    assert line("query1 / query2", HOSTS, queries=queries) == row([10] * 5)
    with pytest.raises(QueryError, match="no query is named 'query3'"):
        line("query1 / query3", HOSTS, queries=queries)
    with pytest.raises(QueryError, match="must be a single query"):
        line("a", HOSTS, queries={"a": "b + 1", "b": "sum:m{*}"})


VARIABLES = [
    ({"host": "host:a"}, "sum:m{$host}", [1, 2, 3, 4, 5]),
    ({"host": "*"}, "sum:m{$host,host:a}", [1, 2, 3, 4, 5]),
    ({"host": "host:a,host:b"}, "sum:m{$host}", [11, 22, 33, 44, 55]),
    ({"host": "host:a"}, "sum:m{host:$host.value}", [1, 2, 3, 4, 5]),
    ({"host": "a"}, "sum:m{host:$host}", [1, 2, 3, 4, 5]),
    ({"host": "a,b"}, "sum:m{host IN ($host.value)}", [11, 22, 33, 44, 55]),
    (
        {"e": "env:dev", "host": "host:b"},
        "sum:m{!$e AND $host}".replace("!$e", "NOT $e"),
        [10, 20, 30, 40, 50],
    ),
]


@pytest.mark.parametrize(("variables", "query", "values"), VARIABLES)
def test_a_template_variable_stands_for_tags(variables, query, values):
    assert line(query, HOSTS, variables=variables) == row(values)


def test_a_template_variable_without_a_value_is_named():
    with pytest.raises(QueryError, match=r"the template variable \$env has no value") as refused:
        line("sum:m{$env}", HOSTS)
    assert refused.value.text[refused.value.start : refused.value.end] == "$env"


def test_a_percentile_of_a_gauge_says_what_it_needs():
    with pytest.raises(QueryError, match="p95 needs a distribution, and m is a gauge"):
        line("p95:m{*}", GAUGE)
    with pytest.raises(QueryError, match="a threshold count needs a distribution"):
        line("count(v: v>1):m{*}", GAUGE)


def test_an_interval_that_makes_too_many_points_is_widened():
    data = [series(values=[1] * 3600, every=1)]
    found = evaluate("avg:m{*}", data, START, START + 3600, 1)[0]
    assert found.interval == 5
    assert evaluate("avg:m{*}.rollup(sum, 2)", data, START, START + 3600)[0].interval == 5
    assert (
        evaluate("avg:m{*}", data, START, START + 3600, 1, switches=Switches(most_points=5000))[0].interval
        == 1
    )


def test_a_monitor_sees_nothing_that_comes_after_its_window():
    data = [series(values=[1, 2, 3, 4, 5])]
    lines = evaluate_lines("sum:m{*}.rollup(sum, 120)", data, START, START + 180, 60)
    assert lines.times.tolist() == [START, START + 120]
    assert lines.values.tolist() == [[3, 3]]
    lines = evaluate_lines("sum:m{*}.rollup(sum, 3600)", data, START + 60, START + 180, 60)
    assert lines.values.shape == (1, 1)


MONITORED = [
    "avg:m{*} by {host}",
    "sum:m{env:prod} / sum:m{host:a}",
    "abs(max:m{*} by {host}.rollup(max, 120))",
]


def cut_out(lines, ends, aggregator):
    """The windows of 4 minutes that end there, each as one value."""
    first, last = np.searchsorted(lines.times, ends - 240), np.searchsorted(lines.times, ends)
    return reduce_ranges(lines.values, first, last, aggregator)


@pytest.mark.parametrize("query", MONITORED)
@pytest.mark.parametrize("aggregator", ["avg", "sum", "min", "max", "count", "last", "p50"])
def test_windows_cut_from_one_evaluation_are_those_evaluated_alone(query, aggregator):
    data = [replace(each, times=np.repeat(each.times, 1)) for each in HOSTS[:2]]
    assert not windowed(parse(query))
    whole = evaluate_lines(query, data, START - 600, START + 600, 60)
    ends = np.arange(START, START + 600, 120)
    cut = cut_out(whole, ends, aggregator)
    for place, end in enumerate(ends.tolist()):
        alone = evaluate_lines(query, data, end - 240, end, 60)
        theirs = cut_out(alone, np.array([end]), aggregator)[:, 0].tolist() or [np.nan] * len(whole.groups)
        assert cut[:, place].tolist() == pytest.approx(theirs, nan_ok=True)


def test_what_depends_on_the_window_or_on_empty_buckets_is_known():
    assert windowed(parse("cumsum(avg:m{*})"))
    assert windowed(parse("default_zero(avg:m{*})"))
    assert not windowed(parse("abs(avg:m{*}) / sum:m{*}.as_count()"))
    assert only_points(parse("abs(avg:m{*})"))
    assert not only_points(parse("avg:m{*}.fill(zero)"))


REDUCED = [
    ("avg", 2),
    ("mean", 2),
    ("min", 1),
    ("max", 3),
    ("sum", 6),
    ("last", 3),
    ("count", 3),
    ("area", 360),
]


@pytest.mark.parametrize(
    ("aggregator", "value"), [*REDUCED, ("l2norm", 14**0.5), ("p50", 2), ("percentile", 2)]
)
def test_a_line_is_reduced_to_one_value(aggregator, value):
    assert reduce_line(np.array([1, np.nan, 2, 3]), aggregator, 60) == pytest.approx(value)


def test_a_line_without_points_has_no_value():
    assert np.isnan(reduce_line(np.array([np.nan]), "sum"))


def test_an_answer_says_what_it_is():
    answer = evaluate("avg:m{env:prod} by {host}", HOSTS, START, START + 299, 60)[0]
    assert (answer.metric, answer.aggregator, answer.scope) == ("m", "avg", "env:prod,host:a")
    assert (answer.tag_set, answer.group_by) == (("host:a",), ("host",))
    assert answer.expression == "avg:m{env:prod,host:a}"
    answer = evaluate("sum:m{*} by {host} / 2", HOSTS, START, START + 299, 60)[0]
    assert (answer.metric, answer.scope, answer.expression) == ("(m / 2)", "host:a", "sum:m{host:a} / 2")


def test_an_answer_without_lines_names_its_grouping():
    found = body("avg:nothing{*} by {host}", START, START + 60, [])
    assert (found["series"], found["group_by"]) == ([], ["host"])


VALUES = st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=8)
SAMPLE_QUERIES = st.sampled_from([case[0] for case in CASES])


@settings(max_examples=150, deadline=None)
@given(
    SAMPLE_QUERIES,
    st.lists(VALUES, min_size=1, max_size=4),
    st.sampled_from(["gauge", "count", "rate"]),
    st.integers(1, 90),
)
def test_any_points_are_answered_finitely_in_any_order_at_any_time(query, rows, kind, every):
    data = [
        series(metric, f"host:h{at} env:{'prod' if at % 2 else 'dev'}", values, every, type=kind)
        for metric, (at, values) in itertools.product("mcr", enumerate(rows))
    ]
    data += [
        distribution("d", f"host:h{at}", [value for value in values if value is not None])
        for at, values in enumerate(rows)
    ]
    found = ask(query, data)
    assert all(np.isfinite(value) for points in found.values() for value in points.values())
    again = ask(query, moved(data, WEEK)[::-1], start=START + WEEK)
    assert again == {tags: pytest.approx(points, abs=1e-6) for tags, points in found.items()}
