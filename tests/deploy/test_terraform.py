"""The export for Terraform, read back by a reader of its language."""

import io
import json

import hcl2
import pytest

from monitoring.deploy.terraform import as_terraform, label
from monitoring.resources.resource import Resource

MESSAGE = 'Line one\n"quoted" ${dashboard:all} and {{value}} of ${not_ours} %{ if }'
RESOURCES = [
    Resource("monitor", "m-1", {"name": "M", "type": "query alert", "query": "a > 1", "message": MESSAGE}),
    Resource(
        "dashboard",
        "all",
        {
            "title": "D",
            "layout_type": "ordered",
            "widgets": [{"definition": {"type": "note", "content": "$env"}}],
        },
    ),
    Resource(
        "slo",
        "s",
        {
            "name": "S",
            "type": "monitor",
            "monitor_ids": ["${monitor:m-1}"],
            "thresholds": [{"timeframe": "7d", "target": 99.5}],
        },
    ),
    Resource(
        "slo",
        "slices",
        {
            "name": "Fast",
            "type": "time_slice",
            "sli_specification": {
                "time_slice": {
                    "query": {
                        "formulas": [{"formula": "a / 1000"}],
                        "queries": [{"data_source": "metrics", "name": "a", "query": "avg:a{env:prod}"}],
                    },
                    "comparator": "<",
                    "threshold": 5,
                    "query_interval_seconds": 300,
                }
            },
            "thresholds": [{"timeframe": "30d", "target": 99}],
        },
    ),
    Resource(
        "downtime",
        "d",
        {
            "scope": "env:dev AND service:(a OR b)",
            "monitor_identifier": {"monitor_id": "${monitor:m-1}"},
            "display_timezone": "Europe/Paris",
            "notify_end_types": ["canceled", "expired"],
            "schedule": {
                "timezone": "Europe/Paris",
                "recurrences": [
                    {"start": "2026-01-05T02:00:00", "duration": "30m", "rrule": "FREQ=DAILY"},
                    {"duration": "1d", "rrule": "FREQ=WEEKLY;BYDAY=SU"},
                ],
            },
        },
    ),
    Resource(
        "downtime",
        "once",
        {
            "scope": "*",
            "monitor_identifier": {"monitor_tags": ["team:a"]},
            "schedule": {"start": "2050-01-02T03:04:05Z", "end": "2050-01-02T04:04:05Z"},
        },
    ),
]


@pytest.fixture(scope="module")
def text():
    return as_terraform(RESOURCES)


def test_every_resource_is_there_and_the_language_is_valid(text):
    found = hcl2.load(io.StringIO(text))
    types = [kind.strip('"') for one in found["resource"] for kind in one]
    assert types == [
        "datadog_monitor_json",
        "datadog_dashboard_json",
        "datadog_service_level_objective",
        "datadog_service_level_objective",
        "datadog_downtime_schedule",
        "datadog_downtime_schedule",
    ]


def test_references_stay_references_and_nothing_else_is_interpolated(text):
    assert "${datadog_dashboard_json.all.id}" in text
    assert "tonumber(datadog_monitor_json.m_1.id)" in text
    assert "$${not_ours}" in text
    assert "%%{ if }" in text
    assert json.dumps("Line one\n")[1:-1] in text


def test_a_key_becomes_a_name():
    assert label("failed-executions.v2") == "failed_executions_v2"
    assert label("2nd") == "_2nd"


def read(text, type_, name):
    for one in hcl2.load(io.StringIO(text))["resource"]:
        for kind, named in one.items():
            if kind.strip('"') == type_ and name in {key.strip('"') for key in named}:
                return bare(next(iter(named.values())))
    raise AssertionError(f"no {type_} {name}")


def bare(value):
    """What the reader gave, without the quotation marks and marks of blocks that it keeps."""
    if isinstance(value, dict):
        return {key.strip('"'): bare(item) for key, item in value.items() if key != "__is_block__"}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return value.strip('"') if isinstance(value, str) else value


def test_a_downtime_becomes_a_schedule_of_the_provider(text):
    found = read(text, "datadog_downtime_schedule", "d")
    assert found["scope"] == "env:dev AND service:(a OR b)"
    (schedule,) = found["recurring_schedule"]
    assert schedule["timezone"] == "Europe/Paris"
    assert schedule["recurrence"] == [
        {"start": "2026-01-05T02:00:00", "duration": "30m", "rrule": "FREQ=DAILY"},
        {"duration": "1d", "rrule": "FREQ=WEEKLY;BYDAY=SU"},
    ]
    assert "tonumber(datadog_monitor_json.m_1.id)" in str(found["monitor_identifier"])
    once = read(text, "datadog_downtime_schedule", "once")
    assert once["one_time_schedule"] == [{"start": "2050-01-02T03:04:05Z", "end": "2050-01-02T04:04:05Z"}]
    assert once["monitor_identifier"] == [{"monitor_tags": ["team:a"]}]


def test_an_slo_of_time_slices_keeps_its_query(text):
    (specification,) = read(text, "datadog_service_level_objective", "slices")["sli_specification"]
    (slices,) = specification["time_slice"]
    assert (slices["comparator"], slices["threshold"], slices["query_interval_seconds"]) == ("<", 5, 300)
    (query,) = slices["query"]
    assert query["formula"] == [{"formula_expression": "a / 1000"}]
    assert query["query"] == [
        {"metric_query": [{"data_source": "metrics", "name": "a", "query": "avg:a{env:prod}"}]}
    ]
