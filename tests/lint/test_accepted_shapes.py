"""What Datadog stores is not an error: shapes of exports and of dashboards that integrations ship."""

import json

import pytest

from monitoring.lint.engine import lint_text
from monitoring.lint.run import fix_text, selected
from monitoring.query import format_monitor, parse_monitor

NOTE = {"type": "note", "content": "a"}


def board(definition=NOTE, layout=None, **more):
    widget = {"definition": definition} | ({"layout": layout} if layout else {})
    return {"title": "T", "layout_type": "ordered", "widgets": [widget], **more}


def graph(**query):
    named = {"data_source": "metrics", "name": "a", "query": "avg:system.load.1{*}", **query}
    return {"type": "timeseries", "requests": [{"queries": [named], "formulas": [{"formula": "a"}]}]}


def table(**formats):
    named = {"data_source": "metrics", "name": "a", "query": "avg:system.load.1{*}"}
    formula = {"formula": "a", "conditional_formats": [formats]}
    return {"type": "query_table", "requests": [{"queries": [named], "formulas": [formula]}]}


ACCEPTED = {
    "fractional places": board(layout={"x": 0.909, "y": -1.5e-6, "width": 4.5, "height": 2.25}),
    "a tab of a widget by its place": board(
        tabs=[{"id": "11111111-1111-4111-8111-111111111111", "name": "One", "widget_ids": ["@1", 2]}]
    ),
    "a flame graph": board({"type": "flame_graph", "title": "t", "requests": [{"query": {}}]}),
    "a service map without filters": board({"type": "servicemap", "service": "s", "filters": []}),
    "a newer palette": board(table(comparator=">", value=1, palette="purple_on_white")),
    "a format without a comparison": board(table(type="range", palette="transparent_to_green")),
    "a newer data source": board(graph(data_source="quantum_flows")),
    "both notations in a scope": board(graph(query="avg:system.load.1{a:b AND c:d,!e:f}")),
    "a variable that is not defined": board(graph(query="avg:system.load.1{$operation}")),
}


def errors(kind, body):
    report = lint_text(f"{kind}s/x.json", json.dumps(body), selected())
    return [finding.message for finding in report.findings if finding.severity == "error"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_dashboard_that_datadog_stores_has_no_error(name):
    assert errors("dashboard", ACCEPTED[name]) == []


@pytest.mark.parametrize(
    ("kind", "query", "options"),
    [
        ("synthetics alert", "no_query", {}),
        (
            "log alert",
            'logs("*").index("main").rollup("count").current("1d") > 5',
            {"scheduling_options": {"evaluation_window": {"day_starts": "06:00"}}},
        ),
        (
            "query alert",
            "avg(last_4h):anomalies(+ avg:system.load.1{*}, 'basic', 2) >= 1",
            {"thresholds": {"critical": 1}},
        ),
        ("query alert", "avg(last_4h):-+avg:system.load.1{*} > 5", {}),
    ],
)
def test_a_monitor_that_datadog_stores_has_no_error_in_any_wrapping(kind, query, options):
    body = {"name": "m", "type": kind, "query": query, "message": "@a", "options": options}
    assert errors("monitor", body) == []
    assert errors("monitor", {"version": 2, "title": "M", "tags": ["a:b"], "definition": body}) == []
    assert parse_monitor(format_monitor(parse_monitor(query))) == parse_monitor(query)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('logs("*").rollup("count").current("2d") > 5', "current hour, day or month"),
        ('logs("*").rollup("count").last("1h").current("1d") > 5', "exclude each other"),
        ('logs("*").rollup("count") > 5', "expected"),
        ("no_querys", "unexpected"),
    ],
)
def test_what_no_monitor_can_be_is_an_error(query, words):
    (found, *_) = errors("monitor", {"name": "m", "type": "log alert", "query": query, "message": "@a"})
    assert words in found.lower()


EDITOR = {
    "group by": board(
        {
            "type": "toplist",
            "requests": [
                {
                    "response_format": "scalar",
                    "formulas": [{"formula": "a"}],
                    "queries": [
                        {
                            "data_source": "logs",
                            "name": "a",
                            "search": {"query": ""},
                            "compute": {"aggregation": "count"},
                            "group_by": [{"facet": "host", "should_exclude_missing": True}],
                            "calculated_fields": [],
                        }
                    ],
                }
            ],
        }
    ),
    "style": board(
        {
            "type": "timeseries",
            "requests": [
                {"q": "avg:system.load.1{*}", "style": {"color_order": "shuffled", "order_reverse": True}}
            ],
        }
    ),
    "monitors": board(
        {"type": "manage_status", "query": "x", "show_status": True, "last_triggered_format": "relative"}
    ),
    "group": board({"type": "group", "layout_type": "ordered", "widgets": [], "template_variables": []}),
}


@pytest.mark.parametrize("name", EDITOR)
def test_the_keys_that_the_editor_of_datadog_writes_are_known(name):
    report = lint_text("dashboards/x.json", json.dumps(EDITOR[name]), selected())
    assert [finding.message for finding in report.findings] == []


EXPORTED = {
    "id": 7,
    "org_id": 1,
    "created": "2026-01-01T00:00:00+00:00",
    "creator": {"name": "a"},
    "multi": False,
    "overall_state": "OK",
    "recommended_monitor_metadata": {"description": "d"},
    "name": "m",
    "type": "query alert",
    "query": "avg(last_5m):avg:system.load.1{*} > 5",
    "message": "@a",
    "options": {"thresholds": {"critical": 5.0}, "renotify_interval": "0", "silenced": {}},
}


def test_a_fresh_export_passes_strictly_after_fix():
    text, count = fix_text("monitors/m.json", json.dumps(EXPORTED, indent=2), selected())
    assert count == 8
    assert lint_text("monitors/m.json", text, selected()).findings == ()
    fixed = json.loads(text)
    assert fixed["options"]["renotify_interval"] == 0
    assert set(fixed) == {"name", "type", "query", "message", "options"}
