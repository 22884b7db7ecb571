"""When a schedule is due, and what a rule hands to its target."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.local_aws.rule_targets import target_payload
from monitoring.local_aws.schedules import is_due

CREATED = datetime(2026, 11, 27, 12, 0, 30, tzinfo=UTC)


def due(expression: str, days: int = 1, begin: datetime = datetime(2026, 11, 27, tzinfo=UTC)) -> list[str]:
    minutes = (begin + timedelta(minutes=n) for n in range(days * 1440))
    return [f"{minute:%d %H:%M}" for minute in minutes if is_due(expression, minute, CREATED)]


# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
@pytest.mark.parametrize(
    ("expression", "days", "first", "count"),
    [
        ("cron(0 12 * * ? *)", 1, "27 12:00", 1),
        ("cron(0/15 * * * ? *)", 1, "27 00:00", 96),
        ("cron(0 18 ? * MON-FRI *)", 7, "27 18:00", 5),
        ("cron(15 10 L * ? *)", 5, "30 10:15", 1),
        ("cron(15 10 ? * 6L *)", 5, "27 10:15", 1),
        ("cron(0 0 ? * 2#1 *)", 14, "07 00:00", 1),
        ("cron(0 0 1 * ? 2027)", 40, "01 00:00", 1),
        ("cron(0 0 28W * ? *)", 3, "27 00:00", 1),
        ("cron(5,35 1-2 27 NOV ? *)", 1, "27 01:05", 4),
        ("at(2026-11-27T13:00:00)", 1, "27 13:00", 1),
        ("rate(1 hour)", 1, "27 13:00", 11),
        ("rate(5 minutes)", 1, "27 12:05", 143),
    ],
)
def test_a_schedule_is_due_when_aws_says_so(expression: str, days: int, first: str, count: int) -> None:
    minutes = due(expression, days)
    assert (minutes[0], len(minutes)) == (first, count)


@pytest.mark.parametrize("expression", ["", "cron(* * *)", "rate(0 minutes of)", "every day", "at(tomorrow)"])
def test_what_is_not_a_schedule_is_never_due(expression: str) -> None:
    assert due(expression) == []


EVENT = {"id": "e", "source": "shop", "detail": {"name": 'a "b"', "n": 3}, "time": 0, "ingestion-time": 1}


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        ({"Input": '{"x": 1}'}, {"x": 1}),
        ({"InputPath": "$.detail.n"}, 3),
        ({"InputPath": "$.detail.absent"}, None),
        ({}, {"id": "e", "source": "shop", "detail": EVENT["detail"], "time": "1970-01-01T00:00:00Z"}),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.n", "d": "$.detail"},
                    "InputTemplate": '{"n": <n>, "d": <d>}',
                }
            },
            {"n": 3, "d": EVENT["detail"]},
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"who": "$.detail.name"},
                    "InputTemplate": '"order of <who> came"',
                }
            },
            'order of a "b" came',
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"who": "$.detail.name"},
                    "InputTemplate": '{"who": "<who>"}',
                }
            },
            {"who": 'a "b"'},
        ),
        (
            {"InputTransformer": {"InputTemplate": "<aws.events.event>"}},
            {**EVENT, "time": "1970-01-01T00:00:00Z"},
        ),
    ],
)
def test_a_target_gets_what_the_rule_makes_of_the_event(target: dict, payload: object) -> None:
    got = json.loads(target_payload(target, EVENT))
    if isinstance(payload, dict):
        payload = {key: value for key, value in payload.items() if key != "ingestion-time"}
    assert got == payload
