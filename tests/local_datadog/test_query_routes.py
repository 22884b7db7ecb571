"""The query routes: recorded answers repeated from the points that had been submitted, and the frames of
v2.
"""

import json
import time
from contextlib import contextmanager

import httpx
import pytest
from shared_data import shared_data

from monitoring.local_datadog import LocalDatadog, Settings

KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
NOW = int(time.time()) // 60 * 60


@pytest.fixture(scope="module")
def http():
    with (
        LocalDatadog() as server,
        httpx.Client(base_url=server.url, headers=KEYS, verify=False, timeout=30) as client,
    ):
        values = {"a": 10, "b": 4, "c": 0}
        series = [
            {
                "metric": "m",
                "points": [[NOW - 600, value], [NOW - 300, value * 2]],
                "tags": [f"env:{env}"],
                "host": "h",
            }
            for env, value in values.items()
        ]
        counts = [
            {"metric": "n", "type": "count", "interval": 10, "points": [[NOW - 600, 2]], "tags": ["env:a"]}
        ]
        assert client.post("/api/v1/series", json={"series": series + counts}).status_code == 202
        yield client


def recorded(api):
    rows = [json.loads(line) for line in shared_data("query_answers.jsonl").read_text().splitlines()]
    return [row for row in rows if row["api"] == api]


def test_recorded_answers_are_repeated_from_the_points_submitted_before():
    replayed = 0
    for row in recorded("v1"):
        if not row.get("submitted"):
            continue
        # The recordings are older than any point that is kept: a clock of then stands in for the server's.
        with clocked(row["to"]) as client:
            for sent in row["submitted"]:
                path = sent["url"].partition(".com")[2]
                assert client.post(path, json=sent["body"]).status_code == 202
            window = {"from": row["frm"], "to": row["to"], "query": row["query"]}
            got = client.get("/api/v1/query", params=window).json()
        wanted = row["response"]
        for key in wanted.keys() - {"series", "times", "values"}:
            assert got[key] == wanted[key], key
        for one, other in zip(got["series"], wanted["series"], strict=True):
            assert {key: one.get(key) for key in other} == other
        replayed += 1
    assert replayed >= 10


@contextmanager
def clocked(moment):
    settings = Settings(clock=lambda: moment, historical=True)
    with (
        LocalDatadog(settings=settings) as server,
        httpx.Client(base_url=server.url, headers=KEYS, verify=False, timeout=30) as client,
    ):
        yield client


def ask(http, kind, queries, formulas=(), **more):
    attributes = {"from": (NOW - 3600) * 1000, "to": NOW * 1000, "queries": queries, **more}
    attributes |= {"formulas": [{"formula": text} if isinstance(text, str) else text for text in formulas]}
    return http.post(
        f"/api/v2/query/{kind}", json={"data": {"type": f"{kind}_request", "attributes": attributes}}
    )


def metric(name, query, **more):
    return {"data_source": "metrics", "name": name, "query": query, **more}


def test_a_timeseries_answer_aligns_its_series_on_common_times(http):
    queries = [metric("a", "sum:m{*} by {env}"), metric("b", "sum:n{*}.as_count()")]
    got = ask(http, "timeseries", queries, ["a * 2", "b"], interval=60_000)
    assert got.headers["content-type"].startswith("application/vnd.api+json")
    data = got.json()["data"]
    assert (data["id"], data["type"]) == ("0", "timeseries_response")
    attributes = data["attributes"]
    assert attributes["times"] == sorted(attributes["times"])
    assert [one["group_tags"] for one in attributes["series"]] == [["env:a"], ["env:b"], ["env:c"], []]
    assert [one["query_index"] for one in attributes["series"]] == [0, 0, 0, 1]
    at = attributes["times"].index((NOW - 600) * 1000)
    assert [row[at] for row in attributes["values"]] == [20, 8, 0, 2]
    assert attributes["values"][3][attributes["times"].index((NOW - 300) * 1000)] is None


def test_no_data_is_three_empty_lists(http):
    got = ask(http, "timeseries", [metric("a", "avg:nothing{*}")]).json()["data"]["attributes"]
    assert got == {"series": [], "times": [], "values": []}


def test_a_scalar_answer_has_a_column_a_group_key_and_one_a_formula(http):
    queries = [
        metric("a", "sum:m{*} by {env}", aggregator="max"),
        metric("b", "sum:n{*}.as_count()", aggregator="sum"),
    ]
    limited = {"formula": "a / b", "limit": {"count": 2, "order": "desc"}}
    got = ask(http, "scalar", queries, [limited, "a"]).json()["data"]["attributes"]["columns"]
    assert got == [
        {"name": "env", "type": "group", "values": [["a"], ["b"]]},
        {"name": "a / b", "type": "number", "values": [10.0, 4.0], "meta": {"unit": None}},
        {"name": "a", "type": "number", "values": [20.0, 8.0], "meta": {"unit": None}},
    ]


def test_a_scalar_formula_with_a_function_is_reduced_after_it(http):
    queries = [metric("a", "sum:m{env:a}", aggregator="last")]
    (column,) = ask(http, "scalar", queries, ["abs(-a)"]).json()["data"]["attributes"]["columns"]
    assert column["values"] == [20.0]


@pytest.mark.parametrize(
    ("window", "says"),
    [
        ({"from": 1, "to": 2}, "'query' is required"),
        ({"from": "x", "to": 2, "query": "avg:m{*}"}, "'from' is required"),
        ({"from": 1, "to": 2, "query": "avg:m{"}, "Error parsing query"),
        ({"from": 2, "to": 1, "query": "avg:m{*}"}, "window ends before it starts"),
    ],
)
def test_a_query_that_cannot_be_answered_is_a_400_that_says_why(http, window, says):
    got = http.get("/api/v1/query", params=window)
    assert got.status_code == 400
    assert says in got.json()["errors"][0]


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"queries": []}, "queries is required"),
        ({"queries": [metric("a", "avg:m{*}")], "from": "x"}, "from and to are required"),
        ({"queries": [metric("a", "avg:m{*}")], "formulas": [{}]}, "formula has no text"),
        ({"queries": [metric("a", "avg:m{*}")], "formulas": [{"formula": "b"}]}, "no query is named 'b'"),
        ({"queries": [metric("a", "avg:m{*}")]}, "aggregator is required"),
        (
            {"queries": [metric("a", "avg:m{*}", aggregator="avg")], "to": 2, "from": 1},
            "outside the retention date",
        ),
    ],
)
def test_a_scalar_request_that_is_not_one_is_a_400_that_says_why(http, attributes, says):
    whole = {"from": (NOW - 60) * 1000, "to": NOW * 1000} | attributes
    if "aggregator" not in says:
        whole["queries"] = [{"aggregator": "avg"} | query for query in whole["queries"]]
    got = http.post("/api/v2/query/scalar", json={"data": {"type": "scalar_request", "attributes": whole}})
    assert got.status_code == 400
    assert says in got.json()["errors"][0]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("", ["m", "n"]),
        ("filter[tags]=env:b", ["m"]),
        ("filter[tags]=env:a AND NOT host:h", ["n"]),
        ("filter[tags]=env IN (a, c)", ["m", "n"]),
        ("filter[tags]=host:*", ["m"]),
        ("filter[metric_type]=distribution", []),
        ("filter[metric_type]=non_distribution", ["m", "n"]),
        ("window[seconds]=300", []),
        ("window[seconds]=3600", ["m", "n"]),
    ],
)
def test_the_list_of_metrics_is_filtered(http, asked, names):
    assert [one["id"] for one in http.get(f"/api/v2/metrics?{asked}").json()["data"]] == names


def test_the_list_of_metrics_comes_in_pages_where_that_is_asked_for(http):
    assert "meta" not in http.get("/api/v2/metrics").json()
    first = http.get("/api/v2/metrics?page[size]=1").json()
    cursor = first["meta"]["pagination"]["next_cursor"]
    second = http.get(f"/api/v2/metrics?page[size]=1&page[cursor]={cursor}").json()
    assert [one["data"][0]["id"] for one in (first, second)] == ["m", "n"]
    assert second["meta"]["pagination"]["next_cursor"] is None


@pytest.mark.parametrize("scope", ["env:(", "*} + avg:x{*", "}"])
def test_a_filter_that_cannot_be_read_is_a_400(http, scope):
    got = http.get("/api/v2/metrics", params={"filter[tags]": scope})
    assert (got.status_code, got.json()["errors"][0][:21]) == (400, "Invalid filter[tags]:")
