"""Every argument of the export for Terraform, read back by a reader of its language.

Source: https://registry.terraform.io/providers/DataDog/datadog/latest/docs/resources/ (service_level_objective,
downtime_schedule, monitor_json, dashboard_json).
"""

import io
import json

import hcl2
import pytest

from monitoring.deploy.terraform import HEAD, as_terraform, label
from monitoring.resources.resource import Resource


def bare(value):
    if isinstance(value, dict):
        return {bare(key): bare(item) for key, item in value.items() if key != "__is_block__"}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return value.strip('"') if isinstance(value, str) else value


def written(kind, body):
    """The arguments of the one resource that is exported."""
    text = as_terraform([Resource(kind, "k", body)])
    assert text.startswith(HEAD)
    ((type_, named),) = bare(hcl2.load(io.StringIO(text))["resource"][0]).items()
    assert (
        type_
        == {
            "slo": "datadog_service_level_objective",
            "downtime": "datadog_downtime_schedule",
            "monitor": "datadog_monitor_json",
            "dashboard": "datadog_dashboard_json",
        }[kind]
    )
    assert list(named) == ["k"]
    return named["k"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "S", "type": "metric"}, {"name": "S", "type": "metric"}),
        ({"description": "d"}, {"description": "d"}),
        ({"tags": ["a:b", "c:d"]}, {"tags": ["a:b", "c:d"]}),
        ({"groups": ["x:y"]}, {"groups": ["x:y"]}),
        ({"monitor_ids": [7, 8]}, {"monitor_ids": [7, 8]}),
        (
            {"timeframe": "7d", "target_threshold": 99.5, "warning_threshold": 99.9},
            {"timeframe": "7d", "target_threshold": 99.5, "warning_threshold": 99.9},
        ),
        (
            {"query": {"numerator": "sum:a{*}", "denominator": "sum:b{*}"}},
            {"query": [{"numerator": "sum:a{*}", "denominator": "sum:b{*}"}]},
        ),
        (
            {"thresholds": [{"timeframe": "7d", "target": 99.5}, {"timeframe": "30d", "target": 99, "warning": 99.9}]},
            {"thresholds": [{"timeframe": "7d", "target": 99.5}, {"timeframe": "30d", "target": 99, "warning": 99.9}]},
        ),
        (
            {"sli_specification": {"time_slice": {"comparator": "<", "threshold": 5, "query": {
                "formulas": [{"formula": "a"}],
                "queries": [{"data_source": "metrics", "name": "a", "query": "avg:a{*}"}]}}}},
            {"sli_specification": [{"time_slice": [{"comparator": "<", "threshold": 5, "query": [{
                "formula": [{"formula_expression": "a"}],
                "query": [{"metric_query": [{"data_source": "metrics", "name": "a", "query": "avg:a{*}"}]}]}]}]}]},
        ),
        (
            {"sli_specification": {"count": {
                "good_events_formula": {"formula": "a - b"}, "total_events_formula": {"formula": "a"},
                "queries": [{"data_source": "metrics", "name": "a", "query": "sum:a{*}"},
                            {"data_source": "metrics", "name": "b", "query": "sum:b{*}"}]}}},
            {"sli_specification": [{"count": [{
                "good_events_formula": [{"formula_expression": "a - b"}],
                "total_events_formula": [{"formula_expression": "a"}],
                "query": [{"metric_query": [{"data_source": "metrics", "name": "a", "query": "sum:a{*}"}]},
                          {"metric_query": [{"data_source": "metrics", "name": "b", "query": "sum:b{*}"}]}]}]}]},
        ),
    ],
)  # fmt: skip
def test_an_slo_has_the_providers_arguments(body, expected):
    assert written("slo", body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"scope": "*", "monitor_identifier": [{"monitor_tags": ["*"]}]}),
        ({"scope": "env:a"}, {"scope": "env:a", "monitor_identifier": [{"monitor_tags": ["*"]}]}),
        (
            {"monitor_identifier": {"monitor_id": 7}, "message": "m"},
            {"scope": "*", "monitor_identifier": [{"monitor_id": 7}], "message": "m"},
        ),
        (
            {"display_timezone": "Asia/Tokyo", "mute_first_recovery_notification": True},
            {
                "scope": "*",
                "monitor_identifier": [{"monitor_tags": ["*"]}],
                "display_timezone": "Asia/Tokyo",
                "mute_first_recovery_notification": True,
            },
        ),
        (
            {"notify_end_states": ["alert"], "notify_end_types": ["canceled"]},
            {
                "scope": "*",
                "monitor_identifier": [{"monitor_tags": ["*"]}],
                "notify_end_states": ["alert"],
                "notify_end_types": ["canceled"],
            },
        ),
        (
            {"schedule": {"start": "2050-01-02T03:04:05Z"}},
            {
                "scope": "*",
                "monitor_identifier": [{"monitor_tags": ["*"]}],
                "one_time_schedule": [{"start": "2050-01-02T03:04:05Z"}],
            },
        ),
        (
            {"schedule": {"recurrences": [{"duration": "1d", "rrule": "FREQ=DAILY"}]}},
            {
                "scope": "*",
                "monitor_identifier": [{"monitor_tags": ["*"]}],
                "recurring_schedule": [{"recurrence": [{"duration": "1d", "rrule": "FREQ=DAILY"}]}],
            },
        ),
    ],
)
def test_a_downtime_has_the_providers_arguments(body, expected):
    assert written("downtime", body) == expected


@pytest.mark.parametrize("kind", ["monitor", "dashboard"])
def test_a_monitor_and_a_dashboard_are_the_apis_json(kind):
    body = {
        "monitor": {
            "name": "M",
            "type": "query alert",
            "options": {"thresholds": {"warning": 3.5}},
            "tags": ["a"],
        },
        "dashboard": {
            "title": "B",
            "layout_type": "ordered",
            "widgets": [{"definition": {"x": None, "y": [{}, []]}}],
        },
    }[kind]
    text = as_terraform([Resource(kind, "k", body)])
    inner = text.split("= jsonencode(")[1].rpartition(")")[0]
    # An object of HCL is JSON with = for : and a comma after the last item of a list.
    as_json = inner.replace(" = ", ": ").replace("\n", " ")
    value = hcl2.load(io.StringIO(f"v = {inner}\n"))["v"]
    assert as_json.startswith("{")
    expected = {"definition": {"y": [{}, []]}} if kind == "dashboard" else body
    assert bare(value) == (body if kind == "monitor" else {**body, "widgets": [expected]})
    assert f'resource "datadog_{kind}_json" "k" {{\n  {kind} = jsonencode({{\n' in text
    assert text.endswith("  })\n}\n")


def test_texts_are_escaped_and_nothing_is_indented_at_the_end_of_a_line():
    body = {"name": 'a "b" é', "message": "x ${y} %{z} ${slo:s} ${monitor:m}\n"}
    text = as_terraform([Resource("monitor", "k", body), Resource("monitor", "l", {"name": "L"})])
    assert '"name" = "a \\"b\\" é"' in text
    assert (
        '"message" = "x $${y} %%{z} ${datadog_service_level_objective.s.id} ${datadog_monitor_json.m.id}\\n"'
    ) not in text
    assert (
        '"message" = "x $${y} %%{z} ${datadog_service_level_objective.s.id} ${datadog_monitor_json.m.id}"'
        in text
    )
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert text.count("terraform {") == 1
    assert "}\n\nresource" in text


def test_a_reference_is_a_number_only_alone_in_a_field_of_ids():
    slo = written("slo", {"monitor_ids": ["${monitor:m}", "1${monitor:m}"], "description": "${monitor:m}"})
    assert slo["monitor_ids"] == ["${tonumber(datadog_monitor_json.m.id)}", "1${datadog_monitor_json.m.id}"]
    assert slo["description"] == "${datadog_monitor_json.m.id}"


@pytest.mark.parametrize(
    ("key", "name"), [("a-b", "a_b"), ("m[x]", "m_x_"), ("9a", "_9a"), ("_a", "_a"), ("Z.9", "Z_9")]
)
def test_a_key_is_a_name_of_letters_digits_and_underscores(key, name):
    assert label(key) == name
    assert f'"datadog_monitor_json" "{name}"' in as_terraform(
        [Resource("monitor", key, {"name": json.dumps(1)})]
    )
