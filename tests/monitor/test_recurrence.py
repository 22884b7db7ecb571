"""Windows that recur: RRULEs in a time zone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.errors import InputError
from monitoring.monitor import downtimes
from monitoring.monitor.recurrence import Recurrence, duration

PARIS = ZoneInfo("Europe/Paris")


def at(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def test_a_daily_window_stays_at_its_local_hour_when_the_clock_changes():
    nights = Recurrence("FREQ=DAILY", datetime(2026, 3, 27, 22), 3600, "Europe/Paris")
    found = nights.windows(at("2026-03-28T00:00"), at("2026-03-31T00:00"))
    assert [start for start, _ in found] == [
        at(f"2026-03-{day}T22:00", "Europe/Paris") for day in (28, 29, 30)
    ]
    assert [end - start for start, end in found] == [3600] * 3
    assert found[0][0] - at("2026-03-28T00:00") == 21 * 3600  # UTC+1, and from the 29th on UTC+2
    assert found[1][0] - at("2026-03-29T00:00") == 20 * 3600


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;INTERVAL=2", [1, 3, 5, 7, 9]),
        ("RRULE:FREQ=DAILY;COUNT=3", [1, 2, 3]),
        ("FREQ=WEEKLY;BYDAY=SA,SU", [1, 7, 8]),
        ("FREQ=MONTHLY;BYDAY=1MO", [2]),
        ("FREQ=MONTHLY;BYMONTHDAY=1", [1]),
        ("FREQ=DAILY;UNTIL=20260303T120000Z", [1, 2, 3]),
        ("freq=daily;until=20260303", [1, 2]),
    ],
)
def test_rules_come_true_on_their_days(rule, days):
    one = Recurrence(rule, datetime(2026, 3, 1, 8), 60)
    found = one.windows(at("2026-03-01T00:00"), at("2026-03-10T00:00"))
    assert [datetime.fromtimestamp(start, ZoneInfo("UTC")).day for start, _ in found] == days


def test_the_end_of_a_rule_in_utc_is_that_moment_in_the_time_zone():
    one = Recurrence("FREQ=DAILY;UNTIL=20260303T010000Z", datetime(2026, 3, 1, 20), 60, "America/New_York")
    found = one.windows(at("2026-03-01T00:00"), at("2026-03-09T00:00"))
    assert len(found) == 2  # the 2nd at 20:00 in New York is the 3rd at 01:00 in UTC


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("FREQ=DAILY;DURATION=PT1H", "has no DURATION"),
        ("DTSTART=20260101;FREQ=DAILY", "has no DTSTART"),
        ("FREQ=MINUTELY", "every hour at most"),
        ("FREQ=SOMETIMES", "cannot be read"),
        ("every day", "cannot be read"),
        ("", "cannot be read"),
        ("FREQ=DAILY\nFREQ=DAILY", "second line"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is a number from 1"),
        ("FREQ=WEEKLY;INTERVAL=-1", "INTERVAL is a number from 1"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "has no occurrence"),
        ("FREQ=DAILY;UNTIL=20200101T000000Z", "has no occurrence"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_the_reason(rule, says):
    with pytest.raises(InputError, match=says):
        Recurrence(rule, datetime(2026, 3, 1), 60).check()


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("1h", 3600), ("2d", 172800), ("1w", 604800)])
def test_durations_are_a_number_and_a_unit(text, seconds):
    assert duration(text) == seconds
    for wrong in ("0h", "h", "1y", "1.5h", "", "-1h", "1H "):
        with pytest.raises(InputError, match="not a duration"):
            duration(wrong)


@given(
    start=st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1)),
    interval=st.integers(1, 40),
    hours=st.integers(1, 100),
    ask=st.integers(0, 900 * 86_400),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"]),
)
def test_windows_are_those_that_counting_day_by_day_finds(start, interval, hours, ask, zone):
    start, zoned = start.replace(microsecond=0), ZoneInfo(zone)
    one = Recurrence(f"FREQ=DAILY;INTERVAL={interval}", start, hours * 3600, zone)
    since = at("2024-01-01T00:00") + ask
    until = since + 86_400
    counted = []
    for k in range(1800 // interval + 1):
        begin = int((start + timedelta(days=k * interval)).replace(tzinfo=zoned).timestamp())
        if begin < until and begin + hours * 3600 > since:
            counted.append((begin, begin + hours * 3600))
    assert one.windows(since, until) == counted


def downtime(**more):
    body = {"id": 7, "scope": ["*"], "start": at("2026-03-02T08:00"), "end": at("2026-03-02T10:00")}
    body |= {"monitor_id": None, "monitor_tags": ["*"], "timezone": "UTC", "canceled": None}
    return body | more


MONDAYS = {"type": "weeks", "period": 1, "week_days": ["Mon"]}


@pytest.mark.parametrize(
    ("recurrence", "rule"),
    [
        (MONDAYS, "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO"),
        ({"type": "days", "period": 3, "until_occurrences": 4}, "FREQ=DAILY;INTERVAL=3;COUNT=4"),
        ({"type": "months", "until_date": 0}, "FREQ=MONTHLY;INTERVAL=1"),
        (
            {"type": "years", "period": 1, "until_date": 1893456000},
            "FREQ=YEARLY;INTERVAL=1;UNTIL=20300101T000000Z",
        ),
        ({"type": "rrule", "rrule": "FREQ=DAILY"}, "FREQ=DAILY"),
    ],
)
def test_a_recurrence_of_version_1_is_a_rule(recurrence, rule):
    assert downtimes.rule_of(recurrence) == rule
    downtimes.recurrences(downtime(recurrence=recurrence))[0].check()


def test_a_downtime_says_whether_it_is_on_and_which_of_its_windows_counts():
    body = downtime(recurrence=MONDAYS)
    on, between = at("2026-03-09T09:00"), at("2026-03-10T09:00")
    assert downtimes.status(body, on) == "active"
    assert downtimes.current(body, on) == (at("2026-03-09T08:00"), at("2026-03-09T10:00"))
    assert downtimes.status(body, between) == "scheduled"
    assert downtimes.current(body, between) == (at("2026-03-16T08:00"), at("2026-03-16T10:00"))
    ended = downtime(recurrence=MONDAYS | {"until_occurrences": 1})
    assert downtimes.status(ended, between) == "ended"
    assert downtimes.current(ended, between) == (at("2026-03-02T08:00"), at("2026-03-02T10:00"))
    canceled = body | {"canceled": on}
    assert downtimes.status(canceled, between) == "canceled"
    assert downtimes.current(canceled, between) == (at("2026-03-09T08:00"), on)
    assert downtimes.windows(canceled, on - 60, between) == [(at("2026-03-09T08:00"), on)]
    assert downtimes.windows(canceled, on, at("2026-04-10T00:00")) == []


def test_a_downtime_without_an_end_is_on_from_its_start_whatever_recurs():
    body = downtime(recurrence=MONDAYS, end=None)
    assert downtimes.status(body, at("2027-01-01T00:00")) == "active"
    assert downtimes.status(body, at("2026-01-01T00:00")) == "scheduled"
