"""Cumulative windows: where they begin, by the clock of their zone, and what they refuse."""

from datetime import UTC, datetime

import numpy as np
import pytest
from monitor_helpers import history, monitor, series, verdict

from monitoring.errors import InputError
from monitoring.monitor.windows import window_of
from monitoring.query import parse_monitor


def epoch(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def begins(unit, end, **given):
    node = parse_monitor(f"sum(current_1{unit}):sum:a{{*}} > 1").window
    window = window_of(node, {"evaluation_window": given})
    (found,) = window.starts(np.array([epoch(end)]))
    return datetime.fromtimestamp(int(found), UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("unit", "end", "given", "start"),
    [
        ("h", "2026-03-01T10:45", {"hour_starts": 30}, "2026-03-01T10:30"),
        ("h", "2026-03-01T10:15", {"hour_starts": 30}, "2026-03-01T09:30"),
        ("h", "2026-03-01T10:30", {"hour_starts": 30}, "2026-03-01T09:30"),  # the reset ends the period
        ("h", "2026-03-01T10:45", {"timezone": "UTC"}, "2026-03-01T10:00"),
        ("mo", "2026-03-15T00:00", {"day_starts": "04:00"}, "2026-03-01T04:00"),
        ("h", "2026-03-01T10:45", {"hour_starts": 0, "timezone": "Asia/Kolkata"}, "2026-03-01T10:30"),
        ("d", "2026-03-01T10:45", {"day_starts": "04:00"}, "2026-03-01T04:00"),
        ("d", "2026-03-01T03:45", {"day_starts": "04:00", "month_starts": 1}, "2026-02-28T04:00"),
        ("d", "2026-07-01T10:45", {"day_starts": "04:00", "timezone": "Europe/Berlin"}, "2026-07-01T02:00"),
        # 02:30 is skipped on this day, and taken with the offset before the change
        ("d", "2026-03-29T10:45", {"day_starts": "02:30", "timezone": "Europe/Berlin"}, "2026-03-29T01:30"),
        # 02:30 comes twice on this day; the window stays where it first began
        ("d", "2026-10-25T01:10", {"day_starts": "02:30", "timezone": "Europe/Berlin"}, "2026-10-25T00:30"),
        ("d", "2026-10-25T01:40", {"day_starts": "02:30", "timezone": "Europe/Berlin"}, "2026-10-25T00:30"),
        ("mo", "2026-03-15T00:00", {"day_starts": "04:00", "month_starts": 1}, "2026-03-01T04:00"),
        ("mo", "2026-03-01T03:00", {"day_starts": "04:00", "month_starts": 1}, "2026-02-01T04:00"),
        ("mo", "2026-01-05T00:00", {"month_starts": 17}, "2025-12-17T00:00"),
        ("mo", "2026-03-28T00:00", {"month_starts": 28, "timezone": "Asia/Tokyo"}, "2026-03-27T15:00"),
    ],
)
def test_a_period_begins_where_the_options_say(unit, end, given, start):
    assert begins(unit, end, **given) == start


@pytest.mark.parametrize(
    ("unit", "given", "says"),
    [
        ("h", {"hour_starts": 60}, "evaluation_window.hour_starts is 60"),
        ("h", {"hour_starts": "0"}, "evaluation_window.hour_starts is '0'"),
        ("d", {"day_starts": "9"}, "evaluation_window.day_starts is '9'"),
        ("d", {"day_starts": "24:00"}, "evaluation_window.day_starts is '24:00'"),
        ("mo", {"month_starts": 31}, "evaluation_window.month_starts is 31"),
        ("mo", {"month_starts": 0}, "evaluation_window.month_starts is 0"),
        ("d", {"day_starts": "09:00", "timezone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ("d", {}, "Monitors with an evaluation_window scheduling_option must have a current query period"),
    ],
)
def test_an_evaluation_window_that_makes_no_sense_is_refused(unit, given, says):
    with pytest.raises(InputError) as caught:
        begins(unit, "2026-03-01T00:00", **given)
    assert says in caught.value.message
    assert caught.value.hint


def test_an_evaluation_window_needs_a_current_period_in_datadogs_words():
    watched = monitor(
        "sum(last_1h):sum:a{*} > 1", scheduling_options={"evaluation_window": {"hour_starts": 0}}
    )
    with pytest.raises(InputError, match="must have a current query period and vice versa"):
        history(watched, series("a", "1"))


def test_a_cumulative_sum_grows_and_is_reset_at_the_minute():
    watched = monitor(
        "sum(current_1h):sum:a{*}.as_count() > 99",
        scheduling_options={"evaluation_window": {"hour_starts": 15, "timezone": "UTC"}},
    )
    found = history(watched, series("a", "1x120", type="count"), minutes=80)
    assert [verdict(found, at).value for at in (10, 15, 16, 30, 75, 76)] == [10, 15, 1, 15, 60, 1]
