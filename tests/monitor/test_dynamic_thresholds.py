"""Dynamic thresholds: a query gives the value that a formula monitor is compared with (critical_query)."""

import pytest
from monitor_helpers import history, series, verdict

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.monitor.states import State

TWICE = 'formula("2 * a").rollup("avg").last("1h")'
ALL = "avg:shop.latency{*}"
BY_ZONE = "avg:shop.latency{*} by {zone}"


def history_of(body, *found):
    return history(body, *found, minutes=150)


def monitor(query='formula("a").rollup("avg").last("5m") > threshold', a=ALL, **thresholds):
    options = {
        "variables": [{"data_source": "metrics", "name": "a", "query": a}],
        "thresholds": thresholds or {"critical_query": TWICE},
    }
    body = {"name": "m", "type": "query alert", "query": query, "message": "@x", "options": options}
    return Monitor.from_body(body, "m")


def test_the_threshold_moves_with_what_its_query_finds():
    # twice the average of the last hour: 2 while it is quiet, more as the rise itself becomes history
    found = history_of(monitor(), series("shop.latency", "1x60 3x120"))
    assert verdict(found, 60).state is State.OK
    rise = verdict(found, 66)
    assert (rise.state, rise.value) == (State.ALERT, 3.0)
    expected = 2 * (55 * 1 + 5 * 3) / 60
    assert f"critical_query: {expected:.12g}" in str(rise.evidence)
    # half of the hour is high: twice (1 + 3) / 2 is above 3
    assert verdict(found, 100).state is State.OK


@pytest.mark.parametrize(
    ("operator", "values", "state"),
    [
        (">", "1x60 2x5", State.OK),
        (">", "1x60 9x5", State.ALERT),
        ("<", "9x60 1x5", State.ALERT),
        (">=", "2x90", State.OK),
        ("<=", "2x90", State.ALERT),
    ],
)
def test_every_comparison_takes_it(operator, values, state):
    query = f'formula("a").last("5m") {operator} threshold'
    found = history_of(monitor(query), series("shop.latency", values))
    assert verdict(found, 65).state is state


@pytest.mark.parametrize(
    ("threshold", "states"),
    [
        (BY_ZONE, {"zone:a": State.ALERT, "zone:b": State.OK}),
        (ALL, {"zone:a": State.OK, "zone:b": State.OK}),
    ],
)
def test_each_group_is_compared_with_its_own_or_with_the_only_one(threshold, states):
    body = monitor(critical_query='formula("2 * b").last("1h")', a=BY_ZONE)
    extra = {"data_source": "metrics", "name": "b", "query": threshold}
    options = body.options.__class__(
        variables=(*body.options.variables, extra), threshold_queries=body.options.threshold_queries
    )
    found = history_of(
        body._replace(options=options),
        series("shop.latency", "1x60 9x6", "zone:a"),
        series("shop.latency", "8x70", "zone:b"),
    )
    assert {name: verdict(found, 66, name).state for name in states} == states


def test_a_recovery_query_holds_the_alert():
    held = monitor(critical_query=TWICE, critical_recovery_query='formula("1 * a").last("1h")')
    for chosen, state in ((held, State.ALERT), (monitor(), State.OK)):
        found = history_of(chosen, series("shop.latency", "1x60 9x5 2x5"))
        assert verdict(found, 65).state is State.ALERT
        assert verdict(found, 71).state is state


def test_without_a_value_of_the_threshold_the_evaluation_is_skipped():
    other = 'formula("a / 0").last("1h")'
    found = history_of(monitor(critical_query=other), series("shop.latency", "1x70"))
    assert verdict(found, 66).state is State.NO_DATA
    assert "no value of critical_query" in str(verdict(found, 66).evidence)


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({"critical_query": "avg:a{*}"}, "cannot be read"),
        ({"critical_query": 'formula("a").last("5 years")'}, "cannot be read"),
        ({"critical_query": 'formula("c").last("1h")'}, "c"),
        ({"critical_query": 'formula("a, a").last("1h")'}, "is a list"),
        ({"critical_query": TWICE, "warning": 3}, "cannot be combined"),
        ({"warning": 3}, "a threshold that the options do not have"),
    ],
)
def test_a_threshold_that_cannot_be_evaluated_says_why(thresholds, words):
    with pytest.raises(InputError) as caught:
        history_of(monitor(**thresholds), series("shop.latency", "1x9"))
    assert words in caught.value.message


def test_the_window_of_the_documented_example_is_read():
    example = 'formula("2 * a").rollup("avg").last("6mo")'
    found = history_of(monitor(critical_query=example), series("shop.latency", "1x60 9x6"))
    assert verdict(found, 66).state is State.ALERT
