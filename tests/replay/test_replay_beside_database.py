"""A replay's points beside those of a database: joined in queries, and served from a folder or from S3."""

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from test_history_in_place import in_s3, place  # noqa: F401
from test_replay import START, exported, replayed  # noqa: F401

from monitoring.cli import serve
from monitoring.errors import InputError
from monitoring.local_datadog import LocalDatadog, Settings
from monitoring.local_datadog.app import create_app
from monitoring.query import SeriesSource, evaluate
from monitoring.query.datafile import load
from monitoring.query.joined_sources import JoinedSource
from monitoring.query.series import Series
from monitoring.query.switches import Switches
from monitoring.serve import Watch
from monitoring.serve.pages.routes import site_routes
from monitoring.serve.pages.site import Site
from monitoring.store import Store
from monitoring.store.parquet_source import ParquetSource, open_partitions
from monitoring.store.query_source import StoreSource

DAY = 86_400
BEGIN = 1_700_000_000
QUERIES = [
    "avg:m{*}",
    "sum:m{env:a} by {env}",
    "max:m{*}.rollup(min, 7)",
    "min:m{*}.fill(last, 60)",
    "count:m{*}",
    "sum:m{*}.rollup(sum, daily)",
    "avg:d{*}",
    "sum:d{*} by {env}.as_count()",
    "sum:d{!env:b} by {env,zone}.as_rate()",
    "count:d{*}.as_count()",
    "min:d{*} by {zone}",
    "max:d{zone:x}",
    "p50:d{*} by {env}",
    "p99:d{*}.rollup(60)",
    "stddev:d{*}",
    "count(v: v>0):d{*}.as_count()",
    "p75:d{*}.rollup(avg, daily)",
    "sum:d{*}.fill(zero) / avg:m{*}",
    "moving_rollup(p90:d{*}, 60, 'max')",
]
VALUES = st.lists(st.tuples(st.integers(0, 300), st.integers(-50, 50)), min_size=1, max_size=15)


@st.composite
def parts_of_series(draw):
    """Series of three sources: each gauge is in one of them, the values of a distribution in any."""
    parts = [[], [], []]
    for env in draw(st.sets(st.sampled_from("abc"))):
        points = sorted(dict(draw(VALUES)).items())
        parts[draw(st.integers(0, 2))].append(series("m", points, "gauge", f"env:{env}"))
    for part in parts:
        for env, zone in draw(st.sets(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), max_size=3)):
            part.append(series("d", sorted(draw(VALUES)), "distribution", f"env:{env}", f"zone:{zone}"))
    return parts


def series(metric, points, kind, *tags):
    times, values = zip(*points, strict=True)
    return Series(metric, tags, np.array(times, np.int64) + BEGIN, np.array(values, np.float64), kind)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts_of_series(), st.sampled_from(QUERIES), st.integers(0, 100), st.sampled_from(["exact", "sketch"]))
def test_joined_sources_answer_as_one_source_of_all_their_points(parts, query, first, quantiles):
    window = (BEGIN + first, BEGIN + first + 200)
    switches = Switches(quantiles=quantiles)
    with Store.open() as store:
        store.add_points(parts[2])
        inner = JoinedSource(SeriesSource(parts[1]), StoreSource(store))
        answers = evaluate(query, JoinedSource(SeriesSource(parts[0]), inner), *window, switches=switches)
    expected = evaluate(
        query, SeriesSource([line for part in parts for line in part]), *window, switches=switches
    )
    assert [(line.scope, line.times.tolist()) for line in answers] == [
        (line.scope, line.times.tolist()) for line in expected
    ]
    for line, wanted in zip(answers, expected, strict=True):
        np.testing.assert_allclose(line.values, wanted.values, atol=1e-9)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_empty_sources_change_nothing(count):
    lines = [series("d", [(1, 2), (9, 4)], "distribution", "env:a")]
    joined = JoinedSource(SeriesSource(lines), *(SeriesSource([]) for _ in range(count)))
    (answer,) = evaluate("p50:d{*}", joined, BEGIN, BEGIN + 20, 20)
    assert answer.values.tolist() == [2.0]
    assert evaluate("p50:absent{*}", joined, BEGIN, BEGIN + 20, 20) == []


def test_only_buckets_with_values_of_several_sources_are_computed_from_points(monkeypatch):
    """Days of a replay before those of the database: their values are pooled by each."""
    early = SeriesSource([series("d", [(1, 2), (100, 5)], "distribution", "env:a")])
    late = SeriesSource([series("d", [(101, 7), (200, 4)], "distribution", "env:a")])
    asked = []
    points = JoinedSource.points
    monkeypatch.setattr(
        JoinedSource, "points", lambda self, *call: asked.append(call[1:]) or points(self, *call)
    )
    (answer,) = evaluate("p99:d{*}", JoinedSource(early, late), BEGIN, BEGIN + 220, 20)
    assert answer.values.tolist() == [2.0, 5.0, 4.0]
    assert asked == [(BEGIN + 100, BEGIN + 120)]


@pytest.fixture
def history(place):  # noqa: F811
    partitions = open_partitions(place)
    yield ParquetSource(partitions)
    partitions.close()


PAID = Series(
    "shop.paid",
    ("stream:0", "zone:new"),
    np.array([START + 5, START + 2 * DAY]),
    np.array([700.0, 9.0]),
    "distribution",
)
FRESH = Series("shop.fresh", ("stream:0",), np.array([START + 2 * DAY]), np.array([3.0]), "gauge")
NOW = START + 2 * DAY + 60


@pytest.fixture
def client(history):
    """A server over a database with two of our metrics, and over the replay; its clock stands still."""
    with Store.open() as store:
        store.history = history
        store.add_points([PAID, FRESH])
        site = Site(store, clock=lambda: NOW)
        app = create_app(
            store, routes=site_routes(site), settings=Settings(clock=lambda: NOW, historical=True)
        )
        with TestClient(app, base_url="http://127.0.0.1", headers={"DD-API-KEY": "k"}) as testing:
            yield testing


@pytest.mark.parametrize(
    "query",
    [
        "sum:shop.paid{*} by {stream}.as_count()",
        "p95:shop.paid{*}",
        "avg:shop.paid{zone:new}",
        "max:shop.orders{stream:1}",
        "avg:shop.fresh{*}",
        "sum:shop.paid{*}.as_count() / sum:shop.orders{*}.as_count()",
    ],
)
def test_a_server_answers_over_its_database_and_the_replay(client, replayed, query):  # noqa: F811
    parameters = {"query": query, "from": START, "to": NOW}
    answer = client.get("/api/v1/query", params=parameters).json()["series"]
    everything = SeriesSource([*load(replayed).series, PAID, FRESH])
    expected = evaluate(query, everything, START, NOW)
    assert [(line["scope"], line["pointlist"]) for line in answer] == [
        (line.scope, [[at * 1000.0, value] for at, value in zip(line.times, line.values, strict=True)])
        for line in expected
    ]
    assert answer


def test_metrics_of_the_replay_are_listed_with_their_tags(client):
    names = ["shop.fresh", "shop.orders", "shop.paid"]
    assert client.get("/api/v1/metrics", params={"from": START}).json()["metrics"] == names
    late, tagged = {"from": START + 2 * DAY}, {"from": START, "tag_filter": "stream:3"}
    assert client.get("/api/v1/metrics", params=late).json()["metrics"] == ["shop.fresh", "shop.paid"]
    assert client.get("/api/v1/metrics", params=tagged).json()["metrics"] == names[1:]
    assert [entry["id"] for entry in client.get("/api/v2/metrics").json()["data"]] == names
    of_stream = client.get("/api/v2/metrics", params={"filter[tags]": "stream:3"}).json()["data"]
    assert [entry["id"] for entry in of_stream] == names[1:]
    assert (
        client.get("/api/v1/search", params={"q": "metrics:order"}).json()["results"]["metrics"] == names[1:2]
    )
    assert client.get("/api/v1/metrics/shop.orders").json()["type"] == "distribution"
    assert client.get("/api/v1/metrics/shop.absent").status_code == 404
    tags = client.get("/api/v2/metrics/shop.paid/all-tags").json()["data"]["attributes"]["tags"]
    assert {"stream:0", "stream:3", "zone:new"} <= set(tags)


def test_pages_show_metrics_of_the_replay(client):
    listed = client.get("/metrics").text
    assert "shop.orders" in listed
    assert "2 + replay" in listed
    page = client.get(
        "/metrics", params={"q": "sum:shop.orders{*}.as_count()", "from": START, "to": NOW}
    ).text
    assert "No data" not in page
    assert "3 metrics</a> with 3 points beside those of the replay" in client.get("/").text


def test_metrics_of_both_span_both(client):
    spans = {metric.name: (metric.first, metric.last) for metric in client.app.state.store.metrics()}
    assert spans["shop.paid"] == (START, START + 2 * DAY)
    assert spans["shop.orders"] == (START, START + DAY + 14)


def test_an_objective_is_evaluated_over_both(client):
    body = {
        "name": "paid",
        "type": "metric",
        "query": {
            "numerator": "sum:shop.paid{zone:new}.as_count()",
            "denominator": "sum:shop.paid{*}.as_count()",
        },
        "thresholds": [{"timeframe": "7d", "target": 50}],
    }
    ident = client.post("/api/v1/slo", json=body).json()["data"][0]["id"]
    window = {"from_ts": START, "to_ts": START + 3 * DAY}
    answer = client.get(f"/api/v1/slo/{ident}/history", params=window).json()["data"]
    replayed_paid = answer["series"]["denominator"]["sum"] - 709
    assert answer["series"]["numerator"]["sum"] == 709
    assert replayed_paid == sum(index for index in range(0, 30, 3)) * 20


def test_a_monitor_is_evaluated_over_the_replay(history):
    body = {
        "name": "orders",
        "type": "query alert",
        "message": "",
        "query": "sum(last_5m):sum:shop.orders{*}.as_count() > 10",
        "options": {"thresholds": {"critical": 10}},
    }
    with Store.open() as store:
        store.history = history
        app = create_app(store, settings=Settings(clock=lambda: START - 600))
        with TestClient(app, base_url="http://127.0.0.1", headers={"DD-API-KEY": "k"}) as testing:
            made = testing.post("/api/v1/monitor", json=body).json()
        said = []
        Watch(store, [], said.append, clock=lambda: START + 120).look()
        assert store.documents.get("monitor_state", str(made["id"]))["overall_state"] == "Alert"
        assert said == []


def test_a_server_of_this_process_takes_a_replay(history):
    with LocalDatadog(history=history) as server:
        parameters = {"query": "sum:shop.orders{*}.as_count()", "from": START, "to": START + DAY}
        answer = httpx.get(
            f"{server.url}/api/v1/query", params=parameters, headers={"DD-API-KEY": "k"}
        ).json()
        assert answer["series"]


@pytest.mark.parametrize("content", ["nothing", "no folder", "a file", "another folder"])
def test_a_place_without_a_replay_is_wrong_input(tmp_path, content):
    there = tmp_path / "there"
    if content == "a file":
        there.write_text("")
    elif content != "no folder":
        (there / "metric=a").mkdir(parents=True)
    asked = ["--replay", str(there), "--database", str(tmp_path / "d.duckdb"), "--port", "0"]
    with pytest.raises(InputError, match="no Parquet files of a replay"):
        CliRunner().invoke(serve.command, asked, standalone_mode=False, catch_exceptions=False)
    assert not (tmp_path / "d.duckdb").exists()


def test_a_prefix_without_a_replay_keeps_the_server_from_starting(in_s3, tmp_path):  # noqa: F811
    asked = ["--replay", f"{in_s3}/none", "--database", str(tmp_path / "d.duckdb"), "--port", "0"]
    with pytest.raises(InputError, match="no Parquet files of a replay"):
        CliRunner().invoke(serve.command, asked, standalone_mode=False, catch_exceptions=False)
