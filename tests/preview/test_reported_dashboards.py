"""Dashboards as people reported them: what once failed is drawn, over a sample and over one line of log."""

import json
import xml.etree.ElementTree as ET

import pytest

from monitoring.cli import main
from monitoring.store import Store

HOUR = 1_772_366_400
FIXED = {"type": "fixed", "from": HOUR * 1000, "to": (HOUR + 3600) * 1000}


def over_logs(compute, formula="q", **more):
    query = {"data_source": "logs", "name": "q", "search": {"query": "service:cart"}, "compute": compute}
    return {
        "requests": [
            {"response_format": "scalar", "queries": [{**query, **more}], "formulas": [{"formula": formula}]}
        ]
    }


SIZE = {"aggregation": "avg", "metric": "@response.size"}
LISTED = {
    "response_format": "event_list",
    "columns": [{"field": "timestamp", "width": "auto"}],
    "query": {"data_source": "logs_stream", "query_string": "service:cart"},
}
REPORTED = {
    "a measure that the logs do not have": {"type": "query_value", **over_logs(SIZE)},
    "a share of logs of which there are none": {
        "type": "query_value",
        **over_logs({"aggregation": "count"}, "100 * q / (q - q)"),
    },
    "a division of spans": {
        "type": "query_value",
        "requests": [
            {
                "response_format": "scalar",
                "queries": [
                    {
                        "data_source": "spans",
                        "name": name,
                        "search": {"query": search},
                        "compute": {"aggregation": "count"},
                    }
                    for name, search in (("a", "status:error"), ("b", "*"))
                ],
                "formulas": [{"formula": "a / b"}],
            }
        ],
    },
    "a fixed time in milliseconds": {
        "type": "timeseries",
        "time": FIXED,
        "requests": [{"q": "sum:cart.items{*}.as_count()"}],
    },
    "a fixed time in seconds": {
        "type": "timeseries",
        "time": {"type": "fixed", "from": HOUR, "to": HOUR + 3600},
        "requests": [{"q": "sum:cart.items{*}.as_count()"}],
    },
    "a list of a fixed time": {"type": "list_stream", "time": FIXED, "requests": [LISTED]},
    "a variable with a dot": {
        "type": "timeseries",
        "requests": [{"q": "sum:cart.items{$cart.zone} by {zone}"}],
    },
    "a host map with a scope of variables": {
        "type": "hostmap",
        "requests": {"fill": {"q": "max:system.mem.used{$cart.zone,$stage} by {host}"}},
        "scope": ["$cart.zone", "$stage", "!role:spare"],
        "group": ["zone"],
    },
    "logs by a facet": {
        "type": "toplist",
        **over_logs({"aggregation": "count"}, group_by=[{"facet": "@customer.plan", "limit": 5}]),
    },
}
VARIABLES = [
    {"name": "cart", "prefix": "cart", "defaults": ["*"]},
    {"name": "cart.zone", "prefix": "zone", "default": "*"},
    {"name": "stage", "prefix": "stage", "default": "*"},
]


def words_of(definition, tmp_path, *options):
    """Return what stands in the picture of a dashboard that holds the widget and a note."""
    note = {"type": "note", "content": "still here"}
    body = {"title": "T", "layout_type": "ordered", "template_variables": VARIABLES}
    body["widgets"] = [{"definition": {"title": "reported", **definition}}, {"definition": note}]
    path = tmp_path / "board.json"
    path.write_text(json.dumps(body))
    with pytest.raises(SystemExit) as ended:
        main(["preview", str(path), "--out", str(tmp_path / "out"), "--format", "svg", *options])
    assert not ended.value.code
    (picture,) = (tmp_path / "out").glob("*.svg")
    return " ".join(ET.fromstring(picture.read_text("utf-8")).itertext())


@pytest.mark.parametrize("name", REPORTED)
def test_a_dashboard_as_reported_is_drawn_over_a_sample(name, tmp_path):
    words = words_of(REPORTED[name], tmp_path, "--sample")
    assert "reported" in words
    assert "still here" in words
    assert "cannot" not in words
    assert "has no value" not in words
    assert "No data" not in words
    assert words.endswith("– reported still here") == (name == "a share of logs of which there are none")


@pytest.mark.parametrize("name", REPORTED)
def test_a_dashboard_as_reported_is_drawn_over_one_line_of_log(name, tmp_path):
    with Store.open(tmp_path / "one.duckdb") as store:
        store.add_logs([{"timestamp": HOUR * 1000, "message": "one", "service": "cart", "attributes": {}}])
    words = words_of(
        REPORTED[name],
        tmp_path,
        "--data",
        str(tmp_path / "one.duckdb"),
        "--from",
        str(HOUR - 1800),
        "--to",
        str(HOUR + 1800),
    )
    assert "still here" in words
    assert "cannot" not in words
