"""The worked examples of Datadog's documentation that a monitor has to reproduce."""

import json

import numpy as np
import pytest
from monitor_helpers import START, history, monitor, series, states, verdict
from shared_data import shared_data

from monitoring.errors import InputError
from monitoring.monitor.codes import _RECOVERS
from monitoring.monitor.composite import combine, settle
from monitoring.monitor.rolling import Windows, full
from monitoring.monitor.states import State
from monitoring.monitor.switches import Switches
from monitoring.monitor.windows import EvaluationWindow
from monitoring.query import parse_monitor


@pytest.fixture(scope="module")
def examples():
    return json.loads(shared_data("doc_examples.json").read_text())


def spread(values):
    return " ".join("_" if value is None else str(value) for value in values)


def test_the_two_evaluation_paths_give_the_published_numbers(examples):
    given = examples["as_count_eval"]
    error = series("error", spread(given["error"]), type="count")
    total = series("total", spread(given["total"]), type="count")
    counted = monitor("sum(last_5m):sum:error{*}.as_count() / sum:total{*}.as_count() > 9")
    rated = monitor("sum(last_5m):sum:error{*}.as_rate() / sum:total{*}.as_rate() > 9")
    assert verdict(history(counted, error, total), 5).value == pytest.approx(
        given["as_count_eval_path sum(last_5m) error.as_count()/total.as_count()"]
    )
    assert verdict(history(rated, error, total), 5).value == pytest.approx(
        given["classic_eval_path sum(last_5m) error.as_rate()/total.as_rate()"]
    )


def test_a_division_by_zero_or_by_nothing_gives_no_value(examples):
    given = examples["sparse_division"]
    a, b = series("a", spread(given["A"])), series("b", spread(given["B"]))
    found = history(monitor("sum(last_5m):sum:a{*} / sum:b{*} > 99"), a, b)
    assert verdict(found, 5).value == given["a/b sum"]


def fill_example(examples, fill):
    given = examples["fill_last_900"]
    five_minutes_early = START - 300  # the first value of den comes from before the window
    num = series("num", "_ " + spread(given["num"]), every=300, start=five_minutes_early)
    den = series("den", "1 " + spread(given["den"]), every=300, start=five_minutes_early)
    query = f"sum(last_30m):sum:num{{*}}.rollup(avg, 300){fill} / sum:den{{*}}.rollup(avg, 300){fill} > 99"
    # the page counts both ends of the window, seven buckets from 12:00 to 12:30, where other pages count five
    # points of a minute in last_5m: a switch
    return verdict(history(monitor(query), num, den, minutes=30, switches=Switches(window_end="closed")), 30)


def test_sides_that_never_meet_are_skipped_and_filled_sides_meet(examples):
    skipped = fill_example(examples, "")
    assert (skipped.value, skipped.evidence.rule) == (None, "skipped: every bucket is null")
    assert fill_example(examples, ".fill(last, 900)").value == examples["fill_last_900"]["result"]


def test_a_full_window_is_judged_as_in_the_published_cases(examples):
    for points, expected in examples["full_window_2h"]["cases"]:
        times = np.array([at * 600 for at, there in enumerate(points) if there])
        window = Windows(np.array([0]), np.array([7200]))
        assert bool(full(times, window, 600)[0]) is expected, points


@pytest.mark.parametrize(
    ("delay", "window", "at", "looks_at"), [(900, "5m", 60, (40, 45)), (300, "5m", 60, (50, 55))]
)
def test_the_evaluation_delay_moves_the_window_back(delay, window, at, looks_at):
    watched = monitor(f"avg(last_{window}):avg:a{{*}} > 1", evaluation_delay=delay)
    found = verdict(history(watched, series("a", "0x90"), minutes=90), at)
    assert [(edge - START) // 60 for edge in found.evidence.window] == list(looks_at)


@pytest.mark.parametrize(
    ("seconds", "cadence"),
    [(300, 60), (86399, 60), (86400, 600), (172799, 600), (172800, 1800), (604800, 1800)],
)
def test_longer_windows_are_evaluated_less_often(seconds, cadence):
    assert EvaluationWindow(seconds, "m").cadence == cadence


def test_recovery_is_reached_on_the_side_that_the_guide_says(examples):
    words = {"<=": np.less_equal, "<": np.less, ">=": np.greater_equal, ">": np.greater}
    for operator, said in examples["recovery"].items():
        if operator != "source":
            assert _RECOVERS[operator] is words[said.split()[0]]


def test_change_and_relative_change_give_the_published_number(examples):
    given = examples["change"]["example"]
    points = series("a", f"{given['b']}x9 {given['a']}x20")
    for name, expected in (("change", given["a"] - given["b"]), ("pct_change", given["pct"])):
        found = history(monitor(f"{name}(avg(last_5m),last_10m):avg:a{{*}} > 500"), points, minutes=16)
        assert verdict(found, 16).value == pytest.approx(expected)


def test_the_composite_table_is_reproduced(examples):
    for left, right, sign, notify, expected in examples["composite"]["rows"]:
        tree = parse_monitor(f"1 {sign} 2").expression
        result = combine(tree, {1: State(left), 2: State(right)})
        known = State.WARN if expected != "Warn" else State.ALERT
        wanted = known if expected == "Last known" else State(expected)
        assert settle(result, known, bool(notify)) is wanted, (left, sign, right, notify)


def test_not_turns_states_as_published():
    tree = parse_monitor("!1").expression
    assert [combine(tree, {1: state}) for state in (State.NO_DATA, State.ALERT, State.WARN, State.OK)] == [
        State.NO_DATA,
        State.OK,
        State.OK,
        State.ALERT,
    ]


@pytest.mark.parametrize(
    ("query", "state"),
    [("max({}) > 40", State.ALERT), ("max({}) > 50", State.OK), ("sum({}) > 250", State.OK)],
)
def test_the_aggregators_decide_as_published(examples, query, state):
    values = spread(examples["monitor_aggregators"]["values"])
    aggregation, comparison = query.split(" ", 1)
    watched = monitor(f"{aggregation.format('last_11m')}:avg:a{{*}} {comparison}")
    assert verdict(history(watched, series("a", values), minutes=11), 11).state is state


def test_the_value_of_a_monitor_is_that_of_the_history_graph(examples):
    given = examples["history_eval_graph"]
    found = history(monitor("avg(last_5m):avg:a{*} > 99"), series("a", spread(given["points"])), minutes=5)
    assert verdict(found, 5).value == pytest.approx(given["avg(last_5m)"])


def test_states_follow_thresholds_with_recovery():
    thresholds = {"critical": 80, "critical_recovery": 70, "warning": 60, "warning_recovery": 50}
    watched = monitor("avg(last_1m):avg:a{*} > 80", thresholds=thresholds)
    found = history(watched, series("a", "10 85 75 70 55 50 65 90 10"), minutes=9)
    assert states(found) == [
        (0, State.NO_DATA),
        (1, State.OK),
        (2, State.ALERT),
        (4, State.WARN),
        (6, State.OK),
        (7, State.WARN),
        (8, State.ALERT),
        (9, State.OK),
    ]


@pytest.mark.parametrize(
    ("query", "thresholds", "says"),
    [
        (
            "avg(last_5m):avg:a{*} > 200",
            {"critical": 90},
            "Alert threshold (90.0) does not match that used in the query (200.0).",
        ),
        ("avg(last_5m):avg:a{*} > 20", {"warning": 10}, "options.thresholds has no critical"),
        (
            "avg(last_5m):avg:a{*} > 20",
            {"critical": 20, "warning": 50},
            "Warning threshold (50.0) must be less than the alert threshold (20.0) with > comparison.",
        ),
        (
            "avg(last_5m):avg:a{*} < 20",
            {"critical": 20, "warning": 10},
            "Warning threshold (10.0) must be greater than the alert threshold (20.0) with < comparison.",
        ),
        (
            "avg(last_5m):avg:a{*} > 20",
            {"critical": 20, "critical_recovery": 30},
            "criteria are such that the monitor can be simultaneously in alert and alert recovery states",
        ),
    ],
)
def test_options_that_contradict_the_query_are_refused_in_datadogs_words(query, thresholds, says):
    with pytest.raises(InputError) as caught:
        history(monitor(query, thresholds=thresholds), series("a", "1"))
    assert says in caught.value.message
