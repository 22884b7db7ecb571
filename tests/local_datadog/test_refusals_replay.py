"""Every recorded refusal of Datadog's API: repeated word for word, or named here with the reason why not."""

import json
import re

import httpx
import pytest
from shared_data import shared_data

from monitoring.local_datadog import Access, LocalDatadog, Settings

KEYS = {"DD-API-KEY": "k", "DD-APPLICATION-KEY": "a"}
JSON = {"Content-Type": "application/json"}
METRIC_MONITOR = {"type": "query alert", "query": "avg(last_5m):avg:m{*} > 1"}
METRIC_SLO = {
    "type": "metric",
    "name": "x",
    "thresholds": [{"timeframe": "7d", "target": 99}],
    "query": {"numerator": "sum:a{*}.as_count()", "denominator": "sum:b{*}.as_count()"},
}
BOARD = {"title": "x", "layout_type": "ordered", "widgets": []}

NOT_SERVED = re.compile(
    r"/api/v2/(metrics/(tag-indexing-rules|[^/]+/tag-indexing-rules)|monitor/(policy|notification_rule)"
    r"|dashboard/[^/]+/shared|dashboards/usage)"
)
"""Products that the embedded Datadog does not have."""
OTHER_WORDS = {
    # Recorded both ways for one request; the layout comes first here, and the ids are required.
    ("POST", "/api/v1/dashboard", "'widgets' should be array"),
    ("PUT", "/api/v1/dashboard/random", "'widgets' should be array"),
    (
        "GET",
        "/api/v1/monitor/can_delete",
        "The value provided for parameter 'monitor_ids are required' is invalid",
    ),
    # Ten others of this route, some of them younger, name the metric.
    ("GET", "/api/v2/metrics/foo.missing/tags", "Not Found"),
    # The only one in these words; the other recording of a referenced SLO says `dashboards`.
    (
        "DELETE",
        "/api/v1/slo/f{id}b373e6a{id}a70f65d5ab{id}",
        "slo f5590b373e6a503495a70f65d5ab9500 is referenced in dashboard_id: g8a-y9c-33z",
    ),
}


def family(row):
    errors = json.loads(row["response"])["errors"]
    text = errors if isinstance(errors, str) else str(next(iter(errors)))
    path = row["path"].partition("?")[0]
    if (row["method"], path, text) in OTHER_WORDS:
        return "other words"
    if NOT_SERVED.match(row["path"]):
        return "not served"
    return {403: "keys", 409: "references"}.get(row["status"], "refusals")


@pytest.fixture(scope="module")
def recorded():
    lines = shared_data("api_errors.jsonl").read_text().splitlines()
    found = {}
    for row in map(json.loads, lines):
        found.setdefault(family(row), []).append(row)
    return found


@pytest.fixture(scope="module")
def http():
    with LocalDatadog() as server, httpx.Client(base_url=server.url, headers=KEYS) as client:
        yield client


def test_every_refusal_is_repeated_word_for_word(http, recorded):
    assert recorded["refusals"]
    for row in recorded["refusals"]:
        answer_of = json.loads(row["response"])
        url, body = request_of(http, row, answer_of["errors"])
        answer = http.request(row["method"], url, content=body, headers=JSON)
        assert answer.status_code == row["status"], (row["method"], url, answer.text)
        assert answer.json()["errors"] == answer_of["errors"], (row["method"], url)
        assert answer.json().keys() == answer_of.keys(), (row["method"], url)


def request_of(http, row, errors):
    """The recorded path and body, with an id in the place of one that is masked."""
    path = re.sub(r"^https://[^/]+", "", row["path"])
    body = row["request_body"] or None
    if "{id}" not in path:
        return path, body
    masked = r"(?<=/)[^/?]*\{id\}[^/?]*|(?<==)\{id\}"  # ids are masked in part
    ident = prepared(http, row["method"], path, str(errors[0]))
    if "/v2/downtime/" in path:  # it names itself
        body = json.dumps(json.loads(body)["data"] | {"id": ident}).join(['{"data":', "}"])
    return re.sub(masked, ident, path), body


def prepared(http, method, path, text):
    """What the request needs to exist: an object of its own, or none at all."""
    if "unmute" in path:
        name = text.partition('"')[2].rpartition('"')[0]
        return str(http.post("/api/v1/monitor", json=METRIC_MONITOR | {"name": name}).json()["id"])
    if "dashboard/lists/manual/{id}" in path and "empty" in text:
        return str(http.post("/api/v1/dashboard/lists/manual", json={"name": "x"}).json()["id"])
    if path.startswith("/api/v1/slo/") and method == "PUT":
        return http.post("/api/v1/slo", json=METRIC_SLO).json()["data"][0]["id"]
    if path == "/api/v1/dashboard/{id}" and method == "PUT":
        return http.post("/api/v1/dashboard", json=BOARD).json()["id"]
    if path.startswith("/api/v2/downtime/"):
        attributes = {"scope": "*", "monitor_identifier": {"monitor_tags": ["*"]}}
        body = {"data": {"type": "downtime", "attributes": attributes}}
        return http.post("/api/v2/downtime", json=body).json()["data"]["id"]
    return text.rpartition(" not found")[0].rpartition(" ")[2] or "99999999"


def test_every_route_refuses_a_wrong_key_and_a_missing_one(recorded):
    settings = Settings(Access(api_key="right"))
    with LocalDatadog(settings=settings) as server, httpx.Client(base_url=server.url) as client:
        for row in recorded["keys"]:
            texts = json.loads(row["response"])["errors"]
            url = row["path"].replace("{id}", "1001")
            keys = {} if texts == ["API key required"] else {"DD-API-KEY": "wrong", "DD-APPLICATION-KEY": "a"}
            answer = client.request(row["method"], url, content=row["request_body"] or None, headers=keys)
            assert (answer.status_code, answer.json()["errors"]) == (403, texts), url
        block = {"status", "code", "errors", "statuspage", "twitter", "email"}
        for given in ({"DD-API-KEY": "wrong"}, {"DD-API-KEY": ""}, {}):
            for path in ("/api/v1/monitor", "/api/v2/metrics", "/api/v1/series?api_key=wrong"):
                answer = client.request("GET", path, headers=given)
                assert (answer.status_code, answer.json().keys()) == (403, block), (given, path)
        assert client.get("/api/v1/validate?api_key=wrong").json()["errors"] == ["Forbidden"]
        assert client.get("/api/v1/validate?api_key=right").json() == {"valid": True}
        assert client.get("/api/v1/monitor", headers={"DD-API-KEY": "right"}).json() == []


MONITOR = re.compile(r"monitor \[(\d+),(.*)\] is referenced in (slos|composite monitors): \[(\w+),(.*)\]")


def test_every_refusal_for_a_reference_names_it_in_the_recorded_words(http, recorded):
    assert recorded["references"]
    for row in recorded["references"]:
        ((_, texts),) = json.loads(row["response"])["errors"].items()
        if row["path"].startswith("/api/v1/slo/"):
            ident, other, url = slo_on_a_board(http)
            wanted = {ident: re.sub(r"slo \w+ (.*): [\w-]+$", rf"slo {ident} \1: {other}", texts)}
        else:
            _, name, kind, _, other_name = MONITOR.fullmatch(texts[0]).groups()
            ident, other = watched(http, name, kind, other_name)
            url = f"/api/v1/monitor/can_delete?monitor_ids={ident}"
            text = f"monitor [{ident},{name}] is referenced in {kind}: [{other},{other_name}]"
            wanted = {str(ident): [text]}
        answer = http.request(row["method"], url)
        assert (answer.status_code, answer.json()["errors"]) == (row["status"], wanted)


def slo_on_a_board(http):
    slo = http.post("/api/v1/slo", json=METRIC_SLO).json()["data"][0]["id"]
    widget = {"definition": {"type": "slo", "slo_id": slo}}
    board = http.post("/api/v1/dashboard", json=BOARD | {"widgets": [widget]}).json()["id"]
    return slo, board, f"/api/v1/slo/{slo}"


def watched(http, name, kind, other_name):
    """A monitor of that name, and what refers to it."""
    ident = http.post("/api/v1/monitor", json=METRIC_MONITOR | {"name": name}).json()["id"]
    if kind == "slos":
        slo = {"type": "monitor", "name": other_name, "monitor_ids": [ident]}
        slo["thresholds"] = METRIC_SLO["thresholds"]
        return ident, http.post("/api/v1/slo", json=slo).json()["data"][0]["id"]
    second = http.post("/api/v1/monitor", json=METRIC_MONITOR | {"name": "second"}).json()["id"]
    body = {"type": "composite", "name": other_name, "query": f"{ident} && {second}"}
    return ident, http.post("/api/v1/monitor", json=body).json()["id"]


def test_what_is_not_served_says_so_and_is_all_that_is_left(http, recorded):
    for row in recorded["not served"]:
        answer = http.request(row["method"], row["path"], content=row["request_body"] or None, headers=JSON)
        assert (answer.status_code, answer.json()) == (404, {"errors": ["Not Found"]}), row["path"]
    assert {len(recorded[kind]) > 0 for kind in ("refusals", "keys", "references")} == {True}
    assert len(recorded["other words"]) <= len(OTHER_WORDS)
