"""Custom schedules: when they come true, what is refused, and that each evaluation stands for itself."""

from datetime import UTC, datetime

import pytest
from monitor_helpers import history, monitor, series

from monitoring.errors import InputError
from monitoring.monitor.schedule import schedule_of
from monitoring.monitor.states import Rule, State


def scheduling(rrule, start=None, zone=None, **more):
    given = {"rrule": rrule, "start": start, "timezone": zone, **more}
    return {
        "custom_schedule": {
            "recurrences": [{name: value for name, value in given.items() if value is not None}]
        }
    }


def epoch(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def moments(rrule, first, last, **given):
    found = schedule_of(scheduling(rrule, **given)).times(epoch(first), epoch(last)).tolist()
    return [datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%dT%H:%M") for each in found]


@pytest.mark.parametrize(
    ("rrule", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", ["01-31", "02-28", "03-31", "04-30"]),
        (
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU",
            ["01-04", "01-25", "03-01", "03-29"],
        ),
        (
            "FREQ=WEEKLY;INTERVAL=8;BYDAY=TU,SA",
            ["01-03", "02-24", "02-28", "04-21", "04-25"],
        ),
        ("FREQ=DAILY;INTERVAL=40;COUNT=3", ["01-01", "02-10", "03-22"]),
        ("FREQ=DAILY;INTERVAL=40;UNTIL=20260322T055959Z", ["01-01", "02-10"]),
    ],
)
def test_the_rules_of_the_guide_give_its_days(rrule, expected):
    found = moments(rrule, "2026-01-01T00:00", "2026-04-30T23:59", start="2026-01-01T06:00:00")
    assert found == [f"2026-{day}T06:00" for day in expected]


def test_a_daily_schedule_keeps_to_the_wall_clock_when_the_clock_changes():
    found = moments(
        "FREQ=DAILY",
        "2026-03-27T00:00",
        "2026-03-31T00:00",
        start="2026-01-01T20:00:00",
        zone="Europe/Berlin",
    )
    assert found == ["2026-03-27T19:00", "2026-03-28T19:00", "2026-03-29T18:00", "2026-03-30T18:00"]


def test_a_local_time_that_is_skipped_or_comes_twice_happens_once():
    night = {"start": "2026-01-01T02:30:00", "zone": "America/New_York"}
    # 2026-03-08: 02:30 does not exist, and is taken with the offset before the change: 03:30 EDT
    assert moments("FREQ=DAILY", "2026-03-07T00:00", "2026-03-10T00:00", **night) == [
        "2026-03-07T07:30",
        "2026-03-08T07:30",
        "2026-03-09T06:30",
    ]
    twice = {"start": "2026-01-01T01:30:00", "zone": "America/New_York"}
    # 2026-11-01: 01:30 comes twice, and the first one counts: EDT
    assert moments("FREQ=DAILY", "2026-10-31T00:00", "2026-11-03T00:00", **twice) == [
        "2026-10-31T05:30",
        "2026-11-01T05:30",
        "2026-11-02T06:30",
    ]


def test_without_a_start_the_rule_says_the_time():
    rule = "FREQ=WEEKLY;BYDAY=TU,SA;BYHOUR=6;BYMINUTE=15"
    assert moments(rule, "2026-03-01T00:00", "2026-03-08T00:00", zone="Asia/Kolkata") == [
        "2026-03-03T00:45",
        "2026-03-07T00:45",
    ]


def test_nothing_comes_true_before_the_start():
    assert moments(
        "FREQ=DAILY;BYHOUR=6;BYMINUTE=0", "2026-03-01T00:00", "2026-03-04T00:00", start="2026-03-02T07:00:00"
    ) == ["2026-03-03T06:00"]


def test_the_next_evaluation_is_known():
    daily = schedule_of(scheduling("FREQ=DAILY;BYHOUR=20;BYMINUTE=0"))
    assert daily.after(epoch("2026-03-01T20:00")) == epoch("2026-03-02T20:00")
    assert schedule_of(scheduling("FREQ=DAILY;COUNT=1", "2026-01-01T00:00:00")).after(1_800_000_000) is None


REFUSED = [
    ("FREQ=HOURLY", "FREQ=HOURLY is more often than daily", "FREQ=DAILY"),
    ("FREQ=DAILY;BYHOUR=8,20", "BYHOUR=8,20 is more often than daily", "a second monitor"),
    ("DTSTART=20260101T000000;FREQ=DAILY", "DTSTART is not supported", "stands in start"),
    ("DTSTART:20260101T000000;FREQ=DAILY", "DTSTART is not supported", "stands in start"),
    ("FREQ=DAILY;DURATION=PT1H", "DURATION is not supported", "remove it"),
    ("FREQ=YEARLY;BYEASTER=0", "BYEASTER is not supported", "a rule has FREQ"),
    ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO is not supported", "a rule has FREQ"),
    ("RRULE:FREQ=DAILY", "RRULE: is not part", "write FREQ="),
    ("INTERVAL=1", "FREQ is missing", "FREQ=DAILY, WEEKLY, MONTHLY, YEARLY"),
    ("FREQ=DAYLY", "FREQ=DAYLY cannot be", "FREQ is DAILY, WEEKLY"),
    ("every day", "'EVERY DAY' is not of the form NAME=VALUE", "with ; between"),
    ("", "is not of the form NAME=VALUE", "FREQ"),
    ("FREQ=DAILY;FREQ=WEEKLY", "FREQ is given twice", "commas"),
    ("FREQ=WEEKLY;BYDAY=1SU", "BYDAY=1SU counts days of a month", "BYDAY=SU, or FREQ=MONTHLY"),
    ("FREQ=WEEKLY;BYDAY=SUN", "BYDAY=SUN cannot be", "MO, TU"),
    ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY does not go with FREQ=WEEKLY", "MONTHLY"),
    ("FREQ=MONTHLY;BYYEARDAY=3", "BYYEARDAY does not go with FREQ=MONTHLY", "FREQ=YEARLY"),
    ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=32 cannot be", "1 to 31"),
    ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0 cannot be", "-1 to -31"),
    ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH=-1 cannot be", "1 to 12"),
    ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS chooses among days", "BYDAY"),
    ("FREQ=DAILY;BYDAY=MO;BYSETPOS=1", "BYSETPOS has nothing to choose from", "FREQ=WEEKLY"),
    ("FREQ=MONTHLY;BYDAY=MO,1TU", "mixes days with and without a number", "a second monitor"),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "has no occurrence", ""),
    ("FREQ=YEARLY;BYYEARDAY=367", "BYYEARDAY=367 cannot be", "1 to 366"),
    ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24 cannot be", "0 to 23"),
    ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 cannot be", "a number from 1"),
    ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL=TOMORROW cannot be", "20261231T235959Z"),
    ("FREQ=DAILY;UNTIL=20261301T000000", "cannot be read", ""),
    ("FREQ=DAILY;COUNT=2;UNTIL=20260101T000000", "exclude each other", "one of them"),
    ("FREQ=DAILY;WKST=X", "WKST=X cannot be", "MO"),
]


@pytest.mark.parametrize(("rrule", "says", "hint"), REFUSED)
def test_what_a_rule_cannot_say_is_refused_with_what_to_write(rrule, says, hint):
    with pytest.raises(InputError) as caught:
        schedule_of(scheduling(rrule, "2026-01-01T00:00:00"))
    assert f"the rrule {rrule!r}: " in caught.value.message
    assert says in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("rrule", "depends"),
    [
        ("FREQ=DAILY", "the time of the day"),
        ("FREQ=WEEKLY;BYHOUR=6;BYMINUTE=0", "the day"),
        ("FREQ=MONTHLY;BYHOUR=6;BYMINUTE=0;BYMONTH=3", "the day"),
        ("FREQ=DAILY;INTERVAL=2;BYHOUR=6;BYMINUTE=0", "INTERVAL"),
        ("FREQ=DAILY;COUNT=2;BYHOUR=6;BYMINUTE=0", "COUNT"),
    ],
)
def test_what_only_the_start_can_settle_needs_one(rrule, depends):
    with pytest.raises(InputError) as caught:
        schedule_of(scheduling(rrule))
    assert f"{depends} depends on the schedule's start" in caught.value.message
    assert '"start"' in caught.value.hint


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"custom_schedule": {"recurrences": []}}, "exactly one recurrence"),
        ({"custom_schedule": {"recurrences": [{"rrule": "FREQ=DAILY"}] * 2}}, "exactly one recurrence"),
        ({"custom_schedule": "daily"}, "exactly one recurrence"),
        (scheduling("FREQ=DAILY", "soon"), "'soon' is not an ISO-8601 time"),
        (scheduling("FREQ=DAILY", "2026-01-01T00:00:00Z"), "has an offset"),
        (scheduling("FREQ=DAILY", "2026-01-01T00:00:00", "Berlin"), "no time zone 'Berlin'"),
        (scheduling("FREQ=DAILY", 5), "start of the custom schedule is 5"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_why(given, says):
    with pytest.raises(InputError) as caught:
        schedule_of(given)
    assert says in caught.value.message


# --- monitors


DAILY = scheduling("FREQ=DAILY;BYHOUR=20;BYMINUTE=0")
HOUR = 60


def scheduled(query, values, days=4, **options):
    watched = monitor(query, message="{{value}} @slack-x", scheduling_options=DAILY, **options)
    return history(watched, *values, minutes=days * 24 * HOUR)


def day(values):
    """Points of one day by the minute: none but those at the given minutes."""
    return " ".join(str(values.get(minute, "_")) for minute in range(24 * HOUR))


def test_a_scheduled_monitor_is_evaluated_at_those_times_over_its_window():
    found = scheduled("max(last_1h):max:a{*} > 5", [series("a", "0x1144 9x9 0x4000")])
    assert [(int(at) - int(found.times[0])) // 86400 for at in found.times] == [0, 1, 2, 3]
    first = found.verdict("*", 0)
    assert datetime.fromtimestamp(first.time, UTC).hour == 20
    assert first.evidence.window == (first.time - 3600, first.time)
    assert (first.state, first.value) == (State.ALERT, 9)
    assert found.verdict("*", 1).state is State.OK


def test_every_evaluation_that_is_not_ok_is_told_and_a_recovery_is_not():
    values = [day({1195: 9}), day({1195: 9}), day({1195: 1}), day({1195: 7})]
    thresholds = {"critical": 8, "warning": 5}
    found = scheduled("max(last_1h):max:a{*} > 8", [series("a", " ".join(values))], thresholds=thresholds)
    told = [
        (note.kind, note.message, (note.time - int(found.times[0])) // 86400) for note in found.notifications
    ]
    assert told == [("alert", "9.0 @slack-x", 0), ("alert", "9.0 @slack-x", 1), ("warn", "7.0 @slack-x", 3)]
    assert {note.previous for note in found.notifications} == {None}


def test_recovery_thresholds_hold_no_state_of_an_independent_evaluation():
    values = [day({1195: 9}), day({1195: 6})]
    thresholds = {"critical": 8, "critical_recovery": 2}
    found = scheduled(
        "max(last_1h):max:a{*} > 8", [series("a", " ".join(values))], days=2, thresholds=thresholds
    )
    assert [found.verdict("*", at).state for at in (0, 1)] == [State.ALERT, State.OK]


@pytest.mark.parametrize(
    ("missing", "state", "told"),
    [
        ("show_and_notify_no_data", State.NO_DATA, ["no data", "no data"]),
        ("show_no_data", State.NO_DATA, []),
        ("resolve", State.OK, []),
        ("", State.OK, []),
    ],
)
def test_missing_data_is_what_the_options_say(missing, state, told):
    options = {"on_missing_data": missing} if missing else {}
    found = scheduled("max(last_1h):max:a{*} > 8", [series("a", day({1195: 1}))], days=3, **options)
    assert [found.verdict("*", at).state for at in (1, 2)] == [state, state]
    assert [note.kind for note in found.notifications] == told


def test_a_group_is_not_new_to_an_evaluation_that_stands_for_itself():
    found = scheduled(
        "max(last_1h):max:a{*} by {host} > 5", [series("a", day({1195: 9}), "host:a")], new_group_delay=60
    )
    assert found.verdict("host:a", 0).state is State.ALERT
    assert found.verdict("host:a", 0).evidence.rule is Rule.CRITICAL


@pytest.mark.parametrize(
    ("query", "type", "options", "says"),
    [
        (
            "avg(last_1h):avg:a{*} > 5",
            "query alert",
            {"require_full_window": True},
            "excludes require_full_window",
        ),
        ('"ntp".over("*").last(2).count_by_status()', "service check", {}, "has no custom schedule"),
    ],
)
def test_what_cannot_have_a_schedule_says_so(query, type, options, says):
    watched = monitor(query, type=type, thresholds={"critical": 5}, scheduling_options=DAILY, **options)
    with pytest.raises(InputError) as caught:
        history(watched, series("a", "1"))
    assert says in caught.value.message
    assert caught.value.where == "m"
