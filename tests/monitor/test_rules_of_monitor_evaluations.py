"""What an evaluation finds, decides and tells: each rule at its edges, by the monitor that shows it.

Sources: monitors/configuration, monitors/types/{metric,change,log,service_check,composite,outlier} and the API reference of
monitors (options); metrics/as_count and monitors/guide/as-count-in-monitor-evaluations (arithmetic of counts);
docs/monitor-semantics.md (switches, stand-ins, dynamic thresholds).
"""

import numpy as np
import pytest
from monitor_helpers import START, history, monitor, series, states, verdict

from monitoring.errors import InputError
from monitoring.monitor.checks import CheckPolicy, CheckSeries
from monitoring.monitor.clusters import run_cluster
from monitoring.monitor.codes import EvaluationResults, Limits, codes
from monitoring.monitor.definition import Monitor, Thresholds
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.history import GroupHistory, History
from monitoring.monitor.machine import Segment
from monitoring.monitor.metric import counts, value_when_empty
from monitoring.monitor.mutes import Mute
from monitoring.monitor.no_data import Memory, next_change
from monitoring.monitor.outliers import outliers
from monitoring.monitor.rolling import NEVER, reduce_points
from monitoring.monitor.search import Record, compile_search
from monitoring.monitor.states import AS_ZERO, EMPTY, NEW_GROUP, NO_VALUE, SILENT, Policy, Rule, State, worst
from monitoring.monitor.switches import Switches
from monitoring.query import parse, parse_monitor

_ = None


def value(query, *found, minute=10, group="*", **more):
    """The value of one evaluation, and its rule."""
    options = {name: more.pop(name) for name in ("switches", "stand_in") if name in more}
    got = verdict(history(monitor(query, **more), *found, minutes=minute, **options), minute, group)
    return got.value


def rule(query, *found, minute=10, **more):
    options = {name: more.pop(name) for name in ("switches", "stand_in") if name in more}
    return verdict(history(monitor(query, **more), *found, minutes=minute, **options), minute).evidence.rule


# --- counts: each metric is reduced to one value of the window, then the arithmetic is done


COUNTED = [series("a", "4x4 2x4", type="count"), series("b", "2x4 8x4", type="count")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(last_10m):sum:a{*}.as_count() / sum:b{*}.as_count() > 99", 30 / 50),
        ("sum(last_10m):sum:a{*}.as_count() - sum:b{*}.as_count() > 99", -20),
        ("sum(last_10m):-sum:a{*}.as_count() > 99", -30),
        ("sum(last_10m):5 - -sum:a{*}.as_count() > 99", 35),
        ("max(last_10m):sum:a{*}.as_count() * sum:b{*}.as_count() > 99", 32),
        ("min(last_10m):sum:a{*}.as_count() + 1 > 99", 3),
        ("avg(last_10m):abs(sum:a{*}.as_count() - sum:b{*}.as_count()) > 99", 2),
        ("sum(last_5m):sum:a{*}.as_count() - timeshift(sum:a{*}.as_count(), -300) > 99", -10),
        ("sum(last_5m):hour_before(sum:a{*}.as_count()) / sum:a{*}.as_count() > 99", 0.0),
        ("sum(last_10m):cumsum(sum:a{*}.as_count()) + 0 > 99", 4 + 8 + 12 + 16 + 20 + 22 + 24 + 26 + 28 + 30),
        ("avg(last_10m):avg:a{*} / avg:b{*} > 99", (5 * 2 + 5 * 0.25) / 10),
        ("avg(last_10m):-avg:a{*} > 99", -3),
    ],
)
def test_arithmetic_of_counts_is_done_on_the_reduced_values(query, expected):
    """as-count-in-monitor-evaluations: sum(a) / sum(b), not the sum of the quotients."""
    found = value(query, *COUNTED)
    assert found == (pytest.approx(expected) if expected is not None else None)


def test_a_quotient_of_zeros_has_points_and_no_value():
    """monitors/types/metric: an evaluation whose buckets are all null is skipped; without points it is missing data."""
    zeros = [series(name, "0x20", type="count") for name in "ab"]
    query = "sum(last_5m):sum:a{*}.as_count() / sum:b{*}.as_count() > 1"
    assert rule(query, *zeros) == Rule.SKIPPED_NULL
    assert rule("sum(last_5m):avg:a{*} / avg:b{*} > 1", *zeros) == Rule.SKIPPED_NULL
    later = [series("a", "0x20"), series("b", "0x4 2x9")]
    found = history(monitor("sum(last_5m):avg:a{*} / avg:b{*} > 1"), *later, minutes=12)
    assert [verdict(found, at).evidence.rule for at in (5, 12)] == [Rule.SKIPPED_NULL, Rule.OK]
    gone = [series(name, "3x5 _x30", type="count") for name in "ab"]
    assert rule(query, *gone, minute=20) == Rule.KEPT
    one = [series("a", "3x5 _x30", type="count"), series("b", "3x30", type="count")]
    assert value("sum(last_5m):sum:b{*}.as_count() + sum:a{*}.as_count() > 1", *one, minute=20) == 15.0


@pytest.mark.parametrize(
    ("query", "counting"),
    [
        ("sum(last_5m):avg:a{*} > 1", True),
        ("avg(last_5m):avg:a{*} > 1", False),
        ("avg(last_5m):sum:a{*}.as_count() > 1", True),
        ("avg(last_5m):count:a{*} > 1", True),
        ("avg(last_5m):sum:a{*}.as_count() + avg:b{*} > 1", False),
        ("avg(last_5m):sum:a{*}.as_count() + count:b{*} > 1", True),
        ("sum(last_5m):default_zero(sum:a{*}.as_count()) > 1", False),
        ("change(sum(last_5m),last_5m):sum:a{*}.as_count() > 1", False),
    ],
)
def test_a_monitor_counts_by_its_query(query, counting):
    """monitors/guide/on_missing_data: "default" evaluates 0 for counts, and shows the last state otherwise."""
    assert counts(parse_monitor(query)) is counting


@pytest.mark.parametrize(
    ("query", "empty"),
    [
        ("5", 5.0),
        ("-5", -5.0),
        ("avg:a{*}", _),
        ("-avg:a{*}", _),
        ("default_zero(avg:a{*})", 0.0),
        ("default_zero(avg:a{*}) * 3 + 2", 2.0),
        ("6 / (default_zero(avg:a{*}) + 2) - 1", 2.0),
        ("1 / default_zero(avg:a{*})", _),
        ("default_zero(avg:a{*}) + avg:b{*}", _),
        ("default_zero(7 + 1)", 8.0),
        ("abs(default_zero(avg:a{*}))", _),
    ],
)
def test_an_expression_without_points_is_what_default_zero_makes_of_it(query, empty):
    found = value_when_empty(parse(query))
    assert found == empty if empty is not None else np.isnan(found)


def test_groups_that_lack_a_key_are_left_out_unless_a_switch_keeps_them():
    """docs/monitor-semantics.md, monitor_na: a multi alert has no group N/A."""
    found = [series("a", "1x20", "host:x"), series("a", "9x20", "zone:y")]
    for query in (
        "avg(last_5m):avg:a{*} by {host} > 5",
        "change(avg(last_5m),last_5m):avg:a{*} by {host} > 5",
        "avg(last_5m):outliers(avg:a{*} by {host}, 'DBSCAN', 3) > 0",
    ):
        assert set(history(monitor(query), *found, minutes=15).groups) == {"host:x"}
    kept = history(
        monitor("avg(last_5m):avg:a{*} by {host} > 5"),
        *found,
        minutes=15,
        switches=Switches(monitor_na="keep"),
    )
    assert set(kept.groups) == {"host:x", "host:N/A"}


def test_an_operand_without_a_group_goes_with_every_group():
    found = [series("a", "6x20", "host:x"), series("a", "8x20", "host:y"), series("b", "2x20")]
    watched = monitor("avg(last_5m):avg:a{*} by {host} / avg:b{*} > 99")
    got = history(watched, *found, minutes=10)
    assert {name: verdict(got, 10, name).value for name in got.groups} == {"host:x": 3.0, "host:y": 4.0}


# --- change alerts


@pytest.mark.parametrize("order", ["buckets", "window"])
def test_a_change_looks_at_the_same_group_earlier(order):
    found = [
        series("a", "1x10 4x10", "host:x"),
        series("a", "2x20", "host:y"),
        series("a", "_x12 7x9", "host:z"),
    ]
    watched = monitor("change(avg(last_5m),last_10m):avg:a{*} by {host} > 99")
    got = history(watched, *found, minutes=18, switches=Switches(change_order=order))
    assert {name: verdict(got, 18, name).value for name in ("host:x", "host:y")} == {
        "host:x": 3.0,
        "host:y": 0.0,
    }
    assert "host:z" not in got.groups or verdict(got, 18, "host:z").value is None


def test_the_order_of_a_change_is_a_switch_that_gaps_tell_apart():
    points = series("a", "1 9 1 9 1 5 _ 5 _ 5")
    query = "change(avg(last_5m),last_5m):avg:a{*} > 99"
    buckets, window = (
        value(query, points, switches=Switches(change_order=name)) for name in ("buckets", "window")
    )
    assert (buckets, window) == (pytest.approx(4.0), pytest.approx(5 - 21 / 5))
    counted = series("a", "1x4 3x4", type="count")
    for name in ("buckets", "window"):
        found = value(
            "change(sum(last_5m),last_5m):sum:a{*}.as_count() + 1 > 99",
            counted,
            switches=Switches(change_order=name),
        )
        assert found == 10.0


def test_a_change_whose_earlier_side_falls_between_buckets_takes_whole_ones():
    points = series("a", "1x30 5x30", every=10)
    assert value("change(avg(last_1m),last_4m):avg:a{*} > 99", points, minute=9) == pytest.approx(4.0)


# --- windows


@pytest.mark.parametrize(
    ("method", "expected"),
    [("avg", 3.0), ("sum", 6.0), ("min", 1.0), ("max", 5.0), ("count", 2.0), ("last", 5.0), ("p50", 1.0)],
)
def test_points_are_reduced_window_by_window(method, expected):
    times, values = np.array([0, 60, 120, 180]), np.array([1.0, np.nan, 5.0, 7.0])
    starts, ends = np.array([0, 30, 121, 300]), np.array([180, 120, 180, 360])
    found, points, last = reduce_points(times, values, starts, ends, method)
    assert found[0] == expected
    assert np.isnan(found[1:]).all() or method == "count"
    assert points.tolist() == [True, False, False, False]
    assert last[0] == 120 and (last[1:] >= 0).tolist() == [True, True, True]
    with pytest.raises(InputError, match=r"median\(\) over a window cannot be evaluated offline"):
        reduce_points(times, values, starts, ends, "median")


def test_a_window_before_every_point_has_no_last_point():
    found = reduce_points(np.array([100]), np.array([1.0]), np.array([0]), np.array([60]), "avg")
    assert (np.isnan(found[0][0]), found[1].tolist(), found[2].tolist()) == (True, [False], [NEVER])


@pytest.mark.parametrize(
    ("aggregation", "expected"), [("avg", 2.0), ("sum", 6.0), ("min", 1.0), ("max", 3.0)]
)
def test_a_window_that_ends_inside_a_bucket_sees_what_was_there_by_then(aggregation, expected):
    """The bucket of five minutes that holds the end is made of its points before the end."""
    points = series("a", "1x4 2x4 3x1 99x9")
    watched = monitor(f"{aggregation}(last_15m):avg:a{{*}}.rollup(avg, 300) > 999")
    assert verdict(history(watched, points, minutes=12), 12).value == expected
    counted = series("c", "1x4 2x4 3x1 99x9", type="count")
    watched = monitor("sum(last_15m):sum:c{*}.as_count().rollup(sum, 300) > 999")
    assert verdict(history(watched, counted, minutes=12), 12).value == 5 + 10 + 6


def test_a_window_shorter_than_its_buckets_looks_at_the_one_that_holds_its_end():
    points = series("a", "1x4 2x4 3x1 99x9")
    watched = monitor("avg(last_1m):avg:a{*}.rollup(avg, 300) > 999")
    assert [verdict(history(watched, points, minutes=at), at).value for at in (5, 7, 12)] == [1.0, 2.0, 3.0]


def test_a_delay_moves_the_window_and_not_the_evaluation():
    watched = monitor("max(last_1m):max:a{*} > 99", evaluation_delay=120)
    found = history(watched, series("a", "1 2 3 4 5 6"), minutes=5)
    got = verdict(found, 5)
    assert (got.value, got.time) == (3.0, START + 300)
    assert got.evidence.window == (START + 120, START + 180)


# --- codes


def coded(values, points=None, last=None, **limits):
    values = np.array([np.nan if each is None else each for each in values], float)
    points = ~np.isnan(values) if points is None else np.array(points)
    times = np.arange(len(values)) * 60 + START
    last = np.where(points, times, NEVER) if last is None else np.array(last)
    switches = limits.pop("switches", Switches())
    found = EvaluationResults(values, points, last)
    limits = {"operator": ">", "thresholds": Thresholds(critical=5), **limits}
    return codes(found, Limits(**limits), times, times, switches)[0].tolist()


def test_a_window_is_empty_without_points_and_null_without_a_value():
    assert coded([1, _, _], [True, False, True]) == [0, EMPTY, NO_VALUE]
    assert coded([_, _], [False, True], switches=Switches(null_window="missing")) == [EMPTY, EMPTY]
    assert coded([_, 1], as_zero=True) == [AS_ZERO, 0]
    assert coded([_], as_zero=True, missing=9.0) == [AS_ZERO | 1]


@pytest.mark.parametrize(("age", "silent"), [(599, False), (600, False), (601, True)])
def test_silence_is_no_point_at_or_after_the_start_of_the_time_frame(age, silent):
    found = coded([_], [False], [START - age], timeframe=600)
    assert found == [EMPTY | (SILENT if silent else 0)]
    assert coded([_], [False], [NEVER], timeframe=600) == [EMPTY]
    with_points = {"timeframe": 600, "switches": Switches(no_data_timeframe="empty")}
    assert coded([1], [True], [START - age], **with_points) == [0]


@pytest.mark.parametrize(("known", "new"), [(0, 3), (START + 59, 3), (START + 60, 0), (START + 61, 0)])
def test_a_group_is_new_from_its_first_point_until_its_delay_is_over(known, new):
    found = coded([_, 1, 1, 1, 1, 1], new_group_delay=180, known_until=known)
    assert [code & NEW_GROUP for code in found] == [0] + [NEW_GROUP] * new + [0] * (5 - new)


@pytest.mark.parametrize(
    ("operator", "switch", "expected"),
    [("==", "threshold", [1, 2, 0]), ("==", "ignore", [1, 0, 0]), (">", "ignore", [0, 2, 0])],
)
def test_recovery_of_an_equality_is_a_switch(operator, switch, expected):
    limits = {"thresholds": Thresholds(critical=5, critical_recovery=3), "operator": operator}
    found = coded([5, 4, 3], switches=Switches(equality_recovery=switch), **limits)
    held = [code & 3 for code in found]
    assert held == ([1 | 2 if switch == "threshold" else 1, *expected[1:]] if operator == "==" else [2, 2, 0])


# --- thresholds that contradict


@pytest.mark.parametrize(
    ("query", "thresholds", "message"),
    [
        (
            "avg(last_5m):avg:a{*} > 5",
            {"critical": 6},
            "Alert threshold (6.0) does not match that used in the query",
        ),
        (
            "avg(last_5m):avg:a{*} > 5",
            {"warning": 3},
            "the query compares with 5, but options.thresholds has no",
        ),
        (
            "avg(last_5m):avg:a{*} > 5",
            {"critical": 5, "warning": 5},
            "Warning threshold (5.0) must be less than",
        ),
        (
            "avg(last_5m):avg:a{*} < 5",
            {"critical": 5, "warning": 5},
            "Warning threshold (5.0) must be greater than",
        ),
        (
            "avg(last_5m):avg:a{*} >= 5",
            {"critical": 5, "critical_recovery": 6},
            "alert and alert recovery criteria",
        ),
        (
            "avg(last_5m):avg:a{*} <= 5",
            {"critical": 5, "warning": 6, "warning_recovery": 5.5},
            "warning and warning recovery criteria",
        ),
    ],
)
def test_thresholds_that_contradict_are_refused_at_the_monitor(query, thresholds, message):
    with pytest.raises(InputError) as caught:
        history(monitor(query, thresholds=thresholds), series("a", "1x9"))
    assert message in caught.value.message
    assert caught.value.where == "m"


@pytest.mark.parametrize(
    ("query", "thresholds"),
    [
        ("avg(last_5m):avg:a{*} > 5", {"critical": 5, "critical_recovery": 5}),
        ("avg(last_5m):avg:a{*} < 5", {"critical": 5, "warning": 6, "warning_recovery": 6}),
        ("avg(last_5m):avg:a{*} == 5", {"critical": 5, "warning": 6, "critical_recovery": 9}),
        ("avg(last_5m):avg:a{*} > 5", {}),
    ],
)
def test_thresholds_at_the_edge_are_taken(query, thresholds):
    assert history(monitor(query, thresholds=thresholds), series("a", "9x9"), minutes=5).groups


# --- formulas


def formula(variables, thresholds=None, query='formula("a / b").last("5m") > 1'):
    options = {"variables": variables, "thresholds": thresholds or {"critical": 1}}
    return Monitor.from_body({"type": "query alert", "query": query, "options": options}, "m")


def variable(name, query, source="metrics"):
    return {"data_source": source, "name": name, "query": query}


def test_a_formula_is_an_average_unless_it_says_otherwise():
    both = [variable("a", "sum:a{*}"), variable("b", "sum:b{*}")]
    found = [series("a", "2 4 6 8 40"), series("b", "2x9")]
    for rollup, expected in (("", 6.0), ('.rollup("max")', 20.0), ('.rollup("sum")', 30.0)):
        watched = formula(both, query=f'formula("a / b"){rollup}.last("5m") > 1')
        assert verdict(history(watched, *found, minutes=5), 5).value == expected


@pytest.mark.parametrize(
    "variables",
    [
        [variable("a", "sum:a{*}"), variable("b", "sum:b{*}"), variable("c", "x", "logs")],
        [variable("a", "sum:a{*}"), variable("b", {"search": "x"})],
    ],
)
def test_a_formula_over_other_data_is_refused(variables):
    with pytest.raises(InputError, match="this formula cannot be evaluated offline") as caught:
        history(formula(variables), series("a", "1x9"))
    assert (caught.value.where, caught.value.hint) == ("m", "formulas over metric queries can be")


def test_a_query_for_the_recovery_alone_is_refused():
    both = [variable("a", "sum:a{*}"), variable("b", "sum:b{*}")]
    alone = {"critical_recovery_query": 'formula("a").last("1h")'}
    with pytest.raises(InputError, match="a threshold that the options do not have"):
        history(formula(both, alone, 'formula("a").last("5m") > threshold'), series("a", "1x9"))


# --- service checks


def checked(results, minutes=10, query='"up".over("*").by("host").last(2).count_by_status()', **options):
    """`results`: {tags: [(minute, status)]}."""
    lines = [
        CheckSeries(
            "up",
            tuple(tags.split()),
            np.array([START + at * 60 for at, _ in rows]),
            np.array([s for _, s in rows], float),
        )
        for tags, rows in results.items()
    ]
    body = {
        "type": "service check",
        "query": query,
        "options": {"thresholds": options.pop("thresholds", {}), **options},
    }
    return evaluate_monitor(
        Monitor.from_body(body, "m"), Data(checks=lines), START, START + minutes * 60, Setting()
    )


def test_one_result_makes_a_state_where_no_number_is_given_and_unknown_none():
    found = checked({"host:a": [(0, 2), (2, 0), (4, 1), (6, 3)]})
    assert states(found, "host:a") == [(0, None), (1, State.ALERT), (3, State.OK), (5, State.WARN)]
    assert [verdict(found, at, "host:a").value for at in (0, 1, 2, 3, 7)] == [_, 2.0, 2.0, 0.0, 3.0]
    asked = checked({"host:a": [(0, 3)]}, thresholds={"unknown": 1})
    assert states(asked, "host:a")[-1] == (1, State.UNKNOWN)


def test_a_check_is_selected_by_its_tags_and_grouped_by_its_keys():
    results = {
        "host:a env:p": [(0, 2)],
        "host:b env:q": [(0, 2)],
        "env:p": [(0, 2)],
        "host:c env:p x:y": [(0, 0)],
    }
    query = '"up".over("ENV:p").exclude("X:y").by("host").last(2).count_by_status()'
    assert set(checked(results, query=query).groups) == {"host:a"}
    every = checked(results, query='"up".over("*").by("*").last(2).count_by_status()')
    assert set(every.groups) == {"env:p,host:a", "env:q,host:b", "env:p", "env:p,host:c,x:y"}
    whole = checked({}, query='"up".over("*").last(2).count_by_status()')
    assert states(whole) == [(0, State.NO_DATA)]
    assert verdict(whole, 5).value is None


def test_results_of_several_sources_of_a_group_are_one_sequence():
    results = {"host:a x:1": [(0, 2), (4, 2)], "host:a x:2": [(2, 0)]}
    found = checked(results, thresholds={"critical": 2})
    assert states(found, "host:a") == [(0, None), (1, State.OK)]
    found = checked({**results, "host:a x:3": [(3, 2)]}, thresholds={"critical": 2})
    assert states(found, "host:a")[-1] == (5, State.ALERT)


def test_a_cluster_whose_limits_are_no_percentages_is_refused():
    query = '"up".over("*").by("*").pct_by_status()'
    for thresholds, says in (
        ({"critical": 101}, "options.thresholds.critical is 101"),
        ({"critical": 50, "warning": -1}, "options.thresholds.warning is -1"),
        ({}, "needs a critical or a warning threshold"),
    ):
        with pytest.raises(InputError, match=says):
            checked({"host:a": [(0, 2)]}, query=query, thresholds=thresholds)
    for edge in (0, 100):
        assert checked({"host:a": [(0, 0)]}, query=query, thresholds={"critical": edge}).groups
    line = CheckSeries("up", ("host:a",), np.array([], np.int64), np.array([]))
    segments, shares = run_cluster(
        [line], np.array([60, 120]), CheckPolicy(Thresholds(critical=50)), True, Switches()
    )
    assert [(segment.state, segment.rule) for segment in segments] == [(None, Rule.NEVER)]
    assert np.isnan(shares).all()


# --- histories


def test_a_history_answers_for_any_evaluation():
    segments = (
        Segment(0, None, Rule.NEVER),
        Segment(2, State.OK, Rule.OK),
        Segment(3, State.OK, Rule.KEPT),
        Segment(5, State.ALERT, Rule.CRITICAL),
    )
    group = GroupHistory("g", ("a:b",), np.arange(8.0), segments, {1: "told"})
    assert [group.segment(at).index for at in range(8)] == [0, 0, 2, 3, 3, 5, 5, 5]
    assert list(group.changes()) == [(2, None, State.OK), (5, State.OK, State.ALERT)]
    assert list(group.spans()) == [(0, 2, None), (2, 5, State.OK), (5, 8, State.ALERT)]
    assert (group.detail(1), group.detail(2)) == ("told", "")
    times = np.arange(8) * 60 + 600
    whole = History(monitor("avg(last_5m):avg:a{*} > 1"), times, times - 300, times, {"g": group})
    assert [whole.index(at) for at in (599, 600, 659, 660, 9999)] == [-1, 0, 0, 1, 7]
    assert [whole.overall(at) for at in (0, 2, 5)] == [State.NO_DATA, State.OK, State.ALERT]
    assert (whole.grouped, whole.decided) == (False, {})


def test_the_worst_state_is_the_most_severe():
    order = [State.OK, State.UNKNOWN, State.NO_DATA, State.WARN, State.ALERT]
    for at, state in enumerate(order):
        assert worst(order[: at + 1]) is state
    assert worst([]) is State.NO_DATA


def test_a_line_of_one_group_is_muted_by_all_tags_of_the_group():
    """monitors/downtimes: the scope is compared with the tags of the group, however its notifications are put together."""
    found = [series("a", "0x2 5x5", "env:p", "host:x")]
    watched = monitor("avg(last_1m):avg:a{*} by {env,host} > 1", notify_by=["env"])
    for scope, muted in (("host:x", "downtime"), ("host:y", ""), ("env:p", "downtime")):
        mutes = [Mute(scope, START, None)]
        (note,) = history(watched, *found, minutes=6, mutes=mutes).notifications
        assert (note.group, note.muted) == ("env:p", muted)
    both = [*found, series("a", "0x2 5x5", "env:p", "host:y")]
    (note,) = history(watched, *both, minutes=6, mutes=[Mute("host:x", START, None)]).notifications
    assert note.muted == ""


@pytest.mark.parametrize(
    ("memory", "policy", "due"),
    [
        (Memory(State.ALERT, True, None), Policy(timeout=100), None),
        (Memory(None, True, 50), Policy(timeout=100), None),
        (Memory(State.ALERT, True, 50), Policy(timeout=100), 150),
        (Memory(State.ALERT, False, 50), Policy(timeout=100), None),
        (Memory(State.ALERT, True, 50, True), Policy(timeout=100), None),
        (Memory(State.ALERT, True, 50), Policy(grouped=True, retention=70), 120),
        (Memory(State.ALERT, True, 50), Policy(grouped=True, timeout=100, retention=70), 120),
        (Memory(State.ALERT, True, 50), Policy(grouped=True, timeout=60, retention=70), 110),
        (Memory(State.ALERT, True, 50), Policy(grouped=True, retention=70, notify_no_data=True), None),
        (
            Memory(State.ALERT, True, 50),
            Policy(grouped=True, retention=70, notify_no_data=True, on_missing_data="resolve"),
            120,
        ),
        (Memory(State.ALERT, True, 50), Policy(), None),
    ],
)
def test_a_silent_group_changes_when_its_next_timer_runs_out(memory, policy, due):
    assert next_change(memory, policy, 60) == due
    if due is not None:
        assert next_change(memory, policy, due) in {None, *range(due + 1, due + 200)}


# --- searches and events


@pytest.mark.parametrize(
    ("search", "matches"),
    [
        ("@n:<504", True),
        ("@n:<503", False),
        ("@n:>502", True),
        ("@n:503.0", False),
        ("@n:>=x", False),
        ("@n:[* TO *]", True),
        ("@t:[1 TO 2]", False),
        ("@t:>1", False),
        ("@ok:TRUE", True),
        ('@t:"a b"', True),
        ("@t:a*", True),
        ("@t:(x OR a*)", True),
    ],
)
def test_an_attribute_is_compared_as_a_number_or_as_text(search, matches):
    record = Record(START, "m", (), {"n": 503, "ok": True, "t": "A b"})
    assert compile_search(search)(record) is matches


@pytest.mark.parametrize("method", ["stddev", "latest"])
def test_a_rollup_that_is_no_percentile_is_refused(method):
    watched = monitor(f'logs("*").index("*").rollup("{method}", "@n").last("5m") > 1', type="log alert")
    with pytest.raises(InputError, match="cannot be evaluated offline"):
        evaluate_monitor(watched, Data(), START, START + 60, Setting())


@pytest.mark.parametrize(
    ("method", "expected"), [("pc50", 3.0), ("pc90", 4.0), ("median", 3.0), ("pc99", 4.0)]
)
def test_a_percentile_of_logs_is_a_value_that_occurs(method, expected):
    records = [Record(START + 60 * at, "x", (), {"n": at}) for at in (1, 2, 3, 4, 5)]
    records.append(Record(START + 90, "x", (), {"n": "no number"}))
    watched = monitor(f'logs("*").index("*").rollup("{method}", "@n").last("5m") > 99', type="log alert")
    assert (
        verdict(evaluate_monitor(watched, Data(records=records), START, START + 360, Setting()), 6).value
        == expected
    )


# --- outliers


def test_a_point_at_the_tolerance_itself_is_not_odd():
    """monitors/types/outlier: MAD counts points that are more than the tolerance away from the median."""
    matrix = np.array([[1.0, 1, 1], [2, 2, 2], [3, 3, 3], [5, 5, 5]])  # median 2.5, deviations 1.5 .5 .5 2.5
    assert outliers(matrix, "MAD", 2.5, 100).tolist() == [False, False, False, False]
    assert outliers(matrix, "MAD", 2.4, 100).tolist() == [False, False, False, True]
