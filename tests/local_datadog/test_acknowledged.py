"""Acknowledged means stored: what any intake route accepts is in the file that opens again, and pages show it."""

import gzip
import json
import os
import time

import msgspec
import pytest
from asgi import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store
from monitoring.store.journal import Journal

KEY = {"DD-API-KEY": "k"}
NOW = int(time.time())
EXTREME = st.sampled_from(
    [
        0,
        -1,
        1,
        0.5,
        -0.0,
        2**31 - 1,
        2**31,
        2**33,
        2**33 * 1000,
        2**53,
        2**63 - 1,
        2**63,
        -(2**63) - 1,
        1e30,
        -1e308,
    ]
)
TEXT = st.sampled_from(
    ["", "a", "\x00", "\u2028", "ü" * 300, "<script>", "a" * 5000, "\ufffe", "{{x}}", "a,b:c|d"]
)
ANY = EXTREME | TEXT | st.sampled_from([None, True, [], {}, [1], {"a": [{}]}, ["\x00"], [None]])
DEEP = [b"[" * 100_000, b"[" * 500 + b"]" * 500, b'{"a":' * 300 + b"1" + b"}" * 300]


def some(base):
    """Return strategies for the record with one or two of its fields replaced."""
    changes = st.dictionaries(st.sampled_from(sorted(base)), ANY, min_size=1, max_size=2)
    return changes.map(lambda change: base | change)


POINT = {"timestamp": NOW, "value": 1}
SERIES_V1 = {
    "metric": "m",
    "points": [[NOW, 1]],
    "type": "count",
    "interval": 10,
    "host": "h",
    "tags": ["a:b"],
}
SERIES_V2 = {"metric": "m", "points": [POINT], "type": 1, "interval": 10, "tags": ["a:b"], "resources": []}
LOG = {
    "message": "x",
    "timestamp": NOW * 1000,
    "ddtags": "a:b",
    "service": "s",
    "hostname": "h",
    "status": "info",
}
SPAN = {"trace_id": "1", "span_id": "2", "parent_id": "0", "name": "aws.stepfunctions", "service": "s"} | {
    "resource": "r",
    "type": "",
    "start": NOW * 10**9,
    "duration": 5,
    "error": 0,
    "meta": {},
    "metrics": {},
}
CHECK = {"check": "app.ok", "host_name": "h", "status": 0, "timestamp": NOW, "tags": ["a:b"], "message": "m"}
EVENT = {"title": "t", "text": "x", "date_happened": NOW, "tags": ["a:b"], "alert_type": "info", "host": "h"}
BODIES = {
    "/api/v1/series": some(SERIES_V1).map(lambda one: {"series": [one]}),
    "/api/v2/series": some(SERIES_V2).map(lambda one: {"series": [one]}),
    "/api/v1/distribution_points": some(
        {"metric": "d", "points": [[NOW, [1, 2]]], "host": "h", "tags": ["a:b"]}
    ).map(lambda one: {"series": [one]}),
    "/api/v2/logs": some(LOG).map(lambda one: [one]),
    "/v1/input": some(LOG).map(lambda one: [one]),
    "/api/v0.2/traces": some(SPAN).map(lambda one: {"traces": [[one]]}),
    "/api/v1/check_run": some(CHECK),
    "/api/v1/events": some(EVENT),
}
METRICS = {"/api/v1/series", "/api/v2/series", "/api/v1/distribution_points"}
PAGES = ("/", "/executions", "/metrics", "/monitors", "/dashboards")
CASES = int(os.environ.get("STEPSCOPE_CASES", "25"))


@pytest.mark.parametrize("route", BODIES)
def test_what_is_accepted_is_stored_and_the_file_opens_again(route, tmp_path_factory):
    path = tmp_path_factory.mktemp("acknowledged") / "d.duckdb"
    with Store.open(path) as store:
        client = Client(create_app(store, routes=page_routes(store)), base_url="http://127.0.0.1")

        @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(BODIES[route])
        def accepted_or_refused(body):
            sent = client.post(route, headers=KEY, content=json.dumps(body))
            assert sent.status_code in {200, 202, 400, 413}, (sent.status_code, sent.text, body)
            if sent.status_code == 400:
                assert sent.text
            store.flush()
            assert not store.trouble and not store.counters["set_aside"], (store.trouble, body)

        accepted_or_refused()
        for page in PAGES:
            assert client.get(page).status_code == 200, (page, client.get(page).text[-2000:])
    with Store.open(path) as store:
        client = Client(create_app(store, routes=page_routes(store)), base_url="http://127.0.0.1")
        assert [client.get(page).status_code for page in PAGES] == [200] * len(PAGES)


@pytest.mark.parametrize("route", [*BODIES, "/api/v1/monitor", "/api/v1/dashboard", "/api/v1/slo"])
@pytest.mark.parametrize(
    "body", [*DEEP, b"\xff\xfe", b'{"a": "\\ud800"}', b'[{"message": "\\ud800"}]', b"", b"NaN"]
)
def test_a_body_that_cannot_be_read_is_a_400(route, body):
    with Store.open() as store:
        client = Client(create_app(store), base_url="http://127.0.0.1")
        sent = client.post(route, headers=KEY | {"DD-APPLICATION-KEY": "a"}, content=body)
        unknown_key = body is DEEP[2] and route in METRICS  # which these routes ignore, whatever is in it
        assert sent.status_code in {400, 413} or unknown_key, (sent.status_code, sent.text)
        assert not store.counters["points"]


@pytest.mark.parametrize(
    ("route", "body", "said"),
    [
        (
            "/api/v2/series",
            {"series": [SERIES_V2 | {"interval": 10**10}]},
            "interval is 1e+10: expected 0 to 2147483647",
        ),
        ("/api/v1/series", {"series": [SERIES_V1 | {"interval": -5}]}, "interval is -5: expected 0 to"),
        (
            "/api/v2/logs",
            [LOG | {"timestamp": 1e30}],
            "time of logs is 1000000000000000019884624838656: expected 0 to",
        ),
        ("/api/v0.2/traces", {"traces": [[SPAN | {"start": -1}]]}, "start of spans is -1"),
        (
            "/api/v0.2/traces",
            {"traces": [[SPAN | {"duration": "long"}]]},
            "duration is 'long': expected a number",
        ),
        ("/api/v1/check_run", CHECK | {"timestamp": 2**40}, "time of checks is 1099511627776"),
    ],
)
def test_a_value_that_cannot_be_stored_is_named_with_its_limit(route, body, said):
    with Store.open() as store:
        sent = Client(create_app(store), base_url="http://127.0.0.1").post(
            route, headers=KEY, content=json.dumps(body)
        )
        assert (sent.status_code, said in sent.text) == (400, True), sent.text


def test_thousands_of_empty_gzip_members_are_refused_at_once():
    with Store.open() as store:
        client = Client(create_app(store), base_url="http://127.0.0.1")
        headers = KEY | {"Content-Encoding": "gzip"}
        sent = client.post("/api/v1/series", headers=headers, content=gzip.compress(b"") * 150_000)
        assert sent.status_code == 400 and "more than 1000 gzip members" in sent.text
        body = b"".join(gzip.compress(part) for part in (b'{"series"', b": [", b"]}"))
        assert client.post("/api/v1/series", headers=headers, content=body).status_code == 202


def test_a_replay_sets_one_bad_record_aside_says_so_once_and_goes_on(tmp_path):
    path = tmp_path / "d.duckdb"
    with Store.open(path) as store:
        store.add_logs([LOG | {"message": "before"}])
    journal = Journal(path)
    journal.seq = 100
    row = [10**30, "s", "", "h", '["a:b"]', "info", "bad", "{}"]
    journal.append(3, msgspec.json.encode(("logs", [row, [NOW * 1000, *row[1:6], "beside", "{}"]])))
    journal.append(3, msgspec.json.encode(("logs", [[NOW * 1000, *row[1:6], "after", "{}"]])))
    journal.close(remove=False)
    with Store.open(path) as store:
        assert store.counters["set_aside"] == 1
        assert "set aside" in store.trouble
        with store.reading() as cursor:
            messages = cursor.execute("SELECT message FROM logs ORDER BY rowid").fetchall()
        assert messages == [("before",), ("beside",), ("after",)]
    assert b'"bad"' in (tmp_path / "d.duckdb.rejected").read_bytes()
    with Store.open(path) as store:
        assert not store.trouble and not store.counters["set_aside"]
