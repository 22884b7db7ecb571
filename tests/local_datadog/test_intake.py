"""The intake routes as clients call them: shapes, encodings, limits, and what is refused."""

import gzip
import json
import struct
import time
import zlib

import httpx
import pytest

from monitoring.local_datadog.body import zstd

KEY = {"DD-API-KEY": "k"}
NOW = int(time.time())
V1 = {"series": [{"metric": "m", "points": [[NOW, 1.5]], "type": "gauge", "host": None, "tags": None}]}
V2 = {"series": [{"metric": "m", "type": 1, "points": [{"timestamp": NOW, "value": 2}], "tags": ["A:B"]}]}


HTTP = httpx.Client(verify=False, timeout=30)  # one client: making one costs more than the tests


def post(datadog, path, body, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HTTP.post(datadog.url + path, content=content, headers=KEY | headers)


@pytest.mark.parametrize(
    ("path", "body", "status", "answer", "media_type"),
    [
        ("/api/v1/series", V1, 202, {"status": "ok"}, "text/json"),
        ("/api/v2/series", V2, 202, {"errors": []}, "application/json"),
        ("/api/v1/distribution_points", {"series": []}, 202, {"status": "ok"}, "text/json"),
        (
            "/api/v1/check_run",
            {"check": "c", "host_name": "h", "status": 0},
            202,
            {"status": "ok"},
            "text/json",
        ),
        ("/api/v2/logs", [{"message": "x"}], 202, {}, "application/json"),
        ("/v1/input", {"message": "x"}, 200, {}, "application/json"),
    ],
)
def test_each_intake_answers_as_datadog_does(datadog, path, body, status, answer, media_type):
    got = post(datadog, path, body)
    assert (got.status_code, got.json()) == (status, answer)
    assert got.headers["content-type"].startswith(media_type)


def test_what_was_taken_is_stored_with_its_type_tags_and_host(datadog):
    post(datadog, "/api/v1/series", V1)
    resources = [{"type": "host", "name": "h1"}]
    post(datadog, "/api/v2/series", {"series": [V2["series"][0] | {"metric": "n", "resources": resources}]})
    distribution = {"metric": "d", "points": [[NOW, [1, 2, 2]]], "tags": ["é b"]}
    post(datadog, "/api/v1/distribution_points", {"series": [distribution]})
    got = {(s.metric, s.type, s.tags, s.host, tuple(s.values)) for s in datadog.store.series()}
    assert got == {
        ("m", "gauge", (), "", (1.5,)),
        ("n", "count", ("a:b",), "h1", (2.0,)),
        ("d", "distribution", ("é_b",), "", (1.0, 2.0, 2.0)),
    }


ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "zstd1": zstd.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_every_content_encoding_is_read(datadog, encoding):
    body = ENCODERS[encoding](json.dumps(V1).encode())
    assert post(datadog, "/api/v1/series", body, **{"Content-Encoding": encoding}).status_code == 202
    assert datadog.store.metrics()[0].points == 1


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(json.dumps(V1).encode())[:-9], "gzip", 400),
        (b"{", "", 400),
        (b'"text"', "", 400),
        (b'{"series": [{"metric": "m", "points": [["x", 1]]}]}', "", 400),
        (b'{"series": [{"metric": "m", "points": [[1, null]]}]}', "", 400),
        (b'{"series": [{"points": [[1, 2]]}]}', "", 400),
        (b"x", "br", 415),
        (b" " * 3_200_001, "", 413),
        (zlib.compress(b" " * 70_000_000), "deflate", 413),
        (zlib.compress(b" " * 70_000_000)[:65_000], "deflate", 413),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,  # gzip writes the time
)
def test_a_bad_body_is_refused_and_nothing_of_it_is_stored(datadog, body, encoding, status):
    got = post(datadog, "/api/v1/series", body, **({"Content-Encoding": encoding} if encoding else {}))
    assert got.status_code == status
    assert datadog.store.metrics() == []


@pytest.mark.parametrize(
    ("path", "points", "more", "where"),
    [
        ("/api/v1/series", [[1, 2]], {"tags": "a:b"}, "$.series[1].tags"),
        ("/api/v1/series", [[1, 2]], {"tags": ["a", 3]}, "$.series[1].tags[1]"),
        ("/api/v1/distribution_points", [[1, [2]]], {"tags": [None]}, "$.series[1].tags[0]"),
        ("/api/v2/series", [{"timestamp": 1, "value": 2}], {"tags": {}}, "$.series[1].tags"),
        (
            "/api/v2/series",
            [{"timestamp": 1, "value": 2}],
            {"resources": [{"name": 1}]},
            "$.series[1].resources[0].name",
        ),
    ],
)
def test_tags_of_another_shape_refuse_the_payload_and_say_where(datadog, path, points, more, where):
    good = {"metric": "good", "points": points, "tags": None, "resources": None}
    for _ in range(2):  # what was refused once is not taken for known
        got = post(
            datadog, path, json.dumps({"series": [good, {"metric": "m", "points": points} | more]}).encode()
        )
        assert got.status_code == 400
        assert f"`{where}`" in got.text
    assert datadog.store.metrics() == []


def test_a_payload_of_another_shape_is_explained_in_datadogs_words(datadog):
    got = post(datadog, "/api/v1/series", b'"text"')
    assert got.text == (
        "Payload is not in the expected format: json: cannot unmarshal string into Go value of type "
        "models.MetricPayload"
    )
    assert got.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("seconds", "counter"),
    [(-3700, "dropped_too_old"), (700, "dropped_too_new"), (10**12, "dropped_too_new")],
)
def test_points_too_old_or_too_new_are_accepted_ignored_and_counted(datadog, seconds, counter):
    now = int(time.time())
    series = {"metric": "m", "points": [[now + seconds, 1], [now, 2]]}
    assert post(datadog, "/api/v1/series", {"series": [series]}).status_code == 202
    assert datadog.store.metrics()[0].points == 1
    assert HTTP.get(datadog.url + "/status").json()["counters"][counter] == 1


def test_a_name_that_cannot_be_one_is_counted_and_costs_no_other(datadog):
    series = [{"metric": "9é", "points": [[NOW, 1]]}, {"metric": "a b", "points": [[NOW, 1]]}]
    post(datadog, "/api/v1/series", {"series": series})
    assert [m.name for m in datadog.store.metrics()] == ["a_b"]
    assert datadog.store.counters["dropped_name"] == 1


@pytest.mark.parametrize("where", [{"headers": KEY}, {"params": {"api_key": "k"}}])
def test_a_key_is_taken_from_the_header_or_the_query(datadog, where):
    assert HTTP.get(datadog.url + "/api/v1/validate", **where).json() == {"valid": True}


def test_without_a_key_nothing_is_taken(datadog):
    assert HTTP.get(datadog.url + "/api/v1/validate").json() == {"errors": ["API key required"]}
    got = HTTP.post(datadog.url + "/api/v1/series", json=V1)
    assert (got.status_code, got.json()["code"], got.json()["errors"]) == (403, 403, ["Forbidden"])
    assert datadog.store.metrics() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/series", "/status"])
def test_another_sites_page_can_neither_read_nor_post(datadog, headers, path):
    got = HTTP.request(
        "POST" if "series" in path else "GET", datadog.url + path, headers=KEY | headers, json=V1
    )
    assert got.status_code == 403
    assert datadog.store.metrics() == []


def test_a_link_to_a_page_may_be_followed_from_another_site_and_a_link_to_the_api_may_not(datadog):
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert HTTP.get(datadog.url + "/status", headers=followed).status_code == 200
    assert (
        HTTP.get(datadog.url + "/status", headers=followed | {"Sec-Fetch-Dest": "iframe"}).status_code == 403
    )
    assert HTTP.get(datadog.url + "/api/v1/validate?api_key=k", headers=followed).status_code == 403


def message(*fields):
    """Protobuf: (number, value) with str and bytes as length-delimited, int as varint, float as double."""
    out = b""
    for number, value in fields:
        if isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value % 2**64)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


SPAN = message(
    (1, "svc"), (2, "aws.lambda"), (3, "f"), (4, 2**63 + 1), (5, 2), (6, 3), (7, NOW * 10**9), (8, 5), (9, 1),
    (10, message((1, "k"), (2, "v"))), (11, message((1, "n"), (2, 1.5))), (12, "serverless"),
    (14, message((1, 5))),
)  # fmt: skip
OLD = message((1, "host"), (2, "prod"), (3, message((1, 9), (2, SPAN), (6, 1), (7, 2))))
CHUNK = message((1, 1), (2, "lambda"), (3, SPAN), (4, message((1, "_dd.p.tid"), (2, "24e8"))))
NEW = message((2, "prod"), (5, message((2, "python"), (6, CHUNK))), (8, 0.5))


@pytest.mark.parametrize(
    ("payload", "more"), [(OLD, {}), (NEW, {"_dd.origin": "lambda", "_dd.p.tid": "24e8"})]
)
def test_a_protobuf_trace_payload_is_read_in_its_old_and_its_new_form(datadog, payload, more):
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "identity"}
    assert post(datadog, "/api/v0.2/traces", payload, **headers).status_code == 202
    (span,) = datadog.store.spans()
    assert span == {
        "trace_id": "8000000000000001", "span_id": f"{2:016x}", "parent_id": f"{3:016x}",
        "name": "aws.lambda", "service": "svc", "resource": "f", "type": "serverless",
        "start": NOW * 10**9, "duration": 5, "error": 1,
        "meta": {"env": "prod", "k": "v"} | more, "metrics": {"n": 1.5},
    }  # fmt: skip


def test_json_traces_are_read_too_and_a_broken_payload_is_a_400(datadog):
    span = {"trace_id": "a" * 16, "span_id": "b" * 16, "start": 1, "duration": 2, "meta": {"x": "y"}}
    assert post(datadog, "/api/v0.2/traces", {"traces": [[span, span]]}).status_code == 202
    assert [s["meta"] for s in datadog.store.spans(trace_id="a" * 16)] == [{"x": "y"}] * 2
    for body, kind in (
        (NEW[:-40], "application/x-protobuf"),
        (b"{}", "application/json"),
        (b"\xff" * 30, "x-protobuf"),
    ):
        assert post(datadog, "/api/v0.2/traces", body, **{"Content-Type": kind}).status_code == 400


def test_a_check_without_a_name_is_refused_in_datadogs_words(datadog):
    assert post(datadog, "/api/v1/check_run", {}).json() == {"errors": ["Run missing fields: check"]}
