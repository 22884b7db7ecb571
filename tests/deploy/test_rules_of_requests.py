"""What is tried again, how long is waited, and which ids become references (docs/deploy.md).

Source of the waits: https://docs.datadoghq.com/api/latest/rate-limits/ (429, X-RateLimit-Reset).
"""

from types import SimpleNamespace

import pytest
import urllib3

from monitoring.deploy.api import Transport, UnansweredError
from monitoring.deploy.linking import linked
from monitoring.errors import InputError


class Pool:
    """Answers one after the other: a status with headers, or an error of the network."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def request(self, method, url, **more):
        self.asked.append((method, url))
        self.more = more
        answer = self.answers.pop(0) if self.answers else (200, {})
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(status=answer[0], data=b"{}", headers=answer[1], reason="")


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def transport(*answers, **more):
    clock, pool = Clock(), Pool(*answers)
    return Transport(clock=lambda: clock.now, sleep=clock.sleep, pool=pool, **more), clock, pool


def ask(sender, method="GET", params=None):
    return sender.request(method, "https://api.datadoghq.com/x", {}, params, None)


BROKEN = urllib3.exceptions.ProtocolError("broken")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_request_that_may_be_repeated_is_sent_again(status):
    sender, clock, pool = transport((status, {}), (status, {}))
    assert ask(sender).status_code == 200
    assert len(pool.asked) == 3
    assert clock.slept == [0.25, 0.5]


@pytest.mark.parametrize("status", [200, 202, 301, 400, 401, 403, 404, 409, 501, 505])
def test_any_other_answer_is_final(status):
    sender, _, pool = transport((status, {}))
    assert ask(sender).status_code == status
    assert len(pool.asked) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_may_be_carried_out_twice_is_repeated_after_a_broken_connection(method):
    sender, _, pool = transport(BROKEN)
    assert ask(sender, method).status_code == 200
    assert len(pool.asked) == 2


@pytest.mark.parametrize("answer", [BROKEN, (500, {}), (503, {}), (408, {})])
def test_whether_a_post_that_broke_off_was_carried_out_is_not_known(answer):
    sender, _, pool = transport(answer)
    with pytest.raises(UnansweredError):
        ask(sender, "POST")
    assert len(pool.asked) == 1


def test_a_post_that_was_turned_away_for_its_rate_is_sent_again():
    sender, _, pool = transport((429, {}))
    assert ask(sender, "POST").status_code == 200
    assert len(pool.asked) == 2


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-RateLimit-Reset": "3"}, 3.0),
        ({"Retry-After": "2"}, 2.0),
        ({"X-RateLimit-Reset": "3", "Retry-After": "2"}, 3.0),
        ({"X-RateLimit-Reset": "soon", "Retry-After": "2"}, 2.0),
        ({"X-RateLimit-Reset": "0"}, 0.05),
        ({}, 0.25),
    ],
)
def test_the_server_says_how_long_to_wait(headers, wait):
    sender, clock, _ = transport((429, headers))
    ask(sender)
    assert clock.slept == [wait]


def test_the_pause_doubles_up_to_eight_seconds():
    sender, clock, _ = transport(*[(500, {})] * 8)
    ask(sender)
    assert clock.slept == [0.25, 0.5, 1, 2, 4, 8, 8, 8]


@pytest.mark.parametrize(("answer", "limit"), [((503, {}), 120), (BROKEN, 4)])
def test_nobody_is_waited_for_longer_than_the_deadline(answer, limit):
    """Two minutes where somebody answers, four seconds at an address where nobody does."""
    sender, clock, _ = transport(*[answer] * 100)
    with pytest.raises(InputError, match=f"no answer to GET https://api.datadoghq.com/x within {limit} s"):
        ask(sender)
    assert limit - 8 <= clock.now <= limit


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("api.datadoghq.com", False),
        ("api.us5.datadoghq.com", False),
        ("api.datadoghq.org", True),
        ("127.0.0.1:1", False),
        ("datadoghq.org", False),
    ],
)
def test_where_a_site_is_none_of_datadogs_their_list_is_given(host, named):
    sender, _, _ = transport(*[BROKEN] * 20)
    with pytest.raises(InputError) as caught:
        sender.request("GET", f"https://{host}/x", {}, None, None)
    assert ("Datadog's sites are datadoghq.com, " in caught.value.hint) is named


def test_parameters_are_written_as_the_api_reads_them_and_absent_ones_left_out():
    sender, _, pool = transport()
    ask(sender, params={"a": True, "b": None, "c": 5, "d": "x y"})
    assert pool.asked == [("GET", "https://api.datadoghq.com/x?a=true&c=5&d=x+y")]


def test_a_request_is_sent_as_it_is_with_a_time_out_and_no_redirect_is_followed():
    """A key must not follow a redirect to another host."""
    sender, _, pool = transport(timeout=7.0)
    sender.request("PUT", "https://api.datadoghq.com/x", {"A": "b"}, None, "body")
    assert (pool.more["body"], pool.more["headers"], pool.more["redirect"]) == ("body", {"A": "b"}, False)
    assert pool.more["timeout"].connect_timeout == 7.0


KEYS = {("monitor", "7"): "seven", ("dashboard", "abc-def-ghi"): "board", ("slo", "a" * 32): "goal"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"alert_id": "7"}, {"alert_id": "${monitor:seven}"}),
        ({"monitor_id": 7}, {"monitor_id": "${monitor:seven}"}),
        ({"monitor_ids": [7, 8]}, {"monitor_ids": ["${monitor:seven}", 8]}),
        ({"slo_id": "a" * 32}, {"slo_id": "${slo:goal}"}),
        ({"monitor_id": True}, {"monitor_id": True}),
        ({"monitor_id": None}, {"monitor_id": None}),
        ({"monitor_id": 7.0}, {"monitor_id": 7.0}),
        ({"id": 7, "message": "7"}, {"id": 7, "message": "7"}),
        (
            {"message": "see /monitors/7 and /monitors/70"},
            {"message": "see /monitors/${monitor:seven} and /monitors/70"},
        ),
        ({"message": "/dashboard/abc-def-ghi/name?x=1"}, {"message": "/dashboard/${dashboard:board}?x=1"}),
        ({"message": "/dashboard/abc-def-ghij"}, {"message": "/dashboard/abc-def-ghij"}),
        ({"url": f"/slo?slo_id={'a' * 32}"}, {"url": "/slo?slo_id=${slo:goal}"}),
        (
            {"type": "composite", "query": "7 && !70"},
            {"type": "composite", "query": "${monitor:seven} && !70"},
        ),
        ({"type": "composite", "query": 7}, {"type": "composite", "query": 7}),
        ({"type": "slo alert", "query": None}, {"type": "slo alert", "query": None}),
        ({"type": "query alert", "query": "a{*} > 7"}, {"type": "query alert", "query": "a{*} > 7"}),
        (
            {"type": "slo alert", "query": f'error_budget("{"a" * 32}").over("7d") > 7'},
            {"type": "slo alert", "query": 'error_budget("${slo:goal}").over("7d") > 7'},
        ),
    ],
)
def test_an_id_of_the_project_becomes_a_reference_and_no_other_number_does(body, expected):
    assert linked(body, KEYS) == expected
