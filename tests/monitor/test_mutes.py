"""What a downtime holds back, and what is told in spite of it, as Datadog's page on downtimes says."""

import pytest
from monitor_helpers import START, history, monitor, series

from monitoring.monitor.mutes import Mute, fixed_tags, scope_test
from monitoring.monitor.states import State

MINUTE = 60


def told(values, *mutes, minutes=20, query="sum(last_1m):sum:errors{*} by {env} > 5", **options):
    """(minute, kind, what held it back) of each notification."""
    made = monitor(query, **options)
    found = history(made, series("errors", values, "env:prod"), minutes=minutes, mutes=mutes)
    return [((one.time - START) // MINUTE, one.kind, one.muted) for one in found.notifications]


def mute(first, last, scope="*", **more):
    end = None if last is None else START + last * MINUTE
    return Mute(scope, START + first * MINUTE, end, "downtime 7", **more)


QUIET, LOUD = "0x3 9x2 0x20", "0x3 9x20"


def test_what_begins_and_ends_within_is_never_told():
    assert told(QUIET) == [(5, "alert", ""), (8, "recovery", "")]
    assert told(QUIET, mute(2, 15)) == [(5, "alert", "downtime 7")]


def test_what_is_still_wrong_when_it_expires_is_told_then():
    assert told(LOUD, mute(2, 10)) == [(5, "alert", "downtime 7"), (10, "alert", "")]


def test_what_was_told_before_and_is_still_wrong_when_it_expires_is_told_again():
    assert told(LOUD, mute(7, 10)) == [(5, "alert", ""), (10, "renotify", "")]


def test_the_first_recovery_of_what_was_told_before_is_told_within():
    assert told(QUIET, mute(6, 15)) == [(5, "alert", ""), (8, "recovery", "")]
    assert told("0x3 9x2 0x1 9x1 0x9", mute(6, 19)) == [
        (5, "alert", ""),
        (8, "recovery", ""),
        (10, "alert", "downtime 7"),
    ]


def test_the_first_recovery_is_held_back_where_one_of_several_asks_for_it():
    silent = mute(6, 15, first_recovery=False)
    expected = [(5, "alert", ""), (8, "recovery", "downtime 7")]
    assert told(QUIET, silent) == expected
    assert told(QUIET, mute(6, 15), silent) == expected


def test_a_cancellation_or_a_state_that_is_not_asked_for_tells_nothing_and_the_recovery_follows():
    quiet_end = mute(2, 10, told_at_end=frozenset({State.WARN}))
    assert told("0x3 9x7 0x9", quiet_end) == [(5, "alert", "downtime 7"), (13, "recovery", "")]
    assert told("0x3 9x7 0x9", mute(2, 10, told_at_end=frozenset())) == [
        (5, "alert", "downtime 7"),
        (13, "recovery", ""),
    ]


def test_two_that_touch_are_one_silence():
    assert told(LOUD, mute(2, 8), mute(8, 12)) == [(5, "alert", "downtime 7"), (12, "alert", "")]


def test_repeats_are_held_back_too_and_go_on_afterwards():
    found = told("9x30", mute(3, 8), renotify_interval=2, renotify_statuses=["alert"], minutes=11)
    assert found == [
        (1, "alert", ""),
        (3, "renotify", "downtime 7"),
        (5, "renotify", "downtime 7"),
        (7, "renotify", "downtime 7"),
        (8, "renotify", ""),
        (10, "renotify", ""),
    ]


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("*", True),
        ("service:web-store", True),
        ("Service:Web-Store", True),
        ("service:web-store AND env:dev", True),
        ("service:web-store,env:dev", True),
        ("service:web-store env:prod", False),
        ("env:(dev OR staging)", True),
        ("service:web-store AND env:(prod OR staging)", False),
        ("host:web-*", True),
        ("host:*-prod-cluster", False),
        ("service:web-store AND -env:prod", True),
        ("-env:dev", False),
        ("NOT env:prod", True),
        ("service:other", False),
        ("missing:key", False),
    ],
)
def test_scopes_are_read_as_the_page_lists_them(scope, covered):
    assert scope_test(scope)(("env:dev", "host:web-1", "service:web-store")) is covered


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("avg(last_5m):avg:m{*} by {host} > 1", set()),
        ("avg(last_5m):avg:m{service:web,env:prod} by {host} > 1", {"service:web", "env:prod"}),
        ("avg(last_5m):avg:m{service:web AND NOT env:prod} by {host} > 1", {"service:web"}),
        ("avg(last_5m):avg:m{service:web OR env:prod} > 1", set()),
        ("avg(last_5m):avg:m{service:w*} > 1", set()),
        ("avg(last_5m):avg:m{a:1,b:2} / avg:n{b:2} > 1", {"b:2"}),
    ],
)
def test_a_group_has_the_tags_that_its_monitors_query_asks_for(query, tags):
    assert fixed_tags(monitor(query)) == tags


def test_a_downtime_of_a_service_mutes_every_host_of_a_monitor_of_that_service():
    query = "sum(last_1m):sum:errors{env:prod} by {host} > 5"
    assert told(LOUD, mute(2, 30, scope="env:prod"), query=query.replace("{host}", "{env}")) == [
        (5, "alert", "downtime 7")
    ]
    made = monitor(query)
    found = history(
        made, series("errors", LOUD, "env:prod", "host:a"), minutes=20, mutes=[mute(2, 30, scope="env:prod")]
    )
    assert [one.muted for one in found.notifications] == ["downtime 7"]
