"""The tables of the query language: intervals, calendar rollups, functions of a bucket alone, comparisons, names.

Sources: https://docs.datadoghq.com/dashboards/functions/rollup/ (intervals by time frame),
https://docs.datadoghq.com/dashboards/functions/ (functions), recorded answers of the API (docs/query.md).
"""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from query_cases import START, distribution, line, series

from monitoring.query import evaluate, parse
from monitoring.query.calls import CALLS, _earlier
from monitoring.query.cursor import DEEPEST
from monitoring.query.decided import _same
from monitoring.query.errors import QueryError, nearest
from monitoring.query.evaluation import windowed
from monitoring.query.frame import EvaluationFrame
from monitoring.query.gaps import filled
from monitoring.query.grid import CALENDAR, default_interval
from monitoring.query.series import Series
from monitoring.query.sources import _ascending
from monitoring.query.switches import Switches

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("span", "interval"),
    [
        (HOUR, 20),
        (4 * HOUR, 60),
        (DAY, 300),
        (2 * DAY, 600),
        (7 * DAY, HOUR),
        (30 * DAY, 4 * HOUR),
    ],
)
def test_an_interval_is_that_of_the_documented_table(span, interval):
    assert default_interval(span) == interval


STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR]
STEPS += [days * DAY for days in (1, 2, 4, 7, 14, 28)]


@pytest.mark.parametrize(("step", "after"), list(zip(STEPS, [*STEPS[1:], 29 * DAY], strict=True)))
def test_an_interval_is_the_next_of_the_ladder_that_makes_at_most_300_buckets(step, after):
    assert default_interval(300 * step) == step
    assert default_interval(300 * step + 1) == after
    assert default_interval(10 * step, most=10) == step


@pytest.mark.parametrize("days", [29, 30, 365])
def test_beyond_the_ladder_an_interval_is_of_whole_days(days):
    assert default_interval(300 * days * DAY - 1) == days * DAY


def test_a_calendar_rollup_names_a_day_a_week_and_thirty_days():
    assert CALENDAR == {"daily": DAY, "weekly": 7 * DAY, "monthly": 30 * DAY}


OF_A_BUCKET = {
    "arithmetic": ["abs", "log2", "log10", "round"],
    "exclusion": ["cutoff_min", "cutoff_max", "exclude_null"],
    "aggregation": ["count_nonzero", "count_not_null", "min", "max"],
    "comparison": ["is_greater", "is_less", "is_between", "clamp_min", "clamp_max", "outliers"],
    "time": ["timeshift", "hour_before", "day_before", "week_before", "month_before", "moving_rollup"],
}
OF_A_WINDOW = [
    "cumsum",
    "integral",
    "diff",
    "derivative",
    "per_second",
    "dt",
    "ewma_3",
    "median_5",
    "top",
    "fill",
]
OF_A_WINDOW += [
    "rollingavg_13",
    "autosmooth",
    "trend_line",
    "robust_trend",
    "default_zero",
    "anomalies",
    "forecast",
]
ARGUMENTS = {
    "top": "10, 'mean', 'desc'",
    "anomalies": "'basic', 2",
    "forecast": "'linear', 1",
    "fill": "'zero'",
}
ARGUMENTS |= {
    "is_between": "1, 2",
    "outliers": "'DBSCAN', 3",
    "timeshift": "-60",
    "moving_rollup": "60, 'avg'",
}
ARGUMENTS |= dict.fromkeys(
    ["is_greater", "is_less", "clamp_min", "clamp_max", "cutoff_min", "cutoff_max"], "1"
)
ARGUMENTS |= {"exclude_null": "", **dict.fromkeys(["count_nonzero", "count_not_null"], "")}


def called(name):
    more = f", {ARGUMENTS[name]}" if ARGUMENTS.get(name) else ""
    return f"{name}(avg:a{{*}} by {{host}}{more})"


@pytest.mark.parametrize(
    ("name", "depends"),
    [(name, False) for names in OF_A_BUCKET.values() for name in names]
    + [(name, True) for name in OF_A_WINDOW],
)
def test_a_function_of_a_bucket_alone_does_not_depend_on_the_window(name, depends):
    text = f"{name}(avg:a{{*}}, avg:b{{*}})" if name in {"min", "max"} else called(name)
    assert windowed(parse(text)) is depends
    assert windowed(parse(f"1 + {text} * 2")) is depends


SPANS = {"ewma": (3, 5, 7, 10, 20), "median": (3, 5, 7, 9), "rollingavg": (5, 13, 21, 29)}


@pytest.mark.parametrize(("kind", "span"), [(kind, span) for kind, spans in SPANS.items() for span in spans])
def test_a_smoothing_looks_back_over_as_many_points_as_its_name_says(kind, span):
    values = [100.0, *[0.0] * (span + 1)]
    smoothed = list(line(f"{kind}_{span}(avg:m{{*}})", [series(values=values)], 60 * len(values)).values())
    if kind == "rollingavg":
        assert smoothed[span - 1] == pytest.approx(100 / span)
        assert smoothed[span] == 0
    elif kind == "median":
        back = (span + 1) // 2
        rising = [float(value) for value in range(2 * span)]
        smoothed = line(f"median_{span}(avg:m{{*}})", [series(values=rising)], 120 * span)
        assert smoothed[60 * (2 * span - 1)] == 2 * span - back
    else:
        assert smoothed[1] / smoothed[0] == pytest.approx(1 - 2 / (span + 1))


def test_every_smoothing_is_one_of_the_documented():
    names = {name for name in CALLS if name.rpartition("_")[0] in SPANS}
    assert names == {f"{kind}_{span}" for kind, spans in SPANS.items() for span in spans}


# --- errors: docs/query.md ("What is wrong is shown in its place")


@pytest.mark.parametrize("length", [10, 139, 140, 141, 142, 400])
@pytest.mark.parametrize("part", [0, 0.5, 1])
def test_a_query_is_shown_in_at_most_140_characters_with_the_place_under_a_mark(length, part):
    at = min(int(length * part), length - 1)
    text = "".join(chr(ord("a") + place % 26) for place in range(length))
    line, mark = QueryError(text, "wrong", at, at + 1).caret().splitlines()
    shown, column = line.strip(), mark.index("^") - (len(line) - len(line.lstrip()))
    assert shown[column] == text[at]
    assert len(shown.strip("…")) == min(length, 140)
    assert (shown.strip("…") == text) == (length <= 140)
    assert mark.count("^") == 1


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("is_greater", ["is_great", "is_greaters", "is_less"], "is_greaters"),
        ("abcd", ["abcx", "abcde", "abzz"], "abcde"),
        ("ABS", ["abs", "abss"], "abs"),
        ("xyz", ["abs"], ""),
        ("abs", [], ""),
    ],
)
def test_of_several_names_the_one_most_alike_is_meant(word, known, meant):
    assert nearest(word, known) == nearest(word, known[::-1]) == meant


# --- answers


@pytest.mark.parametrize(
    ("query", "expressions"),
    [
        ("avg:m{*}", {"avg:m{*}"}),
        ("avg:m{host:a}", {"avg:m{host:a}"}),
        ("avg:m{*} by {host}", {"avg:m{host:a}", "avg:m{host:b}"}),
        ("avg:m{*} + 1", {"avg:m{*} + 1"}),
    ],
)
def test_an_answer_names_its_expression_and_of_a_group_its_tags(query, expressions):
    points = [series(tags=f"host:{host}", values=[1.0, 2.0]) for host in "ab"]
    answers = evaluate(query, points, START, START + 119, 60)
    assert {answer.expression for answer in answers} == expressions


def answer(values, scope="*", times=(0, 60)):
    class Answer:
        pass

    made = Answer()
    made.scope, made.times, made.values = scope, np.array(times), np.array(values)
    return made


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        (answer([1.0, 2.0]), answer([1.0, 2.0]), True),
        (answer([1.0, math.nan]), answer([1.0, math.nan]), True),
        (answer([1.0, 2.0]), answer([1.0 + 1e-12, 2.0]), True),
        (answer([1.0, 2.0]), answer([1.0 + 1e-7, 2.0]), False),
        (answer([1e6, 2.0]), answer([1e6 + 1, 2.0]), False),
        (answer([1.0, 2.0]), answer([1.0, 2.0], scope="host:a"), False),
        (answer([1.0, 2.0]), answer([1.0, 2.0], times=(0, 120)), False),
        (answer([1.0, 2.0]), answer([1.0, math.nan]), False),
    ],
)
def test_a_switch_decides_where_scope_times_or_values_differ(first, other, same):
    assert _same([first], [other]) is same
    assert _same([first, first], [first]) is False


def test_a_frame_that_is_moved_back_is_cut_off_as_much_earlier():
    frame = EvaluationFrame((), 1000.0, 2000.0, 60, Switches(), "q", until=1500.0)
    moved = frame.shifted(100, parse("avg:a{*}"))
    assert (moved.start, moved.end, moved.until) == (900.0, 1900.0, 1400.0)
    endless = EvaluationFrame((), 1000.0, 2000.0, 60, Switches(), "q").shifted(100, parse("avg:a{*}"))
    assert endless.until == math.inf


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("linear", [math.nan, 1.0, 2.0, 3.0, 3.0, 3.0]),
        ("last", [math.nan, 1.0, 1.0, 3.0, 3.0, 3.0]),
        ("zero", [math.nan, 1.0, 0.0, 3.0, 0.0, 0.0]),
        ("null", [math.nan, 1.0, math.nan, 3.0, math.nan, math.nan]),
    ],
)
def test_a_gap_is_filled_by_its_method_and_what_follows_the_last_point_stays_level(method, expected):
    values = np.array([[math.nan, 1.0, math.nan, 3.0, math.nan, math.nan]])
    times = np.arange(6) * 60
    np.testing.assert_array_equal(filled(values, times, method, 300), [expected])


# --- time: https://docs.datadoghq.com/dashboards/functions/timeshift/ (calendar_shift)


@pytest.mark.parametrize(
    ("day", "count", "unit", "earlier"),
    [
        ("2026-03-31", 1, "mo", "2026-02-28"),
        ("2024-03-31", 1, "mo", "2024-02-29"),
        ("2026-01-31", 1, "mo", "2025-12-31"),
        ("2026-01-15", 1, "mo", "2025-12-15"),
        ("2026-12-31", 1, "mo", "2026-11-30"),
        ("2026-12-31", 12, "mo", "2025-12-31"),
        ("2025-01-31", 2, "mo", "2024-11-30"),
        ("2026-12-15", 24, "mo", "2024-12-15"),
        ("2026-03-01", 1, "d", "2026-02-28"),
        ("2026-01-01", 1, "w", "2025-12-25"),
        ("2026-01-01", 24, "h", "2025-12-31"),
    ],
)
def test_a_calendar_shift_goes_back_to_the_same_day_or_the_last_of_its_month(day, count, unit, earlier):
    def noon(text):
        return int(datetime.fromisoformat(f"{text}T12:00:00+00:00").timestamp())

    assert _earlier(noon(day), count, unit, UTC) == noon(earlier)


def test_a_day_back_keeps_the_time_of_the_clock_and_an_hour_back_does_not():
    berlin = ZoneInfo("Europe/Berlin")
    noon = int(datetime(2026, 3, 29, 12, tzinfo=berlin).timestamp())  # the clocks went forward that night
    assert noon - _earlier(noon, 1, "d", berlin) == 23 * HOUR
    assert noon - _earlier(noon, 24, "h", berlin) == 24 * HOUR


@pytest.mark.parametrize(
    ("times", "gauge", "spread"),
    [
        ([0, 60], True, True),
        ([0, 0], False, True),
        ([60, 0], False, False),
        ([], True, True),
        ([5], True, True),
    ],
)
def test_only_a_distribution_has_several_points_at_a_time(times, gauge, spread):
    values = np.zeros(len(times))
    for kind, ascending in (("gauge", gauge), ("count", gauge), ("distribution", spread)):
        made = Series("m", (), np.array(times, dtype=np.int64), values, kind)
        assert _ascending(made) is ascending


def test_a_query_that_is_nested_too_deeply_is_marked_where_it_goes_too_deep():
    text = "(" * (DEEPEST + 5) + "avg:a{*}" + ")" * (DEEPEST + 5)
    with pytest.raises(QueryError, match=f"more than {DEEPEST} levels") as raised:
        parse(text)
    assert raised.value.end - raised.value.start == 1
    assert text[raised.value.start] == "("


@pytest.mark.parametrize("function", ["per_second", "per_minute", "per_hour", "diff"])
def test_the_rate_of_a_distribution_is_that_of_its_pooled_values(function):
    points = [distribution("d", "host:a", [60.0], START), distribution("d", "host:a", [120.0], START + 60)]
    (value,) = line(f"{function}(sum:d{{*}})", points, 120).values()
    assert value == {"per_second": 1, "per_minute": 60, "per_hour": 3600, "diff": 60}[function]
