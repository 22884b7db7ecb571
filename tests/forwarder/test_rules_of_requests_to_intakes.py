"""What a batch holds, where it goes, what an answer means, and where the key comes from (docs/forwarder.md).

Sources: https://docs.datadoghq.com/api/latest/logs/ (5 MB and 1,000 entries a request, 1 MB an entry), /metrics/ (3.2 MB),
https://docs.datadoghq.com/api/latest/rate-limits/, https://www.rfc-editor.org/rfc/rfc9110#field.retry-after, and
https://protobuf.dev/programming-guides/encoding/.
"""

import base64
import gzip
import http.client
import json
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.errors import InputError
from monitoring.forwarder import batches, keys, lambda_handler
from monitoring.forwarder.addresses import check_site, read_site
from monitoring.forwarder.batches import Batch, log_batches, metric_batches, trace_batches
from monitoring.forwarder.digests import InDynamoDb, InMemory, Position
from monitoring.forwarder.intake import Intake, check_url
from monitoring.forwarder.keys import ApiKey, _plain
from monitoring.forwarder.protobuf import encode_payload, encode_trace, varint
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.retry import IntakeResponse, decide
from monitoring.forwarder.rules import log_filter
from monitoring.forwarder.settings import ForwarderSettings, settings_table, switched_off
from monitoring.forwarder.stats import Tally
from monitoring.forwarder.transport import Transport
from monitoring.lines import Point
from monitoring.log_events.telemetry import Log, LogContext, LogFields, SpanRecord

CONTEXT = LogContext(LogFields({"service": "s%d"}))


def settings(**environ):
    return ForwarderSettings.from_env(environ)


# --- batches


def decoded(batch):
    wire, encoding = batch.wire()
    return json.loads({"gzip": gzip.decompress, "deflate": zlib.decompress}[encoding](wire))


def test_logs_are_entries_in_their_order_of_a_thousand_at_most():
    logs = [Log(f"é {number}", number, CONTEXT) for number in range(2001)]
    made = list(log_batches(logs, "p"))
    assert [(batch.items, batch.start, batch.total) for batch in made] == [
        (1000, 0, 2001),
        (1000, 1000, 2001),
        (1, 2000, 2001),
    ]
    entries = [entry for batch in made for entry in decoded(batch)]
    assert entries == [{"message": f"é {n}", "timestamp": n, "service": "s%d"} for n in range(2001)]
    assert list(log_batches([], "p")) == []
    assert {batch.kind for batch in made} == {"logs"}


def test_logs_of_4_5_mb_are_another_batch(monkeypatch):
    monkeypatch.setattr(batches, "LOG_BYTES", 100)
    size = len(json.dumps({"message": "", "timestamp": 1, "service": "s%d"}, separators=(",", ":"))) + 1
    fits = [Log("x" * (50 - size), 1, CONTEXT)] * 2
    assert [batch.items for batch in log_batches(fits, "p")] == [2]
    one_more = [Log("x" * (50 - size), 1, CONTEXT), Log("x" * (51 - size), 1, CONTEXT)]
    assert [batch.items for batch in log_batches(one_more, "p")] == [1, 1]


@pytest.mark.parametrize("letter", ["x", "é", "\x01"])
def test_an_entry_over_1_mb_is_cut_and_says_so(letter):
    message = letter * 1_200_000
    (batch,) = log_batches([Log(message, 7, CONTEXT), Log("next", 8, CONTEXT)], "p")
    first, second = decoded(batch)
    assert all(len(part) <= 990_000 for part in batch.parts)
    head, _, note = first["message"].partition("…")
    assert note == " [1200000 characters, truncated at Datadog's limit of 1 MB]"
    assert message.startswith(head)
    assert len(json.dumps(head, ensure_ascii=False).encode()) > 400_000
    assert (first["timestamp"], first["service"], second["message"]) == (7, "s%d", "next")


def test_what_is_said_of_the_source_of_a_cut_entry_is_kept_whole():
    large = LogContext(LogFields({"tags": "t" * 50_000}))
    (batch,) = log_batches([Log("x" * 1_200_000, 7, large)], "p")
    assert len(batch.parts[0]) <= 990_000
    assert len(decoded(batch)[0]["tags"]) == 50_000


@pytest.mark.parametrize(("more", "cut"), [(0, False), (1, True)])
def test_an_entry_of_exactly_the_limit_is_not_cut(more, cut):
    (plain,) = log_batches([Log("", 7, CONTEXT)], "p")
    room = 990_000 - len(plain.parts[0])
    (batch,) = log_batches([Log("x" * (room + more), 7, CONTEXT)], "p")
    assert ("truncated at Datadog" in decoded(batch)[0]["message"]) is cut


def point(value=1.0, second=10, kind="count", metric="a.b", tags=("t:1",)):
    return Point(metric, value, second, kind, tags)


def test_points_are_distributions_and_by_choice_counts_and_gauges():
    points = [
        point(1, 10.9),
        point(2, 10),
        point(3, 11),
        point(5, 10, "gauge"),
        point(7, 10, "gauge"),
        point(9, 10, "histogram"),
        point(4, 10, tags=()),
        point(4, 10, metric="c"),
    ]
    ((batch,), native) = (list(metric_batches(points, "p", form)) for form in (False, True))
    assert (batch.kind, batch.items) == ("distributions", 8)
    assert decoded(batch)["series"] == [
        {
            "metric": "a.b",
            "points": [[10, [1, 2, 5, 7, 9]], [11, [3]]],
            "tags": ["t:1"],
            "type": "distribution",
        },
        {"metric": "a.b", "points": [[10, [4]]], "tags": [], "type": "distribution"},
        {"metric": "c", "points": [[10, [4]]], "tags": ["t:1"], "type": "distribution"},
    ]
    distributions, series = native
    assert decoded(distributions)["series"] == [
        {"metric": "a.b", "points": [[10, [9]]], "tags": ["t:1"], "type": "distribution"}
    ]
    assert (series.kind, series.items) == ("series", 7)
    assert decoded(series)["series"] == [
        {"metric": "a.b", "points": [[10, 3], [11, 3]], "tags": ["t:1"], "type": "count", "interval": 1},
        {"metric": "a.b", "points": [[10, 7]], "tags": ["t:1"], "type": "gauge"},
        {"metric": "a.b", "points": [[10, 4]], "tags": [], "type": "count", "interval": 1},
        {"metric": "c", "points": [[10, 4]], "tags": ["t:1"], "type": "count", "interval": 1},
    ]


@pytest.mark.parametrize(
    ("seconds", "parts"),
    [
        ({1: 5000}, [5000]),
        ({1: 5001}, [5000, 1]),
        ({1: 12_000}, [5000, 5000, 2000]),
        ({1: 3000, 2: 2000}, [5000]),
        ({1: 3000, 2: 2001}, [3000, 2001]),
        ({1: 3000, 2: 2000, 3: 1}, [5000, 1]),
    ],
)
def test_a_part_has_five_thousand_samples_at_most_so_that_one_series_splits(seconds, parts):
    points = [point(1, second) for second, count in seconds.items() for _ in range(count)]
    (batch,) = metric_batches(points, "p")
    assert list(batch.counts) == parts
    assert [sum(len(v) for _, v in json.loads(part)["points"]) for part in batch.parts] == parts


def test_batches_of_metrics_and_traces_are_below_their_size(monkeypatch):
    monkeypatch.setattr(batches, "METRIC_BYTES", 200)
    points = [point(1, metric=f"m{number}") for number in range(10)]
    made = list(metric_batches(points, "p"))
    length = len(made[0].parts[0]) + 1
    assert [batch.items for batch in made] == [200 // length] * (10 // (200 // length)) + (
        [10 % (200 // length)] if 10 % (200 // length) else []
    )
    assert [batch.start for batch in made] == [sum(b.items for b in made[:at]) for at in range(len(made))]
    assert {batch.total for batch in made} == {10}
    monkeypatch.setattr(batches, "METRIC_BYTES", 1)
    assert [batch.items for batch in metric_batches(points, "p")] == [1] * 10
    monkeypatch.setattr(batches, "METRIC_BYTES", length * 10)
    assert [batch.items for batch in metric_batches(points, "p")] == [10]
    monkeypatch.setattr(batches, "METRIC_BYTES", length * 10 - 1)
    assert [batch.items for batch in metric_batches(points, "p")] == [9, 1]


def span(trace=1, number=2, parent=0, start=100, duration=50, error=0, meta=None, metrics=None, **more):
    return SpanRecord(
        trace_id=f"{trace:016x}",
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}",
        service=more.get("service", "s"),
        name="n",
        resource="r",
        type="t",
        error=error,
        start=start,
        duration=duration,
        meta=meta or {},
        metrics=metrics or {},
    )


def test_spans_are_grouped_by_both_halves_of_their_trace_id_in_the_order_of_the_first(monkeypatch):
    spans = [
        span(1, 1, meta={"_dd.p.tid": "a"}),
        span(2, 2),
        span(1, 3, meta={"_dd.p.tid": "b"}),
        span(1, 4, meta={"_dd.p.tid": "a"}),
    ]
    (batch,) = trace_batches(spans, "p", "prod")
    assert (batch.kind, batch.counts, batch.items, batch.total) == ("traces", (2, 1, 1), 4, 4)
    assert batch.parts[0] == encode_trace([spans[0], spans[3]])
    wire, encoding = batch.wire()
    assert (encoding, gzip.decompress(wire)) == ("gzip", encode_payload(batch.parts, "prod"))
    monkeypatch.setattr(batches, "TRACE_BYTES", len(batch.parts[0]) - 1)
    assert [count for batch in trace_batches(spans, "p") for count in batch.counts] == [1, 1, 1, 1]
    monkeypatch.setattr(batches, "TRACE_BYTES", len(batch.parts[0]))
    assert [count for batch in trace_batches(spans[::3], "p") for count in batch.counts] == [2]


def test_halves_are_named_after_the_whole_and_a_single_part_has_none():
    assert Batch("logs", (b"1",), "p", total=1).halves() is None
    whole = Batch("logs", (b"1", b"2", b"3"), "p", total=3)
    first, second = whole.halves()
    assert (first.parts, second.parts) == ((b"1",), (b"2", b"3"))
    assert (first.start, second.start) == (0, 1)
    assert {first.whole, second.whole} == {whole.identity}
    assert {half.whole for half in second.halves()} == {whole.identity}


# --- protobuf


def fields(body):
    at = 0
    while at < len(body):
        key, at = read_varint(body, at)
        if key & 7 == 0:
            value, at = read_varint(body, at)
        elif key & 7 == 1:
            value, at = body[at : at + 8], at + 8
        else:
            size, at = read_varint(body, at)
            value, at = body[at : at + size], at + size
        yield key >> 3, value


def read_varint(body, at):
    value = shift = 0
    while True:
        byte, at = body[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


@given(
    st.integers(0, (1 << 64) - 1) | st.sampled_from([0, 127, 128, 16383, 16384, 1 << 21, 1 << 28, 1 << 35])
)
def test_a_whole_number_is_seven_bits_a_byte_the_lowest_first(value):
    body = varint(value)
    assert read_varint(body, 0) == (value, len(body))
    assert len(body) == max(1, -(-value.bit_length() // 7))


def test_a_trace_has_the_agents_fields():
    first = span(0xFF, 2, 3, 100, 50, 1, {"k": "é", "": "x"}, {"m": 1.5}, service="")
    second = span(0xFF, 3, start=90, duration=20)
    ((number, trace),) = fields(encode_trace([first, second]))
    assert number == 3
    rows = list(fields(trace))
    assert [number for number, _ in rows] == [1, 2, 2, 6, 7]
    assert (rows[0][1], rows[3][1], rows[4][1]) == (0xFF, 90, 150)
    values = list(fields(rows[1][1]))
    assert [(number, value) for number, value in values if number < 10 or number == 12] == [
        (2, b"n"),
        (3, b"r"),
        (12, b"t"),
        (4, 0xFF),
        (5, 2),
        (6, 3),
        (7, 100),
        (8, 50),
        (9, 1),
    ]
    maps = [(number, dict(fields(value))) for number, value in values if number in {10, 11}]
    assert maps[0] == (10, {1: b"k", 2: "é".encode()})
    assert maps[1] == (10, {1: b"", 2: b"x"})
    assert maps[2][0] == 11
    assert maps[2][1][1] == b"m"
    assert maps[2][1][2] == b"\0\0\0\0\0\0\xf8?"
    assert 9 not in dict(fields(rows[2][1]))
    assert list(fields(encode_payload([b"\x1a\x00"], "e", "h"))) == [(1, b"h"), (2, b"e"), (3, b"")]
    assert encode_payload([]) == b""


# --- requests


class Line:
    """A transport that keeps what is sent."""

    def __init__(self):
        self.sent = []

    def request(self, method, url, headers, body, timeout=None):
        self.sent.append((method, url, headers, body, timeout))
        return IntakeResponse(202)


@pytest.mark.parametrize(
    ("kind", "host", "path", "content"),
    [
        ("distributions", "api", "/api/v1/distribution_points", "application/json"),
        ("series", "api", "/api/v1/series", "application/json"),
        ("traces", "trace.agent", "/api/v0.2/traces", "application/x-protobuf"),
        ("logs", "http-intake.logs", "/api/v2/logs", "application/json"),
    ],
)
def test_each_kind_goes_to_its_intake(kind, host, path, content):
    line = Line()
    Intake(line, "datadoghq.eu", "", lambda: "key").send(kind, b"body", "gzip")
    Intake(line, "datadoghq.eu", "http://one/", lambda: "key").send(kind, b"body", "gzip", 3.0)
    headers = {
        "DD-API-KEY": "key",
        "Content-Type": content,
        "Content-Encoding": "gzip",
        "User-Agent": "stepscope-forwarder",
    }
    assert line.sent == [
        ("POST", f"https://{host}.datadoghq.eu{path}", headers, b"body", None),
        ("POST", f"http://one{path}", headers, b"body", 3.0),
    ]


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (200, "accepted"),
        (202, "accepted"),
        (299, "accepted"),
        (199, "refuse"),
        (300, "refuse"),
        (400, "refuse"),
        (401, "refresh"),
        (403, "refresh"),
        (404, "refuse"),
        (408, "wait"),
        (413, "split"),
        (425, "wait"),
        (429, "wait"),
        (499, "refuse"),
        (500, "wait"),
        (501, "wait"),
        (504, "wait"),
        (599, "wait"),
        (0, "wait"),
    ],
)
def test_what_follows_an_answer(status, action):
    assert decide(IntakeResponse(status), 0, 0.0, 0.0).action == action


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 3 "}, 3.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0.0),
        ({"retry-after": "soon", "x-ratelimit-reset": "4"}, 4.0),
        ({"retry-after": "", "x-ratelimit-reset": "4"}, 4.0),
        ({"retry-after": "5", "x-ratelimit-reset": "4"}, 5.0),
        ({"retry-after": "nan"}, 0.125),
        ({"retry-after": "999999"}, 999_999.0),
        ({"retry-after": "1000000"}, 0.125),
        ({"retry-after": "Thu, 01 Jan 9999 00:00:01 GMT", "x-ratelimit-reset": "4"}, 4.0),
        ({"retry-after": "inf"}, 0.125),
        ({}, 0.125),
    ],
)
def test_the_server_says_how_long_to_wait(headers, wait):
    assert decide(IntakeResponse(429, headers), 0, 0.0, 10.0).wait == wait


@pytest.mark.parametrize(
    ("attempt", "chance", "wait"),
    [(0, 0, 0.125), (0, 0.5, 0.1875), (3, 0, 1.0), (6, 0, 8.0), (7, 0, 10.0), (99, 0, 10.0), (99, 0.5, 15.0)],
)
def test_without_a_word_of_the_server_the_wait_doubles_up_to_twenty_seconds(attempt, chance, wait):
    assert decide(IntakeResponse(503), attempt, chance, 0.0).wait == wait
    assert decide(IntakeResponse(503, {"retry-after": "1"}), attempt, chance, 0.0).wait == 1 + chance * 0.25


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (IntakeResponse(503), "503"),
        (IntakeResponse(0, error="TimeoutError: timed out"), "TimeoutError"),
        (IntakeResponse(0), "connection"),
    ],
)
def test_the_reason_of_a_failure_is_its_status_or_its_error(answer, reason):
    assert answer.reason == reason


class Server:
    """A connection of http.client that answers from a list: an exception, or (status, length, will_close)."""

    def __init__(self, answers, made):
        self.answers, self.made = answers, made
        timeouts = []
        self.sock = SimpleNamespace(timeouts=timeouts, settimeout=timeouts.append)
        self.requests, self.closed, self.tunnel = [], 0, None

    def request(self, method, target, body, headers):
        self.requests.append((method, target, body, headers))

    def getresponse(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Response(*answer)

    def set_tunnel(self, host, port):
        self.tunnel = (host, port)

    def close(self):
        self.closed += 1


class Response:
    def __init__(self, status, length=2, will_close=False, broken=None):
        self.status, self.length, self.will_close, self.broken = status, length, will_close, broken
        self.open = True

    def getheaders(self):
        return [("Retry-After", "3")]

    def isclosed(self):
        return not self.open

    def read1(self, size):
        if self.broken:
            raise self.broken
        part = min(size, self.length)
        self.length -= part
        return b"x" * part

    def close(self):
        self.open = False


@pytest.fixture
def network(monkeypatch):
    """`network.answers` are given; `network.made` are the connections as (class, host, port, timeout, connection)."""
    net = SimpleNamespace(answers=[], made=[])

    def maker(name):
        def make(host, port, timeout, context=None):
            connection = Server(net.answers, net.made)
            net.made.append((name, host, port, timeout, connection))
            return connection

        return make

    monkeypatch.setattr(http.client, "HTTPConnection", maker("http"))
    monkeypatch.setattr(http.client, "HTTPSConnection", maker("https"))
    return net


def send(transport, url="http://h:81/p?q=1", timeout=None):
    return transport.request("POST", url, {"A": "b"}, b"body", timeout)


def test_a_connection_is_kept_and_one_that_the_server_closed_is_opened_anew_once(network):
    transport = Transport(7.0)
    network.answers += [(202,), (202,), http.client.RemoteDisconnected("gone"), (202,)]
    assert [send(transport).status for _ in range(3)] == [202, 202, 202]
    assert [row[:4] for row in network.made] == [("http", "h", 81, 7.0)] * 2
    assert network.made[0][4].requests == [("POST", "/p?q=1", b"body", {"A": "b"})] * 3
    assert network.made[0][4].closed == 1
    network.answers += [BrokenPipeError(), http.client.RemoteDisconnected("gone")]
    failed = send(transport)
    assert (failed.status, failed.error) == (0, "RemoteDisconnected: gone")
    assert len(network.made) == 3


@pytest.mark.parametrize("error", [TimeoutError("late"), ConnectionResetError("reset"), ValueError("odd")])
def test_another_failure_of_a_kept_connection_is_an_answer(network, error):
    """Whether it was carried out is not known then: the sender decides."""
    transport = Transport()
    network.answers += [(202,), error, (202,)]
    send(transport)
    failed = send(transport)
    assert (failed.status, failed.reason) == (0, type(error).__name__)
    assert send(transport).status == 202
    assert len(network.made) == 2


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ((202, 0), True),
        ((202, 65_536), True),
        ((202, 65_537), False),
        ((202, 2, True), False),
        ((202, 2, False, OSError()), False),
        ((503, 2), True),
    ],
)
def test_a_connection_is_used_again_once_its_answer_is_read(network, answer, kept):
    """An answer counts from its status line on; one of more than 64 KiB costs the connection."""
    transport = Transport()
    network.answers += [answer, (202,)]
    first = send(transport)
    assert (first.status, first.headers) == (answer[0], {"retry-after": "3"})
    send(transport)
    assert len(network.made) == (1 if kept else 2)
    assert network.made[0][4].closed == (0 if kept else 1)
    transport.close()
    assert [row[4].closed for row in network.made] == [1] * len(network.made)
    assert transport._all == []


def test_an_answer_whose_body_takes_more_than_a_second_costs_the_connection(network):
    times = iter([0.0, 0.5, 1.0])
    transport = Transport(clock=lambda: next(times))
    network.answers += [(202, 20_000)]
    send(transport)
    (connection,) = [row[4] for row in network.made]
    assert connection.closed == 1
    assert connection.sock.timeouts == [0.5]


@pytest.mark.parametrize(
    ("setting", "asked", "limit"), [(7.0, None, 7.0), (7.0, 3.0, 3.0), (7.0, 9.0, 7.0), (7.0, -1.0, 0.05)]
)
def test_a_request_waits_no_longer_than_the_time_that_is_left(network, setting, asked, limit):
    transport = Transport(setting)
    network.answers += [(202,), (202,)]
    send(transport, timeout=asked)
    send(transport, timeout=asked)
    assert network.made[0][3] == limit
    assert limit in network.made[0][4].sock.timeouts


@pytest.mark.parametrize(
    ("url", "proxy", "made", "tunnel"),
    [
        ("https://h/p", "", ("https", "h", None), None),
        ("https://h/p", "http://proxy:3128", ("https", "proxy", 3128), ("h", 443)),
        ("https://h:8443/p", "http://proxy:3128", ("https", "proxy", 3128), ("h", 8443)),
        ("http://h/p", "http://proxy:3128", ("http", "h", None), None),
    ],
)
def test_a_proxy_is_a_tunnel_to_the_site_and_an_embedded_datadog_needs_none(
    network, url, proxy, made, tunnel
):
    network.answers += [(202,)]
    assert send(Transport(proxy=proxy), url).status == 202
    assert network.made[0][:3] == made
    assert network.made[0][4].tunnel == tunnel
    assert network.made[0][4].requests[0][1] == "/p"


def test_an_address_without_a_path_asks_for_the_root_and_each_address_has_its_connection(network):
    transport = Transport()
    network.answers += [(202,)] * 3
    for url in ("http://h", "http://i", "http://h"):
        send(transport, url)
    assert [row[1] for row in network.made] == ["h", "i"]
    assert network.made[0][4].requests[0][1] == "/"


# --- addresses and settings


@pytest.mark.parametrize(
    ("text", "site"),
    [
        (" DATADOGHQ.eu ", "datadoghq.eu"),
        ("localhost:8126", "localhost:8126"),
        ("x", "x"),
        ("a-b.c", "a-b.c"),
        ("-a", None),
        ("a-", None),
        ("a:b", None),
        ("https://a", None),
        ("a/b", None),
        ("", None),
    ],
)
def test_a_site_is_a_host_name(text, site):
    if site is None:
        with pytest.raises(ValueError, match="write a site such as"):
            read_site(text)
    else:
        assert read_site(text) == site


@pytest.mark.parametrize(
    ("site", "taken"),
    [
        ("datadoghq.com", True),
        ("us5.datadoghq.com", True),
        ("us17.datadoghq.com", True),
        ("apx9.datadoghq.com", True),
        ("u1.datadoghq.com", False),
        ("us.datadoghq.com", False),
        ("us5.datadoghq.eu", False),
        ("datadog.com", False),
    ],
)
def test_a_command_takes_the_sites_of_datadog_and_new_regions(site, taken):
    if taken:
        check_site(site)
    else:
        with pytest.raises(InputError, match="is not a site of Datadog"):
            check_site(site)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://h", ""),
        ("https://h:1/p", ""),
        ("ftp://h", "not an http"),
        ("http://", "not an http"),
        ("h", "not an http"),
        ("http://h:x", "not an http"),
        ("http://h:0", ""),
        ("http://h:99999", "not an http"),
        ("http://h?api_key=1", "has a query or a password"),
        ("http://u@h", "has a query or a password"),
        ("http://:p@h", "has a query or a password"),
    ],
)
def test_an_address_is_http_without_a_key_in_it(url, wrong):
    if not wrong:
        assert check_url(url) == url
        return
    with pytest.raises(InputError, match=wrong) as caught:
        check_url(url)
    assert caught.value.where == "DD_URL"


FIELDS = {
    row[0]: field for row, field in zip(settings_table(), ForwarderSettings.__dataclass_fields__, strict=True)
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        *((name, " Yes ", True) for name in ("REDACT_IP", "REDACT_EMAIL", "MONITORING_LOG_PLATFORM")),
        *(
            (name, "OFF", False)
            for name in ("DD_FORWARD_LOG", "DD_ENHANCED_METRICS", "MONITORING_OWN_METRICS")
        ),
        ("DD_FORWARD_LOG", "", False),
        ("DD_FORWARD_LOG", "maybe", None),
        ("MONITORING_TIMEOUT", "0", 0.0),
        ("MONITORING_TIMEOUT", "-1", None),
        ("MONITORING_TIMEOUT", "1e9", None),
        ("MONITORING_TIMEOUT", "nan", None),
        ("MONITORING_TIMEOUT", "x", None),
        ("MONITORING_CONNECTIONS", "0", 1),
        ("MONITORING_CONNECTIONS", "9", 9),
        ("MONITORING_CONNECTIONS", "1.5", None),
        ("MONITORING_SPOOL_ATTEMPTS", "3", 3),
        ("MONITORING_METRICS", "native", "native"),
        ("MONITORING_METRICS", "distribution", "distribution"),
        ("MONITORING_METRICS", "Native", None),
        ("MONITORING_ARCHITECTURE", "arm64", "arm64"),
        ("MONITORING_ARCHITECTURE", "x86_64", "x86_64"),
        ("MONITORING_ARCHITECTURE", "x86", None),
        ("DD_TAGS", " a:b,c:d  e:f,", ("a:b", "c:d", "e:f")),
        ("DD_TAGS", "", ()),
        ("INCLUDE_AT_MATCH", "a+", "a+"),
        ("INCLUDE_AT_MATCH", "(", None),
        ("DD_URL", " http://h ", "http://h"),
        ("DD_URL", " ", ""),
        ("DD_SITE", "DATADOGHQ.EU", "datadoghq.eu"),
        ("DD_SITE", "a b", None),
        ("DD_SCRUBBING_RULE_REPLACEMENT", " x ", " x "),
        ("DD_SCRUBBING_RULE_REPLACEMENT", "\\1", None),
        ("DD_API_KEY", " k ", "k"),
    ],
)
def test_a_setting_is_read_or_refused_by_its_name(name, text, value):
    if value is not None or text == "":
        read = getattr(settings(**{name: text}), FIELDS[name])
        assert (read, type(read)) == (value, type(value))
        return
    with pytest.raises(InputError) as caught:
        settings(**{name: text})
    assert caught.value.where == name


def test_a_secret_is_not_shown_where_it_is_wrong_or_printed():
    assert "hunter2" not in repr(
        settings(DD_API_KEY="hunter2", DD_KMS_API_KEY="hunter2", HTTPS_PROXY="hunter2")
    )
    with pytest.raises(InputError) as caught:
        settings(MONITORING_TIMEOUT="y" * 99)
    assert caught.value.message.startswith(repr("y" * 60) + ": ")
    assert caught.value.hint == "MONITORING_TIMEOUT: seconds to wait for one answer"


def test_the_defaults_are_those_of_the_table():
    table = {name: (default, meaning) for name, default, meaning in settings_table()}
    assert len(table) == len(settings_table()) == len(ForwarderSettings.__dataclass_fields__)
    assert table["MONITORING_TIMEOUT"] == ("10", "seconds to wait for one answer")
    assert {name: default for name, (default, _) in table.items() if default} == {
        "DD_SITE": "datadoghq.com",
        "DD_FORWARD_LOG": "true",
        "MONITORING_LOG_PLATFORM": "false",
        "REDACT_IP": "false",
        "REDACT_EMAIL": "false",
        "DD_SCRUBBING_RULE_REPLACEMENT": "xxxxx",
        "MONITORING_METRICS": "distribution",
        "DD_ENHANCED_METRICS": "true",
        "MONITORING_ENHANCED_INVOCATIONS": "true",
        "MONITORING_LAMBDA_METRICS": "true",
        "MONITORING_STATES_METRICS": "true",
        "MONITORING_EXECUTION_METRICS": "true",
        "MONITORING_ARCHITECTURE": "x86_64",
        "MONITORING_OWN_METRICS": "true",
        "MONITORING_CONNECTIONS": "4",
        "MONITORING_TIMEOUT": "10",
        "MONITORING_RETRY_SECONDS": "60",
        "MONITORING_SPOOL_ATTEMPTS": "10",
        "MONITORING_DIGESTS_SECONDS": "86400",
        "MONITORING_PARTIAL_BATCHES": "false",
        "DD_FETCH_LAMBDA_TAGS": "false",
        "DD_FETCH_STEP_FUNCTIONS_TAGS": "false",
        "DD_FETCH_LOG_GROUP_TAGS": "false",
        "MONITORING_TAGS_SECONDS": "3600",
    }
    assert settings() == ForwarderSettings()


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_setting_is_read_from_its_own_variable(name):
    field = FIELDS[name]
    default = getattr(settings(), field)
    texts = {bool: str(not default), int: "7", float: "7.5", tuple: "a:b"}
    text = texts.get(type(default), "x")
    text = {
        "DD_URL": "http://x",
        "MONITORING_METRICS": "native",
        "MONITORING_ARCHITECTURE": "arm64",
    }.get(name, text)
    made = settings(**{name: text})
    assert getattr(made, field) != default
    assert {key for key in FIELDS.values() if getattr(made, key) != getattr(settings(), key)} == {field}


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        ("DD_ENHANCED_METRICS", ("aws.lambda.enhanced.",)),
        ("MONITORING_ENHANCED_INVOCATIONS", ("aws.lambda.enhanced.invocations",)),
        ("MONITORING_LAMBDA_METRICS", ("stepscope.lambda.",)),
        ("MONITORING_STATES_METRICS", ("aws.states.enhanced.",)),
        ("MONITORING_EXECUTION_METRICS", ("stepscope.execution.", "stepscope.durable_execution.")),
    ],
)
def test_each_switch_withholds_its_family(name, prefixes):
    assert switched_off(settings(**{name: "false"})) == prefixes
    assert switched_off(settings()) == ()


# --- which logs go on


@pytest.mark.parametrize(
    ("environ", "message", "kept"),
    [
        ({"DD_FORWARD_LOG": "false"}, "a", None),
        ({"INCLUDE_AT_MATCH": "b"}, "abc", "abc"),
        ({"INCLUDE_AT_MATCH": "b"}, "ac", None),
        ({"EXCLUDE_AT_MATCH": "b"}, "abc", None),
        ({"EXCLUDE_AT_MATCH": "b"}, "ac", "ac"),
        ({"INCLUDE_AT_MATCH": "a", "EXCLUDE_AT_MATCH": "b"}, "ab", None),
        ({"REDACT_IP": "1"}, "from 10.0.0.1, v1.2.3", "from xxx.xxx.xxx.xxx, v1.2.3"),
        ({"REDACT_EMAIL": "1"}, "to a.b+c@x-y.example.org!", "to xxxxx@xxxxx.com!"),
        ({"DD_SCRUBBING_RULE": r"id=(\d)\d+", "DD_SCRUBBING_RULE_REPLACEMENT": r"id=\1"}, "id=77", "id=7"),
        ({"DD_SCRUBBING_RULE": "k"}, "kk", "xxxxxxxxxx"),
        ({"REDACT_IP": "1", "EXCLUDE_AT_MATCH": "10.0.0.1"}, "from 10.0.0.1", None),
        ({"REDACT_IP": "1", "EXCLUDE_AT_MATCH": "xxx"}, "from 10.0.0.1", "from xxx.xxx.xxx.xxx"),
    ],
)
def test_filters_look_at_what_was_printed_and_then_it_is_scrubbed(environ, message, kept):
    assert log_filter(settings(**environ))(message) == kept


def test_without_a_rule_logs_are_left_as_they_are():
    assert log_filter(settings()) is None


# --- the key


class Kms:
    def __call__(self, service):
        assert service == "kms"
        return self

    def decrypt(self, CiphertextBlob):
        return {"Plaintext": CiphertextBlob[::-1]}


@pytest.fixture
def parameters(monkeypatch):
    """What Powertools is asked for: (name, options) -> the value."""
    from aws_lambda_powertools.utilities import parameters as powertools

    asked = []

    def get(name, **options):
        asked.append((name, options))
        return asked_value[0]

    asked_value = ["key"]
    monkeypatch.setattr(powertools, "get_secret", get)
    monkeypatch.setattr(powertools, "get_parameter", get)
    return SimpleNamespace(asked=asked, value=asked_value)


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({"DD_API_KEY_SECRET_ARN": "arn", "DD_API_KEY": "other"}, ("arn", {})),
        ({"DD_API_KEY_SSM_NAME": "name", "DD_KMS_API_KEY": "x"}, ("name", {"decrypt": True})),
    ],
)
def test_a_key_is_read_once_from_where_it_is_stored_and_anew_when_it_is_refused(environ, asked, parameters):
    key = ApiKey(settings(**environ), Kms())
    assert (key(), key()) == ("key", "key")
    name, options = asked
    assert parameters.asked == [(name, {**options, "max_age": 300, "force_fetch": False})]
    assert not key.refresh("key")
    assert parameters.asked[1:] == [(name, {**options, "max_age": 300, "force_fetch": True})]
    parameters.value[0] = "new"
    assert key.refresh("key")
    assert key() == "new"
    # Another thread has read it meanwhile.
    assert key.refresh("key")
    assert len(parameters.asked) == 3
    parameters.value[0] = "\x00"
    assert not key.refresh("new")


def test_a_key_may_be_encrypted_by_kms_or_plain():
    assert ApiKey(settings(DD_KMS_API_KEY=base64.b64encode(b"yek").decode()), Kms())() == "key"
    assert ApiKey(settings(DD_API_KEY=" k "), Kms())() == "k"


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"DD_URL": "http://127.0.0.1:1"}, "local"),
        ({"DD_URL": "http://localhost:1"}, "local"),
        ({"DD_URL": "http://[::1]:1"}, "local"),
        ({"DD_URL": "http://127.0.0.1:1", "DD_API_KEY": "k"}, "k"),
        ({"DD_URL": "http://proxy:1"}, ""),
    ],
)
def test_an_embedded_datadog_on_loopback_takes_any_key(environ, key):
    assert ApiKey(settings(**environ), Kms())() == key


@pytest.mark.parametrize(
    ("environ", "where", "said"),
    [
        ({}, "DD_API_KEY", "there is no API key"),
        ({"DD_KMS_API_KEY": "%"}, "DD_KMS_API_KEY", "the API key cannot be read: Error"),
        ({"DD_API_KEY": "schlüssel"}, "DD_API_KEY", "the value is not an API key"),
        ({"DD_API_KEY": "a\tb"}, "DD_API_KEY", "the value is not an API key"),
        ({"DD_API_KEY": '{"a": "b", "c": "d"}'}, "DD_API_KEY", "the API key cannot be read: ValueError"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_by_its_source_alone(environ, where, said):
    with pytest.raises(InputError) as caught:
        ApiKey(settings(**environ), Kms())()
    assert (caught.value.where, caught.value.message) == (where, said)


@pytest.mark.parametrize(
    ("text", "key"), [("k", "k"), ('{"api_key": "k"}', "k"), (' {"n": 5, "api_key": "k"}', "k"), ("k{", "k{")]
)
def test_the_consoles_form_stores_the_key_in_an_object(text, key):
    assert _plain(text) == key
    assert keys._MAX_AGE == 300


# --- digests


def test_the_oldest_digest_is_forgotten_first():
    memory = InMemory(3)
    for digest in "abcd":
        memory.add(digest)
    assert [memory.near(digest) for digest in "abcd"] == [False, True, True, True]
    assert memory.failures == 0
    assert InMemory()._limit == 20_000


class Table:
    """A table of DynamoDB: an item by its id; broken where told."""

    def __init__(self):
        self.items, self.broken = {}, False

    def get_item(self, Key, **_):
        if self.broken:
            raise OSError
        return {"Item": self.items[Key["id"]["S"]]} if Key["id"]["S"] in self.items else {}

    def update_item(self, Key, ExpressionAttributeValues, **_):
        if self.broken:
            raise OSError
        batches, until = ExpressionAttributeValues[":batches"], ExpressionAttributeValues[":until"]
        self.items[Key["id"]["S"]] = {"batches": batches, "expiration": until}


def test_a_table_is_asked_for_what_this_process_does_not_know():
    table = Table()
    first, second = (InDynamoDb("t", 60, lambda _: table) for _ in range(2))
    with Position(first) as position:
        assert not position.known("a" * 64)
        position.remember("a" * 64)
        assert position.known("a" * 64)
    assert Position(second).known("a" * 64)
    assert not Position(second).known("b" * 24 + "a" * 40)
    assert (first.failures, second.failures) == (0, 0)
    table.broken = True
    with Position(first) as position:
        assert position.known("a" * 64)
        assert not position.known("c" * 64)
        position.remember("c" * 64)
        assert position.known("c" * 64)
    assert first.failures == 2


# --- tags of resources


class Tagged:
    """AWS's answers about one function, state machine and log group; `asked` are the calls."""

    def __init__(self, **made):
        self.made, self.asked, self.broken = made, [], False

    def __call__(self, service):
        self.service = service
        return self

    def get_function(self, FunctionName):
        self.asked.append(FunctionName)
        if self.broken:
            raise OSError
        return {"Configuration": self.made, "Tags": {"Team": "A", "aws:x": "y"}}

    def list_tags_for_resource(self, resourceArn):
        self.asked.append(resourceArn)
        if self.service == "stepfunctions":
            return {"tags": [{"key": "Team", "value": "M"}, {"key": "aws:x", "value": "y"}]}
        return {"tags": {"Team": "G"}}


ALL = {
    "DD_FETCH_LAMBDA_TAGS": "1",
    "DD_FETCH_STEP_FUNCTIONS_TAGS": "1",
    "DD_FETCH_LOG_GROUP_TAGS": "1",
    "MONITORING_TAGS_SECONDS": "100",
}


def resource_tags(aws, environ=None, now=None):
    now = now if now is not None else [0.0]
    return ResourceTags(settings(**(ALL if environ is None else environ)), aws, lambda: now[0])


@pytest.mark.parametrize(
    ("made", "tags"),
    [
        ({}, ("team:a", "architecture:x86_64", "runtime:container")),
        (
            {"Architectures": ["arm64"], "Runtime": "python3.13"},
            ("team:a", "architecture:arm64", "runtime:python3.13"),
        ),
        ({"Architectures": []}, ("team:a", "architecture:x86_64", "runtime:container")),
    ],
)
def test_a_function_has_its_tags_architecture_and_runtime(made, tags):
    assert resource_tags(Tagged(**made)).of_function("f") == tags


def test_state_machines_and_log_groups_have_their_tags():
    tags = resource_tags(Tagged())
    assert tags.of_machine("m") == ("team:m",)
    assert tags.of_group("g") == ("team:g",)
    assert (tags.of_function(""), tags.of_machine(""), tags.of_group("")) == ((), (), ())


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("DD_FETCH_LAMBDA_TAGS", "f"), ("DD_FETCH_STEP_FUNCTIONS_TAGS", "m"), ("DD_FETCH_LOG_GROUP_TAGS", "g")],
)
def test_what_is_not_asked_for_by_a_setting_is_not_fetched(name, allowed):
    aws = Tagged()
    tags = resource_tags(aws, {name: "true"})
    for method, arn in ((tags.of_function, "f"), (tags.of_machine, "m"), (tags.of_group, "g")):
        assert bool(method(arn)) == (arn == allowed)
    assert aws.asked == [allowed]


def test_tags_are_kept_for_their_time_and_asked_for_five_times_an_invocation():
    aws, now = Tagged(), [0.0]
    tags = resource_tags(aws, now=now)
    for number in range(7):
        tags.of_function(f"f{number}")
    assert aws.asked == ["f0", "f1", "f2", "f3", "f4"]
    assert tags.of_function("f6") == ()
    tags.renew()
    assert tags.of_function("f6")
    now[0] = 99.9
    assert tags.of_function("f0")
    assert aws.asked[5:] == ["f6"]
    now[0] = 100.0
    tags.of_function("f0")
    assert aws.asked[6:] == ["f0"]


def test_an_error_is_no_tags_for_a_minute_and_what_was_known_is_kept():
    aws, now = Tagged(), [0.0]
    tags = resource_tags(aws, now=now)
    aws.broken = True
    assert tags.of_function("new") == ()
    now[0] = 59.9
    tags.of_function("new")
    assert len(aws.asked) == 1
    now[0], aws.broken = 60.0, False
    known = tags.of_function("new")
    assert known
    now[0], aws.broken = 200.0, True
    assert tags.of_function("new") == known


def test_five_thousand_resources_are_known_at_most():
    aws = Tagged()
    tags = resource_tags(aws)
    for number in range(5_001):
        tags.renew()
        tags.of_machine(f"m{number}")
    assert len(tags._cache) == 5_000
    tags.renew()
    tags.of_machine("m0")
    assert aws.asked[-1] == "m0"
    tags.of_machine("m5000")
    assert aws.asked[-1] == "m0"


def test_a_function_has_the_extension_for_as_long_as_its_layers_say():
    aws, now = Tagged(Layers=[{"Arn": "a:layer:other:1"}, {"Arn": "a:layer:Datadog-Extension:65"}]), [0.0]
    tags = resource_tags(aws, now=now)
    assert not tags.has_extension("f")
    tags.of_function("f")
    assert tags.has_extension("f")
    assert not tags.has_extension("g")
    aws.made = {"Layers": None}
    now[0] = 100.0
    tags.of_function("f")
    assert not tags.has_extension("f")


# --- counts


def test_what_was_read_and_what_became_of_it_are_two_sums():
    tally = Tally()
    tally.add(tally.items, ("points", "read"), 10)
    for outcome, count in {
        "sent": 3,
        "known": 2,
        "spooled": 1,
        "excluded": 1,
        "refused": 1,
        "failed": 2,
    }.items():
        tally.add(tally.items, ("points", outcome), count)
    assert tally.gap() == {"points": 2, "spans": 0, "logs": 0, "events": 0}
    sums = tally.conservation()["points"]
    assert (sums["read"], sums["accounted"], sums["failed"]) == (10, 8, 2)
    assert list(tally.conservation()) == ["points"]
    tally.settle("traces", "sent", 5)
    tally.settle("traces", "sent", 5)
    assert (tally.batches["traces", "sent"], tally.items["spans", "sent"]) == (2, 10)
    assert tally.summary()["batches"] == {"sent": 2}
    assert "late" not in tally.summary()


def test_the_oldest_event_is_kept_and_an_error_is_noted_once_twenty_at_most():
    tally = Tally()
    for seconds in (0, 50.0, 20.0, 30.0, -1):
        tally.saw(seconds)
    assert tally.oldest == 20.0
    for number in (0, *range(25)):
        tally.error(f"e{number}")
    assert tally.errors == [f"e{number}" for number in range(20)]


# --- the entry point


def test_the_function_keeps_what_it_made_until_a_setting_changes(monkeypatch):
    made = []

    class Made:
        def __init__(self, chosen, region, function):
            made.append((chosen.env, region, function))

        def handle(self, event, remaining):
            return {"event": event, "remaining": remaining}

    monkeypatch.setattr(lambda_handler, "Forwarder", Made)
    monkeypatch.setattr(lambda_handler, "_forwarders", {})
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "fwd")
    monkeypatch.setenv("DD_ENV", "a")
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 2500)
    assert lambda_handler.handler(1, context) == {"event": 1, "remaining": 2.5}
    assert lambda_handler.handler(2, None) == {"event": 2, "remaining": 60.0}
    monkeypatch.setenv("DD_ENV", "b")
    lambda_handler.handler(3, None)
    assert made == [("a", "eu-west-1", "fwd"), ("b", "eu-west-1", "fwd")]
    assert len(lambda_handler._forwarders) == 1
