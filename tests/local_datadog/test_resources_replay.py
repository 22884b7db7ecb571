"""Recorded answers of Datadog's API, replayed: what it took is taken, what it refused is refused likewise."""

import json
from collections import Counter

import httpx
import pytest
from shared_data import shared_data

from monitoring.local_datadog import LocalDatadog

KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
ASSIGNED = {"id", "org_id", "created", "created_at", "modified", "creator"}
OLDER = {"locked", "avalanche_window"}  # options that the API added at times


def rows(name):
    return [json.loads(line) for line in shared_data(name).read_text().splitlines()]


@pytest.fixture(scope="module")
def http():
    with LocalDatadog() as server, httpx.Client(base_url=server.url, headers=KEYS, verify=False) as client:
        yield client


def test_every_accepted_monitor_is_accepted_and_normalised_as_recorded(http):
    differences = Counter()
    for row in rows("accepted_monitors.jsonl"):
        method, path = row["endpoint"].split()
        body, recorded = row["request"], row["response"]
        if "{id}" in path:
            first = {key: body.get(key) or recorded.get(key) for key in ("type", "query")}
            created = http.post("/api/v1/monitor", json={**first, "name": "before"}).json()
            path = path.replace("{id}", str(created["id"]))
        answer = http.request(method, path, json=body)
        assert answer.status_code == 200, (body, answer.text)
        if path.endswith("validate"):
            assert answer.json() == {}
            continue
        got = answer.json()
        unsent = recorded.keys() - body.keys() if "{id}" in row["endpoint"] else set()
        for key in recorded.keys() - ASSIGNED - unsent - {"options", "assets"}:
            differences[key] += got.get(key) != recorded[key]
        options = recorded["options"]
        for key in (options.keys() | got["options"].keys()) - OLDER:
            differences[f"options.{key}"] += got["options"].get(key) != options.get(key)
        assert len(got["assets"]) == len(recorded.get("assets") or [])
    # run_as and restricted stand on two answers; one PUT of 2020 re-typed and one un-muted.
    assert {key for key, count in differences.items() if count} <= {
        *("restricted", "type", "options.silenced"),
    }
    assert sum(differences.values()) <= 4


def test_every_accepted_dashboard_is_stored_as_recorded_but_for_the_read_only_attribute(http):
    for row in rows("accepted_dashboards.jsonl"):
        body, recorded = row["request"], row["response"]
        answer = http.post("/api/v1/dashboard", json=body)
        if "is_read_only" in body:  # refused since September 2025, by the recordings of then
            assert answer.status_code == 400
            continue
        assert answer.status_code == 200, answer.text
        got = answer.json()
        assert without_ids(got["widgets"]) == without_ids(recorded["widgets"])
        for key in recorded.keys() - {"id", "url", "created_at", "modified_at", "widgets", "is_read_only"}:
            if not key.startswith("author") and key in body:
                assert got[key] == recorded[key], key
        assert got["url"].rpartition("/")[2] == recorded["url"].rpartition("/")[2]
        assert http.get(f"/api/v1/dashboard/{got['id']}").json() == got


def without_ids(value):
    if isinstance(value, dict):
        return {key: without_ids(inner) for key, inner in value.items() if key != "id"}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def test_what_is_referred_to_cannot_be_deleted_and_the_reference_is_named(http):
    query = "avg(last_1h):sum:system.net.bytes_rcvd{*} > 100"
    monitor = http.post("/api/v1/monitor", json={"type": "metric alert", "query": query, "name": None}).json()
    assert (
        monitor["name"]
        == "**system.net.bytes_rcvd** over ***** was **> 100.0** on average during the **last 1h**."
    )
    slo = {"type": "monitor", "name": "test_slo", "monitor_ids": [monitor["id"]]}
    slo = http.post("/api/v1/slo", json=slo | {"thresholds": [{"timeframe": "7d", "target": 95}]}).json()[
        "data"
    ][0]
    answer = http.get("/api/v1/monitor/can_delete", params={"monitor_ids": monitor["id"]})
    text = f"monitor [{monitor['id']},{monitor['name']}] is referenced in slos: [{slo['id']},test_slo]"
    assert (answer.status_code, answer.json()) == (
        409,
        {"data": {"ok": []}, "errors": {str(monitor["id"]): [text]}},
    )
    assert http.delete(f"/api/v1/monitor/{monitor['id']}").status_code == 400
    assert http.delete(f"/api/v1/monitor/{monitor['id']}?force=true").json() == {
        "deleted_monitor_id": monitor["id"]
    }
    widget = {"definition": {"type": "slo", "slo_id": slo["id"]}}
    board = {"title": "x", "layout_type": "ordered", "widgets": [widget]}
    board = http.post("/api/v1/dashboard", json=board).json()
    text = f"slo {slo['id']} is referenced in dashboards: {board['id']}"
    answer = http.delete(f"/api/v1/slo/{slo['id']}")
    assert (answer.status_code, answer.json()) == (409, {"errors": {slo["id"]: text}, "data": None})
