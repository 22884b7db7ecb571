"""Rate limits: the headers that clients obey, and limits that are really kept."""

import time

import httpx
import pytest

from monitoring.errors import InputError
from monitoring.local_datadog import LocalDatadog, Settings, rate_limits
from monitoring.local_datadog.rate_limits import RateLimits

MONITOR = {"type": "query alert", "query": "avg(last_5m):avg:m{*} > 1"}
KEYS = {"DD-API-KEY": "k"}


def test_headers_count_down_within_a_calendar_period_and_start_again_in_the_next():
    now = [1_000_000_003.5]
    limits = RateLimits(lambda: now[0], rate_limits.read(("post_monitors=2/10",)))
    seen = [limits.count("POST", "/api/v1/monitor") for _ in range(3)]
    assert [(headers["X-RateLimit-Remaining"], over) for headers, over in seen] == [
        ("1", False),
        ("0", False),
        ("0", True),
    ]
    assert seen[0][0] == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Period": "10",
        "X-RateLimit-Remaining": "1",
        "X-RateLimit-Reset": "7",
        "X-RateLimit-Name": "post_monitors",
    }
    now[0] += 7
    assert limits.count("POST", "/api/v1/monitor")[1] is False


@pytest.mark.parametrize(
    ("method", "path", "name", "limit"),
    [
        ("GET", "/api/v1/monitor/12", "get_monitors", "3000"),
        ("POST", "/api/v1/monitor", "post_monitors", "500"),
        ("POST", "/api/v1/monitor/validate", "global_org", "12000"),
        ("GET", "/api/v1/monitor/can_delete", "can_delete", "12000"),
        ("GET", "/api/v1/dashboard/abc-def-ghi", "global_org", "12000"),
        ("GET", "/api/v1/query", "batch_query", "1600"),
    ],
)
def test_limits_are_those_recorded_from_datadog_and_only_shown(method, path, name, limit):
    limits = RateLimits(time.time)
    found = [limits.count(method, path) for _ in range(3)]
    assert not any(over for _, over in found)
    assert (found[0][0]["X-RateLimit-Name"], found[0][0]["X-RateLimit-Limit"]) == (name, limit)


def test_the_intake_has_no_limit():
    assert RateLimits(time.time).count("POST", "/api/v1/series") == ({}, False)


def test_a_client_behind_the_limit_gets_a_429_and_datadogs_own_client_waits_and_succeeds():
    client = pytest.importorskip("datadog_api_client")
    from datadog_api_client.v1.api.monitors_api import MonitorsApi
    from datadog_api_client.v1.model.monitor import Monitor
    from datadog_api_client.v1.model.monitor_type import MonitorType

    settings = Settings(rate_limits=rate_limits.read(("post_monitors=1/2",)))
    with LocalDatadog(settings=settings) as server:
        answers = [httpx.post(f"{server.url}/api/v1/monitor", json=MONITOR, headers=KEYS) for _ in range(3)]
        assert answers[-1].status_code == 429 or answers[-2].status_code == 429
        configuration = client.Configuration(host=server.url, enable_retry=True)
        configuration.api_key.update({"apiKeyAuth": "k", "appKeyAuth": "a"})
        with client.ApiClient(configuration) as api:
            monitors = MonitorsApi(api)
            body = Monitor(type=MonitorType.QUERY_ALERT, query=MONITOR["query"], name="n")
            idents = [monitors.create_monitor(body).id for _ in range(2)]
        assert len(set(idents)) == 2


@pytest.mark.parametrize("text", ["nonsense", "post_monitors=0/10", "unknown=1/2"])
def test_a_limit_that_is_none_names_those_that_are(text):
    with pytest.raises(InputError, match="is not a rate limit") as caught:
        rate_limits.read((text,))
    assert "post_monitors" in caught.value.hint


def test_in_an_outage_the_api_answers_503_and_takes_nothing():
    point = {"series": [{"metric": "m", "points": [[int(time.time()), [1.0]]]}]}
    with LocalDatadog() as server, httpx.Client(base_url=server.url, headers=KEYS) as client:
        with server.outage():
            assert client.post("/api/v1/distribution_points", json=point).status_code == 503
            assert client.get("/api/v1/validate").status_code == 503
            assert client.get("/status").status_code == 200
        assert server.store.metrics() == []
        assert client.post("/api/v1/distribution_points", json=point).status_code == 202
