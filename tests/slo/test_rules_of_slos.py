"""Rules of SLOs, each with its source: Datadog's pages of service_management/service_level_objectives, or ours.

Metric: /metric, Monitor: /monitor, Time slice: /time_slice, Corrections: ?tab=statuscorrections,
Error budget alerts: /error_budget, Burn rate alerts: /burn_rate.
A number that cannot be worked out is missing, and numpy says nothing of it: its warnings are errors here.
"""

import numpy as np
import pytest

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Data, evaluate_monitor
from monitoring.query import QueryError, parse_monitor
from monitoring.query.series import Series
from monitoring.slo import (
    Inputs,
    Part,
    Slo,
    SloHistory,
    Threshold,
    budget_remaining,
    decimals,
    evaluate_slo,
    slo_state,
)
from monitoring.slo.alerts import alert_values
from monitoring.slo.corrections import correction_intervals
from monitoring.slo.definition import TIMEFRAMES, Count, TimeSlice
from monitoring.slo.intervals import covered, runs, union, within, without
from monitoring.slo.queries import metrics_of_slo
from monitoring.slo.uptime import GroupUptime, Uptime

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

START = 1772323200
"""2026-03-01T00:00:00Z, a Sunday."""
MINUTE, HOUR, DAY = 60, 3600, 86400


def series(metric, values, *tags, kind="count", every=60, start=START):
    times = np.arange(len(values), dtype=np.int64) * every + start
    return Series(metric, tags, times, np.array(values, float), kind, every if kind == "count" else None)


def metric_body(good="sum:good{*}.as_count()", total="sum:all{*}.as_count()", **more):
    query = {"numerator": good, "denominator": total}
    return {
        "name": "s",
        "type": "metric",
        "query": query,
        "thresholds": [{"timeframe": "7d", "target": 99}],
        **more,
    }


def slice_body(text="avg:latency{*}", comparator="<", threshold=2, **more):
    queries = [{"data_source": "metrics", "name": "q", "query": text}]
    condition = {
        "query": {"formulas": [{"formula": "q"}], "queries": queries},
        "comparator": comparator,
        "threshold": threshold,
        **more,
    }
    return {"name": "s", "type": "time_slice", "sli_specification": {"time_slice": condition}}


def refusal(body, key="slos/a.json"):
    with pytest.raises(InputError) as caught:
        Slo.from_body(body, key)
    assert caught.value.where == key
    return caught.value


# The definition (API reference: "Create an SLO object").


def test_a_body_is_read_whole():
    body = metric_body(
        id="abc",
        name="Orders",
        tags=["team:a", 1],
        groups=["az:a"],
        thresholds=[
            {"timeframe": "30d", "target": 99, "warning": 99.5},
            {"timeframe": "7d", "target": "98.5", "warning": 0},
        ],
    )
    slo = Slo.from_body(body, "key")
    assert slo == Slo(
        name="Orders",
        type="metric",
        thresholds=(Threshold("30d", 99.0, 99.5), Threshold("7d", 98.5, 0.0)),
        count=Count("sum:good{*}.as_count()", "sum:all{*}.as_count()", "total", {}),
        groups=("az:a",),
        id="abc",
        tags=("team:a", "1"),
    )
    assert (slo.threshold("30d"), slo.threshold("90d")) == (slo.thresholds[0], None)


@pytest.mark.parametrize(
    ("body", "key", "name"),
    [
        ({"name": "a"}, "k", "a"),
        ({"name": ""}, "k", "k"),
        ({}, "k", "k"),
        ({}, "", "SLO"),
    ],
)
def test_an_slo_without_a_name_has_that_of_its_file(body, key, name):
    slo = Slo.from_body({"type": "monitor", **body}, key)
    assert slo.name == name
    assert slo == Slo(name, "monitor", ())


@pytest.mark.parametrize(
    ("frames", "primary"),
    [
        (("7d", "30d", "90d"), "7d"),
        (("90d", "30d"), "30d"),
        (("90d",), "90d"),
        (("custom", "90d", "7d"), "7d"),
        (("custom",), None),
        ((), None),
    ],
)
def test_the_primary_threshold_is_that_of_the_shortest_rolling_window(frames, primary):
    thresholds = [{"timeframe": frame, "target": 99} for frame in frames]
    slo = Slo.from_body(metric_body(thresholds=thresholds))
    assert (slo.primary and slo.primary.timeframe) == primary


def test_the_metrics_of_an_slo_are_those_of_its_queries():
    assert metrics_of_slo(Slo.from_body(metric_body("sum:good{*}.as_count() - sum:bad{*}.as_count()"))) == {
        *("good", "bad", "all"),
    }
    assert metrics_of_slo(Slo.from_body(slice_body("avg:latency{*} / avg:zero{*} * 2"))) == {
        "latency",
        "zero",
    }
    assert metrics_of_slo(Slo("s", "monitor", ())) == set()
    assert TIMEFRAMES == {"7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}


def test_monitors_are_named_by_number_or_by_the_key_of_a_file():
    slo = Slo.from_body(
        {"type": "monitor", "monitor_ids": [7, "${monitor:api.p-95}", "8", "${monitor:b}"]}, "k"
    )
    assert slo.monitor_ids == (7, 900_000_002, 8, 900_000_004)
    assert slo.members == {900_000_002: "api.p-95", 900_000_004: "b"}
    message = "the monitor id of the SLO is '${monitor:b} ', which is not a number"
    assert message in refusal({"type": "monitor", "monitor_ids": ["${monitor:b} "]}).message


def test_queries_by_name_are_read_for_good_with_all_or_with_bad_events():
    queries = [
        {"data_source": "metrics", "name": "g", "query": "sum:good{*}.as_count()"},
        {"data_source": "metrics", "name": "o", "query": "sum:other{*}.as_count()"},
    ]
    expected = {"g": "sum:good{*}.as_count()", "o": "sum:other{*}.as_count()"}
    for other in ("total", "bad"):
        spec = {
            "good_events_formula": {"formula": "g"},
            f"{other}_events_formula": {"formula": "o"},
            "queries": queries,
        }
        slo = Slo.from_body({"type": "metric", "sli_specification": {"count": spec}})
        assert slo.count == Count("g", "o", other, expected)


def test_a_time_slice_is_five_minutes_long_by_default():
    slo = Slo.from_body(slice_body(threshold="2.5"))
    expected = TimeSlice("q", "<", 2.5, 300, {"q": "avg:latency{*}"})
    assert slo.slice == expected == TimeSlice("q", "<", 2.5, queries={"q": "avg:latency{*}"})
    assert Slo.from_body(slice_body(query_interval_seconds=60)).slice.seconds == 60
    assert "60 or 300 seconds long, not 120" in refusal(slice_body(query_interval_seconds=120)).message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "synthetic"}, "an SLO cannot be of type 'synthetic'"),
        ({}, "an SLO cannot be of type None"),
        (metric_body(good=""), "needs two queries"),
        (metric_body(good=None), "needs two queries"),
        (metric_body(total=None), "needs two queries"),
        (metric_body(total=""), "needs two queries"),
        (metric_body(query=None), "needs two queries"),
        (
            {"type": "metric", "sli_specification": {"count": {"good_events_formula": "g"}}},
            "needs two queries",
        ),
        (metric_body(thresholds=["99"]), "a threshold of the SLO is not an object"),
        (metric_body(thresholds=[{"target": 0}]), "the target 0 is not between 0 and 100"),
        (metric_body(thresholds=[{"target": 100}]), "the target 100 is not between 0 and 100"),
        (metric_body(thresholds=[{"target": 101}]), "the target 101 is not between"),
        (metric_body(thresholds=[{"target": None}]), "the target of the SLO is None, which is not a number"),
        (metric_body(thresholds=[{"target": 99, "warning": "x"}]), "the warning of the SLO is 'x'"),
        (slice_body(comparator="=="), "needs a condition"),
        (slice_body(comparator=None), "needs a condition"),
        (slice_body(query={"formulas": []}), "needs a condition"),
        (slice_body(query={"formulas": ["q"]}), "needs a condition"),
        (slice_body(query={"formulas": [{"formula": "q"}, {"formula": "q"}]}), "needs a condition"),
        (slice_body(threshold=None), "the threshold of the SLO is None"),
        (
            slice_body(query={"formulas": [{"formula": "q"}], "queries": [{"data_source": "logs"}]}),
            "only be evaluated with metric queries",
        ),
        (
            slice_body(query={"formulas": [{"formula": "q"}], "queries": ["q"]}),
            "only be evaluated with metric queries",
        ),
        ({"type": "monitor", "monitor_ids": ["x"]}, "the monitor id of the SLO is 'x'"),
    ],
)
def test_a_body_that_cannot_be_used_names_its_file_and_what_is_wrong(body, message):
    assert message in refusal(body).message


@pytest.mark.parametrize("target", [0.001, 99.999])
def test_a_target_lies_between_0_and_100(target):
    assert Slo.from_body(metric_body(thresholds=[{"target": target}])).thresholds[0].target == target


# The SLI of metrics (Metric: "good events / total events").


def sli(good, total, points, **more):
    slo = Slo.from_body(metric_body(good, total))
    return evaluate_slo(slo, Inputs(points, **more), START, START + HOUR).overall


def test_terms_are_added_and_subtracted_and_one_without_points_counts_as_zero():
    points = [series("all", [10, 10]), series("bad", [1, 2]), series("late", [1])]
    all_, bad, late, none = (f"sum:{name}{{*}}.as_count()" for name in ("all", "bad", "late", "none"))
    for formula, good in (
        (f"{all_} - {bad}", 17),
        (f"{all_} - ({bad} - {late})", 18),
        (f"{all_} - ({bad} + {late})", 16),
        (f"-{bad} + {all_}", 17),
        (f"{all_} - {none}", 20),
        (f"{all_} - -{late}", 21),
        (f"-({bad} + {none}) + {all_}", 17),
        (f"{all_} * 1", 20),
    ):
        part = sli(formula, all_, points)
        assert (part.good, part.total) == (good, 20), formula


@pytest.mark.parametrize("text", ["3", "3 * 2"])
def test_a_number_is_not_a_count_of_events(text):
    with pytest.raises(QueryError, match="a number is not a count of events") as caught:
        sli(text, "sum:all{*}.as_count()", [])
    assert (caught.value.start, caught.value.end) == (0, len(text))


def test_an_slo_takes_no_list_of_queries():
    text = "sum:a{*}.as_count(), sum:b{*}.as_count()"
    with pytest.raises(QueryError, match="expected one query, not a list") as caught:
        sli(text, "sum:all{*}.as_count()", [])
    assert (caught.value.start, caught.value.end) == (0, len(text))


def test_the_groups_are_those_of_the_longest_grouping():
    points = [series("good", [6], "az:a"), series("all", [8], "az:a"), series("all", [2], "az:b")]
    slo = Slo.from_body(metric_body("sum:good{*}.as_count()", "sum:all{*} by {az}.as_count()"))
    history = evaluate_slo(slo, Inputs(points), START, START + HOUR)
    assert history.group_by == ("az",)
    assert [(part.name, part.total) for part in history.groups] == [("az:a", 8), ("az:b", 2)]
    wide = Slo.from_body(metric_body("sum:good{*} by {zone}.as_count()", "sum:all{*} by {az,env}.as_count()"))
    assert evaluate_slo(wide, Inputs(()), START, START + HOUR).group_by == ("az", "env")


def test_events_count_from_the_minute_of_the_start_and_before_the_end():
    points = [series(name, [1, 10, 100, 1000]) for name in ("good", "all")]
    slo = Slo.from_body(metric_body())
    history = evaluate_slo(slo, Inputs(points), START + 90, START + 180)
    assert history.overall.good == 110
    assert (history.start, history.end, history.interval) == (START + 90, START + 180, 60)
    assert history.times.tolist() == [START + 60, START + 120]
    assert history.overall.numerator.tolist() == [10, 100]
    longer = evaluate_slo(slo, Inputs(points), START, START + 360)
    assert longer.overall.numerator.tolist() == [1, 10, 100, 1000, 0, 0]
    assert longer.type == "metric"


@pytest.mark.parametrize("end", [START, START - 1])
def test_a_window_that_ends_before_it_starts_is_refused(end):
    with pytest.raises(InputError, match="the window of the SLO ends before it starts") as caught:
        evaluate_slo(Slo.from_body(metric_body()), Inputs(()), START, end)
    assert caught.value.where == "s"


@pytest.mark.parametrize(
    ("start", "end", "left"),
    [(0, 60, 3), (60, 120, 3), (59, 61, 2), (60, 61, 3), (119, 120, 3), (0, 240, 0), (240, 300, 4)],
)
def test_events_of_a_minute_that_a_correction_touches_are_not_counted(start, end, left):
    """Corrections: "the events are not considered in the calculation"."""
    points = [series(name, [1, 1, 1, 1]) for name in ("good", "all")]
    fix = [{"start": START + start, "end": START + end}]
    history = evaluate_slo(Slo.from_body(metric_body()), Inputs(points), START, START + HOUR, fix)
    assert history.overall.total == left


# How an SLI is written (Metric and Monitor: the number of decimals).


@pytest.mark.parametrize(
    ("kind", "total", "seconds", "places"),
    [
        ("metric", 0, DAY, 0),
        ("metric", 0.5, DAY, 0),
        ("metric", 1, DAY, 0),
        ("metric", 999, DAY, 0),
        ("metric", 1000, DAY, 1),
        ("metric", 9_999, DAY, 1),
        ("metric", 10_000, DAY, 2),
        ("metric", 999_999, DAY, 3),
        ("metric", 1_000_000, DAY, 4),
        ("metric", 1e9, DAY, 4),
        ("monitor", 1e9, 7 * DAY, 2),
        ("monitor", 1, 31 * DAY, 2),
        ("monitor", 1, 31 * DAY + 1, 3),
        ("time_slice", 1, 90 * DAY, 3),
    ],
)
def test_an_sli_has_as_many_decimals_as_its_events_or_its_window_support(kind, total, seconds, places):
    assert decimals(kind, total, seconds) == places
    part = Part("", np.array([total]), np.array([float(total)]))
    history = SloHistory(kind, START, START + seconds, 60, np.array([START]), part)
    assert history.precision(part) == places


@pytest.mark.parametrize(
    ("value", "warning", "state"),
    [
        (99.0, 99.5, "warning"),
        (99.5, 99.5, "ok"),
        (98.99, 99.5, "breached"),
        (99.0, None, "ok"),
        (0.0, None, "breached"),
        (None, None, "no_data"),
    ],
)
def test_the_target_itself_is_met(value, warning, state):
    assert slo_state(value, 99.0, warning) == state


@pytest.mark.parametrize(
    ("value", "target", "left"),
    [(99.0, 99.0, 0), (99.5, 99.0, 50), (100, 90, 100), (95, 90, 50), (85, 90, -50)],
)
def test_the_budget_that_is_left_is_a_share_of_what_the_target_allows(value, target, left):
    """Error budget: 100 minus the target; "the error budget remaining" is a percentage of it."""
    assert budget_remaining(value, target) == pytest.approx(left)
    assert budget_remaining(None, target) is None


# Uptime by slices (Time slice: "each slice is uptime or downtime").


@pytest.mark.parametrize(("comparator", "down"), [("<", [2, 3]), ("<=", [3]), (">", [1, 2]), (">=", [1])])
def test_a_slice_is_up_where_its_value_meets_the_condition(comparator, down):
    values = [1.0, 2.0, 3.0]
    slo = Slo.from_body(slice_body(comparator=comparator, query_interval_seconds=60))
    points = [series("latency", values, kind="gauge")]
    history = evaluate_slo(slo, Inputs(points), START, START + 180)
    up = [0.0 if minute + 1 in down else 60.0 for minute in range(3)]
    assert history.overall.numerator.tolist() == up
    assert history.overall.denominator.tolist() == [60.0] * 3


def test_slices_begin_at_whole_slices_and_count_as_far_as_the_window_goes():
    slo = Slo.from_body(slice_body())
    points = [series("latency", [9.0] * 5 + [1.0] * 10, kind="gauge")]
    history = evaluate_slo(slo, Inputs(points), START + 240, START + 600)
    assert (history.overall.total, history.overall.good) == (360, 300)
    assert history.overall.transitions == ((START + 240, 1), (START + 300, 0))


def test_a_query_without_data_has_no_uptime_at_all():
    slo = Slo.from_body(slice_body())
    history = evaluate_slo(slo, Inputs(()), START, START + HOUR)
    assert (history.overall.total, history.overall.sli) == (0, None)
    assert history.overall.transitions == ((START, 2),)


def test_a_formula_that_never_has_a_value_says_nothing_of_uptime():
    points = [series("latency", [1.0] * 10, kind="gauge"), series("zero", [0.0] * 10, kind="gauge")]
    slo = Slo.from_body(slice_body("avg:latency{*} / avg:zero{*}"))
    history = evaluate_slo(slo, Inputs(points), START, START + 600)
    assert (history.overall.total, history.overall.sli) == (0, None)


def test_groups_of_slices_are_named_and_a_single_ungrouped_one_is_the_whole():
    points = [series("latency", [1.0] * 10, f"az:{zone}", kind="gauge") for zone in "ab"]
    grouped = Slo.from_body(slice_body("avg:latency{*} by {az}"))
    history = evaluate_slo(grouped, Inputs(points), START, START + 600)
    assert ([part.name for part in history.groups], history.group_by) == (["az:a", "az:b"], ("az",))
    one = evaluate_slo(grouped, Inputs(points[:1]), START, START + 600)
    assert [part.name for part in one.groups] == ["az:a"]
    twice = [series("latency", [1.0] * 10, "az:a", "env:b", kind="gauge")]
    by_both = Slo.from_body(slice_body("avg:latency{*} by {az,env}"))
    named = evaluate_slo(by_both, Inputs(twice), START, START + 600)
    assert [part.name for part in named.groups] == ["az:a,env:b"]
    whole = evaluate_slo(Slo.from_body(slice_body()), Inputs(points), START, START + 600)
    assert (whole.groups, whole.group_by, whole.type) == ((), (), "time_slice")
    narrowed = evaluate_slo(Slo.from_body(slice_body()), Inputs(points, scope="az:c"), START, START + 600)
    assert narrowed.overall.sli is None


FIX = [{"start": START + 60, "end": START + 120}]


def test_corrected_time_is_uptime_of_a_slice_and_no_time_of_a_monitor():
    """Corrections: time slices count it as uptime; monitors and metrics leave it out."""
    points = [series("latency", [9.0] * 4, kind="gauge")]
    slo = Slo.from_body(slice_body(query_interval_seconds=60))
    sliced = evaluate_slo(slo, Inputs(points), START, START + 240, FIX)
    assert (sliced.overall.total, sliced.overall.good) == (240, 60)
    assert sliced.corrections == ((START + 60, START + 120),)


# Uptime of monitors (Monitor: "uptime where the monitor is not in Alert").


def history_of(bodies, points):
    def history(ident, start, end):
        body = bodies.get(ident)
        return body and evaluate_monitor(Monitor.from_body(body), Data(points), start, end - 60)

    return history


def body_of(metric="m", by="", query="max(last_1m):max:{}{{*}}{} > 5", **options):
    return {
        "type": "metric alert",
        "query": query.format(metric, by),
        "options": {"new_group_delay": 0, **options},
    }


def monitor_history(values, minutes, *, corrections=(), **options):
    points = [series("m", values, kind="gauge")]
    slo = Slo.from_body({"name": "s", "type": "monitor", "monitor_ids": [7]})
    inputs = Inputs((), history_of({7: body_of(**options)}, points))
    return evaluate_slo(slo, inputs, START + 60, START + 60 + minutes * 60, corrections)


def test_warn_is_uptime_and_alert_is_downtime():
    thresholds = {"thresholds": {"critical": 5, "warning": 2}}
    history = monitor_history([1, 3, 9, 1], 4, **thresholds)
    assert (history.overall.good, history.overall.total) == (180, 240)
    assert history.overall.transitions == ((START + 60, 0), (START + 180, 1), (START + 240, 0))
    assert (history.groups, history.type) == ((), "monitor")
    assert history.times.tolist() == [START + minute * 60 for minute in (1, 2, 3, 4)]


def test_corrected_time_of_a_monitor_is_taken_out():
    history = monitor_history([9, 9, 9, 1], 4, corrections=[{"start": START + 60, "end": START + 120}])
    assert (history.overall.good, history.overall.total) == (60, 180)


def test_a_state_holds_until_the_end_of_the_window():
    assert monitor_history([1, 1, 1, 9], 4).overall.transitions[-1] == (START + 240, 1)
    assert monitor_history([1, 1, 1, 9], 4).overall.good == 180


def test_missing_data_is_downtime_only_where_the_monitor_notifies_of_it():
    """Monitor: "No Data ... is considered uptime unless Notify if data is missing is selected"."""
    quiet = monitor_history([1, 1], 10, on_missing_data="show_no_data")
    assert (quiet.overall.sli, quiet.overall.transitions[-1][1]) == (100, 2)
    for options in (
        {"notify_no_data": True, "no_data_timeframe": 2},
        {"on_missing_data": "show_and_notify_no_data"},
    ):
        loud = monitor_history([1, 1], 10, **options)
        assert loud.overall.sli < 100 and loud.overall.transitions[-1][1] == 1, options


def test_a_monitor_that_never_had_data_is_not_known():
    history = monitor_history([], 10)
    assert (history.overall.sli, history.overall.transitions) == (None, ((START + 60, 2),))


def test_several_monitors_are_parts_by_their_number_and_one_unknown_is_left_out():
    points = [series(f"m{at}", [1, 9, 1], kind="gauge") for at in (1, 2)]
    bodies = {at: body_of(f"m{at}") for at in (1, 2)}
    slo = Slo.from_body({"name": "s", "type": "monitor", "monitor_ids": [1, 9, 2]})
    inputs = Inputs((), history_of(bodies, points))
    history = evaluate_slo(slo, inputs, START + 60, START + 240)
    assert [(part.name, part.good, part.total) for part in history.groups] == [
        ("1", 120, 180),
        ("2", 120, 180),
    ]
    assert history.group_by == ()
    with pytest.raises(InputError, match="none of the SLO's monitors was found") as caught:
        evaluate_slo(Slo("s", "monitor", (), monitor_ids=(8, 9)), Inputs(), START, START + 60)
    assert (caught.value.where, caught.value.hint) == ("s", "monitors: 8, 9")
    with pytest.raises(InputError) as caught:
        evaluate_slo(Slo("s", "monitor", ()), Inputs(), START, START + 60)
    assert caught.value.hint == "monitors: none is named"


def test_a_multi_alert_has_a_part_for_each_group_or_for_those_that_are_chosen():
    points = [series("m", [1, 9, 1], "az:a", kind="gauge"), series("m", [1, 1, 1], "az:b", kind="gauge")]
    inputs = Inputs((), history_of({7: body_of(by=" by {az}")}, points))
    body = {"name": "s", "type": "monitor", "monitor_ids": [7]}
    history = evaluate_slo(Slo.from_body(body), inputs, START + 60, START + 240)
    assert ([part.name for part in history.groups], history.group_by) == (["az:a", "az:b"], ("az",))
    assert history.overall.good == 120
    chosen = evaluate_slo(Slo.from_body({**body, "groups": ["az:b"]}), inputs, START + 60, START + 240)
    assert [part.name for part in chosen.groups] == ["az:b"]


# Groups over time: down while any is, without data where none has any.


def test_all_groups_together_are_down_while_one_is_and_silent_while_all_are():
    a = GroupUptime("a", down=((0, 10),), no_data=((20, 40),), known=((0, 100),))
    b = GroupUptime("b", down=((5, 15),), no_data=((30, 50),), known=((0, 100),))
    assert Uptime((), (a, b)).overall() == GroupUptime("", ((0, 15),), ((30, 40),), ((0, 100),))
    late = GroupUptime("late", down=(), no_data=(), known=((60, 100),))
    silent = Uptime((), (a, late)).overall().no_data
    assert silent == ((20, 40),)


@pytest.mark.parametrize(
    ("down", "no_data", "known", "marks"),
    [
        ((), (), ((0, 100),), ((0, 0),)),
        (((0, 100),), (), ((0, 100),), ((0, 1),)),
        (((10, 20),), (), ((0, 100),), ((0, 0), (10, 1), (20, 0))),
        (((10, 20),), ((20, 30),), ((0, 100),), ((0, 0), (10, 1), (20, 2), (30, 0))),
        (((10, 20),), ((0, 5),), ((0, 100),), ((0, 2), (5, 0), (10, 1), (20, 0))),
        (((10, 20),), ((15, 30),), ((0, 100),), ((0, 0), (10, 1), (20, 2), (30, 0))),
        ((), (), ((40, 60),), ((0, 2), (40, 0), (60, 2))),
        (((-10, 5), (95, 120)), (), ((0, 100),), ((0, 1), (5, 0), (95, 1))),
    ],
)
def test_a_transition_is_where_the_state_changes(down, no_data, known, marks):
    part = GroupUptime("g", down, no_data, known).part(np.array([0, 50, 100]), (0, 100), (), ())
    assert (part.name, part.transitions) == ("g", marks)


def test_removed_time_counts_nowhere_and_forgiven_time_counts_as_up():
    group = GroupUptime("g", down=((0, 40),), no_data=(), known=((0, 100),))
    edges, window = np.array([0, 50, 100]), (0, 100)
    part = group.part(edges, window, ((10, 20), (60, 70)), ((10, 20), (60, 70)))
    assert (part.numerator.tolist(), part.denominator.tolist()) == ([10.0, 40.0], [40.0, 40.0])
    part = group.part(edges, window, (), ((10, 20), (60, 70)))
    assert (part.numerator.tolist(), part.denominator.tolist()) == ([20.0, 50.0], [50.0, 50.0])


def test_intervals_that_touch_are_one_and_empty_ones_are_none():
    assert union([(20, 30), (22, 24)]) == ((20, 30),)
    assert union([(5, 7), (1, 3), (3, 4), (9, 9), (8, 6), (6, 10), (6, 8)]) == ((1, 4), (5, 10))
    assert within([(0, 10), (20, 30)], 5, 25) == ((5, 10), (20, 25))
    assert without(((0, 10), (20, 30)), ((2, 3), (8, 22), (30, 40))) == ((0, 2), (3, 8), (22, 30))
    assert covered((), np.array([0, 5, 10])).tolist() == [0.0, 0.0]
    assert covered((), np.array([], np.int64)).tolist() == []
    assert covered(((2, 7),), np.array([0, 5, 10])).tolist() == [3.0, 2.0]
    flags, starts = np.array([True, True, False, True]), np.array([0, 60, 120, 180])
    assert runs(flags, starts, 60) == ((0, 120), (180, 240))


# Status corrections (API reference: start, end, duration, rrule; in UTC).


@pytest.mark.parametrize(
    ("correction", "spans"),
    [
        ({"start": 10, "end": 20}, ((10, 20),)),
        ({"start": 10, "end": None}, ((10, 100),)),
        ({"start": 10}, ((10, 100),)),
        ({"start": 10, "end": 20, "rrule": ""}, ((10, 20),)),
        ({"start": -10, "end": 120}, ((0, 100),)),
        ({"start": 100, "end": 120}, ()),
    ],
)
def test_a_correction_lasts_from_its_start_to_its_end_or_goes_on(correction, spans):
    shifted = {**correction, "start": START + correction["start"]}
    if correction.get("end") is not None:
        shifted["end"] = START + correction["end"]
    expected = tuple((START + low, START + high) for low, high in spans)
    assert correction_intervals([shifted], START, START + 100) == expected


def test_a_recurring_correction_lasts_its_duration_until_its_end():
    daily = {"start": START, "duration": 600, "rrule": "rrule:freq=daily"}
    days = [(START + at * DAY, START + at * DAY + 600) for at in range(4)]
    assert correction_intervals([daily], START, START + 4 * DAY) == tuple(days)
    assert correction_intervals([{**daily, "end": START + 2 * DAY}], START, START + 4 * DAY) == tuple(
        days[:2]
    )
    assert correction_intervals([{**daily, "end": START + 9 * DAY}], START, START + 4 * DAY) == tuple(days)
    assert correction_intervals([{**daily, "duration": None}], START, START + 4 * DAY) == ()
    assert correction_intervals([daily, {"start": START + 300, "end": START + 900}], START, START + DAY) == (
        (START, START + 900),
    )


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=DAILY;BYHOUR=3", "INTERVAL=2", "DAILY"])
def test_a_recurrence_of_other_parts_is_refused_with_those_that_can_be_used(rule):
    with pytest.raises(InputError) as caught:
        correction_intervals([{"start": START, "duration": 60, "rrule": rule}], START, START + DAY)
    assert (caught.value.message, caught.value.where) == (
        f"the recurrence {rule!r} is not supported",
        "rrule",
    )
    assert "FREQ (DAILY, WEEKLY, MONTHLY, YEARLY)" in caught.value.hint
    week = {"start": START, "duration": 60, "rrule": "FREQ=WEEKLY;WKST=MO;"}
    assert len(correction_intervals([week], START, START + 8 * DAY)) == 2


# SLO alerts.

BURN = 'burn_rate("abc").over("7d").long_window("1h")'


def values_of(query, good, total, at, body=None, *tags, by=""):
    slo = Slo.from_body(body or metric_body(f"sum:good{{*}}{by}.as_count()", f"sum:all{{*}}{by}.as_count()"))
    points = [series("good", good, *tags), series("all", total, *tags)]
    return alert_values(slo, parse_monitor(query), points, np.array(at, np.int64), lambda *_: None)


def test_an_error_budgets_value_is_the_share_of_it_that_the_time_frame_has_used():
    """Error budget alerts: the threshold is "the percentage of your error budget that is consumed"."""
    query = 'error_budget("abc").over("7d") > 75'
    (values,) = values_of(query, [99, 90], [100, 100], [START, START + 60, START + 120]).values()
    assert np.isnan(values[0])
    assert values[1:] == pytest.approx([100.0, 550.0])
    (values,) = values_of(query, [0, *[99] * 120], [100] * 121, [START + 7 * DAY + 60]).values()
    assert values == pytest.approx([100.0])


def test_a_burn_rate_is_the_error_rate_over_that_which_the_target_allows():
    """Burn rate alerts: burn rate = error rate / (1 - SLO target)."""
    (values,) = values_of(
        f"{BURN} > 2", [90] * 60 + [100], [100] * 61, [START + HOUR, START + HOUR + 60]
    ).values()
    assert values == pytest.approx([10.0, 100 * (590 / 6000)])


def test_a_burn_rate_without_windows_is_that_of_the_time_frame():
    query = 'burn_rate("abc").over("7d") > 2'
    (values,) = values_of(query, [90] + [100] * 119, [100] * 120, [START + 2 * HOUR]).values()
    assert values == pytest.approx([100 * 10 / 12000])


def test_events_that_are_all_good_of_none_burn_nothing():
    """A burn rate is a share of the events of the window, and there is none where it has none."""
    (values,) = values_of(f"{BURN} > 2", [5], [0], [START + 60]).values()
    assert np.isnan(values).all()
    (values,) = values_of(f"{BURN} > 2", [1], [1], [START + 60]).values()
    assert values.tolist() == [0.0]


def test_with_two_windows_the_lower_of_both_burn_rates_counts():
    """Burn rate alerts: "alert when both the long window and the short window" are over the threshold."""
    query = f'{BURN}.short_window("5m") > 2'
    good = [90] * 60 + [100] * 5
    (values,) = values_of(query, good, [100] * 65, [START + HOUR, START + HOUR + 300]).values()
    assert values == pytest.approx([10.0, 0.0], abs=1e-9)
    (values,) = values_of(query, [100] * 55 + [40] * 5, [100] * 60, [START + HOUR]).values()
    assert values == pytest.approx([5.0])


def test_each_group_of_the_slo_has_a_value_of_its_own():
    tags = ("az:a", "env:b")
    values = values_of(f"{BURN} > 2", [99], [100], [START + 60], None, *tags, by=" by {az,env}")
    assert {key: found.tolist() for key, found in values.items()} == {tags: [pytest.approx(1.0)]}
    assert list(values_of(f"{BURN} > 2", [99], [100], [START + 60])) == [()]


def test_an_alert_needs_a_target_for_its_time_frame_and_monitors_that_are_known():
    other = [{"timeframe": "30d", "target": 99}]
    with pytest.raises(InputError, match="the SLO 's' has no target for 7d") as caught:
        values_of(f"{BURN} > 2", [1], [1], [START], metric_body(thresholds=other))
    assert '{"timeframe": "7d", "target": 99.9}' in caught.value.hint
    body = {"type": "monitor", "monitor_ids": [1], "thresholds": [{"timeframe": "7d", "target": 99}]}
    with pytest.raises(InputError, match="none of the SLO's monitors was found"):
        values_of(f"{BURN} > 2", [1], [1], [START], body)


WEEK = {"thresholds": [{"timeframe": "7d", "target": 90}]}


def test_a_burn_rate_of_time_is_the_share_of_slices_that_were_down():
    """Burn rate alerts: the error rate of an SLO of time is the share of bad minutes."""
    slo = Slo.from_body({**slice_body(query_interval_seconds=60), **WEEK})
    points = [series("latency", [9.0] * 15 + [1.0] * 60, kind="gauge")]
    at = np.array([START + HOUR, START + HOUR + 900], np.int64)
    (values,) = alert_values(slo, parse_monitor(f"{BURN} > 2"), points, at, lambda *_: None).values()
    assert values == pytest.approx([2.5, 0.0])


def test_a_slice_that_is_not_over_is_not_known_yet():
    slo = Slo.from_body({**slice_body(), **WEEK})
    points = [series("latency", [1.0] * 55 + [9.0] * 10, kind="gauge")]
    at = np.array([START + HOUR - 1, START + HOUR, START + HOUR + 299], np.int64)
    (values,) = alert_values(slo, parse_monitor(f"{BURN} > 2"), points, at, lambda *_: None).values()
    assert values == pytest.approx([0.0, 10 * 5 / 60, 10 * 5 / 60])


def test_each_group_of_slices_has_a_burn_rate_and_several_monitors_have_one_together():
    slo = Slo.from_body({**slice_body("avg:latency{*} by {az}", query_interval_seconds=60), **WEEK})
    points = [series("latency", [level] * 60, f"az:{level}", kind="gauge") for level in (1, 9)]
    at = np.array([START + HOUR], np.int64)
    values = alert_values(slo, parse_monitor(f"{BURN} > 2"), points, at, lambda *_: None)
    assert {tags: found.tolist() for tags, found in values.items()} == {
        ("az:1",): [0.0],
        ("az:9",): [pytest.approx(10.0)],
    }
    bodies = {number: body_of(f"m{number}") for number in (1, 2)}
    points = [series(f"m{number}", [1] * 40 + [9] * number + [1] * 40, kind="gauge") for number in (1, 2)]
    slo = Slo.from_body({"name": "s", "type": "monitor", "monitor_ids": [1, 2], **WEEK})
    histories = history_of(bodies, points)
    values = alert_values(slo, parse_monitor(f"{BURN} > 2"), points, at, histories)
    assert {tags: found.tolist() for tags, found in values.items()} == {
        (): [pytest.approx(10 * 2 / 60, rel=0.05)]
    }
