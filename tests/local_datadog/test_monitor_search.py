"""Searching monitors in the syntax of the Manage Monitors page."""

import httpx
import pytest

from monitoring.local_datadog import LocalDatadog, Settings

KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
QUERY = "sum(last_5m):sum:errors{env:p} by {fn}.as_count() > 5"


@pytest.fixture(scope="module")
def http():
    with LocalDatadog() as server, httpx.Client(base_url=server.url, headers=KEYS) as client:
        bodies = [
            {"name": "Errors of functions", "query": QUERY, "tags": ["team:a"], "priority": 1},
            {
                "name": "Slow",
                "query": "avg(last_5m):avg:time{*} > 5",
                "tags": ["team:b"],
                "message": "@slack-x",
            },
            {"name": "Both", "type": "composite", "query": "1001 && 1002", "tags": ["team:a", "env:p"]},
        ]
        for body in bodies:
            answer = client.post("/api/v1/monitor", json={"type": "query alert", "message": "m"} | body)
            assert answer.status_code == 200, answer.text
        states = {"groups": {}, "overall_state": "Alert"}
        server.store.documents.put("monitor_state", "1002", states)
        assert client.post("/api/v1/monitor/1002/mute").status_code == 200
        yield client


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Both", "Errors of functions", "Slow"]),
        ("errors", ["Errors of functions"]),
        ("title:err", ["Errors of functions"]),
        ('"errors of"', ["Errors of functions"]),
        ("team:a", ["Both", "Errors of functions"]),
        ("tag:team:a", ["Both", "Errors of functions"]),
        ('tag:"team:a"', ["Both", "Errors of functions"]),
        ('"team:a" AND env:p', ["Both"]),
        ("team:a -env:p", ["Errors of functions"]),
        ("team:b OR env:p", ["Both", "Slow"]),
        ("team:(a OR b) NOT type:composite", ["Errors of functions", "Slow"]),
        ("type:metric", ["Errors of functions", "Slow"]),
        ('type:"query alert"', ["Errors of functions", "Slow"]),
        ("status:alert", ["Slow"]),
        ('status:(Alert OR "No Data")', ["Both", "Errors of functions", "Slow"]),
        ('status:"no data" muted:false', ["Both", "Errors of functions"]),
        ("muted:true", ["Slow"]),
        ("metric:time", ["Slow"]),
        ("scope:env:p", ["Errors of functions"]),
        ("group_by:fn", ["Errors of functions"]),
        ("notification:slack-x", ["Slow"]),
        ("priority:p1", ["Errors of functions"]),
        ("id:1003", ["Both"]),
        ("creator:nobody", []),
    ],
)
def test_monitors_are_found_by_what_they_are(http, query, names):
    answer = http.get("/api/v1/monitor/search", params={"query": query}).json()
    assert [one["name"] for one in answer["monitors"]] == names
    assert answer["metadata"]["total_count"] == len(names)
    assert sum(one["count"] for one in answer["counts"]["type"]) == len(names)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("status:bad", "'bad' is not a valid monitor status"),
        ("status:(alert OR bad)", "'bad' is not a valid monitor status"),
        ("(name", "never closed"),
    ],
)
def test_a_query_that_cannot_be_read_is_a_400(http, query, says):
    answer = http.get("/api/v1/monitor/search", params={"query": query})
    assert (answer.status_code, says in answer.json()["errors"][0]) == (400, True)


def test_pages_are_cut_in_the_order_that_was_asked_for(http):
    asked = {"per_page": 1, "page": 1, "sort": "name,desc"}
    answer = http.get("/api/v1/monitor/search", params=asked).json()
    assert [one["name"] for one in answer["monitors"]] == ["Errors of functions"]
    assert answer["metadata"] == {"page": 1, "page_count": 3, "per_page": 1, "total_count": 3}


def test_a_monitor_is_muted_until_its_time_has_come():
    now = [1_800_000_000.0]
    settings = Settings(clock=lambda: now[0])
    with LocalDatadog(settings=settings) as server, httpx.Client(base_url=server.url, headers=KEYS) as client:
        made = client.post(
            "/api/v1/monitor", json={"type": "query alert", "query": QUERY, "name": "m"}
        ).json()
        client.post(f"/api/v1/monitor/{made['id']}/mute", json={"scope": "fn:a", "end": now[0] + 60})

        def muted():
            answer = client.get("/api/v1/monitor/search", params={"query": "muted:true"}).json()
            return len(answer["monitors"]), answer["counts"]["muted"]

        assert muted() == (1, [{"name": True, "count": 1}])
        now[0] += 61
        assert muted() == (0, [])
        client.post(f"/api/v1/monitor/{made['id']}/mute", json={"scope": "fn:b"})
        assert muted() == (1, [{"name": True, "count": 1}])
