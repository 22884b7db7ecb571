"""The list of monitors: filtered by state, tag and text, and parts of composites told from alarms."""

import json
import re

import pytest
from asgi import Client
from incident import NOW, fill
from pages_data import EVIL, MONITOR

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store

CALM = MONITOR["query"].replace("> 0", "> 99")
MONITORS = {
    "failed": MONITOR | {"name": "Fails", "tags": ["team:orders", "pipeline:starts"]},
    "calm": MONITOR
    | {"name": "Calm", "query": CALM, "options": {"thresholds": {"critical": 99}}, "tags": ["team:orders"]},
    "part": MONITOR | {"name": "Part", "message": "tells nobody"},
    "told": MONITOR | {"name": "Told by itself"},
    "both": {"type": "composite", "name": "Both", "query": "${monitor:part} && ${monitor:told}"},
    "cold": MONITOR | {"name": EVIL, "query": MONITOR["query"].replace("failed", "nosuch"), "tags": None},
    "broken": MONITOR | {"name": "Broken", "query": "sum(last_5m):("},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "monitors").mkdir()
    for key, body in MONITORS.items():
        (root / "monitors" / f"{key}.json").write_text(json.dumps(body))
    with Store.open() as store:
        fill(store)
        app = create_app(store, routes=page_routes(store, root, clock=lambda: NOW))
        yield Client(app, base_url="http://127.0.0.1")


def listed(text):
    return re.findall(r'<td[^>]*><a href="/monitors/(\w+)">', text)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", ["failed", "told", "both", "part", "cold", "calm", "broken"]),
        ("?state=Alert", ["failed", "told", "both", "part"]),
        ("?state=alert&tag=team:orders", ["failed"]),
        ("?state=No+Data", ["cold"]),
        ("?state=OK", ["calm"]),
        ("?state=not+evaluated", ["broken"]),
        ("?tag=team:orders", ["failed", "calm"]),
        ("?tag=TEAM", ["failed", "calm"]),
        ("?tag=tea", []),
        ("?q=fails", ["failed"]),
        ("?q=slack-OPS+99", ["calm"]),
        ("?q=pipeline:starts", ["failed"]),
        ("?q=nothing+of+this", []),
        ("?state=nonsense", []),
        ("?q=%3Cscript%3E", ["cold"]),
    ],
)
def test_monitors_are_filtered(client, query, keys):
    text = client.get(f"/monitors{query}").text
    assert sorted(listed(text)) == sorted(keys)
    assert EVIL not in text
    if not keys:
        assert '<a href="/monitors">Show all</a>' in text
    assert f"{len(keys)} of 7 monitors" in text or (not query and "7 monitors" in text)


def test_what_was_chosen_stays_in_the_form(client):
    text = client.get("/monitors?state=alert&tag=x%22y&q=a%3Eb").text
    assert '<option value="Alert" selected>' in text
    assert '<option value="x&quot;y" selected>' in text
    assert 'name="q" value="a&gt;b"' in text


def test_a_part_of_a_composite_that_notifies_nobody_is_no_alarm_on_the_overview(client):
    text = client.get("/").text
    assert {"failed", "told", "both"} <= set(listed(text))
    assert "part" not in listed(text)
    assert client.get("/monitors").text.count("part of a composite") == 1
    assert listed(client.get("/monitors?state=Alert").text)[-1] == "part"


def test_without_a_monitor_there_is_nothing_to_filter():
    with Store.open() as store:
        text = Client(create_app(store, routes=page_routes(store)), base_url="http://127.0.0.1").get(
            "/monitors?state=OK"
        )
    assert "There is no monitor: put one into monitors/" in text.text
    assert "<form" not in text.text


@pytest.mark.parametrize("query", ["9" * 5000, f"{'9' * 5000} && 1", "", "&&", "-1 || 2"])
def test_a_composite_of_numbers_that_no_monitor_has_is_listed(tmp_path, query):
    (tmp_path / "monitors").mkdir()
    body = {"type": "composite", "name": "Wide", "query": query}
    (tmp_path / "monitors" / "wide.json").write_text(json.dumps(body))
    with Store.open() as store:
        client = Client(
            create_app(store, routes=page_routes(store, tmp_path, clock=lambda: NOW)),
            base_url="http://127.0.0.1",
        )
        answer = client.get("/monitors")
    assert (answer.status_code, listed(answer.text)) == (200, ["wide"])
