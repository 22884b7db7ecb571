"""The export for Terraform, read back by a reader of its language."""

import io
import json

import hcl2
import pytest

from monitoring.deploy.terraform import as_terraform, label
from monitoring.plan import Resource

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
        "downtime", "d", {"scope": ["env:dev"], "monitor_tags": ["*"], "start": 1772323200, "end": 1772326800}
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
