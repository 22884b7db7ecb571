"""Composite monitors: groups, members without groups, No Data; and notifications put together.

Source: https://docs.datadoghq.com/monitors/types/composite/ ("Configuration"; "Work with composite monitors": the table
of states, and how groups of members are matched), and https://docs.datadoghq.com/monitors/notify/ (notify_by).
"""

import itertools

import pytest
from monitor_helpers import START, history, monitor, series, states

from monitoring.errors import InputError
from monitoring.monitor.composite import combine, settle
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.states import State
from monitoring.query import parse_monitor

HOST_A = monitor("avg(last_1m):avg:a{*} by {host} > 1")
ENV_A = monitor("avg(last_1m):avg:a{*} by {env} > 1")
HOST_B = monitor("avg(last_1m):avg:b{*} by {host} > 1")
NODE_B = monitor("avg(last_1m):avg:b{*} by {node} > 1")
BOTH_B = monitor("avg(last_1m):avg:b{*} by {env,host} > 1")
SIMPLE_B = monitor("avg(last_1m):avg:b{*} > 1")
C = monitor("avg(last_1m):avg:c{*} by {host} > 1")


def composed(expression, members, *found, minutes=5, **options):
    watched = monitor(expression, type="composite", thresholds={}, **options)
    setting = Setting(members=dict(enumerate(members, start=1)))
    return evaluate_monitor(watched, Data(list(found)), START, START + minutes * 60, setting)


def final(found):
    return {name: states(found, name)[-1][1] for name in found.groups}


@pytest.mark.parametrize(
    ("members", "expression", "found", "expected"),
    [
        (
            (HOST_A, HOST_B),
            "1 && 2",
            [series("a", "5x9", "host:x"), series("a", "5x9", "host:y"), series("b", "5x9", "host:x")],
            {"host:x": State.ALERT},
        ),
        (
            (HOST_A, HOST_B),
            "1 || 2",
            [series("a", "5x9", "host:x"), series("b", "0x9", "host:x"), series("b", "5x9", "host:z")],
            {"host:x": State.ALERT},
        ),
        (
            (HOST_A, NODE_B),  # only the values have to be equal
            "1 && 2",
            [series("a", "5x9", "host:x"), series("b", "5x9", "node:x"), series("b", "5x9", "node:y")],
            {"host:x": State.ALERT},
        ),
        (
            (HOST_A, SIMPLE_B),  # a simple alert goes with each group
            "1 && 2",
            [series("a", "5x9", "host:x"), series("a", "0x9", "host:y"), series("b", "5x9")],
            {"host:x": State.ALERT, "host:y": State.OK},
        ),
        (
            (SIMPLE_B, HOST_A),
            "1 && 2",
            [series("a", "5x9", "host:x"), series("a", "0x9", "host:y"), series("b", "5x9")],
            {"host:x": State.ALERT, "host:y": State.OK},
        ),
        (
            (ENV_A, BOTH_B),  # the groups of fewer keys go with all that have their values
            "1 && 2",
            [
                series("a", "5x9", "env:p"),
                series("b", "5x9", "env:p", "host:x"),
                series("b", "0x9", "env:p", "host:y"),
                series("b", "5x9", "env:q", "host:x"),
            ],
            {"env:p,host:x": State.ALERT, "env:p,host:y": State.OK},
        ),
        (
            (HOST_A, HOST_B, C),
            "1 && 2 && !3",
            [
                *(series(name, "5x9", "host:x") for name in "ab"),
                series("c", "0x9", "host:x"),
                *(series(name, "5x9", "host:y") for name in "abc"),
                *(series(name, "5x9", "host:z") for name in "ab"),
            ],
            {"host:x": State.ALERT, "host:y": State.OK},
        ),
        ((HOST_A, HOST_B), "1 && 2", [series("a", "5x9", "host:x"), series("b", "5x9", "host:y")], {}),
    ],
)
def test_a_composite_has_the_groups_whose_values_its_members_share(members, expression, found, expected):
    assert final(composed(expression, members, *found)) == expected


def test_a_composite_follows_each_change_of_a_member_at_its_minute():
    found = composed(
        "1 && 2",
        (HOST_A, HOST_B),
        series("a", "0 5x9", "host:x"),
        series("b", "5x4 0x9", "host:x"),
        minutes=9,
    )
    assert states(found, "host:x") == [(0, State.OK), (2, State.ALERT), (6, State.OK)]


@pytest.mark.parametrize(
    ("notify", "changes"),
    [
        (False, [(0, State.OK), (1, State.ALERT)]),
        (True, [(0, State.NO_DATA), (1, State.ALERT), (5, State.NO_DATA)]),
    ],
)
def test_a_composite_of_no_data_shows_its_last_state_where_no_data_is_not_notified(notify, changes):
    """The table of the page: `||` of No Data and OK is No Data; "last known" where it is not notified."""
    missing = monitor("avg(last_1m):avg:a{*} > 1", on_missing_data="show_no_data")
    calm = monitor("avg(last_1m):avg:b{*} > 1")
    found = composed(
        "1 || 2",
        (missing, calm),
        series("a", "5x3 _x9"),
        series("b", "0x20"),
        minutes=9,
        notify_no_data=notify,
    )
    assert states(found) == changes


OK, WARN, ALERT, NO_DATA = State.OK, State.WARN, State.ALERT, State.NO_DATA
ORDER = [OK, NO_DATA, WARN, ALERT]


@pytest.mark.parametrize(("left", "right"), list(itertools.product(ORDER, ORDER)))
def test_the_most_severe_state_wins_an_or_and_the_least_severe_an_and(left, right):
    """The page: Alert > Warn > No Data > OK; `||` takes the most severe, `&&` the least severe."""
    for sign, choose in (("||", max), ("&&", min)):
        expected = choose((left, right), key=ORDER.index)
        assert combine(parse_monitor(f"1 {sign} 2").expression, {1: left, 2: right}) is expected
    assert settle(left, right, True) is left
    assert settle(left, right, False) is (right if left is NO_DATA else left)


def test_a_member_that_is_not_there_and_a_schedule_are_refused():
    with pytest.raises(InputError, match="member 2 is not known") as caught:
        composed("1 && 2", (HOST_A,), series("a", "5x9", "host:x"))
    assert "2: its-key" in caught.value.hint


def told(query, found, **options):
    watched = monitor(query, "@ops", **options)
    return [
        ((each.time - START) // 60, each.kind, each.group, each.groups)
        for each in history(watched, *found, minutes=12).notifications
    ]


BY = "avg(last_1m):avg:a{*} by {env,host} > 1"
PARTS = [
    series("a", "0x2 5x3 0x9", "env:p", "host:x"),
    series("a", "0x4 5x3 0x9", "env:p", "host:y"),
    series("a", "0x2 5x0 0x9", "env:q", "host:x"),
]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            {"notify_by": ["env"]},
            [
                (4, "alert", "env:p", ("env:p,host:x",)),
                (4, "alert", "env:q", ("env:q,host:x",)),
                (5, "recovery", "env:q", ("env:q,host:x",)),
                (10, "recovery", "env:p", ("env:p,host:x", "env:p,host:y")),
            ],
        ),
        (
            {"notify_by": ["*"]},
            [
                (4, "alert", "*", ("env:p,host:x", "env:q,host:x")),
                (10, "recovery", "*", ("env:p,host:x", "env:p,host:y", "env:q,host:x")),
            ],
        ),
        (
            {"groupby_simple_monitor": True},
            [
                (4, "alert", "*", ("env:p,host:x", "env:q,host:x")),
                (10, "recovery", "*", ("env:p,host:x", "env:p,host:y", "env:q,host:x")),
            ],
        ),
        (
            {},
            [
                (4, "alert", "env:p,host:x", ("env:p,host:x",)),
                (4, "alert", "env:q,host:x", ("env:q,host:x",)),
                (5, "recovery", "env:q,host:x", ("env:q,host:x",)),
                (6, "alert", "env:p,host:y", ("env:p,host:y",)),
                (8, "recovery", "env:p,host:x", ("env:p,host:x",)),
                (10, "recovery", "env:p,host:y", ("env:p,host:y",)),
            ],
        ),
    ],
)
def test_notify_by_puts_groups_into_one_line_that_follows_the_worst(options, lines):
    """notify_by (api, options): notifications by fewer keys than the query groups by; `["*"]` one for all."""
    assert told(BY, PARTS, **options) == lines
