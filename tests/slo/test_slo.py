"""Objectives over time: Datadog's documented examples, and properties against the plainest calculation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Data, evaluate_monitor
from monitoring.query import QueryError
from monitoring.query.series import Series
from monitoring.slo import Inputs, Slo, budget_remaining, correction_intervals, evaluate_slo, slo_state
from monitoring.slo.intervals import covered, union, without

START = 1772323200
"""2026-03-01T00:00:00Z, a Sunday."""
HOUR, DAY = 3600, 86400


def counts(metric, values, *tags, every=60, start=START):
    times = np.arange(len(values), dtype=np.int64) * every + start
    return Series(metric, tags, times, np.array(values, float), "count", every)


def gauge(metric, values, *tags, every=60, start=START):
    times = np.arange(len(values), dtype=np.int64) * every + start
    return Series(metric, tags, times, np.array(values, float), "gauge", None)


def metric_slo(good="sum:good{*}.as_count()", total="sum:all{*}.as_count()", **more):
    body = {"name": "s", "type": "metric", "query": {"numerator": good, "denominator": total}, **more}
    return Slo.from_body({"thresholds": [{"timeframe": "7d", "target": 99}], **body})


def slice_slo(query, comparator, threshold, seconds=300):
    spec = {
        "query": {
            "formulas": [{"formula": "q"}],
            "queries": [{"data_source": "metrics", "name": "q", "query": query}],
        },
        "comparator": comparator,
        "threshold": threshold,
        "query_interval_seconds": seconds,
    }
    return Slo.from_body({"name": "s", "type": "time_slice", "sli_specification": {"time_slice": spec}})


def history_of(bodies, series):
    """The monitors' evaluations, by id, over the series."""

    def history(ident, start, end):
        body = bodies.get(ident)
        return body and evaluate_monitor(Monitor.from_body(body), Data(series), start, end - 60)

    return history


@pytest.mark.parametrize(
    ("sli", "target", "left"), [(100, 99, 100), (99.5, 99, 50), (99, 99, 0), (98, 99, -100), (None, 99, None)]
)
def test_the_budget_that_is_left_follows_the_documented_formula(sli, target, left):
    assert budget_remaining(sli, target) == (left if left is None else pytest.approx(left))


@pytest.mark.parametrize(
    ("sli", "state"), [(100, "ok"), (99.5, "ok"), (99.2, "warning"), (98.9, "breached"), (None, "no_data")]
)
def test_warning_is_the_stricter_of_the_two_limits(sli, state):
    assert slo_state(sli, 99, 99.5) == state


def test_the_sli_of_metrics_is_good_of_all_events_whatever_the_bucket():
    series = [counts("good", [9, 10, 8, 10]), counts("all", [10, 10, 10, 10])]
    found = evaluate_slo(metric_slo(), Inputs(series), START, START + 7 * DAY)
    assert (found.overall.good, found.overall.total) == (37, 40)
    assert found.overall.sli == pytest.approx(92.5)
    assert found.interval == 3600 and found.times[0] == START and len(found.times) == 168


def test_an_error_metric_that_was_never_sent_leaves_the_good_events_in_the_total():
    slo = metric_slo(total="sum:good{*}.as_count() + sum:bad{*}.as_count() + sum:worse{*}.as_count()")
    series = [counts("good", [5, 5]), counts("bad", [0, 1])]
    assert evaluate_slo(slo, Inputs(series), START, START + HOUR).overall.sli == pytest.approx(100 * 10 / 11)


def test_groups_without_a_failure_stay_in_the_objective():
    slo = metric_slo(
        "sum:good{*} by {az}.as_count()", "sum:good{*} by {az}.as_count() + sum:bad{*} by {az}.as_count()"
    )
    series = [counts("good", [6], "az:a"), counts("good", [4], "az:b"), counts("bad", [4], "az:b")]
    found = evaluate_slo(slo, Inputs(series), START, START + HOUR)
    assert {one.name: one.sli for one in found.groups} == {"az:a": 100, "az:b": 50}
    assert found.overall.sli == pytest.approx(100 * 10 / 14) and found.group_by == ("az",)


def test_bad_events_may_be_given_instead_of_all():
    spec = {
        "good_events_formula": {"formula": "g"},
        "bad_events_formula": {"formula": "b * 2"},
        "queries": [
            {"data_source": "metrics", "name": "g", "query": "sum:good{*}.as_count()"},
            {"data_source": "metrics", "name": "b", "query": "sum:bad{*}.as_count()"},
        ],
    }
    slo = Slo.from_body({"name": "s", "type": "metric", "sli_specification": {"count": spec}})
    found = evaluate_slo(slo, Inputs([counts("good", [6]), counts("bad", [2])]), START, START + HOUR)
    assert (found.overall.good, found.overall.total) == (6, 10)


def test_an_added_filter_narrows_every_query():
    series = [counts("good", [1], "env:a"), counts("good", [9], "env:b")]
    series += [counts("all", [4], "env:a"), counts("all", [9], "env:b")]
    found = evaluate_slo(metric_slo(), Inputs(series, scope="env:a"), START, START + HOUR)
    assert found.overall.sli == 25


def test_events_in_a_corrected_minute_are_not_counted():
    series = [counts("good", [10, 0, 10, 10]), counts("all", [10, 10, 10, 10])]
    fix = [{"start": START + 60, "end": START + 120}]
    found = evaluate_slo(metric_slo(), Inputs(series), START, START + HOUR, fix)
    assert (found.overall.good, found.overall.total) == (30, 30)
    assert found.corrections == ((START + 60, START + 120),)


def test_nothing_known_is_no_data_and_not_a_breach():
    found = evaluate_slo(metric_slo(), Inputs([]), START, START + DAY)
    assert found.overall.sli is None and slo_state(found.overall.sli, 99) == "no_data"


def test_one_bad_slice_of_five_minutes_in_twelve_hours_as_documented():
    values = [1.0] * 720
    values[100:105] = [9.0] * 5
    slo = slice_slo("avg:latency{*}", "<=", 2.5)
    found = evaluate_slo(slo, Inputs([gauge("latency", values)]), START, START + 12 * HOUR)
    assert found.overall.sli == pytest.approx(715 / 720 * 100)
    assert found.overall.transitions == ((START, 0), (START + 6000, 1), (START + 6300, 0))


def test_a_slice_is_down_overall_while_any_group_is_as_documented():
    dev, prod = [1.0] * 720, [1.0] * 720
    dev[10:15], prod[400:405] = [9.0] * 5, [9.0] * 5
    series = [gauge("latency", dev, "env:dev"), gauge("latency", prod, "env:prod")]
    slo = slice_slo("avg:latency{*} by {env}", "<", 2)
    found = evaluate_slo(slo, Inputs(series), START, START + 12 * HOUR)
    assert [one.sli for one in found.groups] == [pytest.approx(715 / 720 * 100)] * 2
    assert found.overall.sli == pytest.approx(710 / 720 * 100)


def test_missing_slices_are_uptime_and_so_are_corrected_ones():
    values = [1.0] * 10 + [9.0] * 10
    slo = slice_slo("avg:latency{*}", "<", 2, 60)
    inputs = Inputs([gauge("latency", values)])
    found = evaluate_slo(slo, inputs, START, START + 40 * 60)
    assert found.overall.sli == pytest.approx(75)
    assert found.overall.transitions == ((START, 0), (START + 600, 1), (START + 1200, 2))
    fixed = evaluate_slo(slo, inputs, START, START + 40 * 60, [{"start": START + 600, "end": START + 900}])
    assert fixed.overall.sli == pytest.approx(87.5) and fixed.overall.total == 2400


def monitors(*alerting):
    """Three monitors over ten minutes; each alerts in the named minutes."""
    bodies, series = {}, []
    for at, minutes in enumerate(alerting, 1):
        values = [9.0 if minute in minutes else 1.0 for minute in range(10)]
        series.append(gauge(f"m{at}", values))
        query = f"max(last_1m):max:m{at}{{*}} > 5"
        bodies[at] = {"type": "metric alert", "name": f"m{at}", "query": query, "id": at}
    return bodies, series


def test_the_documented_table_of_three_monitors():
    bodies, series = monitors({4}, {8}, {2, 4})
    slo = Slo.from_body({"name": "s", "type": "monitor", "monitor_ids": [1, 2, 3]})
    # the window of an evaluation is the minute before it, so states begin a minute later
    start, end = START + 60, START + 660
    found = evaluate_slo(slo, Inputs((), history_of(bodies, series)), start, end)
    assert [(one.name, one.sli) for one in found.groups] == [
        ("1", pytest.approx(90)),
        ("2", pytest.approx(90)),
        ("3", pytest.approx(80)),
    ]
    assert found.overall.sli == pytest.approx(70)


def test_time_that_is_corrected_is_taken_out_of_a_monitors_total():
    bodies, series = monitors({4, 5})
    slo = Slo.from_body({"name": "s", "type": "monitor", "monitor_ids": [1]})
    inputs = Inputs((), history_of(bodies, series))
    fix = [{"start": START + 60, "end": START + 240}, {"start": START + 300, "end": START + 360}]
    found = evaluate_slo(slo, inputs, START + 60, START + 660, fix)
    assert (found.overall.total, found.overall.total - found.overall.good) == (360, 60)


@pytest.mark.parametrize(
    ("options", "sli"),
    [
        ({"on_missing_data": "show_no_data"}, 100),
        ({"on_missing_data": "show_and_notify_no_data"}, 50),
        ({"on_missing_data": "resolve"}, 100),
    ],
)
def test_missing_data_counts_as_the_monitor_is_set(options, sli):
    series = [gauge("m", [1.0] * 10)]
    body = {"type": "metric alert", "query": "max(last_1m):max:m{*} > 5", "options": options}
    slo = Slo.from_body({"name": "s", "type": "monitor", "monitor_ids": [7]})
    found = evaluate_slo(slo, Inputs((), history_of({7: body}, series)), START + 60, START + 60 + 1200)
    assert found.overall.sli == pytest.approx(sli)


def test_only_the_chosen_groups_of_a_multi_alert_count():
    series = [gauge("m", [1.0] * 10, "az:a"), gauge("m", [9.0] * 10, "az:b")]
    body = {"type": "metric alert", "query": "max(last_1m):max:m{*} by {az} > 5"}
    bodies = {7: {**body, "options": {"new_group_delay": 0}}}
    inputs = Inputs((), history_of(bodies, series))
    body = {"name": "s", "type": "monitor", "monitor_ids": [7]}
    of_all = evaluate_slo(Slo.from_body(body), inputs, START + 120, START + 600)
    chosen = evaluate_slo(Slo.from_body({**body, "groups": ["az:a"]}), inputs, START + 120, START + 600)
    assert (of_all.overall.sli, chosen.overall.sli) == (0, 100)


def test_a_monitor_that_is_not_known_is_said():
    slo = Slo.from_body({"name": "s", "type": "monitor", "monitor_ids": [7]})
    with pytest.raises(InputError, match="none of the SLO's monitors was found"):
        evaluate_slo(slo, Inputs(), START, START + 60)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "synthetic"}, "cannot be of type"),
        ({"type": "metric"}, "needs two queries"),
        ({"type": "time_slice"}, "needs a condition"),
        ({"type": "metric", "query": {}, "thresholds": [{"target": 100}]}, "between 0 and 100"),
        ({"type": "metric", "query": {}, "thresholds": [{"target": "x"}]}, "not a number"),
    ],
)
def test_a_body_that_cannot_be_used_says_why(body, message):
    with pytest.raises(InputError, match=message):
        Slo.from_body(body)


def test_a_query_that_cannot_be_read_is_a_query_error():
    with pytest.raises(QueryError):
        evaluate_slo(metric_slo(good="sum:good{"), Inputs([]), START, START + 60)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;COUNT=3", [0, 1, 2]),
        ("FREQ=DAILY;INTERVAL=2", [0, 2, 4, 6]),
        ("RRULE:FREQ=WEEKLY;COUNT=3", [0, 7, 14]),
        ("FREQ=WEEKLY;BYDAY=SA,SU;COUNT=4", [0, 6, 7, 13]),
        ("FREQ=DAILY;BYDAY=MO,TU;COUNT=3", [1, 2, 8]),
        ("FREQ=DAILY;UNTIL=20260303T000000Z", [0, 1, 2]),
        ("FREQ=MONTHLY;COUNT=3", [0, 31, 61]),
        ("FREQ=YEARLY;COUNT=2", [0, 365]),
    ],
)
def test_a_correction_recurs_on_the_days_of_its_rule(rule, days):
    end = START + (days[-1] + 1) * DAY if "COUNT" not in rule and "UNTIL" not in rule else START + 500 * DAY
    assert days_of(rule, START, end) == days


def days_of(rule, start, end):
    one = {"start": start, "duration": HOUR, "rrule": rule}
    return [(first - START) / DAY for first, _ in correction_intervals([one], start - DAY, end)]


def test_a_month_without_the_day_is_skipped():
    last_of_january = START - 29 * DAY
    assert days_of("FREQ=MONTHLY", last_of_january, START + 31 * DAY) == [-29, 30]


@pytest.mark.parametrize(
    "rule",
    [
        *("", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=3", "FREQ=DAILY;BYDAY=XX", "FREQ=DAILY;UNTIL=soon", "DAILY"),
        *("FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1", "FREQ=DAILY;COUNT=x"),
    ],
)
def test_a_recurrence_that_is_not_known_is_refused(rule):
    given = {"start": START, "duration": 60, "rrule": rule or ";"}
    with pytest.raises(InputError):
        correction_intervals([given], START, START + DAY)


def test_a_correction_stops_to_recur_at_its_end():
    one = {"start": START, "end": START + 2 * DAY, "duration": HOUR, "rrule": "FREQ=DAILY"}
    assert len(correction_intervals([one], START, START + 9 * DAY)) == 2


def test_a_recurring_correction_covers_its_time_on_each_of_its_days():
    nightly = {"start": START + 2 * HOUR, "duration": HOUR, "rrule": "FREQ=DAILY"}
    found = correction_intervals([nightly], START + DAY, START + 3 * DAY)
    assert found == tuple((START + day * DAY + 2 * HOUR, START + day * DAY + 3 * HOUR) for day in (1, 2))


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


@given(SPANS, SPANS, st.integers(1, 13))
def test_spans_agree_with_counting_seconds(one, two, step):
    def seconds(spans):
        return {at for low, high in spans for at in range(low, high)}

    left = without(union(one), union(two))
    assert seconds(left) == seconds(one) - seconds(two)
    assert all(low[1] < high[0] for low, high in pairwise(left))
    edges = np.arange(0, 70, step)
    inside = [len(seconds(left) & set(range(low, high))) for low, high in pairwise(edges)]
    assert covered(left, edges).tolist() == inside


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60),
    st.integers(0, 59),
    st.integers(1, 60),
)
def test_counted_minutes_agree_with_the_plainest_sum(minutes, first, length):
    series = [counts("good", [good for good, _ in minutes]), counts("bad", [bad for _, bad in minutes])]
    slo = metric_slo(total="sum:good{*}.as_count() + sum:bad{*}.as_count()")
    window = (START + first * 60, START + (first + length) * 60)
    found = evaluate_slo(slo, Inputs(series), *window)
    wanted = minutes[first : first + length]
    assert found.overall.good == sum(good for good, _ in wanted)
    assert found.overall.total == sum(good + bad for good, bad in wanted)
