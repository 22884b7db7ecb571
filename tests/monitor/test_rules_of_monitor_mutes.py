"""Downtimes: when they are on, which monitors they are about, and what is told when they end.

Source: https://docs.datadoghq.com/monitors/downtimes/ and the API reference of downtimes, versions 1 and 2 (monitor_id,
monitor_tags, scope, recurrence, canceled, mute_first_recovery_notification, notify_end_states, notify_end_types).
"""

from datetime import UTC, datetime

import pytest

from monitoring.monitor import downtimes
from monitoring.monitor.definition import Monitor
from monitoring.monitor.mutes import Mute, fixed_tags, scope_test
from monitoring.monitor.recurrence import Recurrence, local_time
from monitoring.monitor.states import State

START = 1772323200
"""2026-03-01T00:00:00Z."""
HOUR, DAY = 3600, 86400


def downtime(**more):
    body = {"id": 7, "scope": ["*"], "start": START, "end": START + HOUR, "monitor_id": None}
    return {**body, "monitor_tags": ["*"], "timezone": "UTC", "canceled": None, **more}


def daily(hour, length="1h", rule="FREQ=DAILY"):
    return {"rrule": rule, "duration": length, "start": f"2026-03-01T{hour:02}:00:00"}


@pytest.mark.parametrize(
    ("end", "canceled", "since", "until", "window"),
    [
        (HOUR, None, 0, DAY, (0, HOUR)),
        (HOUR, None, HOUR - 1, HOUR, (0, HOUR)),
        (HOUR, None, HOUR, DAY, None),
        (HOUR, None, -DAY, 1, (0, HOUR)),
        (HOUR, None, -DAY, 0, None),
        (None, None, 99 * DAY, 100 * DAY, (0, None)),
        (None, None, -DAY, 0, None),
        (HOUR, 600, 0, DAY, (0, 600)),
        (None, 600, 0, DAY, (0, 600)),
        (HOUR, 2 * HOUR, 0, DAY, (0, HOUR)),
        (HOUR, 600, 599, DAY, (0, 600)),
        (HOUR, 600, 600, DAY, None),
        (HOUR, 0, -DAY, DAY, None),
        (HOUR, -60, -DAY, DAY, None),
    ],
)
def test_a_downtime_is_on_from_its_start_to_its_end_or_its_cancellation(end, canceled, since, until, window):
    body = downtime(
        end=None if end is None else START + end, canceled=None if canceled is None else START + canceled
    )
    expected = window and (START + window[0], None if window[1] is None else START + window[1])
    found = downtimes.windows(body, START + since, START + until)
    assert found == ([expected] if expected else [])


def test_windows_of_several_recurrences_are_in_the_order_of_their_starts():
    body = downtime(recurrences=[daily(12), daily(8, "6h")])
    starts = [(start - START) // HOUR for start, _ in downtimes.windows(body, START, START + 2 * DAY)]
    assert starts == [8, 12, 32, 36]
    noon = START + 12 * HOUR
    assert downtimes.current(body, noon) == (START + 8 * HOUR, START + 14 * HOUR)
    between = START + 15 * HOUR
    assert downtimes.current(body, between) == (START + 32 * HOUR, START + 38 * HOUR)
    twice = downtime(recurrences=[daily(12, rule="FREQ=DAILY;COUNT=2"), daily(8, rule="FREQ=DAILY;COUNT=1")])
    assert downtimes.current(twice, START + 9 * DAY) == (START + 36 * HOUR, START + 37 * HOUR)
    canceled = {**body, "canceled": START - HOUR}
    assert downtimes.current(canceled, START + DAY) is None


@pytest.mark.parametrize(
    ("now", "status"),
    [(-1, "scheduled"), (0, "active"), (HOUR - 1, "active"), (HOUR, "ended"), (DAY, "ended")],
)
def test_the_status_of_a_downtime_that_happens_once(now, status):
    assert downtimes.status(downtime(), START + now) == status
    assert downtimes.status(downtime(canceled=START + DAY), START + now) == "canceled"
    assert downtimes.current(downtime(), START + now) == (START, START + HOUR)


def test_times_of_a_recurrence_are_local_to_its_time_zone_which_is_utc_by_default():
    tokyo = downtime(timezone="Asia/Tokyo", recurrences=[daily(9)])
    assert downtimes.windows(tokyo, START, START + HOUR) == [(START, START + HOUR)]
    for zone in (None, ""):
        plain = downtime(timezone=zone, recurrences=[daily(9)])
        assert downtimes.windows(plain, START, START + DAY) == [(START + 9 * HOUR, START + 10 * HOUR)]
    weekly = downtime(timezone="Asia/Tokyo", recurrence={"type": "weeks", "week_days": ["Sun", "monday"]})
    assert downtimes.rules(weekly) == [
        {"rrule": "FREQ=WEEKLY;INTERVAL=1;BYDAY=SU,MO", "duration": "60m", "start": "2026-03-01T09:00:00"}
    ]
    assert downtimes.windows(weekly, START, START + HOUR) == [(START, START + HOUR)]


@pytest.mark.parametrize(
    ("recurrence", "rule"),
    [
        ({"type": "rrule"}, ""),
        ({"type": "days", "period": None}, "FREQ=DAILY;INTERVAL=1"),
        ({"type": "days", "period": "2", "until_occurrences": "3"}, "FREQ=DAILY;INTERVAL=2;COUNT=3"),
    ],
)
def test_what_a_recurrence_of_version_1_leaves_out_is_once_a_period(recurrence, rule):
    assert downtimes.rule_of(recurrence) == rule


@pytest.mark.parametrize(
    ("named", "monitor", "about"),
    [
        ({"monitor_id": 5}, {"id": 5}, True),
        ({"monitor_id": 5}, {"id": 6, "tags": ["a:1"]}, False),
        ({"monitor_id": 5, "monitor_tags": ["a:1"]}, {"id": 6, "tags": ["a:1"]}, False),
        ({"monitor_tags": ["*"]}, {"id": 6}, True),
        ({"monitor_tags": ["*"]}, {"id": 6, "tags": None}, True),
        ({"monitor_tags": ["a:1"]}, {"id": 6, "tags": ["b:2", "a:1"]}, True),
        ({"monitor_tags": ["a:1", "b:2"]}, {"id": 6, "tags": ["b:2", "a:1"]}, True),
        ({"monitor_tags": ["a:1", "b:2"]}, {"id": 6, "tags": ["a:1"]}, False),
        ({"monitor_tags": ["a:1"]}, {"id": 6}, False),
    ],
)
def test_a_downtime_is_about_the_monitor_that_it_names_or_those_with_all_its_tags(named, monitor, about):
    assert downtimes.is_about(downtime(**named), monitor) is about


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ({"scope": ["env:a"]}, "env:a"),
        ({"scope": ["env:a", "host:b"]}, "env:a AND host:b"),
        ({"scope": []}, "*"),
        ({"scope": ["env:a"], "scope_query": "env:(a OR b)"}, "env:(a OR b)"),
        ({"scope": ["env:a"], "scope_query": ""}, "env:a"),
    ],
)
def test_all_scopes_have_to_match_and_none_is_everything(body, scope):
    assert downtimes.scope_of(downtime(**body)) == scope


ALL = frozenset({State.ALERT, State.WARN, State.NO_DATA})


@pytest.mark.parametrize(
    ("more", "end", "first_recovery", "told"),
    [
        ({}, HOUR, True, ALL),
        ({"end": None}, None, True, ALL),
        ({"mute_first_recovery_notification": True}, HOUR, False, ALL),
        ({"mute_first_recovery_notification": False}, HOUR, True, ALL),
        ({"notify_end_states": ["warn"]}, HOUR, True, {State.WARN}),
        ({"notify_end_states": []}, HOUR, True, set()),
        ({"notify_end_types": []}, HOUR, True, set()),
        ({"notify_end_types": ["canceled"]}, HOUR, True, set()),
        ({"canceled": START + 600}, 600, True, set()),
        ({"canceled": START + 600, "notify_end_types": ["canceled"]}, 600, True, ALL),
        ({"canceled": START + 600, "notify_end_types": ["canceled", "expired"]}, 600, True, ALL),
        ({"canceled": START + DAY}, HOUR, True, ALL),
    ],
)
def test_what_is_told_at_the_end_depends_on_how_it_ends(more, end, first_recovery, told):
    body = downtime(scope=["env:a"], **more)
    (mute,) = downtimes.mutes([body, downtime(monitor_id=9)], {"id": 5}, START, START + DAY)
    finish = None if end is None else START + end
    assert mute == Mute("env:a", START, finish, "downtime 7", first_recovery, frozenset(told))


@pytest.mark.parametrize(
    ("end", "held"), [(10, {0: True, 9: True, 10: False, -1: False}), (None, {-1: False, 0: True, 99: True})]
)
def test_a_mute_holds_from_its_start_on_and_not_at_its_end(end, held):
    mute = Mute("*", 0, end)
    assert {time: mute.holds(time) for time in held} == held
    assert (mute.name, mute.first_recovery, mute.told_at_end) == ("downtime", True, ALL)


@pytest.mark.parametrize(
    ("scope", "tags", "meant"),
    [
        ("*", [], True),
        ("env:a", ["env:a", "host:x"], True),
        ("env:a", ["env:b"], False),
        ("env:a,host:x", ["env:a", "host:x"], True),
        ("env:a,host:x", ["env:a", "host:y"], False),
        ("ENV:a", ["env:a"], True),
        ("env:a AND -host:x", ["env:a", "host:x"], False),
        ("env:(a OR b)", ["env:b"], True),
        ("env:(a OR b)", ["env:c"], False),
        ("host:web-*", ["host:web-1"], True),
    ],
)
def test_a_scope_means_the_groups_whose_tags_match(scope, tags, meant):
    assert scope_test(scope)(tags) is meant
    assert Mute(scope, 0, None).means(tags) is meant


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("avg(last_5m):avg:a{service:web} by {host} > 1", {"service:web"}),
        ("avg(last_5m):avg:a{Service:Web} by {host} > 1", {"service:web"}),
        ("avg(last_5m):avg:a{service:web,env:p} > 1", {"service:web", "env:p"}),
        ("avg(last_5m):avg:a{service:web AND (env:p OR env:q)} > 1", {"service:web"}),
        ("avg(last_5m):avg:a{service:web OR env:q} > 1", set()),
        ("avg(last_5m):avg:a{service:w*} > 1", set()),
        ("avg(last_5m):avg:a{web,service:x} > 1", {"service:x"}),
        ("avg(last_5m):avg:a{!service:web} > 1", set()),
        ("avg(last_5m):avg:a{*} > 1", set()),
        ("avg(last_5m):avg:a{service:web,env:p} / avg:b{env:p} > 1", {"env:p"}),
        ("avg(last_5m):avg:a{service:web} / avg:b{*} > 1", set()),
        ('"up".over("Env:P","host:x").by("host").last(2).count_by_status()', {"env:p", "host:x"}),
        ('logs("service:web").index("*").rollup("count").last("5m") > 1', set()),
    ],
)
def test_the_tags_that_a_query_requires_are_those_of_every_group(query, tags):
    assert fixed_tags(Monitor.from_body({"type": "query alert", "query": query})) == tags


def test_a_recurring_window_overlaps_the_time_or_it_is_not_there():
    hour = Recurrence("FREQ=DAILY", datetime(2026, 3, 1, 10), HOUR)
    begin = START + 10 * HOUR
    assert hour.windows(begin + HOUR - 1, begin + HOUR) == [(begin, begin + HOUR)]
    assert hour.windows(begin + HOUR, begin + DAY) == []
    assert hour.windows(begin - DAY, begin) == []
    assert hour.windows(begin - 1, begin + 1) == [(begin, begin + HOUR)]
    assert (hour.next(begin), hour.last(begin)) == ((begin + DAY, begin + DAY + HOUR), None)
    assert (hour.next(begin - 1), hour.last(begin + 1)) == ((begin, begin + HOUR), (begin, begin + HOUR))


def test_a_local_time_has_no_offset():
    assert local_time("2026-03-01T10:00") == datetime(2026, 3, 1, 10)
    for text, says in (("2026-03-01T10:00Z", "has an offset"), ("noon", "is not an ISO-8601 time")):
        with pytest.raises(Exception, match=says):
            local_time(text)
    assert datetime.fromtimestamp(START, UTC).isoformat() == "2026-03-01T00:00:00+00:00"
